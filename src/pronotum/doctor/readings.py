"""Ways in which whole landmark files are misread, each with the matrix that puts the coordinates right.

A file that counts y from the bottom edge is read with y = H - y. What went wrong in its own frame is put right there,
between two such flips; readings of that kind end in "y up".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pronotum.geometry import scaling
from pronotum.landmarks import FloatArray

Matrix = Callable[[int, int], FloatArray]
"""From width and height of a photograph, px, to 3x3: px as they were read -> px as they are right."""


@dataclass(frozen=True)
class Reading:
    """One other way to read a file.

    Attributes:
        words: how to say it.
        matrix: of each photograph.
    """

    words: str
    matrix: Matrix


def _affine(a: float, b: float, x: float, c: float, d: float, y: float) -> FloatArray:
    return np.array([[a, b, x], [c, d, y], [0.0, 0.0, 1.0]])


def _other_edge(w: int, h: int) -> FloatArray:
    return _affine(1, 0, 0, 0, -1, h)  # as `geometry.flip_y`


def _mirrored(w: int, h: int) -> FloatArray:
    return _affine(-1, 0, w - 1, 0, 1, 0)


def _half_turn(w: int, h: int) -> FloatArray:
    return _affine(-1, 0, w - 1, 0, -1, h - 1)


def _exchanged(w: int, h: int) -> FloatArray:
    return _affine(0, 1, 0, 1, 0, 0)


def _clockwise(w: int, h: int) -> FloatArray:
    return _affine(0, -1, w - 1, 1, 0, 0)


def _anticlockwise(w: int, h: int) -> FloatArray:
    return _affine(0, 1, 0, -1, 0, h - 1)


def _times(factor: float) -> Matrix:
    return lambda w, h: scaling(factor)


def _upwards(matrix: Matrix, turned: bool = False) -> Matrix:
    """The same in the frame of a file with y up; its height was the photograph's width where that was turned since."""
    return lambda w, h: (
        matrix(w, h) @ _other_edge(w, w) @ _other_edge(w, h)
        if turned
        else (_other_edge(w, h) @ matrix(w, h) @ _other_edge(w, h))
    )


def _readings() -> dict[str, Reading]:
    found = {
        "flip y": Reading("with y counted from the other edge", _other_edge),
        "flip x": Reading("with x counted from the other edge, as on mirrored photographs", _mirrored),
        "turn 180": Reading("with the photographs turned by 180 degrees", _half_turn),
        "exchange": Reading("with x and y exchanged", _exchanged),
        "exchange, y up": Reading("with x and y exchanged", _upwards(_exchanged)),
    }
    for name, way, matrix in (("turn 90", "clockwise", _clockwise), ("turn -90", "anticlockwise", _anticlockwise)):
        words = f"if digitised before the photographs were turned by 90 degrees {way}"
        found[name] = Reading(words, matrix)
        found[f"{name}, y up"] = Reading(words, _upwards(matrix, turned=True))
    for factor in (0.25, 0.5, 2.0, 4.0):
        of_what = f"1/{factor:g} of the size" if factor > 1 else f"{1 / factor:g} times the size"
        words = f"if digitised on copies of {of_what}"
        found[f"times {factor:g}"] = Reading(words, _times(factor))
        found[f"times {factor:g}, y up"] = Reading(words, _upwards(_times(factor)))
    return found


READINGS = _readings()
"""By the names that `Change.what` has for them."""
