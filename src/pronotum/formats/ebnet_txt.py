"""Answers of the networks of Le et al. as their programs write them: bare numbers, whose order is all there is.

A line is "x<TAB>y", an image L lines, images in the order of the CSV they were asked for. The numbers are those of
the network: x' = (x - W/2) / (W/2), y' = (y - H/2) / (H/2). The programs append to the file, so a repeated run
doubles it. Some published files have a blank line before each image.

Source: spec E.2, A.3; utils.py and the result archive of the authors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.tps_record import NOT_A_NUMBER, NUMBER
from pronotum.geometry import PAPER_FRAME
from pronotum.landmarks import FloatArray, Landmarks


def read_answers(path: Path, asked: Sequence[Landmarks], frame: tuple[int, int] = PAPER_FRAME) -> tuple[Landmarks, ...]:
    """Read the answers to the rows of a CSV.

    Args:
        path: TXT file.
        asked: the specimens answered, in order; of a CSV these are `ebnet_csv.complete(rows)`, because the programs
            drop the others. They give names, identities and the number of landmarks.
        frame: (width, height) px of the pictures.

    Returns:
        One per specimen asked: its image and ID, points (K, 2) in px of the frame, y down; NaN where the network
        answered NaN.

    Raises:
        UserError: a line that is no pair of numbers, blank lines inside an image, or another number of lines, as after
            a repeated run; says ``file:line`` where there is one.
    """
    if not asked or len({specimen.n_landmarks for specimen in asked}) != 1 or not asked[0].n_landmarks:
        raise UserError(path, found="nothing that was asked", expected="specimens with the same number of landmarks")
    points, starts = _points(path)
    n_landmarks = asked[0].n_landmarks
    wanted = len(asked) * n_landmarks
    if len(points) != wanted:
        runs, rest = divmod(len(points), wanted)
        again = f", the answers of {runs} runs one after another" if runs > 1 and not rest else ""
        raise UserError(
            path,
            found=f"{len(points)} lines{again}",
            expected=f"{wanted}, {n_landmarks} for each of {len(asked)} images",
            remedy="keep the lines of one run" if again else "name the test CSV it was made for",
        )
    broken = [(line, before) for line, before in starts if before % n_landmarks]
    if broken:
        line, before = broken[0]
        found = f"a blank line after {counted(before % n_landmarks, 'landmark')} of image {before // n_landmarks + 1}"
        raise UserError(f"{path}:{line}", found=found, expected=f"{n_landmarks} lines per image")
    half = np.array(frame) / 2
    answers = (points * half + half).reshape(len(asked), n_landmarks, 2)
    return tuple(Landmarks(own, one.image, one.id) for own, one in zip(answers, asked, strict=True))


def _points(path: Path) -> tuple[FloatArray, list[tuple[int, int]]]:
    """(M, 2) the numbers, and for each blank line its number and how many pairs stand before it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    found: list[tuple[float, float]] = []
    blanks: list[tuple[int, int]] = []
    for number, line in enumerate(split_lines(decode(content)[0]), start=1):
        words = line.split()
        if not words:
            blanks.append((number, len(found)))
            continue
        values = [_number(word) for word in words]
        if len(values) != 2 or any(math.isinf(value) for value in values):
            raise UserError(
                f"{path}:{number}",
                found=f"'{line.strip()[:30]}'",
                expected="two numbers, as the program writes x<TAB>y",
                remedy="name the file of its answers",
            )
        x, y = values
        found.append((math.nan, math.nan) if math.isnan(x) or math.isnan(y) else (x, y))
    return np.array(found, dtype=np.float64).reshape(-1, 2), blanks


def _number(word: str) -> float:
    if word.casefold() in NOT_A_NUMBER:
        return math.nan
    return float(word) if NUMBER.fullmatch(word) else math.inf


def write_answers(
    path: Path, answers: Sequence[Landmarks], frame: tuple[int, int] = PAPER_FRAME, *, blank_lines: bool = False
) -> None:
    """Write answers as the paper's programs do, but in one step and over an earlier file, never behind it.

    `read_answers` gives them back within 0.00001 px.

    Args:
        path: TXT file; replaced where it exists.
        answers: in the order of the CSV, px of the frame, y down; NaN is written as nan.
        frame: (width, height) px of the pictures.
        blank_lines: a blank line before each image.

    Raises:
        UserError: an infinite coordinate.
    """
    half = np.array(frame) / 2
    lines: list[str] = []
    for specimen in answers:
        if np.isinf(specimen.points).any():
            raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
        lines += [""] * blank_lines
        lines += [f"{x:.10g}\t{y:.10g}" for x, y in (specimen.points - half) / half]
    files.write_text(path, "".join(f"{line}\n" for line in lines))
