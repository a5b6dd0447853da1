"""Are specimens that look alike to one set of landmarks alike to the other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist, squareform

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import PERMUTATIONS, permutation_p

MOST_PERMUTED = 500
"""Specimens above which a random draw of so many stands for all in the permutations: their time grows with N^2."""


@dataclass(frozen=True)
class Mantel:
    """Correlation of the distances between specimens in two sets.

    Attributes:
        n: specimens used.
        r: Pearson's correlation of the n (n - 1) / 2 distances; NaN where all distances of a set are equal.
        p: one-sided, of the permutation test that the sets know nothing of each other.
        n_permuted: specimens that took part in the permutations.
        permutations: made.
    """

    n: int
    r: float
    p: float
    n_permuted: int
    permutations: int


def mantel(
    manual: FloatArray,
    predicted: FloatArray,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    most_permuted: int = MOST_PERMUTED,
) -> Mantel:
    """Correlate the pairwise Procrustes distances of two sets of the same specimens.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.
        seed: of the permutations, which exchange the specimens of one set.
        permutations: to make.
        most_permuted: specimens used for the test, drawn at random where there are more; `r` is of all.

    Raises:
        UserError: see `pairing.complete_pairs`.

    Source:
        Mantel (1967), Cancer Research 27: 209-220; for landmarks of two origins: Porto et al. (2021), ALPACA.
    """
    pairs = complete_pairs(manual, predicted, "pairwise distances")
    flat = [shapes.reshape(pairs.n, -1) for shapes in (pairs.manual, pairs.predicted)]
    r = _correlation(*(pdist(values) for values in flat))
    generator = np.random.default_rng(seed)
    rows = np.arange(pairs.n)
    if pairs.n > most_permuted:
        rows = generator.choice(pairs.n, most_permuted, replace=False)
    first, second = (pdist(values[rows]) for values in flat)
    observed = _correlation(first, second)
    if np.isnan(observed):
        return Mantel(pairs.n, r, np.nan, len(rows), permutations)
    square = squareform((first - first.mean()) / first.std() / len(first))
    score = (second - second.mean()) / second.std()
    upper = np.triu_indices(len(rows), 1)
    permuted = np.empty(permutations)
    for number in range(permutations):
        order = generator.permutation(len(rows))
        permuted[number] = square[order[upper[0]], order[upper[1]]] @ score
    return Mantel(pairs.n, r, permutation_p(observed, permuted), len(rows), permutations)


def _correlation(first: FloatArray, second: FloatArray) -> float:
    if min(first.std(), second.std()) <= 1e-12:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])
