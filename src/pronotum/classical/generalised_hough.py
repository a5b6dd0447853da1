"""Generalised Hough transform: every point of the outline says where the reference point would be."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pronotum.classical.contours import directions, resample, smooth
from pronotum.classical.segmentation import Mask
from pronotum.classical.voting import Votes, count_votes
from pronotum.landmarks import FloatArray

OUTLINE_POINTS = 300
"""Points of an outline that vote, of the mended version."""
_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Gradients:
    """Edge pixels (N, 2) px and the directions (N,) of the gradient there, whole degrees."""

    points: FloatArray
    directions: NDArray[np.int64]


def gradient_directions(mask: Mask, points: FloatArray) -> NDArray[np.int64]:
    """(N,) direction of the gradient at edge pixels (N, 2) of the picture of 0 (object) and 255, whole degrees.

    Source:
        Spec C.6: rounded to 1 degree, on [0, 360].
    """
    binary = np.where(mask, 0, 255).astype(np.uint8)
    columns, rows = points.astype(np.int64).T
    across = cv2.Sobel(binary, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)[rows, columns]
    down = cv2.Sobel(binary, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)[rows, columns]
    return np.asarray(np.rint(np.degrees(np.arctan2(down, across)) % 360), dtype=np.int64)


def gradients(mask: Mask, points: FloatArray) -> Gradients:
    """Edge pixels with their directions."""
    return Gradients(points, gradient_directions(mask, points))


def vote_legacy(model: Gradients, scene: Gradients, *, centre: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Votes for the place of the model's centroid, which may only be shifted.

    Args:
        model, scene: edge pixels.
        centre: (2,) px of the model.
        size: (width, height) px of the scene.

    Returns:
        (H, W) votes, one cell per px.

    Source:
        Ballard (1981); spec C.6: the table of the model by direction, scene pixels vote with all its entries.
    """
    wide, high = size
    votes = np.zeros(wide * high, dtype=np.int64)
    for direction in np.intersect1d(model.directions, scene.directions):
        arms = centre - model.points[model.directions == direction]
        places = scene.points[scene.directions == direction]
        step = max(1, _CHUNK // len(arms))
        for start in range(0, len(places), step):
            target = np.rint(places[start : start + step, None] + arms[None]).astype(np.int64).reshape(-1, 2)
            inside = ((target >= 0) & (target < (wide, high))).all(axis=1)
            votes += np.bincount(target[inside, 1] * wide + target[inside, 0], minlength=wide * high)
    return votes.reshape(high, wide).astype(np.float64)


def peak_legacy(votes: FloatArray) -> FloatArray:
    """(2,) px of the cell with most votes, the first of several."""
    row, column = np.unravel_index(int(np.argmax(votes)), votes.shape)
    return np.array([column, row], dtype=np.float64)


def vote(model: FloatArray, scene: FloatArray, *, reference: FloatArray, size: tuple[int, int], scale: float) -> Votes:
    """Votes for the place of the reference point and the turn, by every pair of outline points with their tangents.

    Args:
        model, scene: (N, 2) outlines that run in the same sense, px.
        reference: (2,) px of the model.
        size: (width, height) px of the scene.
        scale: size of the scene / size of the model, roughly.

    Source:
        Ballard (1981) with turn and size, spec C.6 mended.
    """
    points, angles = zip(*(_with_tangents(outline) for outline in (model, scene)), strict=True)
    m, s = (index.ravel() for index in np.indices((OUTLINE_POINTS, OUTLINE_POINTS)))
    turn = angles[1][s] - angles[0][m]
    return count_votes(turn, model=points[0][m], scene=points[1][s], reference=reference, size=size, scale=scale)


def _with_tangents(outline: FloatArray) -> tuple[FloatArray, FloatArray]:
    points = smooth(resample(outline, OUTLINE_POINTS), 1.5)
    return points, directions(points)
