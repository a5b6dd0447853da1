"""Photographs as tensors: fitted into one detail picture each, kept as bytes, in memory or on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pronotum import geometry, images
from pronotum.landmarks import FloatArray

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of detail pictures beyond which they are kept in a temporary file instead of in memory."""

THREADS = 2


@dataclass(frozen=True, eq=False)
class Picture:
    """One photograph fitted into the detail picture.

    Attributes:
        pixels: (H, W, 3) uint8, RGB; what the photograph does not cover repeats its border.
        matrix: 3x3, photograph px -> detail px.
        size: (width, height) px of the photograph.
    """

    pixels: NDArray[np.uint8]
    matrix: FloatArray
    size: tuple[int, int]


def fit(path: Path, detail: tuple[int, int]) -> Picture:
    """Decode a photograph no larger than needed and centre it in a picture of this size.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    size = images.size(path)
    factor = min(detail[0] / size[0], detail[1] / size[1])
    pixels, matrix = images.read_scaled(path, factor)
    pixels = pixels[: detail[1], : detail[0]]
    height, width = pixels.shape[:2]
    left, top = (detail[0] - width) // 2, (detail[1] - height) // 2
    margins = ((top, detail[1] - height - top), (left, detail[0] - width - left), (0, 0))
    return Picture(np.pad(pixels, margins, mode="edge"), geometry.translation(left, top) @ matrix, size)


def stream(
    paths: Iterable[Path], detail: tuple[int, int], *, ahead: int = 8, threads: int = THREADS
) -> Iterator[tuple[Path, Picture | images.UnreadablePhotograph]]:
    """Fit photographs in background threads, in order, holding no more than `ahead` of them.

    Yields:
        each path with its picture, or with the error that says why it cannot be opened.
    """

    def attempt(path: Path) -> Picture | images.UnreadablePhotograph:
        try:
            return fit(path, detail)
        except images.UnreadablePhotograph as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        waiting: list[tuple[Path, Future[Picture | images.UnreadablePhotograph]]] = []
        for path in paths:
            waiting.append((path, pool.submit(attempt, path)))
            if len(waiting) >= ahead:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def as_batch(pictures: Sequence[Picture], device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 on the device."""
    stacked = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))
    return stacked.to(device).permute(0, 3, 1, 2).contiguous()


def shrink(details: Tensor, size: tuple[int, int]) -> Tensor:
    """Detail pictures (B, 3, H, W) uint8 as smaller frames (B, 3, height, width) uint8, antialiased."""
    small = F.interpolate(
        details.float(), size=(size[1], size[0]), mode="bilinear", antialias=True, align_corners=False
    )
    return small.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, eq=False)
class Examples:
    """Training pictures with their landmarks.

    Attributes:
        details: (N, 3, H, W) uint8.
        frames: (N, 3, h, w) uint8, the same smaller.
        points: (N, K, 2) float32, px of the detail picture; NaN = missing.
        px: (N,) float32, px of the photograph per px of the detail picture.
    """

    details: Tensor
    frames: Tensor
    points: Tensor
    px: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def to(self, device: torch.device) -> Examples:
        """The same on a device. Pictures that would fill more than half of it stay where they are."""
        if device.type == "cuda" and self.details.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return Examples(self.details.to(device), self.frames.to(device), self.points.to(device), self.px.to(device))


def load(
    paths: Sequence[Path],
    points: FloatArray,
    *,
    detail: tuple[int, int],
    frame: tuple[int, int],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Examples, list[int], list[images.UnreadablePhotograph]]:
    """Decode training photographs once.

    Args:
        paths: (N,) photographs.
        points: (N, K, 2) px of each photograph; NaN = missing.
        detail: (width, height) of the detail pictures.
        frame: (width, height) of the frames.
        progress: called with the number done and the total.

    Returns:
        the examples, the positions they had in `paths`, and the errors of photographs that could not be opened.
    """
    store = _allocate(len(paths), detail)
    frames: list[Tensor] = []
    moved: list[FloatArray] = []
    px: list[float] = []
    kept: list[int] = []
    failed: list[images.UnreadablePhotograph] = []
    for number, (_, picture) in enumerate(stream(paths, detail)):
        if isinstance(picture, Picture):
            pixels = torch.from_numpy(picture.pixels).permute(2, 0, 1)
            store[len(kept)] = pixels
            frames.append(shrink(pixels[None], frame)[0])
            moved.append(geometry.transform(picture.matrix, points[number]))
            px.append(1 / float(picture.matrix[0, 0]))
            kept.append(number)
        else:
            failed.append(picture)
        progress(number + 1, len(paths))
    coordinates = torch.from_numpy(np.stack(moved)).float() if moved else torch.empty(0, points.shape[1], 2)
    small = torch.stack(frames) if frames else torch.empty(0, 3, frame[1], frame[0], dtype=torch.uint8)
    return Examples(store[: len(kept)], small, coordinates, torch.tensor(px)), kept, failed


def _allocate(n: int, detail: tuple[int, int]) -> Tensor:
    shape = (n, 3, detail[1], detail[0])
    if np.prod(shape) <= MEMORY_LIMIT:
        return torch.empty(shape, dtype=torch.uint8)
    # An unlinked temporary file: the operating system pages it, and it is gone when the process is.
    with tempfile.TemporaryFile() as file:
        return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="w+", shape=shape))
