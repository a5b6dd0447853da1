import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import slicer_fcsv
from pronotum.landmarks import Landmarks

NAN = float("nan")

# As vtkMRMLMarkupsFiducialStorageNode of Slicer 4 writes it (RAS = 0 before 4.11, later a word).
OLD = """# Markups fiducial file version = 4.10
# CoordinateSystem = 0
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
vtkMRMLMarkupsFiducialNode_0,-10.5,-20.25,0,0,0,0,1,1,1,0,apex,,vtkMRMLVectorVolumeNode1
vtkMRMLMarkupsFiducialNode_1,-834.56789,-0.1,0,0,0,0,1,1,1,0,"left, ""1""\",,
"""

# Slicer 5 adds two columns without title; 2 is a defined position.
NEW = """# Markups fiducial file version = 5.2
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,10.5,20.25,0,0,0,0,1,1,1,0,apex,,,2,0
2,0,0,0,0,0,0,1,1,1,0,base,,,3,0
3,0,0,0,0,0,0,1,1,1,0,tip,,,0,0
"""


def load(folder: Path, text: str | bytes, name: str = "a.jpg.fcsv") -> Landmarks:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (one,) = formats.load(path)
    return one


def test_ras_is_turned_into_px_of_the_photograph(tmp_path: Path) -> None:
    one = load(tmp_path, OLD)
    assert (one.image, one.id, one.names) == ("a.jpg", "", ("apex", 'left, "1"'))
    assert one.points.tolist() == [[10.5, 20.25], [834.56789, 0.1]]


@pytest.mark.parametrize("system", ["LPS", "1"])
def test_lps_is_px_of_the_photograph_and_points_may_be_missing(system: str, tmp_path: Path) -> None:
    one = load(tmp_path, NEW.replace("LPS", system))
    assert one.names == ("apex", "base", "tip")
    np.testing.assert_array_equal(one.points, [[10.5, 20.25], [NAN, NAN], [NAN, NAN]])


def test_before_slicer_5_a_point_without_position_is_the_corner(tmp_path: Path) -> None:
    """There is no telling them apart; the documentation warns of it."""
    one = load(tmp_path, OLD.replace("-834.56789,-0.1", "0,0"))
    assert one.points.tolist() == [[10.5, 20.25], [0, 0]]


def test_columns_go_by_their_titles(tmp_path: Path) -> None:
    text = "# Markups fiducial file version = 4.6\n# CoordinateSystem = LPS\n# columns = label,z,y,x\n\np,0,2,1\n"
    one = load(tmp_path, text.replace("\n", "\r\n"))
    assert (one.names, one.points.tolist()) == (("p",), [[1, 2]])


def test_labels_that_say_nothing_are_no_names(tmp_path: Path) -> None:
    assert load(tmp_path, NEW.replace("apex", "").replace("base", "").replace("tip", "")).names == ()
    assert load(tmp_path, NEW.replace("apex", "1").replace("base", "2").replace("tip", "3")).names == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "a.jpg.fcsv: no such line; expected a point list of 3D Slicer, which starts with '# Markups fiducial file",
        ),
        (b"\x89PNG\r\n\x1a\n\0", "a.jpg.fcsv: binary data or UTF-16 text"),
        ("F-1,1,2,0,1,1\n", "a.jpg.fcsv: no such line"),
        (NEW.replace("LPS", "IJK"), "a.jpg.fcsv: coordinate system 'IJK'; expected LPS or RAS"),
        (NEW.replace("# CoordinateSystem = LPS\n", ""), "a.jpg.fcsv: coordinate system ''; expected LPS or RAS"),
        (NEW.replace("id,x,y,z", "id,a,b,c"), "a.jpg.fcsv: columns id, a, b, c, ow"),
        (NEW[: NEW.index("1,10.5")], "a.jpg.fcsv: no points; expected at least one"),
        (NEW + "4,1,2\n", "a.jpg.fcsv:7: 3 cells; expected 14: id, x, y, z"),
        (NEW.replace("20.25", "20,25"), "a.jpg.fcsv:4: z = 25; expected 0, as on a photograph"),
        (NEW.replace("20.25", "two"), "a.jpg.fcsv:4: the position 10.5, two, 0; expected three numbers"),
        (NEW.replace("20.25", "1e999"), "a.jpg.fcsv:4: the position 10.5, 1e999, 0; expected three numbers"),
        (NEW.replace("20.25", "nan"), "a.jpg.fcsv:4: the position 10.5, nan, 0; expected three numbers"),
        (NEW.replace("apex,,,2", "apex,,,9"), "a.jpg.fcsv:4: position status '9'; expected 0, 1, 2 or 3"),
        (NEW.replace("apex", "tip"), "a.jpg.fcsv: the label 'tip' twice"),
        (NEW.replace("apex", "x" * 200_000), "a.jpg.fcsv:4: field larger than field limit"),
    ],
)
def test_a_broken_file_says_where(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.fcsv: cannot be opened \(No such file or directory\)"):
        slicer_fcsv.load(tmp_path / "x.fcsv")


def test_what_is_written_is_what_slicer_5_writes(tmp_path: Path) -> None:
    one = Landmarks([[10.5, 20.25], [NAN, NAN], [0.0, 7.0]], "a.jpg", names=("apex", "base", 'left, "1"'))
    formats.save(tmp_path / "a.jpg.fcsv", [one])
    written = (tmp_path / "a.jpg.fcsv").read_text()
    assert written.splitlines()[:5] == NEW.splitlines()[:5]
    assert written.splitlines()[5] == '3,0,7,0,0,0,0,1,1,1,0,"left, ""1""",,,2,0'


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (Landmarks([], "a.jpg"), "a.jpg: no points"),
        (Landmarks([[1, np.inf]], "a.jpg"), "a.jpg: an infinite coordinate"),
        (Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "x")), "a.jpg: the label 'x' twice"),
        (Landmarks([[1, 2]], "a.jpg", names=("x\ny",)), r"a.jpg: a landmark named 'x\ny'; expected names without"),
    ],
)
def test_what_cannot_be_held_is_refused(one: Landmarks, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        formats.save(tmp_path / "a.jpg.fcsv", [one])
    assert not list(tmp_path.iterdir())


def changed(text: str) -> st.SearchStrategy[bytes]:
    """The file with a piece cut out, doubled or replaced by another."""
    content = text.encode()
    places = st.integers(0, len(content))
    pieces = st.binary(max_size=4) | st.sampled_from(
        [b",", b"\n", b'"', b"\r", b"#", b"=", b"# columns = x,y,z\n", b"1e9"]
    )
    return st.builds(
        lambda start, end, piece, times: content[:start] + piece * times + content[end:],
        places,
        places,
        pieces,
        st.integers(0, 3),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from([OLD, NEW]).flatmap(changed) | st.binary(max_size=100))
def test_no_file_makes_the_reader_fail_otherwise(content: bytes, tmp_path: Path) -> None:
    try:
        one = load(tmp_path, content)
    except UserError:
        return
    assert one.n_landmarks
    assert not np.isinf(one.points).any()
