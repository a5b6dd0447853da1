"""What a search varies: a few dials, each a factor on what the preset has, and the settings that a position means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pronotum import preparation, workflows
from pronotum.data import Dataset
from pronotum.errors import UserError, did_you_mean
from pronotum.models import architecture
from pronotum.models.architecture import Architecture
from pronotum.settings import OF_MODEL, resolve

RATES = ("rate", "rate_start")
STRENGTHS = ("rotation", "scale", "shift", "gain", "offset", "noise", "blur")
SHARES = ("blur", "paste")
"""Strengths that are chances: at most one."""
Positions = Mapping[str, float]
"""Of each dial, by its name."""


@dataclass(frozen=True)
class Dial:
    """One thing that is varied.

    Attributes:
        name: ``resolution``, ``rate``, ``augmentation`` or ``epochs``.
        default: where the preset stands.
        values: to choose from; empty = everything `between`.
        between: least and largest, taken logarithmically.
    """

    name: str
    default: float
    values: tuple[float, ...] = ()
    between: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The dials of one architecture for some data.

    Attributes:
        kind: the architecture.
        dials: what is varied.
        training: settings at the defaults.
        configs: of the model, by position of the dial of the resolution.
    """

    kind: Architecture
    dials: tuple[Dial, ...]
    training: BaseModel
    configs: Mapping[float, BaseModel]

    @classmethod
    def of(cls, data: Dataset, options: workflows.TrainOptions, names: Sequence[str] = ()) -> SearchSpace:
        """The dials that an architecture has.

        Args:
            data: what is trained on.
            options: of every training; dials turn what these say.
            names: of dials; empty = all.

        Raises:
            UserError: no such dial, or one that this model does not have.
        """
        kind = architecture.named(options.model or workflows.choose_pose(data, options)[0])
        training, _ = resolve(kind, data, options.overrides, options.preset)
        usual = kind.areas[0] if kind.areas else 1
        configs = {area / usual: preparation.configure(kind, data, area) for area in kind.areas}
        known = {dial.name: dial for dial in _dials(training.model_dump(), tuple(sorted(configs)))}
        for name in names:
            if name not in known:
                found = f"no '{name}' to vary in --model {kind.name}"
                raise UserError(f"--vary {name}", found=found, remedy=did_you_mean(name, known))
        if not known:
            raise UserError(f"--model {kind.name}", found="it has nothing to vary", remedy="choose another model")
        dials = tuple(dial for name, dial in known.items() if not names or name in names)
        return cls(kind, dials, training, configs)

    @property
    def defaults(self) -> dict[str, float]:
        """The positions that change nothing."""
        return {dial.name: dial.default for dial in self.dials}

    def settings(self, positions: Positions) -> dict[str, Any]:
        """What ``--set`` has to say, by name, for these positions; nothing for the defaults."""
        turned = {dial.name: positions[dial.name] for dial in self.dials if positions[dial.name] != dial.default}
        values, found = self.training.model_dump(), dict[str, Any]()
        for name, factor in turned.items():
            if name == "rate":
                found |= {one: float(f"{values[one] * factor:.3g}") for one in RATES if one in values}
            elif name == "epochs":
                found |= {one: max(1, round(values[one] * factor)) for one in _lengths(values)}
            elif name == "augmentation":
                found |= _augmented(values, factor)
            elif name == "resolution":
                found |= _differences(self.configs[1.0].model_dump(), self.configs[factor].model_dump())
        return found

    def cost(self, positions: Positions) -> float:
        """About how long these positions take beside the defaults: in proportion to px and epochs."""
        return positions.get("resolution", 1.0) * positions.get("epochs", 1.0)

    @property
    def mean_cost(self) -> float:
        """Of positions drawn at random."""
        means = {dial.name: sum(dial.values) / len(dial.values) for dial in self.dials if dial.values}
        return self.cost(means)


def _dials(values: Mapping[str, Any], resolutions: tuple[float, ...]) -> list[Dial]:
    found = []
    if len(resolutions) > 1:
        found.append(Dial("resolution", 1.0, resolutions))
    if any(name in values for name in RATES):
        found.append(Dial("rate", 1.0, between=(0.25, 4.0)))
    if "geometric" in values:  # a model that does not vary pictures unless told to
        found.append(Dial("augmentation", float(values["geometric"]), (0.0, 0.5, 1.0)))
    elif "augmentation" in values:
        found.append(Dial("augmentation", 1.0, (0.5, 1.0, 1.5)))
    if _lengths(values):
        found.append(Dial("epochs", 1.0, (0.5, 1.0, 2.0)))
    return found


def _lengths(values: Mapping[str, Any]) -> list[str]:
    """Settings that say how long a training takes."""
    return [name for name in values if name == "epochs" or name.endswith(("_steps", "_epochs"))]


def _augmented(values: Mapping[str, Any], factor: float) -> dict[str, Any]:
    strengths = {f"augmentation.{name}": values["augmentation"][name] for name in STRENGTHS}
    strengths |= {name: values[name] for name in ("bend", "paste") if name in values}
    if "geometric" in values:
        if factor == 0:
            return {"geometric": False}
        strengths = {name: value for name, value in strengths.items() if name.endswith(("rotation", "scale", "shift"))}
    turned = {name: float(f"{value * factor:.3g}") for name, value in strengths.items()}
    for name in turned:
        if name.endswith(SHARES):
            turned[name] = min(1.0, turned[name])
    return turned | ({"geometric": True} if "geometric" in values else {})


def _differences(usual: Mapping[str, Any], other: Mapping[str, Any], prefix: str = OF_MODEL) -> dict[str, Any]:
    """What differs in the config of a model, by dotted name."""
    found: dict[str, Any] = {}
    for name, value in other.items():
        if isinstance(value, dict):
            found |= _differences(usual[name], value, f"{prefix}{name}.")
        elif value != usual[name]:
            found[prefix + name] = list(value) if isinstance(value, tuple) else "null" if value is None else value
    return found
