"""The shapes behind an `Evidence`, once more, turned as specimens lie on the photographs: for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.evaluation.evidence import Evidence, Sets
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.sliding import superimpose


@dataclass(frozen=True, eq=False)
class Superimposed:
    """Specimens that are complete in both sets, superimposed together.

    Attributes:
        specimens: (n,) names.
        manual: (n, K, 2) of unit centroid size, y down.
        predicted: (n, K, 2) of the same specimens.
        manual_sizes: (n,) centroid sizes in the unit of the evidence (`Shape.size_unit`).
        predicted_sizes: (n,) of the predictions.
        turn: (2, 2) that brings the shapes of the `Evidence` into this position: ``points @ turn``.
    """

    specimens: tuple[str, ...]
    manual: FloatArray
    predicted: FloatArray
    manual_sizes: FloatArray
    predicted_sizes: FloatArray
    turn: FloatArray


def superimpose_sets(evidence: Evidence) -> Superimposed:
    """Superimpose as `evidence.gather` does, and turn the result as most specimens lie."""
    sets, n = evidence.sets, evidence.shape.n
    used = complete(sets)
    manual = sets.manual[used]
    aligned = superimpose(np.concatenate([manual, sets.predicted[used]]), sets.sliders)
    turn = upright(aligned.mean, manual)
    factor = sets.scales.mm[used] if evidence.shape.size_unit == "mm" else np.ones(n)
    return Superimposed(
        specimens=tuple(name for name, kept in zip(sets.specimens, used, strict=True) if kept),
        manual=aligned.shapes[:n] @ turn,
        predicted=aligned.shapes[n:] @ turn,
        manual_sizes=aligned.sizes[:n] * factor,
        predicted_sizes=aligned.sizes[n:] * factor,
        turn=turn,
    )


def complete(sets: Sets) -> NDArray[np.bool_]:
    """(N,) True for the specimens that have every landmark in both sets: those that shape statistics use."""
    return complete_pairs(sets.manual, sets.predicted, "shape").used


def upright(shape: FloatArray, photographed: FloatArray) -> FloatArray:
    """The turn (2, 2) that lays a shape as specimens lie on average: ``shape @ turn``.

    Args:
        shape: (K, 2) any position; NaN = missing.
        photographed: (N, K, 2) px, y down; NaN = missing.
    """
    one = shape[:, 0] + 1j * shape[:, 1]
    many = photographed[..., 0] + 1j * photographed[..., 1]
    known = ~np.isnan(many) & ~np.isnan(one)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    there = np.where(known, many, 0)
    there = np.where(known, there - there.sum(1, keepdims=True) / count, 0)
    factor = (there * np.conj(np.where(np.isnan(one), 0, one))).sum(1)
    size = np.abs(factor)
    direction = (factor[size > 0] / size[size > 0]).sum()
    if abs(direction) < 1e-9:
        return np.eye(2)
    cosine, sine = direction.real / abs(direction), direction.imag / abs(direction)
    return np.array([[cosine, sine], [-sine, cosine]])
