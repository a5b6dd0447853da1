import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import imagej_roi
from pronotum.landmarks import Landmarks

NAN = float("nan")

# Written by ImageJ 1.53t (RoiEncoder): PointRoi at (10.5, 20.25), (834.56789, 0.1), (0, 0), named a.jpg.
MULTI = bytes.fromhex(
    "496f757400e40a00000000000015034300030000000000000000000000000000000000010000000000000000000000000000008000000000"
    "0000000000000064000b03430000001400000000412800004450a4580000000041a200003dcccccd00000000000000000000000000000000"
    "00000000000000a400000005000000000000000000000000000000000000000000000000000000ae0000000000000000000000000061002e"
    "006a00700067000000000000000000000000"
)
# The same: a point at (10.5, 20.25), named 0020-0010 as the ROI Manager names it.
SINGLE = bytes.fromhex(
    "496f757400e40a000014000b0015000c00010000000000000000000000000000000000010000000000000000000000000000008000000000"
    "000000000000004c000000004128000041a20000000000000000000000000000000000000000008c00000009000000000000000000000000"
    "0000000000000000000000000000009e0000000000000000000000000030003000320030002d003000300031003000000000"
)
# The same: points at (1.5, 1) and (5, 6.5) on slice 1 of a stack, the second with counter 2, named with three signs.
COUNTED = bytes.fromhex(
    "496f757400e40a00000100020007000600020000000000000000000000000000000000010000000000000000000000000000008000000000"
    "000000000000005800000004000000063fc0000040a000003f80000040d00000000000000000000000000000000000000000009800000003"
    "0000000000000000000000000000000000000000000000000000009e00000000000000000000000000e965e5672c0000010000000102"
)


def single(x: float, y: float, name: str = "", position: int = 0) -> bytes:
    """A point as ImageJ writes it: SINGLE with other coordinates, name and slice."""
    title = name.encode("utf-16-be")
    second = bytearray(SINGLE[76:140])
    struct.pack_into(">2i", second, 16, 140, len(name))
    struct.pack_into(">i", second, 48, 0)
    head = SINGLE[:56] + struct.pack(">i", position) + SINGLE[60:68]
    return head + struct.pack(">2f", x, y) + bytes(second) + title


def old(points: list[tuple[int, int]], left: int, top: int, version: int = 217, kind: int = 10) -> bytes:
    """A ROI of whole px, as the comment of RoiDecoder describes it: coordinates from the corner of its rectangle."""
    head = struct.pack(">4sHBx5h", b"Iout", version, kind, top, left, top + 9, left + 9, len(points))
    numbers = [x - left for x, _ in points] + [y - top for _, y in points]
    return head.ljust(64, b"\0") + struct.pack(f">{len(numbers)}h", *numbers)


def packed(*entries: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def read(folder: Path, content: bytes, name: str = "wing.zip") -> tuple[Landmarks, ...]:
    path = folder / name
    path.write_bytes(content)
    return imagej_roi.load(path)


def test_a_multi_point_roi_is_a_specimen_and_its_coordinates_stay_as_they_are(tmp_path: Path) -> None:
    (one,) = read(tmp_path, MULTI, "x.roi")
    assert (one.image, one.id, one.scale, one.names) == ("a.jpg", "", None, ())
    x, y = np.float32(834.56789), np.float32(0.1)
    np.testing.assert_array_equal(one.points, [[10.5, 20.25], [x, y], [0, 0]])


def test_a_roi_without_subpixel_resolution_counts_from_its_rectangle(tmp_path: Path) -> None:
    (one,) = read(tmp_path, old([(10, 20), (12, 22), (17, 21)], 10, 20), "wing 1.roi")
    assert one.image == "wing 1"
    np.testing.assert_array_equal(one.points, [[10, 20], [12, 22], [17, 21]])


def test_counters_are_no_landmarks_and_names_may_have_any_letter(tmp_path: Path) -> None:
    (one,) = read(tmp_path, COUNTED, "x.roi")
    assert (one.image, one.id) == ("é日本", "")
    np.testing.assert_array_equal(one.points, [[1.5, 1], [5, 6.5]])


def test_points_of_a_roi_on_several_slices_are_several_specimens(tmp_path: Path) -> None:
    other = COUNTED[:-8] + bytes.fromhex("0000030000000200")
    first, second = read(tmp_path, other, "x.roi")
    assert [(one.image, one.id, one.points.tolist()) for one in (first, second)] == [
        ("é日本", "2", [[5, 6.5]]),
        ("é日本", "3", [[1.5, 1]]),
    ]


def test_single_points_are_the_landmarks_of_one_specimen_in_the_order_of_the_list(tmp_path: Path) -> None:
    content = packed(("b.roi", single(3, 4, "tip")), ("a.roi", single(-1, -1, "base")), ("c.roi", single(-1, 5, "eye")))
    (one,) = read(tmp_path, content)
    assert (one.image, one.id, one.names) == ("wing", "", ("tip", "base", "eye"))
    np.testing.assert_array_equal(one.points, [[3, 4], [NAN, NAN], [-1, 5]])


@pytest.mark.parametrize("names", [("0020-0010", "tip"), ("tip", "tip"), ("0001-0020-0010", "0020-0010-1")])
def test_names_that_say_nothing_are_no_names_of_landmarks(tmp_path: Path, names: tuple[str, str]) -> None:
    content = packed(*((f"{at}.roi", single(at, 4, name)) for at, name in enumerate(names)))
    assert read(tmp_path, content)[0].names == ()


def test_a_roi_without_name_is_called_as_the_entry_of_the_zip(tmp_path: Path) -> None:
    assert read(tmp_path, packed(("tip.roi", single(1, 2)), ("eye.roi", single(3, 4))))[0].names == ("tip", "eye")
    (one,) = read(tmp_path, packed(("b.jpg.ROI", old([(1, 2), (3, 4)], 1, 2)), ("__MACOSX/._b.jpg.roi", b"x")))
    assert one.image == "b.jpg"


def test_single_points_on_different_slices_are_different_specimens(tmp_path: Path) -> None:
    entries = [("1.roi", single(1, 2, "", 2)), ("2.roi", single(3, 4, "", 1)), ("3.roi", single(5, 6, "", 2))]
    found = read(tmp_path, packed(*entries))
    assert [(one.image, one.id, one.points.tolist()) for one in found] == [
        ("wing", "2", [[1, 2], [5, 6]]),
        ("wing", "1", [[3, 4]]),
    ]


def test_multi_point_rois_with_imagejs_own_names_lie_on_the_photograph_that_names_the_file(tmp_path: Path) -> None:
    pair = old([(1, 2), (3, 4)], 1, 2)
    found = read(tmp_path, packed(("0002-0001.roi", pair), ("0007-0001.roi", pair), ("bee.roi", pair)), "drawer.zip")
    assert [(one.image, one.id) for one in found] == [("drawer", "0002-0001"), ("drawer", "0007-0001"), ("bee", "")]
    assert [(one.image, one.id) for one in read(tmp_path, packed(("0002-0001.roi", pair)))] == [("wing", "")]


def test_what_is_written_is_what_imagej_documents(tmp_path: Path) -> None:
    """Against the offsets of RoiDecoder, not against the library that wrote it."""
    imagej_roi.save(tmp_path / "x.roi", [Landmarks([[10.5, 20.25], [NAN, NAN], [-1, -1]], "C:\\é.jpg", "7", 0.5)])
    data = (tmp_path / "x.roi").read_bytes()
    assert data[:4] == b"Iout"
    version, kind, count, options = (
        struct.unpack_from(code, data, at)[0] for code, at in ((">H", 4), ("B", 6), (">H", 16), (">H", 50))
    )
    assert version >= 227
    assert (kind, count) == (10, 3)
    assert options & 128, "coordinates are floats"
    assert struct.unpack_from(">6f", data, 64 + 4 * 3) == (
        10.5,
        -1,
        np.float32(-1.000001),
        20.25,
        -1,
        np.float32(-1.000001),
    )
    (second,) = struct.unpack_from(">i", data, 60)
    at, length = struct.unpack_from(">2i", data, second + 16)
    assert data[at : at + 2 * length].decode("utf-16-be") == "C:\\é.jpg"
    at, length = struct.unpack_from(">2i", data, second + 40)
    kept = "specimen.id: 7\nspecimen.image: C:%5C%C3%A9.jpg\nspecimen.scale: 0.5\n"
    assert data[at : at + 2 * length].decode("utf-16-be") == kept, "java.util.Properties would take a backslash away"


def test_another_program_reads_the_same(tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile", reason="the reader of ImageJ's ROIs that we compare with")
    points = np.array([[834.56789, 0.1], [70000.25, -3.5], [10.5, 20.25]])
    imagej_roi.save(tmp_path / "x.zip", [Landmarks(points, "a.jpg", scale=0.5), Landmarks(points + 1, "b.jpg")])
    for roi, offset, name in zip(roifile.roiread(tmp_path / "x.zip"), (0, 1), ("a.jpg", "b.jpg"), strict=True):
        assert (roi.roitype, roi.name) == (roifile.ROI_TYPE.POINT, name)
        np.testing.assert_array_equal(roi.coordinates(), (points + offset).astype(np.float32))
    assert roifile.roiread(tmp_path / "x.zip")[0].properties["specimen.scale"] == 0.5


def test_specimens_of_one_photograph_and_single_landmarks_keep_apart(tmp_path: Path) -> None:
    given_ = [Landmarks([[1, 2]], "a.jpg", "1", names=("tip",)), Landmarks([[3, 4]], "a.jpg", "2")]
    path = tmp_path / "x.zip"
    imagej_roi.save(path, given_)
    assert zipfile.ZipFile(path).namelist() == ["1.roi", "2.roi"]
    assert [(one.image, one.id, one.names) for one in imagej_roi.load(path)] == [
        ("a.jpg", "1", ("tip",)),
        ("a.jpg", "2", ()),
    ]
    before = path.read_bytes()
    imagej_roi.save(path, given_)
    assert path.read_bytes() == before, "the same specimens are the same bytes"


def test_the_precision_holds_for_large_photographs(tmp_path: Path) -> None:
    points = np.array([[16383.9997, 12000.0001], [8191.12345, 0.00001]])
    imagej_roi.save(tmp_path / "x.zip", [Landmarks(points, "a.jpg")])
    np.testing.assert_allclose(imagej_roi.load(tmp_path / "x.zip")[0].points, points, rtol=0, atol=5.1e-4)


WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), max_size=12)
FLOATS = st.floats(-1e5, 1e5, width=32)


@given(data=st.data(), image=WORDS, identity=WORDS, scale=st.none() | st.floats(1e-6, 1e6))
@settings(max_examples=60, deadline=None)
def test_every_specimen_reads_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, image: str, identity: str, scale: float | None
) -> None:
    present = st.tuples(FLOATS, FLOATS).filter(lambda point: point != (-1, -1))
    points = data.draw(st.lists(st.just((NAN, NAN)) | present, min_size=1, max_size=5))
    names = data.draw(st.just(()) | st.tuples(*(st.text(alphabet="aé,% :\\1", min_size=1) for _ in points)))
    one = Landmarks(np.array(points), image or "x", identity, scale, names)
    path = tmp_path_factory.mktemp("roi") / "x.zip"
    imagej_roi.save(path, [one])
    (again,) = imagej_roi.load(path)
    assert (again.image, again.id, again.scale, again.names) == (one.image, one.id, scale, names)
    np.testing.assert_array_equal(again.points, one.points)


@pytest.mark.parametrize("image", [".'", "._a.jpg", ".hidden", "__MACOSX/a.jpg"])
def test_a_specimen_is_not_taken_for_what_macos_puts_into_a_zip(image: str, tmp_path: Path) -> None:
    imagej_roi.save(tmp_path / "x.zip", [Landmarks([[NAN, NAN]], image)])
    (one,) = imagej_roi.load(tmp_path / "x.zip")
    assert (one.image, one.n_landmarks, one.present.any()) == (image, 1, False)
    assert imagej_roi.recognises(tmp_path / "x.zip")


TWO = old([(1, 2), (3, 4)], 1, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "wing.zip: nothing in it; expected a .roi file"),
        (b"LM=3\n", "wing.zip: no ROI of ImageJ"),
        (b"PK\x03\x04 nothing", "a broken zip"),
        (packed(), "wing.zip: no specimens"),
        (packed(("a.jpg", b"x")), "wing.zip: a.jpg: no .roi file"),
        (packed(("a.roi", b"Iout")), r"wing.zip: a.roi: a broken ROI \(4 bytes are not all\)"),
        (packed(("a.roi", b"x" * 99)), "wing.zip: a.roi: no ROI of ImageJ"),
        (old([(1, 2), (3, 4)], 1, 2, kind=7), "a ROI of type freehand; expected points; delete it"),
        (old([(1, 2), (3, 4)], 1, 2, kind=1), "a ROI of type rectangle"),
        (old([(1, 2), (3, 4)], 1, 2, version=216), "version 216; expected a ROI of version 217 or later"),
        (old([], 1, 2), "no points"),
        (single(NAN, 2), "a coordinate that is no number"),
        (single(float("inf"), 2), "a coordinate that is no number"),
        (
            packed(("a.roi", TWO), ("b.roi", single(3, 4, "tip"))),
            r"b.roi: a single point \(tip\) beside multi-point ROIs",
        ),
        (packed(("x/a.roi", TWO), ("y/a.roi", TWO)), "y/a.roi: a again, as in "),
    ],
)
def test_what_is_no_selection_of_points_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("scale: 2.0", "scale: 0.0"), "specimen.scale: 0.0; expected a positive"),
        (("scale: 2.0", "scale: mm "), "specimen.scale: mm; expected a positive"),
        (("landmarks: a,b,c", "landmarks: a,bbc"), "3 points but 2 names in its property specimen.landmarks"),
    ],
)
def test_properties_that_do_not_fit_are_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    imagej_roi.save(tmp_path / "x.roi", [Landmarks(np.eye(3, 2), "a.jpg", scale=2.0, names=("a", "b", "c"))])
    content = (tmp_path / "x.roi").read_bytes()
    before, after = (text.encode("utf-16-be") for text in change)
    assert content.count(before) == 1
    with pytest.raises(UserError, match=message):
        read(tmp_path, content.replace(before, after), "x.roi")


def test_no_file_is_read_that_is_cut_off(tmp_path: Path) -> None:
    for whole in (MULTI, SINGLE, COUNTED):
        for size in range(len(whole) - 12):
            with pytest.raises(UserError):
                read(tmp_path, whole[:size], "x.roi")


def test_a_missing_file_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.roi: cannot be opened"):
        imagej_roi.load(tmp_path / "none.roi")
    assert not imagej_roi.recognises(tmp_path / "none.roi")


def test_zip_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = packed(("a.roi", b"Iout" + bytes(imagej_roi.MAX_ENTRY)))
    assert len(large) < 10_000
    with pytest.raises(UserError, match=r"a\.roi: 4194308 bytes in one of 1 files; expected ROIs of points"):
        read(tmp_path, large)
    many = packed(*((f"{number}.roi", TWO) for number in range(4)))
    monkeypatch.setattr(imagej_roi, "MAX_ENTRIES", 3)
    with pytest.raises(UserError, match="in one of 4 files"):
        read(tmp_path, many)
    monkeypatch.setattr(imagej_roi, "MAX_ENTRIES", 4)
    monkeypatch.setattr(imagej_roi, "MAX_TOTAL", len(many))
    assert len(read(tmp_path, many)) == 4
    monkeypatch.setattr(imagej_roi, "MAX_TOTAL", len(TWO))
    with pytest.raises(UserError, match=f"more than {len(TWO)} bytes"):
        read(tmp_path, many)


def test_an_encrypted_zip_is_met_with_one_line(tmp_path: Path) -> None:
    content = bytearray(packed(("a.roi", TWO)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UserError, match=r"a\.roi: cannot be unpacked"):
        read(tmp_path, bytes(content))


@pytest.mark.parametrize(
    ("specimens", "message"),
    [
        ([], "no specimens"),
        ([Landmarks(np.empty((0, 2)), "a.jpg")], "0 landmarks; expected 1 to 65535"),
        ([Landmarks([[float("inf"), 2]], "a.jpg")], "an infinite coordinate"),
        ([Landmarks([[1e39, 2]], "a.jpg")], "an infinite coordinate"),
        ([Landmarks([[1, 2]], "a\n.jpg")], "a name that ImageJ cannot hold"),
        ([Landmarks([[1, 2]], "a.jpg", names=("\ud800",))], "a name that ImageJ cannot hold"),
        ([Landmarks([[1, 2]], "a.jpg", scale=NAN)], "the scale nan"),
        ([Landmarks([[1, 2]])], "neither photograph nor ID"),
        ([Landmarks([[1, 2]], "a.jpg")] * 2, "again, as in "),
        ([Landmarks([[1, 2]], "a.jpg"), Landmarks([[1, 2]], "b.jpg")], "2 specimens; expected one; write a .zip"),
    ],
)
def test_what_a_roi_cannot_hold_is_not_written(tmp_path: Path, specimens: list[Landmarks], message: str) -> None:
    with pytest.raises(UserError, match=message):
        imagej_roi.save(tmp_path / "x.roi", specimens)
    assert not list(tmp_path.iterdir())


def test_files_tell_their_kind(tmp_path: Path) -> None:
    contents = {
        "a.roi": MULTI,
        "a.zip": packed(("a.roi", TWO)),
        "photographs.zip": packed(("a.roi", TWO), ("a.jpg", b"")),
        "empty.zip": packed(),
        "b.roi": b"region of interest",
        "b.zip": b"PK\x03\x04",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert [name for name in contents if imagej_roi.recognises(tmp_path / name)] == ["a.roi", "a.zip"]
    assert formats.of(tmp_path / "a.roi").name == "imagej-roi"


ZIP = packed(("a.roi", MULTI), ("b.roi", TWO))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.zip"
    whole = bytearray(data.draw(st.sampled_from([MULTI, SINGLE, COUNTED, ZIP, b"Iout", b"PK\x03\x04"])))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        whole[at] = value
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    kept = data.draw(st.sampled_from([whole, whole[:end], whole[:start] + whole[end:]]))
    path.write_bytes(bytes(kept) + data.draw(st.binary(max_size=80)))
    imagej_roi.recognises(path)
    try:
        specimens = imagej_roi.load(path)
    except UserError:
        return
    assert specimens
