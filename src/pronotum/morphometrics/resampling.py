"""Resampling of specimens: intervals from the bootstrap, p-values from permutations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray

RESAMPLES = 2000
PERMUTATIONS = 999
LEVEL = 0.95
BLOCK = 4_000_000
"""Numbers held at once while resampling: 32 MB."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with the ends of its interval.

    Attributes:
        value: of the specimens as they are; NaN where it cannot be had.
        low: lower end of the 95 % interval; NaN where no resample has a value.
        high: upper end.
    """

    value: float
    low: float
    high: float


def estimate(value: float, drawn: FloatArray, level: float = LEVEL) -> Estimate:
    """A statistic with its percentile interval.

    Args:
        value: of the specimens as they are.
        drawn: (B,) of the resamples; those that are not finite are left out.
        level: share of the resamples between the ends.

    Source:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    finite = drawn[np.isfinite(drawn)]
    if not finite.size:
        return Estimate(float(value), np.nan, np.nan)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(low), float(high))


def draws(n: int, *, seed: int, resamples: int) -> Iterator[FloatArray]:
    """How often each of `n` specimens is drawn, (B, n) with B rows in all, in blocks that stay small for any n."""
    if n == 0:
        yield np.zeros((1, 0))
        return
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK // n)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def resampled_means(values: FloatArray, *, seed: int, resamples: int) -> FloatArray:
    """(B, T) means of the columns of (N, T) values over specimens drawn with replacement.

    The same seed draws the same specimens, whatever the values.
    """
    n = len(values)
    return np.concatenate([times @ values / n for times in draws(n, seed=seed, resamples=resamples)])


def permutation_p(observed: float, permuted: NDArray[np.float64]) -> float:
    """Share of permutations at least as extreme as the observed statistic, which counts as one of them.

    Args:
        observed: statistic, large = extreme; NaN gives NaN.
        permuted: (m,) its values under permutation. Equal up to rounding counts as equal.

    Source:
        (b + 1) / (m + 1), Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9.
    """
    if np.isnan(observed):
        return np.nan
    enough: Any = permuted >= observed - 1e-10 * abs(observed)
    return (int(np.count_nonzero(enough)) + 1) / (len(permuted) + 1)
