"""The result tables of the authors of Le et al., one row per specimen and landmark, as a `Part`.

``<part>_correlation.csv`` has manual and predicted landmarks at 256x192, ``summary_original_size/<part>.csv`` manual
landmarks and four sets of predictions at 3264x2448; both with the origin top-left, y down. Numbers stay as they are:
the whole numbers at 256x192 are indices of pixels, so centres of pixels in our convention.

Source: spec E.3, B.4; result archive of the authors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pronotum.errors import UserError, counted
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.rounds import key
from pronotum.formats import csv_rows
from pronotum.landmarks import FloatArray, Landmarks

SCRATCH_IMPROVED, FINE_TUNED_IMPROVED = "scratch_improved", "fine_tuned_improved"
"""The authors' predictions after they were moved to the best SIFT match near them."""

PARTS = {"elytre": "elytra", "tete": "head", "md": "mandible_right", "mg": "mandible_left"}
"""What the authors call a part in French (mandibule droite, gauche), and its name here."""

MANUAL = "manual"
_SPECIMEN, _LANDMARK = ("Image",), ("Landmark", "#Landmark", "LM")
_CORRELATION = {MANUAL: ("x1", "y1"), SCRATCH: ("x2", "y2")}
_SUMMARY = {
    MANUAL: ("x_manual", "y_manual"),
    SCRATCH: ("x_prediction", "y_prediction"),
    SCRATCH_IMPROVED: ("x_prediction_improved", "y_prediction_improved"),
    FINE_TUNED: ("x_fine_tuning", "y_fine_tuning"),
    FINE_TUNED_IMPROVED: ("x_fine_tuning_improved", "y_fine_tuning_improved"),
}


def read_correlation(path: Path, name: str | None = None) -> Part:
    """Read ``<part>_correlation.csv``: columns Image, Landmark, x1, y1 (manual), x2, y2 (trained from scratch).

    Args:
        path: CSV file.
        name: of the part; default what the file's name says, see `PARTS`.

    Returns:
        specimens in file order, px of 256x192.

    Raises:
        UserError: columns are missing, a cell is no number, or a landmark of a specimen is missing, twice there or out
            of order; says ``file:line``.
    """
    return _part(path, name or _name(path.stem.removesuffix("_correlation")), _CORRELATION, "px of 256x192")


def read_summary(path: Path, name: str | None = None) -> Part:
    """Read ``summary_original_size/<part>.csv``: manual landmarks and four sets of predictions.

    Two empty columns at the end, as the right mandible has them, are let be. In the published pronotum,
    `x_prediction` and `y_prediction` of landmark 2 are a copy of the x of landmark 1; that is not mended here.

    Args:
        path: CSV file.
        name: of the part; default what the file's name says, see `PARTS`.

    Returns:
        specimens in file order, px of 3264x2448; methods scratch, scratch_improved, fine_tuned, fine_tuned_improved.
        Whether the fine-tuned ones had been seen before is not known from the file; see `evaluation.published`.

    Raises:
        UserError: as `read_correlation`.
    """
    return _part(path, name or _name(path.stem), _SUMMARY, "px of 3264x2448")


def _name(stem: str) -> str:
    return PARTS.get(stem.casefold(), stem)


def _part(path: Path, name: str, columns: Mapping[str, tuple[str, str]], unit: str) -> Part:
    table = csv_rows.read(path)
    specimen, landmark = _column(table, _SPECIMEN), _column(table, _LANDMARK)
    places = [_column(table, (axis,)) for axes in columns.values() for axis in axes]
    grouped: dict[str, list[FloatArray]] = {}
    last: dict[str, int] = {}
    written: dict[str, str] = {}
    for line, identity, number, values in _landmarks(table, specimen, landmark, places):
        one = key(identity)
        expected = len(grouped.get(one, ())) + 1
        if number != expected:
            raise UserError(
                table.where(line),
                found=f"landmark {number} of specimen {identity}",
                expected=f"landmark {expected}",
                remedy="each landmark of a specimen once and in order; add, remove or move rows",
            )
        grouped.setdefault(one, []).append(values)
        last[one] = line
        written.setdefault(one, identity)
    n_landmarks = max(map(len, grouped.values()), default=0)
    for one, rows in grouped.items():
        if len(rows) < n_landmarks:
            raise UserError(
                table.where(last[one]),
                found=f"only {counted(len(rows), 'landmark')} of specimen {written[one]}",
                expected=f"{n_landmarks} as in the others",
                remedy="add the rows that are missing",
            )
    if not grouped:
        raise UserError(path, found="a header and no rows", expected="a row per specimen and landmark")
    stack = np.array(list(grouped.values()))  # (N, K, sets, 2)
    sets = {
        kind: [
            Landmarks(points, id=identity) for points, identity in zip(stack[:, :, at], written.values(), strict=True)
        ]
        for at, kind in enumerate(columns)
    }
    return Part.join(name, sets.pop(MANUAL), sets, unit=unit)


def _column(table: csv_rows.Rows, names: tuple[str, ...]) -> int:
    found = [column for column, name in enumerate(table.header) if name in names]
    if len(found) != 1:
        raise UserError(
            f"{table.path}:1",
            found=f"{counted(len(found), 'column')} named {' or '.join(names)}",
            expected="one",
            remedy="name a result table of the authors: ..._correlation.csv or one of summary_original_size",
        )
    return found[0]


def _landmarks(
    table: csv_rows.Rows, specimen: int, landmark: int, places: list[int]
) -> Iterator[tuple[int, str, int, FloatArray]]:
    """Line, specimen, number of the landmark and (sets, 2) coordinates of each row; NaN = missing in both."""
    for line, cells in table.rows:
        number = table.number(line, landmark, cells[landmark])
        if not cells[specimen] or not number.is_integer():
            found = f"specimen '{cells[specimen]}', landmark '{cells[landmark]}'"
            raise UserError(table.where(line), found=found, expected="the numbers of both", remedy="correct the row")
        values = np.array([table.number(line, at, cells[at]) for at in places]).reshape(-1, 2)
        values[np.isnan(values).any(1)] = np.nan
        yield line, cells[specimen], int(number), values
