"""Architectures, found by name: a module of this package that has `ARCHITECTURES` adds to them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

import pronotum.models
from pronotum.errors import UserError, did_you_mean
from pronotum.landmarks import FloatArray
from pronotum.models.stage import Stage
from pronotum.pictures import Examples, to_frames
from pronotum.pictures import describe as describe_frames

MIN_SPECIMENS = 3
"""With fewer no network learns anything."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of pictures.

    Attributes:
        points: (B, K, 2) px of the picture; NaN = the model cannot place this landmark.
        confidence: (B, K) on [0, 1], NaN where it has none.
        remarks: (B,) why landmarks have no place, or whatever else is to be said of a picture; "" = nothing. Empty
            where there is nothing to say of any of them.
        spread: (B, K) px of the picture, how widely the probability is spread about the answer (standard deviation
            along one axis); None where the model has no such thing.
        frames: (B, 3, h, w) uint8, the pictures at the size ``config.frame`` (`pictures.to_frames`) where the model has
            looked at these; None where it has not made them.
    """

    points: Tensor
    confidence: Tensor
    remarks: tuple[str, ...] = ()
    spread: Tensor | None = None
    frames: Tensor | None = None


class Landmarker(Protocol):
    """What a trained network can do, whatever is inside. It is a `torch.nn.Module`.

    Attributes:
        config: all that is needed to rebuild it; has ``n_landmarks``; ``picture``, ``detail`` and ``frame``, the
            sizes (width, height) px of the pictures it wants; ``patch``, see `pictures.load`.
    """

    config: Any

    def answer(self, pictures: Tensor) -> Answer:
        """Landmarks of (B, 3, H, W) uint8 pictures of the size ``config.picture``."""
        ...


def describe(model: Landmarker, pictures: Tensor, said: Answer) -> FloatArray:
    """What pictures (B, 3, H, W) uint8 look like of which a model has said something: (B, D), `pictures.describe`."""
    config, frames = model.config, said.frames
    return describe_frames(to_frames(pictures, config.detail, config.frame) if frames is None else frames)


class Trainer(Protocol):
    """Knows how a network is trained on a set of examples."""

    def stages(self) -> list[Stage]:
        """What to train, in order; none where the network is ready after this call."""
        ...


@dataclass(frozen=True)
class Architecture:
    """One kind of network.

    Attributes:
        name: what a user calls it.
        configure: (number of landmarks, sizes of the photographs) -> config.
        read_config: plain values -> config; raises ValueError where they do not fit.
        build: config -> a `Landmarker` with fresh weights.
        trainer: (network, examples, settings, positions to learn from, positions to watch, device) -> trainer.
        presets: settings of a training by name.
        sizes: what a preset changes in the config, by the preset's name and then by dotted name.
        default: the preset taken when none is named.
        adapt: (config for the new photographs, config of an earlier network) -> config that can take over its weights.
        matched: (network, earlier network) -> the earlier one, with as many members of a committee as the first.
        fresh: beginnings of the names of weights that are never taken over from an earlier network.
        least: how few specimens it can be trained on.
        configure_posed: (number of landmarks, sizes of the photographs, sizes of specimens' boxes on them) -> config,
            for a model that finds specimens itself and wants each in an upright picture; None: it takes photographs as
            they are.
        choose: (config, (N, K, 2) landmarks) -> positions of the only specimens it needs to see, where it keeps a few
            as they are instead of learning from all; None where it learns from all.
        learns_shapes: whether configurations without photographs teach it something too (`Examples.shapes`).
        areas: how large the picture may be that it looks at first, px in all, the usual one first, where there is a
            choice: both ways to configure it then take one more argument, `area`.
    """

    name: str
    configure: Callable[..., BaseModel]
    read_config: Callable[[Any], BaseModel]
    build: Callable[[Any], Any]
    trainer: Callable[[Any, Examples, Any, Tensor, Tensor, torch.device], Trainer]
    presets: Mapping[str, BaseModel]
    default: str
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adapt: Callable[[Any, Any], BaseModel] = lambda new, earlier: new
    matched: Callable[[Any, Any], Any] = lambda network, earlier: earlier
    fresh: tuple[str, ...] = ()
    least: int = MIN_SPECIMENS
    configure_posed: Callable[..., BaseModel] | None = None
    choose: Callable[[Any, FloatArray], NDArray[np.intp]] | None = None
    learns_shapes: bool = False
    areas: tuple[int, ...] = ()

    def preset(self, name: str | None) -> BaseModel:
        """Settings by name; None takes the default.

        Raises:
            UserError: no such preset.
        """
        chosen = name or self.default
        if chosen not in self.presets:
            found = f"there is no preset '{chosen}' for --model {self.name}"
            raise UserError("--preset", found=found, remedy=did_you_mean(chosen, self.presets))
        return self.presets[chosen]


def take_over(kind: Architecture, network: Any, earlier: Any) -> list[str]:
    """Start a network from the weights of an earlier one of the same architecture.

    Weights of another shape, such as the output layer of another scheme, stay fresh; so do those the architecture
    never takes over.

    Returns:
        names of the weights that stayed fresh.
    """
    own, other = network.state_dict(), kind.matched(network, earlier).state_dict()
    kept = {
        name: value
        for name, value in other.items()
        if name in own and own[name].shape == value.shape and not name.startswith(kind.fresh)
    }
    network.load_state_dict({**own, **kept})
    return [name for name in own if name not in kept]


def table() -> Mapping[str, Architecture]:
    """All architectures by name."""
    return {**_own(), **_added}


_added: dict[str, Architecture] = {}


@cache
def _own() -> Mapping[str, Architecture]:
    """Those of this package."""
    names = [item.name for item in pkgutil.iter_modules(pronotum.models.__path__)]
    modules = [importlib.import_module(f"pronotum.models.{name}") for name in names if name != "architecture"]
    return {found.name: found for module in modules for found in getattr(module, "ARCHITECTURES", ())}


def add(kind: Architecture) -> None:
    """Let this process know an architecture that is no module of this package: a file of your own, a notebook.

    Files of its models can be opened after this call only.

    Raises:
        UserError: another one has this name.
    """
    if table().get(kind.name, kind) is not kind:
        raise UserError(kind.name, found="there is a model of this name", remedy="choose another one")
    _added[kind.name] = kind


def named(name: str, where: object = "--model") -> Architecture:
    """The architecture of this name.

    Raises:
        UserError: there is none.
    """
    if name not in table():
        raise UserError(where, found=f"there is no model '{name}'", remedy=did_you_mean(name, table()))
    return table()[name]
