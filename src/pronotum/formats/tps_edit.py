"""TPS text for new values: whole records, and edits of the lines of a record that concern a change."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from pronotum.errors import UserError
from pronotum.formats.encoding import line_end, split_lines
from pronotum.formats.tps_record import NOT_A_NUMBER, NUMBER, ONE_VALUE, TpsRecord, idle, parse
from pronotum.geometry import flip_y
from pronotum.landmarks import FloatArray, Landmarks

Missing = Literal["keep", "tpsdig", "geomorph"]
"""How missing landmarks are written: as the record already does, ``-1.00000 -1.00000``, or ``NA NA``."""

_KEY_PARTS = re.compile(r"([^=]*=[ \t]*)(.*?)([ \t]*[\r\n]*)$", re.DOTALL)
_ROW_PARTS = re.compile(r"(\s*)(\S+)(\s+)(\S+)(.*)$", re.DOTALL)


def render_point(point: FloatArray, missing: Missing = "keep") -> str:
    """A landmark, y up, as a line without its end: five decimals; NaN as tpsDig writes it, or geomorph.

    A landmark that would read ``-1.00000 -1.00000`` without being missing is moved by 0.000001 px.
    """
    if np.isnan(point[0]):
        return "NA NA" if missing == "geomorph" else "-1.00000 -1.00000"
    text = " ".join(f"{value:.5f}" for value in point)
    return text if text != "-1.00000 -1.00000" else "-0.999999 -1.00000"


def render_scale(scale: float | None) -> str:
    """A scale in as few digits as give the same number again, never with an exponent; empty for None."""
    return "" if scale is None else np.format_float_positional(scale, trim="0")


def render(specimen: Landmarks, height: int | None, missing: Missing = "keep") -> str:
    """A specimen as a new record: LM, landmarks, CURVES, IMAGE, ID, SCALE, lines ended by LF, empty keys left out.

    Args:
        specimen: px, y down, NaN = missing.
        height: px of its photograph; None for y' = -y.
        missing: "geomorph" for NA NA, else -1.00000 -1.00000.
    """
    keys = {"IMAGE": specimen.image, "ID": specimen.id, "SCALE": render_scale(specimen.scale)}
    lines = [f"LM={specimen.n_landmarks}"]
    lines += [render_point(point, missing) for point in flip_y(specimen.points, height)]
    lines += [f"CURVES={len(specimen.curves)}"] if specimen.curves else []
    for curve in specimen.curves:
        lines += [f"POINTS={len(curve)}", *(render_point(point, missing) for point in flip_y(curve, height))]
    lines += [f"{key}={value}" for key, value in keys.items() if value]
    return "".join(line + "\n" for line in lines)


def edit(
    record: TpsRecord,
    points: FloatArray,
    *,
    image: str,
    identity: str,
    scale: float | None,
    missing: Missing = "keep",
) -> TpsRecord:
    """The record with other values; every line that need not change stays as it is.

    Args:
        record: what to start from.
        points: (K, 2) landmarks in the file's frame, y up; NaN = missing. Where K is not the record's, lines
            are added or removed at the end of its landmarks. A row equal to the record's keeps its line.
        image: new IMAGE=; empty for none.
        identity: new ID=; empty for none.
        scale: new SCALE=; None for none.
        missing: how to write missing landmarks; other than "keep" it applies to unchanged ones as well.

    Raises:
        UserError: an LM3 record would need a z coordinate nobody knows.
    """
    lines = list(record.lines)
    end = line_end(lines[0]) or "\n"
    style = missing if missing != "keep" else _style(record)
    for row, old, new in zip(record.rows, record.points, points, strict=False):
        if np.isnan(new[0]):
            lines[row] = _absent(lines[row], record.dimensions, style, keep=missing == "keep")
        elif (new != old).any():
            if record.dimensions == 3 and np.isnan(old[0]):
                raise _without_z(record)
            lines[row] = _moved(lines[row], new)
    n_before, n_after = len(record.points), len(points)
    added = "".join(render_point(point, style) + end for point in points[n_before:])
    if added and record.dimensions == 3:
        raise _without_z(record)
    if n_before != n_after:
        _set(lines, "LM", str(n_after), (0,), end)
        for row in record.rows[n_after:]:
            lines[row] = ""
        _append(lines, record.rows[-1] if record.rows else 0, added, end)
    before = {"IMAGE": record.image, "ID": record.id, "SCALE": record.scale}
    after = {"IMAGE": image, "ID": identity, "SCALE": scale}
    for key in [key for key in ONE_VALUE if before[key] != after[key]]:
        value = render_scale(scale) if key == "SCALE" else str(after[key])
        _set(lines, key, value, record.places.get(key, ()), end)
    return parse(split_lines("".join(lines)))


def _style(record: TpsRecord) -> Missing:
    """How this record writes missing landmarks."""
    words = [record.lines[row].split()[0].lower() for row in record.rows]
    return "geomorph" if any(word in NOT_A_NUMBER for word in words) else "tpsdig"


def _absent(line: str, dimensions: int, style: Missing, *, keep: bool) -> str:
    """A coordinate line made missing; untouched where it is already, in the style asked for or in any."""
    words = line.split()[:dimensions]
    is_na = words[0].lower() in NOT_A_NUMBER
    is_minus_one = all(NUMBER.fullmatch(word) and float(word) == -1 for word in words)
    if (is_na and (keep or style == "geomorph")) or (is_minus_one and (keep or style == "tpsdig")):
        return line
    return re.sub(r"\S+", "NA" if style == "geomorph" else "-1.00000", line, count=dimensions)


def _moved(line: str, point: FloatArray) -> str:
    """A coordinate line with another x and y; blanks and further columns stay."""
    parts = _ROW_PARTS.match(line)
    assert parts is not None
    x, y = render_point(point).split()
    return f"{parts[1]}{x}{parts[3]}{y}{parts[5]}"


def _set(lines: list[str], key: str, value: str, places: tuple[int, ...], end: str) -> None:
    """Change a KEY= line, delete it where the value is empty, or add one after the last line with content."""
    for place in places:
        parts = _KEY_PARTS.match(lines[place])
        assert parts is not None
        lines[place] = f"{parts[1]}{value}{parts[3]}" if value else ""
    if value and not places:
        last = max(index for index, line in enumerate(lines) if not idle(line))
        _append(lines, last, f"{key}={value}{end}", end)


def _append(lines: list[str], place: int, text: str, end: str) -> None:
    """Put lines after the one at `place`, which may be the last of the file and without end."""
    if text:
        lines[place] += ("" if not lines[place] or line_end(lines[place]) else end) + text


def _without_z(record: TpsRecord) -> UserError:
    return UserError(
        record.image or record.id or "LM3 record",
        found="a landmark whose z coordinate is not known, in a record with three dimensions (LM3)",
        remedy="save it to a new file with two dimensions",
    )
