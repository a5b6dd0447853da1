"""Rows of a comma-separated file with the lines they stand in, for every table that people may have edited by hand."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from pronotum.errors import UserError
from pronotum.formats.encoding import decode
from pronotum.formats.tps_record import NUMBER

MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none"}
"""What a missing number may look like, in lower case; the empty cell is what is written."""


@dataclass(frozen=True)
class Rows:
    """The table of a file.

    Attributes:
        path: of the file.
        header: name of each column, without surrounding blanks.
        rows: line number in the file and cells, one per column; blank lines are left out.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def where(self, line: int) -> str:
        """A line as messages call it."""
        return f"{self.path}:{line}"

    def number(self, line: int, column: int, cell: str) -> float:
        """The number of a cell; NaN = missing.

        Raises:
            UserError: neither a finite number nor a sign of a missing one.
        """
        if cell.casefold() in MISSING:
            return math.nan
        value = float(cell) if NUMBER.fullmatch(cell) else math.inf
        if math.isinf(value):
            raise UserError(
                self.where(line),
                found=f"'{cell[:30]}' in column {self.header[column] or column + 1}",
                expected="a number with a decimal point",
                remedy="correct it, or leave the cell empty if it is missing",
            )
        return value


def read(path: Path) -> Rows:
    """Read a table with a header. Columns at the end that have neither a name nor a single value are left out.

    Raises:
        UserError: it cannot be opened, is binary or empty, a row has more or fewer cells than the header, or no comma
            separates anything.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="a CSV file", remedy="save it as UTF-8 CSV")
    reader = csv.reader(io.StringIO(decode(content)[0], newline=""))
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if "".join(cells).strip()]
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}", found=str(error), expected="a CSV file") from None
    if not lines:
        raise UserError(path, found="nothing in it", expected="a header and rows, separated by commas")
    (first, header), *rows = lines
    if len(header) == 1 and any(other in header[0] for other in ";\t"):
        remedy = "export it again with commas and decimal points"
        raise UserError(f"{path}:{first}", found="no commas", expected="cells separated by commas", remedy=remedy)
    width = len(header)
    for number, cells in rows:
        if len(cells) != width:
            raise UserError(
                f"{path}:{number}",
                found=f"{len(cells)} cells",
                expected=f"{width} as in the header",
                remedy="add what is missing, or remove what is too much",
            )
    while width and not header[width - 1] and not any(cells[width - 1] for _, cells in rows):
        width -= 1
    return Rows(path, tuple(header[:width]), tuple((number, tuple(cells[:width])) for number, cells in rows))


def peek(path: Path) -> list[list[str]]:
    """Header and first row, for a guess at what a file is; fewer where there are fewer, none where it is unreadable."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            found = [[cell.strip() for cell in cells] for cells, _ in zip(csv.reader(file), range(2), strict=False)]
    except (OSError, csv.Error):
        return []
    return found
