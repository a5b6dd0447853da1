from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import imagej_results
from pronotum.landmarks import Landmarks

NAN = float("nan")

# All of these were saved by ImageJ 1.53t: Analyzer.measure() on PointRois, ResultsTable.save().
PLAIN = """ ,Label,Mean,X,Y
1,wing 1.jpg,28,10.500,20.250
2,wing 1.jpg,87,34.250,0.100
3,wing 1.jpg,0,0.000,0.000
"""
# The same points on the same picture (100 x 80 px) with a scale of 0.0125 mm per px, and with Invert Y Coordinates.
IN_MM = """ ,Label,Mean,X,Y
1,wing 1.jpg,28,0.131,0.253
2,wing 1.jpg,87,0.428,0.001
3,wing 1.jpg,0,0.000,0.000
"""
INVERTED = """ ,Label,Mean,X,Y
1,wing 1.jpg,28,0.131,0.734
2,wing 1.jpg,87,0.428,0.986
3,wing 1.jpg,0,0.000,0.988
"""
# One ROI with points on two slices, measured while the first was shown, and a counter.
SPREAD = """ ,Label,X,Y,XM,YM,Slice,Counter,Count
1,stack.tif:one,10.500,20.250,10.500,20.250,1,0,2
2,stack.tif:one,34.250,0.100,34.250,0.100,1,1,1
3,stack.tif:one,0.000,0.000,0.000,0.000,2,0,2
"""
# A ROI on each slice of a folder opened as a stack.
SEQUENCE = """ ,Label,X,Y,Slice
1,photos:IMG_01,11.500,20.250,1
2,photos:IMG_01,34.250,0.100,1
3,photos:IMG_02,12.500,20.250,2
4,photos:IMG_02,34.250,0.100,2
"""
NAMED = """ ,Label,X,Y
1,w.jpg:beetle1,10.500,20.250
2,w.jpg:beetle1,34.250,0.100
3,w.jpg:beetle2,-1.000,-1.000
4,w.jpg:beetle2,34.250,0.100
"""
# A ROI with a name on the second slice of a stack, then the same on a picture.
MIXED = """ ,Label,X,Y,Slice
1,photos:beetle1:IMG_02,10.500,20.250,2
2,photos:beetle1:IMG_02,34.250,0.100,2
3,w.jpg:beetle1,10.500,20.250,0
4,w.jpg:beetle1,34.250,0.100,0
"""
AREAS = """ ,Label,Area,Mean,StdDev,X,Y,Perim.,BX,BY,Width,Height,Circ.,Feret,FeretX,FeretY,FeretAngle,MinFeret
1,wing 1.jpg,0,28,0.000,10.500,20.250,0,11,20,1,1,0.000,0.000,10.500,20.250,0,0
2,wing 1.jpg:leg,16,29,3.011,12.000,22.000,16,10,20,4,4,0.785,5.657,10.000,20.000,135,4
"""
NO_LABEL = """ ,X,Y,Slice
1,10.500,20.250,2
2,34.250,0.100,2
"""
UNLABELLED_SLICE = """ ,Label,X,Y,Slice
1,st.tif:2,3.250,4.500,2
"""


def read(folder: Path, text: str, **options: float | bool | dict[str, tuple[int, int]]) -> tuple[Landmarks, ...]:
    path = folder / "wings.csv"
    path.write_text(text, encoding="utf-8")
    return imagej_results.load(path, **options)


def shown(specimens: tuple[Landmarks, ...]) -> list[tuple[str, str, list[list[float]]]]:
    return [(one.image, one.id, one.points.tolist()) for one in specimens]


def test_rows_are_landmarks_and_numbers_stay_as_they_are(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN)
    assert shown(found) == [("wing 1.jpg", "", [[10.5, 20.25], [34.25, 0.1], [0, 0]])]
    assert (found[0].names, found[0].scale) == ((), None)


def test_the_order_of_columns_and_a_table_without_row_numbers_do_not_matter(tmp_path: Path) -> None:
    assert shown(read(tmp_path, "Y,Label,X\n2,a.jpg,1\n4,b.jpg,3\n")) == [
        ("a.jpg", "", [[1, 2]]),
        ("b.jpg", "", [[3, 4]]),
    ]


def test_a_stack_is_a_specimen_a_slice(tmp_path: Path) -> None:
    first, second = [[11.5, 20.25], [34.25, 0.1]], [[12.5, 20.25], [34.25, 0.1]]
    assert shown(read(tmp_path, SEQUENCE)) == [("IMG_01", "", first), ("IMG_02", "", second)]
    assert shown(read(tmp_path, UNLABELLED_SLICE)) == [("st.tif", "2", [[3.25, 4.5]])]
    assert shown(read(tmp_path, NO_LABEL)) == [("wings", "2", [[10.5, 20.25], [34.25, 0.1]])]


def test_a_label_that_is_the_same_for_all_slices_names_none(tmp_path: Path) -> None:
    found = shown(read(tmp_path, SPREAD))
    assert found == [("stack.tif", "1", [[10.5, 20.25], [34.25, 0.1]]), ("stack.tif", "2", [[0, 0]])]


def test_clicks_that_alternate_between_slices_are_put_together(tmp_path: Path) -> None:
    text = "Label,X,Y,Slice\nst:one,1,2,1\nst:one,3,4,2\nst:one,5,6,1\n"
    assert shown(read(tmp_path, text)) == [("st", "1", [[1, 2], [5, 6]]), ("st", "2", [[3, 4]])]


def test_rois_of_several_points_are_specimens_and_their_names_the_ids(tmp_path: Path) -> None:
    one, other = read(tmp_path, NAMED)
    assert shown((one,)) == [("w.jpg", "beetle1", [[10.5, 20.25], [34.25, 0.1]])]
    assert (other.image, other.id, other.names) == ("w.jpg", "beetle2", ())
    np.testing.assert_array_equal(other.points, [[NAN, NAN], [34.25, 0.1]])
    assert [(one.image, one.id) for one in read(tmp_path, MIXED)] == [("IMG_02", ""), ("w.jpg", "beetle1")]


@pytest.mark.parametrize(
    ("parts", "names"),
    [(("tip", "base"), ("tip", "base")), (("0020-0010", "0001-0034"), ()), (("tip", "0001-0034"), ())],
)
def test_rois_of_one_point_are_landmarks_and_their_names_too(
    tmp_path: Path, parts: tuple[str, str], names: tuple[str, ...]
) -> None:
    (one,) = read(tmp_path, f"Label,X,Y\na.jpg:{parts[0]},1,2\na.jpg:{parts[1]},3,4\n")
    assert (one.image, one.id, one.names, one.points.tolist()) == ("a.jpg", "", names, [[1, 2], [3, 4]])


def test_imagejs_own_name_for_the_only_roi_is_no_id(tmp_path: Path) -> None:
    text = "Label,X,Y\na.jpg:0020-0010,1,2\na.jpg:0020-0010,3,4\nb.jpg:0007-0005,5,6\nb.jpg:0007-0005,7,8\n"
    assert [(one.image, one.id) for one in read(tmp_path, text)] == [("a.jpg", ""), ("b.jpg", "")]


def test_the_colon_of_a_windows_drive_is_part_of_the_photograph(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "Label,X,Y\nC:\\bees\\a.jpg:left,1,2\nC:\\bees\\a.jpg:left,3,4\n")
    assert (one.image, one.id) == (r"C:\bees\a.jpg", "left")


@pytest.mark.parametrize("cells", ["NaN,NaN", ",", "-1,-1", "-1.000,-1.000"])
def test_missing_landmarks(tmp_path: Path, cells: str) -> None:
    (one,) = read(tmp_path, f"Label,X,Y\na.jpg,{cells}\na.jpg,-1,5\n")
    np.testing.assert_array_equal(one.points, [[NAN, NAN], [-1, 5]])


SIZES = {"wing 1.jpg": (100, 80)}


def test_a_scale_and_an_inverted_y_are_undone_when_they_are_told(tmp_path: Path) -> None:
    """ImageJ rounded to three decimals, 0.04 px at this scale."""
    (plain,) = read(tmp_path, PLAIN)
    (scaled,) = read(tmp_path, IN_MM, scale=0.0125)
    (inverted,) = read(tmp_path, INVERTED, sizes=SIZES, scale=0.0125, y_up=True)
    assert (scaled.scale, inverted.scale) == (0.0125, 0.0125)
    np.testing.assert_allclose(scaled.points, plain.points, rtol=0, atol=0.041)
    np.testing.assert_allclose(inverted.points, plain.points, rtol=0, atol=0.041)
    with pytest.raises(UserError, match="a photograph whose height is not known"):
        read(tmp_path, INVERTED, y_up=True)


def test_units_that_cannot_be_px_are_refused(tmp_path: Path) -> None:
    assert read(tmp_path, PLAIN, sizes=SIZES)
    with pytest.raises(UserError, match=r"wings\.csv: no coordinate beyond 0\.4% .* expected px; remove the scale in"):
        read(tmp_path, IN_MM, sizes=SIZES)
    with pytest.raises(UserError, match=r"a coordinate at 2\.5 times a photograph's width or height"):
        read(tmp_path, "Label,X,Y\nwing 1.jpg,10,200\n", sizes=SIZES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it"),
        ("Label,X\na.jpg,1\n", ":1: 0 columns named Y; expected one, as in ImageJ's results; tick Centroid"),
        ("Label,X,Y,Y\na.jpg,1,2,3\n", ":1: 2 columns named Y"),
        ("Label,X,Y\n", "no specimens"),
        ("Label,X,Y\na.jpg,1,two\n", ":2: 'two' in column Y"),
        ("Label,X,Y\na.jpg,1,inf\n", ":2: 'inf' in column Y"),
        ("Label,X,Y\na.jpg,1,NaN\n", ":2: landmark 1 is missing in one coordinate only"),
        ("Label,X,Y\na.jpg,1\n", ":2: 2 cells; expected 3"),
        (AREAS, ":3: an area of 16: the centroid of a region; expected points"),
        ("Label,X,Y\na.jpg,1,2\nb.jpg,3,4\na.jpg,5,6\n", r":4: a\.jpg again, as in "),
        ("Label,X,Y\na.jpg:b,1,2\na.jpg:b,3,4\na.jpg:tip,3,4\n", r":4: the single point 'tip' beside ROIs of several"),
    ],
)
def test_what_is_no_table_of_points_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_what_is_written_is_what_imagej_writes(tmp_path: Path) -> None:
    """ImageJ 1.53t opens this very table (ResultsTable.open) and saves the same landmarks."""
    path = tmp_path / "x.csv"
    points = [[10.5, 20.25], [NAN, NAN], [0, 0]]
    other = [[1, 2], [-1, -1], [834.567891, 4]]
    imagej_results.save(
        path, [Landmarks(points, "a é.jpg", "1"), Landmarks(other, "a é.jpg", "2"), Landmarks(other, "b")]
    )
    assert path.read_text(encoding="utf-8").splitlines()[:7] == [
        " ,Label,X,Y",
        "1,a é.jpg:1,10.5,20.25",
        "2,a é.jpg:1,NaN,NaN",
        "3,a é.jpg:1,0,0",
        "4,a é.jpg:2,1,2",
        "5,a é.jpg:2,-1.000001,-1.000001",
        "6,a é.jpg:2,834.567891,4",
    ]
    assert [(one.image, one.id) for one in imagej_results.load(path)] == [("a é.jpg", "1"), ("a é.jpg", "2"), ("b", "")]


WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",), exclude_characters=":\\/"), max_size=8)
WORDS = WORDS.filter(lambda text: text == text.strip())


@given(data=st.data(), labels=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4, unique=True))
@settings(max_examples=60, deadline=None)
def test_every_specimen_reads_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, labels: list[tuple[str, str]]
) -> None:
    coordinate = st.floats(-1e6, 1e6)
    landmark = st.just((NAN, NAN)) | st.tuples(coordinate, coordinate)
    point_lists = st.lists(landmark, min_size=2, max_size=5)
    specimens = [Landmarks(np.array(data.draw(point_lists)), image or "x", label) for image, label in labels]
    if len({(one.image, one.id) for one in specimens}) < len(specimens):
        return
    path = tmp_path_factory.mktemp("table") / "x.csv"
    imagej_results.save(path, specimens)
    again = imagej_results.load(path)
    assert [(one.image, one.id) for one in again] == [(one.image, one.id) for one in specimens]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=1e-12, atol=2e-6)


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], "no specimens"),
        ([Landmarks(np.empty((0, 2)), "a.jpg")], "0 landmarks; expected at least one"),
        (
            [Landmarks([[1, 2]], "a.jpg", "1")],
            "1 landmark; expected at least one, or two where the specimen has an ID",
        ),
        ([Landmarks([[1, float("inf")]], "a.jpg")], "an infinite coordinate"),
        ([Landmarks([[1, 2]], "a:b.jpg")], "cannot hold; expected one without colons"),
        ([Landmarks([[1, 2]], "a\n.jpg")], "cannot hold"),
        ([Landmarks([[1, 2]], " a.jpg")], "cannot hold"),
        ([Landmarks([[1, 2]])], "neither photograph nor ID"),
        ([Landmarks([[1, 2]], "a.jpg")] * 2, "again, as in "),
    ],
)
def test_what_the_table_cannot_hold_is_not_written(tmp_path: Path, specimens: list[Landmarks], message: str) -> None:
    with pytest.raises(UserError, match=message):
        imagej_results.save(tmp_path / "x.csv", specimens)
    assert not list(tmp_path.iterdir())


def test_files_tell_their_kind(tmp_path: Path) -> None:
    own = [PLAIN, IN_MM, SPREAD, SEQUENCE, NAMED, MIXED, AREAS, NO_LABEL, "Label,X,Y\na.jpg,NaN,NaN\n"]
    others = [
        "",
        "x1,y1,Image\n1,2,a.png\n",
        "image,landmark,x,y\na.jpg,1,2,3\n",
        ",X,Y\n0,1.5,2.5\n",  # a data frame of pandas
        "X,Y\n1,2\n",
        "id,X,Y\n1,2,3\n",
        " ,Label,X,Y\n1,a.jpg,x,y\n",
        " ,Label,X,Y,Species\n1,a.jpg,1,2,bee\n",
        "Label,X1,Y1\na.jpg,1,2\n",
    ]
    path = tmp_path / "x.csv"
    for text in own:
        path.write_text(text)
        assert imagej_results.recognises(path), text
        assert formats.of(path).name == "imagej"
    for text in others:
        path.write_text(text)
        assert not imagej_results.recognises(path), text
    assert not imagej_results.recognises(tmp_path / "none.csv")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    whole = bytearray(data.draw(st.sampled_from([PLAIN, SPREAD, NAMED, MIXED, AREAS, " "])).encode())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        whole[at] = value
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    kept = data.draw(st.sampled_from([whole, whole[:end], whole[:start] + whole[end:]]))
    path.write_bytes(bytes(kept) + data.draw(st.binary(max_size=80)))
    imagej_results.recognises(path)
    try:
        specimens = imagej_results.load(path, {"wing 1.jpg": (100, 80)})
    except UserError:
        return
    assert specimens
