"""Where a specimen lies on its photograph, how large, how it is turned and which side it shows - from landmarks alone.

A *pose* is the similarity that brings the mean shape (centred, centroid size 1, upright) onto the specimen: a 3x3
matrix to px of the photograph. A mirrored specimen's turns the other way (its determinant is negative). In its own
*upright picture* every specimen has the same place, size and direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum import geometry
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape, superimpose

MARGIN = 0.25
"""What an upright picture shows around the landmarks, as a share of the longer side of their box."""
UPRIGHT_WITHIN = 20.0
"""Degrees (standard deviation) up to which specimens are turned alike: networks learn from pictures turned as far."""
FILLING = 0.3
"""Share of the photograph's diagonal below which a specimen is small on it."""
WANDERING = 0.12
"""Standard deviation of the specimens' places, as a share of the photograph, beyond which they lie anywhere."""
MIRRORED = 0.5
"""A specimen is mirrored where its mirror image lies nearer to the mean shape than this share of its own distance."""
ROUNDS = 3


def upright_shape(points: FloatArray) -> FloatArray:
    """(K, 2) mean shape of specimens (N, K, 2), centred, centroid size 1, turned as most are; 0 where none has one."""
    mean = mean_shape(points)
    mean = mean / max(float(centroid_size(mean)), 1e-12)
    turns = fit_similarity(np.broadcast_to(mean, points.shape), points)
    angle = np.angle((turns[:, 0, 0] + 1j * turns[:, 1, 0]).sum() / len(turns))
    mean = geometry.transform(geometry.similarity(float(angle), 1.0, (0, 0)), mean)
    return np.nan_to_num(mean)


def poses(points: FloatArray, shape: FloatArray) -> FloatArray:
    """(N, 3, 3) poses of specimens (N, K, 2); NaN where fewer than two landmarks are there, or all at one place."""
    found = fit_similarity(np.broadcast_to(shape, points.shape), points)
    told = (np.isfinite(points[..., 0]).sum(1) >= 2) & (sizes(found) > 1e-9) & bool(np.ptp(shape, axis=0).any())
    return np.where(told[:, None, None], found, np.nan)


@dataclass(frozen=True, eq=False)
class Posed:
    """Specimens with their poses.

    Attributes:
        shape: (K, 2) mean shape, see `upright_shape`.
        poses: (N, 3, 3), see `poses`; those of mirrored specimens mirror.
        points: (N, K, 2) px of the photographs; those of mirrored specimens under the names that they have in their
            upright pictures, which mirror them.
    """

    shape: FloatArray
    poses: FloatArray
    points: FloatArray


def posed(points: FloatArray, partners: Sequence[int] | None) -> Posed:
    """Shape and poses of specimens (N, K, 2), px.

    Args:
        points: NaN = missing.
        partners: (K,) of each landmark the one that takes its place on a mirrored specimen; None = none is mirrored.
    """
    if partners is None:
        shape = upright_shape(points)
        return Posed(shape, poses(points, shape), points)
    over = mirrored(points, partners)[:, None, None]
    named = np.where(over, points[:, list(partners)], points)
    flip = np.diag([-1.0, 1.0, 1.0])
    alike = np.where(over, geometry.transform(flip, named), named)
    shape = upright_shape(alike)
    found = poses(alike, shape)
    return Posed(shape, np.where(over, flip @ found, found), named)


def mirrored(points: FloatArray, partners: Sequence[int]) -> NDArray[np.bool_]:
    """(N,) which specimens (N, K, 2) are mirror images of the others, who are the larger part; see `posed`.

    Symmetric specimens, of which nobody can tell, are not.
    """
    images = (points * [-1.0, 1.0])[:, list(partners)]
    shape = points[int(np.argmax(np.isfinite(points[..., 0]).sum(1)))]
    found = np.zeros(len(points), dtype=bool)
    for _ in range(ROUNDS):
        away, over = (_apart(one, shape) for one in (points, images))
        found = over < MIRRORED * away
        found = ~found if found.sum() > len(found) / 2 else found
        shape = mean_shape(np.where(found[:, None, None], images, points))
    return found


def _apart(points: FloatArray, shape: FloatArray) -> FloatArray:
    """(N,) root mean square distance of superimposed specimens (N, K, 2) from a shape (K, 2); NaN without landmarks."""
    squares = ((superimpose(points, np.broadcast_to(shape, points.shape)) - shape) ** 2).sum(-1)
    n = np.isfinite(squares).sum(1)
    apart: FloatArray = np.sqrt(np.where(n > 0, np.nansum(squares, 1) / np.maximum(n, 1), np.nan))
    return apart


def sizes(pose: FloatArray) -> FloatArray:
    """(...) centroid size in px that poses (..., 3, 3) give the mean shape."""
    size: FloatArray = np.sqrt(np.abs(np.linalg.det(pose[..., :2, :2])))
    return size


def angles(pose: FloatArray) -> FloatArray:
    """(...) degrees clockwise by which poses (..., 3, 3) turn the mean shape; of its mirror image for mirrored ones."""
    angle: FloatArray = np.degrees(np.arctan2(pose[..., 1, 0], pose[..., 0, 0]))
    return angle


def pose(centre: FloatArray, size: float, degrees: float, *, mirrored: bool = False) -> FloatArray:
    """(3, 3) pose of its parts: place (2,) px, centroid size px, turn; what is mirrored is so before it is turned."""
    cos, sin = size * math.cos(math.radians(degrees)), size * math.sin(math.radians(degrees))
    side = -1.0 if mirrored else 1.0
    return np.array([[cos, side * -sin, centre[0]], [sin, side * cos, centre[1]], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Upright:
    """The upright picture of a scheme.

    Attributes:
        shape: (K, 2) mean shape, centred, centroid size 1.
    """

    shape: FloatArray

    def box(self, size: float) -> tuple[float, float]:
        """(width, height) px that a specimen of this centroid size takes with its margin."""
        extent = np.ptp(self.shape, axis=0)
        around = extent + 2 * MARGIN * extent.max()
        return float(around[0] * size), float(around[1] * size)

    def to_picture(self, picture: tuple[int, int]) -> FloatArray:
        """(3, 3) from the mean shape to px of its picture (width, height), as large as it fits."""
        low, high = self.shape.min(0), self.shape.max(0)
        width, height = self.box(1.0)
        factor = min(picture[0] / width, picture[1] / height)
        centre = (np.array(picture) - 1) / 2
        shift = centre - factor * (low + high) / 2
        return np.array([[factor, 0, shift[0]], [0, factor, shift[1]], [0, 0, 1]])

    def from_photograph(self, pose: FloatArray, picture: tuple[int, int]) -> FloatArray:
        """(..., 3, 3) from px of the photograph to px of the upright picture of specimens with poses (..., 3, 3).

        NaN for a pose without size, which shows nothing.
        """
        flat = (np.abs(np.linalg.det(pose)) < 1e-12)[..., None, None]
        inverse = np.linalg.inv(np.where(flat, np.eye(3), pose))
        matrix: FloatArray = self.to_picture(picture) @ np.where(flat, np.nan, inverse)
        return matrix


def reasons_to_search(
    points: FloatArray, photographs: Sequence[object], frames: Sequence[tuple[int, int]]
) -> list[str]:
    """Why specimens have to be found before they can be landmarked, in words; none where they lie alike.

    Args:
        points: (N, K, 2) px.
        photographs: (N,) of the specimens.
        frames: (N,) width and height of the photographs, px.
    """
    found = []
    if len(set(photographs)) < len(photographs):
        found.append("several specimens on a photograph")
    known = poses(points, upright_shape(points))
    known, extents = known[np.isfinite(known).all((1, 2))], np.array(frames, dtype=np.float64)
    if len(known) < 3:
        return found
    turns = np.radians(angles(known))
    length = min(float(np.abs(np.exp(1j * turns).mean())), 1.0)
    spread = math.degrees(math.sqrt(-2 * math.log(max(length, 1e-9))))
    if spread > UPRIGHT_WITHIN:
        found.append(f"specimens turned by {spread:.0f} degrees (standard deviation)")
    there = np.isfinite(points[..., 0]).any(1)
    points, extents = points[there], extents[there]
    share = float(np.median(centroid_size(points) / np.hypot(*extents.T)))
    places = np.nanmean(points, axis=1) / extents
    wander = float(np.nanstd(places, axis=0).max())
    if share < FILLING and wander > WANDERING:
        found.append(f"specimens of {100 * share:.0f} % of the photograph's diagonal at varying places")
    return found


def reading_order(centres: FloatArray, size: float) -> list[int]:
    """Positions of specimens by rows from the top left to the bottom right.

    Args:
        centres: (N, 2) px.
        size: of a specimen, px; those whose heights differ by less than half of it stand in one row.
    """
    rows: list[list[int]] = []
    for at in np.argsort(centres[:, 1], kind="stable").tolist():
        if rows and centres[at, 1] - float(np.mean(centres[rows[-1], 1])) < size / 2:
            rows[-1].append(at)
        else:
            rows.append([at])
    return [at for row in rows for at in sorted(row, key=lambda i: centres[i, 0])]
