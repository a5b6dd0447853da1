import re
import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import deeplabcut
from pronotum.landmarks import Landmarks

NAN = float("nan")

# As DeepLabCut 3.0.2 writes it (its convertcsv2h5 leaves this text as it is, to the byte).
LABELLED = """scorer,,,me,me,me,me,me,me
bodyparts,,,apex,apex,base,base,left 1,left 1
coords,,,x,y,x,y,x,y
labeled-data,beetles,a.jpg,10.5,20.25,,,0.0,0.0
labeled-data,beetles,ä.jpg,834.56789,0.1,3.0,4.0,5.0,6.0
"""

# Three animals; what is not of an animal belongs to "single" and has other landmarks.
SEVERAL = r"""scorer,me,me,me,me,me,me,me,me,me,me
individuals,m1,m1,m1,m1,m2,m2,m2,m2,single,single
bodyparts,apex,apex,base,base,apex,apex,base,base,corner,corner
coords,x,y,x,y,x,y,x,y,x,y
labeled-data\vid\1.png,1,2,3,4,5,6,,,,
labeled-data\vid\2.png,,,,,7,8,9,10,11,12
labeled-data\vid\3.png,,,,,,,,,,
"""

# Predictions of Lightning Pose on labelled photographs.
LIGHTNING = """scorer,heatmap,heatmap,heatmap,heatmap,heatmap,heatmap,set
bodyparts,paw,paw,paw,nose,nose,nose,
coords,x,y,likelihood,x,y,likelihood,
labeled-data/v/img1.png,1.5,2.5,0.99,3,4,0.1,train
labeled-data/v/img2.png,5,6,1,7,8,0.5,validation
"""


def load(folder: Path, text: str | bytes, name: str = "CollectedData_me.csv") -> tuple[Landmarks, ...]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return deeplabcut.load(path)


def of_pandas(path: Path, *, levels: int = 3) -> pd.DataFrame:
    """As DeepLabCut reads it (convertcsv2h5)."""
    return pd.read_csv(path, header=list(range(levels)), index_col=[0, 1, 2])


TWO = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0, 0]], "a.jpg", names=("apex", "base", "left 1")),
    Landmarks([[834.56789, 0.1], [3, 4], [5, 6]], "ä.jpg", names=("apex", "base", "left 1")),
)


def same(one: Landmarks, other: Landmarks) -> bool:
    equal = np.array_equal(one.points, other.points, equal_nan=True)
    return equal and (one.image, one.id, one.names) == (other.image, other.id, other.names)


def test_rows_are_photographs_beside_the_file(tmp_path: Path) -> None:
    found = load(tmp_path, LABELLED, "labeled-data/beetles/CollectedData_me.csv")
    assert [same(*pair) for pair in zip(found, TWO, strict=True)] == [True, True]


def test_photographs_of_other_folders_keep_their_path(tmp_path: Path) -> None:
    found = load(tmp_path, LABELLED, "training-datasets/CollectedData_me.csv")
    assert [one.image for one in found] == ["labeled-data/beetles/a.jpg", "labeled-data/beetles/ä.jpg"]


def test_individuals_are_specimens_where_they_are_on_the_photograph(tmp_path: Path) -> None:
    found = load(tmp_path, SEVERAL)
    first, second, third, fourth = found
    assert (first.image, first.id, first.names) == (r"labeled-data\vid\1.png", "m1", ("apex", "base"))
    assert first.points.tolist() == [[1, 2], [3, 4]]
    assert (second.id, second.points[0].tolist(), second.present.tolist()) == ("m2", [5, 6], [True, False])
    assert (third.image, third.id, third.points.tolist()) == (r"labeled-data\vid\2.png", "m2", [[7, 8], [9, 10]])
    assert (fourth.id, fourth.names, fourth.points.tolist()) == ("single", ("corner",), [[11, 12]])


def test_predictions_of_lightning_pose(tmp_path: Path) -> None:
    one, two = load(tmp_path, LIGHTNING)
    assert (one.image, one.id, one.names) == ("labeled-data/v/img1.png", "", ("paw", "nose"))
    assert one.points.tolist() == [[1.5, 2.5], [3, 4]]
    assert two.points.tolist() == [[5, 6], [7, 8]]


def test_a_column_of_visibility_is_no_landmark(tmp_path: Path) -> None:
    text = "scorer,me,me,me\nbodyparts,paw,paw,paw\ncoords,y,visible,x\nv/img1.png,2,1,3\n"
    (one,) = load(tmp_path, text)
    assert one.points.tolist() == [[3, 2]]


def test_names_that_are_only_numbers_are_no_names(tmp_path: Path) -> None:
    (one,) = load(tmp_path, "scorer,me,me\nbodyparts,1,1\ncoords,x,y\na.png,2,1\n")
    assert (one.names, one.points.tolist()) == ((), [[2, 1]])


def test_what_is_written_is_what_deeplabcut_writes(tmp_path: Path) -> None:
    path = tmp_path / "labeled-data" / "beetles" / "CollectedData_me.csv"
    formats.save(path, TWO, name="deeplabcut")
    assert path.read_text(encoding="utf-8") == LABELLED
    assert formats.of(path).name == "deeplabcut"


def test_pandas_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "beetles" / "any name.csv"
    deeplabcut.save(path, TWO)
    frame = of_pandas(path)
    assert frame.columns.names == ["scorer", "bodyparts", "coords"]
    assert frame.index.tolist() == [("labeled-data", "beetles", "a.jpg"), ("labeled-data", "beetles", "ä.jpg")]
    assert frame.columns[2] == ("pronotum", "base", "x")
    np.testing.assert_array_equal(frame.to_numpy(), [[10.5, 20.25, NAN, NAN, 0, 0], [834.56789, 0.1, 3, 4, 5, 6]])


def test_a_first_photograph_without_landmarks_is_not_lost_in_pandas(tmp_path: Path) -> None:
    """pandas takes a first row without numbers for the names of the index, so that DeepLabCut would drop it."""
    path = tmp_path / "a.csv"
    missing = Landmarks([[NAN, NAN], [NAN, NAN]], "a.jpg")
    deeplabcut.save(path, [missing, Landmarks([[1, 2], [NAN, NAN]], "b.jpg"), Landmarks(missing.points, "c.jpg")])
    frame = of_pandas(path)
    assert [name for _, _, name in frame.index] == ["a.jpg", "b.jpg", "c.jpg"]
    np.testing.assert_array_equal(frame.to_numpy(), [[NAN] * 4, [1, 2, NAN, NAN], [NAN] * 4])
    assert [one.present.tolist() for one in deeplabcut.load(path)] == [[False, False], [True, False], [False, False]]


def test_several_specimens_of_a_photograph_become_individuals(tmp_path: Path) -> None:
    path = tmp_path / "v" / "CollectedData_me.csv"
    given = (
        Landmarks([[1, 2], [NAN, NAN]], "a.jpg", "m1"),
        Landmarks([[5, 6], [7, 8]], "b.jpg", "m1"),
        Landmarks([[3, 4], [9, 9]], "a.jpg", "m2"),
    )
    deeplabcut.save(path, given)
    frame = of_pandas(path, levels=4)
    assert frame.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    assert frame["me"]["m2"]["2"]["y"].tolist()[0] == 9
    assert np.isnan(frame["me"]["m2"].to_numpy()[1]).all()
    again = deeplabcut.load(path)
    assert [same(*pair) for pair in zip(again, (given[0], given[2], given[1]), strict=True)] == [True] * 3


def test_a_file_can_be_moved_with_its_photographs(tmp_path: Path) -> None:
    """The folder in the file is that of the file which is written, not of the one which was read."""
    for folder in ("one", "two"):
        path = tmp_path / folder / "CollectedData_me.csv"
        deeplabcut.save(path, load(tmp_path, LABELLED, "beetles/x.csv"))
        assert path.read_text(encoding="utf-8") == LABELLED.replace("beetles", folder)


NAMES = st.text(string.ascii_letters + string.digits + ' ,"ä-_.', min_size=1, max_size=8).map(str.strip).filter(bool)
NUMBERS = st.floats(-1e7, 1e7, allow_nan=False)


@st.composite
def specimens(draw: st.DrawFn) -> list[Landmarks]:
    names = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    images = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    several = draw(st.booleans())
    found = []
    for image in images:
        ids = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)) if several else [""]
        for identity in ids:
            points = [draw(st.just((NAN, NAN)) | st.tuples(NUMBERS, NUMBERS)) for _ in names]
            points[0] = draw(st.tuples(NUMBERS, NUMBERS)) if several else points[0]
            found.append(Landmarks(points, image, identity, names=names))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_=specimens())
def test_what_is_written_reads_back(tmp_path: Path, given_: list[Landmarks]) -> None:
    path = tmp_path / "x.csv"
    deeplabcut.save(path, given_)
    again = {(one.image, one.id): one for one in deeplabcut.load(path)}
    several = len({one.image for one in given_}) < len(given_)
    assert len(again) == len(given_)
    for one in given_:
        other = again[one.image, one.id if several else ""]
        np.testing.assert_array_equal(other.points, one.points)
        assert other.names in (one.names, ())


def rows(*lines: str) -> str:
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.csv: nothing in it"),
        (b"\x89HDF\r\n\x1a\n\0\0", "x.csv: binary data or UTF-16 text"),
        (
            rows("x1,y1,Image", "1,2,a.jpg"),
            "x.csv:1: rows that start with x1, 1; expected scorer, bodyparts, coords or",
        ),
        (LABELLED.replace("coords", "cords"), "rows that start with scorer, bodyparts, cords, labeled-data"),
        (rows("scorer,me,me", "bodyparts,a,a"), "rows that start with scorer, bodyparts; expected"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y"), "x.csv: no photographs; expected a row for each"),
        (rows("scorer,,", "bodyparts,a,a", "coords,x,y", "a.png,1,2"), "x.csv:1: no columns of landmarks"),
        (rows("scorer,me,you", "bodyparts,a,a", "coords,x,y", "a.png,1,2"), "x.csv:1: 2 scorers (me, you); expected"),
        (rows("scorer,me,me", "bodyparts,a,", "coords,x,y", "a.png,1,2"), "no name of a landmark above column 2"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,x", "a.png,1,2"), "'a x' twice; expected the columns x and y"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,z", "a.png,1,2"), "'a z' among the columns"),
        (rows("scorer,me,me", "bodyparts,a,b", "coords,x,y", "a.png,1,2"), "x.csv: no y of landmark 'a'"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", "a.png,1,2", "b.png,1"), "x.csv:5: 2 cells; expected 3"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", ",1,2"), "x.csv:4: no name of a photograph"),
        (
            rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", "a.png,1,2", "a.png,3,4"),
            "x.csv:5: photograph a.png again",
        ),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", "a.png,1,"), "x.csv:4: landmark 'a' is missing in one"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", "a.png,1,two"), "x.csv:4: 'two' in column a y; expected"),
        (rows("scorer,me,me", "bodyparts,a,a", "coords,x,y", "a.png,1,1e999"), "x.csv:4: '1e999' in column a y"),
        (
            rows("scorer,me,me", "individuals,m,m", "bodyparts,a,a", "coords,x,y", "a.png,,"),
            "x.csv: no landmarks on any photograph",
        ),
    ],
)
def test_a_broken_file_says_where(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, text, "x.csv")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.csv: cannot be opened \(No such file or directory\)"):
        deeplabcut.load(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((), "x.csv: no specimens"),
        ((Landmarks([[1, 2]], "", "7"),), "ID=7: no name of a photograph"),
        ((Landmarks([[1, 2]], "photos/"),), "photos/: no name of a photograph"),
        ((Landmarks([], "a.jpg"),), "a.jpg: no landmarks"),
        ((Landmarks([[np.inf, 2]], "a.jpg"),), "a.jpg: an infinite coordinate"),
        ((Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "x")),), "a.jpg: two landmarks of the same name"),
        ((Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "")),), "a.jpg: a landmark without name"),
        ((Landmarks([[1, 2]], "a.jpg", names=("two\nlines",)),), r"a name that does not fit in a table: 'two\nlines'"),
        ((Landmarks([[1, 2]], " a.jpg"),), "a name that does not fit in a table: ' a.jpg'"),
        (
            (Landmarks([[1, 2]], "m/a.jpg"), Landmarks([[1, 2]], "f/a.jpg")),
            "the photographs m/a.jpg and f/a.jpg, which would both be labeled-data/beetles/a.jpg; expected",
        ),
        (
            (Landmarks([[1, 2]], "a.jpg", names=("p",)), Landmarks([[1, 2]], "b.jpg", names=("q",))),
            "b.jpg: landmarks q; expected p as before",
        ),
        ((Landmarks([[1, 2]], "a.jpg"), Landmarks([[1, 2]] * 2, "b.jpg")), "b.jpg: landmarks 1, 2; expected 1 as"),
        ((Landmarks([[1, 2]], "a.jpg", "1"), Landmarks([[1, 2]], "a.jpg")), "a.jpg: no ID; expected an ID of each"),
        ((Landmarks([[1, 2]], "a.jpg", "1"),) * 2, "a.jpg (ID=1): the same photograph and ID again"),
        (
            (Landmarks([[1, 2]], "a.jpg", "1"), Landmarks([[NAN, NAN]], "a.jpg", "2")),
            "a.jpg (ID=2): no landmarks; expected at least one, because a photograph has several specimens",
        ),
    ],
)
def test_what_cannot_be_held_is_not_written(given_: tuple[Landmarks, ...], message: str, tmp_path: Path) -> None:
    path = tmp_path / "beetles" / "x.csv"
    path.parent.mkdir()
    path.write_text("before")
    with pytest.raises(UserError, match=re.escape(message)):
        deeplabcut.save(path, given_)
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_only_files_of_this_kind_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, is_one in [
        (LABELLED, True),
        ("\ufeff" + LABELLED.replace("\n", "\r\n"), True),
        (SEVERAL, True),
        (LIGHTNING, True),
        ("scorer,me\n", False),
        ("scorer,x1,y1\na,1,2\n", False),
        ("x1,y1,Image\n1,2,a.jpg\n", False),
        ("", False),
        ("\n\n", False),
    ]:
        path.write_text(text, encoding="utf-8")
        assert deeplabcut.recognises(path) is is_one, text
    assert deeplabcut.recognises(tmp_path / "none.csv") is False
    assert deeplabcut.recognises(tmp_path) is False


def changed(text: str) -> st.SearchStrategy[bytes]:
    """The file with a piece cut out, doubled or replaced by another."""
    content = text.encode()
    places = st.integers(0, len(content))
    pieces = st.binary(max_size=4) | st.sampled_from([b",", b"\n", b'"', b"\r", b"x", b"nan", b"coords,", b"1e9"])
    return st.builds(
        lambda start, end, piece, times: content[:start] + piece * times + content[end:],
        places,
        places,
        pieces,
        st.integers(0, 3),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from([LABELLED, SEVERAL, LIGHTNING]).flatmap(changed) | st.binary(max_size=200))
def test_no_file_makes_the_reader_fail_otherwise(content: bytes, tmp_path: Path) -> None:
    try:
        found = load(tmp_path, content)
    except UserError:
        return
    assert found
    assert not any(np.isinf(one.points).any() for one in found)
    assert len({(one.image, one.id) for one in found}) == len(found)
