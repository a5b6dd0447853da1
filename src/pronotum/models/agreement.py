"""`reconcile` and `ShapePrior.steadied` in fixed tensor operations, for a batch of pictures: what a graph can hold.

The numbers are those of `morphometrics.shape_prior`, where it is said what they mean; tests compare the two.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from pronotum.models.unet import cell_centres
from pronotum.morphometrics.shape_prior import COLLAPSED, MAX_PAIRS, ShapePrior


class Reconcile(nn.Module):
    """Maps multiplied by what the other landmarks say.

    Args:
        prior: the shapes that are possible, in px of the maps' picture.
        cells: (width, height) of the maps.
        stride: px per cell.
        trust: by how much the prior's standard deviations are widened.
        iterations: how often expectations are formed.

    Shape:
        (B, K, h, w) float64 log-probabilities -> (B, K, h, w) float64 log-scores, not normalised.
    """

    mean: Tensor
    covariance: Tensor
    x: Tensor
    y: Tensor
    pairs: Tensor
    own: Tensor

    def __init__(
        self, prior: ShapePrior, cells: tuple[int, int], stride: int, *, trust: float = 2.0, iterations: int = 3
    ) -> None:
        super().__init__()
        n, here = len(prior.mean), torch.device("cpu")
        self.n_landmarks, self.width, self.stride, self.trust, self.iterations = n, cells[0], stride, trust, iterations
        pairs = np.array(list(combinations(range(n), 2)), dtype=np.int64).reshape(-1, 2)
        distance = np.linalg.norm(prior.mean[pairs[:, 0]] - prior.mean[pairs[:, 1]], axis=-1)
        blocks = torch.arange(4 * n * n).view(n, 2, n, 2)[torch.arange(n), :, torch.arange(n)]
        self.register_buffer("mean", torch.from_numpy(prior.mean))
        self.register_buffer("covariance", torch.from_numpy(prior.covariance))
        self.register_buffer("x", cell_centres(cells[0], stride, here).double())
        self.register_buffer("y", cell_centres(cells[1], stride, here).double())
        self.register_buffer("pairs", torch.from_numpy(pairs[np.argsort(-distance, kind="stable")[:MAX_PAIRS]]))
        self.register_buffer("own", blocks.flatten())

    def forward(self, log_maps: Tensor) -> Tensor:
        """See the class."""
        candidates, scores = self.modes(log_maps)
        chosen = self.best_pose(candidates, scores)
        points = torch.gather(candidates, 2, chosen[..., None, None].expand(-1, -1, 1, 2))[:, :, 0]
        doubt = torch.full_like(points[..., 0], float(self.stride))
        floor = float(self.stride) ** 2 * torch.eye(2, dtype=torch.float64)
        combined = log_maps
        for _ in range(self.iterations):
            expected, spread = self.expected(points, doubt)
            narrow = inverse_2x2(self.trust**2 * spread + floor)
            xx, xy, yy = narrow[..., 0, 0], narrow[..., 0, 1], narrow[..., 1, 1]
            dx, dy = self.x - expected[..., 0, None], self.y - expected[..., 1, None]
            squares = (xx[..., None] * dx.square())[..., None, :] + (yy[..., None] * dy.square())[..., :, None]
            squares = squares + (2 * xy[..., None] * dx)[..., None, :] * dy[..., :, None]
            combined = log_maps - 0.5 * squares
            points = self.centre(combined.flatten(2).argmax(-1))
            offset = points - expected
            misfit = (move(narrow, offset) * offset).sum(-1)
            doubt = self.stride * torch.where(misfit > 9, 1 + misfit, 1.0)
        return combined

    def centre(self, cell: Tensor) -> Tensor:
        """(..., 2) px of the picture of cells (...), counted along the rows of a map."""
        place = torch.stack([cell % self.width, cell // self.width], -1)
        return (place.double() + 0.5) * self.stride - 0.5

    def modes(self, log_maps: Tensor, n: int = 4, radius: int = 3) -> tuple[Tensor, Tensor]:
        """As `shape_prior.modes`: (B, K, n, 2) positions and (B, K, n) log-probabilities, highest first."""
        rows, columns = torch.arange(len(self.y)), torch.arange(len(self.x))
        left, places, scores = log_maps, list[Tensor](), list[Tensor]()
        for _ in range(n):
            best = left.flatten(2).argmax(-1)
            scores.append(left.flatten(2).amax(-1))
            places.append(self.centre(best))
            across = (columns - (best % self.width)[..., None]).abs() <= radius
            along = (rows - (best // self.width)[..., None]).abs() <= radius
            left = left.masked_fill(across[..., None, :] & along[..., :, None], -torch.inf)
        return torch.stack(places, 2), torch.stack(scores, 2)

    def best_pose(self, candidates: Tensor, scores: Tensor) -> Tensor:
        """As `ShapePrior.best_pose`: (B, K) index of the candidate each landmark takes."""
        if self.n_landmarks < 2:
            return scores.argmax(-1)
        first = candidates[:, :, 0]
        ends = torch.stack([first.index_select(1, self.pairs[:, end]) for end in (0, 1)], 2)
        linear, shift = fit(self.mean[self.pairs], ends, torch.ones(2, dtype=torch.float64))
        placed = move(linear[..., None, :, :], self.mean) + shift
        size = linear[..., 0].square().sum(-1).clamp(min=1e-18)
        squares = (placed[..., None, :] - candidates[:, None]).square().sum(-1)
        variance = self.covariance.diagonal().reshape(-1, 2).mean(1)
        misfit = squares / (size[..., None, None] * variance[:, None] * 8)
        gains = torch.maximum(scores[:, None] - misfit, scores.amin(-1)[:, None, :, None] - 6)
        winner = gains.amax(-1).sum(-1).argmax(-1)
        return torch.gather(gains.argmax(-1), 1, winner[:, None, None].expand(-1, 1, self.n_landmarks))[:, 0]

    def expected(self, points: Tensor, doubt: Tensor) -> tuple[Tensor, Tensor]:
        """As `ShapePrior.expected`: (B, K, 2) positions and (B, K, 2, 2) covariances."""
        n, ordered = self.n_landmarks, torch.sort(doubt, -1)[0]
        median = (ordered[:, n // 2] + ordered[:, (n - 1) // 2]) / 2
        linear, shift = fit(self.mean, points, 1 / (doubt.square() + median[:, None].square() + 1e-9))
        squared = linear[..., 0].square().sum(-1).clamp(min=1e-18)
        back = linear.transpose(-1, -2) / squared[:, None, None]
        residuals = move(back[:, None], points - shift) - self.mean
        observed = doubt.square() / squared[:, None]
        precision = inverse(self.covariance + diagonal(observed))
        weighted = (precision * residuals.flatten(1)[:, None]).sum(-1).view(-1, n, 2)
        without = inverse_2x2(precision.flatten(1).index_select(1, self.own).view(-1, n, 2, 2))
        expected = self.mean + residuals - move(without, weighted)
        spread = without - observed[..., None, None] * torch.eye(2, dtype=torch.float64)
        turned = linear[:, None]
        return move(turned, expected) + shift, product(product(turned, spread), turned.transpose(-1, -2))


class Steady(nn.Module):
    """Configurations weighed against the shapes that are possible, as `ShapePrior.steadied`.

    Args:
        prior: the shapes that are possible.
        iterations: how often the pose is fitted.

    Shape:
        (B, K, 2) float64 points and their (B, K) doubt -> (B, K, 2) points.
    """

    mean: Tensor
    covariance: Tensor

    def __init__(self, prior: ShapePrior, *, iterations: int = 3) -> None:
        super().__init__()
        self.iterations = iterations
        self.register_buffer("mean", torch.from_numpy(prior.mean))
        self.register_buffer("covariance", torch.from_numpy(prior.covariance))

    def forward(self, points: Tensor, doubt: Tensor) -> Tensor:
        """See the class."""
        answer = points
        weights = 1 / (doubt.square() + self.covariance.diagonal().mean())
        for _ in range(self.iterations):
            linear, shift = fit(self.mean, answer, weights)
            squared = linear[..., 0].square().sum(-1)
            seen = squared > COLLAPSED**2
            safe = torch.where(seen, squared, 1.0)
            back = linear.transpose(-1, -2) / safe[:, None, None]
            residuals = move(back[:, None], points - shift) - self.mean
            precision = inverse(self.covariance + diagonal(doubt.square() / safe[:, None]))
            weighted = (precision * residuals.flatten(1)[:, None]).sum(-1)
            shape = (self.covariance * weighted[:, None]).sum(-1).view_as(points)
            answer = torch.where(seen[:, None, None], move(linear[:, None], self.mean + shape) + shift, points)
        return answer


def diagonal(variances: Tensor) -> Tensor:
    """(B, 2K, 2K) matrices with the variances (B, K) of landmarks on the diagonal, once for x and once for y."""
    twice = variances[..., None].expand(-1, -1, 2).flatten(1)
    return twice[:, None] * torch.eye(2 * variances.shape[1], dtype=torch.float64)


def fit(source: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The turn, scaling and shift that bring configurations nearest to others, as `superimposition.fit_similarity`.

    Args:
        source: (..., K, 2).
        target: (..., K, 2).
        weights: (..., K) of the landmarks.

    Returns:
        (..., 2, 2) matrices that turn and scale, and (..., 1, 2) shifts.
    """
    share = (weights / weights.sum(-1, keepdim=True))[..., None]
    centre, there = (share * source).sum(-2, keepdim=True), (share * target).sum(-2, keepdim=True)
    z, w = source - centre, target - there
    spread = (share * z.square()).sum((-2, -1))
    known = spread > 0
    size = torch.where(known, spread, 1.0)
    along = (share * z * w).sum((-2, -1)) / size
    across = (share[..., 0] * (z[..., 0] * w[..., 1] - z[..., 1] * w[..., 0])).sum(-1) / size
    cos, sin = torch.where(known, along, 1.0), torch.where(known, across, 0.0)
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    return linear, there - move(linear[..., None, :, :], centre)


def move(matrices: Tensor, points: Tensor) -> Tensor:
    """Points (..., 2) multiplied by matrices (..., 2, 2)."""
    return (matrices * points[..., None, :]).sum(-1)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Products of (..., 2, 2) matrices."""
    return (left[..., :, :, None] * right[..., None, :, :]).sum(-2)


def inverse_2x2(matrices: Tensor) -> Tensor:
    """Inverses of (..., 2, 2) symmetric matrices."""
    a, b, c = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    adjugate = torch.stack([torch.stack([c, -b], -1), torch.stack([-b, a], -1)], -2)
    return adjugate / (a * c - b * b)[..., None, None]


def inverse(matrices: Tensor) -> Tensor:
    """Inverses of (B, n, n) symmetric positive definite matrices, by elimination in place.

    ONNX knows no inverse. With ones on the diagonal no pivoting is needed.
    """
    n = matrices.shape[-1]
    unit = torch.eye(n, dtype=matrices.dtype)
    size = (matrices * unit).sum(-1).rsqrt()
    left = matrices * size[:, :, None] * size[:, None, :]
    for k in range(n):
        column, row = left.narrow(2, k, 1), left.narrow(1, k, 1)
        left = left - (column - unit[:, k : k + 1]) * (row + unit[k : k + 1]) / row.narrow(2, k, 1)
    return left * size[:, :, None] * size[:, None, :]
