"""The table in which DeepLabCut and Lightning Pose keep landmarks, whatever kind of file holds it.

A row is a photograph, a column one coordinate of one landmark; where several animals may be on a photograph there are
such columns for each of them. Frame: px of the photograph, origin top-left, y down, and a whole number is the centre
of a pixel: DeepLabCut labels in napari, formerly in matplotlib, which draw so. Numbers stay as they are, both ways.

DeepLabCut keeps a file beside the photographs it is about and names them ``labeled-data``, folder, file, relative to
its project. A photograph in the file's own folder is called by its file name alone here; any other keeps its path.

Source: DeepLabCut 3.0.2, `generate_training_dataset` and `utils.conversioncode`; Lightning Pose 2.4, `utils.io`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum.errors import UserError
from pronotum.landmarks import FloatArray, Landmarks, Scheme

PROJECT_FOLDER = "labeled-data"
FILE_PREFIX = "CollectedData_"
"""DeepLabCut calls its files by this and the scorer, and leaves out those of other scorers."""

BESIDE = frozenset({"likelihood", "visible"})
"""Columns that say something about a landmark and are no coordinates; they are not kept."""

Column = tuple[str, str, str]
"""Individual ("" in a file without individuals), landmark, and x, y or one of `BESIDE`."""


@dataclass(frozen=True, eq=False)
class Table:
    """A file as these programs see it.

    Attributes:
        photographs: (N,) names, each in the parts in which the file has them.
        columns: (C,)
        values: (N, C) float64 px, NaN = missing.
        scorer: who placed the landmarks.
        where: what messages call a row.
    """

    photographs: tuple[tuple[str, ...], ...]
    columns: tuple[Column, ...]
    values: FloatArray
    scorer: str
    where: Callable[[int], str]


def specimens(table: Table, path: Path) -> tuple[Landmarks, ...]:
    """The specimens of a table, by photograph and then in the order of the individuals.

    A file with individuals has a place for each of them on every photograph; an individual without a single landmark
    is not on it. Without individuals every row is a specimen, also one whose landmarks are all missing. Names that are
    only "1", "2", ... are left out.

    Raises:
        UserError: a landmark without exactly one x and one y, no landmark at all, a photograph twice, a landmark with
            one coordinate only, an infinite one.
    """
    if not table.photographs:
        raise UserError(path, found="no photographs", expected="a row for each, below the names of the landmarks")
    places = _places(table.columns, path)
    found = tuple(_specimens(table, places, path))
    if not found:
        raise UserError(path, found="no landmarks on any photograph", remedy="name a file in which some are placed")
    return found


def _places(columns: Sequence[Column], path: Path) -> dict[str, dict[str, list[int]]]:
    """Columns of x and y of each landmark of each individual."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for number, (individual, landmark, coordinate) in enumerate(columns):
        if not landmark:
            raise UserError(path, found=f"no name of a landmark above column {number + 1}", remedy="name it")
        of = found.setdefault(individual, {}).setdefault(landmark, {})
        if coordinate in of or coordinate not in {"x", "y"} | BESIDE:
            called = f"{landmark} {coordinate}".strip()
            complaint = "twice" if coordinate in of else "among the columns"
            expected = "the columns x and y of each landmark, once"
            raise UserError(path, found=f"'{called[:60]}' {complaint}", expected=expected, remedy="remove the column")
        of[coordinate] = number
    for landmarks in found.values():
        for landmark, of in landmarks.items():
            if not {"x", "y"} <= of.keys():
                found_only = f"no {'y' if 'x' in of else 'x'} of landmark '{landmark[:60]}'"
                raise UserError(path, found=found_only, remedy="add the column")
    if not found:
        raise UserError(path, found="no columns", expected="the columns x and y of each landmark")
    return {
        individual: {landmark: [of["x"], of["y"]] for landmark, of in landmarks.items()}
        for individual, landmarks in found.items()
    }


def _specimens(table: Table, places: dict[str, dict[str, list[int]]], path: Path) -> Iterator[Landmarks]:
    seen: dict[str, int] = {}
    for row, parts in enumerate(table.photographs):
        where = table.where(row)
        if not all(parts):
            raise UserError(where, found="no name of a photograph", remedy="write its name, or remove the row")
        image = _image(parts, path)
        if image in seen:
            found = f"photograph {image} again, as in {table.where(seen[image])}"
            raise UserError(where, found=found, remedy="remove one of the rows")
        seen[image] = row
        for individual, landmarks in places.items():
            points = np.array([table.values[row, pair] for pair in landmarks.values()])
            _check_points(points, tuple(landmarks), where)
            names = () if tuple(landmarks) == Scheme.numbered(len(landmarks)).names else tuple(landmarks)
            if not individual or not np.isnan(points).all():
                yield Landmarks(points, image, individual, names=names)


def _check_points(points: FloatArray, names: Sequence[str], where: str) -> None:
    half = np.flatnonzero(np.isnan(points).sum(1) == 1)
    if half.size:
        found = f"landmark '{names[half[0]][:60]}' is missing in one coordinate only"
        raise UserError(where, found=found, expected="x and y, or neither", remedy="add the other one, or remove both")
    if np.isinf(points).any():
        raise UserError(where, found="an infinite coordinate", remedy="correct it, or remove it if it is missing")


def _image(parts: tuple[str, ...], path: Path) -> str:
    name = "/".join(parts)
    *folders, file = re.split(r"[/\\]", name)
    return file if folders == [PROJECT_FOLDER, path.absolute().parent.name] else name


def tabulate(found: Sequence[Landmarks], path: Path) -> Table:
    """The table of specimens; `specimens` gives them back.

    Where a photograph has several, their IDs become individuals, and the file has places for all IDs on every
    photograph. Where none has, there are no individuals, and IDs are not held.

    Args:
        found: the specimens.
        path: the file to be; a photograph that is in no folder of ``labeled-data`` is said to be in the file's own.
            The scorer is what follows ``CollectedData_`` in its name, else "pronotum".

    Raises:
        UserError: no specimens, one without photograph, two photographs of the same file name, specimens whose
            landmarks have different names, names that a file cannot hold, several specimens of a photograph without
            different IDs or with one of whose landmarks none is present, an infinite coordinate.
    """
    if not found:
        raise UserError(path, found="no specimens", expected="at least one")
    for one in found:
        _check(one)
    rows = _rows(found, path)
    several = len(set(rows)) < len(rows)
    individuals = [_individual(one) if several else "" for one in found]
    schemes = _schemes(found, individuals)
    columns = tuple((who, name, axis) for who, names in schemes.items() for name in names for axis in "xy")
    starts = {who: number for number, (who, _, _) in reversed(list(enumerate(columns)))}
    places = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    values = np.full((len(places), len(columns)), np.nan)
    filled: set[tuple[tuple[str, ...], str]] = set()
    for one, row, who in zip(found, rows, individuals, strict=True):
        if (row, who) in filled:
            raise UserError(one.name, found="the same photograph and ID again", remedy="give each its own ID")
        filled.add((row, who))
        values[places[row], starts[who] : starts[who] + one.points.size] = one.points.ravel()
    scorer = path.stem.removeprefix(FILE_PREFIX) if path.stem.startswith(FILE_PREFIX) else ""
    return Table(tuple(places), columns, values, scorer or "pronotum", lambda row: f"{path}: row {row + 1}")


def _rows(found: Sequence[Landmarks], path: Path) -> list[tuple[str, ...]]:
    """The photograph of each specimen as the file names it."""
    rows: dict[tuple[str, ...], str] = {}
    for one in found:
        parts = _parts(one.image, path)
        if rows.setdefault(parts, one.image) != one.image:
            raise UserError(
                path,
                found=f"the photographs {rows[parts]} and {one.image}, which would both be {'/'.join(parts)}",
                expected="different file names, as DeepLabCut wants the photographs of a file in one folder",
                remedy="rename one of them",
            )
    return [_parts(one.image, path) for one in found]


def _schemes(found: Sequence[Landmarks], individuals: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of the landmarks of each individual."""
    schemes: dict[str, tuple[str, ...]] = {}
    for one, who in zip(found, individuals, strict=True):
        names = one.names or Scheme.numbered(one.n_landmarks).names
        if schemes.setdefault(who, names) != names:
            raise UserError(
                one.name,
                found=f"landmarks {_shown(names)}",
                expected=f"{_shown(schemes[who])} as before: a column stands for the same landmark in all rows",
                remedy="write these specimens to another file",
            )
    return schemes


def _shown(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 60 else f"{text[:57]}... ({len(names)})"


def _parts(image: str, path: Path) -> tuple[str, ...]:
    parts = tuple(re.split(r"[/\\]", image))
    if len(parts) == 3 and parts[0] == PROJECT_FOLDER and all(parts):
        return parts
    return PROJECT_FOLDER, path.absolute().parent.name or "photographs", parts[-1]


def _individual(one: Landmarks) -> str:
    if not one.id:
        expected = "an ID of each, because a photograph has several specimens"
        raise UserError(one.name, found="no ID", expected=expected, remedy="give it one")
    if not one.present.any():
        expected = (
            "at least one, because a photograph has several specimens: DeepLabCut would say that this is not there"
        )
        raise UserError(one.name, found="no landmarks", expected=expected, remedy="leave the specimen out")
    return one.id


def _check(one: Landmarks) -> None:
    """Refuse what would not read back."""
    if not one.image.strip() or re.split(r"[/\\]", one.image)[-1] == "":
        raise UserError(one.name, found="no name of a photograph", remedy="name the photograph of each specimen")
    if not one.n_landmarks:
        raise UserError(one.name, found="no landmarks", expected="at least one")
    if np.isinf(one.points).any():
        raise UserError(one.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    if len(set(one.names)) != len(one.names):
        raise UserError(one.name, found="two landmarks of the same name", remedy="give each its own name")
    for text in (one.image, one.id, *one.names):
        if text != text.strip() or any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in text):
            found = f"a name that does not fit in a table: {text[:60]!r}"
            raise UserError(one.name, found=found, expected="no line breaks, nor blanks around it", remedy="rename it")
    if not all(one.names):
        raise UserError(one.name, found="a landmark without name", expected="a name for each, or for none")
