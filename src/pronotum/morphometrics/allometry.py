"""Does shape change with size in the same way in both sets?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics import vectors
from pronotum.morphometrics.linear_model import LinearModel, linear_model
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import PERMUTATIONS, RESAMPLES, Estimate, estimate, resampled_means


@dataclass(frozen=True)
class Allometry:
    """Regression of shape on log centroid size in two sets.

    Attributes:
        n: specimens used.
        manual: the model of the manual shapes; ``coefficients[0]`` (K, 2) is the change of shape per unit of log size.
        predicted: the model of the predictions on their own sizes.
        angle: degrees between the two changes of shape. It cannot be negative: with no difference its interval lies
            above 0, the higher the weaker the allometry.
        length_ratio: length of the predicted change over that of the manual one.
    """

    n: int
    manual: LinearModel
    predicted: LinearModel
    angle: Estimate
    length_ratio: Estimate


def compare_allometry(
    manual: FloatArray,
    predicted: FloatArray,
    manual_sizes: FloatArray,
    predicted_sizes: FloatArray,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
) -> Allometry:
    """Regress both sets of shapes on their own log centroid size and compare the changes.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.
        manual_sizes: (N,) centroid sizes before superimposition, one unit for all.
        predicted_sizes: (N,) of the predictions.
        seed: of permutations and bootstrap, which draws specimens, both sets of each together.
        permutations: of the test of each set.
        resamples: of the bootstrap.

    Raises:
        UserError: see `pairing.complete_pairs`; a size that is not positive; sizes that are all equal.

    Source:
        Monteiro (1999), Systematic Biology 48: 192-199 (multivariate regression of shape); Klingenberg (2016),
        Development Genes and Evolution 226 (angles between allometric vectors).
    """
    pairs = complete_pairs(manual, predicted, "allometry")
    logs = [_log(name, sizes, pairs.used) for name, sizes in (("manual", manual_sizes), ("predicted", predicted_sizes))]
    sets = [pairs.manual, pairs.predicted]
    models = [
        linear_model(shapes, log[:, None], seed=seed, permutations=permutations)
        for shapes, log in zip(sets, logs, strict=True)
    ]
    slopes = [model.coefficients.ravel() for model in models]
    drawn = [
        _resampled_slopes(shapes.reshape(pairs.n, -1), log, seed, resamples)
        for shapes, log in zip(sets, logs, strict=True)
    ]
    return Allometry(
        n=pairs.n,
        manual=models[0],
        predicted=models[1],
        angle=estimate(float(vectors.angle(slopes[0], slopes[1])), vectors.angle(drawn[0], drawn[1])),
        length_ratio=estimate(
            float(vectors.length_ratio(slopes[1], slopes[0])), vectors.length_ratio(drawn[1], drawn[0])
        ),
    )


def _log(name: str, sizes: FloatArray, used: NDArray[np.bool_]) -> FloatArray:
    sizes = np.asarray(sizes, dtype=np.float64)
    if sizes.shape != used.shape:
        found = f"{counted(len(sizes), name + ' size')} for {counted(len(used), 'specimen')}"
        raise UserError("allometry", found=found, expected="one each")
    unusable = np.flatnonzero(used & ~(np.isfinite(sizes) & (sizes > 0)))
    if unusable.size:
        found = f"the {name} size of specimen {unusable[0] + 1} is {sizes[unusable[0]]:g}"
        raise UserError("allometry", found=found, expected="a positive centroid size")
    logs: FloatArray = np.log(sizes[used])
    if np.ptp(logs) < 1e-12:
        raise UserError("allometry", found=f"all {name} sizes are equal", expected="specimens of different size")
    return logs


def _resampled_slopes(flat: FloatArray, log: FloatArray, seed: int, resamples: int) -> FloatArray:
    x, y = (log - log.mean())[:, None], flat - flat.mean(0)
    means = resampled_means(np.concatenate([x, x * x, y, x * y], axis=1), seed=seed, resamples=resamples)
    d = y.shape[1]
    covariance = means[:, 2 + d :] - means[:, :1] * means[:, 2 : 2 + d]
    variance = means[:, 1:2] - means[:, :1] ** 2
    some = variance > 1e-12 * x.var()
    return np.where(some, covariance / np.where(some, variance, 1), np.nan)
