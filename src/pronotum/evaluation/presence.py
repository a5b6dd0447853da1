"""Is this landmark there at all? A calibrated probability, where a study has specimens that lack some.

Logistic regression (Platt 1999) of "digitised by hand or left out as missing" on what the networks say of the place
they would put it, and on how often this landmark is missing; learnt from out-of-fold predictions, since photographs a
network has learnt from look surer to it than new ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pronotum.evaluation.calibration import Certainty
from pronotum.landmarks import FloatArray

LEAST = 10
"""Missing landmarks, over all specimens, below which nothing is learnt."""
SHRINKAGE = 5.0
"""Specimens' worth of belief that a landmark is missing as often as all others."""


@dataclass(frozen=True, eq=False)
class Presence:
    """What out-of-fold predictions say of missing landmarks.

    Attributes:
        usual: (K,) log-odds of being there, landmark by landmark.
        centres: (2,) of what the networks say.
        spreads: (2,) of the same.
        weights: (3,) of these two, standardised, and of `usual`.
        intercept: of the regression.
        n_missing: landmarks that were missing.
    """

    usual: FloatArray
    centres: FloatArray
    spreads: FloatArray
    weights: FloatArray
    intercept: float
    n_missing: int

    def probability(self, sizes: FloatArray, certainty: Certainty) -> FloatArray:
        """(N, K) that a landmark is there, from predicted centroid sizes (N,) px and what the networks say.

        NaN where they say nothing.
        """
        odds = _rows(certainty.features(sizes), self.centres, self.spreads, self.usual) @ self.weights + self.intercept
        probability: FloatArray = 1 / (1 + np.exp(-odds))
        return probability

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Presence:
        """Back from `as_plain`; raises KeyError, TypeError or ValueError where it is something else."""
        names = ("usual", "centres", "spreads", "weights")
        arrays = {name: np.array(plain[name], dtype=np.float64) for name in names}
        if arrays["centres"].shape != (2,) or arrays["spreads"].shape != (2,) or arrays["weights"].shape != (3,):
            raise ValueError("arrays that do not fit each other")
        return cls(**arrays, intercept=float(plain["intercept"]), n_missing=int(plain["n_missing"]))


def learn(present: NDArray[np.bool_], sizes: FloatArray, certainty: Certainty) -> Presence | None:
    """Learn from out-of-fold predictions.

    Args:
        present: (N, K) whether the landmark was digitised by hand.
        sizes: (N,) predicted centroid sizes, px.
        certainty: of the predictions.

    Returns:
        None where fewer than 10 landmarks are missing: then nothing is known, and all are taken to be there.
    """
    features = certainty.features(sizes)
    known = np.isfinite(features).all(-1)
    missing = known & ~present
    if missing.sum() < LEAST or not (known & present).any():
        return None
    n = known.sum(0)
    overall = missing.sum() / known.sum()
    share = (missing.sum(0) + SHRINKAGE * overall) / (n + SHRINKAGE)
    usual = np.log((1 - share) / share)
    centres, spreads = features[known].mean(0), features[known].std(0) + 1e-9
    rows = _rows(features, centres, spreads, usual)[known]
    fitted = LogisticRegression(C=10.0, max_iter=1000).fit(rows, present[known])
    return Presence(usual, centres, spreads, fitted.coef_[0], float(fitted.intercept_[0]), int(missing.sum()))


def _rows(features: FloatArray, centres: FloatArray, spreads: FloatArray, usual: FloatArray) -> FloatArray:
    """(N, K, 3) of (N, K, 2)."""
    standard = (features - centres) / spreads
    return np.concatenate([standard, np.broadcast_to(usual[:, None], (*features.shape[:2], 1))], -1)
