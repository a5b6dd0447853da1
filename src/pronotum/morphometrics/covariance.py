"""Do landmarks vary together in predictions as they do in manual landmarks?"""

from __future__ import annotations

import numpy as np

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import Estimate, draws, estimate
from pronotum.morphometrics.statistic import Compared, Statistic

MOST_RESAMPLES = 300
"""A covariance matrix of a hundred landmarks takes long enough."""


def covariance_correlation(one: FloatArray, other: FloatArray, *, seed: int = 0, resamples: int = 300) -> Estimate:
    """Likeness of two covariance matrices of shape: the cosine of the angle between them as vectors.

    1: the same pattern of variation, whatever its amount. 0: no pattern in common.

    Args:
        one: (N, K, 2) superimposed together with `other`.
        other: (N, K, 2) of the same specimens.
        seed: of the bootstrap of specimens.
        resamples: of the bootstrap.

    Source:
        Robert & Escoufier (1976), Applied Statistics 25: 257-265, the coefficient of two positive matrices; used of
        shape covariances by Klingenberg & McIntyre (1998), Evolution 52: 1363-1375, as matrix correlation.
    """
    flat = one.reshape(len(one), -1), other.reshape(len(other), -1)
    value = _cosine(*flat, np.ones(len(one)))
    drawn = [_cosine(*flat, times) for block in draws(len(one), seed=seed, resamples=resamples) for times in block]
    return estimate(value, np.array(drawn))


def _cosine(one: FloatArray, other: FloatArray, times: FloatArray) -> float:
    """Of specimens (N, T) that were drawn so many times."""
    first, second = (_covariance(values, times) for values in (one, other))
    length = np.linalg.norm(first) * np.linalg.norm(second)
    return float((first * second).sum() / length) if length > 0 else float("nan")


def _covariance(values: FloatArray, times: FloatArray) -> FloatArray:
    centred = values - np.average(values, axis=0, weights=times)
    matrix: FloatArray = (centred * times[:, None]).T @ centred
    return matrix


def _compute(sets: Compared) -> Estimate:
    few = min(sets.resamples, MOST_RESAMPLES)
    return covariance_correlation(sets.predicted, sets.manual, seed=sets.seed, resamples=few)


STATISTIC = Statistic(
    "covariance_correlation",
    "Correlation of covariance matrices",
    "Do landmarks vary together in predictions as in manual landmarks? 1 is the same pattern, whatever its amount. "
    "Errors that have a pattern of their own lower it.",
    _compute,
)
