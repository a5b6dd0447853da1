"""Agreement of coordinates: the paper's scores, and those that are not flattered by where landmarks lie.

Stacking all landmarks into one column rewards knowing that landmark 1 lies left of landmark 6: on the paper's own
pronota a predictor that never looks at the image (`mean_position`) has r2 = 0.976. `coordinate_r2` asks each
coordinate by itself. A landmark that is missing in either set is left out everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import explained_variance_score, r2_score

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

Average = Literal["uniform_average", "variance_weighted"]
Measure = Callable[[FloatArray, FloatArray], Any]


def stacked(manual: FloatArray, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both sets as (M, 2), one row per landmark of a specimen that both have.

    Args:
        manual: (N, K, 2), any unit.
        predicted: (N, K, 2), the same frame.

    Raises:
        ValueError: the shapes differ.
    """
    if manual.shape != predicted.shape:
        raise ValueError(f"manual {manual.shape} and predicted {predicted.shape} must have the same shape")
    known = ~(np.isnan(manual) | np.isnan(predicted)).any(-1)
    return manual[known], predicted[known]


def r2(manual: FloatArray, predicted: FloatArray, average: Average = "uniform_average") -> float:
    """Coefficient of determination of the stacked coordinates, manual as truth; NaN for fewer than two landmarks.

    Args:
        manual: (N, K, 2), any unit.
        predicted: (N, K, 2).
        average: of x and y: the same weight, or the variance of each.

    Source:
        Table 2 (0.9952, uniform average).
    """
    truth, guess = stacked(manual, predicted)
    return float(r2_score(truth, guess, multioutput=average)) if len(truth) > 1 else np.nan


def explained_variance(manual: FloatArray, predicted: FloatArray, average: Average = "uniform_average") -> float:
    """As `r2`, but a constant shift of all predictions costs nothing; never below `r2`.

    Source:
        Table 2. Its 0.9951 lies below its own r2 and cannot come from the same arrays; they give 0.9953.
    """
    truth, guess = stacked(manual, predicted)
    return float(explained_variance_score(truth, guess, multioutput=average)) if len(truth) > 1 else np.nan


def pearson(manual: FloatArray, predicted: FloatArray) -> FloatArray:
    """(2,) Pearson correlation of the stacked x and y; NaN where one is constant. Source: Table 2 (0.9974 is x)."""
    return _per_axis(stats.pearsonr, manual, predicted)


def spearman(manual: FloatArray, predicted: FloatArray) -> FloatArray:
    """(2,) Spearman rank correlation of the stacked x and y; NaN where one is constant."""
    return _per_axis(stats.spearmanr, manual, predicted)


def kendall(manual: FloatArray, predicted: FloatArray) -> FloatArray:
    """(2,) Kendall's tau-b of the stacked x and y; NaN where one is constant."""
    return _per_axis(stats.kendalltau, manual, predicted)


def coordinate_r2(manual: FloatArray, predicted: FloatArray) -> FloatArray:
    """(K, 2) coefficient of determination of each coordinate of each landmark over specimens, of manual as truth.

    0 is what the mean position of these very specimens would have, 1 is perfect, negative is worse than the mean.
    NaN where fewer than two specimens have the landmark or it never moves. Its mean is the score to report.
    """
    known = ~(np.isnan(manual) | np.isnan(predicted)).any(-1, keepdims=True)
    count = known.sum(0)
    truth = np.where(known, manual, 0)
    centre = truth.sum(0) / np.maximum(count, 1)
    total = np.where(known, (manual - centre) ** 2, 0).sum(0)
    rest = np.where(known, (manual - predicted) ** 2, 0).sum(0)
    usable = (count > 1) & (total > 0)
    return np.where(usable, 1 - rest / np.where(usable, total, 1), np.nan)


def centroid_size_correlation(manual: FloatArray, predicted: FloatArray) -> float:
    """Pearson correlation of centroid sizes over specimens, each over the landmarks present in both sets."""
    missing = (np.isnan(manual) | np.isnan(predicted)).any(-1, keepdims=True)
    sizes = [centroid_size(np.where(missing, np.nan, points)) for points in (manual, predicted)]
    known = ~np.isnan(sizes[0])
    return _correlation(stats.pearsonr, sizes[0][known], sizes[1][known])


def mean_position(manual: FloatArray, folds: Sequence[NDArray[np.intp]]) -> FloatArray:
    """Predictions that ignore the image: the mean position of each landmark over the training specimens.

    Args:
        manual: (N, K, 2) in one common frame; NaN = missing.
        folds: rows that each round tests.

    Returns:
        (N, K, 2); NaN in rows that no round tests and for landmarks no training specimen has.

    Source:
        Spec B.3 (10.95 px on pronotum beside 4.55 px of the network).
    """
    known = ~np.isnan(manual)
    predicted = np.full(manual.shape, np.nan)
    for test in folds:
        training = np.setdiff1d(np.arange(len(manual)), test)
        count = known[training].sum(0)
        total = np.where(known[training], manual[training], 0).sum(0)
        predicted[test] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return predicted


def scores(manual: FloatArray, predicted: FloatArray) -> dict[str, float]:
    """All scores by name; ``_x`` and ``_y`` are per axis.

    Source:
        Table 2, extended as spec Q9 asks.
    """
    found = {
        "r2": r2(manual, predicted),
        "r2_variance_weighted": r2(manual, predicted, "variance_weighted"),
        "explained_variance": explained_variance(manual, predicted),
        "explained_variance_variance_weighted": explained_variance(manual, predicted, "variance_weighted"),
    }
    for name, measure in {"pearson": pearson, "spearman": spearman, "kendall": kendall}.items():
        found |= dict(zip((f"{name}_x", f"{name}_y"), map(float, measure(manual, predicted)), strict=True))
    by_coordinate = coordinate_r2(manual, predicted)
    known = by_coordinate[~np.isnan(by_coordinate)]
    found["coordinate_r2"] = float(known.mean()) if known.size else np.nan
    found["centroid_size_r"] = centroid_size_correlation(manual, predicted)
    return found


def _per_axis(measure: Measure, manual: FloatArray, predicted: FloatArray) -> FloatArray:
    truth, guess = stacked(manual, predicted)
    return np.array([_correlation(measure, truth[:, axis], guess[:, axis]) for axis in (0, 1)])


def _correlation(measure: Measure, first: FloatArray, second: FloatArray) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(measure(first, second).statistic)
