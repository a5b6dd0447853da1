import numpy as np
import pytest
import torch
from PIL import Image

from pronotum import pictures


def centroid(picture):
    weights = np.asarray(picture, dtype=float)
    rows, columns = np.indices(weights.shape)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


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
