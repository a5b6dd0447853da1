from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import stereomorph
from pronotum.landmarks import Landmarks

NAN = float("nan")

# Written by list2XML4R of StereoMorph 1.6.7 in R 4.2, of a list as its server.R puts it together.
GOLDEN = """<shapes type=list>
	<ruler.interval type=vector names=FALSE length=1 as.numeric=TRUE >10</ruler.interval>
	<scaling.units type=vector names=FALSE length=1 as.numeric=FALSE >mm</scaling.units>
	<scaling type=vector names=FALSE length=1 as.numeric=TRUE >0.0125</scaling>
	<image.name type=vector names=FALSE length=1 as.numeric=FALSE >mug 001.jpg</image.name>
	<landmarks.pixel type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
		apex	10.5	20.25
		left 1	NA	NA
		base	0	1e+05
	</landmarks.pixel>
	<landmarks.scaled type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
		apex	0.13125	0.253125
		left 1	NA	NA
		base	0	1250
	</landmarks.scaled>
	<curves.control type=list>
		<edge type=matrix rownames=FALSE colnames=FALSE nrow=3 ncol=2 as.numeric=FALSE >
			1	2
			4	7
			9	2
		</edge>
		<straight line type=matrix rownames=FALSE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >
			1	1
			5	5
		</straight line>
	</curves.control>
	<curves.pixel type=list>
		<edge type=matrix rownames=FALSE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
			1	2
			2	3
			3	4
		</edge>
	</curves.pixel>
	<ruler.points type=matrix rownames=TRUE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >
		Ruler point 1	1	3
		Ruler point 2	2	4
	</ruler.points>
</shapes>
"""
# The same writer: no scale, columns with titles, a vector with names.
TITLED = """<shapes type=list>
	<scaling type=logical names=FALSE length=1 as.numeric=FALSE >NA</scaling>
	<landmarks.pixel type=matrix rownames=TRUE colnames=TRUE nrow=3 ncol=2 as.numeric=TRUE >
			x	y
		apex	10.5	20.25
		left 1	NA	NA
		base	0	1e+05
	</landmarks.pixel>
	<named type=vector names=TRUE length=2 as.numeric=TRUE >

		a	b
		1
		2
	</named>
</shapes>
"""
POINTS = [[10, 19.75], [NAN, NAN], [-0.5, 99999.5]]


def read(folder: Path, text: str | bytes) -> Landmarks:
    path = folder / "mug_001.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (one,) = stereomorph.load(path)
    return one


def shapes(*lines: str) -> str:
    return "\n".join(("<shapes type=list>", *lines, "</shapes>", ""))


def landmarks(*rows: str, count: int | None = None) -> str:
    tag = (
        f"<landmarks.pixel type=matrix rownames=TRUE colnames=FALSE nrow={count or len(rows)} ncol=2 as.numeric=TRUE >"
    )
    return "\n".join((tag, *rows, "</landmarks.pixel>"))


def curve(points: str, name: str = "edge") -> str:
    return f"<{name} type=matrix rownames=FALSE colnames=FALSE as.numeric=TRUE >\n{points}\n</{name}>"


def test_a_file_is_a_specimen_half_a_px_from_its_corner(tmp_path: Path) -> None:
    one = read(tmp_path, GOLDEN)
    assert (one.image, one.id, one.scale, one.names) == ("mug 001.jpg", "", 0.0125, ("apex", "left 1", "base"))
    np.testing.assert_array_equal(one.points, POINTS)


def test_curves_are_the_points_along_them_in_the_order_of_their_control_points(tmp_path: Path) -> None:
    edge, straight = read(tmp_path, GOLDEN).curves
    np.testing.assert_array_equal(edge, [[0.5, 1.5], [1.5, 2.5], [2.5, 3.5]])
    np.testing.assert_array_equal(straight, [[0.5, 0.5], [4.5, 4.5]])


def test_titles_of_columns_and_a_missing_scale(tmp_path: Path) -> None:
    one = read(tmp_path, TITLED)
    assert (one.image, one.scale, one.names) == ("mug_001", None, ("apex", "left 1", "base"))
    np.testing.assert_array_equal(one.points, POINTS)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: (
            text.replace("type=list", 'type="list"').replace("=TRUE >", '="TRUE">').replace("=FALSE >", "=false>")
        ),
        lambda text: text.replace("\t\t</edge>", "\t\t<edge type=array dim=3,2 as.numeric=TRUE >\n\t\t</edge>"),
        lambda text: text.replace("nrow=3 ncol=2 ", ""),
    ],
    ids=["CRLF", "BOM", "quotes", "the stray line of an earlier version", "version 1.3 announces no rows"],
)
def test_other_ways_to_say_the_same(tmp_path: Path, change) -> None:
    one, other = read(tmp_path, GOLDEN), read(tmp_path, change(GOLDEN))
    assert (other.image, other.scale, other.names) == (one.image, one.scale, one.names)
    np.testing.assert_array_equal(other.points, one.points)
    for curve_, other_curve in zip(one.curves, other.curves, strict=True):
        np.testing.assert_array_equal(other_curve, curve_)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [("mm", 0.5), ("cm", 5), ("m", 500), ("um", 5e-4), ("µm", 5e-4), ("in", 12.7), ("NA", 0.5), ("CM", 5)],
)
def test_a_scale_becomes_mm_per_px(tmp_path: Path, unit: str, scale: float) -> None:
    text = shapes(
        f"<scaling type=vector >0.5</scaling>\n<scaling.units type=vector >{unit}</scaling.units>", landmarks("a\t1\t2")
    )
    assert read(tmp_path, text).scale == pytest.approx(scale, rel=1e-12)


def test_control_points_alone_are_bezier_curves_of_degree_2(tmp_path: Path) -> None:
    """De Casteljau at the middle of each piece, by hand; the ends are control points."""
    control = curve("0.5\t0.5\n4.5\t8.5\n8.5\t0.5\n12.5\t-7.5\n16.5\t0.5")
    (one,) = read(tmp_path, shapes("<curves.control type=list>", control, "</curves.control>")).curves
    np.testing.assert_array_equal(one[[0, -1]], [[0, 0], [16, 0]])
    distances = [np.linalg.norm(one - point, axis=1).min() for point in ([4, 4], [8, 0], [12, -4])]
    assert max(distances) < 1e-12, "both halves of the middle point's polygon, and the joint"
    x = one[:, 0]
    np.testing.assert_allclose(one[:, 1], np.where(x <= 8, x * (8 - x) / 4, -(x - 8) * (16 - x) / 4), atol=1e-12)
    assert np.linalg.norm(np.diff(one, axis=0), axis=1).max() <= 1


def test_a_curve_is_computed_to_a_bounded_number_of_points(tmp_path: Path) -> None:
    control = curve("0\t0\n1e9\t1e9\n5\t0")
    (one,) = read(tmp_path, shapes("<curves.control type=list>", control, "</curves.control>")).curves
    assert len(one) <= stereomorph.MAX_POINTS + 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it; expected one <shapes type=list>"),
        ("LM=3\n1 2\n", r":1: 'LM=3'; expected <shapes type=list>"),
        ("<calibration type=list>\n</calibration>\n", "<calibration>; expected one <shapes"),
        (b"<shapes\0", "binary data"),
        (shapes(), ":1: no landmarks.pixel; expected landmarks in px"),
        (shapes("<landmarks type=matrix rownames=TRUE >\na\t1\t2\t3\n</landmarks>"), ":1: 3D landmarks or curves"),
        (shapes(landmarks("a\t1\t2"))[:-10], ":1: <shapes> without </shapes>; expected a whole file"),
        (shapes(landmarks("a\t1\t2", count=2)), r":2: 1 row in landmarks\.pixel; expected nrow=2"),
        (shapes(landmarks("a\t1\t2\t3")), r":3: 4 cells in landmarks\.pixel; expected a name, x and y"),
        (shapes(landmarks("a 1 2")), r":3: 1 cell in"),
        (shapes(landmarks("a\t1\t-")), r":3: '-'; expected a number, or NA"),
        (shapes(landmarks("a\t1\t1e10")), r":3: '1e10'; expected a number"),
        (shapes(landmarks("a\t1\tInf")), r":3: 'Inf'; expected a number"),
        (shapes(landmarks("a\t1\tNA")), r":3: .*missing in one coordinate only"),
        (shapes(landmarks("a\t1\t2", "a\t3\t4")), ":2: two landmarks of the same name"),
        (shapes(landmarks(" \t1\t2")), ":2: landmarks without name"),
        (shapes(landmarks("a\t1\t2"), landmarks("a\t1\t2")), r":5: <landmarks\.pixel> for the second time"),
        (shapes("<a type=list>", "</b>", "</a>"), ":3: '</b>'; expected </a>, the end of line 2"),
        (shapes("<curves.pixel type=list>", "1\t2", "</curves.pixel>"), r":3: '1\\t2' in curves\.pixel"),
        (
            shapes("<curves.control type=list>", curve("1\t2\n" * 3 + "1\t2"), "</curves.control>"),
            ":3: 4 control points",
        ),
        (
            shapes("<scaling type=vector >0</scaling>", landmarks("a\t1\t2")),
            ":2: scaling 0; expected a positive number",
        ),
        (
            shapes(
                "<scaling type=vector >1</scaling>\n<scaling.units type=vector >ticks</scaling.units>",
                landmarks("a\t1\t2"),
            ),
            r":3: the unit 'ticks'; expected mm, cm, m, .*; correct it, or delete the line",
        ),
    ],
)
def test_what_is_no_shapes_file_of_a_photograph_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_no_file_is_read_that_is_cut_off(tmp_path: Path) -> None:
    end = GOLDEN.index("</shapes>") + len("</shapes>")
    for size in (*range(0, end, 11), *range(end - 12, end)):
        with pytest.raises(UserError):
            read(tmp_path, GOLDEN[:size])


def test_thousands_of_tags_in_each_other_are_no_problem(tmp_path: Path) -> None:
    deep = "".join(f"<a{at} type=list>\n" for at in range(5000))
    with pytest.raises(UserError, match="without </a4999>"):
        read(tmp_path, deep)


def test_files_tell_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "mug.txt"
    path.write_text(GOLDEN)
    assert stereomorph.recognises(path)
    assert formats.of(path).name == "stereomorph"
    for text in ("", "<shape type=list>", "ID\tx1\ty1\na\t1\t2\n", "0.5\t0.25\n"):
        path.write_text(text)
        assert not stereomorph.recognises(path)
    assert not stereomorph.recognises(tmp_path / "none.txt")


# A subset of GOLDEN: what list2XML4R writes of the same landmarks, without what pronotum does not know.
WRITTEN = """<shapes type=list>
	<scaling type=vector names=FALSE length=1 as.numeric=TRUE >0.0125</scaling>
	<image.name type=vector names=FALSE length=1 as.numeric=FALSE >mug 001.jpg</image.name>
	<landmarks.pixel type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
		apex	10.5	20.25
		left 1	NA	NA
		base	0	100000
	</landmarks.pixel>
	<curves.pixel type=list>
		<curve 1 type=matrix rownames=FALSE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >
			1	2
			2	3
		</curve 1>
	</curves.pixel>
	<landmarks.scaled type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
		apex	0.13125	0.253125
		left 1	NA	NA
		base	0	1250
	</landmarks.scaled>
	<curves.scaled type=list>
		<curve 1 type=matrix rownames=FALSE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >
			0.0125	0.025
			0.025	0.0375
		</curve 1>
	</curves.scaled>
</shapes>
"""


def test_what_is_written_is_what_stereomorph_writes(tmp_path: Path) -> None:
    edge = [np.array([[0.5, 1.5], [1.5, 2.5]])]
    one = Landmarks(POINTS, "mug 001.jpg", "", 0.0125, ("apex", "left 1", "base"), tuple(edge))
    stereomorph.save(tmp_path / "x.txt", [one])
    assert (tmp_path / "x.txt").read_text() == WRITTEN


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (Landmarks([], "a.jpg"), "a.jpg: neither landmarks nor curves"),
        (Landmarks([[1, np.inf]], "a.jpg"), "a.jpg: a coordinate beyond 1e"),
        (Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "x")), "a.jpg: two landmarks of the same name"),
        (Landmarks([[1, 2]], "a.jpg", names=("</x>",)), "'a.jpg': the name '</x>'; expected names without < and >"),
        (Landmarks([[1, 2]], "a\tb.jpg"), "the name 'a.*b.jpg'"),
        (Landmarks([[1, 2]], "a.jpg", scale=0.0), "a.jpg: the scale 0.0; expected a positive number"),
    ],
)
def test_what_cannot_be_held_is_refused(one: Landmarks, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        stereomorph.save(tmp_path / "x.txt", [one])
    assert not list(tmp_path.iterdir())


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.txt"
    whole = bytearray(data.draw(st.sampled_from([GOLDEN, TITLED, "<shapes type=list>\n"])).encode())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        whole[at] = value
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    kept = data.draw(st.sampled_from([whole, whole[:end], whole[:start] + whole[end:]]))
    path.write_bytes(bytes(kept) + data.draw(st.binary(max_size=80)))
    stereomorph.recognises(path)
    try:
        specimens = stereomorph.load(path)
    except UserError:
        return
    assert len(specimens) == 1
