"""Photographs as pyramids of tiles: decoded once, kept on disk, so that scans of 100 megapixels stay smooth.

Level 0 is the photograph itself, each further level half as wide, down to one tile. A level covers the whole
photograph, [-0.5, W - 0.5] x [-0.5, H - 0.5], whatever its own rounded size: px of level l is px of the photograph
scaled about that corner (`geometry.scaling`).
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pronotum import images
from pronotum.errors import UserError

SIDE = 512
QUALITY = 92
OVERVIEW = 1024
THUMBNAIL = 320
MAX_PIXELS = 600_000_000
"""A photograph of more pixels is not shown: decoding takes 3 bytes of memory for each."""


@dataclass(frozen=True)
class Pyramid:
    """The tiles of one photograph.

    Attributes:
        folder: where they are.
        sizes: (width, height) px of each level, the full one first.
    """

    folder: Path
    sizes: tuple[tuple[int, int], ...]

    def tile(self, level: int, column: int, row: int) -> Path:
        """The JPEG of one tile.

        Raises:
            UserError: there is none at this place.
        """
        path = self.folder / f"{level}-{column}-{row}.jpg"
        if not (0 <= level < len(self.sizes) and path.exists()):
            raise UserError("tile", found=f"no tile {level}-{column}-{row}")
        return path


def level_sizes(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Width and height of every level of a photograph of this size, down to one tile."""
    sizes = [size]
    while max(sizes[-1]) > SIDE:
        factor = 2 ** len(sizes)
        sizes.append((max(1, round(size[0] / factor)), max(1, round(size[1] / factor))))
    return tuple(sizes)


class Tiles:
    """The pyramids of a project, in a folder that may be deleted at any time.

    Args:
        folder: of the cache.
        limit: bytes that it may hold; what was not looked at for longest goes first.
    """

    def __init__(self, folder: Path, *, limit: int = 4 * 1024**3) -> None:
        self.folder, self.limit = folder, limit
        self._guard = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._decoding = threading.Semaphore(2)

    def pyramid(self, photograph: Path) -> Pyramid:
        """The tiles of a photograph, made if need be: seconds for a large scan.

        Raises:
            UserError: it cannot be read, or is too large.
        """
        folder = self.folder / _name(photograph)
        with self._alone(folder):
            if not (folder / "sizes.json").exists():
                self._build(photograph, folder)
            else:
                (folder / "sizes.json").touch()
            sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
        return Pyramid(folder, tuple((width, height) for width, height in sizes))

    def small(self, photograph: Path, side: int) -> bytes:
        """The whole photograph as a JPEG of at most this width and height; quick, as it is decoded reduced.

        Raises:
            UserError: it cannot be read, or is too large.
        """
        path = self.folder / f"{_name(photograph)}-{side}.jpg"
        with self._alone(path):
            if not path.exists():
                size = _checked_size(photograph)
                with self._decoding:
                    pixels = images.read_scaled(photograph, min(1.0, side / max(size)))[0]
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
                self.folder.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".part")
                part.write_bytes(buffer.getvalue())
                part.replace(path)
            return path.read_bytes()

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """Let one thread at a time make what belongs there."""
        with self._guard:
            lock = self._locks.setdefault(place, threading.Lock())
        with lock:
            yield

    def _build(self, photograph: Path, folder: Path) -> None:
        size = _checked_size(photograph)
        sizes = level_sizes(size)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self.folder))
        try:
            with self._decoding:
                picture = Image.fromarray(images.read(photograph))
                for level, (width, height) in enumerate(sizes):
                    if level:  # of 100 megapixels in a quarter of the time that Lanczos takes
                        picture = picture.resize((width, height), Image.Resampling.BOX)
                    _cut(picture, level, part)
            (part / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")
            if folder.exists():
                shutil.rmtree(folder)
            part.replace(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._prune(keep=folder)

    def _prune(self, keep: Path) -> None:
        """Remove the pyramids that were not looked at for longest, until the rest is within the limit."""
        found = [one for one in self.folder.iterdir() if (one / "sizes.json").exists()]
        found.sort(key=lambda one: (one / "sizes.json").stat().st_mtime, reverse=True)
        total = 0
        for one in found:
            total += sum(tile.stat().st_size for tile in one.iterdir())
            if total > self.limit and one != keep:
                shutil.rmtree(one, ignore_errors=True)


def _cut(picture: Image.Image, level: int, folder: Path) -> None:
    width, height = picture.size
    for row, top in enumerate(range(0, height, SIDE)):
        for column, left in enumerate(range(0, width, SIDE)):
            box = (left, top, min(left + SIDE, width), min(top + SIDE, height))
            picture.crop(box).save(folder / f"{level}-{column}-{row}.jpg", quality=QUALITY, subsampling=0)


def _checked_size(photograph: Path) -> tuple[int, int]:
    size = images.size(photograph)
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            photograph.name,
            found=f"{size[0]} x {size[1]} px",
            expected=f"at most {MAX_PIXELS // 10**6} megapixels",
            remedy="save it smaller",
        )
    return size


def _name(photograph: Path) -> str:
    """What changes when the photograph does."""
    found = photograph.stat()
    return hashlib.sha256(f"{photograph}|{found.st_mtime_ns}|{found.st_size}".encode()).hexdigest()[:24]
