"""Pictures to learn finding from: photographs, or pieces of them, turned, resized and laid side by side on a ground."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pronotum import geometry, poses
from pronotum.augment import uniform
from pronotum.landmarks import FloatArray
from pronotum.pictures import Wholes

ALONE = 0.3
"""Share of scenes with one piece."""
MOST = 14
"""Pieces of a scene, at most."""
CUT_OUT = 0.4
"""Share of pieces that show a specimen and little around it, instead of the whole photograph."""
SMALLEST = 14.0
"""Centroid size in px of a scene below which nobody could tell how a specimen is turned."""


def compose(wholes: Wholes, generator: torch.Generator, *, mirrored: bool) -> tuple[Tensor, FloatArray]:
    """One scene.

    Args:
        wholes: what to take pieces from.
        generator: of the random numbers.
        mirrored: whether half of the pieces are mirrored.

    Returns:
        (3, h, w) float32 on [0, 1], and (M, 3, 3) poses of the specimens in it.
    """
    height, width = wholes.pixels.shape[-2:]
    draws = np.random.default_rng(int(torch.randint(0, 2**62, (1,), generator=generator)))
    scene = _ground(wholes, generator)
    n = 1 if draws.random() < ALONE else int(draws.integers(2, MOST + 1))
    columns = max(1, round(math.sqrt(n * width / height)))
    rows = math.ceil(n / columns)
    cell = np.array([width / columns, height / rows])
    zoom = math.exp(draws.uniform(math.log(0.75), math.log(1.25)))
    placed: list[FloatArray] = []
    for at in draws.permutation(columns * rows)[:n]:
        which = int(draws.integers(len(wholes)))
        box, own = _piece(wholes, which, draws)
        extent = np.array([box[2] - box[0], box[3] - box[1]])
        angle = draws.uniform(-math.pi, math.pi)
        turned = np.abs([[math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ extent
        largest = float((cell / turned).min())
        low, high = (0.4, 1.3) if n == 1 else (0.35 * zoom, 1.1 * zoom)
        factor = min(largest * math.exp(draws.uniform(math.log(low), math.log(high))), 1.5)
        loose = np.maximum(cell - turned * factor, 0.1 * cell) / 2
        place = (np.array([at % columns, at // columns]) + 0.5) * cell + draws.uniform(-1, 1, 2) * loose
        matrix = _matrix(box, place, factor, angle, mirror=mirrored and draws.random() < 0.5)
        scene = _lay(scene, wholes.pixels[which], box, matrix, round_edges=bool(draws.random() < 0.5))
        placed += [matrix @ pose for pose in own]
    kept = [
        one
        for one in placed
        if -0.5 <= one[0, 2] < width - 0.5 and -0.5 <= one[1, 2] < height - 0.5 and poses.sizes(one) > SMALLEST
    ]
    return scene, np.stack(kept) if kept else np.empty((0, 3, 3))


def _ground(wholes: Wholes, generator: torch.Generator) -> Tensor:
    """(3, h, w) the colour of some photograph's border, a little uneven."""
    height, width = wholes.pixels.shape[-2:]
    which = int(torch.randint(0, len(wholes), (1,), generator=generator))
    left, top, right, bottom = (round(float(edge)) for edge in wholes.covers[which])
    covered = wholes.pixels[which, :, max(top, 0) : bottom + 1, max(left, 0) : right + 1].float() / 255
    border = torch.cat([covered[:, 0], covered[:, -1], covered[:, :, 0], covered[:, :, -1]], 1)
    colour = border.median(1).values[:, None, None]
    uneven = F.interpolate(uniform((1, 1, 4, 5), generator), size=(height, width), mode="bicubic", align_corners=False)
    grain = 0.02 * torch.rand(1, generator=generator) * torch.randn((3, height, width), generator=generator)
    return (colour + 0.04 * uneven[0] + grain).clamp(0, 1)


def _piece(wholes: Wholes, which: int, draws: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A box (left, top, right, bottom) of a photograph, and the specimens (M, 3, 3) in it."""
    own, cover = wholes.poses[which], wholes.covers[which]
    if len(own) == 0 or draws.random() > CUT_OUT:
        return cover, own
    chosen = own[int(draws.integers(len(own)))]
    outline = geometry.transform(chosen, wholes.shape)
    low, high = outline.min(0), outline.max(0)
    margin = draws.uniform(0.08, 0.35) * float((high - low).max())
    low, high = np.maximum(low - margin, cover[:2]), np.minimum(high + margin, cover[2:])
    centres = own[:, :2, 2]
    inside = ((centres > low) & (centres < high)).all(1)
    return np.concatenate([low, high]), own[inside]


def _matrix(box: FloatArray, place: FloatArray, factor: float, angle: float, *, mirror: bool) -> FloatArray:
    """(3, 3) from px of the photograph to px of the scene: the box's centre comes to the place."""
    centre = (box[:2] + box[2:]) / 2
    side = np.diag([-1.0 if mirror else 1.0, 1.0, 1.0])
    turn = geometry.similarity(angle, factor, (0, 0))
    return geometry.translation(*place) @ turn @ side @ geometry.translation(*-centre)


def _lay(scene: Tensor, pixels: Tensor, box: FloatArray, matrix: FloatArray, *, round_edges: bool) -> Tensor:
    """A scene (3, h, w) with the box of a photograph (3, H, W) uint8 laid on it."""
    corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
    there = geometry.transform(matrix, corners)
    height, width = scene.shape[-2:]
    left, top = (max(0, math.floor(v)) for v in there.min(0))
    right, bottom = min(width, math.ceil(there[:, 0].max()) + 1), min(height, math.ceil(there[:, 1].max()) + 1)
    if right <= left or bottom <= top:
        return scene
    source, steps = pixels[None].float() / 255, max(1, int(1 / poses.sizes(matrix)))
    if steps > 1:  # bilinear sampling alone would alias
        source = F.avg_pool2d(source, steps, ceil_mode=True)
    back = torch.from_numpy(np.linalg.inv(matrix)).float()
    y, x = torch.meshgrid(torch.arange(top, bottom), torch.arange(left, right), indexing="ij")
    at = torch.stack([x, y], -1).float() @ back[:2, :2].T + back[:2, 2]
    extent = torch.tensor([pixels.shape[2], pixels.shape[1]], dtype=torch.float32)
    grid = (2 * at + 1) / extent - 1
    seen = F.grid_sample(source, grid[None], padding_mode="border", align_corners=False)[0]
    half = torch.tensor((box[2:] - box[:2]) / 2).float()
    off = (at - torch.tensor((box[:2] + box[2:]) / 2).float()) / half
    away = off.square().sum(-1).sqrt() if round_edges else off.abs().amax(-1)
    reach = math.sqrt(2) if round_edges else 1.0
    alpha = ((reach - away) * half.min() / max(steps, 1) + 0.5).clamp(0, 1) * (off.abs().amax(-1) <= 1)
    result = scene.clone()
    result[:, top:bottom, left:right] += alpha * (seen - scene[:, top:bottom, left:right])
    return result
