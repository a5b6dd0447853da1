"""A network that finds specimens: where they are, how large, how they are turned and which side they show.

Source: centres as peaks of a map are those of Zhou et al. (2019), Objects as points.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pronotum import poses, ranks
from pronotum.landmarks import FloatArray
from pronotum.models.unet import Depth, Stride, UNet, Widths, cell_centres, require_multiples

BINS = 24
"""Directions that are told apart; between them an angle is read from the neighbours."""
SURE = 0.2
"""Height of a peak from which there is a specimen."""
OTHER, MOST = 0.08, 6
"""Probability from which another direction is worth a look, and how many are looked at."""
APART = 3
"""Directions of which one is a mode of its own lie so many bins apart at least."""


class FinderConfig(BaseModel):
    """All that is needed to rebuild the network.

    Attributes:
        frame: (width, height) px of the picture it looks at.
        sides: 1, or 2 where mirrored specimens are told apart.
        reference: centroid size in px of the frame that counts as 1.
        widths: channels per level.
        stride: px per cell.
        depth: channels of the decoder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    frame: tuple[int, int]
    sides: int = Field(default=1, ge=1, le=2)
    reference: float = Field(default=64.0, gt=0)
    widths: Widths = (24, 32, 48, 64, 96)
    stride: Stride = 4
    depth: Depth = 48

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        require_multiples("frame", self.frame, self.widths, self.stride)
        return self


class Found(NamedTuple):
    """A specimen that was found.

    Attributes:
        pose: (3, 3) the most likely.
        sure: height of the peak, on [0, 1].
        direction: probability of this direction and side.
        others: (3, 3) each, others that are not unlikely, the most likely first.
    """

    pose: FloatArray
    sure: float
    direction: float
    others: tuple[FloatArray, ...]


class Finder(nn.Module):
    """Maps of specimens' centres, sizes and directions.

    Shape:
        (B, 3, H, W) on [0, 1] -> (B, 2 + sides * 24, H / stride, W / stride): log-odds of a centre, log size over the
        reference, and log-odds of each side and direction.
    """

    def __init__(self, config: FinderConfig) -> None:
        super().__init__()
        self.config = config
        channels = 2 + config.sides * BINS
        self.network = UNet(channels, widths=config.widths, stride=config.stride, depth=config.depth)
        self.offset = nn.Parameter(torch.zeros(channels))
        nn.init.constant_(self.offset[:1].detach(), -4.0)

    def forward(self, images: Tensor) -> Tensor:
        """Maps; see the class."""
        maps: Tensor = self.network.maps(images) + self.offset[:, None, None]
        return maps

    @torch.no_grad()
    def find(self, frames: Tensor) -> list[list[Found]]:
        """Specimens on each of (B, 3, h, w) uint8 frames, the surest first; poses are in px of the frame."""
        maps = self(frames.float() / 255)
        heat = torch.sigmoid(maps[:, 0])
        peaks = (heat == F.max_pool2d(heat[:, None], 5, stride=1, padding=2)[:, 0]) & (heat > SURE)
        return [self._read(*one) for one in zip(maps.cpu(), heat.cpu(), peaks.cpu(), strict=True)]

    def _read(self, maps: Tensor, heat: Tensor, peaks: Tensor) -> list[Found]:
        found = []
        for row, column in torch.nonzero(peaks).tolist():
            top, left = max(row - 1, 0), max(column - 1, 0)
            near = heat[top : row + 2, left : column + 2].double()
            x = cell_centres(heat.shape[1], self.config.stride, heat.device)[left : left + near.shape[1]]
            y = cell_centres(heat.shape[0], self.config.stride, heat.device)[top : top + near.shape[0]]
            total = near.sum()
            centre = np.array([float((near.sum(0) * x).sum() / total), float((near.sum(1) * y).sum() / total)])
            size = self.config.reference * math.exp(float(maps[1, row, column]))
            around = maps[2:, top : row + 2, left : column + 2]
            odds = (around * near.to(around) / total.to(around)).sum((1, 2)).view(self.config.sides, BINS)
            likely = modes(torch.softmax(odds.flatten(), 0).view_as(odds).numpy())
            made = [poses.pose(centre, size, degrees, mirrored=bool(side)) for side, degrees, _ in likely]
            found.append(Found(made[0], float(heat[row, column]), likely[0][2], tuple(made[1:])))
        return sorted(found, key=lambda one: -one.sure)


def modes(probability: FloatArray) -> list[tuple[int, float, float]]:
    """The most likely direction, and others that are not unlikely.

    Args:
        probability: (sides, 24).

    Returns:
        side, degrees, and the probability that lies within one bin, the most likely first; each at least three bins
        from those before it, or on the other side.
    """
    near = probability + np.roll(probability, 1, axis=1) + np.roll(probability, -1, axis=1)
    found: list[tuple[int, float, float]] = []
    taken = np.zeros(probability.shape, dtype=bool)
    while len(found) < MOST:
        side, best = np.unravel_index(int(np.where(taken, -1, near).argmax()), near.shape)
        if found and (taken[side, best] or near[side, best] < OTHER):
            break
        steps = np.array([-1, 0, 1])
        weights = probability[side, (best + steps) % BINS]
        degrees = (best + float((weights * steps).sum() / max(weights.sum(), 1e-12))) * 360 / BINS
        found.append((int(side), float(degrees), float(near[side, best])))
        taken[side, (best + np.arange(1 - APART, APART)) % BINS] = True
    return found


def targets(config: FinderConfig, scene: FloatArray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the maps of one scene should be.

    Args:
        config: of the network.
        scene: (M, 3, 3) poses, px of the frame.

    Returns:
        (h, w) heat on [0, 1]; (h, w) log size; (sides * 24, h, w) probabilities of directions; (h, w) True where size
        and direction count.
    """
    width, height = (side // config.stride for side in config.frame)
    x, y = (cell_centres(n, config.stride, torch.device("cpu")) for n in (width, height))
    heat, counts = torch.zeros(height, width), torch.zeros(height, width, dtype=torch.bool)
    size, direction = torch.zeros(height, width), torch.zeros(config.sides * BINS, height, width)
    for one in scene:
        own, mirrored = float(poses.sizes(one)), np.linalg.det(one[:2, :2]) < 0
        squares = (x - one[0, 2]).square() + (y[:, None] - one[1, 2]).square()
        spread = max(config.stride * 1.0, own / 16)
        gaussian = torch.exp(-squares / (2 * spread**2))
        gaussian[squares == squares.min()] = 1.0
        heat = torch.maximum(heat, gaussian)
        here = (squares < (1.5 * config.stride) ** 2) | (squares == squares.min())
        counts |= here
        size[here] = math.log(own / config.reference)
        bins = torch.arange(BINS) - float(poses.angles(one)) * BINS / 360
        apart = (bins + BINS / 2) % BINS - BINS / 2
        likely = torch.softmax(-apart.square() / (2 * 0.7**2), 0)
        column = torch.zeros(config.sides, BINS)
        column[int(mirrored) % config.sides] = likely
        direction[:, here] = column.flatten()[:, None]
    return heat, size, direction, counts


def finder_loss(maps: Tensor, heat: Tensor, size: Tensor, direction: Tensor, counts: Tensor) -> Tensor:
    """Focal loss of the centres (Zhou et al. 2019, equation 1), absolute error of log size, entropy of directions.

    Args:
        maps: (B, C, h, w) of a `Finder`.
        heat: (B, h, w); this and the others as `targets` gives them.
        size: (B, h, w).
        direction: (B, C - 2, h, w).
        counts: (B, h, w).
    """
    odds = maps[:, 0].float()
    probability = torch.sigmoid(odds).clamp(1e-5, 1 - 1e-5)
    centre = heat >= 1.0
    present = (1 - probability).square() * torch.log(probability) * centre
    absent = (1 - heat) ** 4 * probability.square() * torch.log(1 - probability) * ~centre
    focal = -(present + absent).sum() / ranks.mean_count(centre)
    n = ranks.mean_count(counts)
    sizes = ((maps[:, 1] - size).abs() * counts).sum() / n
    entropy = -(direction * torch.log_softmax(maps[:, 2:], 1)).sum(1)
    return focal + sizes + (entropy * counts).sum() / n
