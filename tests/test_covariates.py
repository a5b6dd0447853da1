"""Tables of specimens as people write them."""

import pytest

from pronotum import covariates, demo
from pronotum.errors import UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=3, seed=0, size=(256, 192))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_are_found_by_image_or_id(tmp_path, data, delimiter):
    by_image, by_id = tmp_path / "a.csv", tmp_path / "b.csv"
    by_image.write_text(
        "Image,population\nPRONOTUM_002.png,south\npronotum_001,north\nC:\\x\\pronotum_003.jpg,north\n".replace(
            ",", delimiter
        ),
        encoding="utf-8-sig",
    )
    by_id.write_text("id,population,sex\n3,north,f\n2,south,m\n1,north,\n".replace(",", delimiter), encoding="cp1252")
    assert covariates.read(by_image).of(data.landmarks, "population") == ("north", "south", "north")
    assert covariates.read(by_id).of(data.landmarks, "population") == ("north", "south", "north")


def test_what_is_wrong_is_said_in_one_line(tmp_path, data):
    file = tmp_path / "a.csv"
    with pytest.raises(UserError, match="no such file"):
        covariates.read(file)
    file.write_text("specimen,population\n1,north\n")
    with pytest.raises(UserError, match=r"a.csv:1: the columns specimen, population; expected one named image or id"):
        covariates.read(file)
    file.write_text("id,population\n1,north\n1,south\n")
    with pytest.raises(UserError, match=r"a.csv:3: 1 for the second time"):
        covariates.read(file)
    file.write_text("id,population\n1,north\n2,\n")
    table = covariates.read(file)
    with pytest.raises(UserError, match=r"no population for 2 specimens, the first is pronotum_002.jpg"):
        table.of(data.landmarks, "population")
    with pytest.raises(UserError, match="no column 'populaton'; did you mean 'population'"):
        table.of(data.landmarks, "populaton")
