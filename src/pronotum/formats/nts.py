"""NTSYSpc files (.nts), and Landmark Editor's and Checkpoint's kind of them (.dta): a matrix of one specimen a row.

Grammar: remarks from a ``"`` to the end of the line, and lines that begin with ``'``; then the parameter line,
``1 n m 0 DIM=2`` or ``1 n m 1 CODE DIM=2``: 1 = rectangular matrix, n specimens, m = 2K coordinates, 0 = complete or
1 = CODE stands for a missing number. A letter behind n says where the labels of rows are: L = listed before the
numbers, B = at the beginning of each row, E = at its end; an L behind m = labels of columns are listed after those of
the rows. Labels have no blanks, except in a list that has one a line, as .dta files do. All is free format: a row may
go over many lines. ``1 K 2 0 DIM=2`` without labels is one specimen, one landmark a row (geomorph's digit.fixed).

Frame of the file: px, y up, origin bottom-left, y = H - y_file, as in TPS files, from which tpsUtil makes them. A label
is the only name: that of the photograph, where it tells specimens apart, else the ID, else both.

Missing: the code of the parameter line, or NA (geomorph). Landmark Editor writes ``1 9999`` even in complete files.

Source: F. J. Rohlf, NTSYSpc 2.1 user guide, "NTS file format"; geomorph, R/readland.nts.r; Morpho, R/read.lmdta.r.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, coordinate_columns, height_of, specimen_rows
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.tps_record import NOT_A_NUMBER, NUMBER
from pronotum.geometry import flip_y
from pronotum.landmarks import FloatArray, Landmarks

REMARK = '" landmarks in px, y up from the bottom edge of the photograph'
LANDMARK_EDITOR, EDITORS_CODE = ".dta", "9999"
_WORD = re.compile(r"[^\s,]+")
_COUNT = re.compile(r"([0-9]{1,9})([LBE]?)", re.IGNORECASE)
_DIM = re.compile(r"DIM\s*=\s*([0-9]+)", re.IGNORECASE)
_Words = list[tuple[int, str]]


@dataclass(frozen=True)
class Parameters:
    """The parameter line.

    Attributes:
        line: its number in the file.
        n_rows: number of rows.
        n_columns: number of columns.
        rows: where the labels of rows are: "L", "B", "E" or "".
        columns: "L" where columns have labels, else "".
        code: what stands for a missing number; None where the matrix is complete.
    """

    line: int
    n_rows: int
    n_columns: int
    rows: str
    columns: str
    code: float | None


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a matrix of landmarks, y down.

    Args:
        path: NTS or DTA file.
        sizes: sizes of the photographs in px after EXIF orientation, by label; where one is not known, y' = -y.

    Returns:
        One per row, in file order, points (K, 2) in px, NaN = missing. A label is `image` where it ends like the name
        of a picture, else `id`. Rows without labels have their numbers as IDs, the one specimen of a file the file's
        name.

    Raises:
        UserError: no rectangular matrix of two dimensions, more or fewer numbers than announced, something that is no
            number, a label twice; says ``file:line``.
    """
    parameters, lines = _read(path)
    labels, words = _labels(path, parameters, lines)
    n_rows, n_columns = parameters.n_rows, parameters.n_columns
    if n_columns == 2 and not parameters.rows:
        labels, n_rows, n_columns = [path.stem], 1, 2 * n_rows
    return specimen_rows.distinct(path, _specimens(path, parameters.code, labels, words, (n_rows, n_columns), sizes))


def _specimens(
    path: Path, code: float | None, labels: list[str], words: _Words, shape: tuple[int, int], sizes: Sizes
) -> Iterator[tuple[str, Landmarks]]:
    for row in range(shape[0]):
        own = words[row * shape[1] : (row + 1) * shape[1]]
        label = labels[row] if labels else str(row + 1)
        where = f"{path}:{own[0][0]}"
        points = specimen_rows.as_points((_number(path, code, line, word) for line, word in own), where)
        yield where, Landmarks(flip_y(points, height_of(label, "", sizes)), *specimen_rows.named(label))


def _number(path: Path, code: float | None, line: int, word: str) -> float:
    if word.casefold() in NOT_A_NUMBER:
        return np.nan
    value = float(word) if NUMBER.fullmatch(word) else np.inf
    if np.isinf(value):
        raise UserError(
            f"{path}:{line}",
            found=f"'{word[:30]}'",
            expected="a number with a decimal point",
            remedy="correct it, or the numbers of rows and columns and their labels in the parameter line",
        )
    return np.nan if value == code else value


def _content(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, without remarks."""
    for number, line in enumerate(split_lines(text), start=1):
        content = line.partition('"')[0].strip(" \t\r\n\f\x1a")
        if content and not content.startswith("'"):
            yield number, content


def _read(path: Path) -> tuple[Parameters, list[tuple[int, str]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="an NTS text file")
    lines = list(_content(decode(content)[0]))
    if not lines:
        raise UserError(path, found="nothing in it", expected="a line as 1 20L 16 0 DIM=2, labels and numbers")
    return _parameters(path, *lines[0]), lines[1:]


def _parameters(path: Path, line: int, text: str) -> Parameters:
    """Read the parameter line.

    Raises:
        UserError: it is none, or not that of landmarks in two dimensions.
    """

    def error(found: str, expected: str = "a line as 1 20L 16 0 DIM=2 or 1 20L 16 1 -999 DIM=2") -> UserError:
        return UserError(f"{path}:{line}", found=found, expected=expected, remedy="correct the parameter line")

    dimensions = _DIM.search(text)
    words = _WORD.findall(_DIM.sub(" ", text, count=1))
    rows, columns = (_COUNT.fullmatch(word) for word in (*words[1:3], "", "")[:2])
    if not rows or not columns or words[0] not in tuple("12345678"):
        raise error(f"'{text[:40]}'")
    if words[0] != "1":
        raise error(f"a matrix of kind {words[0]}", "1, a rectangular matrix")
    if dimensions is None:
        raise error("no DIM=", "DIM=2 for landmarks in two dimensions")
    if int(dimensions[1][:9]) != 2:
        raise error(f"landmarks in {dimensions[1][:9]} dimensions", "landmarks on photographs, DIM=2")
    code = words[4] if words[3:4] == ["1"] and len(words) == 5 else None
    if (code is None and words[3:] != ["0"]) or (code and not NUMBER.fullmatch(code)):
        raise error(f"'{' '.join(words[3:])[:30]}'", "0 for a complete matrix, or 1 and the code for what is missing")
    n_rows, n_columns, columns_at = int(rows[1]), int(columns[1]), columns[2].upper()
    if n_columns % 2 or not n_columns or not n_rows:
        raise error(
            f"{counted(n_rows, 'row')} and {counted(n_columns, 'column')}",
            "at least one row, and two columns for each landmark",
        )
    if columns_at not in ("", "L"):
        raise error(f"labels of columns of kind {columns_at}", "none, or L: listed before the numbers")
    return Parameters(line, n_rows, n_columns, rows[2].upper(), columns_at, float(code) if code else None)


def _labels(path: Path, parameters: Parameters, lines: list[tuple[int, str]]) -> tuple[list[str], _Words]:
    """Labels of the rows, none where there are none, and the words of the matrix with their lines.

    Raises:
        UserError: more or fewer words than the parameter line announces.
    """
    n_rows, n_columns = parameters.n_rows, parameters.n_columns
    words = [(number, word) for number, line in lines for word in _WORD.findall(line)]
    n_titles = n_columns if parameters.columns else 0
    listed = parameters.rows == "L"
    wanted = n_titles + n_rows * (n_columns + bool(parameters.rows))
    labels: list[str] = []
    if listed and len(words) != wanted:
        behind = [(number, word) for number, line in lines[n_rows:] for word in _WORD.findall(line)]
        if len(behind) == wanted - n_rows:
            labels, words, wanted = [line for _, line in lines[:n_rows]], behind, wanted - n_rows
    if len(words) != wanted:
        raise UserError(
            f"{path}:{parameters.line}",
            found=f"{counted(len(words), 'word')} after the parameter line",
            expected=f"{wanted}: {counted(n_rows, 'row')} of {counted(n_columns, 'number')}"
            + " with labels" * bool(parameters.rows),
            remedy="correct the parameter line, add what is missing, or remove blanks in labels",
        )
    if listed and not labels:
        labels, words = [word for _, word in words[:n_rows]], words[n_rows:]
    coordinate_columns.in_turn([word for _, word in words[:n_titles]], f"{path}:{parameters.line}")
    words = words[n_titles:]
    if parameters.rows in ("B", "E"):
        at = 0 if parameters.rows == "B" else n_columns
        labels = [word for _, word in words[at :: n_columns + 1]]
        words = [word for index, word in enumerate(words) if index % (n_columns + 1) != at]
    return labels, words


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a file with labels, y up, to a millionth of a px, in one step.

    A .dta file is written as Landmark Editor does, one landmark a line and always with the code 9999; others with one
    specimen a line, and with a code only where something is missing: -999, or more nines where a coordinate begins so
    (geomorph takes every number that the code is a part of for missing).

    Args:
        path: NTS or DTA file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: sizes of the photographs in px after EXIF orientation.

    Raises:
        UserError: no specimens, different landmarks, labels that do not tell the specimens apart or that have blanks,
            commas or quotes, a photograph whose height is needed and unknown, an infinite coordinate.
    """
    specimen_rows.shared_landmarks(path, specimens)
    labels = specimen_rows.labels(path, specimens, "_")
    for label in labels:
        if not _WORD.fullmatch(label) or set(label) & set("'\""):
            raise UserError(
                path,
                found=f"the name '{label}'",
                expected="names without blanks, commas and quotes, which NTS files cannot hold",
                remedy="rename the photograph or the ID",
            )
    matrix = [specimen_rows.rising(specimen, sizes, "NTS") for specimen in specimens]
    text = _editors(labels, matrix) if path.suffix.lower() == LANDMARK_EDITOR else _plain(labels, matrix)
    files.write_text(path, f"{REMARK}\n{text}")


def _plain(labels: list[str], matrix: list[FloatArray]) -> str:
    code = _code("-999", matrix)
    complete = not any(np.isnan(points).any() for points in matrix)
    head = f"1 {len(labels)}L {matrix[0].size} {'0' if complete else f'1 {code}'} DIM=2"
    rows = (" ".join(specimen_rows.cell(value, code) for value in points.ravel()) for points in matrix)
    return "".join(f"{line}\n" for line in (head, *labels, *rows))


def _editors(labels: list[str], matrix: list[FloatArray]) -> str:
    code = _code(EDITORS_CODE, matrix)
    lines = [f"1 {len(labels)}L {matrix[0].size} 1 {code} DIM=2", "", *labels]
    for points in matrix:
        lines += ["", *(" ".join(specimen_rows.cell(value, code) for value in point) for point in points)]
    return "".join(f"{line}\n" for line in lines)


def _code(code: str, matrix: list[FloatArray]) -> str:
    """The code with as many nines as it takes for no coordinate to contain it."""
    texts = [specimen_rows.cell(value) for points in matrix for value in points.ravel()]
    while any(code in text for text in texts):
        code += "9"
    return code


def recognises(path: Path) -> bool:
    """Whether a file is of this kind: its first line without a remark is a parameter line with DIM=2.

    Stata's data files end in .dta too.
    """
    try:
        with path.open("rb") as file:
            lines = list(_content(decode(file.read(1 << 16))[0]))
        return bool(lines) and _parameters(path, *lines[0]).n_rows > 0
    except (OSError, UserError):
        return False


FORMAT = Format(
    name="nts",
    suffixes=(".nts", LANDMARK_EDITOR),
    read=load,
    write=save,
    keeps=frozenset({"label"}),
    upward=True,
    recognises=recognises,
)
