import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import predictions, tidy_csv
from pronotum.landmarks import Landmarks

NAN = float("nan")
SPECIMENS = (
    Landmarks([[10.5, 20.25], [NAN, NAN]], "a.jpg", "001", 0.0125, ("apex", "left 1")),
    Landmarks([[834.56789, -0.1], [3.0, 4.0]], "a.jpg", "b,2", None, ("apex", "left 1")),
)
WRITTEN = """\
image,id,landmark,x,y,scale
a.jpg,001,apex,10.5,20.25,0.0125
a.jpg,001,left 1,,,0.0125
a.jpg,"b,2",apex,834.56789,-0.1,
a.jpg,"b,2",left 1,3,4,
"""
# In the columns that `pronotum predict` writes.
PREDICTIONS = (
    ",".join(predictions.COLUMNS)
    + "\na.jpg,0,1,1.000,2.000,0.9812,0.9900,1.20,2.50,3.10,,,,,"
    + "\na.jpg,0,2,,,,0.1000,,,,,,,hidden,landmark 2 is not seen\n"
)


def read(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tidy_csv.load(path)


def test_a_table_has_a_row_per_landmark_in_our_frame(tmp_path):
    tidy_csv.save(tmp_path / "a.csv", SPECIMENS)
    assert (tmp_path / "a.csv").read_bytes() == WRITTEN.encode()
    table = pd.read_csv(tmp_path / "a.csv").pivot(index=["image", "id"], columns="landmark", values=["x", "y"])
    assert table.loc[("a.jpg", "b,2"), ("x", "apex")] == 834.56789
    assert np.isnan(table.loc[("a.jpg", "001"), ("y", "left 1")])


def test_without_scales_and_names_there_are_no_scales_and_numbers(tmp_path):
    tidy_csv.save(tmp_path / "a.csv", [Landmarks([[1, 2], [3, 4]], "a.jpg")])
    assert (tmp_path / "a.csv").read_bytes() == b"image,id,landmark,x,y\na.jpg,,1,1,2\na.jpg,,2,3,4\n"


def test_predictions_are_read_when_asked_for_and_never_taken_for_landmarks_of_a_person(tmp_path):
    path = tmp_path / "predictions.csv"
    (one,) = read(path, PREDICTIONS)
    assert (one.image, one.id, one.names, one.scale) == ("a.jpg", "0", (), None)
    np.testing.assert_array_equal(one.points, [[1, 2], [NAN, NAN]])
    assert formats.load(path, name="tidy-csv")[0].id == "0"
    assert not tidy_csv.recognises(path)


def test_rows_in_any_order_with_more_columns_and_fewer_names(tmp_path):
    text = "Y,X,site,Landmark,Image\n4,3,Rennes,2,b.jpg\n2,1,Rennes,1,b.jpg\n6,5,,1,a.jpg\nNA,nan,,2,a.jpg\n"
    first, second = read(tmp_path / "a.csv", text)
    assert (first.image, second.image) == ("b.jpg", "a.jpg")
    assert first.points.tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(second.points, [[5, 6], [NAN, NAN]])


@pytest.mark.parametrize(
    ("given", "names", "order"),
    [
        (("2", "10", "1"), ("2", "10", "1"), (0, 1, 2)),
        (("2", "3", "1"), (), (2, 0, 1)),
        (("1", "0"), (), (1, 0)),
        (("base", "apex"), ("base", "apex"), (0, 1)),
    ],
)
def test_numbers_from_0_or_1_give_the_order_and_no_names(tmp_path, given, names, order):
    rows = "".join(f"s,{name},{index},0\n" for index, name in enumerate(given))
    again = "".join(f"t,{name},{index},0\n" for index, name in reversed(list(enumerate(given))))
    for one in read(tmp_path / "a.csv", "id,landmark,x,y\n" + rows + again):
        assert one.names == names
        assert one.points[:, 0].tolist() == list(order)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": nothing in it"),
        ("image,id,landmark,x\na.jpg,1,1,2\n", r":1: no column y; expected the columns image,id,landmark,x,y; rename"),
        ("landmark,x,y\n1,1,2\n", r":1: no column image or id"),
        ("id,landmark,x,X,y\na,1,1,1,2\n", r":1: two columns x"),
        ("id,landmark,x,y,z\na,1,1,1,2\n", r":1: a column z: landmarks in three dimensions"),
        ("id,landmark,x,y\n", r": no specimens"),
        ("id,landmark,x,y\n,1,1,2\n", r":2: neither photograph nor ID"),
        ("id,landmark,x,y\na,,1,2\n", r":2: no landmark; fill it in"),
        (
            "id,landmark,x,y\na,1,1,2\na,1,3,4\n",
            r":3: landmark 1 of ID=a for the second time; expected each landmark of a specimen once \(before: line 2\)",
        ),
        (
            "id,landmark,x,y\na,1,1,2\na,2,3,4\nb,1,1,2\n",
            r":4: ID=b without landmark 2; expected the 2 landmarks of the first specimen; add what is missing; leave",
        ),
        ("id,landmark,x,y\na,1,1,2\nb,1,1,2\nb,3,1,2\n", r":3: ID=b with landmark 3; expected the 1 landmark of"),
        ("id,landmark,x,y\na,1,1,\n", r":2: landmark 1 is missing in one coordinate only"),
        ("id,landmark,x,y\na,1,1,two\n", r":2: 'two' in column y"),
        ("id,landmark,x,y\na,1,1,-inf\n", r":2: '-inf' in column y"),
        ("id,landmark,x,y\na,1,1\n", r":2: 3 cells; expected 4"),
        ("id,landmark,x,y,scale\na,1,1,2,0.1\na,2,1,2,0.2\n", r":3: a scale of 0.1 and another of 0.2; expected one"),
        ("id,landmark,x,y,scale\na,1,1,2,0\n", r":2: a scale of 0; expected one positive number"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "a.csv"
    with pytest.raises(UserError, match=message) as error:
        read(path, text)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], r"a\.csv: no specimens"),
        ([SPECIMENS[0], SPECIMENS[0]], r"specimen 2: a\.jpg \(ID=001\) again, as in"),
        ([Landmarks([[1, 2]])], r"specimen 1: neither photograph nor ID"),
        ([*SPECIMENS, Landmarks([], "b")], r"a\.csv: b with 0 landmarks; expected 2 as others have"),
    ],
)
def test_what_cannot_be_held_is_refused_and_the_old_file_stays(tmp_path, specimens, message):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(UserError, match=message):
        tidy_csv.save(path, specimens)
    assert path.read_text() == "old"


# --- round trips and wreckage ---

TEXT = st.text(string.ascii_letters + string.digits + " _-.,;\"'éµ=", min_size=1).filter(
    lambda name: name == name.strip()
)
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-300, 3300).map(float)
POINT = st.tuples(COORDINATE, COORDINATE) | st.just((NAN, NAN))


@given(data=st.data(), n_landmarks=st.integers(1, 5))
def test_what_is_written_reads_back(tmp_path_factory, data, n_landmarks):
    path = tmp_path_factory.getbasetemp() / "round-trip.csv"
    names = data.draw(st.just([]) | st.lists(TEXT, min_size=n_landmarks, max_size=n_landmarks, unique=True))
    if all(name.isdecimal() for name in names):  # landmarks that are numbers have no names
        names = []
    points = st.lists(POINT, min_size=n_landmarks, max_size=n_landmarks)
    scale = st.none() | st.floats(1e-6, 1e3)
    keys = data.draw(st.lists(st.tuples(TEXT, TEXT | st.just("")), min_size=1, max_size=4, unique=True))
    specimens = [
        Landmarks(data.draw(points), image, identity, data.draw(scale), tuple(names)) for image, identity in keys
    ]
    tidy_csv.save(path, specimens)
    again = tidy_csv.load(path)
    assert formats.of(path).name == "tidy-csv"
    assert [(one.image, one.id, one.scale, one.names) for one in again] == [
        (one.image, one.id, one.scale, one.names) for one in specimens
    ]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-6)


GOLDEN = st.sampled_from([WRITTEN.encode(), PREDICTIONS.encode()])


@given(
    content=st.binary(max_size=200) | GOLDEN, at=st.integers(0, 400), gone=st.integers(0, 60), new=st.binary(max_size=4)
)
def test_no_bytes_are_met_with_anything_but_an_error_for_the_user(tmp_path_factory, content, at, gone, new):
    path = tmp_path_factory.getbasetemp() / "wreck.csv"
    path.write_bytes(content[:at] + new + content[at + gone :])
    assert tidy_csv.recognises(path) in (True, False)
    message = ""
    try:
        assert len(tidy_csv.load(path))
    except UserError as error:
        message = str(error)
    assert "\n" not in message


# --- telling it from other CSV files ---


@pytest.mark.parametrize(
    "text",
    [
        "x1,y1,x2,y2,Image\n167,56,200,54,/data3/csv/p_001.jpg\n",
        "image,id,scale,origin,X1,Y1\na.jpg,1,,top-left,2,3\n",
        "landmark,x,y\n1,2,3\n",
        "id,landmark,x,y\n",
        " ,Label,X,Y\n1,a.jpg,2,3\n",
        "",
        "\x89PNG\r\n\x1a\n\0\0\0",
    ],
)
def test_other_tables_are_not_taken_for_landmarks(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    assert not tidy_csv.recognises(path)
    assert not tidy_csv.recognises(tmp_path / "nothing.csv")


def test_its_files_are_recognised(tmp_path):
    path = tmp_path / "a.csv"
    for text in (WRITTEN, "\ufeffID,Landmark,X,Y,sex\n1,apex,2,3,f\n"):
        path.write_text(text, encoding="utf-8")
        assert formats.of(path).name == "tidy-csv"
