"""Files as sleap-io 0.9.5 writes them; where it is installed it writes them itself."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import hdf5, sleap
from pronotum.landmarks import Landmarks

h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")

NAN = float("nan")
NAMES = ("apex", "base", "left 1")

FRAME = [
    ("frame_id", "u8"),
    ("video", "u4"),
    ("frame_idx", "u8"),
    ("instance_id_start", "u8"),
    ("instance_id_end", "u8"),
]
INSTANCE = [
    ("instance_id", "i8"),
    ("instance_type", "u1"),
    ("frame_id", "u8"),
    ("skeleton", "u4"),
    ("track", "i4"),
    ("from_predicted", "i8"),
    ("score", "f4"),
    ("point_id_start", "u8"),
    ("point_id_end", "u8"),
    ("tracking_score", "f4"),
]
POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]

METADATA = {
    "version": "2.0.0",
    "skeletons": [
        {
            "directed": True,
            "graph": {"name": "beetle", "num_edges_inserted": 0},
            "links": [],
            "multigraph": True,
            "nodes": [{"id": 0}, {"id": 2}, {"id": 1}],
        },
        {"nx_graph": {"graph": {"name": "leg"}, "links": [], "nodes": [{"id": 2}]}},
    ],
    "nodes": [{"name": "apex", "weight": 1.0}, {"name": "left 1", "weight": 1.0}, {"name": "base", "weight": 1.0}],
    "videos": [],
    "tracks": [],
}
VIDEOS = [
    {"filename": ["photos/a.jpg", "photos/b.jpg"], "backend": {"filename": ["photos/a.jpg", "photos/b.jpg"]}},
    {"filename": "clip.mp4", "backend": {"filename": "clip.mp4"}},
]


def write(path: Path, **changes: Any) -> Path:
    """A file with a corrected prediction, two tracks on one photograph and two predictions on a frame of a video."""
    members = {
        "format_id": 1.4,
        "metadata": METADATA,
        "tracks_json": [[0, "m"], [0, "f"]],
        "videos_json": VIDEOS,
        "frames": [(0, 0, 0, 0, 2), (1, 0, 1, 2, 4), (2, 1, 12, 4, 6)],
        "instances": [
            (0, 1, 0, 0, -1, -1, 0.5, 0, 3, NAN),
            (1, 0, 0, 0, -1, 0, 0, 0, 3, NAN),
            (2, 0, 1, 0, 0, -1, 0, 3, 6, NAN),
            (3, 0, 1, 1, 1, -1, 0, 6, 7, NAN),
            (4, 1, 2, 0, -1, -1, 0.5, 3, 6, NAN),
            (5, 1, 2, 0, -1, -1, 0.5, 6, 9, NAN),
        ],
        "points": [
            (10.5, 20.25, True, False),
            (NAN, NAN, False, False),
            (0, 0, True, True),
            (100, 200, True, False),
            (7, 8, False, False),
            (9, 10, True, False),
            (101, 200, True, False),
        ],
        "pred_points": [(number, number + 0.5, True, False, 1) for number in range(9)],
        **changes,
    }
    with h5py.File(path, "w") as file:
        metadata = file.create_group("metadata")
        if members["format_id"] is not None:
            metadata.attrs["format_id"] = members["format_id"]
        text = members["metadata"] if isinstance(members["metadata"], str) else json.dumps(members["metadata"])
        metadata.attrs["json"] = np.bytes_(text.encode())
        for name in ("tracks_json", "videos_json"):
            lines = [line if isinstance(line, str) else json.dumps(line) for line in members[name]]
            file.create_dataset(name, data=lines, dtype=h5py.string_dtype(), maxshape=(None,))
        kinds = {"frames": FRAME, "instances": INSTANCE, "points": POINT, "pred_points": [*POINT, ("score", "f8")]}
        for name, kind in kinds.items():
            values = members[name]
            values = values if isinstance(values, np.ndarray) else np.array(values, kind)
            file.create_dataset(name, data=values)
    return path


def test_instances_are_specimens(tmp_path: Path) -> None:
    path = write(tmp_path / "x.slp")
    assert formats.of(path).name == "sleap"
    corrected, male, female, one, two = formats.load(path)
    assert (corrected.image, corrected.id, corrected.names) == ("photos/a.jpg", "", NAMES)
    np.testing.assert_array_equal(corrected.points, [[10.5, 20.25], [NAN, NAN], [0, 0]])
    assert (male.image, male.id) == ("photos/b.jpg", "m")
    np.testing.assert_array_equal(male.points, [[100, 200], [NAN, NAN], [9, 10]], "7, 8 is not visible")
    assert (female.image, female.id, female.names) == ("photos/b.jpg", "f", ("base",))
    assert female.points.tolist() == [[101, 200]]
    assert [(found.image, found.id) for found in (one, two)] == [("clip.mp4#12", "1"), ("clip.mp4#12", "2")]
    assert one.points.tolist() == [[3, 3.5], [4, 4.5], [5, 5.5]]


def test_before_format_1_1_whole_numbers_were_corners_of_pixels(tmp_path: Path) -> None:
    old = np.array([(0, 0, 0, 0, -1, -1, 0, 0, 3)], INSTANCE[:-1])
    path = write(tmp_path / "x.slp", format_id=1.0, frames=[(0, 0, 0, 0, 1)], instances=old)
    (one,) = sleap.load(path)
    np.testing.assert_array_equal(one.points, [[10, 19.75], [NAN, NAN], [-0.5, -0.5]])


def test_a_prediction_in_the_track_of_a_person_s_instance_is_left_out(tmp_path: Path) -> None:
    instances = [
        (0, 1, 0, 0, 0, -1, 0.5, 0, 3, NAN),
        (1, 0, 0, 0, 0, -1, 0, 0, 3, NAN),
        (2, 1, 0, 0, 1, -1, 0.5, 3, 6, NAN),
    ]
    path = write(tmp_path / "x.slp", frames=[(0, 0, 1, 0, 3), (1, 0, 0, 3, 3)], instances=instances)
    assert [(one.image, one.id, one.points[0].tolist()) for one in sleap.load(path)] == [
        ("photos/b.jpg", "m", [10.5, 20.25]),
        ("photos/b.jpg", "f", [3, 3.5]),
    ]


def test_a_package_tells_of_which_photographs_it_was_made(tmp_path: Path) -> None:
    """As sleap-io writes packages and packages of packages; numbers of videos may have gaps there."""
    photographs = {"backend": {"type": "ImageVideo", "filename": "a.png", "filenames": ["a.png", "b.png"]}}
    package = {"backend": {"filename": "old.pkg.slp", "dataset": "video7/video"}, "source_video": photographs}
    videos = [{"filename": "x", "backend": {"filename": ".", "dataset": f"video{n}/video"}} for n in (0, 7, 9)]
    frames = [(0, 7, 1, 1, 2), (1, 0, 0, 1, 2), (2, 9, 4, 1, 2)]
    path = write(tmp_path / "x.pkg.slp", videos_json=videos, frames=frames)
    with h5py.File(path, "a") as file:
        file.create_group("video0/source_video").attrs["json"] = json.dumps(photographs)
        file["video7/source_video/json"] = np.bytes_(json.dumps(package).encode())
        file["video9/video"] = np.zeros((1, 9), np.int8)
    assert [one.image for one in sleap.load(path)] == ["b.png", "a.png", "video9#4"]


def test_what_sleap_io_writes_is_read(tmp_path: Path) -> None:
    sio = pytest.importorskip("sleap_io", reason="the reference is sleap-io (pip install sleap-io, 500 MB)")
    points = np.array([[10.5, 20.25], [NAN, NAN], [0, 0]])
    skeleton = sio.Skeleton(list(NAMES), edges=[("apex", "base")], symmetries=[("base", "left 1")])
    video = sio.Video(filename=["photos/a.jpg", "photos/b.jpg"], open_backend=False)
    tracks = [sio.Track("m"), sio.Track("f")]
    scores = {"score": 0.5, "point_scores": np.ones(3), "skeleton": skeleton}
    predicted = sio.PredictedInstance.from_numpy(points + 1, **scores)
    person = sio.Instance.from_numpy(points, skeleton=skeleton, from_predicted=predicted)
    others = [sio.Instance.from_numpy(points + 2, skeleton=skeleton, track=track) for track in tracks]
    others[0].points["visible"][2] = False
    frames = [
        sio.LabeledFrame(video=video, frame_idx=0, instances=[predicted, person]),
        sio.LabeledFrame(video=video, frame_idx=1, instances=others),
    ]
    path = tmp_path / "x.slp"
    sio.Labels(frames).save(str(path), verbose=False)
    found = sleap.load(path)
    assert [(one.image, one.id, one.names) for one in found] == [
        ("photos/a.jpg", "", NAMES),
        ("photos/b.jpg", "m", NAMES),
        ("photos/b.jpg", "f", NAMES),
    ]
    expected = [instance.numpy() for instance in (person, *others)]  # invisible as NaN
    np.testing.assert_array_equal([one.points for one in found], expected)


def changed(**members: Any) -> dict[str, Any]:
    return {**METADATA, **members}


WITHOUT_VISIBLE = np.zeros(9, [("x", "f8"), ("y", "f8")])
TEXTS_FOR_X = np.zeros(9, [("x", "S1"), ("y", "f8"), ("visible", "?")])
FLOATS = np.zeros(3, [(name, "f8") for name, _ in FRAME])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_id": None}, "x.slp: no format of SLEAP; expected 1.0 to 2.x"),
        ({"format_id": 3.0}, "x.slp: format 3.0; expected 1.0 to 2.x"),
        ({"format_id": NAN}, "x.slp: format nan; expected"),
        ({"metadata": "{"}, "x.slp: metadata@json: not what SLEAP writes there"),
        ({"metadata": changed(nodes=[{"name": "a"}])}, "x.slp: metadata@json: not what SLEAP writes there"),
        ({"metadata": changed(skeletons=[[]])}, "x.slp: metadata@json: not what SLEAP writes there"),
        ({"metadata": changed(skeletons=[{"nodes": [{"id": -1}]}])}, "metadata@json: not what SLEAP writes there"),
        ({"metadata": changed(skeletons=[])}, "instances[1]: skeleton 0, whose nodes have no names or the same"),
        (
            {"metadata": changed(skeletons=[{"nodes": [{"id": 0}, {"id": 0}, {"id": 1}]}])},
            "instances[1]: skeleton 0, whose nodes have no names or the same; name the nodes in SLEAP",
        ),
        (
            {"metadata": changed(skeletons=[{"nodes": [{"id": 0}]}])},
            "instances[1]: points 0 to 3 of 7; expected 1 point",
        ),
        ({"tracks_json": ["[0"]}, "x.slp: tracks_json: not what SLEAP writes there"),
        ({"tracks_json": []}, "instances[2]: track 0, which is not there"),
        ({"videos_json": [{"filename": "a"}]}, "x.slp: videos_json: not what SLEAP writes there"),
        ({"videos_json": [{"backend": {"filename": "."}}]}, "x.slp: videos_json: not what SLEAP writes there"),
        ({"videos_json": VIDEOS[:1]}, "frames[2]: frame 12 of video 1, which is not there"),
        ({"frames": [(0, 0, 2, 0, 2)]}, "frames[0]: frame 2 of video 0, which is not there"),
        ({"frames": [(0, 0, 0, 0, 7)]}, "frames[0]: instances 0 to 7, which are not there"),
        ({"frames": [(0, 0, 0, 2, 1)]}, "frames[0]: instances 2 to 1, which are not there"),
        ({"frames": [(0, 0, 0, 2**64 - 1, 1)]}, "frames[0]: instances -1 to 1, which are not there"),
        ({"frames": FLOATS}, "x.slp: frames: columns without whole numbers"),
        ({"frames": []}, "x.slp: no instances; expected at least one labelled frame"),
        ({"frames": [(0, 0, 0, 0, 2)] * 2}, "frames[1]: photos/a.jpg again, as in"),
        ({"instances": np.zeros(3, FRAME)}, "x.slp: instances: no such table; expected a table with the columns"),
        ({"points": WITHOUT_VISIBLE}, "x.slp: points: no such table; expected a table with the columns x, y, visible"),
        ({"pred_points": TEXTS_FOR_X}, "x.slp: pred_points: columns without numbers"),
        ({"points": [(1, 2, True, True)] * 2}, "instances[1]: points 0 to 3 of 2; expected 3 points"),
        ({"points": [(1, NAN, True, True)] * 7}, "instances[1]: an infinite coordinate, or one without the other"),
        ({"points": [(1, np.inf, True, True)] * 7}, "instances[1]: an infinite coordinate, or one without the other"),
    ],
)
def test_a_broken_file_says_where(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.slp", **changes)
    with pytest.raises(UserError) as caught:
        sleap.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_packages_that_are_made_of_each_other_do_not_end_the_reader(tmp_path: Path) -> None:
    itself = {"backend": {"filename": ".", "dataset": "video0/video"}}
    path = write(tmp_path / "x.slp", videos_json=[itself])
    with h5py.File(path, "a") as file:
        file.create_group("video0/source_video").attrs["json"] = json.dumps(itself)
    with pytest.raises(UserError, match=r"videos_json: not what SLEAP writes there"):
        sleap.load(path)


def test_it_can_only_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sleap can only be read"):
        formats.save(tmp_path / "x.slp", [Landmarks([[1, 2]], "a.jpg")])


VALUES: tuple[Any, ...] = (None, True, -1, 0, 2, 10**30, NAN, "x", ".", [], [0], {}, {"id": 0}, {"filename": "."})


@st.composite
def documents(draw: st.DrawFn, document: Any) -> str:
    """JSON with one value replaced or left out."""
    copy = json.loads(json.dumps([document]))
    places = []
    waiting: list[Any] = [copy]
    while waiting:
        value = waiting.pop()
        keys = range(len(value)) if isinstance(value, list) else list(value)
        places += [(value, key) for key in keys]
        waiting += [value[key] for key in keys if isinstance(value[key], list | dict)]
    container, key = draw(st.sampled_from(places))
    container[key] = draw(st.sampled_from(VALUES))
    return json.dumps(copy[0])


def tables(draw: st.DrawFn, table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A table with one value changed, or one of another shape."""
    changed = table.copy()
    if changed.size and draw(st.booleans()):
        column = draw(st.sampled_from(table.dtype.names))
        numbers = st.integers(-2, 14) | st.just(2**31 - 1)
        value = np.array(draw(numbers)).astype(table.dtype[column])
        changed[column][draw(st.integers(0, len(table) - 1))] = value
        return changed
    return draw(st.sampled_from([changed[:-1], changed[::2], changed[None], np.zeros(3), changed[:0]]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> hdf5.Contents:
    return hdf5.read(write(tmp_path_factory.mktemp("golden") / "x.slp"), sleap.WANTED)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_contents_make_the_reader_fail_otherwise(
    data: st.DataObject, whole: hdf5.Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = data.draw(st.sampled_from(["metadata", *whole.arrays]))
    arrays, attributes = dict(whole.arrays), dict(whole.attributes)
    if name == "metadata":
        told = {"format_id": data.draw(st.sampled_from([1.0, 1.4, 2.8])), "json": data.draw(documents(METADATA))}
        attributes[name] = told
    elif name.endswith("json"):
        rows = data.draw(documents(VIDEOS if name == "videos_json" else [[0, "m"], [0, "f"]]))
        try:
            arrays[name] = np.array([json.dumps(row).encode() for row in json.loads(rows)])
        except TypeError:
            del arrays[name]
    else:
        arrays[name] = tables(data.draw, arrays[name])
    contents = dataclasses.replace(whole, arrays=arrays, attributes=attributes)
    monkeypatch.setattr(sleap, "read", lambda *_: contents)
    try:
        found = sleap.load(whole.path)
    except UserError:
        return
    assert found
    assert not any(np.isinf(one.points).any() for one in found)
    assert len({(one.image, one.id) for one in found}) == len(found)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_file_makes_the_reader_fail_otherwise(
    data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some such files crash or hang the HDF5 library, which is why a process of its own reads them."""
    monkeypatch.setattr(hdf5, "PATIENCE", 5.0)
    path = write(tmp_path / "x.slp")
    content = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 1, 1, 8, 10**6]))
        content = content[:start] + data.draw(st.binary(max_size=2)) + content[end:]
    path.write_bytes(content)
    try:
        found = sleap.load(path)
    except UserError:
        return
    assert found
