"""Every kind of photograph a biologist has, made here, and the geometry of decoding at a reduced scale."""

import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pronotum import geometry, images
from pronotum.images import UnreadablePhotograph, find, read, read_scaled, size

ORIENTATION = 274
WHITE = (255, 255, 255)

# What each EXIF orientation asks for, written with numpy and not with Pillow.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a),
}


def noise(height: int = 30, width: int = 41, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int = 60, width: int = 83) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 4, 255 - x * 2], axis=-1).clip(0, 255).astype(np.uint8)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


# --- kinds of files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("bmp", {}),
        ("webp", {"lossless": True}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("tif", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_lossless_files_come_back_exactly(tmp_path, suffix, options):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise()).save(path, **options)
    assert size(path) == (41, 30)
    assert size(str(path)) == (41, 30)
    pixels = read(path)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, noise())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}])
def test_jpeg(tmp_path, options):
    path = tmp_path / "a.JPG"
    Image.fromarray(smooth()).save(path, "JPEG", **{"quality": 95, **options})
    assert np.abs(read(path).astype(int) - smooth()).mean() < 3


def test_cmyk_jpeg_is_not_inverted(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth()).convert("CMYK").save(path, quality=95)
    with Image.open(path) as stored:
        assert stored.mode == "CMYK"
    assert np.abs(read(path).astype(int) - smooth()).mean() < 4
    half, _ = read_scaled(path, 0.5)
    assert np.abs(half.mean((0, 1)) - smooth().mean((0, 1))).max() < 4


def test_phone_jpeg_with_several_pictures(tmp_path):
    path = tmp_path / "a.jpg"
    first, second = Image.fromarray(smooth(480, 640)), Image.new("RGB", (640, 480), "red")
    first.save(path, "MPO", save_all=True, append_images=[second], quality=95)
    assert size(path) == (640, 480)
    assert np.abs(read(path).astype(int) - smooth(480, 640)).mean() < 3
    assert read_scaled(path, 0.2)[0].shape == (96, 128, 3)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_one_bit(tmp_path, mode):
    path = tmp_path / "a.png"
    stored = Image.fromarray(smooth()).convert(mode)
    stored.save(path)
    expected = np.asarray(stored.convert("L"))
    np.testing.assert_array_equal(read(path), np.stack([expected] * 3, -1))


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_palette_with_transparency_shows_white(tmp_path, transparency):
    path = tmp_path / "a.png"
    stored = Image.new("P", (2, 2))
    stored.putpalette([10, 20, 30, 200, 100, 50])
    stored.putdata([0, 1, 1, 0])
    stored.save(path, transparency=transparency)
    np.testing.assert_array_equal(read(path), [[WHITE, (200, 100, 50)], [(200, 100, 50), WHITE]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_alpha_is_laid_on_white(tmp_path, suffix):
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0] = [(100, 0, 0, 255), (100, 0, 0, 0), (100, 0, 0, 51)]
    Image.fromarray(rgba).save(tmp_path / f"rgba.{suffix}")
    np.testing.assert_allclose(read(tmp_path / f"rgba.{suffix}")[0], [(100, 0, 0), WHITE, (224, 204, 204)], atol=1)
    Image.fromarray(rgba).convert("LA").save(tmp_path / f"la.{suffix}")
    np.testing.assert_allclose(read(tmp_path / f"la.{suffix}")[0, 1], WHITE)


def ramp(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 200 * 300).reshape(200, 300)


def assert_full_range(pixels: np.ndarray) -> None:
    expected = np.linspace(0, 255, 200 * 300).reshape(200, 300)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.abs(pixels.astype(float) - (expected[..., None] if pixels.ndim == 3 else expected)).max() < 1.5


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_uses_the_range_there_is(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(ramp(300, 4095).astype(np.uint16)).save(path)
    assert_full_range(read(path))


@pytest.mark.parametrize("dtype", [">u2", "<u2", "<f4", ">f4", "<i2", "<i4"])
def test_deep_grey_tiff(tmp_path, dtype):
    tifffile = pytest.importorskip("tifffile")
    order = ">" if dtype[0] == ">" else "<"
    tifffile.imwrite(tmp_path / "a.tif", ramp(0, 3000).astype(dtype), byteorder=order, photometric="minisblack")
    assert_full_range(read(tmp_path / "a.tif"))


def test_deep_grey_that_counts_from_white(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", ramp(3000, 0).astype(np.uint16), photometric="miniswhite")
    assert_full_range(read(tmp_path / "a.tif"))


def test_float_tiff_with_nan_and_flat(tmp_path):
    values = ramp(-2, 5).astype(np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read(tmp_path / "a.tif")[0, 0].tolist() == [0, 0, 0]
    assert read(tmp_path / "a.tif")[0, 1].tolist() == [255, 255, 255]
    for number, constant in enumerate((7, np.nan)):
        path = tmp_path / f"flat{number}.tif"
        Image.fromarray(np.full((20, 20), constant, dtype=np.float32)).save(path)
        assert read(path).max() == 0


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_deep_colour_tiff(tmp_path, dtype, planar, compression):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    colour = np.stack([ramp(0, 4095)] * 3, -1).astype(dtype)
    stored = np.moveaxis(colour, -1, 0) if planar == "separate" else colour
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression)
    assert size(path) == (300, 200)
    assert_full_range(read(path))
    assert read_scaled(path, 0.1)[0].shape == (20, 30, 3)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_deep_colour_tiff_is_turned(tmp_path, orientation):
    tifffile = pytest.importorskip("tifffile")
    colour = noise().astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb", extratags=[(ORIENTATION, "H", 1, orientation)])
    pixels = read(tmp_path / "a.tif")
    assert size(tmp_path / "a.tif") == pixels.shape[1::-1]
    np.testing.assert_allclose(pixels, UPRIGHT[orientation](noise()), atol=1)


def test_deep_colour_without_tifffile_says_what_to_install(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 5, 3), np.uint16), photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(UnreadablePhotograph, match=r"pip install pronotum\[tiff\]"):
        read(tmp_path / "a.tif")


def test_first_page_and_first_moment(tmp_path):
    pages = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
    for suffix in ("tif", "gif", "webp"):
        path = tmp_path / f"a.{suffix}"
        pages[0].save(path, save_all=True, append_images=pages[1:])
        assert size(path) == (9, 7)
        assert read(path)[3, 3].argmax() == 0


# --- orientation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"}), ("webp", {"lossless": True})],
)
def test_orientation(tmp_path, suffix, options, orientation):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise()).save(path, exif=exif(orientation), **options)
    expected = UPRIGHT[orientation](noise())
    assert size(path) == expected.shape[1::-1]
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_of_jpeg(tmp_path, orientation):
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth()).save(path, exif=exif(orientation), quality=95)
    with Image.open(path) as stored:
        expected = UPRIGHT[orientation](np.asarray(stored))
    assert size(path) == expected.shape[1::-1]
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_senseless_orientation_is_none(tmp_path, orientation):
    Image.fromarray(noise()).save(tmp_path / "a.png", exif=exif(orientation))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), noise())


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    content, block = path.read_bytes(), exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert size(path) == (30, 41)
    np.testing.assert_array_equal(read(path), UPRIGHT[6](noise()))


def test_broken_exif_does_not_harm_the_pixels(tmp_path):
    for number, block in enumerate((b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 9)):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(smooth()).save(path, exif=block)
        assert size(path) == (83, 60)
        assert read(path).shape == (60, 83, 3)


def test_size_decodes_nothing(tmp_path, monkeypatch):
    for suffix in ("jpg", "png", "tif", "bmp", "webp"):
        Image.fromarray(noise()).save(tmp_path / f"a.{suffix}")

    decoded: list[object] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))
    assert {size(path) for path in find(tmp_path)} == {(41, 30)}
    assert len(find(tmp_path)) == 5
    assert not decoded


# --- geometry ---------------------------------------------------------------------------------------------------


def dots(width: int, height: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian dots on black at sub-pixel positions, and these (x, y)."""
    rng = np.random.default_rng(width)
    gap = 10 * sigma
    columns, rows = np.arange(gap / 2, width - gap / 2, gap), np.arange(gap / 2, height - gap / 2, gap)
    points = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2) + rng.uniform(
        -0.5, 0.5, (len(columns) * len(rows), 2)
    )
    x, y = np.arange(width), np.arange(height)
    bumps = [
        np.outer(np.exp(-((y - py) ** 2) / (2 * sigma**2)), np.exp(-((x - px) ** 2) / (2 * sigma**2)))
        for px, py in points
    ]
    grey = np.rint(250 * np.sum(bumps, axis=0)).clip(0, 255).astype(np.uint8)
    return np.stack([grey] * 3, -1), points


def centroids(pixels: np.ndarray, near: np.ndarray, radius: float) -> np.ndarray:
    """Centres of gravity around these positions."""
    weights = np.maximum(pixels.mean(-1) - 4, 0)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]]
    found = []
    for px, py in near:
        here = weights * ((x - px) ** 2 + (y - py) ** 2 < radius**2)
        found.append(((here * x).sum() / here.sum(), (here * y).sum() / here.sum()))
    return np.array(found)


def assert_dots_move_with(path: Path, points: np.ndarray, factor: float, sigma: float) -> None:
    width, height = size(path)
    pixels, matrix = read_scaled(path, factor)
    assert pixels.shape == (round(height * factor), round(width * factor), 3)
    np.testing.assert_array_equal(matrix, geometry.scaling(pixels.shape[1] / width, pixels.shape[0] / height))
    expected = geometry.transform(matrix, points)
    assert np.abs(centroids(pixels, expected, 4.5 * sigma * factor) - expected).max() < 0.05


@pytest.mark.parametrize("factor", [0.078, 0.125, 0.25, 0.3, 0.5, 0.9, 1.0, 1.7])
@pytest.mark.parametrize("shape", [(800, 640), (801, 637), (799, 643), (805, 633)])
def test_points_and_pixels_move_together(tmp_path, shape, factor):
    picture, points = dots(*shape, sigma=13)
    for name, options in {"a.jpg": {"quality": 95}, "a.png": {"compress_level": 1}}.items():
        Image.fromarray(picture).save(tmp_path / name, **options)
        assert_dots_move_with(tmp_path / name, points, factor, sigma=13)


@pytest.mark.parametrize("factor", [0.078, 0.25, 0.3, 0.9])
@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_they_do_so_when_turned(tmp_path, suffix, orientation, factor):
    picture, points = dots(801, 637, sigma=13)
    path = tmp_path / f"a.{suffix}"
    back = {**UPRIGHT, 6: UPRIGHT[8], 8: UPRIGHT[6]}[orientation]
    options = {"quality": 95} if suffix == "jpg" else {"compression": "tiff_lzw"}
    Image.fromarray(np.ascontiguousarray(back(picture))).save(path, exif=exif(orientation), **options)
    assert size(path) == (801, 637)
    assert_dots_move_with(path, points, factor, sigma=13)


def test_a_very_small_factor_leaves_a_pixel(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.jpg")
    assert read_scaled(tmp_path / "a.jpg", 1e-4)[0].shape == (1, 1, 3)
    for factor in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="factor"):
            read_scaled(tmp_path / "a.jpg", factor)


# --- what is wrong with files -----------------------------------------------------------------------------------


def photograph(path: Path, **options: object) -> bytes:
    Image.fromarray(noise(300, 400)).save(path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.99])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {"compression": "tiff_adobe_deflate"}),
        ("a.bmp", {}),
        ("a.webp", {}),
    ],
)
def test_truncated_files_are_refused(tmp_path, name, options, share):
    path = tmp_path / name
    content = photograph(path, **options)
    path.write_bytes(content[: int(len(content) * share)])
    for factor in (1.0, 0.1):
        with pytest.raises(UnreadablePhotograph) as caught:
            read_scaled(path, factor)
        message = str(caught.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        assert "ends early" in message
        assert "copy it again" in message


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_deep_tiff_is_refused(tmp_path, compression):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(300, 400).astype(np.uint16), photometric="rgb", compression=compression)
    content = path.read_bytes()
    for share in (0.3, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(UnreadablePhotograph, match="ends early"):
            read(path)


def test_truncated_files_are_refused_whatever_others_have_set(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    content = photograph(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadablePhotograph):
        read(tmp_path / "a.jpg")
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("filling", [b"\0", b"\xff"])
def test_jpeg_that_has_its_length_but_not_its_end(tmp_path, filling):
    path = tmp_path / "a.jpg"
    content = photograph(path)
    half = len(content) // 2
    path.write_bytes(content[:half] + filling * (len(content) - half))
    with pytest.raises(UnreadablePhotograph, match="ends early"):
        read(path)
    path.write_bytes(content + filling * 4096)  # padding after a whole picture is no harm
    assert read(path).shape == (300, 400, 3)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"LM=3\n1 2\n3 4\n", "not an image"),
        (b"<html>404</html>" * 100, "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\xd8\xff", "damaged"),
        (b"II*\0", "damaged"),
        (b"II*\0\x08\0\0\0" + b"\xff" * 40, "damaged"),
        (b"MM\0*" + b"\0" * 60, "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "damaged"),
        (b"BM" + b"\0" * 60, "damaged"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged"),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_files_that_are_no_photographs(tmp_path, suffix, content, found):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    for attempt in (size, read):
        with pytest.raises(UnreadablePhotograph, match=found) as caught:
            attempt(path)
        assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UnreadablePhotograph, match="no such file"):
        size(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    with pytest.raises(UnreadablePhotograph, match="directory"):
        read(tmp_path / "b.jpg")


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_absurd_sizes_are_refused_and_large_scans_are_not(tmp_path):
    path = tmp_path / "a.png"
    for width, height in ((60_000, 60_000), (0, 0), (5, 0)):
        path.write_bytes(png_header(width, height))
        for attempt in (size, read):
            with pytest.raises(UnreadablePhotograph, match=f"{width} x {height} px|header cannot be read"):
                attempt(path)
    path.write_bytes(png_header(14_000, 14_000))
    limit = Image.MAX_IMAGE_PIXELS
    assert size(path) == (14_000, 14_000)
    assert limit == Image.MAX_IMAGE_PIXELS


def error_of(path: Path) -> str:
    """What reading a small file says; large sizes that a damaged header claims are not worth their memory here."""
    try:
        width, height = size(path)
        if width * height < 10**6:
            read_scaled(path, 0.5)
    except UnreadablePhotograph as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp", "a.webp", "a.gif"])
def test_any_damage_gives_one_kind_of_error(tmp_path, name):
    rng = np.random.default_rng(1)
    path = tmp_path / name
    Image.fromarray(noise(20, 30)).save(path)
    content = path.read_bytes()
    messages = []
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, min(len(content), 200), rng.integers(1, 5)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        messages.append(error_of(path))
    assert any(messages)
    assert not any("\n" in message for message in messages)


def test_threads_leave_the_process_as_it_was(tmp_path):
    Image.fromarray(noise(200, 200)).save(tmp_path / "a.jpg")
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    shapes: list[tuple[int, ...]] = []

    def work() -> None:
        shapes.extend(read_scaled(tmp_path / "a.jpg", 0.3)[0].shape for _ in range(30))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(shapes) == {(60, 60, 3)}
    assert len(shapes) == 120
    assert limit == Image.MAX_IMAGE_PIXELS
    assert filters == list(warnings.filters)


@pytest.mark.filterwarnings("error")  # whatever the command line says
def test_the_first_thread_to_end_takes_nothing_from_the_others():
    before = Image.MAX_IMAGE_PIXELS
    with images._calm:
        with images._calm:
            pass
        assert Image.MAX_IMAGE_PIXELS is None
        warnings.warn_explicit("of Pillow", UserWarning, "file.py", 1, module="PIL.Image")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("of others", UserWarning, "file.py", 1, module="elsewhere")
    assert before == Image.MAX_IMAGE_PIXELS


# --- folders ----------------------------------------------------------------------------------------------------


def test_find(tmp_path):
    shown = ["5²/img1.png", "img1.jpg", "img2.JPG", "img10.TIFF", "x.jpeg"]
    for name in [*shown, "._img1.jpg", ".hidden/img3.jpg", "__MACOSX/._img2.jpg", "img1.tps", "notes.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in find(tmp_path)] == shown
    assert find(tmp_path / "absent") == []


# --- real photographs -------------------------------------------------------------------------------------------


def test_real_photographs(shared_data):
    paths = find(shared_data / "beetle-elytra" / "images")
    if not paths:
        pytest.skip(f"needs the beetle elytra in {shared_data}")
    for path in paths[:3]:
        assert size(path) == (3264, 2448)
        whole = read(path)
        small, matrix = read_scaled(path, 256 / 3264)
        assert small.shape == (192, 256, 3)
        np.testing.assert_allclose(
            geometry.transform(matrix, [[-0.5, -0.5], [3263.5, 2447.5]]), [[-0.5, -0.5], [255.5, 191.5]]
        )
        # Means of the cells of a grid of 12 x 16 px, by numpy, are the same whichever way the picture was reduced.
        cells = whole.reshape(12, 204, 16, 204, 3).mean((1, 3))
        np.testing.assert_allclose(small.reshape(12, 16, 16, 16, 3).mean((1, 3)), cells, atol=2.5)


def test_module_offers_what_it_says():
    assert set(images.PHOTOGRAPH_SUFFIXES) >= {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
    assert issubclass(UnreadablePhotograph, images.UserError)


def test_links_to_folders_are_followed_each_folder_once(tmp_path):
    """Photographs often lie on another disk, and a link may lead back to where it lies."""
    disk = tmp_path / "disk" / "drawer"
    disk.mkdir(parents=True)
    (disk / "img2.jpg").touch()
    (tmp_path / "study" / "new").mkdir(parents=True)
    (tmp_path / "study" / "img1.jpg").touch()
    (tmp_path / "study" / "drawer").symlink_to(disk)
    (tmp_path / "study" / "new" / "again").symlink_to(disk)
    (tmp_path / "study" / "new" / "round").symlink_to(tmp_path / "study")
    found = [path.relative_to(tmp_path / "study").as_posix() for path in images.find(tmp_path / "study")]
    assert found == ["drawer/img2.jpg", "img1.jpg"]
