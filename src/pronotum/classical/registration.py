"""The pose that lays one outline over another: trimmed iterative closest points from several starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pronotum import geometry
from pronotum.classical.contours import directions, smooth
from pronotum.landmarks import FloatArray

KEPT_AT_FIRST, KEPT = 0.75, 0.9
"""Share of the outline that has to find its like: a tendon or a torn base may have none. Leaving more out than need be
makes the fit too small, so the last rounds leave out little."""
NEAR = 0.3
"""Distance from the nearest landmark, as a share of the landmarks' size, at which an outline matters half as much."""
ELSEWHERE = 0.1
"""Weight of the outline far from all landmarks."""
DIRECTION, LOCAL_DIRECTION = 0.3, 0.05
"""Distance, as a share of the specimen's size, that counts as much as a difference of direction of one radian: for the
common pose much, so that it does not settle askew; for a single landmark little, as its surroundings may be bent."""
MODEL_SMOOTHING, SCENE_SMOOTHING = 1.0, 3.0
"""Points of the outlines over which directions are taken."""
LOCAL, LOCAL_ELSEWHERE, LOCAL_ROUNDS = 0.15, 0.01, 16
"""The same for a single landmark that follows the outline around it, and for how many rounds."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A pose and how well it fits.

    Attributes:
        pose: (3, 3) from px of the model to px of the scene.
        residual: mean distance of the kept share of the outline, as a share of the scene's size.
        rival: how well the outline fits another way round: distance of the best pose / distance of the best of those
            turned by more than 30 degrees against it, upside down for one; 1 where they fit equally well.
    """

    pose: FloatArray
    residual: float
    rival: float = 0.0


def best_similarity(source: FloatArray, target: FloatArray, weights: FloatArray, mirrored: bool = False) -> FloatArray:
    """Weighted least-squares turn, scaling and shift from (N, 2) to (N, 2); turned over first where asked.

    Source:
        Umeyama (1991), in complex numbers.
    """
    z = source @ np.array([-1.0 if mirrored else 1.0, 1j])
    w = target @ np.array([1.0, 1j])
    share = weights / weights.sum()
    middle_z, middle_w = share @ z, share @ w
    z, w = z - middle_z, w - middle_w
    turn = (share * np.conj(z)) @ w / max(float(share @ np.abs(z) ** 2), 1e-12)
    shift = middle_w - turn * middle_z
    pose = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag], [0, 0, 1.0]])
    return pose @ np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])


def closest_points(
    model: FloatArray,
    scene: FloatArray,
    start: FloatArray,
    *,
    weights: FloatArray | None = None,
    iterations: int = 40,
    keep: float = KEPT_AT_FIRST,
) -> Fit:
    """Refine a pose: each model point is paired with the scene's nearest, the worst pairs are left out, and again.

    Points are near if their places and the directions of the outlines there are alike.

    Args:
        model: (N, 2) px, along the outline.
        scene: (M, 2) px, densely along the outline.
        start: (3, 3) pose; its handedness is kept.
        weights: (N,) of the model's points.
        iterations: at most.
        keep: share of the weight that is kept.

    Source:
        Chetverikov et al. (2002) trimmed iterative closest point.
    """
    edge = _Edge(scene, DIRECTION)
    heading = _headings(model, MODEL_SMOOTHING)
    share = np.ones(len(model)) if weights is None else weights
    mirrored = bool(np.linalg.det(start[:2, :2]) < 0)
    pose, before = start, np.inf
    for _ in range(iterations):
        distance, nearest = edge.match(pose, model, heading)
        kept = _kept(distance, share, keep)
        if len(kept) < 3:
            break
        pose = best_similarity(model[kept], scene[nearest[kept]], share[kept], mirrored)
        now = float(np.average(distance[kept], weights=share[kept])) / edge.extent
        if abs(before - now) < 1e-6:
            break
        before = now
    apart = np.asarray(cKDTree(scene).query(geometry.transform(pose, model))[0], dtype=np.float64)
    kept = _kept(apart, share, keep)
    return Fit(pose, float(np.average(apart[kept], weights=share[kept])) / edge.extent)


def lay_over(model: FloatArray, scene: FloatArray, starts: Sequence[FloatArray], landmarks: FloatArray) -> Fit | None:
    """The best pose of an outline from several starts, fitted most closely where the landmarks are.

    Args:
        model: (N, 2) px, evenly along the outline.
        scene: (M, 2) px, evenly and densely along the outline.
        starts: (3, 3) poses.
        landmarks: (K, 2) px of the model; NaN = missing.

    Returns:
        the fit, or None without a start. Starts are compared in both directions: a small model inside a part of the
        scene is no fit.
    """
    tried = [closest_points(model, scene, start, iterations=15) for start in starts]
    if not tried:
        return None
    apart = [mutual_distance(geometry.transform(fit.pose, model), scene) for fit in tried]
    best = int(np.argmin(apart))
    # upside down is what outlines are mistaken for, whether or not anybody proposed it
    half_turn = tried[best].pose @ geometry.similarity(np.pi, 1.0, model.mean(axis=0))
    tried.append(closest_points(model, scene, half_turn, iterations=15))
    apart.append(mutual_distance(geometry.transform(tried[-1].pose, model), scene))
    others = [far for fit, far in zip(tried, apart, strict=True) if _differ(fit.pose, tried[best].pose)]
    rival = apart[best] / max(min(others), 1e-9) if others else 0.0
    whole = closest_points(model, scene, tried[best].pose, iterations=20, keep=KEPT)
    fit = closest_points(model, scene, whole.pose, weights=importance(model, landmarks), keep=KEPT)
    return replace(fit, rival=float(rival))


def _differ(one: FloatArray, other: FloatArray) -> bool:
    """Whether two poses are turned by more than 30 degrees against each other, or one is turned over."""
    relative = one[:2, :2] @ np.linalg.inv(other[:2, :2])
    turn = abs(np.degrees(np.arctan2(relative[1, 0], relative[0, 0])))
    return bool(np.linalg.det(relative) < 0 or turn > 30)


def mutual_distance(one: FloatArray, other: FloatArray, keep: float = 0.8) -> float:
    """Mean distance of the nearest share of the points of each outline from the other, px, the larger of both ways."""
    means = []
    for source, target in ((one, other), (other, one)):
        distance = np.sort(cKDTree(target).query(source)[0])
        means.append(float(distance[: max(1, round(keep * len(distance)))].mean()))
    return max(means)


def importance(outline: FloatArray, landmarks: FloatArray) -> FloatArray:
    """(N,) weights of the points of an outline: those near a landmark decide where it goes."""
    known = landmarks[~np.isnan(landmarks[:, 0])]
    if len(known) == 0:
        return np.ones(len(outline))
    distance, _ = cKDTree(known).query(outline)
    return np.exp(-((distance / (NEAR * _extent(outline))) ** 2) / 2) + ELSEWHERE


def follow(model: FloatArray, scene: FloatArray, pose: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Carry each landmark by a pose of its own, fitted to the outline around it.

    Starting from the common pose, a few rounds of closest points with weights that fall off with the distance from the
    landmark. That the rounds are few keeps a landmark on a smooth stretch from sliding along it.

    Args:
        model, scene: outlines as in `lay_over`, running in the same sense.
        pose: (3, 3).
        landmarks: (K, 2) px of the model; NaN stays NaN.

    Returns:
        (K, 2) px of the scene.
    """
    edge = _Edge(scene, LOCAL_DIRECTION)
    heading = _headings(model, MODEL_SMOOTHING)
    mirrored = bool(np.linalg.det(pose[:2, :2]) < 0)
    radius = LOCAL * _extent(model)
    moved = np.full(landmarks.shape, np.nan)
    for number in np.flatnonzero(~np.isnan(landmarks[:, 0])):
        near = np.exp(-((model - landmarks[number]) ** 2).sum(1) / (2 * radius**2)) + LOCAL_ELSEWHERE
        own = pose
        for _ in range(LOCAL_ROUNDS):
            distance, nearest = edge.match(own, model, heading)
            kept = _kept(distance, near, KEPT)
            if len(kept) < 3:
                break
            own = best_similarity(model[kept], scene[nearest[kept]], near[kept], mirrored)
        moved[number] = geometry.transform(own, landmarks[number : number + 1])[0]
    return moved


class _Edge:
    """An outline in which the point of like place and direction is looked up.

    Going by place alone, a model that lies a little askew is pulled along the outline into a wrong fit.
    """

    def __init__(self, outline: FloatArray, direction: float) -> None:
        self.extent = _extent(outline)
        self._worth = direction * self.extent
        self._tree = cKDTree(self._joined(outline, _headings(outline, SCENE_SMOOTHING)))

    def match(
        self, pose: FloatArray, model: FloatArray, heading: NDArray[np.complex128]
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """Distance (N,) of the model's points from the nearest of the outline, in place and direction; its number."""
        x, y = pose[:2, :2] @ np.array([heading.real, heading.imag])
        turned = (x + 1j * y) / max(abs(np.linalg.det(pose[:2, :2])) ** 0.5, 1e-9)
        if np.linalg.det(pose[:2, :2]) < 0:
            turned = -turned  # turned over, the outline runs the other way
        distance, nearest = self._tree.query(self._joined(geometry.transform(pose, model), turned))
        return np.asarray(distance, dtype=np.float64), np.asarray(nearest, dtype=np.intp)

    def _joined(self, points: FloatArray, heading: NDArray[np.complex128]) -> FloatArray:
        return np.column_stack([points, self._worth * heading.real, self._worth * heading.imag])


def _headings(outline: FloatArray, sigma: float) -> NDArray[np.complex128]:
    """(N,) direction of the outline at its points, as complex numbers of length 1."""
    return np.asarray(np.exp(1j * directions(smooth(outline, sigma))))


def _kept(distance: FloatArray, weights: FloatArray, keep: float) -> NDArray[np.intp]:
    """Numbers of the nearest points that together have this share of the weight."""
    order = np.argsort(distance, kind="stable")
    return np.asarray(order[np.cumsum(weights[order]) <= keep * weights.sum()], dtype=np.intp)


def _extent(points: FloatArray) -> float:
    """Root mean square distance of points (N, 2) from their mean, px."""
    return max(float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())), 1e-9)
