"""CSV files of the programs of Le et al.: one picture a row, its landmarks as x1,y1,x2,y2,... and its path as `Image`.

Frame of the file: px of the picture named, which is 256x192 for the beetles and 250x200 for the nematodes, origin
top-left, y down. The authors wrote whole numbers, floor(position / 12.75): the index of the pixel a landmark lies in,
which is the centre of that pixel in our convention. So numbers stay as they are, both ways (see `models.ebnet`).

Only the column `Image` is known by its name; all the others are coordinates, x and y in turn, whatever they are
called. It is the last one in the programs for beetles and the first in those for nematodes; here it may be anywhere.

Source: spec E.1, findings 8 and A.3; readCSV.py of both programs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, csv_rows
from pronotum.formats.naming import identity
from pronotum.formats.tps_record import NUMBER
from pronotum.landmarks import Landmarks

IMAGE = "Image"


@dataclass(frozen=True)
class Row:
    """A row of a file.

    Attributes:
        line: its number in the file.
        specimen: its landmarks; its ID is what `naming.identity` reads in the picture's name.
    """

    line: int
    specimen: Landmarks


def load(path: Path, sizes: Sizes = None, *, pattern: str | None = None) -> tuple[Landmarks, ...]:
    """Read a CSV of the paper's programs, augmented copies included: they share the ID of their specimen.

    Args:
        path: CSV file.
        sizes: not needed; y is down in the file.
        pattern: where the specimen stands in the picture's name; see `naming.identity`.

    Returns:
        One per row, in file order, points (K, 2) in px of the picture, NaN = missing (an empty cell, NaN, NA ...).
        The authors' programs drop rows with a missing coordinate; here they are kept, see `complete`.

    Raises:
        UserError: no column `Image`, no pairs of coordinates, a cell that is no number, a landmark missing in one
            coordinate only, a row without picture or identity; says ``file:line``.
    """
    return tuple(row.specimen for row in rows(path, pattern=pattern))


def rows(path: Path, *, pattern: str | None = None) -> tuple[Row, ...]:
    """As `load`, with the line of each row."""
    table = csv_rows.read(path)
    at = _image_column(table)
    return tuple(_rows(table, at, pattern))


def _image_column(table: csv_rows.Rows) -> int:
    where = f"{table.path}:1"
    expected = "the columns x1,y1,x2,y2,... and Image"
    places = [column for column, name in enumerate(table.header) if name == IMAGE]
    if len(places) != 1:
        shown = ",".join(table.header)
        found = f"{counted(len(places), 'column')} named {IMAGE} ({shown if len(shown) <= 60 else shown[:57] + '...'})"
        raise UserError(where, found=found, expected=expected, remedy="give the column of picture names this name")
    n_numbers = len(table.header) - 1
    if n_numbers < 2 or n_numbers % 2:
        found = f"{counted(n_numbers, 'column')} beside {IMAGE}"
        remedy = "remove columns that are no coordinates, or add the one that is missing"
        raise UserError(where, found=found, expected=expected, remedy=remedy)
    return places[0]


def _rows(table: csv_rows.Rows, at: int, pattern: str | None) -> Iterator[Row]:
    columns = [column for column in range(len(table.header)) if column != at]
    for line, cells in table.rows:
        image = cells[at]
        if not image:
            remedy = "write the file of its picture, or remove the row"
            raise UserError(table.where(line), found=f"no name in column {IMAGE}", remedy=remedy)
        points = np.array([table.number(line, column, cells[column]) for column in columns]).reshape(-1, 2)
        half = np.flatnonzero(np.isnan(points).sum(1) == 1)
        if half.size:
            raise UserError(
                table.where(line),
                found=f"landmark {half[0] + 1} is missing in one coordinate only",
                expected="x and y, or neither",
                remedy="add the other one, or leave both cells empty",
            )
        specimen = identity(image, pattern)
        if not specimen:
            found = f"no '{pattern}' in the picture's name '{image}'"
            remedy = "name another pattern, or rename the picture"
            raise UserError(table.where(line), found=found, expected="the specimen in each name", remedy=remedy)
        yield Row(line, Landmarks(points, image, specimen))


def complete(specimens: Iterable[Landmarks]) -> tuple[Landmarks, ...]:
    """Those the authors' programs use: they drop a row in which any coordinate is missing, in test files too."""
    return tuple(specimen for specimen in specimens if specimen.present.all())


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None, *, image_first: bool = False) -> None:
    """Write a CSV that the paper's programs read, in one step; `load` gives the same numbers back, to the last bit.

    A missing landmark is written as two empty cells. Scale and whatever else a TPS file has are not held.

    Args:
        path: CSV file; replaced where it exists.
        specimens: what to write, in this order, px of each picture, y down.
        sizes: not needed.
        image_first: `Image` as the first column, for the program for nematodes.

    Raises:
        UserError: no specimens, different numbers of landmarks, an infinite coordinate, no picture's name or one that
            the file cannot hold, or an ID that `load` would not find in it again.
    """
    counts = {specimen.n_landmarks for specimen in specimens}
    if len(counts) != 1 or counts == {0}:
        found = f"{', '.join(map(str, sorted(counts)))} landmarks" if counts else "no specimens"
        raise UserError(path, found=found, expected="specimens with the same landmarks, at least one")
    names = [f"{axis}{number}" for number in range(1, counts.pop() + 1) for axis in "xy"]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([IMAGE, *names] if image_first else [*names, IMAGE])
    for specimen in specimens:
        _check(specimen)
        cells = [_cell(value) for value in specimen.points.ravel().tolist()]
        writer.writerow([specimen.image, *cells] if image_first else [*cells, specimen.image])
    files.write_text(path, text.getvalue())


def _check(specimen: Landmarks) -> None:
    """Refuse what `load` would not give back."""
    image, name = specimen.image, specimen.name
    if not image or image != image.strip() or any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in image):
        found = "a picture's name that a CSV file cannot hold" if image else "no name of a picture"
        raise UserError(name, found=found, expected="a name without line breaks", remedy="rename the picture")
    if np.isinf(specimen.points).any():
        raise UserError(name, found="an infinite coordinate", remedy="mark the landmark as missing")
    readable = identity(image)
    if specimen.id and specimen.id.lstrip("0") != readable.lstrip("0"):
        raise UserError(
            name,
            found=f"the ID {specimen.id}, which would be read as {readable}",
            expected="the specimen's number in the picture's name, because these files have no other place for it",
            remedy="rename the picture, or clear the ID",
        )


def _cell(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def recognises(path: Path) -> bool:
    """Whether a CSV file is of this kind: a column `Image`, and pairs of numbers beside it in the first row."""
    found = csv_rows.peek(path)
    if len(found) < 2 or found[0].count(IMAGE) != 1 or len(found[0]) != len(found[1]):
        return False
    at = found[0].index(IMAGE)
    cells = [cell for column, cell in enumerate(found[1]) if column != at]
    numbers = all(cell.casefold() in csv_rows.MISSING or NUMBER.fullmatch(cell) for cell in cells)
    return bool(cells) and len(cells) % 2 == 0 and numbers


FORMAT = Format(name="ebnet-csv", suffixes=(".csv",), read=load, write=save, recognises=recognises)
