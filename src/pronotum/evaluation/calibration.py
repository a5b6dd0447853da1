"""How far off a predicted landmark may be: a radius that holds the true point with a stated probability.

Split conformal prediction, scaled by how difficult each landmark and each photograph is (Lei et al. 2018, section 5.2;
Romano et al. 2019). It assumes that new photographs are like those it was calibrated on, and nothing about the shape of
errors. Out-of-fold errors only: errors of photographs a model has learnt from are too small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray

LEVELS = (0.5, 0.9, 0.95)
"""Probabilities with which the true point lies within the radius."""
LEAST = 20
"""Errors below which nothing is calibrated: the 95 % quantile of fewer is their maximum or nothing."""
SHRINKAGE = 5.0
"""Specimens' worth of belief that a landmark is as difficult as all others."""
DAMPING = 10.0
"""Specimens' worth of belief that what the networks say of a photograph means nothing."""
SMALLEST = 1e-4
"""Shares of centroid size, and confidences, below this count as this large."""


@dataclass(frozen=True, eq=False)
class Certainty:
    """What the networks say of their own predictions.

    Attributes:
        confidence: (N, K) share of the probability near the answer; NaN = unknown.
        spread: (N, K) px, standard deviation of the probability about the answer; NaN = unknown.
    """

    confidence: FloatArray
    spread: FloatArray

    @classmethod
    def unknown(cls, n: int, n_landmarks: int) -> Certainty:
        """Where nothing is known."""
        return cls(np.full((n, n_landmarks), np.nan), np.full((n, n_landmarks), np.nan))

    def of(self, index: NDArray[np.intp]) -> Certainty:
        """Of the specimens at these positions."""
        return Certainty(self.confidence[index], self.spread[index])

    def features(self, sizes: FloatArray) -> FloatArray:
        """(N, K, 2): log of the spread as a share of centroid size (N,), and doubt: -log of confidence."""
        width = np.log(np.maximum(self.spread / sizes[:, None], SMALLEST))
        doubt = -np.log(np.clip(self.confidence, SMALLEST, 1))
        return np.stack([width, doubt], -1)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What out-of-fold errors say of the errors of new photographs.

    Attributes:
        typical: (K,) log of the typical error of each landmark, as a share of the predicted centroid size.
        slopes: (2,) by how much log error grows with log spread, and with doubt.
        centres: (K, 2) mean of these two for each landmark.
        quantiles: (L,) of the errors as multiples of what is expected, for each of `levels`; infinite where there were
            too few errors to tell.
        levels: (L,) probabilities.
        n: number of errors it rests on.
    """

    typical: FloatArray
    slopes: FloatArray
    centres: FloatArray
    quantiles: FloatArray
    levels: tuple[float, ...]
    n: int

    def expected(self, sizes: FloatArray, certainty: Certainty) -> FloatArray:
        """Typical error (N, K) in px of landmarks, from what the networks say of them; see `radii`."""
        told = np.nan_to_num(certainty.features(sizes) - self.centres)
        typical: FloatArray = np.exp(self.typical + told @ self.slopes) * sizes[:, None]
        return typical

    def radii(self, sizes: FloatArray, certainty: Certainty) -> FloatArray:
        """Radii that hold the true points with the probabilities of `levels`.

        Args:
            sizes: (N,) predicted centroid sizes, px.
            certainty: of the same predictions.

        Returns:
            (N, K, L) px.
        """
        return self.expected(sizes, certainty)[..., None] * self.quantiles

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold; infinite becomes null."""
        plain = {name: np.asarray(value).tolist() for name, value in asdict(self).items()}
        return plain | {"quantiles": [value if np.isfinite(value) else None for value in self.quantiles.tolist()]}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Calibration:
        """Back from `as_plain`; raises ValueError, KeyError or TypeError where it is something else."""
        quantiles = np.array([np.inf if value is None else value for value in plain["quantiles"]], dtype=np.float64)
        typical, slopes, centres = (np.array(plain[n], dtype=np.float64) for n in ("typical", "slopes", "centres"))
        levels = tuple(map(float, plain["levels"]))
        if centres.shape != (len(typical), 2) or slopes.shape != (2,) or quantiles.shape != (len(levels),):
            raise ValueError("arrays that do not fit each other")
        return cls(typical, slopes, centres, quantiles, levels, int(plain["n"]))


def calibrate(
    errors: FloatArray, sizes: FloatArray, certainty: Certainty, *, levels: tuple[float, ...] = LEVELS
) -> Calibration | None:
    """Learn from out-of-fold predictions.

    The log error of each landmark is a mean (drawn towards that of all, more so the fewer specimens there are) plus a
    damped linear function of what the networks say. Errors divided by this expectation are alike for all landmarks;
    their quantiles, with the finite-sample correction ceil((n + 1) level) / n, are the radii in units of it.

    Args:
        errors: (N, K) px; NaN = missing in either.
        sizes: (N,) predicted centroid sizes, px.
        certainty: of the same predictions.
        levels: probabilities.

    Returns:
        None where there are fewer than 20 errors.
    """
    relative = errors / sizes[:, None]
    there = np.isfinite(relative)
    if there.sum() < LEAST:
        return None
    logs = np.log(np.maximum(np.where(there, relative, 1.0), SMALLEST))
    told = certainty.features(sizes)
    typical = _means(logs, there)
    centres = np.nan_to_num(np.stack([_means(one, there) for one in np.moveaxis(told, -1, 0)], -1))
    offset = np.nan_to_num(told - centres)
    rows = offset[there]
    damping = DAMPING * errors.shape[1] * np.diag(rows.var(0) + 1e-9)
    slopes = np.maximum(np.linalg.solve(rows.T @ rows + damping, rows.T @ (logs - typical)[there]), 0)
    scores = np.sort((relative / np.exp(typical + offset @ slopes))[there])
    quantiles = np.array([_quantile(scores, level) for level in levels])
    return Calibration(typical, slopes, centres, quantiles, levels, len(scores))


def _means(values: FloatArray, there: NDArray[np.bool_]) -> FloatArray:
    """(K,) means of (N, K) values where they are there, drawn towards the mean of all."""
    known = there & np.isfinite(values)
    if not known.any():
        return np.full(values.shape[1], np.nan)
    overall = values[known].mean()
    means: FloatArray = (np.where(known, values, 0).sum(0) + SHRINKAGE * overall) / (known.sum(0) + SHRINKAGE)
    return means


def _quantile(scores: FloatArray, level: float) -> float:
    """The smallest of sorted scores that this share of future ones do not exceed; infinite where n is too small."""
    rank = int(np.ceil((len(scores) + 1) * level))
    return float(scores[rank - 1]) if rank <= len(scores) else np.inf


def coverage(errors: FloatArray, radii: FloatArray) -> FloatArray:
    """(L,) share of errors (N, K) that are not above the radii (N, K, L); NaN errors do not count."""
    held: FloatArray = (errors[..., None] <= radii)[np.isfinite(errors)].mean(0)
    return held
