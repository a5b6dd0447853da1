"""How errors fall with the number of specimens learnt from, and where that leads.

An error is thought of as what never goes away plus a power of the number of specimens: a + b n^-c. Many learning
systems follow such a law over a wide range (Hestness et al. 2017, Deep learning scaling is predictable, empirically).
It is an extrapolation all the same, so figures come with the interval that resampling the tested specimens gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from pronotum.errors import UserError
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import Estimate, estimate
from pronotum.morphometrics.sliding import Sliders, superimpose

RESAMPLES = 500
EXPONENTS = np.linspace(0.1, 2.0, 39)
Statistic = Callable[[FloatArray], float]
STATISTICS: Mapping[str, Statistic] = {
    "mean": lambda values: float(np.nanmean(values)),
    "median": lambda values: float(np.nanmedian(values)),
    "p90": lambda values: float(np.nanpercentile(values, 90)),
}
"""Of (n, K) errors; NaN left out."""


@dataclass(frozen=True)
class Law:
    """An error of a + b n^-c; a and b are not negative.

    Attributes:
        floor: a, in the unit of the errors.
        factor: b.
        exponent: c.
    """

    floor: float
    factor: float
    exponent: float

    def at(self, n: float) -> float:
        """The error at n specimens."""
        return float(self.floor + self.factor * n**-self.exponent)


def fit(sizes: Sequence[int], errors: NDArray[np.float64]) -> Law:
    """The law nearest to errors (S,) at these sizes, relative to their size.

    For each exponent the other two follow by non-negative least squares; the best of a grid of exponents is taken.
    """
    n, scale = np.asarray(sizes, dtype=np.float64), 1 / np.maximum(errors, 1e-12)
    best, least = Law(float(errors[-1]), 0.0, 1.0), np.inf
    for exponent in EXPONENTS:
        columns = np.stack([np.ones_like(n), n**-exponent], axis=1)
        solution, misfit = nnls(columns * scale[:, None], np.ones_like(n))
        if misfit < least - 1e-12:
            best, least = Law(float(solution[0]), float(solution[1]), float(exponent)), misfit
    return best


@dataclass(frozen=True)
class Forecast:
    """An error today and with more specimens, each with the ends of its 95 % interval.

    Attributes:
        n_now: the largest number learnt from.
        now: its error.
        now_low: lower end.
        now_high: upper end.
        n_then: a larger number.
        then: the error that the law expects there.
        then_low: lower end.
        then_high: upper end.
    """

    n_now: int
    now: float
    now_low: float
    now_high: float
    n_then: int
    then: float
    then_low: float
    then_high: float


def forecast(
    sizes: Sequence[int],
    errors: FloatArray,
    n_then: int,
    statistic: Statistic,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Forecast:
    """What more specimens would bring.

    Args:
        sizes: (S,) specimens learnt from, at least two different ones.
        errors: (S, n, K) errors of the same tested specimens at each size; NaN left out by the statistic.
        n_then: the number to ask about.
        statistic: of (n, K) errors, e.g. ``lambda values: np.nanpercentile(values, 90)``.
        seed: of the bootstrap over tested specimens.
        resamples: of the bootstrap.
    """
    generator, n = np.random.default_rng(seed), errors.shape[1]

    def both(values: FloatArray) -> tuple[float, float]:
        found = np.array([statistic(of_size) for of_size in values])
        return float(found[-1]), fit(sizes, found).at(n_then)

    now, then = both(errors)
    drawn = np.array([both(errors[:, generator.integers(n, size=n)]) for _ in range(resamples)])
    (now_low, then_low), (now_high, then_high) = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return Forecast(
        int(sizes[-1]), now, float(now_low), float(now_high), n_then, then, float(then_low), float(then_high)
    )


def curve_table(
    sizes: Sequence[int],
    errors: FloatArray,
    landmarks: Sequence[str],
    predicted: FloatArray,
    manual: FloatArray,
    *,
    sliders: Sliders = (),
    seed: int = 0,
) -> pd.DataFrame:
    """The learning curve as a table.

    Args:
        sizes: (S,) specimens learnt from.
        errors: (S, n, K) of the same tested specimens, in any unit; NaN = missing, and left out.
        landmarks: (K,) names.
        predicted: (S, n, K, 2) px.
        manual: (n, K, 2) px.
        sliders: semilandmarks that slide when shapes are superimposed.
        seed: of every bootstrap over tested specimens.

    Returns:
        ``landmark`` (all first)``, size, n, mean, median, p90`` and, for all landmarks together, ``repeatability`` of
        the complete specimens, each with the ends of its 95 % interval ``_low, _high``.
    """
    shape = [_repeatability(points, manual, sliders, seed) for points in predicted]
    rows = []
    for name, place in [("all", slice(None)), *((name, slice(k, k + 1)) for k, name in enumerate(landmarks))]:
        for size, values, found in zip(sizes, errors[:, :, place], shape, strict=True):
            row: dict[str, Any] = {"landmark": name, "size": int(size), "n": int((~np.isnan(values)).sum())}
            estimates = {kind: _interval(values, statistic, seed) for kind, statistic in STATISTICS.items()}
            if name == "all":
                estimates["repeatability"] = found
            for kind, one in estimates.items():
                row |= {kind: one.value, f"{kind}_low": one.low, f"{kind}_high": one.high}
            rows.append(row)
    return pd.DataFrame(rows)


def _interval(values: FloatArray, statistic: Statistic, seed: int) -> Estimate:
    if np.isnan(values).all():
        return Estimate(np.nan, np.nan, np.nan)
    generator, n = np.random.default_rng(seed), len(values)
    drawn = [values[generator.integers(n, size=n)] for _ in range(RESAMPLES)]
    return estimate(statistic(values), np.array([statistic(one) for one in drawn if not np.isnan(one).all()]))


def _repeatability(predicted: FloatArray, manual: FloatArray, sliders: Sliders, seed: int) -> Estimate:
    try:
        pairs = complete_pairs(manual, predicted, "repeatability")
    except UserError:
        return Estimate(np.nan, np.nan, np.nan)
    n = pairs.n
    shapes = superimpose(np.concatenate([pairs.manual, pairs.predicted]), sliders).shapes
    both = np.stack([shapes[:n], shapes[n:]], axis=1)
    generator = np.random.default_rng(seed)
    drawn = [procrustes_anova(both[generator.integers(n, size=n)]).repeatability for _ in range(RESAMPLES)]
    return estimate(procrustes_anova(both).repeatability, np.array(drawn))
