"""Is the specimen nearest to a prediction the one it was made of?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.pairing import complete_pairs

BLOCK = 256
"""Predictions compared with all manual shapes at once: 6 MB for 3,000 specimens."""


@dataclass(frozen=True, eq=False)
class Twins:
    """Where each prediction finds its own manual configuration among all.

    Attributes:
        n: specimens used.
        used: (N,) True for these, of those given.
        ranks: (n,) of the own manual configuration by distance, 1 = nearest; a tie counts for the specimen.
        own: (n,) Procrustes distance to the own manual configuration.
        other: (n,) Procrustes distance to the nearest manual configuration of another specimen.
        nearest_other: (n,) its row among the specimens used.
        ratios: (n,) own / other; below 1 the error is smaller than the difference between specimens. Infinite where
            another specimen has exactly the predicted shape, NaN where that holds of both.
    """

    n: int
    used: NDArray[np.bool_]
    ranks: NDArray[np.intp]
    own: FloatArray
    other: FloatArray
    nearest_other: NDArray[np.intp]
    ratios: FloatArray

    @property
    def share_first(self) -> float:
        """Share of predictions whose nearest manual configuration is their own; by chance 1 / n."""
        return float(np.mean(self.ranks == 1))

    @property
    def median_ratio(self) -> float:
        """Median of the ratios, NaN left out; NaN where none is known."""
        known = self.ratios[~np.isnan(self.ratios)]
        return float(np.median(known)) if known.size else np.nan


def own_twins(manual: FloatArray, predicted: FloatArray) -> Twins:
    """Compare each prediction with the manual configurations of all specimens.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.

    Raises:
        UserError: see `pairing.complete_pairs`.

    Source:
        Error against the distance between specimens: Robinson & Terhune (2017), American Journal of Physical
        Anthropology 164. The rank is that of a nearest-neighbour identification.
    """
    pairs = complete_pairs(manual, predicted, "own twins")
    truth, guess = pairs.manual.reshape(pairs.n, -1), pairs.predicted.reshape(pairs.n, -1)
    ranks, nearest = np.empty(pairs.n, dtype=np.intp), np.empty(pairs.n, dtype=np.intp)
    own, other = np.empty(pairs.n), np.empty(pairs.n)
    for start in range(0, pairs.n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, pairs.n))
        distances = cdist(guess[rows], truth)
        own[rows] = distances[np.arange(len(rows)), rows]
        ranks[rows] = 1 + (distances < own[rows, None]).sum(1)
        distances[np.arange(len(rows)), rows] = np.inf
        nearest[rows] = distances.argmin(1)
        other[rows] = distances.min(1)
    equal = np.where(own > 0, np.inf, np.nan)
    ratios = np.where(other > 0, own / np.where(other > 0, other, 1), equal)
    return Twins(pairs.n, pairs.used, ranks, own, other, nearest, ratios)
