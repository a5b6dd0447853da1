from dataclasses import replace

import numpy as np
import pytest

from pronotum import formats
from pronotum.errors import UserError
from pronotum.evaluation import rounds
from pronotum.evaluation.part import Part
from pronotum.formats.naming import identity
from pronotum.landmarks import Landmarks


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("p_001.jpg", "001"),
        ("p_1", "1"),
        ("Md 054.JPG", "054"),
        ("Mg_12", "12"),
        ("12.jpg", "12"),
        ("Prono_001", "001"),
        ("/data3/2018/256/e_293.jpg", "293"),
        (r"C:\beetles 2018\v10\t_7.bmp", "7"),
        ("series2_p_014.png", "014"),
        ("Elytre_128.orig.png", "128"),
        ("wing_b10.jpg", "10"),
        ("spider10.jpg", "10"),
        ("b_001.jpg", "001"),
        ("anna.jpg", "anna"),
        ("anna_green.jpg", "anna"),
        ("b.jpg", "b"),
        ("e.12", "12"),
    ],
)
def test_the_specimen_is_the_last_number_of_the_name(image, expected):
    assert identity(image) == expected


@pytest.mark.parametrize("stem", ["p_004", "p4", "Md 4", "2018-06_e_0004"])
@pytest.mark.parametrize(
    "marks",
    [
        ["", "_r", "_g", "_b", "_r10", "_g10", "_b10"],
        ["_orig", "_red", "_green", "_blue", "_red_10", "_green_10", "_blue_10"],
        ["", "r", "g", "b", "+10r", "+10g", "+10b"],
        [".gray", "-R", "-G", "-B", "-plus10-R", "-plus10-G", "-plus10-B"],
        ["_rgb", "_channel0", "_channel1", "_channel2", "_add_10", "_plane_2", "_aug_6"],
    ],
)
def test_the_seven_rows_of_a_specimen_are_one_specimen(stem, marks):
    found = {rounds.key(identity(f"{folder}/{stem}{mark}.png")) for mark in marks for folder in ("a", "b1")}
    assert found == {"4"}


def test_a_pattern_says_where_the_specimen_stands():
    assert identity("p_004_2.jpg") == "2"
    assert identity("p_004_2.jpg", r"_(\d+)_") == "004"
    assert identity("p_004_2.jpg", r"[a-z]_\d+") == "p_004"
    assert identity("p_004_2.jpg", r"x") == ""


@pytest.mark.parametrize(
    ("manual", "predicted"),
    [("p_{:03d}", "p_{}"), ("Md {:03d}.JPG", "Md_{}"), ("{}", "Mg_{}"), ("e_{:03d}.jpg", "e_{}")],
)
def test_manual_and_predicted_files_of_maelab_join_on_the_number(tmp_path, manual, predicted):
    """One specimen per file, no final line end, a distance after a TAB, names padded here and not there."""
    read = {}
    for kind, pattern, shift in (("manual", manual, 0), ("predicted", predicted, 3)):
        specimens = []
        for number in (10, 9, 1):
            file = tmp_path / f"{kind}{number}.TPS"
            rows = f"{number + shift} 20\t{shift}.5\n40.25 50"
            file.write_text(f"LM=2\n{rows}\nIMAGE={pattern.format(number)}", newline="")
            specimens += formats.load(file, lambda name: (256, 192))
        named = [replace(one, id=identity(one.image)) for one in specimens]
        read[kind] = named if kind == "manual" else named[::-1]
    with pytest.raises(UserError, match="1 row without identity"):
        Part.join("p", [Landmarks([[1, 2]], image="p_1")], {})
    part = Part.join("p", read["manual"], {"maelab": read["predicted"]})
    assert [rounds.key(one) for one in part.specimens] == ["10", "9", "1"]
    assert part.manual[:, 0].tolist() == [[10, 172], [9, 172], [1, 172]]
    np.testing.assert_allclose(part.errors("maelab"), [[3, 0]] * 3)
