"""Formats of which a file holds one specimen: several are a folder, its files called after photographs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from pronotum.errors import UserError
from pronotum.formats import Format, Sizes
from pronotum.landmarks import Landmarks

_REFUSED = re.compile(r'[\x00-\x1f<>:"/\\|?*\ud800-\udfff]|^\.|^$|[. ]$')
"""In names of files that not every system can have, or that are hidden."""


def photograph(specimen: Landmarks) -> str:
    """The name of a specimen's photograph without folders, or its ID where it has none."""
    return PureWindowsPath(specimen.image).name or specimen.id


def stem(specimen: Landmarks) -> str:
    """The same without ``.jpg``, as programs look for the file that belongs to a photograph."""
    return PureWindowsPath(specimen.image).stem or specimen.id


def only(path: Path, specimens: Sequence[Landmarks]) -> Landmarks:
    """The specimen that a file is to hold.

    Raises:
        UserError: none, or several.
    """
    if len(specimens) != 1:
        found, remedy = f"{len(specimens)} specimens", "name a folder instead, for a file each"
        raise UserError(path, found=found, expected="one, which is all that such a file holds", remedy=remedy)
    return specimens[0]


def places(kind: Format, path: Path, specimens: Sequence[Landmarks]) -> tuple[Path, ...]:
    """The files that specimens are written to: `path`, or one each in this folder.

    It is a folder where a file of the format holds one specimen and the name does not end as one of its files does.

    Raises:
        UserError: a specimen whose name no file can have, or several that would have the same file.
    """
    if kind.file_name is None or kind.suffix(path):
        return (path,)
    found: dict[str, Landmarks] = {}
    for specimen in specimens:
        name = kind.file_name(specimen)
        if _REFUSED.search(name):
            where = f"{path}, {specimen.name!a}"
            raise UserError(
                where, found=f"a file called {ascii(name)[:60]}", remedy="name its photograph, or rename it"
            )
        other = found.setdefault(name.casefold(), specimen)
        if other is not specimen:
            raise UserError(
                path,
                found=f"{other.name} and {specimen.name}, which would both be {name}{kind.suffixes[0]}",
                expected="a file for each specimen",
                remedy="choose a format that holds several specimens in a file",
            )
    return tuple(path / f"{kind.file_name(specimen)}{kind.suffixes[0]}" for specimen in specimens)


def save(kind: Format, folder: Path, specimens: Sequence[Landmarks], sizes: Sizes) -> None:
    """Write a file for each specimen into a folder, all of them or, where one cannot be written, none.

    Raises:
        UserError: no specimens, names that clash, or something the format cannot hold.
    """
    if not specimens:
        raise UserError(folder, found="no specimens", expected="at least one")
    wanted = places(kind, folder, specimens)
    assert kind.write is not None, "a format that can be written"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name[:40]}-part-", dir=folder.parent) as temporary:
        for place, specimen in zip(wanted, specimens, strict=True):
            kind.write(Path(temporary) / place.name, [specimen], sizes)
        folder.mkdir(exist_ok=True)
        for place in wanted:
            (Path(temporary) / place.name).replace(place)
