"""The process that opens HDF5 files for `hdf5`: ``python hdf5_child.py FILE WANTED`` writes NPZ to its output.

It runs by itself, without the package, and may crash.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2**28
"""Of all arrays. A compressed file of a few kilobytes can ask for all memory there is."""

DEEPEST, MOST_NODES = 8, 100_000
"""Groups in groups, and groups and arrays altogether; links can go round in a circle."""


def nodes(group: Any, hard: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Groups and arrays with their names, found by links that stay in the file."""
    for name in group:
        if isinstance(group.get(name, getlink=True), hard):
            node = group[name]
            yield prefix + name, node
            if hasattr(node, "keys") and prefix.count("/") < DEEPEST:
                yield from nodes(node, hard, f"{prefix}{name}/")


def plain(value: Any) -> str | int | float | None:
    """An attribute as a text or number; None = it is neither. Pickles are texts, too."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray) and value.dtype.kind in "Su":
        value = value.tobytes()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, (str, int, float)) else None


def attributes(node: Any) -> dict[str, str | int | float]:
    """Those of a group or array that are texts or numbers."""
    found = {key: plain(node.attrs[key]) for key in node.attrs}
    return {key: value for key, value in found.items() if value is not None}


def array(node: Any, name: str, room: int) -> NDArray[Any] | None:
    """An array; None = it would be one of Python objects."""
    if node.external or node.is_virtual:
        raise SystemExit(f"{name} lies in another file")
    if node.nbytes > room:
        raise SystemExit(f"{name} has {node.nbytes} bytes, which with the others are more than {MOST_BYTES}")
    found = np.asarray(node[()])
    if found.dtype.hasobject and all(isinstance(one, (bytes, str)) for one in found.ravel().tolist()):
        texts = [one.encode("utf-8") if isinstance(one, str) else one for one in found.ravel().tolist()]
        found = np.array(texts, dtype=np.bytes_).reshape(found.shape)
    return None if found.dtype.hasobject else found.view(bare(found.dtype))


def bare(kind: np.dtype[Any]) -> np.dtype[Any]:
    """Without h5py's notes on its texts: with them, numpy 1.26 writes tables that it cannot read."""
    if kind.subdtype is not None:
        return np.dtype((bare(kind.subdtype[0]), kind.subdtype[1]))
    if kind.names is None or kind.fields is None:
        return np.dtype(kind.str)
    columns = [kind.fields[name] for name in kind.names]
    formats, offsets = [bare(one[0]) for one in columns], [one[1] for one in columns]
    return np.dtype({"names": kind.names, "formats": formats, "offsets": offsets, "itemsize": kind.itemsize})


def main(path: str, wanted: str) -> bytes:
    """What is wanted of a file, as NPZ."""
    h5py = importlib.import_module("h5py")
    told: dict[str, Any] = {"attributes": {}, "arrays": [], "objects": []}
    arrays: list[NDArray[Any]] = []
    with h5py.File(path, "r", locking=False) as file:
        for number, (name, node) in enumerate(nodes(file, h5py.HardLink)):
            if number > MOST_NODES:
                raise SystemExit(f"more than {MOST_NODES} groups and arrays")
            if not re.fullmatch(wanted, name):
                continue
            told["attributes"][name] = attributes(node)
            if isinstance(node, h5py.Dataset) and node.shape is not None:
                found = array(node, name, MOST_BYTES - sum(one.nbytes for one in arrays))
                told["objects" if found is None else "arrays"].append(name)
                arrays += [] if found is None else [found]
    handed = io.BytesIO()
    text = np.frombuffer(json.dumps(told).encode("utf-8"), np.uint8)
    np.savez(handed, told=text, **{str(number): one for number, one in enumerate(arrays)})  # type: ignore[arg-type]
    return handed.getvalue()


if __name__ == "__main__":
    sys.stdout.buffer.write(main(*sys.argv[1:]))
