"""A whole file read the wrong way: y from the other edge, x and y exchanged, a photograph turned or resized in between.

All configurations are then wrong alike and no shape shows it; only the photographs do. A landmark is the same place of
every specimen, so what is around it, turned and resized with the specimen, looks alike in all of them; around the places
of a wrong reading it does not. Every way in which files are commonly misread is tried against the file as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.stats import binomtest

from pronotum import geometry, images
from pronotum.data import Dataset
from pronotum.doctor.finding import Change, Finding
from pronotum.doctor.readings import READINGS
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape

MOST_SPECIMENS, MOST_LANDMARKS = 30, 20
"""That are looked at, evenly chosen."""
LEAST_SPECIMENS, LEAST_LANDMARKS = 5, 3
SIDE, FINEST, WANTED = 256, 1024, 100.0
"""px: longer side of the pictures looked at; at most, where specimens are small; their centroid size while comparing."""
RADIUS, ACROSS = 0.15, 11
"""Of a neighbourhood, as a share of centroid size; and places along its side."""
FLAT = 5.0
"""Grey levels from place to place; where there is much less than that, nothing looks alike."""
ALIKE = 0.15
"""Likeness that the better reading must have at least. Real sets read rightly have 0.34 to 0.56."""
WORSE = 0.8
"""Share of it that the file as it is may have at most. Of real sets wrong readings have 0.71 at most."""
MOST_BETTER, CHANCE = 0.9, 0.05
"""Share of specimens in which the other reading must be better; and how probable so many may be by chance."""
SEVERITY = 100.0
"""Before all findings that are about single records, for nothing they say holds where the file is misread."""


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


@dataclass(frozen=True)
class Misread:
    """A reading under which the photographs look alike around the landmarks, as they do not under the file's own.

    Attributes:
        reading: its name in `READINGS`.
        likeness: of neighbourhoods in different specimens, -1 to 1, under this reading.
        as_given: the same for the file as it is.
        better: specimens whose neighbourhoods are more like those of the others under this reading.
        specimens: looked at.
    """

    reading: str
    likeness: float
    as_given: float
    better: int
    specimens: int

    @property
    def evidence(self) -> str:
        """One sentence with the figures."""
        return (
            f"what is around the landmarks looks alike from photograph to photograph {READINGS[self.reading].words} "
            f"(likeness {self.likeness:.2f}, as the file is {self.as_given:.2f}; more alike in {self.better} of "
            f"{self.specimens} specimens)"
        )


def finding(data: Dataset) -> Finding | None:
    """Whether a whole file was misread, as the doctor says it; about its first specimen as an example."""
    found = examine(data)
    if found is None:
        return None
    change = Change(found.reading, everywhere=True)
    return Finding("misread", 0, data.names[0], SEVERITY, found.evidence, change=change)


def examine(data: Dataset) -> Misread | None:
    """Look at some of the photographs; those that cannot be read are left out."""
    points = _thinned(data.points, 1, MOST_LANDMARKS)
    known = np.flatnonzero(np.isfinite(points).all(-1).sum(1) >= LEAST_LANDMARKS)
    chosen, seen, pictures = list[int](), list[Seen](), dict[object, Seen | None]()
    for i in map(int, _thinned(known, 0, MOST_SPECIMENS)):
        path = data.photographs[i]
        if path not in pictures:
            try:
                pictures[path] = look(path, data.sizes[i], float(centroid_size(points[i])))
            except images.UnreadablePhotograph:
                pictures[path] = None
        picture = pictures[path]
        if picture is not None:
            chosen.append(i)
            seen.append(picture)
    return judge(points[chosen], seen)


def _thinned(values: NDArray[np.generic], axis: int, most: int) -> NDArray[np.generic]:
    n = values.shape[axis]
    return values if n <= most else np.take(values, np.linspace(0, n - 1, most).round().astype(int), axis)


def look(path: Path, size: tuple[int, int], specimen: float) -> Seen:
    """A photograph, decoded small.

    Args:
        path: the file.
        size: width and height, px.
        specimen: centroid size of a specimen on it, px.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    factor = min(1.0, FINEST / max(size), max(SIDE / max(size), WANTED / max(specimen, 1.0)))
    pixels, matrix = images.read_scaled(path, factor)
    return Seen(np.asarray(Image.fromarray(pixels).convert("L")), matrix, size)


def judge(points: FloatArray, seen: Sequence[Seen]) -> Misread | None:
    """The reading that photographs show to be the right one, where it is not the file's own; None where they do not.

    The other reading must win in nearly all specimens (sign test) and clearly. It must also be about specimens: nothing is
    said where the landmarks of another specimen, on the same photograph, do as well as its own, for then it is only
    something that all photographs have in the same place, as a scale bar.

    Args:
        points: (N, K, 2) px of the photographs as they were read; NaN = missing.
        seen: (N,) the photographs; the same object where several specimens are on one.
    """
    n = len(points)
    if n < LEAST_SPECIMENS or points.shape[1] < LEAST_LANDMARKS:
        return None
    given = _likenesses(points, around(points, seen))
    best, moved, found, values = "", points, given, np.empty(0)
    for name in READINGS:
        tried = reread(points, seen, name)
        there = around(tried, seen)
        alike = _likenesses(tried, there)
        if alike.mean() > found.mean():
            best, moved, found, values = name, tried, alike, there
    if not best or found.mean() < ALIKE or given.mean() > WORSE * found.mean():
        return None
    if not _mostly(found > given) or not _mostly(found > _of_others(moved, seen, values)):
        return None
    return Misread(best, float(found.mean()), float(given.mean()), int((found > given).sum()), n)


def reread(points: FloatArray, seen: Sequence[Seen], name: str) -> FloatArray:
    """Points (N, K, 2) px under another reading."""
    matrices = np.stack([READINGS[name].matrix(*one.size) for one in seen])
    return geometry.transform(matrices, points)


def _mostly(better: NDArray[np.bool_]) -> bool:
    n, k = len(better), int(better.sum())
    return k >= MOST_BETTER * n and binomtest(k, n, alternative="greater").pvalue < CHANCE


def _likenesses(points: FloatArray, values: FloatArray) -> FloatArray:
    """(N,) how much is around the landmarks (N, K, 2) of each specimen what is around those of the others (N, K, D)."""
    return _compared(points, values, _mean_of_others(values))


def _mean_of_others(values: FloatArray) -> FloatArray:
    present = values.any(-1, keepdims=True)
    mean: FloatArray = (values.sum(0) - values) / np.maximum(present.sum(0) - present, 1)
    return mean


def _compared(points: FloatArray, values: FloatArray, others: FloatArray) -> FloatArray:
    known = np.isfinite(points).all(-1)
    alike: FloatArray = ((values * others).mean(-1) * known).sum(1) / np.maximum(known.sum(1), 1)
    return alike


def _of_others(points: FloatArray, seen: Sequence[Seen], values: FloatArray) -> FloatArray:
    """(N,) likenesses where each photograph has the landmarks of a specimen of another; -1 where there is no other."""
    n = len(points)
    swapped, lonely = np.array(points), np.zeros(n, dtype=bool)
    for i, own in enumerate(seen):
        other = next((j % n for j in range(i + 1, i + n) if seen[j % n] is not own), None)
        lonely[i] = other is None
        if other is not None:
            swapped[i] = points[other] * (np.array(own.size) / seen[other].size)
    alike = _compared(swapped, around(swapped, seen), _mean_of_others(values))
    return np.where(lonely, -1.0, alike)


def around(points: FloatArray, seen: Sequence[Seen]) -> FloatArray:
    """(N, K, D) the gradients of brightness around each landmark (N, K, 2), turned and resized with its specimen.

    Of unit mean square where there is contrast, so that the mean product of two is their correlation; zero where the
    landmark is missing or outside the photograph.
    """
    mean = mean_shape(points)
    mean = mean / max(float(centroid_size(mean)), 1e-9)
    poses = fit_similarity(np.broadcast_to(mean, points.shape), points)
    return np.stack([_around(own, pose, one) for own, pose, one in zip(points, poses, seen, strict=True)])


def _around(points: FloatArray, pose: FloatArray, seen: Seen) -> FloatArray:
    inside = ((points > -0.5) & (points < np.array(seen.size) - 0.5)).all(-1)
    result = np.zeros((len(points), 2 * (ACROSS - 2) ** 2))
    if not inside.any():
        return result
    pixels, matrix = seen.pixels, seen.matrix
    steps = int(geometry.enlargement(matrix @ pose) / WANTED)
    if steps > 1:
        pixels, matrix = np.asarray(Image.fromarray(pixels).reduce(steps)), geometry.scaling(1 / steps) @ matrix
    grid = RADIUS * np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, ACROSS)]), -1).reshape(-1, 2)
    places = geometry.transform(matrix, points[inside, None] + grid @ pose[:2, :2].T)
    grey = map_coordinates(pixels.astype(np.float64), [places[..., 1], places[..., 0]], order=1, mode="nearest")
    grey = grey.reshape(-1, ACROSS, ACROSS)
    across, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    gradients = np.stack([across, down], -1).reshape(len(grey), -1)
    result[inside] = gradients / (np.sqrt((gradients**2).mean(-1, keepdims=True)) + FLAT)
    return result
