"""Tables of results of ImageJ and Fiji, saved as CSV after Analyze > Measure (Ctrl+M) on point selections.

A row is a landmark, in the order of the clicks; `Label` says of which photograph: ``TITLE``, ``TITLE:ROI`` where the
selection had a name, and ``:SLICE`` behind it on a stack. Rows of one photograph are one specimen. Where the ROI's
names are all different they name its landmarks (unless ImageJ made them: ``0020-0010``); where each stands in several
rows, each is a specimen, and its name the ID. On a stack each slice is one: the photograph if the labels tell the
slices apart, else its number is the ID. Without a column `Label` the file's name is the photograph's.

Frame of the file: for points (0, 0) is the centre of the top-left pixel and y counts down, as here. But ImageJ writes

- **units instead of px where the picture has a scale**, and does not say so. A table whose landmarks all lie in the
  first twentieth of their photographs, or far outside, is refused; other wrong ones cannot be seen. `load` can be told
  the scale; better is to remove it in ImageJ (Analyze > Set Scale > Click to Remove Scale) and measure again.
- y from the bottom where Analyze > Set Measurements > Invert Y Coordinates is set: y = H - 1 - y_file.
- three decimals, and centroids for areas, half a px off: a row with an area is refused.

Missing is NaN, an empty cell, or exactly (-1, -1), which is what ImageJ measures on a ROI of `imagej_roi`.

Source: ImageJ 1.53t, Analyzer, ResultsTable, Calibration.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, csv_rows, height_of, size_of, specimen_rows
from pronotum.formats.csv_rows import MISSING
from pronotum.formats.imagej_roi import AUTOMATIC
from pronotum.formats.tps_record import NUMBER
from pronotum.landmarks import Landmarks

LABEL, X, Y, AREA, SLICE = "Label", "X", "Y", "Area", "Slice"
HEADING = re.compile(
    r"Label|Area|Mean|StdDev|Mode|Min|Max|X|Y|XM|YM|Perim\.|BX|BY|Width|Height|Major|Minor|Angle|Circ\.|Feret|IntDen|"
    r"Median|Skew|Kurt|%Area|RawIntDen|Ch|Slice|Frame|FeretX|FeretY|FeretAngle|MinFeret|AR|Round|Solidity|MinThr|"
    r"MaxThr|Counter|Count"
)
"""What ImageJ calls the columns of its own measurements."""

_TITLE = re.compile(r"((?:[A-Za-z]:[\\/])?[^:]*)(?::(.*))?", re.DOTALL)
_BESIDE = -1.000001
_SUSPECT = (0.05, 2.0)


@dataclass(frozen=True)
class Row:
    """A landmark as the table has it.

    Attributes:
        line: its number in the file.
        title: of the picture; its file's name, unless it is a stack.
        rest: of the label, behind the title: name of the ROI, label of the slice.
        slice: number of the slice; "" = no stack.
        point: (x, y) as the table has them, NaN = missing.
    """

    line: int
    title: str
    rest: str
    slice: str
    point: tuple[float, float]


def load(path: Path, sizes: Sizes = None, *, scale: float | None = None, y_up: bool = False) -> tuple[Landmarks, ...]:
    """Read a table of results.

    Args:
        path: CSV file.
        sizes: sizes of the photographs in px; where known, tables that cannot be px are refused.
        scale: length units per px, as Analyze > Set Scale had it when the points were measured; None: they are px.
        y_up: Invert Y Coordinates was set when they were measured; needs `sizes`.

    Returns:
        One per photograph, ROI or slice, in file order, points (K, 2) in px, NaN = missing.

    Raises:
        UserError: no columns X and Y, a cell that is no number, areas instead of points, a specimen twice, coordinates
            that cannot be px, or a height that is needed and unknown; says ``file:line``.
    """
    table = csv_rows.read(path)
    found = list(_specimens(path, list(_rows(table))))
    placed = [(where, _placed(specimen, sizes, scale, y_up)) for where, specimen in found]
    specimens = specimen_rows.distinct(path, placed)
    _check_px(path, specimens, sizes)
    return specimens


def _rows(table: csv_rows.Rows) -> Iterator[Row]:
    columns = {name: column for column, name in enumerate(table.header)}
    for name in (X, Y):
        if table.header.count(name) != 1:
            found = f"{counted(table.header.count(name), 'column')} named {name}"
            remedy = "tick Centroid in Analyze > Set Measurements, or name another file"
            raise UserError(table.where(1), found=found, expected="one, as in ImageJ's results", remedy=remedy)
    for line, cells in table.rows:
        x, y = (table.number(line, columns[name], cells[columns[name]]) for name in (X, Y))
        specimen_rows.as_points((x, y), table.where(line))
        if AREA in columns and table.number(line, columns[AREA], cells[columns[AREA]]) > 0:
            raise UserError(
                table.where(line),
                found=f"an area of {cells[columns[AREA]]}: the centroid of a region",
                expected="points",
                remedy="select with the multi-point tool",
            )
        title, rest = _parted(cells[columns[LABEL]]) if LABEL in columns else (table.path.stem, "")
        number = cells[columns[SLICE]] if SLICE in columns else ""
        lacking = (x, y) == (-1, -1)
        yield Row(line, title, rest, "" if number in ("", "0") else number, (math.nan, math.nan) if lacking else (x, y))


def _parted(label: str) -> tuple[str, str]:
    """Title of the picture and what follows; the colon of a Windows drive ends no title."""
    found = _TITLE.fullmatch(label)
    assert found is not None
    return found[1], found[2] or ""


def _specimens(path: Path, rows: Sequence[Row]) -> Iterator[tuple[str, Landmarks]]:
    """The specimens of each run of rows with the same title."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end].title != rows[start].title:
            run = rows[start:end]
            start = end
            slices = dict.fromkeys(row.slice for row in run)
            for number in slices:
                own = [row for row in run if row.slice == number]
                yield from _of_slice(path, own, run) if number else _of_picture(path, own)


def _of_slice(path: Path, rows: Sequence[Row], run: Sequence[Row]) -> Iterator[tuple[str, Landmarks]]:
    """The specimen on a slice of a stack."""
    first = rows[0]
    # The label is that of the slice that was shown: with points on several slices it may say the same of all.
    told = {(row.slice, row.rest.rpartition(":")[2]) for row in run if row.slice}
    apart = len(told) == len({number for number, _ in told}) == len({label for _, label in told})
    label = first.rest.rpartition(":")[2]
    image, identity = (label, "") if apart and label not in ("", first.slice) else (first.title, first.slice)
    yield _made(path, rows, image, identity)


def _of_picture(path: Path, rows: Sequence[Row]) -> Iterator[tuple[str, Landmarks]]:
    """The specimen on a picture, or the specimens where each ROI has several points."""
    counts = Counter(row.rest for row in rows)
    several = [label for label, count in counts.items() if count > 1]
    if several and len(counts) > 1:
        single = next((row for row in rows if counts[row.rest] == 1), None)
        if single is not None:
            raise UserError(
                f"{path}:{single.line}",
                found=f"the single point '{single.rest}' beside ROIs of several points ('{several[0]}')",
                expected="single points of one specimen, or a ROI of several points for each",
                remedy="measure them into different tables",
            )
        for label in counts:
            yield _made(path, [row for row in rows if row.rest == label], rows[0].title, label)
    elif several:
        # ImageJ's own name for the only selection says nothing; of several it tells them apart.
        yield _made(path, rows, rows[0].title, "" if AUTOMATIC.fullmatch(several[0]) else several[0])
    else:
        named = all(row.rest and not AUTOMATIC.fullmatch(row.rest) for row in rows)
        yield _made(path, rows, rows[0].title, names=tuple(row.rest for row in rows) if named else ())


def _made(
    path: Path, rows: Sequence[Row], image: str, identity: str = "", names: tuple[str, ...] = ()
) -> tuple[str, Landmarks]:
    return f"{path}:{rows[0].line}", Landmarks(np.array([row.point for row in rows]), image, identity, names=names)


def _placed(specimen: Landmarks, sizes: Sizes, scale: float | None, y_up: bool) -> Landmarks:
    """The specimen in px, y down."""
    points = specimen.points / (scale or 1.0)
    if y_up:
        height = height_of(specimen.image, specimen.id, sizes)
        if height is None:
            raise UserError(
                specimen.name,
                found="a photograph whose height is not known",
                expected="its height, because y counts from the bottom edge",
                remedy="name the folder of the photographs",
            )
        points = np.column_stack([points[:, 0], height - 1 - points[:, 1]])
    return Landmarks(points, specimen.image, specimen.id, scale, specimen.names)


def _check_px(path: Path, specimens: Sequence[Landmarks], sizes: Sizes) -> None:
    """Refuse what is no px: units of a scale are mostly far fewer than px, or far more."""
    known = [(one, size_of(one.image, one.id, sizes)) for one in specimens if one.present.any()]
    shares = [float(np.nanmax(one.points / np.array(size))) for one, size in known if size is not None]
    if shares and not _SUSPECT[0] <= max(shares) <= _SUSPECT[1]:
        raise UserError(
            path,
            found=f"no coordinate beyond {max(shares):.1%} of the photographs' width or height"
            if max(shares) < _SUSPECT[0]
            else f"a coordinate at {max(shares):.1f} times a photograph's width or height",
            expected="px",
            remedy="remove the scale in ImageJ (Analyze > Set Scale > Click to Remove Scale) and measure again",
        )


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a table as ImageJ does after Measure, in one step; several specimens of a photograph as named ROIs.

    Scale, names of landmarks and curves are not held.

    Args:
        path: CSV file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: no specimens, one twice or without photograph, no landmarks, an infinite coordinate, a name that
            the file cannot hold, fewer than two landmarks beside an ID.
    """
    specimen_rows.once(path, specimens)
    images = Counter(specimen.image for specimen in specimens)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([" ", LABEL, X, Y])
    number = 0
    for specimen in specimens:
        label = _label(specimen, alone=images[specimen.image] == 1)
        for point in np.round(specimen.points, 6).tolist():
            number += 1
            cells = [_BESIDE, _BESIDE] if point == [-1, -1] else point
            writer.writerow([number, label, *(specimen_rows.cell(value, "NaN") for value in cells)])
    files.write_text(path, text.getvalue())


def _label(specimen: Landmarks, *, alone: bool) -> str:
    """What `load` reads photograph and ID from; refuse what it would not."""
    image, identity = specimen.image, specimen.id
    label = f"{image}:{identity}" if identity else image
    blank = any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in label)
    if blank or label != label.strip() or _parted(label) != (image, identity):
        found = "a photograph's name or an ID that the table cannot hold"
        expected = "one without colons, line breaks and outer blanks"
        raise UserError(repr(specimen.name), found=found, expected=expected, remedy="rename it")
    if specimen.n_landmarks < (1 if alone and not identity else 2):
        found = counted(specimen.n_landmarks, "landmark")
        expected = "at least one, or two where the specimen has an ID or shares its photograph"
        raise UserError(specimen.name, found=found, expected=expected)
    if np.isinf(specimen.points).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    return label


def recognises(path: Path) -> bool:
    """Whether a CSV file is of this kind: ImageJ's titles and no others, after its numbers of rows or with labels."""
    header, *rows = csv_rows.peek(path) or [[]]
    numbered = header[:1] == [""]
    titles = header[1:] if numbered else header
    if len(rows) != 1 or len(rows[0]) != len(header) or not {X, Y} <= set(titles):
        return False
    if not all(HEADING.fullmatch(title) for title in titles):
        return False
    cells = dict(zip(header, rows[0], strict=True))
    placed = all(cells[name].casefold() in MISSING or NUMBER.fullmatch(cells[name]) for name in (X, Y))
    return placed and (re.fullmatch("[1-9][0-9]*", cells[""]) is not None if numbered else LABEL in titles)


FORMAT = Format("imagej", (".csv",), load, save, keeps=frozenset({"image", "id"}), recognises=recognises)
