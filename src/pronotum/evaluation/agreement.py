"""Agreement of each landmark: how far, in which direction, how scattered, and which specimens stand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pronotum.errors import UserError, counted
from pronotum.evaluation.correlation import coordinate_r2, explained_variance, pearson, r2
from pronotum.evaluation.distances import Scales, distances, summary
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity

LEAST = 3
"""Specimens below which nothing is said."""
FENCE = 3.0
"""Interquartile ranges above the upper quartile beyond which a distance is an outlier."""


@dataclass(frozen=True)
class Bias:
    """The mean difference of predicted from manual landmarks.

    Attributes:
        dx: to the right, in the unit of the differences.
        dy: down, as everywhere in photographs.
        t2: Hotelling's T-squared.
        p: of the hypothesis that dx = dy = 0; NaN for fewer than three specimens or differences without scatter in
            some direction.
    """

    dx: float
    dy: float
    t2: float
    p: float


@dataclass(frozen=True)
class Scatter:
    """How differences spread about their mean.

    Attributes:
        major: standard deviation along the direction of largest scatter, in the unit of the differences.
        minor: standard deviation across it.
        angle: of the major axis, degrees from the x axis towards the y axis (clockwise on a photograph, where y is
            down), from -90 (left out) to 90.
    """

    major: float
    minor: float
    angle: float


@dataclass(frozen=True)
class LandmarkAgreement:
    """One landmark in both sets.

    Attributes:
        landmark: its name.
        n: specimens that have it in both sets.
        n_missing: specimens that lack it in one set or both.
        errors: n, mean, median, p90, p95 and max of the distances by unit: px, percent_centroid_size, px_256x192 and,
            where scales are known, mm; None where no specimen has one.
        bias: by unit; empty where n = 0.
        scatter: by unit; empty where n < 2.
        r2: coefficient of determination of its stacked coordinates, manual as truth (mean of x and y).
        coordinate_r2: the same of x and y.
        explained_variance: as `r2`, but bias costs nothing.
        pearson: of x and y.
        outliers: names of the specimens that stand out.
    """

    landmark: str
    n: int
    n_missing: int
    errors: dict[str, dict[str, float | int | None]]
    bias: dict[str, Bias]
    scatter: dict[str, Scatter]
    r2: float
    coordinate_r2: tuple[float, float]
    explained_variance: float
    pearson: tuple[float, float]
    outliers: tuple[str, ...]


def landmark_agreement(
    manual: FloatArray, predicted: FloatArray, *, landmarks: Sequence[str], specimens: Sequence[str], scales: Scales
) -> tuple[LandmarkAgreement, ...]:
    """Agreement of every landmark over the specimens that have it in both sets.

    Args:
        manual: (N, K, 2) px of the photographs; NaN = missing.
        predicted: (N, K, 2) of the same specimens in the same order.
        landmarks: (K,) names.
        specimens: (N,) names.
        scales: what a px of each photograph is worth.

    Returns:
        One row per landmark. Outliers are those of `outliers` among the distances in % of centroid size, so that a
        large specimen is none only because it is large.

    Raises:
        UserError: different numbers of specimens or landmarks, fewer than three specimens, or a specimen whose manual
            landmarks, at least two, lie all in one place.
    """
    _require_usable(manual, predicted, landmarks, specimens)
    errors = scales.units(distances(predicted, manual))
    across, down = (scales.units((predicted - manual)[..., axis]) for axis in (0, 1))
    stand_out = np.stack([outliers(column) for column in errors["percent_centroid_size"].T], axis=1)
    by_coordinate = coordinate_r2(manual, predicted)
    rows = []
    for k, landmark in enumerate(landmarks):
        one, other = manual[:, k : k + 1], predicted[:, k : k + 1]
        differences = {unit: np.stack([across[unit][:, k], down[unit][:, k]], axis=-1) for unit in errors}
        n = {unit: int(np.isfinite(values).all(-1).sum()) for unit, values in differences.items()}
        rows.append(
            LandmarkAgreement(
                landmark=landmark,
                n=n["px"],
                n_missing=len(manual) - n["px"],
                errors={unit: summary(values[:, k]) for unit, values in errors.items()},
                bias={unit: bias(values) for unit, values in differences.items() if n[unit]},
                scatter={unit: scatter(values) for unit, values in differences.items() if n[unit] > 1},
                r2=r2(one, other),
                coordinate_r2=(float(by_coordinate[k, 0]), float(by_coordinate[k, 1])),
                explained_variance=explained_variance(one, other),
                pearson=_two(pearson(one, other)),
                outliers=tuple(name for name, beyond in zip(specimens, stand_out[:, k], strict=True) if beyond),
            )
        )
    return tuple(rows)


def bias(differences: FloatArray) -> Bias:
    """Mean of (N, 2) differences, N >= 1 known, and Hotelling's test that it is zero; NaN = missing, and left out.

    Source:
        Hotelling (1931): T2 = n d' S^-1 d; F = T2 (n - 2) / (2 (n - 1)) with 2 and n - 2 degrees of freedom.
    """
    known = differences[np.isfinite(differences).all(-1)]
    n, mean = len(known), known.mean(0)
    dx, dy = float(mean[0]), float(mean[1])
    if n < LEAST:
        return Bias(dx, dy, np.nan, np.nan)
    covariance = np.cov(known.T)
    variances = np.linalg.eigvalsh(covariance)
    if variances[0] <= 1e-12 * max(variances[1], float(mean @ mean)):
        return Bias(dx, dy, np.nan, np.nan)
    t2 = float(n * mean @ np.linalg.solve(covariance, mean))
    return Bias(dx, dy, t2, float(stats.f.sf(t2 * (n - 2) / (2 * (n - 1)), 2, n - 2)))


def scatter(differences: FloatArray) -> Scatter:
    """Standard deviations of (N, 2) differences, N >= 2 known, along their principal axes; NaN left out."""
    known = differences[np.isfinite(differences).all(-1)]
    variances, axes = np.linalg.eigh(np.cov(known.T))
    minor, major = np.sqrt(np.maximum(variances, 0))
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    angle = angle - 180 * np.ceil((angle - 90) / 180)
    return Scatter(float(major), float(minor), float(angle))


def outliers(errors: FloatArray) -> NDArray[np.bool_]:
    """Which of (N,) distances stand out: beyond the upper quartile by more than three interquartile ranges.

    NaN is no outlier. Of distances whose two coordinates scatter normally, 1 in 15,000 lies there by chance.

    Source:
        Tukey (1977), Exploratory Data Analysis, chapter 2: "far out" values beyond the outer fence.
    """
    known = errors[~np.isnan(errors)]
    if not known.size:
        return np.zeros(errors.shape, dtype=np.bool_)
    lower, upper = np.quantile(known, [0.25, 0.75])
    beyond: NDArray[np.bool_] = errors > upper + FENCE * (upper - lower) + 1e-9 * upper
    return beyond


def onto_shape(points: FloatArray, manual: FloatArray, shape: FloatArray) -> FloatArray:
    """Points moved as their manual landmarks move onto one shape: bias and scatter in the specimens' own axes.

    On photographs a specimen may lie any way up, and a bias along its axis cancels out. `onto_shape(predicted, ...)`
    minus `onto_shape(manual, ...)` are differences in the frame of `shape`, to draw on it.

    Args:
        points: (N, K, 2) predicted or manual, px.
        manual: (N, K, 2) px; NaN = missing.
        shape: (K, 2) such as the mean manual shape.

    Returns:
        (N, K, 2) in the unit of `shape`.
    """
    matrix = fit_similarity(manual, np.broadcast_to(shape, manual.shape))
    return points @ np.swapaxes(matrix[:, :2, :2], -1, -2) + matrix[:, None, :2, 2]


def _require_usable(
    manual: FloatArray, predicted: FloatArray, landmarks: Sequence[str], specimens: Sequence[str]
) -> None:
    if manual.shape != predicted.shape or manual.shape[:2] != (len(specimens), len(landmarks)):
        found = (
            f"{counted(len(manual), 'manual specimen')} with {counted(manual.shape[1], 'landmark')}, "
            f"{len(predicted)} predicted with {predicted.shape[1]}, names of {len(specimens)} and {len(landmarks)}"
        )
        raise UserError("agreement", found=found, expected="the same specimens and landmarks in both sets")
    if len(manual) < LEAST:
        raise UserError("agreement", found=counted(len(manual), "specimen"), expected=f"at least {LEAST}")
    several = (~np.isnan(manual[..., 0])).sum(1) > 1
    flat = np.flatnonzero(several & (np.nan_to_num(centroid_size(manual)) <= 0))
    if flat.size:
        found = "all its manual landmarks lie in one place"
        raise UserError(specimens[flat[0]], found=found, remedy="digitise it again or leave it out")


def _two(values: FloatArray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
