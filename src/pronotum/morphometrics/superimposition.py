"""Least-squares superimposition of configurations, with missing landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray


def fit_similarity(source: FloatArray, target: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The turn, scaling and shift (no reflection) that brings `source` nearest to `target`.

    Args:
        source: (..., K, 2); NaN = missing.
        target: (..., K, 2); NaN = missing. A landmark missing in either does not count.
        weights: (..., K) weights of the landmarks, default 1.

    Returns:
        (..., 3, 3) matrices. With a single landmark in common only a shift; with none, the identity.

    Source:
        Complex-number form of ordinary Procrustes analysis, Dryden & Mardia (2016), section 8.3.
    """
    z = source[..., 0] + 1j * source[..., 1]
    w = target[..., 0] + 1j * target[..., 1]
    known = ~(np.isnan(z) | np.isnan(w))
    share = np.where(known, 1.0 if weights is None else weights, 0.0)
    total = share.sum(-1, keepdims=True)
    safe = np.where(total > 0, total, 1.0)
    z, w = np.where(known, z, 0), np.where(known, w, 0)
    centre_z = (share * z).sum(-1, keepdims=True) / safe
    centre_w = (share * w).sum(-1, keepdims=True) / safe
    z, w = z - centre_z, w - centre_w
    spread = (share * np.abs(z) ** 2).sum(-1, keepdims=True)
    factor = np.where(spread > 0, (share * np.conj(z) * w).sum(-1, keepdims=True) / np.where(spread > 0, spread, 1), 1)
    shift = np.where(total > 0, centre_w - factor * centre_z, 0)
    matrix = np.zeros((*factor.shape[:-1], 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = factor[..., 0].real
    matrix[..., 1, 0] = factor[..., 0].imag
    matrix[..., 0, 1] = -factor[..., 0].imag
    matrix[..., 0, 2], matrix[..., 1, 2] = shift[..., 0].real, shift[..., 0].imag
    matrix[..., 2, 2] = 1
    return matrix


def superimpose(source: FloatArray, target: FloatArray) -> FloatArray:
    """`source` (..., K, 2) moved onto `target` by the best similarity."""
    matrix = fit_similarity(source, target)
    return source @ np.swapaxes(matrix[..., :2, :2], -1, -2) + matrix[..., None, :2, 2]


def centroid_size(points: FloatArray) -> NDArray[np.float64]:
    """Square root of the summed squared distances to the centroid, over the landmarks present.

    Args:
        points: (..., K, 2); NaN = missing.

    Returns:
        (...) in the unit of the points; NaN where no landmark is present.
    """
    present = ~np.isnan(points[..., 0])
    count = present.sum(-1)
    filled = np.where(present[..., None], points, 0)
    centre = filled.sum(-2) / np.maximum(count, 1)[..., None]
    squares = np.where(present[..., None], (points - centre[..., None, :]) ** 2, 0).sum((-1, -2))
    size: NDArray[np.float64] = np.where(count > 0, np.sqrt(squares), np.nan)
    return size


def mean_shape(points: FloatArray, iterations: int = 20) -> FloatArray:
    """Mean configuration after generalized Procrustes superimposition, at the specimens' mean size.

    Args:
        points: (N, K, 2); NaN = missing. Each landmark must be present in at least one specimen to have a mean.

    Returns:
        (K, 2) centred on the origin, turned like the specimen with most landmarks, in the unit of the points;
        NaN for a landmark that no specimen has. The origin where landmarks lie at one place, or there is only one.

    Source:
        Gower (1975) generalized Procrustes analysis; missing landmarks are left out of every sum.
    """
    present = ~np.isnan(points[..., 0])
    if not present.any():
        return np.full(points.shape[1:], np.nan)
    complete = int(np.argmax(present.sum(1)))
    mean = points[complete] - np.nanmean(points[complete], axis=0)
    size = float(np.nanmean(centroid_size(points)))
    for _ in range(iterations):
        moved = superimpose(points, np.broadcast_to(mean, points.shape))
        known = ~np.isnan(moved)
        count = known.sum(0)
        new = np.where(count > 0, np.where(known, moved, 0).sum(0) / np.maximum(count, 1), np.nan)
        new = new - np.nanmean(new, axis=0)
        new = new * (size / max(float(centroid_size(new)), 1e-12 * size) if size > 0 else 1.0)
        settled = np.nanmax(np.abs(new - mean)) <= 1e-9 * size
        mean = new
        if settled:
            break
    return np.asarray(mean, dtype=np.float64)
