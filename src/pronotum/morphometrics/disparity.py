"""How much shapes vary, and whether predictions vary as much as what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pronotum.landmarks import FloatArray


@dataclass(frozen=True)
class Ratio:
    """A ratio of two disparities with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def procrustes_variance(shapes: FloatArray) -> float:
    """Disparity of superimposed shapes (N, K, 2): summed squared Procrustes distances to their mean over N - 1.

    Source:
        Zelditch et al. (2012), Geometric Morphometrics for Biologists, chapter 10. (geomorph's ``morphol.disparity``
        divides by N; a ratio at equal N is the same.)
    """
    return float(((shapes - shapes.mean(0)) ** 2).sum() / (len(shapes) - 1))


def disparity_ratio(predicted: FloatArray, manual: FloatArray, *, seed: int = 0, resamples: int = 2000) -> Ratio:
    """Disparity of predictions over that of manual landmarks; below 1 the predictions hide variation.

    Args:
        predicted: (N, K, 2) superimposed together with `manual`.
        manual: (N, K, 2) of the same specimens, in the same order.
        seed: of the bootstrap, which draws specimens, both sets of each together.
        resamples: of the bootstrap; percentile interval.
    """
    generator, n = np.random.default_rng(seed), len(manual)
    value = procrustes_variance(predicted) / procrustes_variance(manual)
    flat = [shapes.reshape(n, -1) for shapes in (predicted, manual)]
    squares = [(values**2).sum(1) for values in flat]
    found = np.empty(resamples)
    for number in range(resamples):
        rows = generator.integers(n, size=n)
        # The sum of squares about the resample's own mean, without copying shapes.
        counts = np.bincount(rows, minlength=n)
        about = [
            counts @ square - ((counts @ values) ** 2).sum() / n for values, square in zip(flat, squares, strict=True)
        ]
        found[number] = about[0] / about[1] if about[1] > 0 else np.nan
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Ratio(value, float(low), float(high))
