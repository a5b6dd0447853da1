"""Distances between two sets of landmarks, in the units people need, beside the mean-shape baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum import geometry
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, superimpose

QUANTILES = {"median": 50, "p90": 90, "p95": 95}


def distances(predicted: FloatArray, manual: FloatArray) -> FloatArray:
    """Euclidean distance of each landmark, (N, K) in the unit of the points; NaN where either is missing."""
    result: FloatArray = np.linalg.norm(np.asarray(predicted) - np.asarray(manual), axis=-1)
    return result


def mean_shape_distances(shape: FloatArray, manual: FloatArray) -> FloatArray:
    """Error of a predictor that knows each specimen's position, size and turn, but only the mean shape.

    Args:
        shape: (K, 2) mean shape of the training specimens, any pose.
        manual: (N, K, 2) landmarks of the test specimens; NaN = missing.

    Returns:
        (N, K) distances after the best similarity, in the unit of `manual`. A model that is not better than this
        has learnt where specimens lie, not their shape.
    """
    return distances(superimpose(np.broadcast_to(shape, manual.shape), manual), manual)


@dataclass(frozen=True, eq=False)
class Scales:
    """What a px of each photograph is worth.

    Attributes:
        paper: (N,) px of the paper's 256x192 frame per px.
        percent: (N,) % of centroid size per px.
        mm: (N,) mm per px, NaN where it is not known.
    """

    paper: FloatArray
    percent: FloatArray
    mm: FloatArray

    @classmethod
    def of(cls, manual: FloatArray, sizes: list[tuple[int, int]], scales: list[float | None]) -> Scales:
        """Work out the scales of specimens.

        Args:
            manual: (N, K, 2) px.
            sizes: (N,) width and height of the photographs.
            scales: (N,) mm per px; None = not known.
        """
        size = centroid_size(manual)
        return cls(
            np.array([geometry.paper_px(size) for size in sizes]),
            np.where(size > 0, 100 / np.where(size > 0, size, 1), np.nan),
            np.array([np.nan if scale is None else scale for scale in scales]),
        )

    @property
    def n_in_mm(self) -> int:
        """Number of specimens of which errors are known in mm."""
        return int(np.isfinite(self.mm).sum())

    def units(self, errors: FloatArray) -> dict[str, FloatArray]:
        """Errors (N, K) in px as (N, K) arrays by unit; ``mm`` only where at least one specimen has a scale."""
        scaled = {
            "px": errors,
            "percent_centroid_size": errors * self.percent[:, None],
            "px_256x192": errors * self.paper[:, None],
        }
        if not np.isnan(self.mm).all():
            scaled["mm"] = errors * self.mm[:, None]
        return scaled


def summary(errors: NDArray[np.float64]) -> dict[str, float | int | None]:
    """n, mean, median, 90th and 95th percentile and maximum of errors of any shape; NaN left out."""
    values = errors[~np.isnan(errors)]
    if values.size == 0:
        return {"n": 0, "mean": None, **dict.fromkeys(QUANTILES), "max": None}
    quantiles = {name: float(np.percentile(values, share)) for name, share in QUANTILES.items()}
    return {"n": int(values.size), "mean": float(values.mean()), **quantiles, "max": float(values.max())}


def table(errors: FloatArray, names: tuple[str, ...], scales: Scales) -> list[dict[str, object]]:
    """One row per landmark and a last one for all of them.

    Args:
        errors: (N, K) px of the photographs.
        names: (K,) of the landmarks.
        scales: of the specimens.

    Returns:
        rows ``{"landmark": name or "all", unit: summary, ...}``.
    """
    units = scales.units(errors)
    rows: list[dict[str, object]] = [
        {"landmark": name, **{unit: summary(values[:, k]) for unit, values in units.items()}}
        for k, name in enumerate(names)
    ]
    rows.append({"landmark": "all", **{unit: summary(values) for unit, values in units.items()}})
    return rows
