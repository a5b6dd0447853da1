"""Open any photograph a biologist has, upright, in 8-bit RGB, at the scale that is wanted."""

from __future__ import annotations

import math
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from pronotum import files, geometry
from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray

PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
MAX_PIXELS = 2_000_000_000
"""A header that claims more is damaged or hostile. The largest flatbed scans have a sixth of it."""
LARGE_PIXELS, LEAST_BYTES = 200_000_000, 0.01
"""What claims more pixels than this in fewer bytes a pixel is no photograph: it would only fill the memory."""
MAX_SAMPLES = 32
"""Numbers per pixel of a TIFF."""

# Formats that Pillow decodes by itself; EPS, for one, would start Ghostscript.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000", "PPM")
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGE_HEADS = (*_TIFF_HEADS, b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF", b"GIF8", b"\0\0\0\x0cjP", b"P5", b"P6")
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FAILURES = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RuntimeError, MemoryError, AssertionError, struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow and tifffile have been seen to raise on files that are broken in one way or another."""

_Box = tuple[float, float, float, float]


class UnreadablePhotograph(UserError):
    """A file that is no photograph, or only part of one."""


def find(folder: Path) -> list[Path]:
    """Photographs in and below a folder, in natural order (img2 before img10); links to folders are followed.

    Hidden files and folders are left out, and with them the `._name.jpg` that macOS writes beside photographs.
    """
    listed = (Path(place) / name for place, names in files.walk(str(folder)) for name in names)
    found = [(path.relative_to(folder).parts, path) for path in listed if path.suffix.lower() in PHOTOGRAPH_SUFFIXES]
    found.sort(key=lambda item: ([natural_key(part) for part in item[0]], item[0]))
    return [path for _, path in found if path.is_file()]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorting key under which numbers inside names count as numbers, and case does not count."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def size(path: str | PathLike[str]) -> tuple[int, int]:
    """Width and height in px after EXIF orientation, from the header alone.

    Raises:
        UnreadablePhotograph: the file is missing, empty or no image.
    """
    with _opened(Path(path)) as stored:
        return stored.upright


def read(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """The photograph at its own size: (H, W, 3) uint8 RGB, upright. See `read_scaled`."""
    return read_scaled(path, 1.0)[0]


def read_scaled(path: str | PathLike[str], factor: float) -> tuple[NDArray[np.uint8], FloatArray]:
    """The photograph at another size, decoded no larger than needed and antialiased.

    Transparent pixels become white; of files with several pages or moments the first is taken. Grey pictures and
    TIFFs of more than 8 bits are stretched between their 0.1 and 99.9 percentiles (over all channels together, so
    that colours stay), because microscopes use a small part of 16 bits. Of 16-bit colour in PNG the upper 8 bits are
    taken. Colour profiles are not applied.

    Args:
        path: the file.
        factor: size wanted / size of the photograph, > 0.

    Returns:
        (round(H * factor), round(W * factor), 3) uint8 RGB, at least 1 px each way, and the 3x3 matrix from px of
        the photograph to px of the result, `geometry.scaling(w / W, h / H)`.

    Raises:
        UnreadablePhotograph: the file is missing, truncated, of a kind that cannot be read, or no image.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"factor must be positive, got {factor}")
    with _opened(Path(path)) as stored:
        width, height = (max(1, round(side * factor)) for side in stored.size)
        colour, box = stored.decode((width, height))
        if box != (0, 0, width, height):
            # On 3264 px beetles at 1024, 512 and 256 px LANCZOS is 2.5, 6 and 8 dB nearer than BILINEAR to the Lanczos
            # reduction of the whole picture, for 26, 18 and 6 % more time.
            colour = colour.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
        if stored.turn is not None:
            colour = colour.transpose(stored.turn)
        pixels = np.array(colour)
        upright = stored.upright
    return pixels, geometry.scaling(pixels.shape[1] / upright[0], pixels.shape[0] / upright[1])


@dataclass(frozen=True)
class _Stored:
    """A photograph of which the header has been read.

    Attributes:
        size: (width, height) px, as `decode` gives it.
        turn: what makes it upright then.
        decode: from a (width, height) that is wanted at least to the RGB picture and the box (left, upper, right,
            lower) of it, in px from its corner, that is the photograph.
    """

    size: tuple[int, int]
    turn: Image.Transpose | None
    decode: Callable[[tuple[int, int]], tuple[Image.Image, _Box]]

    @property
    def upright(self) -> tuple[int, int]:
        swapped = self.turn in (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])
        return self.size[::-1] if swapped else self.size


class _Calm:
    """Pillow's process-wide switches, set our way while any thread of ours is decoding.

    Warnings about EXIF blocks and palettes change no pixel, the limit of pixels is ours, and truncated files are
    errors whatever another library has chosen. Threads that overlap share one change: each would else put back
    what another had set.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._undo = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._undo.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                self._undo.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", ImageFile.LOAD_TRUNCATED_IMAGES)
                Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo.close()


_calm = _Calm()


@contextmanager
def _opened(path: Path) -> Iterator[_Stored]:
    """Open a photograph and turn every way in which it can be broken into one line."""
    try:
        with _calm, _decoder(path) as stored:
            width, height = stored.size
            pixels, remedy = width * height, "copy it again from the camera or the archive"
            claims = f"its header claims {width} x {height} px"
            if width < 1 or height < 1 or pixels > MAX_PIXELS:
                most = f"1 to {MAX_PIXELS // 10**6} megapixels"
                raise UnreadablePhotograph(path, found=claims, expected=most, remedy=remedy)
            if pixels > LARGE_PIXELS and path.stat().st_size < LEAST_BYTES * pixels:
                found = f"{claims} in a file of {path.stat().st_size / 1000:.3g} kB"
                raise UnreadablePhotograph(path, found=found, expected="a photograph", remedy=remedy)
            yield stored
    except _FAILURES as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: BaseException) -> UnreadablePhotograph:
    if isinstance(error, OSError) and error.errno:
        reason = (error.strerror or str(error)).lower()
        return UnreadablePhotograph(path, found=reason, remedy="check the name, the disk and the permissions")
    if isinstance(error, MemoryError):
        remedy = "save it smaller, or use a computer with more memory"
        return UnreadablePhotograph(path, found="a picture too large for the memory", remedy=remedy)
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return UnreadablePhotograph(path, found="an empty file", remedy="copy it again from the camera or the archive")
    if head[4:8] == b"ftyp":
        return UnreadablePhotograph(path, found="a HEIC, AVIF or video file", remedy="export it as JPEG")
    if not head.startswith(_IMAGE_HEADS):
        kinds = "JPEG, PNG, TIFF, BMP or WebP"
        return UnreadablePhotograph(path, found="not an image", expected=kinds, remedy="export it anew or remove it")
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        reason = "its header cannot be read"
    return UnreadablePhotograph(
        path,
        found=f"a damaged image, or one that ends early after {path.stat().st_size / 1000:.3g} kB ({reason})",
        remedy="copy it again from the camera or the archive",
    )


@contextmanager
def _decoder(path: Path) -> Iterator[_Stored]:
    """Choose who decodes: Pillow, or tifffile where Pillow would refuse or keep 8 bits of 16."""
    try:
        image = Image.open(path, formats=_FORMATS)
    except _FAILURES:
        with path.open("rb") as file:
            if file.read(4) not in _TIFF_HEADS:
                raise
        with _by_tifffile(path) as stored:
            yield stored
        return
    with image:
        if image.format == "TIFF" and image.mode in ("RGB", "RGBA") and max(_tag(image, 258, (8,))) > 8:
            with _by_tifffile(path) as stored:
                yield stored
        else:
            yield _by_pillow(path, image)


def _by_pillow(path: Path, image: ImageFile.ImageFile) -> _Stored:
    orientation = _orientation(path, image)
    full, turn = image.size, _TURNS.get(orientation)
    if image.format == "TIFF":  # Pillow itself turns these, but not every version says so before it has
        full, turn = (_tag(image, 256, full[0]), _tag(image, 257, full[1])), None
        full = full[::-1] if orientation >= 5 else full
    negative = image.format == "TIFF" and image.mode in _DEEP_MODES and _tag(image, 262, 1) == 0

    def decode(target: tuple[int, int]) -> tuple[Image.Image, _Box]:
        if image.format in ("JPEG", "MPO") and _tail_is_blank(path):
            raise OSError("its end is filled with one value")
        if image.format == "PNG" and not _checksums_hold(path):
            raise OSError("a checksum in it does not hold")
        drafted = image.draft(None, target)
        image.load()
        # A JPEG decoded at 1/2, 1/4 or 1/8 covers its last partial block too: only the box is photograph.
        box = drafted[1] if drafted else (0, 0, *full)
        if image.mode in _DEEP_MODES:
            return Image.fromarray(_stretch(np.asarray(image), negative)).convert("RGB"), box
        return _as_rgb(image), box

    return _Stored(full, turn, decode)


@contextmanager
def _by_tifffile(path: Path) -> Iterator[_Stored]:
    try:
        import tifffile
    except ImportError:
        raise UnreadablePhotograph(
            path,
            found="a TIFF that Pillow cannot read (16-bit colour, a rare compression, or damaged)",
            remedy="pip install pronotum[tiff], or save it with 8 bits",
        ) from None
    try:
        with tifffile.TiffFile(path) as tiff:
            yield _of_page(tiff.pages[0])
    except tifffile.TiffFileError as error:  # a ValueError of its own since 2025.9.20
        raise ValueError(str(error)) from error


def _of_page(page: Any) -> _Stored:
    full = (int(page.imagewidth), int(page.imagelength))
    tag = page.tags.get(ExifTags.Base.Orientation)

    def decode(_: tuple[int, int]) -> tuple[Image.Image, _Box]:
        if math.prod(page.shape) > MAX_SAMPLES * full[0] * full[1]:
            raise ValueError(f"pixels of {counted(math.prod(page.shape) // (full[0] * full[1]), 'number')}")
        if int(page.photometric) not in (0, 1, 2):
            raise ValueError(f"colours coded as {page.photometric!s}; save it as 8-bit RGB")
        values = _plane(page.asarray(), page.axes)
        eight = values if values.dtype == np.uint8 else _stretch(values, int(page.photometric) == 0)
        return Image.fromarray(np.ascontiguousarray(eight)).convert("RGB"), (0, 0, *full)

    return _Stored(full, _TURNS.get(tag.value) if tag else None, decode)


def _plane(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, 3) of a TIFF page with any axes: of depth and the like the first, without alpha."""
    values = values[tuple(slice(None) if axis in "YXS" else 0 for axis in axes)]
    kept = "".join(axis for axis in axes if axis in "YXS")
    if "S" not in kept:
        return values
    values = np.moveaxis(values, kept.index("S"), -1)
    return values[..., :3] if values.shape[-1] >= 3 else values[..., 0]


def _tag(image: Image.Image, number: int, default: Any) -> Any:
    """A TIFF tag as the header has it."""
    return getattr(image, "tag_v2", {}).get(number, default)


def _orientation(path: Path, image: Image.Image) -> int:
    """EXIF orientation 1 to 8, without decoding; 1 where the EXIF block is absent or broken."""
    try:
        exif = Image.Image.getexif(image)  # PngImageFile's own would decode the picture first
        if image.format == "PNG" and "exif" not in image.info:
            exif.load(_late_exif(path))
        value = exif.get(ExifTags.Base.Orientation, 1)
    except _FAILURES:
        return 1
    return value if value in range(1, 9) else 1


def _late_exif(path: Path) -> bytes:
    """The EXIF block of a PNG that keeps it behind the pixels, as some converters do; empty where there is none."""
    with path.open("rb", buffering=0) as file:
        file.seek(8)
        while len(start := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", start)
            if kind == b"eXIf":
                return b"Exif\0\0" + file.read(length)
            file.seek(length + 4, 1)
    return b""


def _checksums_hold(path: Path) -> bool:
    """Whether the parts of a PNG are as they were written. Pillow compares no checksums of pixels."""
    with path.open("rb") as file:
        file.seek(8)
        while len(start := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", start)
            content, written = file.read(length), file.read(4)
            if kind[0] & 32 == 0 and written != struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))):
                return False  # of a part without which there is no picture: others are left out, whatever they hold
            if kind == b"IEND":
                break
    return True


def _tail_is_blank(path: Path) -> bool:
    """Whether a JPEG has its full length but not its end, as a broken copy or a recovered memory card leaves it.

    Decoders do not notice: they draw the rest in grey.
    """
    with path.open("rb") as file:
        file.seek(-min(512, path.stat().st_size), 2)
        if len(set(file.read())) > 1:
            return False
    content = path.read_bytes()
    return content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")  # no end of image after the last start of scan


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layered = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _stretch(values: NDArray[Any], negative: bool = False) -> NDArray[np.uint8]:
    """Deep pixels as bytes, from the 0.1 to the 99.9 percentile of a million of them; NaN becomes the lowest."""
    step = max(1, math.isqrt(values.shape[0] * values.shape[1] // 10**6))
    sample = values[::step, ::step]
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, [0.1, 99.9]) if sample.size else (0.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite, as what follows expects it
        scaled = values.astype(np.float32)
        scaled -= np.float32(low)
        scaled *= np.float32(255 / (high - low) if high - low > 1e-30 else 0)
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    eight = np.rint(np.clip(scaled, 0, 255, out=scaled), out=scaled).astype(np.uint8)
    return 255 - eight if negative else eight
