import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import nts
from pronotum.landmarks import Landmarks

NAN = float("nan")
SIZES = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}
SPECIMENS = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0.0, 0.0]], "a.jpg", "001", 0.0125),
    Landmarks([[834.56789, 0.1], [3.0, 4.0], [5.0, 6.0]], "b.jpg", "002"),
)
WRITTEN = """\
" landmarks in px, y up from the bottom edge of the photograph
1 2L 6 1 -999 DIM=2
a.jpg
b.jpg
10.5 459.75 -999 -999 0 480
834.56789 999.9 3 996 5 994
"""
LANDMARK_EDITOR = """\
" landmarks in px, y up from the bottom edge of the photograph
1 2L 6 1 9999 DIM=2

a.jpg
b.jpg

10.5 459.75
9999 9999
0 480

834.56789 999.9
3 996
5 994
"""


def read(path, text, sizes=None):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return nts.load(path, sizes)


# --- writing ---


@pytest.mark.parametrize(("name", "text"), [("a.nts", WRITTEN), ("a.DTA", LANDMARK_EDITOR)])
def test_a_file_is_as_geomorph_reads_it(tmp_path, name, text):
    """Both texts were read by readland.nts of geomorph, the second by Morpho's read.lmdta as well; see the docs."""
    nts.save(tmp_path / name, SPECIMENS, SIZES)
    assert (tmp_path / name).read_bytes() == text.encode()
    first, second = nts.load(tmp_path / name, SIZES)
    np.testing.assert_allclose(first.points, SPECIMENS[0].points)
    np.testing.assert_allclose(second.points, SPECIMENS[1].points)
    assert (first.image, first.id) == ("a.jpg", "")


def test_a_complete_matrix_has_no_code(tmp_path):
    nts.save(tmp_path / "a.nts", [Landmarks([[1, -2], [3, -4]], id="s1")])
    assert (tmp_path / "a.nts").read_text().splitlines()[1:] == ["1 1L 4 0 DIM=2", "s1", "1 2 3 4"]


def test_no_coordinate_contains_the_code(tmp_path):
    """geomorph searches for the code as a part of each number."""
    nts.save(tmp_path / "a.nts", [Landmarks([[-999.5, -2], [NAN, NAN], [3, 9999]], id="s1")], lambda _: (1, 0))
    assert (tmp_path / "a.nts").read_text().splitlines()[1:] == [
        "1 1L 6 1 -99999 DIM=2",
        "s1",
        "-999.5 2 -99999 -99999 3 -9999",
    ]
    (one,) = nts.load(tmp_path / "a.nts")
    np.testing.assert_array_equal(one.points, [[-999.5, -2], [NAN, NAN], [3, 9999]])


def test_morphops_reads_a_dta_file(tmp_path):
    io = pytest.importorskip("morphops.io", reason="morphops reads files of Landmark Editor")
    nts.save(tmp_path / "a.dta", SPECIMENS, SIZES)
    points, names = io.read_dta(tmp_path / "a.dta")
    assert names == ["a.jpg", "b.jpg"]
    # It does not interpret the code.
    np.testing.assert_array_equal(points[0], [[10.5, 459.75], [9999, 9999], [0, 480]])
    np.testing.assert_array_equal(points[1], [[834.56789, 999.9], [3, 996], [5, 994]])


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], r"a\.nts: no specimens"),
        (
            [Landmarks([[1, -2]], "Md 054.jpg")],
            r"a\.nts: the name 'Md 054\.jpg'; expected names without blanks, commas",
        ),
        ([Landmarks([[1, -2]], id='a"b')], r"the name 'a\"b'"),
        ([Landmarks([[1, -2]], "a.jpg"), Landmarks([[1, -2]], "a.jpg")], r"a\.jpg twice"),
        ([Landmarks([[1, 2]], "a.jpg")], r"a\.jpg: landmarks counted from the top edge .* because NTS counts from"),
    ],
)
def test_what_cannot_be_held_is_refused_and_the_old_file_stays(tmp_path, specimens, message):
    path = tmp_path / "a.nts"
    path.write_text("old")
    with pytest.raises(UserError, match=message):
        nts.save(path, specimens)
    assert path.read_text() == "old"


def test_specimens_on_one_photograph_are_told_apart_by_both_names(tmp_path):
    keys = (("a.jpg", "l"), ("a.jpg", "r"), ("b.jpg", "l"))
    nts.save(tmp_path / "a.nts", [Landmarks([[1, -2], [3, -4]], *key) for key in keys])
    assert [one.id for one in nts.load(tmp_path / "a.nts")] == ["a.jpg_l", "a.jpg_r", "b.jpg_l"]


# --- reading ---

# The same two specimens in every way the parameter line can announce them.
SAME = {
    "listed": "1 2L 4 0 DIM=2\ns1 s2\n1 2 3 4\n5 6 7 8\n",
    "no dimension first": "1 2l 4 0 dim=2\ns1,s2\n1,2,3,4,5,6,7,8",
    "remarks": '"remark: don\'t care\n\'another\n\n 1 2L 4 0 DIM=2 " inline\n\ns1\ns2 "both\n1 2 3 4\n5 6 7 8\n\x1a',
    "beginning": "1 2B 4 0 DIM=2\r\ns1 1 2 3 4\r\ns2 5 6\r\n7 8\r\n",
    "end": "1 2E 4 0 DIM=2\n1 2 3 4 s1\n5 6 7 8 s2\n",
    "columns": "1 2L 4L 0 DIM=2\ns1 s2\nx1 y1 x2 y2\n1 2 3 4\n5 6 7 8\n",
    "columns and beginning": "1 2B 4L 0 DIM=2\nx1 y1 x2 y2\ns1 1 2 3 4\ns2 5 6 7 8\n",
    "code": "1 2L 4 1 -999 DIM=2\ns1 s2\n1 2 3 4\n5 6 7 8\n",
    "code behind": "1 2L 4 1 DIM=2 9999\ns1 s2\n1 2 3 4\n5 6 7 8\n",
    "Landmark Editor": "'by hand\n\n1 2L 4 1 9999 Dim=2\n\ns1\ns2\n\n1.0 2.0\n3 4\n\n5 6\n7 8\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_every_kind_of_parameter_line(tmp_path, text):
    first, second = read(tmp_path / "a.nts", text, {"s2": (10, 10)})
    assert (first.id, second.id) == ("s1", "s2")
    assert first.points.tolist() == [[1, -2], [3, -4]]
    assert second.points.tolist() == [[5, 4], [7, 2]]


def test_labels_one_a_line_may_have_blanks(tmp_path):
    text = "1 2L 4 1 9999 Dim=2\n\nHomo sapiens 1\nMd 054.jpg\n\n1 2\n3 4\n\n5 6\n9999 9999\n"
    first, second = read(tmp_path / "a.dta", text, {"Md 054.jpg": (10, 10)})
    assert (first.id, second.image) == ("Homo sapiens 1", "Md 054.jpg")
    np.testing.assert_array_equal(second.points, [[5, 4], [NAN, NAN]])


def test_missing_is_the_code_or_na_and_nothing_else(tmp_path):
    text = "1 2L 4 1 -999.0 DIM=2\na b\nNA NA -999 -9.99e2\n-1 -1 9999 999\n"
    first, second = read(tmp_path / "a.nts", text)
    assert np.isnan(first.points).all()
    assert second.points.tolist() == [[-1, 1], [9999, -999]]


def test_without_labels_rows_are_numbered(tmp_path):
    found = read(tmp_path / "a.nts", "1 2 4 0 DIM=2\n1 2 3 4\n5 6 7 8\n")
    assert [one.id for one in found] == ["1", "2"]


def test_a_file_with_one_landmark_a_row_is_one_specimen(tmp_path):
    """geomorph's digit.fixed writes so; with labels two columns are specimens of one landmark."""
    (one,) = read(tmp_path / "skull 7.nts", '"skull 7\n1 3 2 0 DIM=2\n1 2\n3 4\n5 6\n', {"skull 7": (9, 10)})
    assert (one.id, one.points.tolist()) == ("skull 7", [[1, 8], [3, 6], [5, 4]])
    assert len(read(tmp_path / "a.nts", "1 3L 2 0 DIM=2\na b c\n1 2\n3 4\n5 6\n")) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": nothing in it; expected a line as 1 20L 16 0 DIM=2"),
        ('"only a remark\n', r": nothing in it"),
        ("LM=3\n", r":1: 'LM=3'; expected a line as 1 20L 16 0 DIM=2 or 1 20L 16 1 -999 DIM=2; correct the parameter"),
        ('" remark\n2 4 4 0 DIM=2\n', r":2: a matrix of kind 2; expected 1, a rectangular matrix"),
        ("1 2 4 0\n", r":1: no DIM=; expected DIM=2"),
        ("1 2 6 0 DIM=3\n", r":1: landmarks in 3 dimensions; expected landmarks on photographs, DIM=2"),
        ("1 2 5 0 DIM=2\n", r":1: 2 rows and 5 columns; expected at least one row, and two columns for each landmark"),
        ("1 0 4 0 DIM=2\n", r":1: 0 rows and 4 columns"),
        ("1 2 4 1 DIM=2\n", r":1: '1'; expected 0 for a complete matrix, or 1 and the code for what is missing"),
        ("1 2 4 0 -999 DIM=2\n", r":1: '0 -999'; expected 0 for a complete"),
        ("1 2 4 1 NA DIM=2\n", r":1: '1 NA'"),
        ("1 2 4B 0 DIM=2\n", r":1: labels of columns of kind B; expected none, or L"),
        ("1 2 4 0 DIM=2\n1 2 3 4\n5 6 7\n", r":1: 7 words after the parameter line; expected 8: 2 rows of 4 numbers;"),
        (
            "1 2L 4 0 DIM=2\ns 1 s 2\n1 2 3 4\n5 6 7 8\n",
            r":1: 12 words .* expected 10: 2 rows of 4 numbers with labels",
        ),
        ("1 999999999L 4 0 DIM=2\ns 1\n", r":1: 2 words after the parameter line; expected 4999999995"),
        ("1 2 4 0 DIM=2\n1 2 3 4\n5 6 x 8\n", r":3: 'x'; expected a number with a decimal point"),
        ("1 1 4 0 DIM=2\n1 2 3 1e999\n", r":2: '1e999'"),
        ("1 1 4 1 -999 DIM=2\n1 2 3 -999\n", r":2: landmark 2 is missing in one coordinate only"),
        ("1 2L 4 0 DIM=2\ns s\n1 2 3 4 5 6 7 8\n", r":3: ID=s again, as in"),
        ("1 1L 4L 0 DIM=2\ns\nx1 x2 y1 y2\n1 2 3 4\n", r":1: columns in the order x1 x2 y1 y2"),
        ("1\0", r": binary data or UTF-16 text"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "a.nts"
    with pytest.raises(UserError, match=message) as error:
        read(path, text)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"b\.nts: cannot be opened"):
        nts.load(tmp_path / "b.nts")


# --- round trips and wreckage ---

TEXT = st.text(string.ascii_letters + string.digits + "_-.éµ=", min_size=1)
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-10000, 10000).map(float)
POINT = st.tuples(COORDINATE, COORDINATE) | st.just((NAN, NAN))


@given(
    data=st.data(), n_landmarks=st.integers(1, 5), height=st.integers(1, 5000), suffix=st.sampled_from([".nts", ".dta"])
)
def test_what_is_written_reads_back(tmp_path_factory, data, n_landmarks, height, suffix):
    path: Path = tmp_path_factory.getbasetemp() / f"round-trip{suffix}"
    points = st.lists(POINT, min_size=n_landmarks, max_size=n_landmarks)
    images = data.draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    specimens = [Landmarks(data.draw(points), f"{image}.jpg") for image in images]
    nts.save(path, specimens, lambda _: (height, height))
    again = nts.load(path, lambda _: (height, height))
    assert formats.of(path).name == "nts"
    assert nts.recognises(path)
    assert [(one.image, one.id) for one in again] == [(one.image, "") for one in specimens]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-6)


@given(
    content=st.binary(max_size=200)
    | st.sampled_from([text.encode() for text in (WRITTEN, LANDMARK_EDITOR, *SAME.values())]),
    at=st.integers(0, 250),
    gone=st.integers(0, 60),
    new=st.binary(max_size=4),
)
def test_no_bytes_are_met_with_anything_but_an_error_for_the_user(tmp_path_factory, content, at, gone, new):
    path = tmp_path_factory.getbasetemp() / "wreck.nts"
    path.write_bytes(content[:at] + new + content[at + gone :])
    assert nts.recognises(path) in (True, False)
    message = ""
    try:
        assert len(nts.load(path, SIZES))
    except UserError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"<stata_dta><header>", b"\x72\x02\x01\0", b"1 4 4 0\n", b"LM=3\n1 2\n"])
def test_other_files_are_not_taken_for_landmarks(tmp_path, content):
    path = tmp_path / "a.dta"
    path.write_bytes(content)
    assert not nts.recognises(path)
    assert not nts.recognises(tmp_path / "nothing.dta")
    assert not nts.recognises(tmp_path)
