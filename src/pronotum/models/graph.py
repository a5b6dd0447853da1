"""Networks without a choice that depends on the data, for programs that know neither Python nor torch.

The default model decides: whether to look at a picture again, which modes agree with the other landmarks. Here all of
it is done and the answer selected afterwards, in fixed operations that `onnx_export` can record. The first dimension of
whatever depends on the pictures counts pictures, or parts of pictures, so that a graph takes any number of them. The
numbers are those of the networks; tests compare them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pronotum.augment import about
from pronotum.models.agreement import Reconcile, Steady
from pronotum.models.ebnet import EBNet
from pronotum.models.heatmap import DOUBT, OTHER_POSES, STEADYING, HeatmapModel, rescale, turn
from pronotum.models.unet import Committee, UNet, cell_centres, decode, deviation

WIDEST_WEIGHT = 1 << 15
"""What the weights of a resampling stay below, as integers."""
MOST_BITS = 22


class Look(NamedTuple):
    """What a graph says of pictures.

    Attributes:
        points: (B, K, 2) px of the picture.
        confidence: (B, K) on [0, 1]; NaN = the network has none.
        spread: (B, K) px of the picture; NaN = the network has none.
        margin: (B, K) px by which a guess would have had to be another for another window to be cut. Where it is tiny,
            the last digits of the arithmetic decide. Infinite where no window is cut.
    """

    points: Tensor
    confidence: Tensor
    spread: Tensor
    margin: Tensor


class HeatmapGraph(nn.Module):
    """The default model with all its looks at a picture, as `HeatmapModel.answer`.

    Shape:
        (B, 3, H, W) uint8 -> `Look`.
    """

    there: Tensor
    back: Tensor

    def __init__(self, model: HeatmapModel) -> None:
        super().__init__()
        self.config = config = model.config
        self.coarse, self.fine, self.finest = model.coarse, model.fine, model.finest
        self.shrink_picture = Shrink(config.picture, config.detail) if config.finest else nn.Identity()
        self.shrink_detail = Shrink(config.detail, config.frame)
        (width, height), stride = config.frame, self.coarse.stride
        cells = width // stride, height // stride
        self.reconcile, self.steady = Reconcile(model.prior, cells, stride), Steady(model.prior)
        centre = torch.tensor([[width / 2 - 0.5, height / 2 - 0.5]])
        poses = [about(turn(*pose)[None], centre, centre)[0] for pose in OTHER_POSES]
        there = [sources(torch.linalg.inv(pose[:, :2]), (width, height), 1, before=-pose[:, 2]) for pose in poses]
        back = [sources(pose[:, :2], cells, stride, after=pose[:, 2]) for pose in poses]
        self.register_buffer("there", torch.stack(there))
        self.register_buffer("back", torch.stack(back))

    def forward(self, pictures: Tensor) -> Look:
        """Landmarks of pictures."""
        config, whole = self.config, pictures.int()
        details = self.shrink_picture(whole)
        points, trust = self.locate_coarse(self.shrink_detail(details).float())
        points = rescale(points, config.frame, config.detail)
        found = refine(self.fine, details, points, window=config.window)
        found = self.steadied(found, config.detail, config.fine_sigma)
        trust = trust * found.confidence
        if self.finest is None:
            return found._replace(confidence=trust)
        points = rescale(found.points, config.detail, config.picture)
        last = refine(self.finest, whole, points, window=config.finest_window)
        last = self.steadied(last, config.picture, config.finest_sigma)
        margin = torch.minimum(found.margin, last.margin)
        return last._replace(confidence=trust * last.confidence, margin=margin)

    def steadied(self, found: Look, size: tuple[int, int], sigma: float) -> Look:
        """Landmarks drawn to where the others expect them, as in `HeatmapModel`; the margin is that of all together."""
        frame = self.config.frame
        doubt = STEADYING * frame[0] / size[0] * (found.spread.double() - sigma).clamp(min=0)
        points = self.steady(rescale(found.points.double(), size, frame), doubt)
        margin = found.margin.amin(-1, keepdim=True).expand_as(found.margin)
        return found._replace(points=rescale(points, frame, size).float(), margin=margin)

    def locate_coarse(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """As `HeatmapModel.locate_coarse`: (B, K, 2) frame px and (B, K) confidence, of (B, 3, h, w) on 0 to 255."""
        shown = torch.stack([frames, *(sample(frames, grid) for grid in self.there)], 1)
        seen = self.coarse(shown.flatten(0, 1) / 255)
        seen = seen.view(-1, 1 + len(OTHER_POSES), *seen.shape[1:])
        once = total = seen[:, 0]
        for number, grid in enumerate(self.back, 1):
            total = total + sample(seen[:, number], grid)
        again = F.log_softmax((total / (1 + len(OTHER_POSES))).flatten(2), -1).view(once.shape)
        both, confidences = self.choose(torch.stack([once, again], 1).flatten(0, 1))
        both, confidences = both.view(-1, 2, *both.shape[1:]), confidences.view(-1, 2, both.shape[1])
        doubtful = confidences[:, 0].amin(1)[:, None] < DOUBT
        points = torch.where(doubtful[..., None], both[:, 1], both[:, 0])
        return points, torch.where(doubtful, confidences[:, 1], confidences[:, 0])

    def choose(self, log_maps: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks (B, K, 2) frame px, and confidence, from maps (B, K, h, w)."""
        stride = self.coarse.stride
        guide = self.reconcile(log_maps.double()).float()
        points, _ = decode(guide, stride)
        return points, decode(log_maps, stride, guide=guide)[1]


def refine(network: UNet | Committee, pictures: Tensor, points: Tensor, *, window: int) -> Look:
    """Landmarks from windows around first guesses, as `heatmap.refine`.

    Args:
        network: answers in a window.
        pictures: (B, 3, H, W) int32.
        points: (B, K, 2) px of the picture.
        window: side, px.
    """
    k = points.shape[1]
    cut, corner = windows(pictures, points, window)
    maps = network(cut.float() / 255)
    own = maps.view(-1, k * k, *maps.shape[2:]).index_select(1, torch.arange(k) * (k + 1))
    local, mass = decode(own, network.stride)
    margin = (points - points.floor() - 0.5).abs().amin(-1)
    return Look(local + corner, mass, deviation(own, local, network.stride), margin)


def windows(pictures: Tensor, centres: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut square windows around points at whole pixels, as `augment.windows`.

    Args:
        pictures: (B, 3, H, W).
        centres: (B, K, 2) px of the picture.
        side: px of the window.

    Returns:
        (B * K, 3, side, side), and (B, K, 2) px of the picture at which each window's pixel (0, 0) lies.
    """
    height, width = pictures.shape[-2:]
    corner = torch.round(centres).long() - side // 2
    steps = torch.arange(side)
    columns = (corner[..., 0, None] + steps).clamp(0, width - 1)
    rows = (corner[..., 1, None] + steps).clamp(0, height - 1)
    index = (rows[..., :, None] * width + columns[..., None, :]).flatten(1)
    cut = torch.gather(pictures.flatten(2), 2, index[:, None].expand(-1, 3, -1))
    cut = cut.view(-1, 3, centres.shape[1], side, side).transpose(1, 2)
    return cut.flatten(0, 1), corner.float()


def sources(
    linear: Tensor, size: tuple[int, int], stride: int, *, before: Tensor | float = 0.0, after: Tensor | float = 0.0
) -> Tensor:
    """Where the cells of a picture or map come from, (1, height, width, 2), as `F.grid_sample` wants to be told.

    Args:
        linear: (2, 2) turns and enlarges cells to their sources.
        size: (width, height) cells.
        stride: px per cell.
        before: (2,) added to the cells, px.
        after: (2,) added to the sources, px.
    """
    x, y = (cell_centres(n, stride, linear.device) for n in size)
    cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    source = torch.einsum("ij,pj->pi", linear, cells + before) + after
    extent = stride * torch.tensor(size, dtype=torch.float32)
    return ((2 * source + 1) / extent - 1).view(1, size[1], size[0], 2)


def sample(values: Tensor, grid: Tensor) -> Tensor:
    """Values (B, C, h, w) at the places of `sources`, bilinearly; outside, the border is repeated."""
    return F.grid_sample(values, grid.expand(len(values), -1, -1, -1), padding_mode="border", align_corners=False)


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
        self.axes = [taps(before, after) for before, after in zip(source, target, strict=True)]

    def forward(self, pictures: Tensor) -> Tensor:
        """Smaller pictures."""
        for axis, (places, weights, bits) in zip((3, 2), self.axes, strict=True):
            column = weights[..., None] if axis == 2 else weights
            total: Tensor | int = 1 << (bits - 1)
            for place, weight in zip(places, column, strict=True):
                total = pictures.index_select(axis, place) * weight + total
            assert isinstance(total, Tensor)
            pictures = (total // (1 << bits)).clamp(max=255)
        return pictures


def taps(source: int, target: int) -> tuple[Tensor, Tensor, int]:
    """Which pixels make up each pixel of a smaller picture, along one axis, and how much each counts.

    Args:
        source: px of the picture.
        target: px of the smaller one.

    Returns:
        (T, target) positions, (T, target) int32 weights, and the power of two they sum to.

    Source: the antialiased bilinear resampling of bytes of torch, which is Pillow's: a triangle as wide as two pixels
        of the smaller picture, in fixed point with 16 bits for a weight.
    """
    scale = source / target
    support = max(scale, 1.0)
    centre = scale * (np.arange(target) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), source)
    places: NDArray[np.int64] = first + np.arange(2 * int(np.ceil(support)) + 1)[:, None]
    shares = np.maximum(1 - np.abs((places - centre + 0.5) * (1 / support)), 0) * (places < end)
    shares /= shares.sum(0)
    bits = 0
    while int(0.5 + shares.max() * (1 << (bits + 1))) < WIDEST_WEIGHT and bits < MOST_BITS:
        bits += 1
    weights = (0.5 + shares * (1 << bits)).astype(np.int32)
    used = weights.any(1)
    return torch.from_numpy(np.minimum(places, source - 1)[used]), torch.from_numpy(weights[used]), bits


class EBNetGraph(nn.Module):
    """A network of the paper, as `EBNet.answer`.

    Shape:
        (B, 3, H, W) uint8 -> `Look`.
    """

    def __init__(self, model: EBNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> Look:
        """Landmarks of pictures; it knows no confidence."""
        points = self.model.locate(pictures)
        unknown = torch.full_like(points[..., 0], torch.nan)
        return Look(points, unknown, unknown, torch.full_like(unknown, torch.inf))
