"""Two kinds of .pts files, each of one specimen: the photograph is the file's name, without its .jpg.

**ibug and menpo** (300-W and other sets of faces)::

    version: 1
    n_points: 2
    {
    1041.5 324
    1033 531
    }

Frame: px, y down, (1, 1) is the centre of the top-left pixel, as in Matlab, so 1 is taken off. Missing is NaN, as menpo
writes it. Some other data sets use the grammar with pixels counted from 0; nothing in a file says so.

**IDAV Landmark Editor** (and Morpho's write.pts)::

    Version 1.0
    2
    S000 1041.5 324.0 0.0
    S001 9999 9999 9999

with a name for each landmark and 9999 for a missing one. It is a program for 3D surfaces; here files are read that
have two coordinates or the same z everywhere. They know of no photograph, and 3D programs as well as R count y upwards:
they are taken as the numbers that a TPS file would have, y = H - y_file.

The first kind is written; it has no names for landmarks. Several specimens are several files.

Source: C. Sagonas et al., 300 Faces in-the-Wild Challenge; menpo 0.11.1, pts_importer; Morpho, read.pts and write.pts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, height_of, one_each
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.specimen_rows import cell
from pronotum.formats.tps_record import NOT_A_NUMBER, NUMBER
from pronotum.geometry import flip_y
from pronotum.landmarks import Landmarks

IDAV_MISSING = 9999.0
"""Every coordinate of a landmark that Landmark Editor calls missing."""

_MENPO = re.compile(r"version:\s*(\S{1,20})")
_IDAV = re.compile(r"Version\s+(\S{1,20})")
_Lines = list[tuple[int, str]]


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the specimen of a .pts file.

    Args:
        path: .pts file.
        sizes: size of the photograph in px after EXIF orientation; needed for files of Landmark Editor, else y' = -y.

    Returns:
        The only one: points (K, 2) in px, NaN = missing; names as Landmark Editor has them.

    Raises:
        UserError: neither kind, another version, another number of landmarks than announced, a line that is no
            landmark, 3D landmarks; says ``file:line``.
    """
    lines = _lines(path)
    line, first = lines[0]
    menpo, idav = _MENPO.fullmatch(first), _IDAV.fullmatch(first)
    if menpo and menpo[1] == "1":
        return (_menpo(path, lines[1:]),)
    if idav and idav[1] == "1.0":
        return (_idav(path, lines[1:], sizes),)
    expected = "version: 1, or Version 1.0 of Landmark Editor"
    raise UserError(f"{path}:{line}", found=f"'{first[:30]}'", expected=expected, remedy="name another file")


def _lines(path: Path) -> _Lines:
    """The lines that are not blank, and their numbers."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="a .pts text file")
    numbered = ((number, text.strip()) for number, text in enumerate(split_lines(decode(content)[0]), start=1))
    lines = [(number, text) for number, text in numbered if text]
    if not lines:
        raise UserError(path, found="nothing in it", expected="landmarks")
    return lines


def _menpo(path: Path, lines: _Lines) -> Landmarks:
    start = next((at for at, (_, text) in enumerate(lines) if text == "{"), len(lines))
    if start == len(lines) or lines[-1][1] != "}":
        found = "no {" if start == len(lines) else "no } at the end"
        raise UserError(path, found=found, expected="landmarks between { and }", remedy="save the file again")
    rows = lines[start + 1 : -1]
    counts = [(line, text.partition(":")[2].strip()) for line, text in lines[:start] if text.startswith("n_points")]
    _check_count(path, counts, len(rows))
    points = [_coordinates(f"{path}:{line}", text.split(), (2,)) for line, text in rows]
    return Landmarks(np.array(points).reshape(-1, 2) - 1, path.stem)


def _idav(path: Path, lines: _Lines, sizes: Sizes) -> Landmarks:
    rows = [(f"{path}:{line}", text.split()) for line, text in lines[1:]]
    _check_count(path, lines[:1], len(rows))
    names = tuple(words[0] for _, words in rows)
    found = [_coordinates(where, words[1:], (2, 3)) for where, words in rows]
    heights = {point[2] for point in found if len(point) == 3 and not math.isnan(point[2])}
    if len(heights) > 1:
        raise UserError(path, found="landmarks of a surface (z differs)", expected="two coordinates, or the same z")
    if len(set(names)) < len(names):
        raise UserError(path, found="two landmarks of the same name", expected="names that differ")
    points = np.array([point[:2] for point in found]).reshape(-1, 2)
    return Landmarks(flip_y(points, height_of(path.stem, "", sizes)), path.stem, names=names)


def _check_count(path: Path, announced: Sequence[tuple[int, str]], count: int) -> None:
    """Refuse a file that is not whole."""
    if len(announced) != 1 or announced[0][1] != str(count):
        where = f"{path}:{announced[-1][0]}" if announced else path
        found = (
            f"{counted(count, 'landmark')}, announced as {', '.join(text[:20] for _, text in announced) or 'nothing'}"
        )
        raise UserError(where, found=found, expected="their number", remedy="correct it, or add what is missing")


def _coordinates(where: str, words: Sequence[str], counts: Sequence[int]) -> list[float]:
    """Coordinates of a landmark; all NaN = missing."""
    if len(words) not in counts:
        expected = " or ".join(map(str, counts))
        raise UserError(where, found=f"{len(words)} coordinates", expected=expected, remedy="correct the line")
    values = [_number(where, word) for word in words]
    if len(set(map(math.isnan, values))) > 1:
        found = f"'{' '.join(words)[:40]}', missing in one coordinate only"
        raise UserError(where, found=found, expected="all coordinates, or none")
    return [math.nan] * len(values) if set(values) == {IDAV_MISSING} and max(counts) > 2 else values


def _number(where: str, word: str) -> float:
    if word.casefold() in NOT_A_NUMBER:
        return math.nan
    value = float(word) if NUMBER.fullmatch(word) else math.inf
    if math.isinf(value):
        raise UserError(where, found=f"'{word[:30]}'", expected="a number with a decimal point")
    return value


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a file as menpo does, to a millionth of a px, in one step; missing landmarks are nan.

    Args:
        path: .pts file, called as the photograph; replaced where it exists.
        specimens: the one to write, px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: none or several specimens, one without landmarks, an infinite coordinate.
    """
    specimen = one_each.only(path, specimens)
    if not specimen.n_landmarks:
        raise UserError(specimen.name, found="no landmarks", expected="at least one")
    if np.isinf(specimen.points).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    rows = [f"{cell(x, 'nan')} {cell(y, 'nan')}" for x, y in specimen.points + 1]
    files.write_text(path, "\n".join(("version: 1", f"n_points: {len(rows)}", "{", *rows, "}", "")))


def recognises(path: Path) -> bool:
    """Whether a file is of one of these kinds: it starts with a version."""
    try:
        with path.open("rb") as file:
            first = decode(file.read(100))[0].lstrip().partition("\n")[0].strip()
    except OSError:
        return False
    return bool(_MENPO.fullmatch(first) or _IDAV.fullmatch(first))


FORMAT = Format(
    "pts", (".pts",), load, save, keeps=frozenset({"image"}), file_name=one_each.stem, recognises=recognises
)
