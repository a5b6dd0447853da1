"""Tidy tables: one landmark a row, comma-separated, with the columns image, id, landmark, x, y and perhaps scale.

Frame of the file: px of the photograph after EXIF orientation, y down, (0, 0) = centre of the top-left pixel; numbers
stay as they are. Missing is a row with empty x and y (or NA); a row that is not there is an error, because a file that
broke off would look the same. Rows may stand in any order. ``landmark`` is a name or a number.

``predictions.csv`` is such a table with more columns, which are left alone; it is not recognised by its content, so
that a model's answers are never taken for landmarks of a person unless one names the format.

Source: this project; `formats.predictions`. The layout is that of H. Wickham (2014), Tidy Data, J. Stat. Softw. 59(10).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, coordinate_columns, csv_rows, specimen_rows
from pronotum.landmarks import FloatArray, Landmarks

COLUMNS = ("image", "id", "landmark", "x", "y")
SCALE = "scale"
_PREDICTED = "confidence"
_Row = tuple[int, tuple[str, ...]]


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a tidy table as landmarks.

    Args:
        path: CSV file.
        sizes: not needed; y is down in the file.

    Returns:
        One per pair of image and id, in the order in which they come first; points (K, 2) in px, NaN = missing.
        Landmarks numbered from 0 or 1 come in that order and have no names, others in that of the first specimen.

    Raises:
        UserError: a column is missing, a specimen with other landmarks than the first or one of them twice, different
            scales, a cell that is no number, a landmark missing in one coordinate only; says ``file:line``.
    """
    table = csv_rows.read(path)
    keys = _keys(table)
    rows: dict[tuple[str, str], dict[str, _Row]] = {}
    for line, cells in table.rows:
        image, identity = (cells[keys[key]] if key in keys else "" for key in COLUMNS[:2])
        landmark = cells[keys["landmark"]]
        if not (image or identity) or not landmark:
            found = "no landmark" if image or identity else "neither photograph nor ID"
            raise UserError(table.where(line), found=found, remedy="fill it in, or remove the row")
        before = rows.setdefault((image, identity), {}).setdefault(landmark, (line, cells))
        if before[0] != line:
            raise UserError(
                table.where(line),
                found=f"landmark {landmark} of {_name(image, identity)} for the second time",
                expected=f"each landmark of a specimen once (before: line {before[0]})",
                remedy="remove a row, or give specimens on the same photograph different IDs",
            )
    return specimen_rows.distinct(path, _specimens(table, keys, rows))


def _keys(table: csv_rows.Rows) -> dict[str, int]:
    where = table.where(1)
    titles = [title.casefold() for title in table.header]
    keys = {key: titles.index(key) for key in (*COLUMNS, SCALE) if key in titles}
    again = [key for key in keys if titles.count(key) > 1]
    lacking = [key for key in COLUMNS[2:] if key not in keys]
    if again or lacking or not keys.keys() & set(COLUMNS[:2]):
        found = f"two columns {again[0]}" if again else f"no column {lacking[0] if lacking else 'image or id'}"
        raise UserError(where, found=found, expected=f"the columns {','.join(COLUMNS)}", remedy="rename the columns")
    if "z" in titles:
        found = "a column z: landmarks in three dimensions"
        raise UserError(where, found=found, expected="x and y", remedy="remove it if it means nothing")
    return keys


def _specimens(
    table: csv_rows.Rows, keys: dict[str, int], rows: dict[tuple[str, str], dict[str, _Row]]
) -> Iterator[tuple[str, Landmarks]]:
    given = tuple(next(iter(rows.values()), ()))
    order, names = coordinate_columns.in_order(given)
    for (image, identity), own in rows.items():
        where = table.where(next(iter(own.values()))[0])
        if own.keys() != set(given):
            first = next(name for name in (*given, *own) if (name in own) != (name in given))
            raise UserError(
                where,
                found=f"{_name(image, identity)} {'with' if first in own else 'without'} landmark {first}",
                expected=f"the {counted(len(given), 'landmark')} of the first specimen",
                remedy="add what is missing; leave x and y empty for a landmark that cannot be seen",
            )
        points: list[FloatArray] = []
        scales: dict[float, int] = {}
        for line, cells in (own[given[index]] for index in order):
            xy = (table.number(line, keys[along], cells[keys[along]]) for along in COLUMNS[3:])
            points.append(specimen_rows.as_points(xy, table.where(line))[0])
            if SCALE in keys and (scale := table.number(line, keys[SCALE], cells[keys[SCALE]])) == scale:
                scales.setdefault(scale, line)
        if len(scales) > 1 or any(scale <= 0 for scale in scales):
            raise UserError(
                table.where(max(scales.values())),
                found=f"a scale of {' and another of '.join(f'{scale:g}' for scale in scales)}",
                expected="one positive number for all landmarks of a specimen, length units per px",
            )
        yield where, Landmarks(np.stack(points), image, identity, next(iter(scales), None), names)


def _name(image: str, identity: str) -> str:
    return Landmarks(np.empty((0, 2)), image, identity).name


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write one landmark a row, to a millionth of a px, in one step; missing ones with empty x and y.

    Args:
        path: CSV file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: no specimens, different landmarks, a specimen twice or without a name, an infinite coordinate, a name
            that the table cannot hold.
    """
    n_landmarks, names = specimen_rows.shared_landmarks(path, specimens)
    specimen_rows.once(path, specimens)
    names = names or tuple(str(number) for number in range(1, n_landmarks + 1))
    scaled = any(specimen.scale is not None for specimen in specimens)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, *[SCALE] * scaled])
    for specimen in specimens:
        scale = ["" if specimen.scale is None else repr(specimen.scale)] * scaled
        for name, (x, y) in zip(names, specimen.points, strict=True):
            rows.writerow([specimen.image, specimen.id, name, specimen_rows.cell(x), specimen_rows.cell(y), *scale])
    files.write_text(path, text.getvalue())


def recognises(path: Path) -> bool:
    """Whether a CSV file is of this kind: it has its columns, and none of a model's confidence."""
    header, *rest = csv_rows.peek(path) or [[]]
    titles = {title.casefold() for title in header}
    named = bool(titles & set(COLUMNS[:2])) and titles >= set(COLUMNS[2:])
    return named and bool(rest) and _PREDICTED not in titles


FORMAT = Format(
    name="tidy-csv",
    suffixes=(".csv",),
    read=load,
    write=save,
    keeps=frozenset({"image", "id", "scale", "names"}),
    recognises=recognises,
)
