from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import pts
from pronotum.landmarks import Landmarks

NAN = float("nan")

# Written by pts_exporter of menpo 0.11.1 of (10.5, 20.25), nothing, (0, 0), which its pts_importer reads back.
MENPO = "version: 1\nn_points: 3\n{\n11.500 21.250\nnan nan\n1.000 1.000\n}\n"
# As Landmark Editor writes it by Morpho's read.pts (two lines, then a name and x, y, z; 9999 is NA).
IDAV = "Version 1.0\n3\nS000  10.5 20.25 0.0 \nS001  9999 9999 9999\nC000 -1 0 0.0\n"


def read(folder: Path, text: str | bytes, sizes: dict[str, tuple[int, int]] | None = None) -> Landmarks:
    path = folder / "wing 1.pts"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (one,) = pts.load(path, sizes)
    return one


def test_ibug_counts_pixels_from_1(tmp_path: Path) -> None:
    one = read(tmp_path, MENPO)
    assert (one.image, one.id, one.names) == ("wing 1", "", ())
    np.testing.assert_array_equal(one.points, [[10.5, 20.25], [NAN, NAN], [0, 0]])


@pytest.mark.parametrize(
    "text",
    [
        MENPO.replace("\n", "\r\n"),
        "\ufeff" + MENPO.rstrip("\n"),
        MENPO.replace("n_points: 3", "n_points:  3\n").replace("nan nan", "  NaN\tNaN  "),
        MENPO.replace("version: 1", "version:1 ").replace("11.500", "1.15e1"),
    ],
    ids=["CRLF", "BOM, no final line end", "blanks, as in 300-W", "no blank after the colon"],
)
def test_ibug_files_of_other_programs(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(read(tmp_path, text).points, [[10.5, 20.25], [NAN, NAN], [0, 0]])


def test_landmark_editor_counts_y_upwards_and_names_its_landmarks(tmp_path: Path) -> None:
    one = read(tmp_path, IDAV, {"wing 1": (640, 480)})
    assert (one.image, one.names) == ("wing 1", ("S000", "S001", "C000"))
    np.testing.assert_array_equal(one.points, [[10.5, 459.75], [NAN, NAN], [-1, 480]])
    np.testing.assert_array_equal(read(tmp_path, IDAV).points, [[10.5, -20.25], [NAN, NAN], [-1, 0]])


def test_landmark_editor_with_two_coordinates_or_one_height(tmp_path: Path) -> None:
    flat = "Version 1.0\n3\nS0000 10.5 20.25\nS0001 9999 9999\nS0002 9999 5\n"
    np.testing.assert_array_equal(read(tmp_path, flat).points, [[10.5, -20.25], [NAN, NAN], [9999, -5]])
    raised = "Version 1.0\n2\nS000 1 2 7.5\nS001 3 4 7.50\n"
    np.testing.assert_array_equal(read(tmp_path, raised).points, [[1, -2], [3, -4]])


def test_9999_is_a_number_for_ibug(tmp_path: Path) -> None:
    assert read(tmp_path, "version: 1\nn_points: 1\n{\n9999 9999\n}").points.tolist() == [[9998, 9998]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it"),
        (b"version: 1\0", "binary data"),
        ("LM=3\n", r":1: 'LM=3'; expected version: 1, or Version 1\.0 of Landmark Editor"),
        (MENPO.replace("version: 1", "version: 2"), ":1: 'version: 2'; expected version: 1"),
        (IDAV.replace("1.0", "2.0", 1), r":1: 'Version 2\.0'; expected version: 1"),
        ("version: 1\nn_points: 1\n1 2\n}\n", "no {; expected landmarks between"),
        ("version: 1\n", "no {"),
        (MENPO[:-2], "no } at the end"),
        (MENPO.replace("n_points: 3\n", ""), "3 landmarks, announced as nothing"),
        (MENPO.replace("n_points: 3", "n_points: 4"), ":2: 3 landmarks, announced as 4"),
        (MENPO.replace("1.000 1.000", "1.000"), ":6: 1 coordinates; expected 2"),
        (MENPO.replace("1.000 1.000", "1 2 3"), ":6: 3 coordinates; expected 2"),
        (MENPO.replace("1.000 1.000", "1 one"), ":6: 'one'; expected a number"),
        (MENPO.replace("1.000 1.000", "1 1e999"), ":6: '1e999'; expected a number"),
        (MENPO.replace("nan nan", "nan 5"), ":5: 'nan 5', missing in one coordinate only"),
        ("Version 1.0\n", "0 landmarks, announced as nothing"),
        (IDAV.replace("\n3\n", "\n2\n"), ":2: 3 landmarks, announced as 2"),
        (IDAV.replace("C000 -1 0 0.0", "C000 -1 0 5"), "landmarks of a surface"),
        (IDAV.replace("C000", "S000"), "two landmarks of the same name"),
        (IDAV.replace("C000 -1 0 0.0", "C000 -1"), r":5: 1 coordinates; expected 2 or 3"),
        (IDAV.replace("C000 -1 0 0.0", "-1 0 0 0 0"), r":5: 4 coordinates"),
    ],
)
def test_what_is_no_file_of_landmarks_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_what_is_written_is_what_menpo_reads(tmp_path: Path) -> None:
    pts.save(tmp_path / "a.pts", [Landmarks([[10.5, 20.25], [NAN, NAN], [0, 0]], "a.jpg")])
    expected = MENPO.replace("11.500 21.250", "11.5 21.25").replace("1.000 1.000", "1 1")
    assert (tmp_path / "a.pts").read_text() == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "a.pts: 0 specimens; expected one"),
        ([Landmarks([[1, 2]], "a.jpg")] * 2, "a.pts: 2 specimens; expected one.*; name a folder instead"),
        ([Landmarks([], "a.jpg")], "a.jpg: no landmarks"),
        ([Landmarks([[1, np.inf]], "a.jpg")], "a.jpg: an infinite coordinate"),
    ],
)
def test_what_cannot_be_held_is_refused(given: list[Landmarks], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        pts.save(tmp_path / "a.pts", given)
    assert not list(tmp_path.iterdir())


def test_files_tell_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.pts"
    for text, own in [
        (MENPO, True),
        (IDAV, True),
        (" \n" + MENPO, True),
        ("1 2 3\n", False),
        ("version: 1 of mine", False),
    ]:
        path.write_text(text)
        assert pts.recognises(path) is own, text
    assert formats.of(path).name == "pts"
    assert not pts.recognises(tmp_path / "none.pts")


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_coordinates_are_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float]]
) -> None:
    rows = "".join(f"{x!r} {y!r}\n" for x, y in points)
    one = read(tmp_path_factory.mktemp("pts"), f"version: 1\nn_points: {len(points)}\n{{\n{rows}}}\n")
    np.testing.assert_array_equal(one.points, np.array(points).reshape(-1, 2) - 1)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.pts"
    whole = bytearray(data.draw(st.sampled_from([MENPO, IDAV, "version: 1\n"])).encode())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        whole[at] = value
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    kept = data.draw(st.sampled_from([whole, whole[:end], whole[:start] + whole[end:]]))
    path.write_bytes(bytes(kept) + data.draw(st.binary(max_size=80)))
    pts.recognises(path)
    try:
        specimens = pts.load(path)
    except UserError:
        return
    assert len(specimens) == 1
