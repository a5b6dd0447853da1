"""Do the predictions have the mean shape of the manual landmarks, or are they off all in the same way?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import PERMUTATIONS, permutation_p

SAME = 1e-12
"""Distance, in units of centroid size, below which two means differ by rounding only."""


@dataclass(frozen=True, eq=False)
class MeanDifference:
    """The difference between two mean shapes.

    Attributes:
        n: specimens used.
        distance: Procrustes distance between the means, in units of centroid size.
        p: of the permutation test that both sets have one mean.
        share: of the total sum of squares that lies between the two means (the method's of the Procrustes ANOVA).
        vectors: (K, 2) predicted minus manual mean of each landmark, in units of centroid size.
        manual_mean: (K, 2) mean of the manual shapes, on which to draw the vectors.
        permutations: made.
    """

    n: int
    distance: float
    p: float
    share: float
    vectors: FloatArray
    manual_mean: FloatArray
    permutations: int


def mean_difference(
    manual: FloatArray, predicted: FloatArray, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> MeanDifference:
    """Compare the mean shapes of two sets of the same specimens.

    The test swaps the two configurations within specimens at random, so that the differences between specimens do not
    hide a small difference between the sets.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.
        seed: of the permutations.
        permutations: to make.

    Raises:
        UserError: see `pairing.complete_pairs`.

    Source:
        Distance between means of superimposed shapes, Goodall (1991); exchange within matched pairs, Good (2005),
        Permutation, Parametric and Bootstrap Tests of Hypotheses; use: Moccetti et al. (2023), PeerJ 11: e15545.
    """
    pairs = complete_pairs(manual, predicted, "mean shapes")
    differences = (pairs.predicted - pairs.manual).reshape(pairs.n, -1)
    observed = float(np.linalg.norm(differences.mean(0)))
    generator = np.random.default_rng(seed)
    permuted = np.empty(permutations)
    for number in range(permutations):
        signs = generator.integers(2, size=pairs.n) * 2.0 - 1
        permuted[number] = np.linalg.norm(signs @ differences) / pairs.n
    manual_mean = pairs.manual.mean(0)
    return MeanDifference(
        n=pairs.n,
        distance=observed,
        p=permutation_p(observed, permuted) if observed > SAME else 1.0,
        share=procrustes_anova(np.stack([pairs.manual, pairs.predicted], axis=1)).method.share,
        vectors=pairs.predicted.mean(0) - manual_mean,
        manual_mean=manual_mean,
        permutations=permutations,
    )
