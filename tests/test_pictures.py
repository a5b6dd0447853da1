import numpy as np
import pytest
import torch
from PIL import Image

from pronotum import pictures
from pronotum.geometry import transform
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
    picture = pictures.fit(tmp_path / "a.jpg", (160, 128))
    assert picture.pixels.shape == (128, 160, 3)
    assert picture.size == size
    expected = transform(picture.matrix, [[x, y]])[0]
    assert centroid(picture.pixels[..., 0]) == pytest.approx(expected, abs=0.1)


def test_streaming_keeps_the_order_and_names_what_cannot_be_read(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for number, path in enumerate(paths):
        Image.new("RGB", (20, 16), (number, 0, 0)).save(path)
    paths[7].write_bytes(b"junk")
    answers = list(pictures.stream(paths, (20, 16)))
    assert [path for path, _ in answers] == paths
    assert isinstance(answers[7][1], UnreadablePhotograph)
    assert [p.pixels[0, 0, 0] for _, p in answers if isinstance(p, pictures.Picture)] == [*range(7), *range(8, 20)]


def test_loading_moves_points_along_and_says_which_were_kept(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        Image.new("L", (400, 300)).save(path)
    paths[1].write_bytes(b"")
    points = np.full((3, 2, 2), 100.0)
    points[2, 1] = np.nan
    examples, kept, failed = pictures.load(paths, points, detail=(200, 150), frame=(64, 48))
    assert kept == [0, 2]
    assert [error.where for error in failed] == [str(paths[1])]
    assert examples.details.shape == (2, 3, 150, 200)
    assert examples.frames.shape == (2, 3, 48, 64)
    assert examples.points[0, 0].tolist() == pytest.approx([49.75, 49.75])
    assert torch.isnan(examples.points[1, 1]).all()
    assert examples.px.tolist() == pytest.approx([2, 2])


def test_around_each_landmark_the_finest_pixels_are_kept(tmp_path):
    rows, columns = np.mgrid[:300, :400]
    Image.fromarray(np.stack([columns // 2, rows // 2, 0 * rows], -1).astype(np.uint8)).save(tmp_path / "a.png")
    points = np.array([[[100.4, 201.0], [np.nan, np.nan], [399.0, 0.0]]])
    examples, *_ = pictures.load(
        [tmp_path / "a.png"], points, picture=(400, 300), detail=(200, 150), frame=(100, 75), patch=20
    )
    patches = examples.patches
    assert patches.pixels.shape == (1, 3, 3, 20, 20)
    assert patches.corners[0, 0].tolist() == [90, 191]
    assert patches.points[0, 0].tolist() == pytest.approx([10.4, 10.0], abs=1e-5)
    assert patches.pixels[0, 0, :, 0, 0].tolist() == [45, 95, 0]
    assert patches.pixels[0, 0, :, 10, 10].tolist() == [50, 100, 0]
    assert not patches.pixels[0, 1].any()
    assert torch.isnan(patches.points[0, 1]).all()
    assert patches.pixels[0, 2, :, 0, -1].tolist() == [199, 0, 0]  # beyond the photograph its border is repeated
    assert examples.points[0, 0].tolist() == pytest.approx([49.95, 100.25])
    assert examples.px.tolist() == pytest.approx([2])


def test_large_photographs_are_not_piled_up(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.png" for i in range(12)]
    for path in paths:
        Image.new("RGB", (20, 16)).save(path)
    begun = []
    fit = pictures.fit
    monkeypatch.setattr(pictures, "fit", lambda *asked: (begun.append(asked[0]), fit(*asked))[1])
    monkeypatch.setattr(pictures, "AHEAD_BYTES", 3 * 3 * 20 * 16)
    for number, _ in enumerate(pictures.stream(paths, (20, 16)), start=1):
        assert len(begun) <= number + 3


def test_large_collections_go_to_disk_with_the_same_content(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (64, 48), (10 * number, 5, 9)).save(path)
    points = np.zeros((3, 1, 2))
    in_memory, *_ = pictures.load(paths, points, detail=(64, 48), frame=(64, 48))
    monkeypatch.setattr(pictures, "MEMORY_LIMIT", 10)
    on_disk, *_ = pictures.load(paths, points, detail=(64, 48), frame=(64, 48))
    assert torch.equal(in_memory.details, on_disk.details)


def test_shrinking_keeps_the_place_of_things():
    picture = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    picture[0, :, 40:48, 60:68] = 200
    small = pictures.shrink(picture, (32, 24))[0, 0]
    assert centroid(small.numpy()) == pytest.approx(
        np.array([(63.5 + 0.5) / 4 - 0.5, (43.5 + 0.5) / 4 - 0.5]), abs=0.01
    )
