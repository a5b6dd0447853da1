"""What configurations are possible: a Gaussian model of shape that tells modes of a heatmap apart.

A heatmap often has two modes (left and right tip, elytron and hind wing). Which one is right is seen from the
other landmarks: each is predicted from all others by the covariance of shapes, and that prediction is multiplied
into its map. A landmark that contradicts all others is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from pronotum.geometry import transform
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import fit_similarity, mean_shape, superimpose

MAX_PAIRS = 300
"""Poses tried are those of at most this many pairs of landmarks."""


COLLAPSED, UNCERTAIN = 1e-9, 1e12
"""Size, as a share of the mean shape's, at which a configuration has none; variance of what nothing is known of."""


@dataclass(frozen=True)
class ShapePrior:
    """Mean and covariance of superimposed configurations.

    Attributes:
        mean: (K, 2) mean shape at mean size, centred.
        covariance: (2K, 2K) of the superimposed coordinates (x1, y1, x2, ...), shrunken, in squared units of `mean`.
    """

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def fit(cls, points: FloatArray, noise: float, more: FloatArray | None = None) -> ShapePrior:
        """Learn from training configurations.

        Args:
            points: (N, K, 2); NaN = missing, filled with the mean shape.
            noise: standard deviation of a landmark that is always granted, in the unit of the points.
            more: (M, K, 2) of which only the shapes count, in any pose, size and unit; None = there are no others.
        """
        mean = mean_shape(points)
        mean = np.where(np.isnan(mean), 0, mean)
        if more is not None and len(more):
            points = np.concatenate([points, superimpose(more, np.broadcast_to(mean, more.shape))])
            mean = mean_shape(points)
        moved = superimpose(points, np.broadcast_to(mean, points.shape))
        residuals = np.where(np.isnan(moved), 0, moved - mean).reshape(len(points), -1)
        n, covariance = len(points), noise**2 * np.eye(residuals.shape[1])
        if n > 1:  # a new specimen differs from a mean of n by more than these do from their own
            covariance += (n + 1) / (n - 1) * ledoit_wolf(residuals, assume_centered=True)[0]
        return cls(mean, covariance)

    def expected(self, points: FloatArray, doubt: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where each landmark should lie, judged from all the others.

        Args:
            points: (K, 2) a configuration, in any pose.
            doubt: (K,) standard deviation of each observed landmark, in the unit of the points; large = ignore it.

        Returns:
            (K, 2) expected positions and (K, 2, 2) their covariances, in the frame of the points. The covariance
            is that of the truth about the expectation: shape variation that the others do not explain. Where the points
            lie at one place, in which no shape can be seen, they are expected there, with next to no certainty.
        """
        weights = 1 / (doubt**2 + np.median(doubt) ** 2 + 1e-9)
        pose = fit_similarity(self.mean, points, weights)
        factor = float(np.hypot(pose[0, 0], pose[1, 0]))
        if not factor > COLLAPSED:
            return np.array(points), np.tile(UNCERTAIN * np.eye(2), (len(points), 1, 1))
        residuals = (transform(np.linalg.inv(pose), points) - self.mean).ravel()
        observed = np.repeat((doubt / factor) ** 2, 2)
        precision = np.linalg.inv(self.covariance + np.diag(observed))
        weighted = (precision @ residuals).reshape(-1, 2)
        blocks = precision.reshape(len(points), 2, len(points), 2)[np.arange(len(points)), :, np.arange(len(points))]
        without = np.linalg.inv(blocks)
        expected = self.mean + residuals.reshape(-1, 2) - np.einsum("kij,kj->ki", without, weighted)
        spread = without - np.eye(2) * observed.reshape(-1, 2)[:, :1, None]
        turn = pose[:2, :2]
        return transform(pose, expected), turn @ spread @ turn.T

    def steadied(self, points: FloatArray, doubt: FloatArray, *, iterations: int = 3) -> FloatArray:
        """Where landmarks most probably lie: what was observed of each, weighed against the shapes that are possible.

        Args:
            points: (K, 2) a configuration, in any pose.
            doubt: (K,) standard deviation of each observed landmark, in the unit of the points.
            iterations: how often the pose is fitted, first to the points, then to the answer before.

        Returns:
            (K, 2) mean of the posterior distribution, in the frame of the points. A landmark without doubt stays where
            it is; one in doubt is drawn to where the others expect it. Points at one place, in which no shape can be
            seen, stay.
        """
        answer = points
        weights = 1 / (doubt**2 + self.covariance.diagonal().mean())
        for _ in range(iterations):
            pose = fit_similarity(self.mean, answer, weights)
            factor = float(np.hypot(pose[0, 0], pose[1, 0]))
            if not factor > COLLAPSED:
                return np.array(points)
            residuals = (transform(np.linalg.inv(pose), points) - self.mean).ravel()
            observed = np.repeat((doubt / factor) ** 2, 2)
            shape = self.covariance @ np.linalg.solve(self.covariance + np.diag(observed), residuals)
            answer = transform(pose, self.mean + shape.reshape(-1, 2))
        return answer

    def best_pose(self, candidates: FloatArray, scores: FloatArray) -> NDArray[np.intp]:
        """The pose of the mean shape that explains most landmarks, each by the best of its candidates.

        Args:
            candidates: (K, M, 2) positions proposed for each landmark, best first.
            scores: (K, M) log-probability of each.

        Returns:
            (K,) index of the candidate each landmark takes under the winning pose.
        """
        n_landmarks = len(candidates)
        pairs = np.array(list(combinations(range(n_landmarks), 2)))
        if len(pairs) == 0:
            return np.zeros(n_landmarks, dtype=np.intp)
        distance = np.linalg.norm(self.mean[pairs[:, 0]] - self.mean[pairs[:, 1]], axis=-1)
        pairs = pairs[np.argsort(-distance, kind="stable")[:MAX_PAIRS]]
        poses = fit_similarity(self.mean[pairs], candidates[pairs, 0])
        placed = transform(poses, np.broadcast_to(self.mean, (len(pairs), n_landmarks, 2)))
        variance = self.covariance.diagonal().reshape(-1, 2).mean(1)
        size = np.maximum(np.hypot(poses[:, 0, 0], poses[:, 1, 0]), 1e-9)
        offset = placed[:, :, None] - candidates
        squares = offset[..., 0] ** 2 + offset[..., 1] ** 2
        misfit = squares / (size[:, None, None] ** 2 * variance[:, None] * 8)
        gains = np.maximum(scores - misfit, scores.min(1)[:, None] - 6)
        winner = int(gains.max(-1).sum(-1).argmax())
        chosen: NDArray[np.intp] = gains[winner].argmax(-1)
        return chosen


def modes(log_maps: FloatArray, stride: int, n: int = 4, radius: int = 3) -> tuple[FloatArray, FloatArray]:
    """The highest modes of each map, further than `radius` cells from each other.

    Args:
        log_maps: (K, h, w) log-probabilities.
        stride: px per cell.

    Returns:
        (K, n, 2) px positions and (K, n) log-probabilities of their cells, highest first.
    """
    left = np.array(log_maps, dtype=np.float64, order="C")
    cells = left.reshape(len(left), -1)
    places, scores = [], []
    for _ in range(n):
        best = cells.argmax(1)
        row, column = np.divmod(best, left.shape[2])
        scores.append(cells[np.arange(len(cells)), best])
        places.append((np.stack([column, row], -1) + 0.5) * stride - 0.5)
        for one, y, x in zip(left, row, column, strict=True):
            one[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = -np.inf
    return np.stack(places, 1), np.stack(scores, 1)


def reconcile(
    log_maps: FloatArray, prior: ShapePrior, stride: int, *, trust: float = 2.0, iterations: int = 3
) -> FloatArray:
    """Maps multiplied by what the other landmarks say.

    Args:
        log_maps: (K, h, w) log-probabilities of one specimen.
        prior: the shapes that are possible, in px of the maps' picture (any size: pose is fitted).
        stride: px per cell.
        trust: by how much the prior's standard deviations are widened; the picture has the last word.

    Returns:
        (K, h, w) log-scores, not normalised.
    """
    log_maps = np.ascontiguousarray(log_maps)
    height, width = log_maps.shape[1:]
    candidates, scores = modes(log_maps, stride)
    chosen = prior.best_pose(candidates, scores)
    points = candidates[np.arange(len(candidates)), chosen]
    x, y = (np.arange(width) + 0.5) * stride - 0.5, (np.arange(height) + 0.5) * stride - 0.5
    doubt = np.full(len(points), float(stride))
    combined = log_maps
    for _ in range(iterations):
        expected, spread = prior.expected(points, doubt)
        spread = trust**2 * spread + stride**2 * np.eye(2)
        inverse = np.linalg.inv(spread)
        dx, dy = x - expected[:, :1], y - expected[:, 1:]
        xx, xy, yy = inverse[:, 0, :1], inverse[:, 0, 1:], inverse[:, 1, 1:]
        combined = log_maps - (xx / 2 * dx**2)[:, None] - (yy / 2 * dy**2)[..., None]
        combined -= (xy * dx)[:, None] * dy[..., None]
        best = combined.reshape(len(points), -1).argmax(1)
        row, column = np.divmod(best, width)
        points = (np.stack([column, row], -1) + 0.5) * stride - 0.5
        misfit = np.einsum("ki,kij,kj->k", points - expected, inverse, points - expected)
        doubt = stride * np.where(misfit > 9, 1 + misfit, 1.0)
    return combined
