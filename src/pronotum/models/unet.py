"""Small U-Nets that answer with one log-probability map per landmark, alone or several together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pronotum import ranks

GROUPS = 8
MOST = 4096
"""Channels that no network has."""
MOST_PIXELS = 2**24
"""Px that no network looks at together."""
Depth = Annotated[int, Field(ge=GROUPS, le=MOST, multiple_of=GROUPS)]
Widths = Annotated[tuple[Depth, ...], Field(min_length=1, max_length=8)]
Stride = Annotated[Literal[1, 2, 4, 8], Field()]


def require_multiples(name: str, sides: tuple[int, ...], widths: tuple[int, ...], stride: int) -> None:
    """Refuse a size, px, over which the maps of a network with these widths and this stride do not fit.

    Raises:
        ValueError: it is no multiple of what its levels halve it to, or larger than any network's.
    """
    step = stride * 2 ** (len(widths) - 1)
    if math.prod(sides) > MOST_PIXELS:
        raise ValueError(f"{name} {list(sides)}: more than {MOST_PIXELS} px")
    if any(side < step or side % step for side in sides):
        raise ValueError(f"{name} {list(sides)}: must be multiples of {step}")


def convolution(n_in: int, n_out: int) -> nn.Sequential:
    """3x3 convolution, group normalisation (batches are too small for batch statistics), ReLU."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.GroupNorm(GROUPS, n_out), nn.ReLU(inplace=True)
    )


class UNet(nn.Module):
    """Strided stem, encoder of two convolutions per level, additive decoder of one.

    Args:
        n_landmarks: number of maps.
        widths: channels per level, multiples of 8; the picture is halved between levels.
        stride: px of the picture per cell of a map.
        depth: channels of the decoder.

    Shape:
        (B, 3, H, W) on [0, 1], H and W multiples of ``stride * 2 ** (len(widths) - 1)``
        -> (B, K, H / stride, W / stride) log-probabilities that sum to one over each map.
    """

    def __init__(self, n_landmarks: int, *, widths: tuple[int, ...], stride: int, depth: int) -> None:
        super().__init__()
        self.stride = stride
        kernel = 2 * stride - 1 if stride > 1 else 3
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], kernel, stride=stride, padding=(kernel - stride + 1) // 2, bias=False),
            nn.GroupNorm(GROUPS, widths[0]),
            nn.ReLU(inplace=True),
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(convolution(widths[max(level - 1, 0)], width), convolution(width, width))
            for level, width in enumerate(widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, depth, 1) for width in widths)
        self.decoder = nn.ModuleList(convolution(depth, depth) for _ in widths[:-1])
        self.head = nn.Conv2d(depth, n_landmarks, 1, bias=False)  # a softmax over places cancels a bias

    def forward(self, images: Tensor) -> Tensor:
        """Log-probability maps (B, K, H / stride, W / stride)."""
        maps = self.maps(images)
        return F.log_softmax(maps.flatten(2), -1).view_as(maps)

    def maps(self, images: Tensor) -> Tensor:
        """The same before the softmax: any real numbers."""
        features = [self.encoder[0](self.stem(images - 0.5))]
        for block in self.encoder[1:]:
            features.append(block(F.max_pool2d(features[-1], 2)))
        answer = self.lateral[-1](features[-1])
        for level in range(len(features) - 2, -1, -1):
            larger = F.interpolate(answer, size=features[level].shape[-2:], mode="bilinear", align_corners=False)
            answer = self.decoder[level](larger + self.lateral[level](features[level]))
        maps: Tensor = self.head(answer)
        return maps

    def of_one(self, images: Tensor, channel: Tensor) -> Tensor:
        """Log-probability maps (B, 1, H / stride, W / stride), of each image for one landmark (B,) only."""
        own = self.maps(images)[torch.arange(len(images)), channel]
        return F.log_softmax(own.flatten(1), -1).view_as(own)[:, None]


class Committee(nn.Module):
    """Several U-Nets asked together: their probabilities are averaged.

    Where they disagree the mean has several modes, or a wide one: doubt that none of them has alone.

    Args:
        members: of one stride and number of landmarks; see `UNet` for the shapes.
    """

    def __init__(self, members: Sequence[UNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.stride = members[0].stride

    def forward(self, images: Tensor) -> Tensor:
        """Log-probability maps (B, K, H / stride, W / stride)."""
        return _mean([member(images) for member in self.members])

    def of_one(self, images: Tensor, channel: Tensor) -> Tensor:
        """As `UNet.of_one`."""
        return _mean([member.of_one(images, channel) for member in self.members])  # type: ignore[operator]


def _mean(log_maps: list[Tensor]) -> Tensor:
    """Logarithm of the mean of probabilities."""
    return torch.logsumexp(torch.stack(log_maps, 1), 1) - math.log(len(log_maps))


def together(members: Sequence[UNet]) -> UNet | Committee:
    """One network out of several, or the only one."""
    return members[0] if len(members) == 1 else Committee(members)


def members(network: UNet | Committee) -> list[UNet]:
    """The networks that answer together."""
    return list(network.members) if isinstance(network, Committee) else [network]  # type: ignore[arg-type]


def cell_centres(n: int, stride: int, device: torch.device) -> Tensor:
    """(n,) px coordinates of the centres of n cells of a map."""
    return (torch.arange(n, device=device) + 0.5) * stride - 0.5


def expectation(log_maps: Tensor, stride: int) -> Tensor:
    """Mean position under each map, (..., 2) px of the picture, from (..., h, w) log-probabilities."""
    probabilities = log_maps.exp()
    x = cell_centres(log_maps.shape[-1], stride, log_maps.device)
    y = cell_centres(log_maps.shape[-2], stride, log_maps.device)
    return torch.stack([(probabilities.sum(-2) * x).sum(-1), (probabilities.sum(-1) * y).sum(-1)], -1)


def decode(log_maps: Tensor, stride: int, *, guide: Tensor | None = None, radius: int = 3) -> tuple[Tensor, Tensor]:
    """Position of one mode of each map.

    A mean over the whole map would fall between two modes, where nothing is; so only the cells within `radius`
    of the chosen one count.

    Args:
        log_maps: (B, K, h, w) log-probabilities.
        stride: px of the picture per cell.
        guide: (B, K, h, w) scores whose highest cell chooses the mode; the maps themselves by default.
        radius: cells.

    Returns:
        (B, K, 2) px of the picture, and (B, K) the share of the probability that lies in that window.
    """
    height, width = log_maps.shape[-2:]
    best = (log_maps if guide is None else guide).flatten(-2).argmax(-1)
    steps = torch.arange(-radius, radius + 1, device=log_maps.device)
    columns, rows = (best % width)[..., None] + steps, (best // width)[..., None] + steps
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[..., None, :]
    cells = rows.clamp(0, height - 1)[..., :, None] * width + columns.clamp(0, width - 1)[..., None, :]
    window = log_maps.flatten(-2).gather(-1, cells.flatten(-2)).masked_fill(~inside.flatten(-2), -torch.inf)
    mass = torch.logsumexp(window, -1)
    share = (window - mass[..., None]).exp().view(cells.shape)
    x, y = ((at + 0.5) * stride - 0.5 for at in (columns, rows))
    return torch.stack([(share.sum(-2) * x).sum(-1), (share.sum(-1) * y).sum(-1)], -1), mass.exp()


def deviation(log_maps: Tensor, points: Tensor, stride: int) -> Tensor:
    """How widely maps are spread about points: root mean square distance along one axis.

    Unlike the share of probability near the answer it sees how far the rest lies, and a second mode.

    Args:
        log_maps: (..., h, w) log-probabilities.
        points: (..., 2) px of the picture.
        stride: px per cell.

    Returns:
        (...) px.
    """
    probabilities = log_maps.exp()
    x = cell_centres(log_maps.shape[-1], stride, log_maps.device) - points[..., 0, None]
    y = cell_centres(log_maps.shape[-2], stride, log_maps.device) - points[..., 1, None]
    along_x, along_y = (probabilities.sum(-2) * x**2).sum(-1), (probabilities.sum(-1) * y**2).sum(-1)
    return ((along_x + along_y) / 2).sqrt()


def heatmap_loss(log_maps: Tensor, targets: Tensor, *, stride: int, sigma: float) -> Tensor:
    """Cross-entropy to a Gaussian around each landmark plus half the L1 distance of the map's mean, in px.

    Args:
        log_maps: (B, K, h, w) log-probabilities.
        targets: (B, K, 2) px of the picture; NaN = missing. A landmark that is missing or outside the picture
            does not count.
        stride: px per cell.
        sigma: standard deviation of the Gaussian, px.

    Returns:
        Mean over the landmarks that count (zero when none does); see `ranks.mean_count` for several processes.
    """
    height, width = log_maps.shape[-2:]
    x = cell_centres(width, stride, log_maps.device)
    y = cell_centres(height, stride, log_maps.device)
    inside = (targets > -0.5).all(-1) & (targets[..., 0] < width * stride - 0.5)
    counted = inside & (targets[..., 1] < height * stride - 0.5)
    known = torch.where(counted[..., None], targets, torch.zeros_like(targets))
    gaussian_x = torch.exp(-((x - known[..., 0, None]) ** 2) / (2 * sigma**2))
    gaussian_y = torch.exp(-((y - known[..., 1, None]) ** 2) / (2 * sigma**2))
    gaussian_x = gaussian_x / (gaussian_x.sum(-1, keepdim=True) + 1e-12)
    gaussian_y = gaussian_y / (gaussian_y.sum(-1, keepdim=True) + 1e-12)
    entropy = -torch.einsum("...hw,...w,...h->...", log_maps, gaussian_x, gaussian_y)
    distance = (expectation(log_maps, stride) - known).abs().sum(-1)
    per_landmark = torch.where(counted, entropy + 0.25 * distance, torch.zeros_like(entropy))
    return per_landmark.sum() / ranks.mean_count(counted)
