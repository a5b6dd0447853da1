"""A whole file read the wrong way: y from the other edge, x and y exchanged, a photograph turned or resized in between.

All configurations are then wrong alike and no shape shows it; only the photographs do. A landmark is the same place
of every specimen, so what is around it, turned and resized with the specimen, looks alike in all of them; around the
places of a wrong reading it does not. Every way in which files are commonly misread is tried against the file as it is.
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
SIDE, FINEST, WANTED = 256, 2048, 100.0
"""px: longer side of the pictures looked at; the same at most, where specimens are small; centroid size compared at."""
RADIUS, ACROSS = 0.15, 11
"""Of a neighbourhood, as a share of centroid size; and places along its side."""
FLAT = 5.0
"""Grey levels from place to place; where there is much less than that, nothing looks alike."""
ALIKE = 0.15
"""Likeness that the better reading must have at least. Real sets read rightly have 0.34 to 0.56."""
WORSE = 0.8
"""Share of it that the file as it is may have at most. Of real sets wrong readings have 0.71 at most."""
MOST_BETTER, CHANCE = 0.85, 0.05
"""Share of specimens in which the other reading must be better; and how probable so many may be by chance."""
EXCHANGES = 3
"""Other specimens whose landmarks are tried on each photograph."""
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

    @property
    def sentence(self) -> str:
        """What is wrong, and the evidence."""
        return f"the landmark file seems to be read the wrong way: {self.evidence}"


def finding(data: Dataset) -> Finding | None:
    """Whether a whole file was misread, as the doctor says it; about its first specimen as an example."""
    found = examine(data)
    if found is None:
        return None
    change = Change(found.reading, everywhere=True)
    return Finding("misread", 0, data.names[0], SEVERITY, found.evidence, change=change)


def examine(data: Dataset) -> Misread | None:
    """Look at some of the photographs; those that cannot be read are left out."""
    points = data.points[:, _evenly(data.scheme.n_landmarks, MOST_LANDMARKS)]
    enough = np.flatnonzero(np.isfinite(points).all(-1).sum(1) >= LEAST_LANDMARKS)
    chosen, looked, pictures = list[int](), list[Seen](), dict[Path, Seen | None]()
    for i in map(int, enough[_evenly(len(enough), MOST_SPECIMENS)]):
        path = data.photographs[i]
        if path not in pictures:
            try:
                pictures[path] = glance(data, i)
            except images.UnreadablePhotograph:
                pictures[path] = None
        picture = pictures[path]
        if picture is not None:
            chosen.append(i)
            looked.append(picture)
    return judge(points[chosen], looked)


def _evenly(n: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))


def glance(data: Dataset, i: int) -> Seen:
    """The photograph of a specimen, decoded small.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    longer, specimen = max(data.sizes[i]), float(centroid_size(data.points[i]))
    factor = min(1.0, FINEST / longer, max(SIDE / longer, WANTED / max(specimen, 1.0)))
    pixels, matrix = images.read_scaled(data.photographs[i], factor)
    return Seen(np.asarray(Image.fromarray(pixels).convert("L")), matrix, data.sizes[i])


def judge(points: FloatArray, seen: Sequence[Seen]) -> Misread | None:
    """The reading that photographs show to be the right one, where it is not the file's own; None where they do not.

    The other reading must win in nearly all specimens (sign test) and clearly. It must also be about specimens: nothing
    is said where the landmarks of other specimens, on the same photograph, do as well as its own, for then it is only
    something that all photographs have in the same place, as a scale bar.

    Args:
        points: (N, K, 2) px of the photographs as they were read; NaN = missing.
        seen: (N,) the photographs; the same object where several specimens are on one.
    """
    n = len(points)
    if n < LEAST_SPECIMENS or points.shape[1] < LEAST_LANDMARKS:
        return None
    given = likenesses(points, seen)
    tried = {name: likenesses(reread(points, seen, name), seen) for name in READINGS}
    best = max(tried, key=lambda name: float(tried[name].mean()))
    found = tried[best]
    if found.mean() < ALIKE or given.mean() > WORSE * found.mean() or not _mostly(found > given):
        return None
    if not _mostly(found > _exchanged(reread(points, seen, best), seen)):
        return None
    return Misread(best, float(found.mean()), float(given.mean()), int((found > given).sum()), n)


def reread(points: FloatArray, seen: Sequence[Seen], name: str) -> FloatArray:
    """Points (N, K, 2) px under another reading."""
    return geometry.transform(np.stack([READINGS[name].matrix(*one.size) for one in seen]), points)


def _mostly(better: NDArray[np.bool_]) -> bool:
    n, k = len(better), int(better.sum())
    return k >= MOST_BETTER * n and binomtest(k, n, alternative="greater").pvalue < CHANCE


def likenesses(points: FloatArray, seen: Sequence[Seen]) -> FloatArray:
    """(N,) how much is around the landmarks of each specimen what is around those of the others, -1 to 1.

    The mean over landmarks and other specimens of the correlation of gradients; 0 for a landmark off its photograph.
    """
    values = _around(points, seen, _frame(points))
    return _compared(points, values, _mean_of_others(values))


def _exchanged(points: FloatArray, seen: Sequence[Seen]) -> FloatArray:
    """(N,) the same with the landmarks of a few specimens of other photographs on each; -1 where there are none."""
    n, frame = len(points), _frame(points)
    rest = _mean_of_others(_around(points, seen, frame))
    alike = np.full((EXCHANGES, n), -1.0)
    for turn in range(EXCHANGES):
        there = np.array(points)
        others = [[j % n for j in range(i + 1, i + n) if seen[j % n] is not own] for i, own in enumerate(seen)]
        for i, elsewhere in enumerate(others):
            if elsewhere:
                j = elsewhere[turn * len(elsewhere) // EXCHANGES]
                there[i] = points[j] * (np.array(seen[i].size) / seen[j].size)
        known = np.array([bool(elsewhere) for elsewhere in others])
        alike[turn, known] = _compared(there, _around(there, seen, frame), rest)[known]
    mean: FloatArray = alike.mean(0)
    return mean


def _compared(points: FloatArray, values: FloatArray, rest: FloatArray) -> FloatArray:
    known = np.isfinite(points).all(-1)
    alike: FloatArray = ((values * rest).mean(-1) * known).sum(1) / np.maximum(known.sum(1), 1)
    return alike


def _mean_of_others(values: FloatArray) -> FloatArray:
    """(N, K, D) of each specimen the mean of the others that have the landmark on their photograph."""
    there = values.any(-1, keepdims=True)
    mean: FloatArray = (values.sum(0) - values) / np.maximum(there.sum(0) - there, 1)
    return mean


def _frame(points: FloatArray) -> FloatArray:
    """(K, 2) the mean shape at centroid size 1, to which neighbourhoods are turned and resized."""
    mean = mean_shape(points)
    return mean / max(float(centroid_size(mean)), 1e-9)


def _around(points: FloatArray, seen: Sequence[Seen], frame: FloatArray) -> FloatArray:
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
