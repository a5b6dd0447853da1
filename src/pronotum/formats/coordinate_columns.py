"""Which columns of a table are the x and y of which landmark, by their titles.

Titles in use: ``X1`` ``Y1`` (ml-morph from 0, others from 1; also ``x_1`` and ``X.1``) and ``1.X`` ``1.Y`` or
``apex_x`` ``apex_y`` (geomorph's two.d.array, SlicerMorph), in upper or lower case. They may stand in any order: tables
with all x before all y exist. ``V1`` ``V2`` ... are R's titles for a matrix without names: x and y in turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pronotum.errors import UserError

_BEFORE = re.compile(r"([xyz])[._ -]?([0-9]+)", re.IGNORECASE)
_BEHIND = re.compile(r"(.+)[._ -]([xyz])", re.IGNORECASE)
_VARIABLE = re.compile(r"V[0-9]+")
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class Columns:
    """Columns of coordinates.

    Attributes:
        places: (K, 2) indices of the columns of x and y.
        names: (K,) of the landmarks; empty where they are only numbered.
    """

    places: tuple[tuple[int, int], ...]
    names: tuple[str, ...]


def axis(title: str) -> tuple[str, str] | None:
    """Landmark and axis ("x", "y" or "z") that a title tells; None for other columns."""
    before, behind = _BEFORE.fullmatch(title), _BEHIND.fullmatch(title)
    if before:
        return before[2], before[1].lower()
    return (behind[1], behind[2].lower()) if behind else None


def find(titles: Sequence[str], where: str) -> Columns:
    """The columns of coordinates among all those of a table; none are found where none are.

    Raises:
        UserError: a landmark with one coordinate only or one of them twice, or landmarks in three dimensions.
    """
    places: dict[str, dict[str, int]] = {}
    for column, title in enumerate(titles):
        told = axis(title)
        if told is None:
            continue
        name, along = told
        if along == "z":
            raise UserError(
                where,
                found=f"a column {title}: landmarks in three dimensions",
                expected="landmarks on photographs, x and y",
                remedy="remove the columns of z if they mean nothing",
            )
        if along in places.setdefault(name, {}):
            found = f"two columns for {along} of landmark {name}"
            raise UserError(where, found=found, remedy="rename or remove one")
        places[name][along] = column
    for name, own in places.items():
        if len(own) < 2:
            found = f"landmark {name} with {next(iter(own))} but without {'y' if 'x' in own else 'x'}"
            raise UserError(where, found=found, expected="two columns for each landmark", remedy="add the other one")
    order, names = in_order(tuple(places))
    pairs = [(own["x"], own["y"]) for own in places.values()] or _variables(titles)
    order = order or list(range(len(pairs)))
    return Columns(tuple(pairs[index] for index in order), names)


def _variables(titles: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of the columns V1, V2, ..., where their number is even."""
    places = [column for column, title in enumerate(titles) if _VARIABLE.fullmatch(title)]
    in_turn = [titles[column] for column in places] == [f"V{number}" for number in range(1, len(places) + 1)]
    return list(zip(places[::2], places[1::2], strict=True)) if in_turn and len(places) % 2 == 0 else []


def in_turn(titles: Sequence[str], where: str) -> tuple[str, ...]:
    """Names of the landmarks in a file whose program takes x and y in turn, whatever the titles say.

    Returns:
        (K,) names, or none where the titles do not tell them.

    Raises:
        UserError: the titles tell another order, or landmarks in three dimensions.
    """
    if not titles or any(axis(title) is None for title in titles):
        return ()
    columns = find(titles, where)
    if [column for pair in columns.places for column in pair] != list(range(len(titles))):
        shown = " ".join(titles[:4])
        raise UserError(
            where,
            found=f"columns in the order {shown} ...",
            expected="x and y of the first landmark, x and y of the second, ...",
            remedy="put the columns into that order",
        )
    return columns.names


def in_order(names: tuple[str, ...]) -> tuple[list[int], tuple[str, ...]]:
    """Put landmarks that are merely numbered, from 0 or from 1 and without gaps, in the order of their numbers.

    Returns:
        where the landmarks stand among `names`; and their names, none where they are numbers.
    """
    given = list(range(len(names)))
    if not all(_NUMBER.fullmatch(name) for name in names):
        return given, names
    numbers = [int(name) for name in names]
    if sorted(numbers) not in (given, [number + 1 for number in given]):
        return given, names
    return sorted(given, key=numbers.__getitem__), ()


def titles(names: Sequence[str], n_landmarks: int, axes: str = "XY") -> list[str]:
    """Titles that `find` understands: X1 Y1 X2 Y2 ..., or apex.X apex.Y ... where the landmarks have names."""
    if names:
        return [f"{name}.{along}" for name in names for along in axes]
    return [f"{along}{number}" for number in range(1, n_landmarks + 1) for along in axes]
