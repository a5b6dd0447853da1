"""The paper's colour augmentation: seven grey pictures of one photograph, made where the bytes are.

The versions are near-duplicates but for the last three: adding 10 to red, green or blue moves the grey by 2.99, 5.87
or 1.14 levels only. Points do not move.

Source: Le et al., section 4, figures 4 and 5; spec A.2.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

VERSIONS = ("grey", "red added", "green added", "blue added", "red", "green", "blue")
"""What each version number stands for: the picture's grey, its grey after a constant was added to one channel
(at most 255), and one channel alone."""

OFFSET = 10
"""Levels added to a channel; the paper's figure 4 and the authors' report use 10 throughout."""


def grey(images: Tensor) -> Tensor:
    """Grey of colour pictures, not rounded to whole levels.

    Args:
        images: (B, 3, H, W) uint8, RGB.

    Returns:
        (B, 1, H, W) float32 on [0, 1], on the device of the pictures.
    """
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return (images.float() * weights).sum(1, keepdim=True) / 255


def recolour(images: Tensor, version: Tensor, offset: Tensor) -> Tensor:
    """The version of each picture that is asked for, as grey.

    Args:
        images: (B, 3, H, W) uint8, RGB.
        version: (B,) positions in `VERSIONS`.
        offset: (B,) levels (of 255) added where the version adds to a channel.

    Returns:
        (B, 1, H, W) float32 on [0, 1], on the device of the pictures.

    Source: Le et al., section 4; spec A.2 (saturating addition, one constant per picture).
    """
    version, offset = version.to(images.device), offset.to(images.device)
    nothing, one = torch.zeros(4, 3), torch.eye(3)
    additions = torch.cat([nothing[:1], one, nothing[:3]]).to(images.device)
    weights = torch.cat([torch.tensor(LUMA).expand(4, 3), one]).to(images.device)
    added = additions[version] * offset[:, None]
    raised = (images.float() + added[:, :, None, None]).clamp_(max=255)
    return raised.mul_(weights[version][:, :, None, None]).sum(1, keepdim=True) / 255


def sample_offsets(n: int, largest: int, generator: torch.Generator) -> Tensor:
    """Constants drawn evenly from {1, ..., largest}, (n,) on the CPU so that every device sees the same ones."""
    return torch.randint(1, largest + 1, (n,), generator=generator)


def all_versions(pixels: NDArray[np.uint8], offset: int = OFFSET) -> NDArray[np.uint8]:
    """The seven versions of one picture, to look at or to write to disk.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        offset: levels added.

    Returns:
        (7, H, W) uint8 in the order of `VERSIONS`, rounded to whole levels.
    """
    picture = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
    n = len(VERSIONS)
    versions = recolour(picture.expand(n, -1, -1, -1), torch.arange(n), torch.full((n,), offset))
    return (versions[:, 0] * 255).round().to(torch.uint8).numpy()
