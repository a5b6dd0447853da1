"""Registration of outlines by principal axes, as published (PCAI), and its mended version."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pronotum import geometry
from pronotum.landmarks import FloatArray

SETTLED_ANGLE = 1.5
"""Degrees below which the published iteration stops."""
LOOK_BACK, GIVE_UP, MOST_ITERATIONS = 20, 30, 60
"""Iterations after which the smallest angle is remembered, after which it is good enough, and our own last one: the
published loop may go on for ever."""
WORST_ANGLE = 10.0
"""Degrees; where the smallest angle is larger, the published program gives the scene back as it was."""


@dataclass(frozen=True, eq=False)
class Registration:
    """A scene laid over a model by the published method.

    Attributes:
        points: (N, 2) edge pixels of the scene after turning, whole px.
        iterations: how often the upper halves were aligned.
        angle: degrees between the axes at last.
        unturned: whether the method gave up and `points` are the scene as it was.
    """

    points: FloatArray
    iterations: int
    angle: float
    unturned: bool


def centroid(points: FloatArray) -> FloatArray:
    """Mean of points (N, 2), cut down to whole px as published."""
    return np.asarray(np.floor(points.mean(axis=0)), dtype=np.float64)


def principal_axis(points: FloatArray, centre: FloatArray) -> float:
    """Direction in radians of the line through `centre` and one of the points that has the least mean distance.

    The published program tries every point against every other. The sum of distances is a sum of signed products, and
    a sign changes only where the line passes a point: sorted by direction, running sums give the same answer.

    Args:
        points: (N, 2) px.
        centre: (2,) px.

    Returns:
        on [0, pi); 0 where all points are the centre.

    Source:
        Spec C.5 step 2.
    """
    offset = points - centre
    offset = offset[(offset != 0).any(axis=1)]
    if len(offset) == 0:
        return 0.0
    angle = np.mod(np.arctan2(offset[:, 1], offset[:, 0]), math.pi)
    order = np.argsort(angle, kind="stable")
    angle = angle[order]
    upward = offset[order] * np.where(offset[order, 1:] < 0, -1.0, 1.0)
    # for the line along angle[k], points of smaller direction lie on one side and those of larger on the other
    passed = np.cumsum(upward, axis=0)
    balance = 2 * passed - passed[-1]
    mean = np.abs(np.cos(angle) * balance[:, 1] - np.sin(angle) * balance[:, 0]) / len(points)
    return float(angle[int(np.argmin(np.round(mean, 9)))])


def register_legacy(model: FloatArray, scene: FloatArray, centre: FloatArray | None = None) -> Registration:
    """Turn and shift the scene onto the model by principal axes, again and again for the upper halves.

    Args:
        model: (N, 2) edge pixels.
        scene: (M, 2) edge pixels.
        centre: (2,) px that stands for the scene's centroid at first, where another method found it.

    Source:
        Spec C.5 steps 2 to 4. Whole px throughout; axes are compared by their acute angle, so that a scene upside down
        stays upside down; the upper halves have as many points in the scene as in the model.
    """
    current, _ = _align(scene, model, scene, centroid(scene) if centre is None else centre)
    half = max(1, len(model) // 2)
    upper = _upper(model, half)
    smallest = math.inf
    for iteration in range(1, MOST_ITERATIONS + 1):
        part = _upper(current, half)
        current, angle = _align(part, upper, current, centroid(part))
        if iteration <= LOOK_BACK:
            smallest = min(smallest, angle)
        if angle <= SETTLED_ANGLE:
            return Registration(current, iteration, angle, False)
        if iteration >= LOOK_BACK and smallest > WORST_ANGLE:
            return Registration(scene, iteration, angle, True)
        if iteration >= GIVE_UP and int(angle) == int(smallest):
            break
    return Registration(current, iteration, angle, False)


def bounding_box_scale(model: FloatArray, scene: FloatArray) -> FloatArray:
    """Matrix that gives the scene the model's width and height, and puts the topmost points on each other.

    Source:
        Spec C.5 step 5: independent factors in x and y.
    """
    extent = np.maximum(np.ptp(scene, axis=0), 1)
    factor = np.ptp(model, axis=0) / extent
    top = factor * scene[int(np.argmin(scene[:, 1]))]
    shift = model[int(np.argmin(model[:, 1]))] - top
    return np.array([[factor[0], 0, shift[0]], [0, factor[1], shift[1]], [0, 0, 1.0]])


def turn_back(registered: FloatArray, original: FloatArray) -> FloatArray:
    """Matrix that brings a registered scene back to its own picture, by comparing principal axes.

    Source:
        Spec C.5 step 8.
    """
    centre, home = centroid(registered), centroid(original)
    angle = _signed_angle(principal_axis(registered, centre), principal_axis(original, home))
    return geometry.translation(*(home - centre)) @ geometry.similarity(angle, 1.0, centre)


def axis_hypotheses(model: FloatArray, scene: FloatArray, *, mirror: bool = False) -> list[FloatArray]:
    """Poses that lay the principal axes of two outlines over each other: 0 and 180 degrees, turned over or not.

    Args:
        model: (N, 2) px, evenly along the outline.
        scene: (M, 2) px.
        mirror: whether to add the two in which the model is turned over.

    Returns:
        (3, 3) matrices from px of the model to px of the scene.
    """
    found = []
    for over in (False, True) if mirror else (False,):
        source = model * (-1.0, 1.0) if over else model
        (from_axis, from_size), (to_axis, to_size) = _moments(source), _moments(scene)
        for half_turn in (0.0, math.pi):
            pose = geometry.similarity(to_axis - from_axis + half_turn, to_size / from_size, (0.0, 0.0))
            pose = pose @ np.diag([-1.0 if over else 1.0, 1.0, 1.0])
            shift = scene.mean(axis=0) - geometry.transform(pose, model).mean(axis=0)
            found.append(geometry.translation(*shift) @ pose)
    return found


def _align(part: FloatArray, model: FloatArray, scene: FloatArray, centre: FloatArray) -> tuple[FloatArray, float]:
    """Scene moved so that the axis and centre of a part of it come onto the model's; and the angle, degrees."""
    target = centroid(model)
    angle = _signed_angle(principal_axis(part, centre), principal_axis(model, target))
    matrix = geometry.translation(*(target - centre)) @ geometry.similarity(angle, 1.0, centre)
    return np.rint(geometry.transform(matrix, scene)), abs(math.degrees(angle))


def _signed_angle(start: float, end: float) -> float:
    """The acute turn, radians, that brings one line's direction to another's."""
    return (end - start + math.pi / 2) % math.pi - math.pi / 2


def _upper(points: FloatArray, n: int) -> FloatArray:
    return points[np.argsort(points[:, 1], kind="stable")[:n]]


def _moments(points: FloatArray) -> tuple[float, float]:
    """Direction in radians of the longest axis of points (N, 2), and their root mean square distance from the mean."""
    values, vectors = np.linalg.eigh(np.cov(points.T))
    return math.atan2(vectors[1, -1], vectors[0, -1]), math.sqrt(max(float(values.sum()), 1e-12))
