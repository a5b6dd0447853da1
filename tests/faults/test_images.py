"""Photographs that are damaged, hostile or merely unusual: each is read rightly, or named and left out."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pronotum import images
from pronotum.images import UnreadablePhotograph
from pronotum.synthetic import draw

from .conftest import FULL
from .mutations import flipped, header_flipped, longer, overwritten, spliced, truncated
from .reading import read_all

CASES = 1000 if FULL else 150
BOUND = 2 * 1024**3
"""Bytes of memory of the process that reads."""
tifffile = pytest.importorskip("tifffile", reason="needs pronotum[tiff]")


@pytest.fixture(scope="module")
def beetle() -> Image.Image:
    return Image.fromarray(draw("pronotum", 5, size=(400, 300)).image)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_tiff(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera"
    return exif


@pytest.fixture(scope="module")
def whole(beetle, request) -> dict[str, bytes]:
    """Photographs by name, as cameras, scanners and microscopes write them; and real ones, where they are."""
    grey, pixels = beetle.convert("L"), np.asarray(beetle)
    found = {
        "baseline.jpg": encoded(beetle, "JPEG", quality=88, exif=turned()),
        "progressive.jpg": encoded(beetle, "JPEG", quality=80, progressive=True),
        "grey.jpg": encoded(grey, "JPEG"),
        "restarts.jpg": encoded(beetle, "JPEG", restart_marker_blocks=4),
        "cmyk.jpg": encoded(beetle.convert("CMYK"), "JPEG"),
        "colour.png": encoded(beetle, "PNG", exif=turned()),
        "palette.png": encoded(beetle.quantize(64), "PNG"),
        "deep.png": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 200), "PNG"),
        "alpha.png": encoded(beetle.convert("RGBA"), "PNG"),
        "plain.tif": encoded(beetle, "TIFF", exif=turned()),
        "lzw.tif": encoded(beetle, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(grey, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": encoded(beetle, "TIFF", compression="jpeg"),
        "deep.tif": as_tiff(pixels.astype(np.uint16) * 200, photometric="rgb"),
        "float.tif": as_tiff(np.asarray(grey).astype(np.float32) / 7),
        "tiles.tif": as_tiff(pixels, photometric="rgb", tile=(64, 64), compression="zlib"),
        "pages.tif": as_tiff(np.stack([pixels, pixels[::-1]]), photometric="rgb"),
    }
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    for folder in ("drosophila-wing-mlmorph", "beetle-mandible-left", "snail-shell"):
        real = sorted(data.glob(f"{folder}/images/*"))[:2]
        found |= {f"{folder}-{path.name}": path.read_bytes() for path in real}
    return found


@dataclass(frozen=True)
class Case:
    """A file to read.

    Attributes:
        name: of the file.
        content: of it.
        of: the whole photograph it was made of.
        same: where it is read at all, it must be read as that one.
    """

    name: str
    content: bytes
    of: str
    same: bool


MUTATIONS: dict[str, tuple[Callable[[bytes, random.Random], bytes], tuple[str, ...]]] = {
    # For which formats the damage is either harmless or seen: PNG has checksums, others have none.
    "truncated": (truncated, (".jpg", ".png", ".tif")),
    "flipped": (flipped, (".png",)),
    "header": (header_flipped, (".png",)),
    "overwritten": (overwritten, (".png",)),
    "spliced": (spliced, ()),
    "longer": (longer, (".jpg", ".png", ".tif")),
}


def cases(whole: dict[str, bytes]) -> list[Case]:
    """Every mutation of every photograph in turn, until there are enough."""
    drawn, made = random.Random(12), list[Case]()
    while len(made) < CASES:
        for of, content in whole.items():
            for kind, (change, seen) in MUTATIONS.items():
                suffix = Path(of).suffix.lower().replace("jpeg", "jpg")
                changed = change(content, drawn)
                made.append(Case(f"{len(made)}-{kind}-{of}", changed, of, suffix in seen or changed == content))
    drawn.shuffle(made)
    return made[:CASES]


def test_mutated_photographs(whole, note, tmp_path):
    chosen = cases(whole)
    files = {tmp_path / case.name: case for case in chosen}
    originals = {tmp_path / name: name for name in whole}
    for path, case in files.items():
        path.write_bytes(case.content)
    for path, name in originals.items():
        path.write_bytes(whole[name])
    found = read_all([*originals, *files])
    right = {name: found[path] for path, name in originals.items()}
    assert all(said.get("fits") for said in right.values()), right
    broken = {path.name: said["broke"] for path, said in found.items() if "broke" in said}
    assert broken == {}
    silent = [
        path.name
        for path, case in files.items()
        if case.same and "pixels" in found[path] and found[path]["pixels"] != right[case.of]["pixels"]
    ]
    assert silent == []
    for path in files:
        said = found[path]
        assert said.get("fits") or said["refused"].startswith(f"{path}: "), said
        assert "\n" not in said.get("refused", "")
    assert max(said["rss"] for said in found.values()) < BOUND
    refused = sum("refused" in found[path] for path in files)
    assert 0.2 * CASES < refused < CASES
    note(len(files), f"mutated photographs read: {refused} refused by name, the others read")


@pytest.mark.finding("A PNG in which a bit had changed was read with wrong pixels: nobody compared its checksums.")
def test_a_png_whose_checksum_does_not_hold_is_refused(whole, tmp_path):
    content = bytearray(whole["colour.png"])
    at = content.index(b"IDAT") + 2000
    content[at] ^= 1
    path = tmp_path / "flipped.png"
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadablePhotograph, match="a checksum in it does not hold"):
        images.read(path)


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG, RGB with 8 bits, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(n: int) -> bytes:
    """So many of them, compressed without ever having them all."""
    packer, left = zlib.compressobj(9), n
    parts = []
    while left:
        parts.append(packer.compress(bytes(min(left, 1 << 24))))
        left -= min(left, 1 << 24)
    return b"".join(parts) + packer.flush()


def bombs() -> dict[str, bytes]:
    side = 12_000 if FULL else 3000
    entries = [(256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 60_000), (279, 4, 1, 3_600_000_000)]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    many = [(tag, kind, n, 60_000 if tag == 277 else 300 if tag < 258 else value) for tag, kind, n, value in entries]
    samples = b"".join(struct.pack("<HHII", *entry) for entry in many)
    frames = encoded(Image.new("L", (4000, 4000)), "GIF", save_all=True, append_images=[Image.new("L", (4000, 4000))])
    return {
        "claims.png": png(40_000, 40_000, zlib.compress(bytes(1000))),
        "claims-more.png": png(2**31 - 1, 2**31 - 1, zlib.compress(bytes(1000))),
        "zeros.png": png(side, side, zeros(side * (3 * side + 1))),
        "endless.png": png(10, 10, zeros(200_000_000 if FULL else 20_000_000)),
        "claims.tif": struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + tags + bytes(4),
        "samples.tif": struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + samples + bytes(4),
        "claims.gif": frames[:6] + struct.pack("<HH", 65_535, 65_535) + frames[10:],
        "claims.bmp": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "claims.jpg": jpeg_that_claims(65_500),
    }


def jpeg_that_claims(side: int) -> bytes:
    content = encoded(Image.new("RGB", (64, 64)), "JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]


@pytest.mark.finding("A file of a few bytes that claims 1600 megapixels was given the memory for them.")
def test_bombs(note, tmp_path):
    made = bombs()
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    found = read_all(tmp_path / name for name in made)
    assert {path.name: said["broke"] for path, said in found.items() if "broke" in said} == {}
    assert max(said["rss"] for said in found.values()) < BOUND
    refused = {path.name for path, said in found.items() if "refused" in said}
    assert refused >= {"claims.png", "claims-more.png", "claims.tif", "samples.tif", "claims.bmp", "claims.jpg"}
    note(len(made), "decompression bombs: small files that claim or hold huge pictures")


UNUSUAL = {
    "animated.gif": ("GIF", {"save_all": True}),
    "animated.png": ("PNG", {"save_all": True}),
    "animated.webp": ("WEBP", {"save_all": True, "lossless": True}),
    "pages.tif": ("TIFF", {"save_all": True}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_of_several_pictures_the_first_is_taken(beetle, name, note, tmp_path):
    kind, options = UNUSUAL[name]
    first, second = beetle.quantize(32).convert("RGB"), beetle.transpose(Image.Transpose.ROTATE_180)
    first.save(tmp_path / name, kind, append_images=[second], **options)
    np.testing.assert_array_equal(images.read(tmp_path / name), np.asarray(first))
    note(1, "files with several pictures")


def test_the_name_may_end_wrongly(whole, note, tmp_path):
    endings = (".jpg", ".png", ".tif", ".bmp", ".webp")
    for number, (name, content) in enumerate(whole.items()):
        (tmp_path / name).write_bytes(content)
        right = images.read_scaled(tmp_path / name, 0.2)[0]
        for ending in endings if FULL else (endings[number % 5],):
            wrong = tmp_path / f"wrong-{name}{ending}"
            wrong.write_bytes(content)
            np.testing.assert_array_equal(images.read_scaled(wrong, 0.2)[0], right)
    note(len(whole) * (5 if FULL else 1), "photographs with the ending of another format")


@pytest.mark.parametrize("seed", range(40 if FULL else 8))
def test_a_broken_exif_block_changes_no_pixel(beetle, seed, note, tmp_path):
    drawn = random.Random(seed)
    block = bytearray(turned().tobytes())
    for _ in range(drawn.randrange(1, 8)):
        block[drawn.randrange(6, len(block))] = drawn.randrange(256)
    plain, broken = tmp_path / "plain.jpg", tmp_path / "broken.jpg"
    plain.write_bytes(encoded(beetle, "JPEG", quality=88))
    broken.write_bytes(encoded(beetle, "JPEG", quality=88, exif=bytes(block)))
    own, other = images.read(broken), images.read(plain)
    every_turn = [np.rot90(side, k) for side in (other, other[:, ::-1]) for k in range(4)]
    assert any(np.array_equal(own, turn) for turn in every_turn)
    note(1, "broken EXIF blocks")


@pytest.mark.finding("A TIFF of denormal numbers ended in an overflow.")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[np.nan, np.nan], [np.nan, np.nan]], [[0, 0], [0, 0]]),
        ([[np.inf, -np.inf], [0.0, 1.0]], [[255, 0], [0, 255]]),
        ([[np.nan, 1e38], [-1e38, 0.0]], [[0, 255], [0, 128]]),
        ([[1e-40, 2e-40], [0.0, 3e-40]], None),
        ([[5.0, 5.0], [5.0, 5.0]], [[0, 0], [0, 0]]),
    ],
)
def test_numbers_that_are_none_in_a_tiff(values, expected, note, tmp_path):
    for dtype in (np.float32, np.float64):
        path = tmp_path / f"{np.dtype(dtype).name}.tif"
        tifffile.imwrite(path, np.array(values, dtype=dtype))
        pixels = images.read(path)
        assert pixels.shape == (2, 2, 3)
        if expected is not None:
            np.testing.assert_allclose(pixels[..., 0], expected, atol=1)
    note(2, "TIFFs with NaN, infinite or extreme numbers")


def test_sizes_at_the_ends(beetle, note, tmp_path):
    """One pixel, one row, no pixel, a hundred megapixels."""
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        for size in ((1, 1), (1, 900), (900, 1)):
            path = tmp_path / f"{size[0]}x{size[1]}.{kind.lower()}"
            Image.new("RGB", size, (10, 200, 30)).save(path)
            pixels = images.read(path)
            assert pixels.shape == (size[1], size[0], 3)
            assert np.abs(pixels.astype(int) - (10, 200, 30)).max() <= 3
            assert images.read_scaled(path, 0.01)[0].size >= 3
    empty = [png(0, 0, zlib.compress(b"")), png(0, 5, zlib.compress(b"")), b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
    for number, content in enumerate(empty):
        path = tmp_path / f"empty{number}.png"
        path.write_bytes(content)
        with pytest.raises(UnreadablePhotograph, match=f"empty{number}.png: "):
            images.read(path)
    large = tmp_path / "large.jpg"
    width, height = (12_500, 8_000) if FULL else (6_250, 4_000)
    beetle.resize((width, height), Image.Resampling.NEAREST).save(large, quality=80)
    assert images.size(large) == (width, height)
    pixels, _ = images.read_scaled(large, 0.1)
    wanted = np.asarray(beetle.resize((width // 10, height // 10), Image.Resampling.NEAREST)).astype(float)
    assert pixels.shape == wanted.shape
    assert np.abs(pixels - wanted).mean() < 4
    note(18, f"pictures of 0, 1, 900 and {width * height // 10**6} million pixels")
