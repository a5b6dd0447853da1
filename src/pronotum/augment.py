"""Random changes of pose, light and sharpness, sampled apart from applying them; points and pixels move together.

Everything works on batches and on the device the images are on. Randomness comes only from the generator that
is handed in, so that an epoch repeats exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor


class Augmentation(BaseModel):
    """How far training photographs are varied; every range is symmetric about "unchanged".

    Attributes:
        rotation: largest turn, degrees.
        scale: largest relative change of size.
        shift: largest move, as a share of the frame's width and height.
        gain: largest relative change of contrast.
        offset: largest change of brightness, per colour channel, as a share of the full range.
        noise: largest standard deviation of pixel noise, as a share of the full range.
        blur: share of pictures that are blurred.
        mirror: share of pictures that are mirrored, where the scheme says that they may be (`Scheme.mirror`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rotation: float = Field(default=20.0, ge=0)
    scale: float = Field(default=0.2, ge=0, lt=1)
    shift: float = Field(default=0.08, ge=0)
    gain: float = Field(default=0.35, ge=0)
    offset: float = Field(default=0.12, ge=0)
    noise: float = Field(default=0.02, ge=0)
    blur: float = Field(default=0.2, ge=0, le=1)
    mirror: float = Field(default=0.5, ge=0, le=1)


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform random numbers on [-1, 1], made on the CPU so that every device sees the same ones."""
    return 2 * torch.rand(shape, generator=generator) - 1


def sample_linear(n: int, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Random turns and scalings as (n, 2, 2) matrices acting on column vectors."""
    angle = math.radians(settings.rotation) * uniform((n,), generator)
    factor = torch.exp(math.log1p(settings.scale) * uniform((n,), generator))
    cos, sin = factor * torch.cos(angle), factor * torch.sin(angle)
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def sample_mirrored(n: int, settings: Augmentation, partners: Sequence[int], generator: torch.Generator) -> Tensor:
    """(n,) True for the pictures to mirror; none, and no random numbers taken, where nothing may be mirrored."""
    if not partners or settings.mirror == 0:
        return torch.zeros(n, dtype=torch.bool)
    return torch.rand(n, generator=generator) < settings.mirror


def mirror(linear: Tensor, mirrored: Tensor) -> Tensor:
    """Matrices (n, 2, 2) that mirror pictures from left to right before all else, those of which (n,) it is True."""
    signs = torch.where(mirrored[:, None], torch.tensor([-1.0, 1.0]), torch.ones(2))
    return linear * signs[:, None]


def relabel(points: Tensor, mirrored: Tensor, partners: Sequence[int]) -> Tensor:
    """Points (n, K, 2) of mirrored pictures under their new labels: landmark k is now what its partner was."""
    if not partners:
        return points
    return torch.where(mirrored[:, None, None], points[:, list(partners)], points)


def about(linear: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Affine (n, 2, 3) matrices with this linear part that send `source` (n, 2) to `target` (n, 2)."""
    return torch.cat([linear, (target - torch.einsum("nij,nj->ni", linear, source))[..., None]], -1)


def move(matrices: Tensor, points: Tensor) -> Tensor:
    """Move (n, K, 2) points by (n, 2, 3) matrices; NaN stays NaN."""
    return torch.einsum("nij,nkj->nki", matrices[..., :2], points) + matrices[:, None, :, 2]


def warp(images: Tensor, matrices: Tensor, size: tuple[int, int], displacements: Tensor | None = None) -> Tensor:
    """Resample pictures bilinearly; outside, the border pixel is repeated.

    Args:
        images: (n, C, H, W), any type.
        matrices: (n, 2, 3) from picture px to result px.
        size: (width, height) of the result.
        displacements: (n, 2, h, w) px by which the result is bent afterwards (`bending.spline`); None = it is not.

    Returns:
        (n, C, height, width) float32 on the range of the input.
    """
    width, height = size
    inverse = torch.linalg.inv(matrices[..., :2])
    x = torch.arange(width, dtype=torch.float32, device=images.device)
    y = torch.arange(height, dtype=torch.float32, device=images.device)
    base = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(1, -1, 2)
    if displacements is not None:
        smooth = F.interpolate(displacements, size=(height, width), mode="bilinear", align_corners=False)
        base = base + smooth.flatten(2).transpose(1, 2)
    source = torch.einsum("nij,npj->npi", inverse, base - matrices[:, None, :, 2])
    extent = torch.tensor([images.shape[3], images.shape[2]], dtype=torch.float32, device=images.device)
    grid = ((2 * source + 1) / extent - 1).view(len(images), height, width, 2)
    return F.grid_sample(images.float().contiguous(), grid, padding_mode="border", align_corners=False)


def windows(images: Tensor, index: Tensor, centres: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut square windows around points at whole pixels; outside, the border pixel is repeated.

    Args:
        images: (N, C, H, W).
        index: (n,) which picture each window is cut from.
        centres: (n, 2) px of the picture.
        side: px of the window.

    Returns:
        (n, C, side, side) of the input's type, and (n, 2) px of the picture at which each window's pixel (0, 0) lies.
    """
    corner = torch.round(centres).long() - side // 2
    steps = torch.arange(side, device=images.device)
    columns = (corner[:, 0, None] + steps).clamp(0, images.shape[3] - 1)
    rows = (corner[:, 1, None] + steps).clamp(0, images.shape[2] - 1)
    pixels = images.permute(0, 2, 3, 1)
    cut = pixels[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2), corner.to(torch.float32)


PIECES = 3
"""Pieces of other pictures on one, at most."""
WINDOW_MARGIN = 1.6
"""Training windows are cut this much larger, so that a turned window has no empty corners."""
MAX_JITTER = 0.4
"""How far off its landmark a training window lies at most, as a share of its side."""


def jitter(n: int, window: int, spread: float, generator: torch.Generator) -> Tensor:
    """Offsets (n, 2) px of training windows: mostly small as after a good answer, some nearly as large as a window.

    Args:
        n: how many.
        window: side, px.
        spread: typical standard deviation, px.
        generator: of the random numbers.
    """
    times = torch.tensor([0.5, 1.0, 2.0])[torch.randint(0, 3, (n, 1), generator=generator)]
    offsets = torch.randn((n, 2), generator=generator) * times * spread
    return offsets.clamp(-MAX_JITTER * window, MAX_JITTER * window)


def patch_side(window: int) -> int:
    """Side in px of a patch around a landmark that holds every training window of this side."""
    return 2 * math.ceil((WINDOW_MARGIN / 2 + MAX_JITTER) * window + 1)


def relight(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Vary contrast, brightness, colour, sharpness and noise of (n, C, H, W) pictures on [0, 1]."""
    n, channels = images.shape[:2]
    device = images.device
    gain = torch.exp(math.log1p(settings.gain) * uniform((n, 1, 1, 1), generator)).to(device)
    offset = (settings.offset * uniform((n, channels, 1, 1), generator)).to(device)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * gain + mean + offset
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    chosen = (torch.rand((n, 1, 1, 1), generator=generator) < settings.blur).to(device)
    images = torch.where(chosen, blurred, images)
    if settings.noise:
        level = (settings.noise * torch.rand((n, 1, 1, 1), generator=generator)).to(device)
        noise = torch.randn(images.shape, generator=generator).to(device)
        images = images + level * noise
    return images.clamp(0, 1)


def paste(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Cover parts of (n, C, H, W) pictures with pieces of each other, so that no single place is relied upon.

    Args:
        images: any type.
        share: chance of each of up to three pieces.
        generator: of the random numbers.

    Source: Yun et al. (2019), CutMix, without the labels.
    """
    n, (height, width) = len(images), images.shape[-2:]
    result = images.clone()
    for target in range(n):
        for _ in range(PIECES):
            chance, *shares = torch.rand(7, generator=generator).tolist()
            if chance >= share:
                continue
            w, h = (round(side * (0.05 + 0.2 * share)) for side, share in zip((width, height), shares[:2], strict=True))
            left, from_left = (round((width - w) * share) for share in shares[2:4])
            top, from_top = (round((height - h) * share) for share in shares[4:6])
            source = int(torch.randint(0, n, (1,), generator=generator))
            piece = images[source, :, from_top : from_top + h, from_left : from_left + w]
            result[target, :, top : top + h, left : left + w] = piece
    return result
