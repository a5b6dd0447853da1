"""The grammar of TPS: one specimen as the lines a file has for it, and the values read from them.

Nothing of a file is lost: values are derived from the lines, and a change edits the lines it concerns.

Source: F. J. Rohlf, help of tpsDig2 and tpsUtil; what files in the wild add is in tests/formats/test_tps.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pronotum.errors import UserError
from pronotum.landmarks import FloatArray, as_points

START = re.compile(r"\s*LM3?\s*=", re.IGNORECASE)
KEY = re.compile(r"\s*([A-Za-z][\w.-]*)\s*=\s*(.*?)\s*$", re.DOTALL)
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
NOT_A_NUMBER = {"na", "nan"}
_IDLE = " \t\r\n\f\x1a"  # \x1a ends files of MS-DOS programs
ONE_VALUE = ("IMAGE", "ID", "SCALE")


@dataclass(frozen=True, eq=False)
class TpsRecord:
    """One specimen of a TPS file.

    Attributes:
        lines: the text, one entry per line, line ends included; the first is the LM= or LM3= line.
        points: (K, 2) landmarks, columns (x, y), in the file's own frame: y up, units as in the file (px);
            NaN = missing. Of LM3 records x and y; z stays in `lines`.
        curves: one (k, 2) array per curve, same frame.
        outlines: one (k, 2) array per outline, same frame; of the last OUTLINES= if there are several.
        image: value of IMAGE=, folders included.
        id: value of ID=.
        scale: length units per px, None where absent or empty.
        comment: value of COMMENT=, lines joined by LF.
        variables: value of VARIABLES= as name -> value.
        dimensions: 3 for LM3=, else 2.
        rows: (K,) index into `lines` of each landmark.
        places: key -> indices into `lines` of IMAGE=, ID=, SCALE=.
    """

    lines: tuple[str, ...]
    points: FloatArray
    curves: tuple[FloatArray, ...]
    outlines: tuple[FloatArray, ...]
    image: str
    id: str
    scale: float | None
    comment: str
    variables: dict[str, str]
    dimensions: int
    rows: tuple[int, ...]
    places: dict[str, tuple[int, ...]]

    @property
    def text(self) -> str:
        """The record as the file has it."""
        return "".join(self.lines)


def parse(lines: Sequence[str], file: object = "TPS record", first: int = 1) -> TpsRecord:
    """Read one record.

    Args:
        lines: its lines with their ends, the LM= line first.
        file: where it is from, for messages.
        first: number of its first line in the file, for messages.

    Raises:
        UserError: the record is broken; says ``file:line``.
    """
    return _Parser(tuple(lines), file, first).record()


def idle(line: str) -> bool:
    """Whether a line says nothing: it is blank, or a remark that starts with #."""
    content = line.strip(_IDLE)
    return not content or content.startswith("#")


def starts_with_numbers(line: str) -> bool:
    """Whether a line begins like a landmark does, with two numbers."""
    words = line.split()
    return len(words) > 1 and all(NUMBER.fullmatch(word) for word in words[:2])


class _Parser:
    """Walks over the lines of one record; `at` is the index of the line it is about to read."""

    def __init__(self, lines: tuple[str, ...], file: object, first: int) -> None:
        self.lines, self.file, self.first, self.at = lines, file, first, 0

    def record(self) -> TpsRecord:
        key, n_landmarks = self.count(0)
        dimensions = 3 if key == "LM3" else 2
        points, rows = self.block(dimensions)
        groups: dict[str, tuple[FloatArray, ...]] = {}
        values: dict[str, str] = {}
        places: dict[str, tuple[int, ...]] = {}
        comment: list[str] = []
        latest = key
        while (index := self.next()) is not None:
            found = KEY.match(self.lines[index])
            if found is None:
                if latest not in ("COMMENT", "COMMENTS"):
                    raise self.stray(index, latest, n_landmarks)
                comment.append(self.lines[index].strip())
                continue
            latest, value = found[1].upper(), found[2]
            if latest in ("CURVES", "OUTLINES"):
                groups[latest] = self.group(index, dimensions)
            elif latest in ("COMMENT", "COMMENTS"):
                comment.append(value)
            elif latest == "POINTS":
                raise self.error(
                    index,
                    f"POINTS={value} which no CURVES= or OUTLINES= announces",
                    remedy="correct the number in CURVES= or OUTLINES=",
                )
            else:
                self.check_repeated(index, latest, value, values)
                values[latest] = value
                places[latest] = (*places.get(latest, ()), index)
        return TpsRecord(
            lines=self.lines,
            points=points,
            curves=groups.get("CURVES", ()),
            outlines=groups.get("OUTLINES", ()),
            image=values.get("IMAGE", ""),
            id=values.get("ID", ""),
            scale=self.scale(places["SCALE"][-1], values["SCALE"]) if values.get("SCALE") else None,
            comment="\n".join(comment),
            variables=dict(_variable(part) for part in values.get("VARIABLES", "").split(",") if part.strip()),
            dimensions=dimensions,
            rows=rows,
            places={key: places[key] for key in ONE_VALUE if key in places},
        )

    def error(self, index: int, found: str, expected: str = "", remedy: str = "") -> UserError:
        return UserError(f"{self.file}:{self.first + index}", found=found, expected=expected, remedy=remedy)

    def next(self) -> int | None:
        """Index of the next line that says something, and move past it."""
        while self.at < len(self.lines):
            self.at += 1
            if not idle(self.lines[self.at - 1]):
                return self.at - 1
        return None

    def count(self, index: int) -> tuple[str, int]:
        """Key and value of LM=, LM3=, CURVES=, OUTLINES= or POINTS=; go on with the line after it."""
        found = KEY.match(self.lines[index])
        assert found is not None
        self.at = index + 1
        key, value = found[1].upper(), found[2]
        if not re.fullmatch(r"\+?\d+", value, re.ASCII):
            raise self.error(index, f"{key}={value}", "a whole number, 0 or more", f"correct {key}=")
        return key, int(value)

    def block(self, dimensions: int) -> tuple[FloatArray, tuple[int, ...]]:
        """Read as many coordinate lines as the line before them announces."""
        header = self.at - 1
        key, count = self.count(header)
        rows: list[int] = []
        points: list[tuple[float, float]] = []
        while len(rows) < count:
            index = self.next()
            if index is None or KEY.match(self.lines[index]):
                raise self.too_few(header, f"{key}={count}", len(rows), index)
            points.append(self.landmark(index, dimensions))
            rows.append(index)
        return as_points(points), tuple(rows)

    def group(self, header: int, dimensions: int) -> tuple[FloatArray, ...]:
        """Read the curves or outlines the header announces."""
        key, count = self.count(header)
        curves: list[FloatArray] = []
        for number in range(count):
            index = self.next()
            found = KEY.match(self.lines[index]) if index is not None else None
            if index is None or found is None or found[1].upper() != "POINTS":
                raise self.error(
                    header,
                    f"{key}={count} but {number} POINTS= {self.place(index)}",
                    "one POINTS=, with its coordinates, for each",
                    f"correct {key}= or add what is missing",
                )
            curves.append(self.block(dimensions)[0])
        return tuple(curves)

    def landmark(self, index: int, dimensions: int) -> tuple[float, float]:
        """Read the coordinates of one line; more columns than dimensions are let be."""
        words = self.lines[index].strip(_IDLE).split()
        comma = next((word for word in words[:dimensions] if "," in word), None)
        if comma:
            raise self.error(
                index, f"'{comma}'", "numbers with a decimal point, separated by a blank", "replace the comma"
            )
        if len(words) < dimensions:
            raise self.error(
                index,
                f"{len(words)} coordinate{'s' * (len(words) > 1)} ('{' '.join(words)}')",
                f"{dimensions} per landmark",
                "add what is missing, or mark the landmark as missing (-1 -1)",
            )
        values = [self.number(index, word) for word in words[:dimensions]]
        absent = [math.isnan(value) for value in values]
        if any(absent) and not all(absent):
            raise self.error(
                index,
                f"'{' '.join(words[:dimensions])}', a landmark missing in one coordinate only",
                "NA for all of them, or for none",
            )
        if all(value == -1 for value in values):
            return math.nan, math.nan
        return values[0], values[1]

    def number(self, index: int, word: str) -> float:
        if word.lower() in NOT_A_NUMBER:
            return math.nan
        value = float(word) if NUMBER.fullmatch(word) else math.inf
        if math.isinf(value):
            raise self.error(index, f"'{word}'", "a number", "correct it, or write -1 -1 for a missing landmark")
        return value

    def scale(self, index: int, value: str) -> float:
        number = float(value) if NUMBER.fullmatch(value) else math.nan
        if not 0 < number < math.inf:
            hint = f"write {value.replace(',', '.')}" if "," in value else "correct it, or delete the line"
            raise self.error(index, f"SCALE={value}", "a positive number, length units per pixel", hint)
        return number

    def check_repeated(self, index: int, key: str, value: str, values: dict[str, str]) -> None:
        """Two photographs or IDs in one record mean that an LM= line is lost between them."""
        if key in ONE_VALUE and values.get(key, value) != value:
            raise self.error(
                index,
                f"a second {key}= ({value}) that differs from the first ({values[key]})",
                f"one {key}= per specimen, each specimen starting with LM=",
                "add the missing LM= line, or delete the wrong one",
            )

    def too_few(self, header: int, announced: str, n_rows: int, index: int | None) -> UserError:
        return self.error(
            header,
            f"{announced} but only {n_rows} coordinate line{'s' * (n_rows != 1)} {self.place(index)}",
            remedy="correct the number, or add the coordinates (-1 -1 for a landmark that cannot be seen)",
        )

    def place(self, index: int | None) -> str:
        """Before what the record stopped."""
        if index is None:
            return "before it ends"
        found = KEY.match(self.lines[index])
        what = f"{found[1]}=" if found else f"'{_short(self.lines[index])}'"
        return f"before {what} in line {self.first + index}"

    def stray(self, index: int, latest: str, n_landmarks: int) -> UserError:
        text = _short(self.lines[index])
        if not starts_with_numbers(self.lines[index]):
            return self.error(index, f"'{text}'", "KEY=value", "delete the line, or write COMMENT= before it")
        if latest in ("LM", "LM3"):
            found = f"one more coordinate line ('{text}') than {latest}={n_landmarks} announces"
            return self.error(index, found, remedy=f"correct {latest}=, or delete the line")
        remedy = "add the missing LM=<number of landmarks> line, or correct POINTS=, or delete the line"
        return self.error(index, f"coordinates ('{text}') that no LM= or POINTS= announces", remedy=remedy)


def _variable(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip()


def _short(line: str) -> str:
    text = line.strip()
    return text if len(text) <= 30 else text[:27] + "..."
