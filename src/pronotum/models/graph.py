"""Networks without a choice that depends on the data, for programs that know neither Python nor torch.

The default model decides: whether to look at a picture again, which modes agree with the other landmarks, which windows
to cut once more. Here every way is gone and the answer is selected afterwards, in fixed tensor operations, so that
`torch.export` can write all of it as one graph. The numbers are those of `heatmap`; tests compare them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pronotum.augment import about
from pronotum.models.ebnet import EBNet, denormalise
from pronotum.models.heatmap import DOUBT, OFF_CENTRE, OTHER_POSES, HeatmapModel, rescale, turn
from pronotum.models.unet import UNet, cell_centres, decode, deviation
from pronotum.morphometrics.shape_prior import MAX_PAIRS, ShapePrior

Answers = tuple[Tensor, Tensor, Tensor]
"""(B, K, 2) points, px of the picture; (B, K) confidence; (B, K) spread, px of the picture."""
WIDEST_WEIGHT = 1 << 15
"""What the weights of a resampling must stay below, as integers."""


def taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int32], int]:
    """Which pixels make up each pixel of a smaller picture, along one axis, and how much each counts.

    Args:
        source: px of the picture.
        target: px of the smaller one.

    Returns:
        (T, target) positions, (T, target) whole weights, and the power of two they sum to.

    Source: the antialiased bilinear resampling of bytes of torch and Pillow: a triangle as wide as two pixels of the
        smaller picture, in fixed point.
    """
    scale = source / target
    support = max(scale, 1.0)
    centre = scale * (np.arange(target) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), source)
    places = first + np.arange(2 * int(np.ceil(support)) + 1)[:, None]
    shares = np.maximum(1 - np.abs((places - centre + 0.5) * (1 / support)), 0) * (places < end)
    shares /= shares.sum(0)
    bits = 0
    while int(0.5 + shares.max() * (1 << (bits + 1))) < WIDEST_WEIGHT and bits < 22:
        bits += 1
    weights = (0.5 + shares * (1 << bits)).astype(np.int32)
    used = weights.any(1)
    return np.minimum(places, source - 1)[used], weights[used], bits


class Shrink(nn.Module):
    """`pictures.shrink` on the CPU, bit for bit, in whole numbers: first along rows, then along columns.

    Args:
        source: (width, height) px of the pictures.
        target: (width, height) px of the smaller ones.

    Shape:
        (B, 3, H, W) int32, 0 to 255 -> (B, 3, height, width) int32.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        super().__init__()
        self.bits = []
        for axis, (before, after) in enumerate(zip(source, target, strict=True)):
            places, weights, bits = taps(before, after)
            self.register_buffer(f"places_{axis}", torch.from_numpy(places))
            self.register_buffer(f"weights_{axis}", torch.from_numpy(weights))
            self.bits.append(bits)

    def forward(self, pictures: Tensor) -> Tensor:
        """Smaller pictures."""
        for axis, bits in enumerate(self.bits):
            places, weights = self.get_buffer(f"places_{axis}"), self.get_buffer(f"weights_{axis}")
            shape = (1, -1) if axis == 0 else (-1, 1)
            total = torch.zeros((), dtype=torch.int32)
            for place, weight in zip(places, weights, strict=True):
                total = total + torch.index_select(pictures, 3 - axis, place) * weight.view(shape)
            pictures = ((total + (1 << (bits - 1))) // (1 << bits)).clamp(max=255)
        return pictures


def inverse(matrices: Tensor) -> Tensor:
    """Inverses of (B, n, n) symmetric positive definite matrices, by elimination.

    ONNX knows no inverse. With ones on the diagonal no pivoting is needed.
    """
    n = matrices.shape[-1]
    size = torch.diagonal(matrices, dim1=-2, dim2=-1).rsqrt()
    left = matrices * size[:, :, None] * size[:, None, :]
    unit = torch.eye(n, dtype=matrices.dtype)
    for k in range(n):
        column, row = left[:, :, k : k + 1], left[:, k : k + 1, :]
        left = left - (column - unit[:, k : k + 1]) * (row + unit[k : k + 1]) / left[:, k : k + 1, k : k + 1]
    return left * size[:, :, None] * size[:, None, :]


class Pose:
    """Turn, scaling and shift that bring one configuration nearest to another: w = factor * z + shift, as complex numbers.
    """
