"""Files of coordinates of the same specimens, from any program, joined by specimen."""

import numpy as np
import pytest
from PIL import Image

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import ebnet_csv
from pronotum.landmark_sets import open_sets
from pronotum.landmarks import Landmarks

POINTS = np.random.default_rng(0).uniform(10, 180, (5, 4, 2)).round(3)


def specimens(points=POINTS, names="abcde", suffix=".jpg"):
    return [Landmarks(p, image=f"{name}_1{suffix}") for p, name in zip(points, names, strict=True)]


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in "abcde":
        Image.new("RGB", (256, 192)).save(folder / f"{name}_1.jpg")
    return folder


def test_specimens_are_joined_by_photograph_whatever_the_order(tmp_path, photographs):
    manual, other, again = (tmp_path / f"{name}.tps" for name in ("manual", "other", "again"))
    formats.save(manual, specimens(), lambda name: (256, 192))
    order = [3, 0, 4, 2, 1]
    formats.save(other, [specimens(POINTS + 1, suffix=".PNG")[i] for i in order], lambda name: (256, 192))
    formats.save(again, specimens(POINTS[1:3] - 1, "bc"), lambda name: (256, 192))
    sources = {"manual": manual, "predicted": other, "repeat": again}
    found = open_sets(sources, photographs=photographs, partial=("repeat",))
    assert found.points["manual"] == pytest.approx(POINTS, abs=1e-6)
    assert found.points["predicted"] == pytest.approx(POINTS + 1, abs=1e-6)
    assert found.points["repeat"][1:3] == pytest.approx(POINTS[1:3] - 1, abs=1e-6)
    assert np.isnan(found.points["repeat"][[0, 3, 4]]).all()
    assert found.sizes == ((256, 192),) * 5
    assert found.remarks == ()
    alone = open_sets({"manual": manual, "predicted": other})
    assert alone.points["predicted"] - alone.points["manual"] == pytest.approx(np.ones((5, 4, 2)), abs=1e-6)


def test_y_up_and_y_down_meet_only_where_heights_are_known(tmp_path, photographs):
    tps, csv = tmp_path / "manual.tps", tmp_path / "predicted.csv"
    formats.save(tps, specimens(), lambda name: (256, 192))
    ebnet_csv.save(csv, specimens())
    with pytest.raises(UserError, match=r"manual.tps: y counted from the bottom, in predicted.csv from the top"):
        open_sets({"manual": tps, "predicted": csv})
    found = open_sets({"manual": tps, "predicted": csv}, photographs=photographs)
    assert found.points["manual"] == pytest.approx(found.points["predicted"], abs=1e-6)


def test_what_does_not_fit_is_said_in_one_line(tmp_path):
    manual, other = tmp_path / "manual.tps", tmp_path / "other.tps"

    def compared(rows, match):
        formats.save(other, rows, lambda name: (256, 192))
        with pytest.raises(UserError, match=match):
            open_sets({"manual": manual, "predicted": other})

    formats.save(manual, specimens(), lambda name: (256, 192))
    compared(specimens(POINTS[:, :3]), r"other.tps: 3 landmarks per specimen; expected 4 as in manual.tps")
    compared(specimens(names="vwxyz"), r"0 specimens in common \(a_1.jpg, b_1.jpg, c_1.jpg ... beside v_1.jpg")
    compared(specimens(names="abxyz"), r"2 specimens in common")
    compared(specimens(names="abcca"), r"other.tps: c_1.jpg for the second time; expected each specimen once")
    compared(specimens(np.full_like(POINTS, np.nan)), r"other.tps: not one landmark")


def test_specimens_without_counterpart_are_named(tmp_path):
    manual, other = tmp_path / "manual.tps", tmp_path / "other.tps"
    formats.save(manual, specimens(), lambda name: (256, 192))
    formats.save(other, specimens(POINTS[1:], "bcdx"), lambda name: (256, 192))
    found = open_sets({"manual": manual, "predicted": other})
    assert found.names == ("b_1.jpg", "c_1.jpg", "d_1.jpg")
    assert found.remarks == (
        "2 specimens of manual.tps left out, without counterpart: a_1.jpg, e_1.jpg",
        "1 specimen of other.tps left out, without counterpart: x_1.jpg",
    )
