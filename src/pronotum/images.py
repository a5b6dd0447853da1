"""Open any photograph a biologist has, upright, in 8-bit RGB, at the scale that is wanted."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from pronotum.errors import UserError
from pronotum.geometry import scaling
from pronotum.landmarks import FloatArray

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
MAX_PIXELS = 1_000_000_000
"""Larger pictures are taken for a damaged or hostile header. The largest flatbed scans have a third of it."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on EXIF blocks and palettes that change no pixel

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_FAILURES = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
)


class UnreadablePhotograph(UserError):
    """A file that is no photograph, or only part of one."""


def find(folder: Path) -> list[Path]:
    """Photographs in and below a folder, in natural order (img2 before img10); hidden files are left out."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorting key under which numbers inside names count as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name.casefold())]


def size(path: Path) -> tuple[int, int]:
    """Width and height in px after EXIF orientation, from the header alone.

    Raises:
        UnreadablePhotograph: the file is missing, empty or no image.
    """
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def read(path: Path) -> NDArray[np.uint8]:
    """The photograph at its own size: (H, W, 3) uint8 RGB, upright. See `read_scaled`."""
    return read_scaled(path, 1.0)[0]


def read_scaled(path: Path, factor: float) -> tuple[NDArray[np.uint8], FloatArray]:
    """The photograph at another size, decoded no larger than needed and antialiased.

    Transparent pixels become white; of files with several pages the first is taken. Pictures of more than 8 bits
    are stretched between their 0.1 and 99.9 percentiles, because microscopes use a small part of 16 bits.

    Args:
        path: the file.
        factor: size wanted / size of the photograph.

    Returns:
        (round(H * factor), round(W * factor), 3) uint8 RGB, and the 3x3 matrix from px of the photograph to px of
        the result (in our convention: centres at whole numbers).

    Raises:
        UnreadablePhotograph: the file is missing, truncated or no image.
    """
    with _opened(path) as image:
        full = image.size
        target = tuple(max(1, round(side * factor)) for side in full)
        orientation = _orientation(image)
        if image.format == "JPEG":
            image.draft(image.mode, (target[0], target[1]))
        image.load()
        # A JPEG decoded at 1/2, 1/4 or 1/8 covers its last partial block too: only this box is photograph.
        shrunk = next(n for n in (1, 2, 4, 8) if image.size == tuple(-(-side // n) for side in full))
        box = (0.0, 0.0, full[0] / shrunk, full[1] / shrunk)
        colour = _as_rgb(image)
        if colour.size != target or shrunk > 1:
            method = Image.Resampling.BILINEAR if factor < 1 else Image.Resampling.BICUBIC
            colour = colour.resize((target[0], target[1]), method, box=box, reducing_gap=3.0)
        if orientation in _TURNS:
            colour = colour.transpose(_TURNS[orientation])
        pixels = np.array(colour)
    upright = full[::-1] if orientation >= 5 else full
    return pixels, scaling(pixels.shape[1] / upright[0], pixels.shape[0] / upright[1])


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image and turn every way in which it can be broken into one line."""
    try:
        if path.stat().st_size == 0:
            raise UnreadablePhotograph(path, found="empty file", remedy="copy the photograph again")
        with _decoder(path) as image:
            yield image
    except FileNotFoundError:
        raise UnreadablePhotograph(path, found="no such photograph", remedy="check the name") from None
    except IsADirectoryError:
        raise UnreadablePhotograph(path, found="a folder", expected="a photograph") from None
    except UnidentifiedImageError:
        raise UnreadablePhotograph(
            path,
            found="not an image",
            expected="JPEG, PNG, TIFF or BMP",
            remedy="copy it again or remove it",
        ) from None
    except _FAILURES as error:
        raise UnreadablePhotograph(
            path, found=f"damaged or truncated image ({str(error).strip() or type(error).__name__})",
            remedy="copy the photograph again",
        ) from None


def _decoder(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise
    return _open_rare_tiff(path)


def _open_rare_tiff(path: Path) -> Image.Image:
    """TIFFs that Pillow does not know (16-bit RGB, unusual compression), through tifffile."""
    try:
        import tifffile
    except ImportError:
        raise UnreadablePhotograph(
            path, found="a kind of TIFF that needs another library", remedy="pip install 'pronotum[tiff]'"
        ) from None
    try:
        values = tifffile.imread(path, key=0)
    except (tifffile.TiffFileError, RuntimeError) as error:
        raise UnidentifiedImageError(str(error)) from None
    if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[2] not in (3, 4):
        values = np.moveaxis(values, 0, -1)
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] < 3):
        raise UnidentifiedImageError(f"TIFF of shape {values.shape}")
    if values.shape[0] * values.shape[1] > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{values.shape[1]} x {values.shape[0]} px")
    eight = values if values.dtype == np.uint8 else _stretch(values)
    return Image.fromarray(np.ascontiguousarray(eight[..., :3] if eight.ndim == 3 else eight))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8. Pillow turns TIFFs itself."""
    if image.format == "TIFF":
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in _TURNS else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_MODES:
        return Image.fromarray(_stretch(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _stretch(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Deep pixels as bytes, from the 0.1 to the 99.9 percentile; what is not finite becomes black."""
    deep = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(deep[:: max(1, deep.shape[0] // 1000)], [0.1, 99.9])
    return (np.clip((deep - low) / max(high - low, 1e-9), 0, 1) * 255).round().astype(np.uint8)
