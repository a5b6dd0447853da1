"""Photographs as tiles: every px where it belongs, decoded once, bounded on disk."""

import os

import numpy as np
import pytest
from PIL import Image

from pronotum import images
from pronotum.desk import tiles
from pronotum.desk.tiles import SIDE, Tiles, level_sizes
from pronotum.errors import UserError


def gradient(size, path, orientation=1):
    """A smooth picture: every px tells where it is."""
    y, x = np.mgrid[: size[1], : size[0]]
    picture = Image.fromarray(np.stack([x * 255 / size[0], y * 255 / size[1], 0 * x], -1).astype(np.uint8))
    exif = Image.Exif()
    if orientation == 6:
        picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
    picture.save(path, exif=exif)


def assembled(pyramid, level):
    width, height = pyramid.sizes[level]
    whole = np.zeros((height, width, 3), np.uint8)
    for row in range(-(-height // SIDE)):
        for column in range(-(-width // SIDE)):
            tile = np.array(Image.open(pyramid.tile(level, column, row)))
            whole[row * SIDE : row * SIDE + tile.shape[0], column * SIDE : column * SIDE + tile.shape[1]] = tile
    return whole


@pytest.mark.parametrize(("size", "orientation"), [((1301, 977), 1), ((601, 1403), 6), ((200, 100), 1)])
def test_tiles_make_up_the_photograph_at_every_level(tmp_path, size, orientation):
    gradient(size, tmp_path / "a.png", orientation)
    pyramid = Tiles(tmp_path / "tiles").pyramid(tmp_path / "a.png")
    upright = images.read(tmp_path / "a.png")
    assert pyramid.sizes[0] == (upright.shape[1], upright.shape[0]) == size
    assert max(pyramid.sizes[-1]) <= SIDE
    for level, (width, height) in enumerate(pyramid.sizes):
        expected = np.array(Image.fromarray(upright).resize((width, height), Image.Resampling.BOX))
        assert np.abs(assembled(pyramid, level).astype(int) - expected).mean() < 2


@pytest.mark.parametrize("size", [(3264, 2448), (12000, 9000), (513, 10), (512, 512), (1, 1)])
def test_levels_halve_down_to_one_tile(size):
    sizes = level_sizes(size)
    assert sizes[0] == size
    assert max(sizes[-1]) <= SIDE
    for level, (width, height) in enumerate(sizes):
        assert abs(width - size[0] / 2**level) <= 0.5 or width == 1
        assert abs(height - size[1] / 2**level) <= 0.5 or height == 1


def test_a_photograph_is_decoded_once_until_it_changes(tmp_path, monkeypatch):
    gradient((600, 400), tmp_path / "a.png")
    decoded = []
    monkeypatch.setattr(tiles.images, "read", lambda path, read=images.read: decoded.append(path) or read(path))
    cache = Tiles(tmp_path / "tiles")
    for _ in range(3):
        cache.pyramid(tmp_path / "a.png").tile(0, 0, 0)
    Tiles(tmp_path / "tiles").pyramid(tmp_path / "a.png")
    assert len(decoded) == 1
    gradient((400, 600), tmp_path / "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert cache.pyramid(tmp_path / "a.png").sizes[0] == (400, 600)


def test_what_was_not_looked_at_for_longest_goes_first(tmp_path):
    cache = Tiles(tmp_path / "tiles", limit=60_000)
    for number in range(6):
        generator = np.random.default_rng(number)
        Image.fromarray(generator.integers(0, 255, (100, 100, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        folder = cache.pyramid(tmp_path / f"{number}.png").folder
        os.utime(folder / "sizes.json", (number, number))
    left = [one for one in (tmp_path / "tiles").iterdir() if one.is_dir()]
    assert folder in left
    assert sum(tile.stat().st_size for one in left for tile in one.iterdir()) <= 60_000
    assert len(left) >= 2


def test_what_would_fill_the_memory_is_not_decoded(tmp_path, monkeypatch):
    gradient((600, 400), tmp_path / "a.png")
    monkeypatch.setattr(tiles, "MAX_PIXELS", 1000)
    monkeypatch.setattr(tiles.images, "read", lambda path: pytest.fail("decoded"))
    with pytest.raises(UserError, match="600 x 400 px; expected at most 0 megapixels"):
        Tiles(tmp_path / "tiles").pyramid(tmp_path / "a.png")
    with pytest.raises(UserError, match="600 x 400 px"):
        Tiles(tmp_path / "tiles").small(tmp_path / "a.png", 100)


def test_a_place_without_a_tile_is_an_error(tmp_path):
    gradient((600, 400), tmp_path / "a.png")
    pyramid = Tiles(tmp_path / "tiles").pyramid(tmp_path / "a.png")
    for place in ((0, 2, 0), (9, 0, 0), (-1, 0, 0)):
        with pytest.raises(UserError, match="no tile"):
            pyramid.tile(*place)
