"""What tables of landmarks have in common: every specimen has the same landmarks, and each only once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pronotum.errors import UserError, counted
from pronotum.formats import Sizes, height_of
from pronotum.geometry import flip_y
from pronotum.landmarks import FloatArray, Landmarks

_PHOTOGRAPH = re.compile(r".+\.(?:jpe?g|jfif|png|tiff?|bmp|gif|webp)", re.IGNORECASE)


def as_points(numbers: Iterable[float], where: str) -> FloatArray:
    """(K, 2) from x and y in turn.

    Raises:
        UserError: a landmark is missing in one coordinate only.
    """
    points = np.array(list(numbers), dtype=np.float64).reshape(-1, 2)
    half = np.flatnonzero(np.isnan(points).sum(1) == 1)
    if half.size:
        raise UserError(
            where,
            found=f"landmark {half[0] + 1} is missing in one coordinate only",
            expected="x and y, or neither",
            remedy="add the other one, or mark both as missing",
        )
    return points


def check_distinct(given: Iterable[Landmarks], places: Iterable[str]) -> None:
    """Refuse the same specimen twice.

    Args:
        given: specimens; photograph and ID tell them apart.
        places: what messages call each.

    Raises:
        UserError: two have the same photograph and ID.
    """
    first: dict[tuple[str, str], str] = {}
    for specimen, place in zip(given, places, strict=True):
        key = specimen.image, specimen.id
        if key in first:
            raise UserError(
                place,
                found=f"{specimen.name} again, as in {first[key]}",
                expected="each photograph and ID once",
                remedy="remove one of them, or give them different IDs",
            )
        first[key] = place


def distinct(path: Path, found: Iterable[tuple[str, Landmarks]]) -> tuple[Landmarks, ...]:
    """The specimens of a file, each read at the place beside it.

    Raises:
        UserError: none, or two with the same photograph and the same ID.
    """
    placed = tuple(found)
    specimens = tuple(specimen for _, specimen in placed)
    check_distinct(specimens, [where for where, _ in placed])
    if not specimens:
        raise UserError(path, found="no specimens", expected="at least one")
    return specimens


def named(label: str) -> tuple[str, str]:
    """Photograph and ID, one of them empty, of a file with one name per specimen: a photograph ends as in .jpg."""
    return (label, "") if _PHOTOGRAPH.fullmatch(label) else ("", label)


def shared_landmarks(path: Path, specimens: Sequence[Landmarks]) -> tuple[int, tuple[str, ...]]:
    """Number and names of the landmarks of specimens that are about to be written as a table.

    Raises:
        UserError: no specimens, one of them twice, different numbers or names of landmarks, an infinite coordinate, or
            text that a table cannot hold.
    """
    counts = [specimen.n_landmarks for specimen in specimens]
    n_landmarks = max(set(counts), key=counts.count, default=0)
    if not n_landmarks:
        found = "specimens without landmarks" if counts else "no specimens"
        raise UserError(path, found=found, expected="specimens with at least one landmark")
    for specimen, count in zip(specimens, counts, strict=True):
        if count != n_landmarks:
            raise UserError(
                path,
                found=f"{specimen.name} with {counted(count, 'landmark')}",
                expected=f"{n_landmarks} as others have, because all rows of a table have the same columns",
                remedy="digitise the rest, mark landmarks that cannot be seen as missing, or leave the specimen out",
            )
    names = {specimen.names for specimen in specimens if specimen.names} or {()}
    if len(names) != 1:
        shown = [", ".join(some[:3]) for some in sorted(names)[:2]]
        found = f"landmarks named {shown[0]} ... and others named {shown[1]} ..."
        raise UserError(path, found=found, expected="the same names for all specimens")
    own = names.pop()
    for name in own:
        if not holds(name) or not name or own.count(name) > 1:
            found = f"'{name}' twice" if own.count(name) > 1 else f"'{name}', which a table cannot hold"
            raise UserError(path, found=f"a landmark named {found}", remedy="rename the landmark")
    for specimen in specimens:
        if np.isinf(specimen.points).any():
            raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
        if not (holds(specimen.image) and holds(specimen.id)):
            found = "a photograph's name or an ID that a table cannot hold"
            raise UserError(repr(specimen.name), found=found, expected="one without line breaks", remedy="rename it")
    return n_landmarks, own


def holds(text: str) -> bool:
    """Whether text reads back: cells are stripped of blanks, and a line break or half a character breaks a file."""
    return text == text.strip() and not any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in text)


def labels(path: Path, specimens: Sequence[Landmarks], joint: str = " ") -> list[str]:
    """One name per specimen: its photograph where these tell the specimens apart, else its ID, else both.

    Raises:
        UserError: not even both do, or a specimen has neither.
    """
    images = [specimen.image for specimen in specimens]
    ids = [specimen.id for specimen in specimens]
    both = [joint.join(filter(None, pair)) for pair in zip(images, ids, strict=True)]
    for found in (images, ids, both):
        if all(found) and len(set(found)) == len(found):
            return found
    lacking = [number for number, label in enumerate(both, start=1) if not label]
    again = next((label for label in both if both.count(label) > 1), "")
    raise UserError(
        path,
        found=f"specimen {lacking[0]} with neither photograph nor ID" if lacking else f"{again} twice",
        expected="a name for each specimen that no other has",
        remedy="give the specimens IDs",
    )


def once(path: Path, specimens: Sequence[Landmarks]) -> None:
    """Refuse to write a specimen twice.

    Raises:
        UserError: two have the same photograph and the same ID, or one has neither.
    """
    distinct(path, ((f"specimen {number}", one) for number, one in enumerate(specimens, start=1)))
    for number, specimen in enumerate(specimens, start=1):
        if not (specimen.image or specimen.id):
            raise UserError(
                f"specimen {number}", found="neither photograph nor ID", remedy="name its photograph, or give it an ID"
            )


def rising(specimen: Landmarks, sizes: Sizes, kind: str) -> FloatArray:
    """(K, 2) coordinates with y up, as TPS files have them.

    Raises:
        UserError: the height of the photograph is needed and not known.
    """
    height = height_of(specimen.image, specimen.id, sizes)
    if height is None and (specimen.points[:, 1] > 0).any():
        raise UserError(
            specimen.name,
            found="landmarks counted from the top edge of a photograph whose height is not known",
            expected=f"its height, because {kind} counts from the bottom edge",
            remedy="name the folder of the photographs",
        )
    return flip_y(specimen.points, height)


def cell(value: float, missing: str = "") -> str:
    """A number to a millionth, without needless zeros; `missing` for NaN."""
    if np.isnan(value):
        return missing
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
