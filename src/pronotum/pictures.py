"""Pictures as tensors, and those for training with their landmarks, kept as bytes.

For training, three sizes of a picture are kept: the *frame* (small), the *detail* picture, and of the *finest* one, if
there is one, only a patch around each landmark. What does not fit into memory goes to a temporary file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pronotum import geometry, images
from pronotum.augment import windows
from pronotum.fitting import Picture, stream
from pronotum.landmarks import FloatArray

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of pictures beyond which they are kept in a temporary file instead of in memory."""


def as_batch(pictures: Sequence[Picture], device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 on the device."""
    stacked = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))
    return stacked.to(device).permute(0, 3, 1, 2)


def shrink(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (B, 3, H, W) uint8 as smaller ones (B, 3, height, width) uint8, antialiased."""
    return torch.cat([_shrink_one(picture, size) for picture in torch.split(pictures, 1)])


def _shrink_one(picture: Tensor, size: tuple[int, int]) -> Tensor:
    # On the CPU bytes stay bytes, which is many times as fast; other devices cannot do that.
    source = picture if picture.device.type == "cpu" else picture.float()
    small = F.interpolate(source, size=(size[1], size[0]), mode="bilinear", antialias=True, align_corners=False)
    return small.round().clamp(0, 255).to(torch.uint8) if small.is_floating_point() else small


def to_frames(pictures: Tensor, detail: tuple[int, int], frame: tuple[int, int]) -> Tensor:
    """Frames (B, 3, h, w) of the finest pictures (B, 3, H, W), made as those for training are (`load`)."""
    details = pictures if pictures.shape[-2:] == detail[::-1] else shrink(pictures, detail)
    return shrink(details, frame)


DESCRIBED = 22
"""Length of a description."""


def describe(frames: Tensor) -> FloatArray:
    """What pictures look like, without their contents: colours, sharpness, and where they are light or dark.

    Args:
        frames: (B, 3, h, w) uint8.

    Returns:
        (B, 22): mean and standard deviation of each colour, log of the mean gradient at four scales, and the
        brightness of a 4x3 grid less the mean.
    """
    pixels = frames.cpu().float() / 255
    grey = pixels.mean(1, keepdim=True)
    sharpness = []
    for scale in (1, 2, 4, 8):
        level = F.avg_pool2d(grey, scale)
        steps = level.diff(dim=-1).abs().mean((1, 2, 3)) + level.diff(dim=-2).abs().mean((1, 2, 3))
        sharpness.append(torch.log(steps + 1e-3))
    layout = F.adaptive_avg_pool2d(grey - grey.mean((2, 3), keepdim=True), (3, 4)).flatten(1)
    colours = torch.cat([pixels.mean((2, 3)), pixels.std((2, 3))], 1)
    return torch.cat([colours, torch.stack(sharpness, 1), layout], 1).double().numpy()


@dataclass(frozen=True, eq=False)
class Patches:
    """What is around each landmark in the finest picture.

    Attributes:
        pixels: (N, K, 3, S, S) uint8; black where the landmark is missing.
        points: (N, K, 2) float32, the landmarks in px of their patch; NaN = missing.
        corners: (N, K, 2) float32, px of the finest picture at which pixel (0, 0) of each patch lies.
    """

    pixels: Tensor
    points: Tensor
    corners: Tensor

    def to(self, device: torch.device) -> Patches:
        """The same on a device."""
        return Patches(self.pixels.to(device), self.points.to(device), self.corners.to(device))


@dataclass(frozen=True, eq=False)
class Wholes:
    """Photographs as the finder sees them.

    Attributes:
        pixels: (P, 3, h, w) uint8, photographs fitted into its frame.
        covers: (P, 4) what of the frame they cover: left, top, right, bottom edge, px.
        poses: (P) of (M, 3, 3): of the specimens on each, px of the frame.
        specimens: (P) of (M,): their positions in the data.
        shape: (K, 2) the mean shape, see `poses.Upright`.
        partners: (K,) of each landmark the one that takes its place on a mirrored specimen.
    """

    pixels: Tensor
    covers: FloatArray
    poses: tuple[FloatArray, ...]
    specimens: tuple[tuple[int, ...], ...]
    shape: FloatArray
    partners: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def of_specimens(self, chosen: Sequence[int]) -> Wholes:
        """Those photographs that show none but the chosen specimens."""
        allowed = set(chosen)
        kept = [at for at, own in enumerate(self.specimens) if allowed.issuperset(own)]
        return Wholes(
            self.pixels[kept],
            self.covers[kept],
            tuple(self.poses[at] for at in kept),
            tuple(self.specimens[at] for at in kept),
            self.shape,
            self.partners,
        )


@dataclass(frozen=True, eq=False)
class Examples:
    """Training pictures with their landmarks.

    Attributes:
        details: (N, 3, H, W) uint8.
        frames: (N, 3, h, w) uint8, the same smaller.
        points: (N, K, 2) float32, px of the detail picture; NaN = missing.
        px: (N,) float32, px of the photograph per px of the detail picture.
        patches: of the finest picture; None where the detail picture is the finest.
        wholes: the photographs they are cut from; None where they are the photographs.
        partners: (K,) of each landmark the one that takes its place in a mirrored picture; empty = nothing may be
            mirrored.
        shapes: (M, K, 2) configurations of more specimens, without pictures, in any pose, size and unit; NaN = missing.
            None = there are none.
    """

    details: Tensor
    frames: Tensor
    points: Tensor
    px: Tensor
    patches: Patches | None = None
    wholes: Wholes | None = None
    partners: tuple[int, ...] = ()
    shapes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.points)

    def to(self, device: torch.device) -> Examples:
        """The same on a device. Pictures that would fill more than half of it stay where they are."""
        size = self.details.nbytes + (self.patches.pixels.nbytes if self.patches else 0)
        if device.type == "cuda" and size > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return replace(
            self,
            details=self.details.to(device),
            frames=self.frames.to(device),
            points=self.points.to(device),
            px=self.px.to(device),
            patches=self.patches.to(device) if self.patches else None,
        )


def load(
    paths: Sequence[Path],
    points: FloatArray,
    *,
    detail: tuple[int, int],
    frame: tuple[int, int],
    picture: tuple[int, int] | None = None,
    patch: int = 0,
    matrices: Sequence[FloatArray] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Examples, list[int], list[images.UnreadablePhotograph]]:
    """Decode training photographs once.

    Args:
        paths: (N,) photographs.
        points: (N, K, 2) px of each photograph; NaN = missing.
        detail: (width, height) of the detail pictures.
        frame: (width, height) of the frames.
        picture: (width, height) of the finest pictures; None = of the detail pictures.
        patch: side in px of what to keep of the finest picture around each landmark; 0 = nothing.
        matrices: (N) from px of the photograph to px of the finest picture; None = each is fitted into it.
        progress: called with the number done and the total.

    Returns:
        the examples, the positions they had in `paths`, and the errors of photographs that could not be opened.
    """
    finest = picture or detail
    details, patches = _allocate((len(paths), 3, detail[1], detail[0])), _allocate((*points.shape[:2], 3, patch, patch))
    frames: list[Tensor] = []
    moved: list[FloatArray] = []
    px: list[float] = []
    kept: list[int] = []
    failed: list[images.UnreadablePhotograph] = []
    for number, (_, answer) in enumerate(stream(paths, finest, matrices or repeat(None))):
        if isinstance(answer, Picture):
            pixels = torch.from_numpy(answer.pixels).permute(2, 0, 1)[None]
            there = geometry.transform(answer.matrix, points[number])
            if patch:
                patches[len(kept)] = _cut(pixels, there, patch)
            details[len(kept)] = pixels[0] if finest == detail else shrink(pixels, detail)[0]
            frames.append(shrink(details[len(kept)][None], frame)[0])
            moved.append(there)
            px.append(1 / geometry.enlargement(answer.matrix))
            kept.append(number)
        else:
            failed.append(answer)
        progress(number + 1, len(paths))
    coordinates = np.stack(moved) if moved else np.empty((0, *points.shape[1:]))
    ratio = np.array([finest[0] / detail[0], finest[1] / detail[1]])
    small = torch.stack(frames) if frames else torch.empty(0, 3, frame[1], frame[0], dtype=torch.uint8)
    corners = _corners(coordinates, patch)
    examples = Examples(
        details[: len(kept)],
        small,
        torch.from_numpy((coordinates + 0.5) / ratio - 0.5).float(),
        torch.tensor(px) * float(ratio[0]),
        Patches(
            patches[: len(kept)], torch.from_numpy(coordinates - corners).float(), torch.from_numpy(corners).float()
        )
        if patch
        else None,
    )
    return examples, kept, failed


def _corners(points: FloatArray, side: int) -> FloatArray:
    """Whole px of a picture at which patches around points (..., 2) begin; 0 where one is missing."""
    return np.rint(np.nan_to_num(points)).astype(np.float64) - side // 2


def _cut(picture: Tensor, points: FloatArray, side: int) -> Tensor:
    """(K, 3, side, side): patches of a picture (1, 3, H, W) around points (K, 2), black where one is missing."""
    corners = _corners(points, side)
    index = torch.zeros(len(points), dtype=torch.long)
    pixels = windows(picture, index, torch.from_numpy(corners + side // 2), side)[0]
    pixels[torch.from_numpy(np.isnan(points).any(-1))] = 0
    return pixels


def _allocate(shape: tuple[int, ...]) -> Tensor:
    if np.prod(shape) <= MEMORY_LIMIT:
        return torch.empty(shape, dtype=torch.uint8)
    # An unlinked temporary file: the operating system pages it, and it is gone when the process is.
    with tempfile.TemporaryFile() as file:
        return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="w+", shape=shape))


def whole(
    paths: Sequence[Path], poses: FloatArray, shape: FloatArray, partners: tuple[int, ...], frame: tuple[int, int]
) -> tuple[Wholes, list[images.UnreadablePhotograph]]:
    """The photographs as the finder sees them.

    Args:
        paths: (N,) of the specimens; a photograph may be named several times.
        poses: (N, 3, 3) of the specimens, px of the photographs; NaN = unknown.
        shape: (K, 2) see `Wholes`.
        partners: (K,) see `Wholes`.
        frame: (width, height) px.
    """
    specimens: dict[Path, list[int]] = {}
    for number, path in enumerate(paths):
        specimens.setdefault(path, []).append(number)
    pixels, covers, placed, kept = list[Tensor](), list[FloatArray](), list[FloatArray](), list[tuple[int, ...]]()
    failed = []
    for path, answer in stream(list(specimens), frame):
        if isinstance(answer, Picture):
            numbers = [number for number in specimens[path] if np.isfinite(poses[number]).all()]
            corners = np.array([[-0.5, -0.5], [answer.size[0] - 0.5, answer.size[1] - 0.5]])
            pixels.append(torch.from_numpy(answer.pixels).permute(2, 0, 1))
            covers.append(geometry.transform(answer.matrix, corners).ravel())
            placed.append(answer.matrix @ poses[numbers])
            kept.append(tuple(specimens[path]))
        else:
            failed.append(answer)
    seen = torch.stack(pixels) if pixels else torch.empty(0, 3, frame[1], frame[0], dtype=torch.uint8)
    return Wholes(seen, np.array(covers).reshape(-1, 4), tuple(placed), tuple(kept), shape, partners), failed
