"""Tensors with a few words about them, as one .safetensors file with a checksum. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pronotum.files import write_bytes

CHECKSUM = "sha256"
MAX_HEADER = 50_000_000
"""Bytes of what a file says of itself; beyond it is none of ours."""


class Damaged(Exception):
    """A file that is not what was written."""


def save(path: Path, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
    """Write a file in one step.

    Raises:
        OSError: the disk does not take it; nothing is changed then.
    """
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    # Not save_file, which makes a temporary file of its own that a kill leaves behind and nobody knows.
    write_bytes(path, safetensors.torch.save(own, {**said, CHECKSUM: _checksum(own, said)}))


def load(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What is said in a file, and its tensors.

    Raises:
        Damaged: no such file, another one, or not as it was written. Nothing in it is executed.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:  # once: it may be replaced by a newer one meanwhile
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise Damaged(f"a header of {length} bytes")
        file.seek(0)
        content = file.read()
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
        said = dict(json.loads(content[8 : 8 + length]).get("__metadata__", {}))
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError, RecursionError) as error:
        raise Damaged(str(error)) from None
    written = said.pop(CHECKSUM, None)
    if written is None:
        raise Damaged("it has no checksum")
    if written != _checksum(tensors, said):
        raise Damaged("its checksum is another: it was changed or damaged after it was written")
    return said, tensors


def _checksum(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
    """SHA-256 over all that is said, and names, kinds, shapes and bytes of the tensors."""
    total = hashlib.sha256()
    for name, text in sorted(said.items()):
        total.update(f"{len(name)} {name} {len(text)} {text}\n".encode())
    for name, value in sorted(tensors.items()):
        total.update(f"{len(name)} {name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
