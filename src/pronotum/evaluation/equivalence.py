"""Is each landmark good enough: error below, and bias within, a margin that was declared beforehand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray

ALPHA = 0.05
LEAST = 3
"""Specimens below which nothing is said."""

Scale = Literal["plain", "log"]


@dataclass(frozen=True)
class Noninferiority:
    """Test that the error of one landmark is below its margin.

    Attributes:
        landmark: its name.
        n: specimens used.
        margin: in the unit of the errors.
        mean: arithmetic mean of the errors, or geometric on the log scale; NaN where n = 0.
        upper: upper end of its one-sided 95 % interval: non-inferior, before Holm's correction, where below the margin.
        p: one-sided; NaN for fewer than three specimens.
        p_holm: corrected over landmarks.
        passed: p_holm below alpha.
    """

    landmark: str
    n: int
    margin: float
    mean: float
    upper: float
    p: float
    p_holm: float
    passed: bool


@dataclass(frozen=True)
class BiasEquivalence:
    """Test that the bias of one landmark lies within plus or minus its margin, in x and in y.

    Attributes:
        landmark: its name.
        n: specimens used.
        margin: in the unit of the differences.
        dx: mean difference in x, predicted minus manual; NaN where n = 0.
        dy: in y.
        interval_x: 90 % interval of dx: equivalent, before Holm's correction, where it and that of y lie within the
            margin.
        interval_y: 90 % interval of dy.
        p: the larger of the two coordinates' TOST p-values; NaN for fewer than three specimens.
        p_holm: corrected over landmarks.
        passed: p_holm below alpha.
    """

    landmark: str
    n: int
    margin: float
    dx: float
    dy: float
    interval_x: tuple[float, float]
    interval_y: tuple[float, float]
    p: float
    p_holm: float
    passed: bool


def noninferiority(
    errors: FloatArray,
    margin: float | FloatArray,
    landmarks: Sequence[str],
    *,
    scale: Scale = "plain",
    alpha: float = ALPHA,
) -> tuple[Noninferiority, ...]:
    """Test for each landmark that its mean error is below a margin, by a one-sided t test.

    The hypothesis to be rejected is that the mean is the margin or more: too few specimens never pass.

    Args:
        errors: (N, K) distances, any unit; NaN = missing, and left out of that landmark.
        margin: declared before looking at the errors, in their unit: one, or (K,).
        landmarks: (K,) names.
        scale: plain compares the arithmetic mean; log the geometric mean, near the median, which a few gross errors
            hardly move (a distance of 0 counts as the smallest other one of the landmark).
        alpha: level of the whole family of landmarks.

    Raises:
        UserError: a margin that is not positive, another number of margins or names than of landmarks, or fewer than
            three specimens.

    Source:
        Walker & Nowacki (2011), Journal of General Internal Medicine 26: 192-196 (non-inferiority); the log scale as
        in bioequivalence, Schuirmann (1987).
    """
    margins = _margins(errors, margin, landmarks)
    rows = []
    for column, limit in zip(np.asarray(errors, dtype=np.float64).T, margins, strict=True):
        known = column[~np.isnan(column)]
        positive = known[known > 0]
        if scale == "log" and known.size:
            known = np.log(np.maximum(known, positive.min() if positive.size else np.finfo(float).tiny))
            mean, upper, p = _below(known, float(np.log(limit)))
            rows.append((known.size, float(np.exp(mean)), float(np.exp(upper)), p))
        else:
            rows.append((known.size, *_below(known, float(limit))))
    corrected = holm(np.array([row[3] for row in rows]))
    return tuple(
        Noninferiority(name, n, float(limit), mean, upper, p, float(q), bool(q < alpha))
        for name, limit, (n, mean, upper, p), q in zip(landmarks, margins, rows, corrected, strict=True)
    )


def bias_equivalence(
    differences: FloatArray, margin: float | FloatArray, landmarks: Sequence[str], *, alpha: float = ALPHA
) -> tuple[BiasEquivalence, ...]:
    """Test for each landmark that its mean difference lies within plus or minus a margin, by two one-sided t tests.

    Args:
        differences: (N, K, 2) predicted minus manual, any unit; NaN = missing, and left out of that landmark.
        margin: declared before looking at the differences, in their unit: one, or (K,).
        landmarks: (K,) names.
        alpha: level of the whole family of landmarks.

    Raises:
        UserError: see `noninferiority`.

    Source:
        Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15: 657-680 (TOST); both coordinates must
        pass, the intersection-union test of Berger (1982), Technometrics 24, which needs no correction.
    """
    margins = _margins(differences[..., 0], margin, landmarks)
    rows = []
    for k, limit in enumerate(margins):
        known = differences[np.isfinite(differences[:, k]).all(-1), k]
        (dx, low_x, high_x, p_x), (dy, low_y, high_y, p_y) = (_within(known[:, axis], limit) for axis in (0, 1))
        rows.append((len(known), dx, dy, (low_x, high_x), (low_y, high_y), max(p_x, p_y)))
    corrected = holm(np.array([row[-1] for row in rows]))
    return tuple(
        BiasEquivalence(name, n, float(limit), dx, dy, in_x, in_y, p, float(q), bool(q < alpha))
        for name, limit, (n, dx, dy, in_x, in_y, p), q in zip(landmarks, margins, rows, corrected, strict=True)
    )


def holm(p: FloatArray) -> FloatArray:
    """(K,) p-values corrected for being looked at together; NaN stays NaN and does not count.

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6: 65-70.
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected


def human_margin(repeat_distances: FloatArray, *, limit: float = 0.95, pooled: bool = False) -> FloatArray:
    """Margin for each landmark from human repeats: the distance that 95 % of them do not exceed.

    It is a generous margin for a mean error: a mean at it would be as bad as the worst human one in twenty. Declare it
    from repeats before looking at predictions.

    Args:
        repeat_distances: (P, K) distances between two digitisations of the same specimens, such as those of
            `observer.repeat_pairs`, in the unit of the errors to be tested; NaN = missing.
        limit: share of the distances that lie below.
        pooled: one margin from all landmarks; for few repeats, of which single landmarks say little.

    Returns:
        (K,) margins.

    Raises:
        UserError: fewer than three repeats of a landmark, or repeats that are identical.

    Source:
        Percentile limits, which need no normal distribution: Bland & Altman (1999), Statistical Methods in Medical
        Research 8; a person's own repeat error as yardstick: Kim et al. (2021), Korean Journal of Orthodontics 51.
    """
    n_landmarks = repeat_distances.shape[1]
    columns = [repeat_distances.ravel()] * n_landmarks if pooled else list(repeat_distances.T)
    margins = np.empty(n_landmarks)
    for k, column in enumerate(columns):
        known = column[~np.isnan(column)]
        if len(known) < LEAST:
            found = f"{counted(len(known), 'repeat')} of landmark {k + 1}"
            raise UserError("margin from human repeats", found=found, expected=f"at least {LEAST}")
        margins[k] = np.quantile(known, limit)
        if margins[k] <= 0:
            found = f"the repeats of landmark {k + 1} are identical"
            raise UserError("margin from human repeats", found=found, remedy="digitise again without the first at hand")
    return margins


def _margins(values: FloatArray, margin: float | FloatArray, landmarks: Sequence[str]) -> FloatArray:
    n, n_landmarks = values.shape
    margins = np.asarray(margin, dtype=np.float64)
    if len(landmarks) != n_landmarks or margins.shape not in ((), (n_landmarks,)):
        named = f"{counted(len(landmarks), 'name')} and {counted(margins.size, 'margin')}"
        found = f"{counted(n_landmarks, 'landmark')}, {named}"
        raise UserError("equivalence", found=found, expected="one margin, or one for each landmark")
    if not (np.isfinite(margins) & (margins > 0)).all():
        raise UserError("equivalence", found=f"a margin of {margins.min():g}", expected="margins above 0")
    if n < LEAST:
        raise UserError("equivalence", found=counted(n, "specimen"), expected=f"at least {LEAST}")
    return np.broadcast_to(margins, n_landmarks)


def _below(values: NDArray[np.float64], limit: float) -> tuple[float, float, float]:
    """Mean, upper end of its one-sided 95 % interval, and p of the hypothesis that it is the limit or more."""
    if values.size < LEAST:
        return float(values.mean()) if values.size else np.nan, np.nan, np.nan
    mean, error, df = float(values.mean()), _standard_error(values), values.size - 1
    return mean, mean + float(stats.t.ppf(0.95, df)) * error, _p(mean - limit, error, df)


def _within(values: NDArray[np.float64], limit: float) -> tuple[float, float, float, float]:
    """Mean, ends of its 90 % interval, and TOST p of the hypothesis that it is the limit or more, up or down."""
    mean, upper, above = _below(values, limit)
    _, lower, below = _below(-values, limit)
    return mean, -lower, upper, max(above, below)


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size))


def _p(beyond: float, error: float, df: int) -> float:
    if error == 0:
        return 0.0 if beyond < 0 else 1.0
    return float(stats.t.cdf(beyond / error, df))
