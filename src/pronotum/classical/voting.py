"""Votes of many small pieces of evidence for the pose of a reference, and the pose most of them agree on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pronotum import geometry
from pronotum.landmarks import FloatArray

TURNS = 72
"""Bins of the turn, 5 degrees each."""
CELLS_ACROSS = 64
"""Bins of the position across a picture's width; as many beyond each edge as a fourth of that."""
SCALES = (0.85, 0.92, 1.0, 1.08, 1.17)
"""Sizes tried, relative to what the areas suggest."""


@dataclass(frozen=True, eq=False)
class Votes:
    """An accumulator over poses.

    Attributes:
        counts: (scale, turn, y, x) smoothed votes.
        scales: (S,) size of the scene / size of the model for each bin.
        reference: (2,) px of the model, the point whose place is voted for.
        cell: px of the scene per bin of position.
        margin: bins beyond the left and upper edge.
    """

    counts: FloatArray
    scales: FloatArray
    reference: FloatArray
    cell: float
    margin: int

    @property
    def picture(self) -> FloatArray:
        """(y, x) the most votes any turn and size has at a place of the scene, its margins cut off."""
        best = self.counts.max(axis=(0, 1))
        inner = best[self.margin : len(best) - self.margin, self.margin : best.shape[1] - self.margin]
        return np.asarray(inner, dtype=np.float64)

    def peaks(self, n: int = 4) -> list[tuple[FloatArray, float]]:
        """The n best poses (3, 3) from model to scene with their votes, none within three bins of a better one."""
        left = self.counts.copy()
        found = []
        for _ in range(n):
            place = np.unravel_index(int(np.argmax(left)), left.shape)
            votes = float(left[place])
            if votes <= 0:
                break
            found.append((self._pose(*(int(value) for value in place)), votes))
            turns = np.arange(place[1] - 3, place[1] + 4) % TURNS
            rows, columns = (slice(max(0, int(value) - 3), int(value) + 4) for value in place[2:])
            left[:, turns, rows, columns] = 0
        return found

    def _pose(self, scale: int, turn: int, row: int, column: int) -> FloatArray:
        angle = 2 * math.pi * turn / TURNS
        place = (np.array([column, row]) - self.margin + 0.5) * self.cell - 0.5
        return geometry.translation(*(place - self.reference)) @ geometry.similarity(
            angle, float(self.scales[scale]), self.reference
        )


def count_votes(
    turn: FloatArray,
    *,
    model: FloatArray,
    scene: FloatArray,
    reference: FloatArray,
    size: tuple[int, int],
    scale: float,
) -> Votes:
    """Let every correspondence vote for the place of the reference point, at its turn and at each size.

    Args:
        turn: (N,) radians from model to scene.
        model: (N, 2) px, the point of the model each vote is about.
        scene: (N, 2) px, where the scene has it.
        reference: (2,) px of the model.
        size: (width, height) px of the scene.
        scale: size of the scene / size of the model, roughly.
    """
    cell = size[0] / CELLS_ACROSS
    margin = CELLS_ACROSS // 4
    shape = (TURNS, math.ceil(size[1] / cell) + 2 * margin, CELLS_ACROSS + 2 * margin)
    scales = scale * np.array(SCALES)
    bins = np.rint(turn / (2 * math.pi / TURNS)).astype(np.int64) % TURNS
    arm = (reference - model) @ np.array([1, 1j]) * np.exp(1j * turn)
    counts = np.zeros((len(scales), *shape), dtype=np.float32)
    for number, factor in enumerate(scales):
        target = scene @ np.array([1, 1j]) + factor * arm
        column = np.floor((target.real + 0.5) / cell).astype(np.int64) + margin
        row = np.floor((target.imag + 0.5) / cell).astype(np.int64) + margin
        inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2])
        flat = (bins[inside] * shape[1] + row[inside]) * shape[2] + column[inside]
        votes = np.bincount(flat, minlength=math.prod(shape)).reshape(shape).astype(np.float32)
        counts[number] = ndimage.gaussian_filter(votes, (1.0, 1.0, 1.0), mode=("wrap", "constant", "constant"))
    return Votes(counts.astype(np.float64), scales, reference, cell, margin)
