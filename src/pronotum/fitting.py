"""Each photograph fitted into a picture of the size a network wants.

What is asked for is decoded in the background, in order and a few photographs ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pronotum import geometry, images
from pronotum.augment import warp
from pronotum.landmarks import FloatArray

AHEAD_BYTES = 128 * 1024**2
"""Bytes of pictures decoded ahead at most, or two pictures."""
DECODED_LARGER = 1.25
"""Photographs that are turned on their way are decoded so much larger than needed, and sampled bilinearly."""
THREADS = 2


@dataclass(frozen=True, eq=False)
class Picture:
    """One photograph fitted into a picture of the size wanted.

    Attributes:
        pixels: (H, W, 3) uint8, RGB; what the photograph does not cover repeats its border.
        matrix: 3x3, photograph px -> picture px.
        size: (width, height) px of the photograph.
    """

    pixels: NDArray[np.uint8]
    matrix: FloatArray
    size: tuple[int, int]


def fit(path: Path, wanted: tuple[int, int], matrix: FloatArray | None = None) -> Picture:
    """Decode a photograph no larger than needed and centre it in a picture of this size.

    Args:
        path: the file.
        wanted: (width, height) px of the picture.
        matrix: 3x3 similarity from px of the photograph to px of the picture, where it is to be cut out, turned and
            resized otherwise.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    if matrix is not None:
        pixels, scaled = images.read_scaled(path, min(1.0, DECODED_LARGER * geometry.enlargement(matrix)))
        return Picture(cut(pixels, matrix @ np.linalg.inv(scaled), wanted), matrix, images.size(path))
    size = images.size(path)
    factor = min(wanted[0] / size[0], wanted[1] / size[1])
    pixels, matrix = images.read_scaled(path, factor)
    pixels = pixels[: wanted[1], : wanted[0]]
    height, width = pixels.shape[:2]
    left, top = (wanted[0] - width) // 2, (wanted[1] - height) // 2
    margins = ((top, wanted[1] - height - top), (left, wanted[0] - width - left), (0, 0))
    if (height, width) != wanted[::-1]:
        pixels = np.pad(pixels, margins, mode="edge")
    return Picture(pixels, geometry.translation(left, top) @ matrix, size)


def cut(pixels: NDArray[np.uint8], matrix: FloatArray, wanted: tuple[int, int]) -> NDArray[np.uint8]:
    """A part of a photograph (H, W, 3), turned and resized: (height, width, 3); beyond it its border is repeated.

    Args:
        pixels: of the photograph.
        matrix: 3x3 similarity from its px to px of the picture.
        wanted: (width, height) px of the picture.
    """
    steps = max(1, int(1 / (DECODED_LARGER * geometry.enlargement(matrix)) + 1e-6))
    pixels, matrix = _around(pixels, matrix, wanted, steps)
    if steps > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(steps))
        matrix = matrix @ np.linalg.inv(geometry.scaling(1 / steps))
    source = torch.tensor(pixels).permute(2, 0, 1)[None]
    moved = warp(source, torch.from_numpy(matrix[None, :2]).float(), wanted)[0]
    return moved.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _around(
    pixels: NDArray[np.uint8], matrix: FloatArray, wanted: tuple[int, int], steps: int
) -> tuple[NDArray[np.uint8], FloatArray]:
    """What a picture needs of a photograph, cut at multiples of so many px, and the matrix from there."""
    edges = np.array([[x, y] for x in (0, wanted[0] - 1) for y in (0, wanted[1] - 1)], dtype=np.float64)
    reached = geometry.transform(np.linalg.inv(matrix), edges)
    size = np.array([pixels.shape[1], pixels.shape[0]])
    low = np.clip(np.floor(reached.min(0)) - 2 * steps, 0, size - 1).astype(int) // steps * steps
    high = np.clip(np.ceil(reached.max(0)) + 2 * steps, low + 1, size).astype(int)
    high = np.minimum(-(-high // steps) * steps, size)
    return pixels[low[1] : high[1], low[0] : high[0]], matrix @ geometry.translation(*low.tolist())


def stream(
    paths: Iterable[Path],
    wanted: tuple[int, int],
    matrices: Iterable[FloatArray | None] = repeat(None),
    *,
    ahead: int = 8,
    threads: int = THREADS,
) -> Iterator[tuple[Path, Picture | images.UnreadablePhotograph]]:
    """Fit photographs in background threads, in order, no more than `ahead` of them at a time, fewer if large.

    Without `threads` each is fitted when it is asked for. `matrices` goes with `paths`; see `fit`.

    Yields:
        each path with its picture, or with the error that says why it cannot be opened.
    """

    def attempt(path: Path, matrix: FloatArray | None) -> Picture | images.UnreadablePhotograph:
        try:
            return fit(path, wanted, matrix)
        except images.UnreadablePhotograph as error:
            return error

    if not threads:
        yield from ((path, attempt(path, matrix)) for path, matrix in zip(paths, matrices, strict=False))
        return
    ahead = max(2, min(ahead, AHEAD_BYTES // (3 * wanted[0] * wanted[1])))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[tuple[Path, Future[Picture | images.UnreadablePhotograph]]] = []
        for path, matrix in zip(paths, matrices, strict=False):
            waiting.append((path, pool.submit(attempt, path, matrix)))
            if len(waiting) >= ahead:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
