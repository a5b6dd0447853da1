import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import morphoj
from pronotum.landmarks import Landmarks

NAN = float("nan")
SIZES = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}
SPECIMENS = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0.0, 0.0]], "a.jpg", "001", 0.0125),
    Landmarks([[834.56789, 0.1], [3.0, 4.0], [5.0, 6.0]], "b.jpg", "002"),
)
WRITTEN = "ID\tx1\ty1\tx2\ty2\tx3\ty3\na.jpg\t10.5\t459.75\tNA\tNA\t0\t480\nb.jpg\t834.56789\t999.9\t3\t996\t5\t994\n"
# After the user's guide: embedded blanks belong to the label, those around cells do not count.
GUIDE = "ID\tx1\ty1\tx2\ty2\nHomo sapiens f 025\t 1.5 \t2\t3\t4\nsp. 2\t5\t6\t7\t8\n"


def read(path, text, sizes=None):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return morphoj.load(path, sizes)


# --- writing ---


def test_a_file_is_as_the_guide_asks_for_it(tmp_path):
    morphoj.save(tmp_path / "a.txt", SPECIMENS, SIZES)
    assert (tmp_path / "a.txt").read_bytes() == WRITTEN.encode()


def test_the_label_is_what_tells_the_specimens_apart(tmp_path):
    path = tmp_path / "a.txt"

    def labels(*keys):
        morphoj.save(path, [Landmarks([[1, -2]], image, identity) for image, identity in keys])
        return [line.split("\t")[0] for line in path.read_text().splitlines()[1:]]

    assert labels(("a.jpg", "1"), ("b.jpg", "1")) == ["a.jpg", "b.jpg"]
    assert labels(("", "1"), ("", "2")) == ["1", "2"]
    assert labels(("a.jpg", "1"), ("a.jpg", "2")) == ["1", "2"]
    assert labels(("a.jpg", "left"), ("a.jpg", "right"), ("b.jpg", "left")) == [
        "a.jpg left",
        "a.jpg right",
        "b.jpg left",
    ]
    with pytest.raises(UserError, match=r"a\.txt: a\.jpg twice; expected a name for each specimen that no other has"):
        labels(("a.jpg", ""), ("a.jpg", ""))
    with pytest.raises(UserError, match=r"a\.txt: specimen 2 with neither photograph nor ID"):
        labels(("a.jpg", ""), ("", ""))


def test_r_reads_the_columns_as_numbers(rscript, tmp_path):
    morphoj.save(tmp_path / "a.txt", SPECIMENS, SIZES)
    code = 'd <- read.delim("a.txt", row.names = 1); cat(rownames(d), sapply(d, is.numeric), d$y1, d$x2, sep = "\\n")'
    assert rscript("-e", code, cwd=tmp_path).split() == ["a.jpg", "b.jpg", *["TRUE"] * 6, "459.75", "999.9", "NA", "3"]


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], r"a\.txt: no specimens"),
        ([Landmarks([[1, -2]], "a,b.jpg")], r"a\.txt: the name a,b\.jpg; expected names without commas and semicolons"),
        ([Landmarks([[1, -2]], "a.jpg", names=("a;b",))], r"the name a;b"),
        ([Landmarks([[1, 2]], "a.jpg")], r"a\.jpg: landmarks counted from the top edge .* because MorphoJ counts from"),
        ([Landmarks([[1, -2]], "a\t.jpg")], r"that a table cannot hold"),
    ],
)
def test_what_cannot_be_held_is_refused_and_the_old_file_stays(tmp_path, specimens, message):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UserError, match=message):
        morphoj.save(path, specimens)
    assert path.read_text() == "old"


# --- reading ---


@pytest.mark.parametrize(
    "text",
    [
        GUIDE,
        GUIDE.replace("\t", ";"),
        GUIDE.replace("\t", ","),
        GUIDE.replace("\n", "\r\n") + "\r\n\x1a",
        GUIDE.split("\n", 1)[1],
        GUIDE.replace("\n", "\t\t\n"),
        "\ufeff" + GUIDE.replace("x1\ty1\tx2\ty2", "RawCoord1\tRawCoord2\tRawCoord3\tRawCoord4"),
    ],
    ids=["tabs", "semicolons", "commas", "CRLF", "no titles", "empty columns", "other titles"],
)
def test_a_file_is_read_as_morphoj_does(tmp_path, text):
    first, second = read(tmp_path / "a.txt", text, {"sp. 2": (10, 10)})
    assert (first.image, first.id, second.id) == ("", "Homo sapiens f 025", "sp. 2")
    assert first.points.tolist() == [[1.5, -2], [3, -4]]
    assert second.points.tolist() == [[5, 4], [7, 2]]


def test_a_label_that_ends_like_a_picture_is_one(tmp_path):
    first, second = read(tmp_path / "a.txt", WRITTEN, SIZES)
    assert (first.image, first.id) == ("a.jpg", "")
    np.testing.assert_allclose(first.points, SPECIMENS[0].points)
    np.testing.assert_allclose(second.points, SPECIMENS[1].points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": nothing in it; expected a specimen a line"),
        ("ID x1 y1\na 1 2\n", r":1: 'ID x1 y1'; expected cells separated by tabs, commas or semicolons"),
        ("\nID\tx1\ty1\na\t1\n", r":3: 2 cells; expected 3 as in the first line"),
        ("ID\tx1\ty1\tx2\na\t1\t2\t3\n", r":1: 3 columns beside the label; expected x and y for each landmark"),
        (
            "ID\t1\t2\na\t1\t2\n",
            r":1: titles that are numbers, which MorphoJ takes for a specimen; expected titles as x1",
        ),
        ("ID\tx1\tx2\ty1\ty2\na\t1\t2\t3\t4\n", r":1: columns in the order x1 x2 y1 y2"),
        ("ID\tx1\ty1\tz1\tx2\ty2\tz2\na\t1\t2\t3\t4\t5\t6\n", r":1: a column z1: landmarks in three dimensions"),
        ("ID\tx1\ty1\n", r": no specimens"),
        ("ID\tx1\ty1\n\t1\t2\n", r":2: no label"),
        ("ID\tx1\ty1\na\t1\t2\na\t1\t2\n", r":3: ID=a again, as in"),
        ("ID\tx1\ty1\na\t1\tNA\n", r":2: landmark 1 is missing in one coordinate only"),
        ("ID\tx1\ty1\na\t1,5\t2\n", r":2: '1,5' in column x1; expected a number with a decimal point"),
        ("ID\tx1\ty1\na\t1e999\t2\n", r":2: '1e999' in column x1"),
        ("I\0D", r": binary data or UTF-16 text"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, text, message):
    path = tmp_path / "a.txt"
    with pytest.raises(UserError, match=message) as error:
        read(path, text)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"b\.txt: cannot be opened"):
        morphoj.load(tmp_path / "b.txt")


# --- round trips and wreckage ---

TEXT = st.text(string.ascii_letters + string.digits + " _-.\"'éµ=", min_size=1).filter(
    lambda name: name == name.strip()
)
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-300, 3300).map(float)
POINT = st.tuples(COORDINATE, COORDINATE) | st.just((NAN, NAN))


@given(data=st.data(), n_landmarks=st.integers(1, 5), height=st.integers(1, 5000))
def test_what_is_written_reads_back(tmp_path_factory, data, n_landmarks, height):
    path = tmp_path_factory.getbasetemp() / "round-trip.txt"
    names = data.draw(st.just([]) | st.lists(TEXT, min_size=n_landmarks, max_size=n_landmarks, unique=True))
    if all(name.isdecimal() for name in names):  # landmarks that are numbers have no names
        names = []
    points = st.lists(POINT, min_size=n_landmarks, max_size=n_landmarks)
    images = data.draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    specimens = [Landmarks(data.draw(points), f"{image}.jpg", names=tuple(names)) for image in images]
    morphoj.save(path, specimens, lambda _: (height, height))
    again = morphoj.load(path, lambda _: (height, height))
    assert formats.of(path).name == "morphoj"
    assert morphoj.recognises(path)
    assert [(one.image, one.id, one.names) for one in again] == [(one.image, "", one.names) for one in specimens]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-6)


@given(
    content=st.binary(max_size=200) | st.sampled_from([WRITTEN.encode(), GUIDE.encode()]),
    at=st.integers(0, 200),
    gone=st.integers(0, 60),
    new=st.binary(max_size=4),
)
def test_no_bytes_are_met_with_anything_but_an_error_for_the_user(tmp_path_factory, content, at, gone, new):
    path = tmp_path_factory.getbasetemp() / "wreck.txt"
    path.write_bytes(content[:at] + new + content[at + gone :])
    assert morphoj.recognises(path) in (True, False)
    message = ""
    try:
        assert len(morphoj.load(path, SIZES))
    except UserError as error:
        message = str(error)
    assert "\n" not in message


# --- telling it from other text files ---


@pytest.mark.parametrize(
    "text",
    [
        "-0.5\t0.25\n0.1\t0.2\n",
        "a.jpg\t1\t2\n",
        " \tLabel\tX\tY\n1\ta.jpg\t2\t3\n",
        "[individuals]\n2\n[landmarks]\n3\n",
        '" remark\n1 2L 4 0 DIM=2\na b\n1 2 3 4\n',
        "LM=1\n1 2\nIMAGE=a.jpg\n",
        "ID\tx1\tx2\ty1\ty2\na\t1\t2\t3\t4\n",
        "ID\tx1\ty1\na\tone\ttwo\n",
        "ID\tx1\ty1\n",
        "ID\tProcCoord1\tProcCoord2\na\t0.1\t0.2\n",
        "",
        "\x89PNG\r\n\x1a\n\0\0\0",
    ],
)
def test_other_text_is_not_taken_for_landmarks(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode("latin-1"))
    assert not morphoj.recognises(path)
    assert not morphoj.recognises(tmp_path / "nothing.txt")
    assert not morphoj.recognises(tmp_path)
