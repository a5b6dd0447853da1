"""What formats of labelled objects share: one list of landmark names a file, several specimens on a photograph.

imglab, COCO, CVAT and Label Studio find a landmark by its name, so that one which is missing is simply not there.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum.errors import UserError
from pronotum.formats import specimen_rows
from pronotum.landmarks import FloatArray, Landmarks, Scheme

MARGIN = 0.1
"""What a box leaves around the landmarks, as a share of the longer of their extents."""

_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Found:
    """A specimen as a reader found it.

    Attributes:
        image: name of its photograph.
        id: its identifier; None where the file has none, see `specimens`.
        points: (x, y) by name of the landmark, px, y down, (0, 0) = centre of the top-left pixel; missing ones are not
            there.
        where: its place in the file, as messages call it.
    """

    image: str
    id: str | None
    points: Mapping[str, tuple[float, float]]
    where: str


def specimens(found: Sequence[Found], names: Sequence[str]) -> tuple[Landmarks, ...]:
    """Landmarks in the order of `names`, NaN = missing; names that are only "1", "2", ... are left out.

    Of several specimens on a photograph those without ID are numbered "1", "2", ... in file order; a single one has
    the ID "".

    Raises:
        UserError: the same specimen (photograph and ID) twice.
    """
    kept = () if tuple(names) == Scheme.numbered(len(names)).names else tuple(names)
    on_photograph = Counter(one.image for one in found)
    seen: Counter[str] = Counter()
    made = []
    for one in found:
        seen[one.image] += 1
        identity = (str(seen[one.image]) if on_photograph[one.image] > 1 else "") if one.id is None else one.id
        points = [one.points.get(name, (math.nan, math.nan)) for name in names]
        made.append(Landmarks(np.array(points).reshape(-1, 2), one.image, identity, names=kept))
    specimen_rows.check_distinct(made, [one.where for one in found])
    return tuple(made)


def shared_names(path: Path, given: Sequence[Landmarks]) -> tuple[str, ...]:
    """Names of the landmarks of all specimens to be written; "1", "2", ... where they have none.

    Raises:
        UserError: no specimens or no landmarks, specimens with different landmarks or twice the same, a name that is
            empty or occurs twice, a specimen without photograph, an infinite coordinate.
    """
    schemes = {(specimen.n_landmarks, specimen.names) for specimen in given}
    if len(schemes) != 1 or (0, ()) in schemes:
        counts = sorted({count for count, _ in schemes})
        found = "no specimens" if not schemes else f"{', '.join(map(str, counts))} landmarks"
        found = "the same number of landmarks under different names" if len(counts) < len(schemes) else found
        raise UserError(path, found=found, expected="specimens with the same landmarks, at least one")
    for specimen in given:
        if not specimen.image:
            remedy = "name its photograph"
            raise UserError(specimen.name, found="no name of a photograph", expected="one", remedy=remedy)
        if np.isinf(specimen.points).any():
            raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    specimen_rows.check_distinct(given, [f"specimen {number}" for number in range(1, len(given) + 1)])
    names = given[0].names or Scheme.numbered(given[0].n_landmarks).names
    doubled = [name for name, count in Counter(names).items() if count > 1 or not name]
    if doubled:
        found = f"the name '{doubled[0]}' twice" if doubled[0] else "a landmark with an empty name"
        raise UserError(path, found=found, expected="landmarks with names that differ", remedy="rename one of them")
    return names


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names in an order that depends on nothing but the names: alphabetical, but 2 before 10."""
    return tuple(sorted(set(names), key=lambda name: (_sortable(name), name)))


def _sortable(name: str) -> list[tuple[int, str]]:
    """Parts of a name, digits comparing as numbers do: the longer one without leading zeros is larger."""
    parts = _DIGITS.split(name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if index % 2 else (0, part) for index, part in enumerate(parts)]


def box(points: FloatArray, size: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """A box around landmarks, with a margin that ends at the edge of the photograph.

    Args:
        points: (K, 2) px, NaN = missing; at least one is there.
        size: width and height in px of the photograph; None where not known.

    Returns:
        left, top, width, height in px: the first column and row of pixels in it, and how many there are. Landmarks
        outside the photograph are in the box.
    """
    low, high = np.floor(np.nanmin(points, axis=0)), np.ceil(np.nanmax(points, axis=0))
    margin = max(1.0, math.ceil(MARGIN * float((high - low).max())))
    last = high + margin if size is None else np.maximum(high, np.minimum(high + margin, np.array(size) - 1.0))
    first = np.minimum(low, np.maximum(low - margin, 0.0))
    left, top, width, height = (int(value) for value in (*first, *(last - first + 1)))
    return left, top, width, height
