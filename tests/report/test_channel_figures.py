"""The gallery and the files show what the network learns from."""

import numpy as np
import pytest
from PIL import Image

from pronotum.channels import all_versions
from pronotum.report.channel_figures import gallery, write_versions


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def test_the_gallery_names_every_version_and_how_much_lighter_it_is(pixels):
    axes = {axis.get_title().split(" (")[0]: axis for axis in gallery(pixels, offset=10).axes}
    assert list(axes) == ["original, as grey", "R + 10", "G + 10", "B + 10", "photograph", "R", "G", "B"]
    shown = {title: np.asarray(axis.images[0].get_array()) for title, axis in axes.items()}
    assert (shown["photograph"] == pixels).all()
    for channel, title in enumerate("RGB"):
        assert (shown[title] == pixels[..., channel]).all()
    difference = shown["G + 10"].mean() - shown["original, as grey"].mean()
    assert 5 < difference < 6
    assert axes["G + 10"].get_title() == f"G + 10 ({difference:+.1f} levels)"
    assert axes["R"].images[0].get_clim() == (0, 255)


def test_seven_files_hold_the_seven_versions(pixels, tmp_path):
    written = write_versions(pixels, tmp_path / "new", "beetle_1", offset=10)
    endings = ("grey", "red_added", "green_added", "blue_added", "red", "green", "blue")
    assert [path.name for path in written] == [f"beetle_1_{ending}.png" for ending in endings]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)
    for path, version in zip(written, all_versions(pixels, 10), strict=True):
        with Image.open(path) as picture:
            assert picture.mode == "L"
            assert (np.asarray(picture) == version).all()
