"""Rows of a CSV file with the lines they stand in, for every table that people may have edited by hand.

Cells are separated by commas; or, as spreadsheets in most of Europe save them, by semicolons or tabs, and then numbers
may have decimal commas. In one file all numbers have the same decimal mark. UTF-8, Windows-1252 or UTF-16 (Excel's
"Unicode text").
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pronotum.errors import UserError, counted
from pronotum.formats.encoding import decode
from pronotum.formats.tps_record import NUMBER

MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "none"}
"""What a missing number may look like, in lower case; the empty cell is what is written."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

HEAD = 1 << 20
"""Bytes that `peek` looks at."""

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_Lines = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Rows:
    """The table of a file.

    Attributes:
        path: of the file.
        header: name of each column, without surrounding blanks.
        rows: line number in the file and cells, one per column; blank lines are left out.
        decimal: mark of its numbers.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal: str = "."

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
        # In "1.234,5" and in a file of decimal commas "12.5" the point may be for thousands: nobody can tell.
        text = cell.replace(",", ".", 1) if self.decimal == "," and "." not in cell else cell
        value = float(text) if NUMBER.fullmatch(text) and not (self.decimal == "," and "." in cell) else math.inf
        if math.isinf(value):
            mark = "comma, as others in this file" if self.decimal == "," else "point"
            raise UserError(
                self.where(line),
                found=f"'{cell[:30]}' in column {self.header[column] or column + 1}",
                expected=f"a number with a decimal {mark}",
                remedy="correct it, or leave the cell empty if it is missing",
            )
        return value


def read(path: Path) -> Rows:
    """Read a table with a header. Columns at the end that have neither a name nor a single value are left out.

    Raises:
        UserError: it cannot be opened, is binary or empty, a row has more or fewer cells than the header, or nothing
            separates cells.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    text = _decoded(content)
    if "\0" in text:
        raise UserError(path, found="binary data or UTF-16 text", expected="a CSV file", remedy="save it as UTF-8 CSV")
    try:
        separator, lines = _separated(text)
    except csv.Error as error:
        raise UserError(path, found=f"no table ({error})", expected="a CSV file") from None
    if not lines:
        raise UserError(path, found="nothing in it", expected="a header and rows, separated by commas")
    width = len(lines[0][1])
    for number, cells in lines[1:]:
        if len(cells) != width:
            raise UserError(
                f"{path}:{number}",
                found=counted(len(cells), "cell") + f", separated by {SEPARATORS[separator]}" * (separator != ","),
                expected=f"{width} as in the header",
                remedy="add what is missing, or remove what is too much",
            )
    (_, header), *rows = lines
    while width and not header[width - 1] and not any(cells[width - 1] for _, cells in rows):
        width -= 1
    kept = tuple((number, tuple(cells[:width])) for number, cells in rows)
    return Rows(path, tuple(header[:width]), kept, _decimal(separator, rows))


def _decoded(content: bytes) -> str:
    """Text of bytes, UTF-16 where they begin with its mark."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return decode(content)[0]


def _separated(text: str) -> tuple[str, _Lines]:
    """The separator that gives all lines as many cells as the header, a comma before others; else one the header has.

    Raises:
        csv.Error: no table.
    """
    first = text.lstrip().partition("\n")[0]
    tried = [(separator, _parsed(text, separator)) for separator in SEPARATORS if separator in first]
    for separator, lines in tried:
        if lines and len(lines[0][1]) > 1 and len({len(cells) for _, cells in lines}) == 1:
            return separator, lines
    return tried[0] if tried else (",", _parsed(text, ","))


def _parsed(text: str, separator: str) -> _Lines:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if "".join(cells).strip()]


def _decimal(separator: str, rows: _Lines) -> str:
    """The mark of numbers; where commas separate cells they are none."""
    some = separator != "," and any(_DECIMAL_COMMA.fullmatch(cell) for _, cells in rows for cell in cells)
    return "," if some else "."


def peek(path: Path) -> list[list[str]]:
    """Header and first row, for a guess at what a file is; fewer where there are fewer, none where it is unreadable.

    Numbers have a decimal point, whatever they have in the file.
    """
    try:
        with path.open("rb") as file:
            text = _decoded(file.read(HEAD))
            whole = text if not file.read(1) else text[: text.rfind("\n") + 1]
        separator, lines = _separated(whole)
    except (OSError, csv.Error):
        return []
    if _decimal(separator, lines[1:]) == ",":
        lines[1:] = [
            (line, [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells])
            for line, cells in lines[1:]
        ]
    return [cells for _, cells in lines[:2]]
