"""CSV files of DeepLabCut (``CollectedData_<scorer>.csv`` and predictions on photographs) and of Lightning Pose.

Three rows of names, ``scorer``, ``bodyparts``, ``coords``, and with several animals ``individuals`` after the first;
then a row per photograph, its name in one column or in three. Missing = both cells empty. See `pose_table` for the
frame and the names of photographs.

DeepLabCut trains from the HDF5 file beside the CSV, not from the CSV: after a change call its ``convertcsv2h5``, or
write the HDF5 file too (format ``deeplabcut-h5``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, csv_rows
from pronotum.formats.pose_table import Column, Table, specimens, tabulate
from pronotum.landmarks import Landmarks

LEVELS = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))
"""The first cells of the rows of names."""


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a CSV of DeepLabCut or Lightning Pose.

    Likelihoods and visibilities are not kept, and neither are the columns ``set`` of Lightning Pose.

    Args:
        path: CSV file.
        sizes: not needed; y is down in the file.

    Returns:
        One per photograph, or per photograph and individual that is on it (its ID is the individual), in file order;
        points (K, 2) px, NaN = missing; names are the body parts.

    Raises:
        UserError: not the rows of names, several scorers, a cell that is no number, or as `pose_table.specimens`;
            says ``file:line``.
    """
    return specimens(_table(path), path)


def _table(path: Path) -> Table:
    cells = csv_rows.read(path)
    names, rows = _names(cells)
    header = names["scorer"]
    index = next((column for column in range(1, len(header)) if header[column]), 0)
    kept = [column for column in range(index, len(header)) if not _is_set(names, column)] if index else []
    scorers = dict.fromkeys(header[column] for column in kept)
    if len(scorers) != 1:
        found = (
            f"{counted(len(scorers), 'scorer')} ({', '.join(scorers)[:60]})" if scorers else "no columns of landmarks"
        )
        expected = "the landmarks of one scorer"
        raise UserError(cells.where(1), found=found, expected=expected, remedy="remove the columns of the others")
    columns = tuple(_column(names, column) for column in kept)
    labels = tuple(" ".join(filter(None, label)) for label in columns)
    labelled = replace(cells, header=labels)
    values = np.array(
        [[labelled.number(line, at, row[column]) for at, column in enumerate(kept)] for line, row in rows]
    ).reshape(len(rows), len(kept))
    photographs = tuple(row[:index] for _, row in rows)
    return Table(photographs, columns, values, next(iter(scorers)), lambda row: cells.where(rows[row][0]))


def _names(
    cells: csv_rows.Rows,
) -> tuple[dict[str, tuple[str, ...]], tuple[tuple[int, tuple[str, ...]], ...]]:
    """The rows of names by their first cells, and the other rows."""
    head = (cells.header, *(row for _, row in cells.rows[:3]))
    firsts = tuple(row[0] for row in head)
    levels = next((known for known in LEVELS if firsts[: len(known)] == known), None)
    if levels is None:
        raise UserError(
            cells.where(1),
            found=f"rows that start with {', '.join(firsts)[:60]}",
            expected=" or ".join(", ".join(known) for known in LEVELS),
            remedy="name a file that DeepLabCut or Lightning Pose has written",
        )
    return dict(zip(levels, head, strict=False)), cells.rows[len(levels) - 1 :]


def _is_set(names: dict[str, tuple[str, ...]], column: int) -> bool:
    """Whether a column tells for what Lightning Pose has used a photograph."""
    return names["scorer"][column] == "set" and not names["coords"][column]


def _column(names: dict[str, tuple[str, ...]], column: int) -> Column:
    individual = names["individuals"][column] if "individuals" in names else ""
    return individual, names["bodyparts"][column], names["coords"][column]


def save(path: Path, found: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a CSV as DeepLabCut does, in one step; `load` gives the same numbers back, to the last bit.

    Args:
        path: CSV file, best ``labeled-data/<folder>/CollectedData_<scorer>.csv``; see `pose_table.tabulate`.
        found: specimens, those of a photograph become neighbours; px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: as `pose_table.tabulate`.
    """
    table = tabulate(found, path)
    index = len(table.photographs[0])
    levels = [[table.scorer] * len(table.columns), *([*level] for level in zip(*table.columns, strict=True))]
    names = LEVELS[1] if any(levels[1]) else LEVELS[0]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for name, level in zip(names, levels if any(levels[1]) else [levels[0], *levels[2:]], strict=True):
        writer.writerow([name, *[""] * (index - 1), *level])
    for row, (parts, values) in enumerate(zip(table.photographs, table.values.tolist(), strict=True)):
        # pandas takes a first row without a single number for the names of the index (its issue 21995).
        missing = "NaN" if row == 0 and np.isnan(values).all() else ""
        writer.writerow([*parts, *(missing if np.isnan(value) else repr(value) for value in values)])
    files.write_text(path, text.getvalue())


def recognises(path: Path) -> bool:
    """Whether a CSV file is of this kind: its first rows start with ``scorer`` and ``individuals`` or ``bodyparts``."""
    firsts = tuple(row[0] if row else "" for row in csv_rows.peek(path))
    return len(firsts) == 2 and firsts in {known[:2] for known in LEVELS}


KEEPS = frozenset({"image", "names"})
FORMAT = Format(name="deeplabcut", suffixes=(".csv",), read=load, write=save, keeps=KEEPS, recognises=recognises)
