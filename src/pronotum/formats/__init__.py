"""Landmark files: one module per format, found by suffix or name.

A module of this package that has a `FORMAT` is a format; adding one is adding one file. Nothing is imported
before the first question. All formats speak `Landmarks`; y up and y down, missing values and text encodings
are their business alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PureWindowsPath

from pronotum.errors import UserError, did_you_mean
from pronotum.landmarks import Landmarks

Heights = Mapping[str, int] | Callable[[str], int | None] | None
"""How to find the height in px (after EXIF) of the photograph a specimen names; see `height_of`."""


@dataclass(frozen=True)
class Format:
    """One kind of landmark file.

    Attributes:
        name: what a user calls it on the command line.
        suffixes: lower-case file suffixes, with the dot; the first is the one to write.
        read: (path, heights) -> specimens, in file order. Raises UserError with ``file:line``.
        write: (path, specimens, heights); replaces the file in one step.
        recognises: where files of other kinds have the suffix too, tells by a look into a file whether it is of this
            one; never raises. None: the suffix says enough.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Heights], tuple[Landmarks, ...]]
    write: Callable[[Path, Sequence[Landmarks], Heights], None]
    recognises: Callable[[Path], bool] | None = None

    def fits(self, path: Path) -> bool:
        """Whether a file is of this format, by its suffix and, where that is not enough, by its content."""
        return path.suffix.lower() in self.suffixes and (self.recognises is None or self.recognises(path))


@cache
def table() -> Mapping[str, Format]:
    """All formats by name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    formats = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {found.name: found for found in formats}


def names() -> tuple[str, ...]:
    """The names of all formats, sorted."""
    return tuple(sorted(table()))


def suffixes() -> tuple[str, ...]:
    """The suffixes of all formats, sorted."""
    return tuple(sorted({suffix for found in table().values() for suffix in found.suffixes}))


def named(name: str) -> Format:
    """The format of this name.

    Raises:
        UserError: there is none.
    """
    if name.lower() not in table():
        raise UserError("format", found=f"unknown format '{name}'", remedy=did_you_mean(name.lower(), table()))
    return table()[name.lower()]


def of(path: Path) -> Format:
    """The format a file's suffix tells, in either case.

    Raises:
        UserError: no format has this suffix, or several have it.
    """
    fitting = [found for found in table().values() if path.suffix.lower() in found.suffixes]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(
            path,
            found=f"unknown kind of landmark file '{path.suffix}'" if path.suffix else "a name without suffix",
            expected=f"one ending in {', '.join(suffixes())}",
            remedy="rename it, or name its format",
        )
    names = ", ".join(found.name for found in fitting)
    raise UserError(path, found=f"several formats end in {path.suffix}", remedy=f"name the one you mean: {names}")


def load(path: Path, heights: Heights = None, *, name: str | None = None) -> tuple[Landmarks, ...]:
    """Read the specimens of a landmark file.

    Args:
        path: landmark file.
        heights: heights of the photographs in px; see `height_of`.
        name: name of the format, where the suffix does not tell.

    Raises:
        UserError: unknown format, or a broken file; says ``file:line`` and what to do.
    """
    return (named(name) if name else of(path)).read(path, heights)


def save(path: Path, specimens: Sequence[Landmarks], heights: Heights = None, *, name: str | None = None) -> None:
    """Write specimens to a landmark file, in one step.

    Args:
        path: landmark file; replaced where it exists.
        specimens: what to write, in this order.
        heights: heights of the photographs in px; see `height_of`.
        name: name of the format, where the suffix does not tell.

    Raises:
        UserError: unknown format, or something the format cannot hold.
    """
    (named(name) if name else of(path)).write(path, specimens, heights)


def height_of(image: str, identity: str, heights: Heights) -> int | None:
    """Height in px of the photograph a specimen names; None where it is not known.

    Args:
        image: the photograph as the landmark file writes it.
        identity: the specimen's ID, which names the photograph where `image` is empty.
        heights: a function of that name, or a mapping by that name or by it without its folders.
    """
    name = image or identity
    if heights is None or not name:
        return None
    if callable(heights):
        return heights(name)
    return heights.get(name, heights.get(PureWindowsPath(name).name))
