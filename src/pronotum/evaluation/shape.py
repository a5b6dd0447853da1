"""What predictions do to shape: few pixels can hide that all specimens have become alike.

Source: spec G.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pronotum.evaluation.distances import mean_shape_distances
from pronotum.evaluation.part import Part
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.disparity import disparity_ratio
from pronotum.morphometrics.procrustes import generalized_procrustes
from pronotum.morphometrics.superimposition import centroid_size, mean_shape

LEAST = 3
"""Specimens below which nothing is said about shape."""


def shape_table(part: Part, *, seed: int = 0) -> pd.DataFrame:
    """Pixels beside shape, one row per method.

    Args:
        part: manual landmarks and predictions; specimens with a landmark missing in either are left out of the row.
        seed: of the bootstrap.

    Returns:
        ``part, method, n`` (specimens counted)``, mean, median, p90, p99, max`` of the distances, ``mean_shape`` (mean
        distance of the mean manual shape, placed perfectly on each specimen: 0 of the shape variation is kept at this
        error), ``repeatability`` (Procrustes ANOVA; 1 = predictions are as good as a second look at the same
        landmarks), ``disparity_ratio`` with its 95 % interval ``_low, _high`` (1 = shapes vary as much), ``size_r``
        (Pearson's r of centroid sizes) and ``n_contaminated``. NaN where fewer than three specimens are complete.

    Source:
        Spec G; Fruciano (2016) for repeatability.
    """
    return pd.DataFrame([_row(part, method, seed) for method in part.methods])


def _row(part: Part, method: str, seed: int) -> dict[str, object]:
    complete = np.isfinite(part.manual).all((1, 2)) & np.isfinite(part.points(method)).all((1, 2))
    row: dict[str, object] = {"part": part.name, "method": method, "n": int(complete.sum())}
    seen = {"n_contaminated": part.n_contaminated(method)}
    if complete.sum() < LEAST or len(part.landmarks) < LEAST:
        return row | seen
    manual, predicted = part.manual[complete], part.points(method)[complete]
    errors = part.errors(method)[complete]
    mean, median = float(errors.mean()), float(np.median(errors))
    p90, p99 = np.percentile(errors, [90, 99])
    row |= {"mean": mean, "median": median, "p90": p90, "p99": p99, "max": errors.max()}
    row["mean_shape"] = float(np.mean(mean_shape_distances(mean_shape(manual), manual)))
    return row | _shape_statistics(manual, predicted, seed) | seen


def _shape_statistics(manual: FloatArray, predicted: FloatArray, seed: int) -> dict[str, object]:
    n = len(manual)
    shapes = generalized_procrustes(np.concatenate([manual, predicted])).shapes
    ratio = disparity_ratio(shapes[n:], shapes[:n], seed=seed)
    return {
        "repeatability": procrustes_anova(np.stack([shapes[:n], shapes[n:]], axis=1)).repeatability,
        "disparity_ratio": ratio.value,
        "disparity_low": ratio.low,
        "disparity_high": ratio.high,
        "size_r": float(np.corrcoef(centroid_size(manual), centroid_size(predicted))[0, 1]),
    }
