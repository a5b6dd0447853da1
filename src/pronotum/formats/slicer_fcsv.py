"""Older point lists of 3D Slicer (``.fcsv``), one specimen a file; newer Slicers rather take ``slicer``.

Lines of ``# key = value``, then a comma-separated row per point. Frame as in `slicer_markups`: LPS (1) is x and y of
the photograph, RAS (0) both with the other sign, a pixel a millimetre. From Slicer 5 on rows end with two columns
without title; the first is the position status, 2 = defined, any other = missing. Older files cannot say that a point
is missing: Slicer has 0, 0, 0 there, which is read as the corner that it is.

Source: Slicer, `vtkMRMLMarkupsFiducialStorageNode` (4.x) and the numbers in `vtkMRMLMarkupsNode::PositionStatus`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, one_each
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.slicer_markups import SIGNS, STATUSES, names, on_photograph, stem
from pronotum.formats.specimen_rows import cell, holds
from pronotum.formats.tps_record import NUMBER
from pronotum.landmarks import Landmarks, Scheme

VERSION, SYSTEM, COLUMNS = "Markups fiducial file version", "CoordinateSystem", "columns"
SYSTEMS = {"0": "RAS", "1": "LPS", "RAS": "RAS", "LPS": "LPS"}
TITLES = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a point list.

    Args:
        path: FCSV file.
        sizes: not needed; y is down in the file.

    Returns:
        One specimen, points (K, 2) px, NaN = missing. Its photograph is the file's name without ``.fcsv``; names are
        the labels, where there are any besides 1, 2, ...

    Raises:
        UserError: no point list of Slicer 4 or later, an unknown coordinate system, a row without three finite numbers,
            off the plane of the photograph or of unknown status, labels that do not differ; says ``file:line``.
    """
    head, rows = _split(path)
    if VERSION not in head:
        expected = f"a point list of 3D Slicer, which starts with '# {VERSION} = '"
        raise UserError(path, found="no such line", expected=expected, remedy="save it again with Slicer 4 or later")
    system = SYSTEMS.get(head.get(SYSTEM, ""))
    if system is None:
        found = f"coordinate system '{head.get(SYSTEM, '')[:20]}'"
        raise UserError(path, found=found, expected="LPS or RAS", remedy="save it again in Slicer")
    titles = [title.strip() for title in head.get(COLUMNS, TITLES).split(",")]
    if not {"x", "y", "z"} <= set(titles):
        raise UserError(path, found=f"columns {', '.join(titles)[:60]}", expected=f"the columns {TITLES}")
    points = [_point(f"{path}:{line}", titles, cells, SIGNS[system]) for line, cells in rows]
    at = titles.index("label") if "label" in titles else len(titles)
    labels = [cells[at].strip() if at < len(cells) and at < len(titles) else "" for _, cells in rows]
    return (Landmarks(np.array(points).reshape(-1, 2), stem(path), names=names(labels, str(path))),)


def _split(path: Path) -> tuple[Mapping[str, str], Sequence[tuple[int, Sequence[str]]]]:
    """What the lines with # say, and the cells of the others with their line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="a point list of 3D Slicer")
    head: dict[str, str] = {}
    rows: list[tuple[int, Sequence[str]]] = []
    for number, line in enumerate(split_lines(decode(content)[0]), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            head[key.strip()] = value.strip()
        elif line.strip():
            try:
                rows.append((number, next(csv.reader([line.rstrip("\r\n")]))))
            except csv.Error as error:
                raise UserError(f"{path}:{number}", found=str(error), expected="a row of a point list") from None
    return head, rows


def _point(where: str, titles: Sequence[str], cells: Sequence[str], sign: float) -> tuple[float, float]:
    columns = [titles.index(axis) for axis in "xyz"]
    if len(cells) <= max(columns):
        raise UserError(where, found=counted(len(cells), "cell"), expected=f"{len(titles)}: {', '.join(titles)}")
    status = cells[len(titles)].strip() if len(cells) > len(titles) else ""
    if status not in {"", *map(str, range(len(STATUSES)))}:
        raise UserError(where, found=f"position status '{status[:20]}'", expected="0, 1, 2 or 3")
    if status and STATUSES[int(status)] != "defined":
        return math.nan, math.nan
    texts = [cells[column].strip() for column in columns]
    values = [float(text) if NUMBER.fullmatch(text) else math.inf for text in texts]
    if not all(map(math.isfinite, values)):
        raise UserError(where, found=f"the position {', '.join(texts)[:60]}", expected="three numbers")
    return on_photograph((values[0], values[1], values[2]), sign, where)


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a point list as Slicer 5 does, to a millionth of a px, in one step.

    Args:
        path: FCSV file, called as the photograph; replaced where it exists.
        specimens: the one to write, px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: none or several specimens, one without landmarks, names that do not differ or that a row cannot hold,
            an infinite coordinate.
    """
    specimen = one_each.only(path, specimens)
    if np.isinf(specimen.points).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    labels = specimen.names or Scheme.numbered(specimen.n_landmarks).names
    names(labels, specimen.name)
    broken = next((label for label in labels if not holds(label)), None)
    if broken is not None:
        found = f"a landmark named {ascii(broken)[:60]}"
        raise UserError(specimen.name, found=found, expected="names without line breaks", remedy="rename the landmark")
    text = io.StringIO(newline="")
    text.write(f"# {VERSION} = 5.2\n# {SYSTEM} = LPS\n# {COLUMNS} = {TITLES}\n")
    writer = csv.writer(text, lineterminator="\n")
    for number, (label, (x, y)) in enumerate(zip(labels, specimen.points, strict=True), start=1):
        status = STATUSES.index("missing" if math.isnan(x) else "defined")
        writer.writerow([number, cell(x, "0"), cell(y, "0"), 0, 0, 0, 0, 1, 1, 1, 0, label, "", "", status, 0])
    files.write_text(path, text.getvalue())


KEEPS = frozenset({"image", "names"})
FORMAT = Format("fcsv", (".fcsv",), load, save, keeps=KEEPS, file_name=one_each.photograph)
