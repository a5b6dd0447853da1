"""Directions of shape change: how far two differ in direction and in length."""

from __future__ import annotations

import numpy as np

from pronotum.landmarks import FloatArray

NO_LENGTH = 1e-12
"""Length, in units of centroid size, below which a vector is rounding noise."""


def length(vectors: FloatArray) -> FloatArray:
    """(...) lengths of vectors (..., D)."""
    norm: FloatArray = np.linalg.norm(vectors, axis=-1)
    return norm


def angle(first: FloatArray, second: FloatArray) -> FloatArray:
    """(...) angles in degrees, 0 to 180, between vectors (..., D); NaN where one has no length.

    Source:
        Kahan's 2 atan2(|u - v|, |u + v|) of unit vectors, exact for small angles where the arc cosine is not.
    """
    unit = []
    for vectors in (first, second):
        size = length(vectors)[..., None]
        unit.append(np.where(size > NO_LENGTH, vectors / np.where(size > NO_LENGTH, size, 1), np.nan))
    degrees: FloatArray = np.degrees(2 * np.arctan2(length(unit[0] - unit[1]), length(unit[0] + unit[1])))
    return degrees


def length_ratio(second: FloatArray, first: FloatArray) -> FloatArray:
    """(...) lengths of `second` over those of `first`, (..., D) each; NaN where `first` has none."""
    under = length(first)
    return np.where(under > NO_LENGTH, length(second) / np.where(under > NO_LENGTH, under, 1), np.nan)
