"""How much photographs look alike around their landmarks.

A landmark is the same place of every specimen, so what is around it, turned and resized with the specimen, looks alike
in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

from pronotum import geometry, images
from pronotum.data import Dataset
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape

SIDE, FINEST, WANTED = 256, 2048, 100.0
"""px: longer side of the pictures looked at; the same at most, where specimens are small; centroid size compared at."""
RADIUS, ACROSS = 0.15, 11
"""Of a neighbourhood, as a share of centroid size; and places along its side."""
PLACES: FloatArray = RADIUS * np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, ACROSS)]), -1).reshape(-1, 2)
"""(D, 2) of a neighbourhood, in the frame of the mean shape."""
FLAT = 5.0
"""Grey levels from place to place; where there is much less than that, nothing looks alike."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A photograph as it is looked at.

    Attributes:
        pixels: (H, W) uint8, grey.
        matrix: 3x3, px of the photograph -> px of `pixels`.
        size: (width, height) px of the photograph.
    """

    pixels: NDArray[np.uint8]
    matrix: FloatArray
    size: tuple[int, int]

    @cached_property
    def _smaller(self) -> dict[int, NDArray[np.uint8]]:
        return {1: self.pixels}

    def reduced(self, steps: int) -> NDArray[np.uint8]:
        """The same with so many times fewer pixels each way."""
        if steps not in self._smaller:
            self._smaller[steps] = np.asarray(Image.fromarray(self.pixels).reduce(steps))
        return self._smaller[steps]


def glance(data: Dataset, i: int) -> Seen:
    """The photograph of a specimen, decoded small.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    longer, specimen = max(data.sizes[i]), float(centroid_size(data.points[i]))
    factor = min(1.0, FINEST / longer, max(SIDE / longer, WANTED / max(specimen, 1.0)))
    pixels, matrix = images.read_scaled(data.photographs[i], factor)
    return Seen(np.asarray(Image.fromarray(pixels).convert("L")), matrix, data.sizes[i])


def likenesses(points: FloatArray, seen: Sequence[Seen]) -> FloatArray:
    """(N,) how much is around the landmarks of each specimen what is around those of the others, -1 to 1.

    The mean over landmarks and other specimens of the correlation of gradients; 0 for a landmark off its photograph.
    """
    values = around(points, seen, frame_of(points))
    return compared(points, values, mean_of_others(values))


def compared(points: FloatArray, values: FloatArray, rest: FloatArray) -> FloatArray:
    """(N,) mean over the landmarks of specimens (N, K, 2) of the product of what is around them and what is usual."""
    known = np.isfinite(points).all(-1)
    alike: FloatArray = ((values * rest).mean(-1) * known).sum(1) / np.maximum(known.sum(1), 1)
    return alike


def mean_of_others(values: FloatArray) -> FloatArray:
    """(N, K, D) of each specimen the mean of the others that have the landmark on their photograph."""
    there = values.any(-1, keepdims=True)
    mean: FloatArray = (values.sum(0) - values) / np.maximum(there.sum(0) - there, 1)
    return mean


def frame_of(points: FloatArray) -> FloatArray:
    """(K, 2) the mean shape at centroid size 1, to which neighbourhoods are turned and resized."""
    mean = mean_shape(points)
    return mean / max(float(centroid_size(mean)), 1e-9)


def around(points: FloatArray, seen: Sequence[Seen], frame: FloatArray) -> FloatArray:
    """(N, K, D) the gradients of brightness around landmarks, turned and resized from each specimen to the frame.

    Of unit mean square where there is contrast, so that the mean product of two is their correlation; zero where the
    landmark is missing or outside the photograph.
    """
    poses = fit_similarity(np.broadcast_to(frame, points.shape), points)
    return np.stack([_gradients(own, pose, one) for own, pose, one in zip(points, poses, seen, strict=True)])


def _gradients(points: FloatArray, pose: FloatArray, seen: Seen) -> FloatArray:
    inside = ((points > -0.5) & (points < np.array(seen.size) - 0.5)).all(-1)
    result = np.zeros((len(points), 2 * (ACROSS - 2) ** 2))
    if not inside.any():
        return result
    steps = max(int(geometry.enlargement(seen.matrix @ pose) / WANTED), 1)
    pixels, matrix = seen.reduced(steps), geometry.scaling(1 / steps) @ seen.matrix
    places = geometry.transform(matrix, points[inside, None] + PLACES @ pose[:2, :2].T)
    grey = map_coordinates(pixels.astype(np.float64), [places[..., 1], places[..., 0]], order=1, mode="nearest")
    grey = grey.reshape(-1, ACROSS, ACROSS)
    across, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    gradients = np.stack([across, down], -1).reshape(len(grey), -1)
    result[inside] = gradients / (np.sqrt((gradients**2).mean(-1, keepdims=True)) + FLAT)
    return result
