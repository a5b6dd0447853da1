import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import ebnet_csv
from pronotum.formats.naming import identity
from pronotum.landmarks import Landmarks

NAN = float("nan")
BEETLE = "x1,y1,x2,y2,Image\n167,56,200,54,/data3/csv/p_001.jpg\n161,59,,,/data3/csv/p_002_r.jpg\n"
NEMATODE = "Image,x1,y1,x2,y2\n/data3/csv/p_001.jpg,167,56,200,54\n/data3/csv/p_002_r.jpg,161,59,,\n"


def read(path: Path, text: str | bytes, **options: str):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ebnet_csv.load(path, **options)


@pytest.mark.parametrize(
    "text",
    [
        BEETLE,
        NEMATODE,
        "x1,y1,Image,x2,y2\n167,56,/data3/csv/p_001.jpg,200,54\n161,59,/data3/csv/p_002_r.jpg,NaN,nan\n",
        "l,t,a,b,Image\r\n167, 56, 200.0, 5.4e1, /data3/csv/p_001.jpg\r\n\r\n161,59,NA,,/data3/csv/p_002_r.jpg\r\n",
        "\ufeff" + BEETLE.rstrip("\n"),
        "x1,y1,x2,y2,Image,,\n167,56,200,54,/data3/csv/p_001.jpg,,\n161,59,,,/data3/csv/p_002_r.jpg,,\n",
    ],
    ids=[
        "beetles",
        "nematodes",
        "image between",
        "other names, CRLF, blanks",
        "BOM, no final line end",
        "empty columns",
    ],
)
def test_a_file_means_pixels_of_the_picture_y_down(tmp_path, text):
    first, second = read(tmp_path / "train_v10.csv", text)
    assert first.points.tolist() == [[167, 56], [200, 54]]
    assert (first.image, first.id) == ("/data3/csv/p_001.jpg", "001")
    assert (second.image, second.id) == ("/data3/csv/p_002_r.jpg", "002")
    assert second.points[0].tolist() == [161, 59]
    assert np.isnan(second.points[1]).all()


def test_columns_count_not_their_names(tmp_path):
    (one,) = read(tmp_path / "a.csv", "y1,x1,Image\n3,4,a1.png\n")
    assert one.points.tolist() == [[3, 4]]


def test_rows_with_missing_landmarks_are_kept_and_can_be_told(tmp_path):
    specimens = read(tmp_path / "a.csv", BEETLE)
    assert [one.id for one in ebnet_csv.complete(specimens)] == ["001"]


def test_rows_know_their_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x1,y1,Image\n\n1,2,a1.png\n\n3,4,a2.png\n")
    assert [(row.line, row.specimen.id) for row in ebnet_csv.rows(path)] == [(3, "1"), (5, "2")]


def test_a_pattern_finds_the_specimen(tmp_path):
    (one,) = read(tmp_path / "a.csv", "x1,y1,Image\n3,4,p_12_3.png\n", pattern=r"p_(\d+)")
    assert one.id == "12"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it; expected a header"),
        ("x1,y1\n1,2\n", r":1: 0 columns named Image \(x1,y1\); expected the columns x1,y1,x2,y2,... and Image; give"),
        ("x1,y1,image\n1,2,a1.png\n", r":1: 0 columns named Image"),
        ("Image,y1,Image\na1,2,a1.png\n", r":1: 2 columns named Image"),
        ("x1,y1,x2,Image\n1,2,3,a1.png\n", r":1: 3 columns beside Image; expected the columns x1"),
        ("Image\na1.png\n", r":1: 0 columns beside Image"),
        ("x1,y1,Image\n1,2,a1.png\n1,2\n", r":3: 2 cells; expected 3 as in the header; add"),
        ("x1,y1,Image\n1,2,3,a1.png\n", r":2: 4 cells; expected 3"),
        ("x1,y1,Image\n1,2,a1.png\n1,zwei,a1.png\n", r":3: 'zwei' in column y1; expected a number with a decimal poi"),
        ("x1,y1,Image\n1,inf,a1.png\n", r":2: 'inf' in column y1; expected a number"),
        ("x1,y1,Image\n1,,a1.png\n", r":2: landmark 1 is missing in one coordinate only; expected x and y, or neither"),
        ("x1,y1,x2,y2,Image\n1,2,nan,4,a1.png\n", r":2: landmark 2 is missing in one coordinate only"),
        ("x1,y1,Image\n1,2,\n", r":2: no name in column Image; write"),
        ("x1,y1,Image\n1\0,2,a1\n", r": binary data or UTF-16 text; expected a CSV file"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "train_v10.csv"
    with pytest.raises(UserError, match=message) as error:
        read(path, text)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_name_without_the_pattern_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"a\.csv:2: no 'x\(\\d\)' in the picture's name 'p_1\.png'; expected"):
        read(tmp_path / "a.csv", "x1,y1,Image\n3,4,p_1.png\n", pattern=r"x(\d)")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"b\.csv: cannot be opened \(No such file"):
        ebnet_csv.load(tmp_path / "b.csv")


# --- writing ---


def test_a_file_is_written_as_the_programs_read_it(tmp_path):
    path = tmp_path / "test_v10.csv"
    specimens = [
        Landmarks([[167.0, 56.0], [0.1, -3.25]], "/d/p_001.jpg", "1"),
        Landmarks([[NAN, NAN], [1.0, 2.0]], "a,b 2.jpg"),
    ]
    ebnet_csv.save(path, specimens)
    assert path.read_bytes() == b'x1,y1,x2,y2,Image\n167,56,0.1,-3.25,/d/p_001.jpg\n,,1,2,"a,b 2.jpg"\n'
    table = pd.read_csv(path)
    assert table.columns[-1] == "Image"
    assert table.dropna()["Image"].tolist() == ["/d/p_001.jpg"]
    ebnet_csv.save(path, specimens, image_first=True)
    assert path.read_bytes() == b'Image,x1,y1,x2,y2\n/d/p_001.jpg,167,56,0.1,-3.25\n"a,b 2.jpg",,,1,2\n'
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


NAMES = st.text(string.ascii_letters + string.digits + " _-.,+'\"éµ()", min_size=1).filter(
    lambda name: name == name.strip() and identity(name)
)
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-300, 3300).map(float)
POINT = st.tuples(COORDINATE, COORDINATE) | st.just((NAN, NAN))


@given(data=st.data(), n_landmarks=st.integers(1, 5), image_first=st.booleans())
def test_what_is_written_reads_back_to_the_last_bit(tmp_path_factory, data, n_landmarks, image_first):
    drawn = data.draw(
        st.lists(st.tuples(NAMES, st.lists(POINT, min_size=n_landmarks, max_size=n_landmarks)), min_size=1, max_size=4)
    )
    specimens = [Landmarks(points, name) for name, points in drawn]
    path = tmp_path_factory.getbasetemp() / "round-trip.csv"
    ebnet_csv.save(path, specimens, image_first=image_first)
    again = ebnet_csv.load(path)
    assert [one.image for one in again] == [name for name, _ in drawn]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_array_equal(other.points, one.points)
    ebnet_csv.save(path, again, image_first=image_first)
    assert [one.id for one in ebnet_csv.load(path)] == [one.id for one in again]
    assert ebnet_csv.recognises(path)


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], "no specimens; expected specimens with the same landmarks"),
        ([Landmarks([], "a1.png")], "0 landmarks; expected"),
        ([Landmarks([[1, 2]], "a1.png"), Landmarks([[1, 2], [3, 4]], "a2.png")], "1, 2 landmarks; expected"),
        ([Landmarks([[1, np.inf]], "a1.png")], "a1.png: an infinite coordinate"),
        ([Landmarks([[1, 2]], id="1")], "ID=1: no name of a picture"),
        ([Landmarks([[1, 2]], "a\n1.png")], "a picture's name that a CSV file cannot hold"),
        ([Landmarks([[1, 2]], " a1.png")], "a picture's name that a CSV file cannot hold"),
        ([Landmarks([[1, 2]], "a\udc801.png")], "a picture's name that a CSV file cannot hold"),
        ([Landmarks([[1, 2]], "p_12.png", "3")], r"p_12.png \(ID=3\): the ID 3, which would be read as 12; expected"),
    ],
)
def test_what_cannot_be_held_is_refused_and_the_old_file_stays(tmp_path, specimens, message):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(UserError, match=message):
        ebnet_csv.save(path, specimens)
    assert path.read_text() == "old"


# --- telling it from other CSV files ---


@pytest.mark.parametrize(
    "text",
    [
        "image,id,landmark,x,y,confidence\na.jpg,1,1,2.000,3.000,0.9\n",
        "Image,Landmark,x1,y1,x2,y2\n1,1,2,3,4,5\n",
        "Image,species,site\na.jpg,carabus,Bordeaux\n",
        "x1,y1\n1,2\n",
        "Image,x1,y1\n",
        "Image\na.jpg\n",
        "",
        "\x89PNG\r\n\x1a\n\0\0\0",
    ],
)
def test_other_tables_are_not_taken_for_landmarks(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    assert not ebnet_csv.recognises(path)


def test_its_files_are_recognised(tmp_path):
    path = tmp_path / "a.CSV"
    for text in (BEETLE, NEMATODE, "\ufeff" + BEETLE, "x1,y1,Image\nNaN,,a.png\n"):
        path.write_text(text, encoding="utf-8")
        assert ebnet_csv.recognises(path)
        assert formats.of(path).fits(path)
    assert not ebnet_csv.recognises(tmp_path / "nothing.csv")
    assert not ebnet_csv.recognises(tmp_path)
