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

Sizes = Mapping[str, tuple[int, int]] | Callable[[str], tuple[int, int] | None] | None
"""How to find width and height in px (after EXIF) of the photograph a specimen names; see `size_of`."""


@dataclass(frozen=True)
class Format:
    """One kind of landmark file.

    Attributes:
        name: what a user calls it on the command line.
        suffixes: lower-case file suffixes, with the dot; the first is the one to write.
        read: (path, sizes) -> specimens, in file order. Raises UserError with ``file:line``.
        write: (path, specimens, sizes); replaces the file in one step. None: the format cannot be written.
        keeps: what of a specimen it can hold beside coordinates and missing landmarks: "image", "id", "scale", "names"
            (of the landmarks), "curves"; "label" = one name a specimen, its photograph's or its ID.
        precision: px within which coordinates read back.
        upward: whether it is written with y counted from the bottom edge. Where a photograph's height is not known,
            numbers can go from one of these formats to another, and to no other.
        file_name: where a file holds one specimen, what to call that of a specimen, without suffix; several are a
            folder of files. None: a file holds any number.
        recognises: where files of other kinds have the suffix too, tells by a look into a file whether it is of this
            one; never raises. None: the suffix says enough.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Sizes], tuple[Landmarks, ...]]
    write: Callable[[Path, Sequence[Landmarks], Sizes], None] | None
    keeps: frozenset[str] = frozenset({"image", "id"})
    precision: float = 1e-5
    upward: bool = False
    file_name: Callable[[Landmarks], str] | None = None
    recognises: Callable[[Path], bool] | None = None

    def fits(self, path: Path) -> bool:
        """Whether a file is of this format, by its suffix and, where that is not enough, by its content."""
        return bool(self.suffix(path)) and (self.recognises is None or self.recognises(path))

    def suffix(self, path: Path) -> str:
        """The longest of the suffixes that the name ends in; "" = none."""
        return max((suffix for suffix in self.suffixes if path.name.lower().endswith(suffix)), key=len, default="")


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
    """The format a file's suffix tells, in either case; where several have it, a look into the file.

    Raises:
        UserError: no format has this suffix, or several have it and the file, if there is one, does not tell which.
    """
    suffix = max((found.suffix(path) for found in table().values()), key=len)
    fitting = [found for found in table().values() if suffix and found.suffix(path) == suffix]
    if len(fitting) > 1 and path.exists():
        told = [found for found in fitting if found.recognises is not None and found.recognises(path)]
        fitting = told if len(told) == 1 else fitting
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(
            path,
            found=f"unknown kind of landmark file '{path.suffix}'" if path.suffix else "a name without suffix",
            expected=f"one ending in {', '.join(suffixes())}",
            remedy="rename it, or name its format",
        )
    listed = ", ".join(found.name for found in fitting)
    raise UserError(path, found=f"several formats end in {suffix}", remedy=f"name the one you mean: {listed}")


def load(path: Path, sizes: Sizes = None, *, name: str | None = None) -> tuple[Landmarks, ...]:
    """Read the specimens of a landmark file.

    Args:
        path: landmark file.
        sizes: sizes of the photographs in px; see `size_of`.
        name: name of the format, where the suffix does not tell.

    Raises:
        UserError: unknown format, or a broken file; says ``file:line`` and what to do.
    """
    return (named(name) if name else of(path)).read(path, sizes)


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None, *, name: str | None = None) -> None:
    """Write specimens to a landmark file, in one step; or to a folder of files, see `one_each.places`.

    Args:
        path: landmark file or folder; files are replaced where they exist.
        specimens: what to write, in this order.
        sizes: sizes of the photographs in px; see `size_of`.
        name: name of the format, where the suffix does not tell.

    Raises:
        UserError: unknown format, one that cannot be written, or something the format cannot hold.
    """
    chosen = named(name) if name else of(path)
    if chosen.write is None:
        writable = ", ".join(found.name for found in table().values() if found.write)
        raise UserError(path, found=f"{chosen.name} can only be read", expected=f"one of: {writable}")
    if chosen.file_name is None or chosen.suffix(path):
        chosen.write(path, specimens, sizes)
    else:
        from pronotum.formats import one_each

        one_each.save(chosen, path, specimens, sizes)


def size_of(image: str, identity: str, sizes: Sizes) -> tuple[int, int] | None:
    """Width and height in px of the photograph a specimen names; None where they are not known.

    Args:
        image: the photograph as the landmark file writes it.
        identity: the specimen's ID, which names the photograph where `image` is empty.
        sizes: a function of that name, or a mapping by that name or by it without its folders.
    """
    name = image or identity
    if sizes is None or not name:
        return None
    if callable(sizes):
        return sizes(name)
    return sizes.get(name, sizes.get(PureWindowsPath(name).name))


def height_of(image: str, identity: str, sizes: Sizes) -> int | None:
    """Height alone; see `size_of`."""
    size = size_of(image, identity, sizes)
    return None if size is None else size[1]
