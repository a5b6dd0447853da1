"""A model as one .safetensors file: weights and a JSON header. Never pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError

from pronotum import __version__
from pronotum.errors import UserError
from pronotum.files import replacing
from pronotum.landmarks import Scheme
from pronotum.models import architecture

FORMAT = "pronotum-model"
FORMAT_VERSION = 1
MAX_HEADER = 10_000_000


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
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.network.state_dict().items()}
    with replacing(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, {FORMAT: json.dumps(header)})


def load(path: Path, device: torch.device | None = None) -> StoredModel:
    """Read a model file.

    Raises:
        UserError: no such file, not a model file of ours, a newer format, or weights that do not fit the header.
    """
    if not path.is_file():
        raise UserError(path, found="no such model file", remedy="train one with: pronotum train DATA -o RUN")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[FORMAT])
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(
            path, found=f"not a pronotum model ({error})", expected="a file written by pronotum train"
        ) from None
    if header.get("format_version") != FORMAT_VERSION or header.get("architecture") not in architecture.table():
        raise UserError(
            path,
            found=f"model format {header.get('format_version')}, architecture {header.get('architecture')!r}",
            expected=f"format {FORMAT_VERSION}, one of {', '.join(architecture.table())}",
            remedy="install a newer pronotum",
        )
    kind = architecture.named(header["architecture"])
    try:
        network = kind.build(kind.read_config(header["config"]))
        network.load_state_dict(tensors)
        scheme = Scheme.from_plain(header["scheme"])
    except (ValidationError, RuntimeError, KeyError, TypeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(path, found=f"damaged model ({first})", remedy="copy or train it again") from None
    network.to(device or torch.device("cpu"), memory_format=torch.channels_last)
    return StoredModel(kind.name, network.eval(), scheme, header["card"])
