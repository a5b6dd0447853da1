"""Do predictions measure the same size?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.bivariate import moments, resampled_moments
from pronotum.morphometrics.pairing import LEAST
from pronotum.morphometrics.resampling import LEVEL, RESAMPLES, Estimate, estimate

WIDTH = 1.96
"""Standard deviations from the bias to a limit of agreement."""


@dataclass(frozen=True)
class Limits:
    """Limits within which 95 % of the differences lie.

    Attributes:
        bias: mean difference, predicted minus manual.
        sd: standard deviation of the differences.
        lower: bias - 1.96 sd.
        upper: bias + 1.96 sd.
    """

    bias: Estimate
    sd: float
    lower: Estimate
    upper: Estimate


@dataclass(frozen=True)
class SizeAgreement:
    """Agreement of two measurements of size.

    Attributes:
        n: specimens used.
        units: limits of agreement in the unit of the sizes.
        percent: limits of agreement in % of the mean of both sizes of a specimen.
        difference_slope: of the difference on the mean of both; 0 = the same for small and large specimens.
        concordance: Lin's concordance correlation.
        r: Pearson's correlation.
        slope: ordinary least squares of predicted on manual size.
        rma_slope: reduced major axis.
        deming_slope: structural relation with the error ratio asked for.
    """

    n: int
    units: Limits
    percent: Limits
    difference_slope: Estimate
    concordance: Estimate
    r: Estimate
    slope: Estimate
    rma_slope: Estimate
    deming_slope: Estimate


def size_agreement(
    manual: FloatArray, predicted: FloatArray, *, error_ratio: float = 1.0, seed: int = 0, resamples: int = RESAMPLES
) -> SizeAgreement:
    """Compare centroid sizes (or any length) of the same specimens.

    Args:
        manual: (N,) in any unit, of the same landmarks as in `predicted`; NaN = missing, and left out.
        predicted: (N,) of the same specimens in the same order.
        error_ratio: error variance of predicted over manual sizes, for Deming's slope.
        seed: of the bootstrap over specimens that gives the intervals of correlations and slopes; those of the limits
            follow from the t distribution.
        resamples: of the bootstrap.

    Raises:
        UserError: different numbers of specimens, fewer than three, or a size that is not positive.

    Source:
        Bland & Altman (1986), Lancet 327: 307-310; Bland & Altman (1999), Statistical Methods in Medical Research 8;
        Lin (1989), Biometrics 45: 255-268.
    """
    x, y = _usable(np.asarray(manual, dtype=np.float64), np.asarray(predicted, dtype=np.float64))
    found = moments(x[:, None], y[:, None])
    drawn = resampled_moments(x[:, None], y[:, None], seed=seed, resamples=resamples)
    return SizeAgreement(
        n=len(x),
        units=limits_of_agreement(y - x),
        percent=limits_of_agreement(200 * (y - x) / (x + y)),
        difference_slope=estimate(found.difference_slope[0], drawn.difference_slope[:, 0]),
        concordance=estimate(found.concordance[0], drawn.concordance[:, 0]),
        r=estimate(found.pearson[0], drawn.pearson[:, 0]),
        slope=estimate(found.slope[0], drawn.slope[:, 0]),
        rma_slope=estimate(found.rma_slope[0], drawn.rma_slope[:, 0]),
        deming_slope=estimate(found.deming_slope(error_ratio)[0], drawn.deming_slope(error_ratio)[:, 0]),
    )


def limits_of_agreement(differences: FloatArray) -> Limits:
    """Bias and limits of (N,) differences, N >= 2, with t intervals.

    Source:
        Bland & Altman (1999), variance of a limit s^2 (1/n + 1.96^2 / (2 (n - 1))).
    """
    n = len(differences)
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    t = float(stats.t.ppf((1 + LEVEL) / 2, n - 1))
    around_bias = t * sd / math.sqrt(n)
    around_limit = t * sd * math.sqrt(1 / n + WIDTH**2 / (2 * (n - 1)))
    lower, upper = bias - WIDTH * sd, bias + WIDTH * sd
    return Limits(
        bias=Estimate(bias, bias - around_bias, bias + around_bias),
        sd=sd,
        lower=Estimate(lower, lower - around_limit, lower + around_limit),
        upper=Estimate(upper, upper - around_limit, upper + around_limit),
    )


def _usable(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    if x.shape != y.shape:
        found = f"{len(x)} manual and {len(y)} predicted sizes"
        raise UserError("centroid size", found=found, expected="the same specimens in both sets")
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < LEAST:
        found = f"{counted(int(known.sum()), 'specimen')} with a size in both sets"
        raise UserError("centroid size", found=found, expected=f"at least {LEAST}")
    for name, sizes in (("manual", x), ("predicted", y)):
        flat = np.flatnonzero(known & (sizes <= 0))
        if flat.size:
            found = f"the {name} size of specimen {flat[0] + 1} is {sizes[flat[0]]:g}"
            raise UserError("centroid size", found=found, remedy="digitise it again or leave it out")
    return x[known], y[known]
