"""Two sets of configurations of the same specimens, checked before anything is said about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.procrustes import Aligned, project
from pronotum.morphometrics.superimposition import centroid_size

LEAST = 3
"""Specimens below which nothing is said."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Specimens that are complete in both sets.

    Attributes:
        manual: (n, K, 2).
        predicted: (n, K, 2), same specimens, same order.
        used: (N,) True for the specimens kept, of those given.
    """

    manual: FloatArray
    predicted: FloatArray
    used: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Specimens kept."""
        return len(self.manual)


def complete_pairs(manual: FloatArray, predicted: FloatArray, statistic: str) -> Pairs:
    """Keep the specimens that have every landmark in both sets.

    Args:
        manual: (N, K, 2); NaN = missing.
        predicted: (N, K, 2) of the same specimens in the same order.
        statistic: what is to be computed, for messages.

    Raises:
        UserError: different numbers of specimens or landmarks, fewer than three complete specimens or three landmarks,
            or a configuration without size.
    """
    manual, predicted = np.asarray(manual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if manual.shape != predicted.shape:
        sizes = " and ".join(
            f"{counted(len(points), name + ' specimen')} with {counted(points.shape[1], 'landmark')}"
            for name, points in (("manual", manual), ("predicted", predicted))
        )
        raise UserError(statistic, found=sizes, expected="the same specimens and landmarks in both sets")
    used: NDArray[np.bool_] = np.isfinite(np.concatenate([manual, predicted], axis=1)).all((1, 2))
    n, n_landmarks = int(used.sum()), manual.shape[1]
    if n < LEAST or n_landmarks < LEAST:
        found = f"{n} of {counted(len(used), 'specimen')} with all {counted(n_landmarks, 'landmark')} in both sets"
        raise UserError(statistic, found=found, expected=f"at least {LEAST} specimens and {LEAST} landmarks")
    pairs = Pairs(manual[used], predicted[used], used)
    for name, points in (("manual", pairs.manual), ("predicted", pairs.predicted)):
        flat = np.flatnonzero(centroid_size(points) <= 1e-9 * np.abs(points).max(initial=1.0))
        if flat.size:
            number = int(np.flatnonzero(used)[flat[0]]) + 1
            found = f"all {name} landmarks of specimen {number} lie in one place"
            raise UserError(statistic, found=found, remedy="digitise it again or leave it out")
    return pairs


def tangent_pairs(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """Manual and predicted shapes, (n, K, 2) each, projected into the plane that touches shape space at their mean.

    Source:
        `procrustes.project` of both sets together.
    """
    shapes = np.concatenate([pairs.manual, pairs.predicted])
    mean = shapes.mean(0)
    projected = project(Aligned(shapes, mean / float(centroid_size(mean)), centroid_size(shapes)))
    return projected[: pairs.n], projected[pairs.n :]
