"""HDF5 files of other programs, read without trust: plain arrays and texts, and nothing is ever unpickled.

PyTables unpickles whatever attribute looks like a pickle, and pandas keeps columns of objects as pickles, so that
either may run a stranger's code. h5py does not know of pickles: such an attribute is a text to it. But the library
under it is written in C and not made for broken files: a changed byte can crash the process or keep it busy for ever.
So a child process reads the file (`hdf5_child`) and hands over what was asked for; when it dies or takes too long, the
file is broken, and that is all.

h5py is optional: ``pip install h5py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import mmap
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
PATIENCE = 60.0
"""Seconds within which a file is read. Predictions on an hour of video take a few."""

CHILD = Path(__file__).with_name("hdf5_child.py")


@dataclass(frozen=True, eq=False)
class Contents:
    """What was asked for of a file. Names are paths in it: ``group/array``.

    Attributes:
        path: of the file.
        attributes: texts and numbers by group or array.
        arrays: their texts are bytes.
        objects: arrays of which numpy would make Python objects; to PyTables they are pickles.
    """

    path: Path
    attributes: Mapping[str, Mapping[str, str | int | float]]
    arrays: Mapping[str, NDArray[Any]]
    objects: frozenset[str]

    def where(self, name: str) -> str:
        """A place in the file as messages call it."""
        return f"{self.path}: {name}"

    def attribute(self, name: str, key: str) -> str | int | float | None:
        """An attribute of a group or array; None = there is none, or it is neither text nor number."""
        return self.attributes.get(name, {}).get(key)


def library(path: Path) -> Any:
    """h5py, for writing.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise UserError(path, found="h5py, which HDF5 files need, is missing", remedy="pip install h5py")
    return importlib.import_module("h5py")


def mentions(path: Path, word: bytes) -> bool:
    """Whether a file starts like HDF5 and has a word somewhere, such as the name of an attribute; never raises."""
    try:
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(word) >= 0
    except (OSError, ValueError):
        return False


def read(path: Path, wanted: str) -> Contents:
    """Read groups and arrays, without following links out of the file.

    Args:
        path: HDF5 file.
        wanted: regular expression of their names.

    Raises:
        UserError: h5py is missing, the file cannot be opened, is no HDF5 file, is broken, keeps data in another file,
            or has more than a quarter of a gigabyte of what is wanted.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if start != SIGNATURE:
        raise UserError(path, found="no HDF5 file", remedy="name another, or the format that it is")
    library(path)
    command = [sys.executable, "-P", str(CHILD), str(path.absolute()), wanted]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        problem = (said or [f"reading it ended with {done.returncode}"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"reading it takes more than {PATIENCE:g} s"
    if problem:
        found = f"broken ({problem[:100]})"
        raise UserError(path, found=found, remedy="copy it again from where it was made")
    return _contents(path, done.stdout)


def _contents(path: Path, said: bytes) -> Contents:
    """What the child says; it has read a stranger's file, and is not trusted either."""
    try:
        with np.load(io.BytesIO(said), allow_pickle=False) as handed:
            told = json.loads(handed["told"].tobytes())
            arrays = {name: handed[str(number)] for number, name in enumerate(told["arrays"])}
        return Contents(path, told["attributes"], arrays, frozenset(told["objects"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        remedy = "copy it again from where it was made"
        raise UserError(path, found="broken (reading it gave nothing)", remedy=remedy) from None
