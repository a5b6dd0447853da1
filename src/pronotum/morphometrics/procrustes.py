"""Generalized Procrustes superimposition: configurations without their position, size and turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

TOLERANCE = 1e-12
MAX_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Aligned:
    """Superimposed configurations.

    Attributes:
        shapes: (N, K, 2) centred, of unit centroid size, each turned onto the mean.
        mean: (K, 2) their mean, of unit centroid size.
        sizes: (N,) centroid sizes before, in the unit of the points.
    """

    shapes: FloatArray
    mean: FloatArray
    sizes: NDArray[np.float64]


def generalized_procrustes(points: FloatArray, names: tuple[str, ...] = ()) -> Aligned:
    """Superimpose configurations on their mean by position, size and turn; reflections stay reflections.

    Args:
        points: (N, K, 2), complete: leave out or estimate what is missing before.
        names: (N,) of the specimens, for messages.

    Raises:
        UserError: fewer than two specimens or three landmarks, a missing or infinite coordinate, or a configuration
            without size.

    Source:
        Partial Procrustes superimposition of geomorph's ``gpagen`` (before its projection): Gower (1975); Rohlf & Slice
        (1990); Dryden & Mardia (2016), section 7.3. In complex numbers a turn is a factor of modulus 1.
    """
    _require_usable(points, names)
    sizes = centroid_size(points)
    complex_points = points[..., 0] + 1j * points[..., 1]
    shapes = (complex_points - complex_points.mean(1, keepdims=True)) / sizes[:, None]
    mean = shapes[0]
    for _ in range(MAX_ITERATIONS):
        turn = np.conj(shapes) @ mean
        shapes = shapes * (turn / np.where(np.abs(turn) > 0, np.abs(turn), 1))[:, None]
        new = shapes.mean(0)
        new = new / np.sqrt((np.abs(new) ** 2).sum())
        settled = np.abs(new - mean).max() < TOLERANCE
        mean = new
        if settled:
            break
    return Aligned(_real(shapes), _real(mean), sizes)


def project(aligned: Aligned) -> FloatArray:
    """(N, K, 2) shapes moved orthogonally into the plane that touches shape space at their mean.

    Source:
        geomorph's ``gpagen(Proj = TRUE)``; Rohlf (1999): X (I - m m') + m, m of unit length.
    """
    flat, mean = aligned.shapes.reshape(len(aligned.shapes), -1), aligned.mean.ravel()
    projected = flat - np.outer(flat @ mean, mean) + mean
    return projected.reshape(aligned.shapes.shape)


def _real(points: NDArray[np.complex128]) -> FloatArray:
    return np.stack([points.real, points.imag], axis=-1)


def _require_usable(points: FloatArray, names: tuple[str, ...]) -> None:
    n, n_landmarks = points.shape[:2]
    if n < 2 or n_landmarks < 3:
        found = f"{counted(n, 'specimen')} with {counted(n_landmarks, 'landmark')}"
        raise UserError("superimposition", found=found, expected="at least 2 specimens and 3 landmarks")
    called = names or tuple(f"specimen {number}" for number in range(1, n + 1))
    incomplete = np.flatnonzero(~np.isfinite(points).all((1, 2)))
    if incomplete.size:
        raise UserError(
            called[incomplete[0]],
            found="a landmark is missing" + (f", as in {incomplete.size - 1} others" if incomplete.size > 1 else ""),
            expected="complete configurations",
            remedy="leave out the specimens or the landmarks concerned",
        )
    flat = np.flatnonzero(centroid_size(points) <= 1e-9 * np.abs(points).max(initial=1.0))
    if flat.size:
        raise UserError(called[flat[0]], found="all its landmarks lie in one place", remedy="digitise it again")
