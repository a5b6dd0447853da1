import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import tps, wide_csv
from pronotum.landmarks import Landmarks

NAN = float("nan")
SIZES = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}
SPECIMENS = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0.0, 0.0]], "a.jpg", "001", 0.0125),
    Landmarks([[834.56789, 0.1], [3.0, 4.0], [5.0, 6.0]], "b.jpg", "b,2"),
)
WRITTEN = """\
image,id,scale,origin,X1,Y1,X2,Y2,X3,Y3
a.jpg,001,0.0125,bottom-left,10.5,459.75,,,0,480
b.jpg,"b,2",,bottom-left,834.56789,999.9,3,996,5,994
"""
# What R 4.2 writes for two.d.array of geomorph, with and without names of landmarks, and read and written once more.
GEOMORPH = '"","1.X","1.Y","2.X","2.Y"\n"a.jpg",10.5,459.75,NA,NA\n"b.jpg",834.5,999,3,996\n'
GEOMORPH_UNNAMED = GEOMORPH.replace("1.X", "V1").replace("1.Y", "V2").replace("2.X", "V3").replace("2.Y", "V4")
R_AGAIN = '"","X","X1","Y1","X2","Y2"\n"1","a.jpg",10.5,459.75,NA,NA\n"2","b.jpg",834.5,999,3,996\n'
# ml-morph: what its read_csv takes (y as tpsDig has it), and what it writes from dlib's answers (y down).
ML_MORPH = "id,X0,Y0,X1,Y1\na.jpg,10.5,459.75,,\nb.jpg,834.5,999,3,996\n"
ML_MORPH_ANSWERS = (
    "id,box_id,box_top,box_left,box_width,box_height,X0,Y0,X1,Y1\n"
    "./test/a.jpg,1_1_638_478,1.0,1.0,638.0,478.0,10.0,20.0,3.0,4.0\n"
    "./test/b.jpg,1_1_98_98,1.0,1.0,98.0,98.0,11.0,21.0,4.0,5.0\n"
    "./test/b.jpg,99_1_98_98,99.0,1.0,98.0,98.0,12.0,22.0,5.0,6.0\n"
)


def read(path, text, sizes=None):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return wide_csv.load(path, sizes)


def stating(text, origin):
    """The table with a column origin behind the others."""
    head, *rows = text.splitlines()
    return "\n".join([f"{head},origin", *(f"{row},{origin}" for row in rows)])


# --- writing ---


def test_a_table_has_the_numbers_of_the_tps_file_and_says_so(tmp_path):
    wide_csv.save(tmp_path / "a.csv", SPECIMENS, SIZES)
    assert (tmp_path / "a.csv").read_bytes() == WRITTEN.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    tps.save(tmp_path / "a.tps", SPECIMENS, SIZES)
    in_tps = tps.read(tmp_path / "a.tps").records
    table = pd.read_csv(tmp_path / "a.csv", dtype={"id": str})
    for record, row in zip(in_tps, table.iloc[:, 4:].to_numpy(), strict=True):
        np.testing.assert_array_equal(row.reshape(-1, 2), record.points)
    assert table["id"].tolist() == ["001", "b,2"]


def test_names_of_landmarks_are_titles(tmp_path):
    one = Landmarks([[1, 2], [3, 4]], "a.jpg", names=("apex", "left 1"))
    wide_csv.save(tmp_path / "a.csv", [one], SIZES)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "image,id,scale,origin,apex.X,apex.Y,left 1.X,left 1.Y"


def test_r_takes_it_for_an_array(rscript, tmp_path):
    """The reshaping is that of geomorph's arrayspecs(table[, -(1:4)], 3, 2)."""
    wide_csv.save(tmp_path / "a.csv", SPECIMENS, SIZES)
    code = 'd <- read.csv("a.csv"); A <- aperm(array(t(d[, -(1:4)]), c(2, 3, nrow(d))), c(2, 1, 3)); '
    code += 'options(digits = 15); cat(dim(A), A[, , 1], A[, , 2], d$image, d$id, d$origin, sep = "\\n")'
    out = rscript("-e", code, cwd=tmp_path)
    assert out.split("\n")[:9] == ["3", "2", "2", "10.5", "NA", "0", "459.75", "NA", "480"]
    assert out.split("\n")[9:15] == ["834.56789", "3", "5", "999.9", "996", "994"]
    assert out.split("\n")[15:21] == ["a.jpg", "b.jpg", "001", "b,2", "bottom-left", "bottom-left"]


@pytest.mark.parametrize(
    ("specimens", "sizes", "message"),
    [
        ([], SIZES, r"a\.csv: no specimens; expected specimens with at least one landmark"),
        ([Landmarks([], "a.jpg")], SIZES, r"a\.csv: specimens without landmarks"),
        (
            [SPECIMENS[0], Landmarks([], "c.jpg"), SPECIMENS[1]],
            SIZES,
            r"a\.csv: c\.jpg with 0 landmarks; expected 3 as others have, because all rows of a table have the same co",
        ),
        ([SPECIMENS[0], SPECIMENS[0]], SIZES, r"specimen 2: a\.jpg \(ID=001\) again, as in specimen 1; expected each"),
        ([Landmarks([[1, 2]])], SIZES, r"specimen 1: neither photograph nor ID"),
        ([Landmarks([[1, np.inf]], "a.jpg")], SIZES, r"a\.jpg: an infinite coordinate"),
        ([Landmarks([[1, 2]], "a\n.jpg")], SIZES, r"a photograph's name or an ID that a table cannot hold"),
        ([Landmarks([[1, 2]], "a.jpg", "a ")], SIZES, r"a photograph's name or an ID that a table cannot hold"),
        ([Landmarks([[1, 2]], "a\ud800.jpg")], SIZES, r"a photograph's name or an ID that a table cannot hold"),
        ([Landmarks([[1, 2]], "a.jpg", names=("a\tb",))], SIZES, r"a landmark named 'a\\tb', which a table cannot"),
        ([Landmarks([[1, 2]] * 2, "a.jpg", names=("a", "a"))], SIZES, r"a landmark named 'a' twice; rename"),
        (
            [Landmarks([[1, 2]], "a.jpg", names=("a",)), Landmarks([[1, 2]], "b.jpg", names=("b",))],
            SIZES,
            r"landmarks named a \.\.\. and others named b \.\.\.; expected the same names",
        ),
        (
            [Landmarks([[1, 2]], "a.jpg"), Landmarks([[1, -2]], "b.jpg")],
            None,
            r"^a\.jpg: landmarks counted from the top edge of a photograph whose height is not known; expected its "
            r"height, because this table counts from the bottom edge; name the folder of the photographs$",
        ),
    ],
)
def test_what_cannot_be_held_is_refused_and_the_old_file_stays(tmp_path, specimens, sizes, message):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(UserError, match=message) as error:
        wide_csv.save(path, specimens, sizes)
    assert "\n" not in str(error.value)
    assert path.read_text() == "old"


def test_without_heights_all_rows_count_from_the_top(tmp_path):
    path = tmp_path / "a.csv"
    given = [Landmarks([[1, 2.5]], "a.jpg"), Landmarks([[3, 0]], "b.jpg"), Landmarks([[np.nan] * 2], "c.jpg")]
    for sizes, numbers in ((None, "top-left,1,2.5"), ({"b.jpg": (9, 9)}, "top-left,1,2.5")):
        wide_csv.save(path, given, sizes)
        assert numbers in path.read_text()
        assert "bottom-left" not in path.read_text()
        for one, again in zip(given, wide_csv.load(path, sizes), strict=True):
            np.testing.assert_array_equal(again.points, one.points)
    below = [Landmarks([[1, 3], [1, -100]], "a.jpg")]  # one that lies below the bottom edge it is counted from
    with pytest.raises(UserError, match="height is not known"):
        wide_csv.save(path, below)


# --- reading ---


@pytest.mark.parametrize(
    "text", [GEOMORPH, GEOMORPH_UNNAMED, R_AGAIN, ML_MORPH], ids=["geomorph", "V", "again", "mlmorph"]
)
def test_tables_of_other_programs_are_read_once_they_say_where_y_starts(tmp_path, text):
    path = tmp_path / "a.csv"
    first, second = read(path, stating(text, "bottom-left"), SIZES)
    np.testing.assert_array_equal(first.points, [[10.5, 20.25], [NAN, NAN]])
    np.testing.assert_array_equal(second.points, [[834.5, 1], [3, 4]])
    assert [(one.image, one.id, one.names) for one in (first, second)] == [("a.jpg", "", ()), ("b.jpg", "", ())]
    first, second = read(path, stating(text, "Top Left"), SIZES)
    np.testing.assert_array_equal(first.points, [[10.5, 459.75], [NAN, NAN]])
    np.testing.assert_array_equal(second.points, [[834.5, 999], [3, 996]])
    with pytest.raises(
        UserError, match=r"a\.csv:1: nothing that says from which edge y counts; expected a column origin; add it, with"
    ):
        read(path, text, SIZES)


def test_without_the_height_y_is_counted_from_the_bottom_edge(tmp_path):
    first, _ = read(tmp_path / "a.csv", stating(ML_MORPH, "bottom-left"))
    np.testing.assert_array_equal(first.points, [[10.5, -459.75], [NAN, NAN]])


def test_answers_of_ml_morph_count_from_the_top_and_may_share_a_photograph(tmp_path):
    found = read(tmp_path / "a.csv", ML_MORPH_ANSWERS, {"a.jpg": (640, 480)})
    assert [(one.image, one.id) for one in found] == [
        ("./test/a.jpg", ""),
        ("./test/b.jpg", "1_1_98_98"),
        ("./test/b.jpg", "99_1_98_98"),
    ]
    assert found[0].points.tolist() == [[10, 20], [3, 4]]
    assert found[2].points.tolist() == [[12, 22], [5, 6]]


def test_rows_may_count_from_different_edges(tmp_path):
    text = (
        "species,id,origin,apex_x,apex_y,Image,scale\nC. auratus,7,bottom-left,1,2,a.jpg,0.5\n,8,top-left,3,4,a.jpg,\n"
    )
    first, second = read(tmp_path / "a.csv", text, SIZES)
    assert (first.points.tolist(), first.image, first.id, first.scale) == ([[1, 478]], "a.jpg", "7", 0.5)
    assert (second.points.tolist(), second.id, second.scale, second.names) == ([[3, 4]], "8", None, ("apex",))


def test_columns_may_stand_in_any_order(tmp_path):
    (one,) = read(tmp_path / "a.csv", "id,X0,X1,Y0,Y1,origin\na.jpg,1,2,3,4,top-left\n")
    assert one.points.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": nothing in it"),
        ("id,origin\na,top-left\n", r":1: no columns of coordinates; expected X1,Y1,X2,Y2"),
        ("X1,Y1,origin\n1,2,top-left\n", r":1: no column image or id; add one that names the photographs"),
        ("id,X1,Y1,origin\n", r": no specimens"),
        ("id,X1,Y1,Z1,origin\na,1,2,3,top-left\n", r":1: a column Z1: landmarks in three dimensions"),
        ("id,X1,Y1,X2,origin\na,1,2,3,top-left\n", r":1: landmark 2 with x but without y"),
        ("id,ID,X1,Y1,origin\na,a,1,2,top-left\n", r":1: two columns ID"),
        ("id,X1,Y1,origin\na,1,2,left\n", r":2: 'left' in column origin; expected bottom-left or top-left; fill it in"),
        ("id,X1,Y1,origin\na,1,2,\n", r":2: nothing in column origin"),
        ("id,X1,Y1,origin\n,1,2,top-left\n", r":2: neither photograph nor ID"),
        (
            "id,X1,Y1,origin\na,1,2,top-left\na,1,2,top-left\n",
            r":3: ID=a again, as in .*; expected each photograph",
        ),
        ("id,X1,Y1,origin\na,1,,top-left\n", r":2: landmark 1 is missing in one coordinate only; expected x and y"),
        ("id,X1,Y1,origin\na,1,inf,top-left\n", r":2: 'inf' in column Y1; expected a number with a decimal point"),
        ("id,X1,Y1,origin\na,1,zwei,top-left\n", r":2: 'zwei' in column Y1"),
        ("id,X1,Y1,origin\na,1\n", r":2: 2 cells; expected 4"),
        ("id,X1,Y1,scale,origin\na,1,2,-1,top-left\n", r":2: a scale of -1; expected a positive number"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "a.csv"
    with pytest.raises(UserError, match=message) as error:
        read(path, text)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"b\.csv: cannot be opened"):
        wide_csv.load(tmp_path / "b.csv")


# --- round trips and wreckage ---

TEXT = st.text(string.ascii_letters + string.digits + " _-.,;\"'éµ=", min_size=1).filter(
    lambda name: name == name.strip()
)
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-300, 3300).map(float)
POINT = st.tuples(COORDINATE, COORDINATE) | st.just((NAN, NAN))


@given(data=st.data(), n_landmarks=st.integers(1, 5), height=st.integers(1, 5000))
def test_what_is_written_reads_back(tmp_path_factory, data, n_landmarks, height):
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
    wide_csv.save(path, specimens, lambda _: (height, height))
    again = wide_csv.load(path, lambda _: (height, height))
    assert wide_csv.recognises(path)
    assert [(one.image, one.id, one.scale, one.names) for one in again] == [
        (one.image, one.id, one.scale, one.names) for one in specimens
    ]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-6)


GOLDEN = st.sampled_from([text.encode() for text in (WRITTEN, stating(GEOMORPH, "bottom-left"), ML_MORPH_ANSWERS)])


@given(
    content=st.binary(max_size=200) | GOLDEN, at=st.integers(0, 400), gone=st.integers(0, 60), new=st.binary(max_size=4)
)
def test_no_bytes_are_met_with_anything_but_an_error_for_the_user(tmp_path_factory, content, at, gone, new):
    path = tmp_path_factory.getbasetemp() / "wreck.csv"
    path.write_bytes(content[:at] + new + content[at + gone :])
    assert wide_csv.recognises(path) in (True, False)
    message = ""
    try:
        assert len(wide_csv.load(path, SIZES))
    except UserError as error:
        message = str(error)
    assert "\n" not in message


# --- telling it from other CSV files ---


@pytest.mark.parametrize(
    "text",
    [
        "x1,y1,x2,y2,Image\n167,56,200,54,/data3/csv/p_001.jpg\n",
        "Image,x1,y1\n1,2,3\n",
        "image,id,landmark,x,y\na.jpg,1,1,2,3\n",
        "scorer,me,me\nbodyparts,apex,apex\ncoords,x,y\n",
        "id,centre_x,centre_y\na,1,2\n",
        ",V1,V2\na,1,2\n",
        "id,X1,Y1\na,one,two\n",
        "id,X1,X2\na,1,2\n",
        " ,Label,X,Y\n1,a.jpg,2,3\n",
        "id,X1,Y1\n",
        "X1,Y1\n1,2\n",
        "",
        "\x89PNG\r\n\x1a\n\0\0\0",
    ],
)
def test_other_tables_are_not_taken_for_landmarks(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    assert not wide_csv.recognises(path)


def test_its_files_are_recognised(tmp_path):
    path = tmp_path / "a.CSV"
    texts = (WRITTEN, GEOMORPH, stating(GEOMORPH_UNNAMED, "top-left"), R_AGAIN, ML_MORPH, ML_MORPH_ANSWERS)
    for text in (*texts, "\ufeff" + ML_MORPH, "Image,x1,y1,origin\na.jpg,2,3,top-left\n"):
        path.write_text(text, encoding="utf-8")
        assert formats.of(path).name == "csv"
    assert not wide_csv.recognises(tmp_path / "nothing.csv")
    assert not wide_csv.recognises(tmp_path)
