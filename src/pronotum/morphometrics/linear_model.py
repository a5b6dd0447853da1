"""Procrustes ANOVA of shape on one term: a covariate or groups, tested by randomising residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import PERMUTATIONS, permutation_p

ALIKE = 1e-20
"""Mean squared Procrustes distance to the mean below which all shapes are the same up to rounding."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """How much of the variation in shape one term explains.

    Attributes:
        n: specimens.
        df: degrees of freedom of the term.
        df_residual: of the residual.
        r2: share of the total sum of squares.
        f: Goodall's F; infinite where nothing is left over.
        z: standard deviate of F among its permutations after a Box-Cox transformation: the effect size that may be
            compared between data sets. NaN where F is not finite.
        p: of the permutation test.
        coefficients: (P, K, 2) change of shape per unit of each column of the design, in units of centroid size.
        permutations: made.

    r2, f, z and p are NaN where all shapes are the same.
    """

    n: int
    df: int
    df_residual: int
    r2: float
    f: float
    z: float
    p: float
    coefficients: FloatArray
    permutations: int


def linear_model(
    shapes: FloatArray, design: FloatArray, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> LinearModel:
    """Regress shapes on the columns of a design, beside an intercept.

    Args:
        shapes: (N, K, 2) complete and superimposed.
        design: (N, P) covariate or indicators of groups, without intercept, N > P + 1.
        seed: of the permutations.
        permutations: to make. The reduced model is the mean, so its residuals are exchanged whole.

    Source:
        Goodall (1991); Collyer, Sekora & Adams (2015), Heredity 115: 357-365 (residual randomisation); Collyer & Adams
        (2018), RRPP (F and its effect size); geomorph's ``procD.lm(coords ~ term)``.
    """
    n, p = design.shape
    flat = shapes.reshape(n, -1)
    flat = flat - flat.mean(0)
    centred = design - design.mean(0)
    coefficients, _, df, _ = np.linalg.lstsq(centred, flat, rcond=None)
    basis, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    basis = basis[:, lengths > 1e-10 * lengths.max(initial=0)]
    df, rest = int(df), n - 1 - int(df)
    total = float((flat**2).sum())
    coefficients = coefficients.reshape(p, *shapes.shape[1:])
    if total <= ALIKE * n or df == 0:
        return LinearModel(n, df, rest, np.nan, np.nan, np.nan, np.nan, coefficients, permutations)
    explained = float(((basis.T @ flat) ** 2).sum())
    generator = np.random.default_rng(seed)
    drawn = np.empty(permutations)
    for number in range(permutations):
        drawn[number] = ((basis[generator.permutation(n)].T @ flat) ** 2).sum()
    f = _f(np.append(drawn, explained), total, df, rest)
    return LinearModel(
        n=n,
        df=df,
        df_residual=rest,
        r2=explained / total,
        f=float(f[-1]),
        z=effect_size(float(f[-1]), f[:-1]),
        p=permutation_p(explained, drawn),
        coefficients=coefficients,
        permutations=permutations,
    )


def effect_size(observed: float, permuted: FloatArray) -> float:
    """Standard deviate of a positive statistic among its permutations and itself, after a Box-Cox transformation.

    Returns:
        The deviate; NaN where a value is not finite and positive or all are equal.

    Source:
        RRPP's ``effect.size``, Collyer & Adams (2018), Methods in Ecology and Evolution 9; standard deviation over N.
    """
    values = np.append(permuted, observed)
    if not (np.isfinite(values).all() and (values > 0).all()) or np.ptp(values) <= 1e-12 * values.max():
        return np.nan
    values = values / stats.gmean(values)
    best = optimize.minimize_scalar(lambda power: -stats.boxcox_llf(power, values), bounds=(-5, 5), method="bounded")
    transformed = stats.boxcox(values, best.x)
    return float((transformed[-1] - transformed.mean()) / transformed.std())


def _f(explained: FloatArray, total: float, df: int, rest: int) -> FloatArray:
    left = total - explained
    some = left > 1e-12 * total
    return np.where(some, (explained / df) / (np.where(some, left, 1) / max(rest, 1)), np.inf)
