"""How much shapes vary, and whether predictions vary as much as what they stand for."""

from __future__ import annotations

import numpy as np

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import Estimate, draws, estimate


def procrustes_variance(shapes: FloatArray) -> float:
    """Disparity of superimposed shapes (N, K, 2): summed squared Procrustes distances to their mean over N - 1.

    Source:
        Zelditch et al. (2012), Geometric Morphometrics for Biologists, chapter 10. (geomorph's ``morphol.disparity``
        divides by N; a ratio at equal N is the same.)
    """
    return float(((shapes - shapes.mean(0)) ** 2).sum() / (len(shapes) - 1))


def disparity_ratio(predicted: FloatArray, manual: FloatArray, *, seed: int = 0, resamples: int = 2000) -> Estimate:
    """Disparity of predictions over that of manual landmarks; below 1 the predictions hide variation.

    Args:
        predicted: (N, K, 2) superimposed together with `manual`.
        manual: (N, K, 2) of the same specimens, in the same order.
        seed: of the bootstrap, which draws specimens, both sets of each together.
        resamples: of the bootstrap; percentile interval.
    """
    n = len(manual)
    value = procrustes_variance(predicted) / procrustes_variance(manual)
    sums = [_sums_of_squares(shapes.reshape(n, -1), seed, resamples) for shapes in (predicted, manual)]
    return estimate(value, sums[0] / np.where(sums[1] > 0, sums[1], np.nan))


def _sums_of_squares(flat: FloatArray, seed: int, resamples: int) -> FloatArray:
    """(B,) sums of squares about their own mean of (N, T) values of specimens drawn with replacement."""
    squares, n = (flat**2).sum(1), len(flat)
    blocks = draws(n, seed=seed, resamples=resamples)
    return np.concatenate([times @ squares - ((times @ flat) ** 2).sum(1) / n for times in blocks])
