"""Settings of a training and sizes of a model: those of a preset, with what a user has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pronotum import preparation
from pronotum.data import Dataset
from pronotum.errors import UserError, counted, did_you_mean
from pronotum.models import architecture

OF_MODEL = "model."
MIRROR = "augmentation.mirror"


def resolve(
    kind: architecture.Architecture, data: Dataset, overrides: Mapping[str, Any], preset: str | None
) -> tuple[Any, Any]:
    """Settings of a training and config of a model, both with what was overridden.

    Args:
        kind: of the model.
        data: what it is trained on.
        overrides: settings by dotted name; those of the model begin with ``model.``.
        preset: name; None = the default of the model.

    Raises:
        UserError: no such preset or setting, or a value that it cannot have.
    """
    of_model = {name.removeprefix(OF_MODEL): v for name, v in overrides.items() if name.startswith(OF_MODEL)}
    of_training = {name: value for name, value in overrides.items() if not name.startswith(OF_MODEL)}
    config = preparation.configure(kind, data)
    settings = kind.preset(preset)
    for name in of_training:
        if name in type(config).model_fields and name not in type(settings).model_fields:
            raise UserError(f"--set {name}", found="a setting of the model", remedy=f"write --set {OF_MODEL}{name}=...")
    if MIRROR in of_training and not data.scheme.mirror:
        raise UserError(
            f"--set {MIRROR}",
            found="nothing says which landmarks change places in a mirror",
            expected="mirror = true in the scheme, with every landmark in pairs or midline",
            remedy="see docs/scheme.md",
        )
    chosen = override(config, {**kind.sizes.get(preset or kind.default, {}), **of_model}, OF_MODEL)
    if chosen.n_landmarks != data.scheme.n_landmarks:
        found = f"{counted(chosen.n_landmarks, 'landmark')}, and specimens with {data.scheme.n_landmarks}"
        raise UserError(f"--set {OF_MODEL}n_landmarks", found=found, remedy="leave it out")
    return override(settings, of_training), chosen


def override(settings: BaseModel, changes: Mapping[str, Any], prefix: str = "") -> Any:
    """Settings with some changed by dotted name, e.g. ``{"augmentation.rotation": "180"}``.

    Args:
        settings: as they are.
        changes: new values; lists are written as JSON, e.g. ``"[128, 96]"``.
        prefix: what a user writes before the names.

    Raises:
        UserError: no such setting, or a value that it cannot have.
    """
    values = settings.model_dump()
    for name, value in changes.items():
        place, known = values, name
        *outer, last = name.split(".")
        for part in outer:
            place = place.get(part, {})
        if last not in place or isinstance(place[last], dict):
            remedy = did_you_mean(last, place or values)
            raise UserError(f"--set {prefix}{known}", found="no such setting", remedy=remedy)
        place[last] = _from_json(value)
    try:
        return type(settings).model_validate(values)
    except ValueError as error:
        first = str(error).splitlines()
        raise UserError("--set", found=" ".join(line.strip() for line in first[1:3])) from None


def _from_json(value: Any) -> Any:
    """A list, an object or nothing (null) written as text; anything else as it is."""
    if not isinstance(value, str) or not (value.startswith(("[", "{")) or value == "null"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
