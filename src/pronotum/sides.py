"""Left and right specimens: the ones of the other side mirrored, so that all show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray, Landmarks, Scheme

SIDES = ("left", "right")
COLUMN = "side"
"""Of the table of specimens, which may say it."""


def mirror(specimen: Landmarks, width: int, scheme: Scheme | None = None) -> Landmarks:
    """A specimen as it is on its photograph mirrored from left to right; its own inverse.

    Args:
        specimen: landmarks and curves, px of the photograph.
        width: px of the photograph.
        scheme: its pairs are swapped: landmark k of the result is the mirror image of landmark k's partner. Without
            pairs, as for a left and a right wing, every landmark is its own partner.

    Raises:
        UserError: another number of landmarks than the scheme has.
    """
    if scheme is not None and specimen.n_landmarks not in (scheme.n_fixed, scheme.n_landmarks):
        found = counted(specimen.n_landmarks, "landmark")
        raise UserError(specimen.name, found=found, expected=f"{scheme.n_fixed} as in the scheme")
    points, curves = _flip(specimen.points, width), [_flip(curve, width) for curve in specimen.curves]
    if scheme is not None:
        points = points[list(scheme.partners[: len(points)])]
    if scheme is not None and len(curves) == len(scheme.curves):
        curves = [
            _other_way(curves[other], closed=scheme.curves[other].closed) if backwards else curves[other]
            for other, backwards in scheme.curve_partners
        ]
    return replace(specimen, points=points, curves=tuple(curves), source=None)


def normalise(
    specimens: Sequence[Landmarks],
    sides: Sequence[str],
    sizes: Sequence[tuple[int, int] | None],
    *,
    scheme: Scheme | None = None,
    wanted: str = "left",
) -> tuple[Landmarks, ...]:
    """Specimens of one side as they are, those of the other mirrored.

    Their coordinates are then those of the mirrored photographs: right for shapes, beside the point on the photograph.

    Args:
        specimens: px of their photographs.
        sides: (N,) ``left`` or ``right``, or how they begin; in any case.
        sizes: (N,) width and height of the photographs, px.
        scheme: see `mirror`.
        wanted: the side that all shall show.

    Raises:
        UserError: a side that is neither, or a photograph to mirror whose size is not known.
    """
    goal = _side(wanted, "side")
    found = []
    for specimen, side, size in zip(specimens, sides, sizes, strict=True):
        if _side(side, specimen.name) == goal:
            found.append(specimen)
        elif size is None:
            remedy = "name the folder of the photographs"
            raise UserError(specimen.name, found="a photograph whose width is not known", remedy=remedy)
        else:
            found.append(mirror(specimen, size[0], scheme))
    return tuple(found)


def _side(text: str, where: str) -> str:
    said = text.strip().casefold()
    for side in SIDES:
        if said and side.startswith(said):
            return side
    raise UserError(where, found=f"side '{text}'", expected="left or right")


def _flip(points: FloatArray, width: int) -> FloatArray:
    return np.concatenate([width - 1 - points[:, :1], points[:, 1:]], axis=1)


def _other_way(curve: FloatArray, *, closed: bool) -> FloatArray:
    """A curve digitised in the other direction; a closed one from the same place."""
    returns = len(curve) > 0 and bool((curve[0] == curve[-1]).all())
    return np.roll(curve[::-1], 1, axis=0) if closed and not returns else curve[::-1]
