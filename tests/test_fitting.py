import numpy as np
import pytest
from PIL import Image

from pronotum import fitting
from pronotum.geometry import scaling, similarity, transform, translation
from pronotum.images import UnreadablePhotograph


def draw(path, size, x, y):
    rows, columns = np.mgrid[: size[1], : size[0]]
    spread = max(size) / 40
    dot = 230 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    Image.fromarray(dot.round().astype(np.uint8)).save(path, quality=98)


def centroid(picture):
    weights = np.asarray(picture, dtype=float)
    rows, columns = np.indices(weights.shape)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


@pytest.mark.parametrize("size", [(320, 240), (641, 333), (240, 320), (100, 80)])
def test_the_matrix_of_a_fitted_photograph_is_exact(tmp_path, size):
    x, y = size[0] * 0.45 + 0.3, size[1] * 0.55 + 0.2
    draw(tmp_path / "a.jpg", size, x, y)
    picture = fitting.fit(tmp_path / "a.jpg", (160, 128))
    assert picture.pixels.shape == (128, 160, 3)
    assert picture.size == size
    expected = transform(picture.matrix, [[x, y]])[0]
    assert centroid(picture.pixels[..., 0]) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_a_part_is_cut_as_from_the_whole_photograph(seed):
    """Bilinear by hand, borders repeated, of pictures that lie in it, across its border or beside it."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((170, 130), Image.Resampling.BICUBIC))
    factor = float(np.exp(random.uniform(np.log(0.1), np.log(2.5))))
    turn = similarity(random.uniform(0, 6.3), factor, (0, 0))
    matrix = turn @ translation(*random.uniform(-200, 100, 2))
    wanted = (int(random.integers(10, 80)), int(random.integers(10, 60)))
    steps = max(1, int(1 / (fitting.DECODED_LARGER * factor) + 1e-6))
    smaller = np.asarray(Image.fromarray(pixels).reduce(steps)).astype(float)
    places = np.stack(np.meshgrid(*map(np.arange, wanted)), -1).reshape(-1, 2)
    source = transform(scaling(1 / steps) @ np.linalg.inv(matrix), places)
    x, y = source.clip(0, np.array(smaller.shape[1::-1]) - 1).T
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, smaller.shape[1] - 1), np.minimum(top + 1, smaller.shape[0] - 1)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = smaller[top, left] * (1 - across) + smaller[top, right] * across
    lower = smaller[bottom, left] * (1 - across) + smaller[bottom, right] * across
    expected = (upper * (1 - down) + lower * down).reshape(wanted[1], wanted[0], 3)
    assert np.abs(fitting.cut(pixels, matrix, wanted) - expected).max() < 1.01


def test_streaming_keeps_the_order_and_names_what_cannot_be_read(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for number, path in enumerate(paths):
        Image.new("RGB", (20, 16), (number, 0, 0)).save(path)
    paths[7].write_bytes(b"junk")
    answers = list(fitting.stream(paths, (20, 16)))
    assert [path for path, _ in answers] == paths
    assert isinstance(answers[7][1], UnreadablePhotograph)
    assert [p.pixels[0, 0, 0] for _, p in answers if isinstance(p, fitting.Picture)] == [*range(7), *range(8, 20)]


def test_large_photographs_are_not_piled_up(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.png" for i in range(12)]
    for path in paths:
        Image.new("RGB", (20, 16)).save(path)
    begun = []
    fit = fitting.fit
    monkeypatch.setattr(fitting, "fit", lambda *asked: (begun.append(asked[0]), fit(*asked))[1])
    monkeypatch.setattr(fitting, "AHEAD_BYTES", 3 * 3 * 20 * 16)
    for number, _ in enumerate(fitting.stream(paths, (20, 16)), start=1):
        assert len(begun) <= number + 3
