"""Pairwise geometric histograms: what a shape of line segments looks like, whatever its position, turn and size."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from pronotum.landmarks import FloatArray

COLUMNS = 500
"""Bins of distance, up to the largest distance in the shape."""
_SLACK = 1e-7
"""Bins by which a value may miss the next bin: outlines of whole px have many angles of exactly 45 degrees."""


def pairwise_histogram(segments: FloatArray, *, rows_per_degree: float = 1.0, columns: int = COLUMNS) -> FloatArray:
    """Counts over the angle between two lines and the distances of one from the other.

    For every ordered pair of segments, the row is the acute angle between their lines; every column from the smaller
    to the larger perpendicular distance of the second's end points from the first's line gets 1.

    Args:
        segments: (S, 2, 2) px.
        rows_per_degree: 1 for rows of 1 degree, 0.5 for the published "half" setting.
        columns: bins of distance.

    Returns:
        (180 * rows_per_degree, columns) counts. Angles stop at 90 degrees, so half of the rows stay empty; the
        published table is like that.

    Source:
        Evans, Thacker & Mayhew (1992); spec C.2.
    """
    rows = round(180 * rows_per_degree)
    angle, low, high = pair_geometry(segments)
    largest = float(high.max(initial=0.0))
    table = np.zeros((rows, columns + 1))
    if largest == 0:
        return table[:, :columns]
    row = np.minimum((angle * rows_per_degree + _SLACK).astype(np.int64), rows - 1)
    first, last = (_column(distance, largest / columns) for distance in (low, high))
    others = ~np.eye(len(segments), dtype=bool)
    # +1 where a run of columns begins and -1 behind its end; the running sum over the columns is the histogram
    size = table.size
    begins = np.bincount((row * (columns + 1) + first)[others], minlength=size)
    ends = np.bincount((row * (columns + 1) + last + 1)[others], minlength=size)
    counts = np.cumsum((begins - ends).reshape(table.shape), axis=1)[:, :columns]
    return counts.astype(np.float64)


def pair_geometry(segments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angle and distances of every ordered pair of segments (i, j).

    Returns:
        (S, S) acute angle between the lines in degrees; smaller and larger perpendicular distance in px of the end
        points of j from the line of i.
    """
    step = segments[:, 1] - segments[:, 0]
    length = np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12)
    unit = step / length
    normal = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    cosine = np.abs(unit @ unit.T)
    sine = np.abs(normal @ unit.T)
    angle = np.degrees(np.arctan2(sine, cosine))
    offset = (normal * segments[:, 0]).sum(1)[:, None]
    start, end = (np.abs(normal @ segments[:, which].T - offset) for which in (0, 1))
    return angle, np.minimum(start, end), np.maximum(start, end)


def smoothed(histogram: FloatArray, rows: float = 1.0, columns: float = 2.0) -> FloatArray:
    """A histogram blurred by a Gaussian of so many bins.

    Unblurred, two outlines differ by where a pixel more or less makes a break point: specimens of one part have a
    coefficient of 0.92 to 0.95 at 1632 px and 0.98 to 0.99 blurred, while failed segmentations stay below 0.91.
    """
    return np.asarray(ndimage.gaussian_filter(histogram, (rows, columns), mode="constant"), dtype=np.float64)


def bhattacharyya(first: FloatArray, second: FloatArray) -> float:
    """Bhattacharyya coefficient of two histograms of one size: 1 for the same shape, 0 for nothing in common.

    The published program calls it a distance. 0 where a histogram is empty.

    Source:
        Spec C.2: sum of sqrt(p q), both normalised to 1.
    """
    total = float(first.sum()) * float(second.sum())
    return float(np.sqrt(first * second).sum() / math.sqrt(total)) if total > 0 else 0.0


def _column(distance: FloatArray, width: float) -> FloatArray:
    """Bin of a distance: rounded, and one less where that is above 0."""
    column = np.floor(distance / width + 0.5 + _SLACK).astype(np.int64)
    return np.asarray(np.where(column > 0, column - 1, column))
