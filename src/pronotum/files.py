"""Folders as people link them, and files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PART = "-part-"
"""In the names of files that are being written."""


def walk(
    folder: str, *, key: Callable[[str], Any] | None = None, onerror: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, hidden ones left out, each with the names of what is in it, hidden ones left out.

    Links to folders are followed, each folder is visited once: a link to where it lies in makes no circle.

    Args:
        folder: where to begin.
        key: how to sort folders and names.
        onerror: what to do with a folder that cannot be listed; by default it counts as empty.
    """
    visited = set()
    for place, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=key)
        yield place, sorted((name for name in names if not name.startswith(".")), key=key)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary path in the same folder; when the block ends well, it takes the place of `path`.

    A reader sees the old file or the new one, never half of it. When the block fails nothing is changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}{PART}", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_all(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Lend temporary paths for several files that belong together; all take their places when the block ends well.

    The last one does so first, which is the place for the file that describes the others.
    """
    with ExitStack() as stack:
        yield tuple([stack.enter_context(replacing(path)) for path in paths])


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file in one step, line ends as given."""
    write_bytes(path, text.encode("utf-8"))


def sweep(folder: Path, stem: str = "*") -> None:
    """Remove what writers that were killed have left half written in a folder, of one file or of all."""
    for path in folder.glob(f".{stem}{PART}*"):
        path.unlink(missing_ok=True)
