"""Pictures bent so that their landmarks take another shape: thin-plate splines over batches.

Source: Bookstein (1989), Principal warps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CELL = 8
"""Px of the picture per cell of a displacement map."""
SOFTNESS = 0.05
"""How far the spline may miss its landmarks, so that two close ones do not fold the picture (0 = not at all)."""
LEAST = 3
"""Landmarks below which there is no shape."""


def bends(points: Tensor, shape: Tensor, root: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Random changes of shape, of the kind by which the training specimens differ.

    Args:
        points: (n, K, 2) configurations in any pose; NaN = missing, moved like the others say.
        shape: (K, 2) mean shape, centred.
        root: (2K, 2K) lower Cholesky factor of the covariance of superimposed configurations, in units of `shape`.
        amount: how far, in standard deviations.
        generator: of the random numbers.

    Returns:
        (n, K, 2) complete configurations, and (n, K, 2) where each of their landmarks goes, stacked: (2, n, K, 2).
    """
    n, n_landmarks = points.shape[:2]
    there = ~torch.isnan(points).any(-1, keepdim=True)
    count = there.sum(1, keepdim=True).clamp(min=1)
    known = torch.where(there, points, torch.zeros(()))
    centre = known.sum(1, keepdim=True) / count
    mean = (there * shape).sum(1, keepdim=True) / count
    a, b = torch.where(there, shape - mean, torch.zeros(())), torch.where(there, points - centre, torch.zeros(()))
    size = a.square().sum((1, 2)).clamp(min=1e-9)
    cos, sin = (a * b).sum((1, 2)) / size, (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(1) / size
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    complete = torch.where(there, points, torch.einsum("nij,nkj->nki", turn, shape - mean) + centre)
    change = (torch.randn(n, 2 * n_landmarks, generator=generator) @ root.T).view(n, n_landmarks, 2)
    return torch.stack([complete, complete + amount * torch.einsum("nij,nkj->nki", turn, change)])


def spline(source: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
    """The bent picture's displacements: where each of its places comes from, less the place itself.

    Args:
        source: (n, K, 2) landmarks, px.
        target: (n, K, 2) where they go. The corners of the picture stay where they are.
        size: (width, height) px of the picture.

    Returns:
        (n, 2, height / 8, width / 8) px, at the centres of cells.
    """
    n = len(source)
    width, height = size
    corners = torch.tensor([[0.0, 0.0], [1, 0], [0, 1], [1, 1]]) * torch.tensor([width - 1.0, height - 1.0])
    unit = float(max(size)) / 2
    knots = torch.cat([target, corners.expand(n, 4, 2)], 1).double() / unit
    values = torch.cat([source - target, torch.zeros(n, 4, 2)], 1).double()
    k = knots.shape[1]
    flat = torch.cat([torch.ones(n, k, 1, dtype=torch.float64), knots], -1)
    system = torch.zeros(n, k + 3, k + 3, dtype=torch.float64)
    system[:, :k, :k] = _kernel(knots, knots) + SOFTNESS * torch.eye(k, dtype=torch.float64)
    system[:, :k, k:], system[:, k:, :k] = flat, flat.transpose(1, 2)
    weights = torch.linalg.solve(system, torch.cat([values, torch.zeros(n, 3, 2, dtype=torch.float64)], 1)).float()
    x = (torch.arange(width // CELL) + 0.5) * CELL - 0.5
    y = (torch.arange(height // CELL) + 0.5) * CELL - 0.5
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(1, -1, 2) / unit
    bent: Tensor = _kernel(grid, knots.float()) @ weights[:, :k] + weights[:, k : k + 1] + grid @ weights[:, k + 1 :]
    return bent.transpose(1, 2).reshape(n, 2, height // CELL, width // CELL)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    squares = (a[:, :, None] - b[:, None]).square().sum(-1)
    kernel: Tensor = squares * torch.log(squares + 1e-9)
    return kernel


def follow(points: Tensor, displacements: Tensor, size: tuple[int, int], *, iterations: int = 6) -> Tensor:
    """Where points (n, K, 2) px of the picture go when it is bent; NaN stays NaN.

    Args:
        points: in the picture as it was.
        displacements: of `spline`.
        size: (width, height) px of the picture.
        iterations: of the fixed point; the maps are smooth, so few are enough.
    """
    extent = torch.tensor(size, dtype=torch.float32, device=points.device)
    known = torch.nan_to_num(points)
    found = known
    for _ in range(iterations):
        places = ((2 * found + 1) / extent - 1)[:, None]
        moved = F.grid_sample(displacements, places, padding_mode="border", align_corners=False)[:, :, 0]
        found = known - moved.transpose(1, 2)
    return torch.where(torch.isnan(points), points, found)
