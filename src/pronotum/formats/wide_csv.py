"""Wide tables: one specimen a row, the x and y of each landmark in columns of their own, comma-separated.

Written by: R (``write.csv(two.d.array(A))`` of geomorph), ml-morph and its forks, spreadsheets, and `save`. Columns of
coordinates are told by their titles, in any order; see `coordinate_columns`. ``image``, ``id`` and ``scale`` (length
units per px) may stand anywhere, and other columns (species, sex ...) are no landmarks and are left alone.

Frame of the file: px, and from which edge y counts cannot be seen. Tables with the same titles have it either way:
geomorph's and ml-morph's input count from the bottom, as tpsDig does; ml-morph's output and a fork's input from the
top. A wrong guess would mirror every specimen, so the table has to say: a column ``origin`` with ``bottom-left`` (then
y = H - y_file, as in TPS) or ``top-left`` ((0, 0) is the centre of the top-left pixel, as here). `save` writes
bottom-left: the numbers that the TPS file has, so that in R both may be used together; and top-left where that takes
heights of photographs that are not known. Only tables with a column ``box_top``, which ml-morph writes from dlib's
answers, count from the top without saying so.

Missing is an empty cell or NA; -1 is a number.

Source: geomorph, R/two.d.array.r and R/arrayspecs.r; A. Porto, ml-morph, utils.py (read_csv, dlib_xml_to_pandas).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError
from pronotum.formats import Format, Sizes, coordinate_columns, csv_rows, height_of, specimen_rows
from pronotum.formats.csv_rows import MISSING
from pronotum.formats.tps_record import NUMBER
from pronotum.geometry import flip_y
from pronotum.landmarks import Landmarks

KEYS = ("image", "id", "scale", "origin")
BOTTOM, TOP = "bottom-left", "top-left"
_BOX, _BOX_TOP = "box_id", "box_top"


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a wide table as landmarks, y down.

    Args:
        path: CSV file.
        sizes: sizes of the photographs in px after EXIF orientation; needed where y counts from the bottom, else
            y' = -y.

    Returns:
        One per row, in file order, points (K, 2) in px, NaN = missing. Landmarks numbered from 0 or 1 have no names.

    Raises:
        UserError: nothing says from which edge y counts, no pairs of columns, a specimen twice or without a name, a
            cell that is no number, a landmark missing in one coordinate only; says ``file:line``.
    """
    table = csv_rows.read(path)
    where = table.where(1)
    columns = coordinate_columns.find(table.header, where)
    if not columns.places:
        raise UserError(where, found="no columns of coordinates", expected="X1,Y1,X2,Y2,... or 1.X,1.Y,2.X,2.Y,...")
    keys = _keys(table.header, where)
    if not keys.keys() & {"image", "id"}:
        raise UserError(where, found="no column image or id", remedy="add one that names the photographs")
    if not keys.keys() & {"origin", _BOX_TOP}:
        raise UserError(
            where,
            found="nothing that says from which edge y counts",
            expected="a column origin",
            remedy=f"add it, with {BOTTOM} in every row where the numbers are those of tpsDig or geomorph, "
            f"{TOP} where they are those of ImageJ or another program for pictures",
        )
    return specimen_rows.distinct(path, _specimens(table, columns, keys, sizes))


def _keys(header: Sequence[str], where: str) -> dict[str, int]:
    """Columns by the keys they have for titles; R writes the names of rows under no title and, read again, under X."""
    keys: dict[str, int] = {}
    for column, title in enumerate(header):
        key = title.casefold()
        if key not in (*KEYS, _BOX, _BOX_TOP):
            continue
        if key in keys:
            raise UserError(where, found=f"two columns {title}", remedy="rename or remove one")
        keys[key] = column
    rows = [column for column, title in enumerate(header[:2]) if title in ("", "X")]
    if rows and not keys.keys() & {"image", "id"}:
        keys["id"] = rows[-1]
    return keys


def _specimens(
    table: csv_rows.Rows, columns: coordinate_columns.Columns, keys: dict[str, int], sizes: Sizes
) -> Iterator[tuple[str, Landmarks]]:
    boxes = Counter(cells[keys["id"]] for _, cells in table.rows) if _BOX in keys and "image" not in keys else Counter()
    for line, cells in table.rows:
        where = table.where(line)
        numbers = [table.number(line, column, cells[column]) for pair in columns.places for column in pair]
        scale = table.number(line, keys["scale"], cells[keys["scale"]]) if "scale" in keys else float("nan")
        if scale <= 0:
            raise UserError(where, found=f"a scale of {scale:g}", expected="a positive number, length units per px")
        image, identity = (cells[keys[key]] if key in keys else "" for key in ("image", "id"))
        if not (image or identity):
            raise UserError(where, found="neither photograph nor ID", remedy="name one, or remove the row")
        if boxes[identity] > 1:
            image, identity = identity, cells[keys[_BOX]]
        elif "image" not in keys:
            image, identity = specimen_rows.named(identity)
        points = specimen_rows.as_points(numbers, where)
        if "origin" in keys and _counts_from_bottom(cells[keys["origin"]], where):
            points = flip_y(points, height_of(image, identity, sizes))
        yield where, Landmarks(points, image, identity, scale if scale > 0 else None, columns.names)


def _counts_from_bottom(cell: str, where: str) -> bool:
    origin = cell.casefold().replace(" ", "-").replace("_", "-")
    if origin not in (BOTTOM, TOP):
        found = f"'{cell[:30]}' in column origin" if cell else "nothing in column origin"
        raise UserError(where, found=found, expected=f"{BOTTOM} or {TOP}", remedy="fill it in")
    return origin == BOTTOM


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write the columns image, id, scale, origin and X1, Y1, X2, Y2 ..., or apex.X, apex.Y ... for names, in one step.

    Numbers are written to a millionth of a px, y from the bottom edge, or from the top edge in the whole table where a
    height is needed and not known; missing landmarks as empty cells. In R: ``arrayspecs(table[, -(1:4)], K, 2)``.

    Args:
        path: CSV file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: sizes of the photographs in px after EXIF orientation.

    Raises:
        UserError: no specimens, different landmarks, a specimen twice or without a name, specimens of which only one
            edge or the other can be counted from, an infinite coordinate, a name that the table cannot hold.
    """
    n_landmarks, names = specimen_rows.shared_landmarks(path, specimens)
    specimen_rows.once(path, specimens)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*KEYS, *coordinate_columns.titles(names, n_landmarks)])
    origin = _origin(specimens, sizes)
    for specimen in specimens:
        points = specimen.points if origin == TOP else specimen_rows.rising(specimen, sizes, "this table")
        scale = "" if specimen.scale is None else repr(specimen.scale)
        rows.writerow([specimen.image, specimen.id, scale, origin, *map(specimen_rows.cell, points.ravel())])
    files.write_text(path, text.getvalue())


def _origin(specimens: Sequence[Landmarks], sizes: Sizes) -> str:
    """The edge that all rows can be counted from: the bottom one, unless heights are needed and not known."""
    unknown = [one for one in specimens if height_of(one.image, one.id, sizes) is None]
    y = np.concatenate([one.points[one.present, 1] for one in unknown] or [np.zeros(0)])
    return TOP if y.size and y.max() > 0 and y.min() >= -0.5 else BOTTOM


def recognises(path: Path) -> bool:
    """Whether a CSV file is of this kind: pairs of numbers under titles of coordinates, beside a name.

    Without a column origin only numbered landmarks count: centre_x is in many a table that has no landmarks, and V1 in
    many a matrix; and with a column `Image` the file is that of `ebnet_csv`.
    """
    found = csv_rows.peek(path)
    if len(found) < 2 or len(found[0]) != len(found[1]):
        return False
    header, first = found
    try:
        columns = coordinate_columns.find(header, str(path))
        keys = _keys(header, str(path))
    except UserError:
        return False
    cells = [first[column] for pair in columns.places for column in pair]
    numbers = all(cell.casefold() in MISSING or NUMBER.fullmatch(cell) for cell in cells)
    numbered = not columns.names and any(coordinate_columns.axis(title) for title in header)
    tells = "origin" in keys or (numbered and "Image" not in header)
    return bool(cells) and numbers and tells and bool(keys.keys() & {"image", "id"})


FORMAT = Format(
    name="csv",
    suffixes=(".csv",),
    read=load,
    write=save,
    keeps=frozenset({"image", "id", "scale", "names"}),
    upward=True,
    recognises=recognises,
)
