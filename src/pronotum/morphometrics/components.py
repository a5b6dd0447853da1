"""Are the main directions of shape variation kept by the predictions, and at their full length?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.bivariate import moments, resampled_moments
from pronotum.morphometrics.pairing import complete_pairs, tangent_pairs
from pronotum.morphometrics.resampling import RESAMPLES, Estimate, estimate

SHARE = 0.95
MOST = 10


@dataclass(frozen=True)
class Component:
    """Agreement of the scores along one principal component.

    Attributes:
        number: 1 = the largest.
        share: of the manual variance that it holds.
        r: Pearson's correlation of predicted with manual scores.
        slope: least-squares slope of predicted on manual scores; below 1 the predictions are drawn to the mean.
        rma_slope: reduced major axis: predicted over manual standard deviation, with the sign of r.
    """

    number: int
    share: float
    r: Estimate
    slope: Estimate
    rma_slope: Estimate


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of the manual shapes and both sets' scores on them.

    Attributes:
        n: specimens used.
        used: (N,) True for these, of those given.
        components: (C,) kept, largest first.
        axes: (C, K, 2) of unit length, in shape space.
        mean: (K, 2) mean manual shape, where the scores are 0.
        manual_scores: (n, C) in units of centroid size.
        predicted_scores: (n, C) on the same axes about the same mean.
    """

    n: int
    used: NDArray[np.bool_]
    components: tuple[Component, ...]
    axes: FloatArray
    mean: FloatArray
    manual_scores: FloatArray
    predicted_scores: FloatArray


def principal_components(
    manual: FloatArray,
    predicted: FloatArray,
    *,
    share: float = SHARE,
    most: int = MOST,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Components:
    """Principal components of the manual shapes in tangent space, and the predictions seen along them.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.
        share: of the variance that the components kept hold at least, unless there are `most`.
        most: components to keep.
        seed: of the bootstrap, which draws specimens; the axes stay those of all specimens.
        resamples: of the bootstrap.

    Returns:
        Components whose sign is chosen so that the largest loading is positive.

    Raises:
        UserError: see `pairing.complete_pairs`, or manual shapes that are all alike.

    Source:
        Relative warps with alpha = 0, Rohlf (1993); Dryden & Mardia (2016), chapter 7.
    """
    pairs = complete_pairs(manual, predicted, "principal components")
    flat, guess = (shapes.reshape(pairs.n, -1) for shapes in tangent_pairs(pairs))
    mean = flat.mean(0)
    _, lengths, axes = np.linalg.svd(flat - mean, full_matrices=False)
    shares = lengths**2 / max(float((lengths**2).sum()), 1e-300)
    if (lengths**2).sum() < 1e-20 * pairs.n:
        raise UserError("principal components", found="all manual shapes are alike", expected="different specimens")
    kept = min(int(np.searchsorted(np.cumsum(shares), share * (1 - 1e-12))) + 1, most, len(shares))
    axes = axes[:kept]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1)
    axes = axes * np.where(largest < 0, -1, 1)
    scores, guesses = (flat - mean) @ axes.T, (guess - mean) @ axes.T
    found = moments(scores, guesses)
    drawn = resampled_moments(scores, guesses, seed=seed, resamples=resamples)
    components = tuple(
        Component(
            number=c + 1,
            share=float(shares[c]),
            r=estimate(found.pearson[c], drawn.pearson[:, c]),
            slope=estimate(found.slope[c], drawn.slope[:, c]),
            rma_slope=estimate(found.rma_slope[c], drawn.rma_slope[:, c]),
        )
        for c in range(kept)
    )
    shape = pairs.manual.shape[1:]
    return Components(pairs.n, pairs.used, components, axes.reshape(-1, *shape), mean.reshape(shape), scores, guesses)
