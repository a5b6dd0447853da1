"""A model as one .safetensors file: weights and a JSON header. Never pickle."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from pronotum import __version__
from pronotum.errors import UserError
from pronotum.landmarks import Scheme
from pronotum.models import architecture, weights

FORMAT = "pronotum-model"
FORMAT_VERSION = 1
MAX_CONFIG = 10_000
MAX_PICTURE = 2**28
"""Px of the pictures a network may ask for: several times those of the largest cameras."""


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A trained model with what must be known to use and to judge it.

    Attributes:
        architecture: its name.
        network: ready to predict; a `Landmarker`.
        scheme: the landmarks it places.
        card: plain values about its making: version, seed, number and digest of training specimens, their mean
            shape, the preset; whatever a person asks of a model they were sent.
    """

    architecture: str
    network: Any
    scheme: Scheme
    card: dict[str, Any] = field(default_factory=dict)


def save(path: Path, model: StoredModel) -> None:
    """Write a model file in one step."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "pronotum": __version__,
        "architecture": model.architecture,
        "config": model.network.config.model_dump(mode="json"),
        "scheme": model.scheme.as_plain(),
        "card": model.card,
    }
    weights.save(path, model.network.state_dict(), {FORMAT: json.dumps(header)})


def load(path: Path, device: torch.device | None = None) -> StoredModel:
    """Read a model file.

    Raises:
        UserError: no such file, not a model file of ours, a newer format, or weights that do not fit the header. A file
            is data, whoever made it: nothing in it is executed, and no more memory is taken than its weights need.
    """
    if not path.is_file():
        raise UserError(path, found="no such model file", remedy="train one with: pronotum train DATA -o RUN")
    header, tensors = _read(path)
    name = header.get("architecture")
    if header.get("format_version") != FORMAT_VERSION or name not in list(architecture.table()):
        raise UserError(
            path,
            found=f"model format {header.get('format_version')}, architecture {name!r}",
            expected=f"format {FORMAT_VERSION}, one of {', '.join(architecture.table())}",
            remedy="install a newer pronotum",
        )
    kind = architecture.named(name)
    try:
        config = kind.read_config(_plain(header, "config"))
        _require_shapes(kind, config, tensors)
        network = kind.build(config)
        network.load_state_dict(tensors)
        scheme, card = Scheme.from_plain(_plain(header, "scheme")), _plain(header, "card")
        if scheme.n_landmarks != network.config.n_landmarks:
            raise ValueError(f"{scheme.n_landmarks} names for {network.config.n_landmarks} landmarks")
    except (ValidationError, RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
        first = str(error).splitlines()[0]
        raise UserError(path, found=f"damaged model ({first})", remedy="copy or train it again") from None
    network.to(device or torch.device("cpu"), memory_format=torch.channels_last)
    return StoredModel(kind.name, network.eval(), scheme, card)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header and weights of a file that anyone may have made."""
    expected = "a file written by pronotum train or pronotum export"
    try:
        said, tensors = weights.load(path)
        header = json.loads(said[FORMAT])
    except (weights.Damaged, KeyError, ValueError, OSError, RecursionError) as error:
        raise UserError(path, found=f"not a pronotum model ({error})", expected=expected) from None
    if not isinstance(header, dict):
        raise UserError(path, found=f"not a pronotum model (a header that is a {type(header).__name__})")
    return header, tensors


def _plain(header: dict[str, Any], part: str) -> dict[str, Any]:
    value = header[part]
    if not isinstance(value, dict):
        raise TypeError(f"{part} is a {type(value).__name__}")
    return value


def _require_shapes(kind: architecture.Architecture, config: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Compare the weights with what the config asks for, before anything of the size it asks for is made.

    Raises:
        ValueError: they do not fit, or the config asks for what no network has.
    """
    if len(config.model_dump_json()) > MAX_CONFIG or math.prod(config.picture) > MAX_PICTURE:
        raise ValueError("a config that asks for too much")
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in kind.build(config).state_dict().items()}
    wrong = [name for name, shape in wanted.items() if name not in tensors or tensors[name].shape != shape]
    wrong += [name for name in tensors if name not in wanted]
    if wrong:
        raise ValueError(f"weights that do not fit the config: {', '.join(wrong[:3])}")
