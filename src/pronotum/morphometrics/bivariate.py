"""Two measurements of the same specimens: correlation, concordance and slopes, from moments alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import resampled_means

NOTHING = 1e-20
"""Variance of one measurement, relative to that of the other, below which it is rounding noise."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of pairs of values, arrays of one shape; variances and covariance divide by N.

    Attributes:
        mean_x: of the reference measurement.
        mean_y: of the other.
        variance_x: of the reference measurement; 0 where it is rounding noise beside the other.
        variance_y: of the other.
        covariance: of both.
    """

    mean_x: FloatArray
    mean_y: FloatArray
    variance_x: FloatArray
    variance_y: FloatArray
    covariance: FloatArray

    @property
    def pearson(self) -> FloatArray:
        """Pearson's correlation; NaN where either is constant."""
        return _ratio(self.covariance, np.sqrt(self.variance_x * self.variance_y))

    @property
    def slope(self) -> FloatArray:
        """Ordinary least-squares slope of y on x."""
        return _ratio(self.covariance, self.variance_x)

    @property
    def rma_slope(self) -> FloatArray:
        """Reduced major axis: ratio of standard deviations with the sign of the correlation.

        Source:
            Warton et al. (2006), Biological Reviews 81: 259-291 (there standardised major axis).
        """
        return np.sign(self.covariance) * np.sqrt(_ratio(self.variance_y, self.variance_x))

    def deming_slope(self, error_ratio: float = 1.0) -> FloatArray:
        """Slope of the structural relation between both, each with error.

        Args:
            error_ratio: error variance of y over that of x; 1 is the major axis (orthogonal regression).

        Source:
            Linnet (1993), Clinical Chemistry 39: 424-432.
        """
        rest = self.variance_y - error_ratio * self.variance_x
        root = np.sqrt(rest**2 + 4 * error_ratio * self.covariance**2)
        return _ratio(rest + root, 2 * self.covariance)

    @property
    def concordance(self) -> FloatArray:
        """Lin's concordance correlation: 1 only where every y equals its x.

        Source:
            Lin (1989), Biometrics 45: 255-268, equation for the sample coefficient, moments over N.
        """
        apart = (self.mean_x - self.mean_y) ** 2
        return _ratio(2 * self.covariance, self.variance_x + self.variance_y + apart)

    @property
    def difference_slope(self) -> FloatArray:
        """Slope of y - x on their mean: 0 where the difference does not depend on size.

        Source:
            Bland & Altman (1999), regression of the difference on the mean of both, in closed form.
        """
        return _ratio(2 * (self.variance_y - self.variance_x), self.variance_x + self.variance_y + 2 * self.covariance)


def moments(x: FloatArray, y: FloatArray) -> Moments:
    """Moments of (N, C) values by column, each (C,)."""
    return _moments(np.stack(_products(x, y)).mean(1), x, y)


def resampled_moments(x: FloatArray, y: FloatArray, *, seed: int, resamples: int) -> Moments:
    """Moments of (N, C) values by column over specimens drawn with replacement, each (B, C)."""
    drawn = resampled_means(np.concatenate(_products(x, y), axis=1), seed=seed, resamples=resamples)
    return _moments(drawn.reshape(resamples, 5, -1).swapaxes(0, 1), x, y)


def _products(x: FloatArray, y: FloatArray) -> list[FloatArray]:
    u, v = x - x.mean(0), y - y.mean(0)  # about the means, or the squares would eat the digits
    return [u, v, u * u, v * v, u * v]


def _moments(means: FloatArray, x: FloatArray, y: FloatArray) -> Moments:
    u, v, uu, vv, uv = means
    variances = np.maximum(uu - u * u, 0), np.maximum(vv - v * v, 0)
    floor = NOTHING * np.maximum(*variances)
    variance_x, variance_y = (np.where(variance > floor, variance, 0) for variance in variances)
    covariance = np.where((variance_x > 0) & (variance_y > 0), uv - u * v, 0)
    return Moments(u + x.mean(0), v + y.mean(0), variance_x, variance_y, covariance)


def _ratio(over: FloatArray, under: FloatArray) -> FloatArray:
    return np.where(under != 0, over / np.where(under != 0, under, 1), np.nan)
