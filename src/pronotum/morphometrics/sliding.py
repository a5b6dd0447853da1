"""Sliding semilandmarks: where along its curve a point lies is chosen so that shapes differ no more than they must.

Along each curve the semilandmarks of a specimen slide to where the thin-plate spline from the mean shape bends least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pronotum.landmarks import FloatArray
from pronotum.morphometrics.procrustes import Aligned, generalized_procrustes

ROUNDS = 3
"""The mean shape follows the semilandmarks, so sliding never ends; after three rounds little more energy is saved."""
RIDGE = 1e-9
"""Share of the system's mean diagonal that keeps it solvable where points may slide without any bending."""
Sliders = Sequence[tuple[int, int, int]]
"""Points that slide, each with the points before and after it on its curve: (before, slider, after), 0-based."""


def superimpose(points: FloatArray, sliders: Sliders, names: tuple[str, ...] = ()) -> Aligned:
    """`procrustes.generalized_procrustes` of configurations (N, K, 2) whose semilandmarks have slid before.

    Without sliders it is that function. Sizes are those after sliding.

    Raises:
        UserError: see there.
    """
    aligned = generalized_procrustes(points, names)
    return generalized_procrustes(slide(points, sliders, aligned.mean), names) if sliders else aligned


def slide(points: FloatArray, sliders: Sliders, mean: FloatArray, *, rounds: int = ROUNDS) -> FloatArray:
    """Semilandmarks moved along their curves to where bending energy is least, with the mean shape of all.

    A semilandmark stays on the polyline of its own and its neighbours' first places.

    Args:
        points: (N, K, 2) complete configurations in any pose.
        sliders: see `Sliders`.
        mean: (K, 2) the first mean shape, of unit centroid size.
        rounds: how often; the mean is worked out again in between.

    Returns:
        (N, K, 2) in the frames of `points`.

    Source:
        Bookstein (1997), Medical Image Analysis 1: 225-243, equation 8; put back onto the curve as in Gunz &
        Mitteroecker (2013), Hystrix 24: 103-109.
    """
    before, slider, after = np.array(sliders, dtype=np.intp).T
    slid = np.array(points)
    for number in range(rounds):
        if number:
            mean = generalized_procrustes(slid).mean
        moved = slide_once(slid, sliders, mean)[:, slider]
        first = _onto(moved, points[:, before], points[:, slider])
        second = _onto(moved, points[:, slider], points[:, after])
        nearer = np.linalg.norm(moved - first, axis=-1) <= np.linalg.norm(moved - second, axis=-1)
        slid[:, slider] = np.where(nearer[..., None], first, second)
    return slid


def slide_once(points: FloatArray, sliders: Sliders, mean: FloatArray) -> FloatArray:
    """Semilandmarks moved along their tangents, the direction from the point before to the point after.

    The spline's energy is tr(Y' B Y), whatever the pose of a configuration Y; with Y + t_i d_i for each slider i it is
    least where the derivative by every t_i is zero.

    Args:
        points: (N, K, 2).
        sliders: see `Sliders`.
        mean: (K, 2) shape from which the spline sets out.
    """
    before, slider, after = np.array(sliders, dtype=np.intp).T
    energy = bending_energy(mean)
    along = points[:, after] - points[:, before]
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    along = np.where(length > 0, along / np.where(length > 0, length, 1), 0)
    system = energy[np.ix_(slider, slider)] * (along @ np.swapaxes(along, -1, -2))
    ridge = RIDGE * np.trace(system, axis1=-2, axis2=-1)[:, None, None] / len(slider)
    pull = (along * (energy @ points)[:, slider]).sum(-1)
    steps = -np.linalg.solve(system + ridge * np.eye(len(slider)), pull[..., None])
    moved = np.array(points)
    moved[:, slider] += steps * along
    return moved


def bending_energy(shape: FloatArray) -> FloatArray:
    """(K, K) matrix B of the thin-plate spline from a shape (K, 2): to Y (K, 2) it bends by tr(Y' B Y).

    Source:
        Bookstein (1989), Principal warps: upper left block of the inverse of [[U, Q], [Q', 0]], where U = r^2 log r
        and Q = [1, x, y].
    """
    k = len(shape)
    squares = ((shape[:, None] - shape) ** 2).sum(-1)
    system = np.zeros((k + 3, k + 3))
    system[:k, :k] = squares * np.log(np.where(squares > 0, squares, 1)) / 2
    system[:k, k], system[:k, k + 1 :] = 1, shape
    system[k:, :k] = system[:k, k:].T
    return np.asarray(np.linalg.pinv(system, hermitian=True)[:k, :k], dtype=np.float64)


def _onto(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """The places (..., 2) nearest to points on the straight lines from start to end."""
    way = end - start
    length = (way**2).sum(-1)
    share = np.clip(((points - start) * way).sum(-1) / np.where(length > 0, length, 1), 0, 1)
    return np.asarray(start + share[..., None] * way, dtype=np.float64)
