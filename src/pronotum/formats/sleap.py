"""Label files of SLEAP (``.slp``, also its packages ``.pkg.slp``), which can only be read.

HDF5 with tables of frames, instances and points, and names as JSON. Frame: px, origin top-left, y down; from format 1.1
on (0, 0) is the centre of the top-left pixel, before that its corner, which is half a pixel more. Missing = a point
that is not visible, or NaN, as SLEAP's own ``numpy()`` has it.

A frame of a list of photographs is that photograph; frame 12 of a video is called ``clip.mp4#12``. A predicted
instance that a person has corrected is left out, as SLEAP does. Scores, edges of the skeleton and embedded pictures are
not kept.

Source: sleap-io 0.9.5, `io.slp` (which tells the history of the format, up to 2.8).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, specimen_rows
from pronotum.formats.hdf5 import Contents, read
from pronotum.landmarks import FloatArray, Landmarks, Scheme

CENTRED, UNKNOWN = 1.1, 3.0
"""Format from which whole numbers are centres of pixels, and the first that is unknown, to sleap-io too."""

WANTED = r"metadata|tracks_json|videos_json|frames|instances|(pred_)?points|.+/source_video(/json)?"
"""Groups and arrays that are used; pictures in a package are not."""

USER = 0
FRAMES = ("video", "frame_idx", "instance_id_start", "instance_id_end")
INSTANCES = (
    "instance_id",
    "instance_type",
    "skeleton",
    "track",
    "from_predicted",
    "point_id_start",
    "point_id_end",
)
"""The columns used of these tables; all hold whole numbers."""

Table = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class _Labels:
    """What is used of a file.

    Attributes:
        path: of the file.
        frames: a row per labelled frame.
        instances: a row per instance.
        points: (N, 2) px of instances a person has placed, and of predicted ones; NaN = missing.
        skeletons: names of the landmarks of each.
        tracks: their names.
        videos: by number: the photographs of a list, or the name of a video.
    """

    path: Path
    frames: Table
    instances: Table
    points: tuple[FloatArray, FloatArray]
    skeletons: Sequence[tuple[str, ...]]
    tracks: Sequence[str]
    videos: Mapping[int, str | Sequence[str]]

    def where(self, table: str, row: int) -> str:
        """A row as messages call it."""
        return f"{self.path}: {table}[{row}]"


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a label file of SLEAP.

    Args:
        path: SLP file.
        sizes: not needed; y is down in the file.

    Returns:
        One per instance, by frame in file order: points (K, 2) px, NaN = missing; names are the nodes of its skeleton,
        () if only 1, 2, ...; the ID is its track, else its number among several of the frame, else empty.

    Raises:
        UserError: h5py is missing, the file is broken or of an unknown format, its tables do not fit each other, a
            landmark has one coordinate only or an infinite one, or two instances of a frame have one track; says file
            and place inside.
    """
    labels = _labels(read(path, WANTED))
    rows = range(len(labels.frames["video"]))
    found = [(labels.where("frames", row), one) for row in rows for one in _specimens(labels, row)]
    if not found:
        raise UserError(path, found="no instances", expected="at least one labelled frame")
    specimens = tuple(one for _, one in found)
    specimen_rows.check_distinct(specimens, [place for place, _ in found])
    return specimens


def _labels(contents: Contents) -> _Labels:
    version = contents.attribute("metadata", "format_id")
    if not isinstance(version, (int, float)) or not 1 <= version < UNKNOWN:
        found = "no format of SLEAP" if version is None else f"format {version}"
        raise UserError(contents.path, found=found, expected="1.0 to 2.x", remedy="save it again with SLEAP 1.3 or 1.4")
    with _understood(contents, "metadata@json"):
        metadata = json.loads(str(contents.attribute("metadata", "json")))
        nodes = [str(node["name"]) for node in metadata["nodes"]]
        graphs = [skeleton.get("nx_graph", skeleton) for skeleton in metadata["skeletons"]]
        skeletons = [tuple(_at(nodes, node["id"]) for node in graph["nodes"]) for graph in graphs]
    with _understood(contents, "tracks_json"):
        tracks = [str(track[1]) for track in _rows(contents, "tracks_json")]
    frames = _table(contents, "frames", FRAMES)
    corner = 0.5 if version < CENTRED else 0.0
    return _Labels(
        path=contents.path,
        frames=frames,
        instances=_table(contents, "instances", INSTANCES),
        points=(_points(contents, "points") - corner, _points(contents, "pred_points") - corner),
        skeletons=skeletons,
        tracks=tracks,
        videos=_videos(contents, set(frames["video"].tolist())),
    )


@contextmanager
def _understood(contents: Contents, name: str) -> Iterator[None]:
    """Say where something is not as SLEAP writes it."""
    try:
        yield
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError):
        remedy = "open it in SLEAP, and save it again"
        raise UserError(contents.where(name), found="not what SLEAP writes there", remedy=remedy) from None


def _at(texts: Sequence[str], number: object) -> str:
    if not isinstance(number, int) or number < 0:
        raise ValueError(number)
    return texts[number]


def _rows(contents: Contents, name: str) -> list[Any]:
    """Rows of JSON."""
    texts = contents.arrays.get(name)
    return [] if texts is None else [json.loads(text) for text in texts.tolist()]


def _videos(contents: Contents, used: set[int]) -> dict[int, str | Sequence[str]]:
    """Videos by the number that frames use: their place, or in some packages the number in the name of their data."""
    with _understood(contents, "videos_json"):
        videos = _rows(contents, "videos_json")
        names = [_pictures(contents, video) for video in videos]
        places = len(used) == len(videos) == max(used, default=-1) + 1
        numbers = [number if places else _number(video, number) for number, video in enumerate(videos)]
    return dict(zip(numbers, names, strict=True))


def _number(video: Mapping[str, Any], place: int) -> int:
    group = str(video["backend"].get("dataset") or "").partition("/")[0]
    number = group.removeprefix("video")
    return int(number) if group != number and number.isdecimal() else place


def _pictures(contents: Contents, video: Mapping[str, Any]) -> str | Sequence[str]:
    """The photographs of a list, or the name of a video; those of which it was made where it is part of a package."""
    backend = video["backend"]
    found = backend.get("filenames", backend.get("filename", video.get("filename")))
    if isinstance(found, list):
        return [str(name) for name in found]
    if "source_video" in video:
        return _pictures(contents, video["source_video"])
    if found != ".":
        return str(found)
    group = str(backend["dataset"]).removesuffix("/video")
    stored = contents.arrays.get(f"{group}/source_video/json")
    text: Any = contents.attribute(f"{group}/source_video", "json") if stored is None else stored.item()
    return group if text is None else _pictures(contents, json.loads(text))


def _table(contents: Contents, name: str, columns: Sequence[str]) -> Table:
    found = _structured(contents, name, columns)
    if any(found[column].dtype.kind not in "iu" for column in columns):
        raise UserError(contents.where(name), found="columns without whole numbers", remedy="save it again with SLEAP")
    return {column: found[column].astype(np.int64) for column in columns}


def _points(contents: Contents, name: str) -> FloatArray:
    found = _structured(contents, name, ("x", "y", "visible"))
    if found["x"].dtype.kind != "f" or found["y"].dtype.kind != "f" or found["visible"].dtype.kind not in "biu":
        raise UserError(contents.where(name), found="columns without numbers", remedy="save it again with SLEAP")
    points = np.column_stack([found["x"], found["y"]]).astype(np.float64)
    points[found["visible"] == 0] = np.nan
    return points


def _structured(contents: Contents, name: str, columns: Sequence[str]) -> NDArray[Any]:
    found = contents.arrays.get(name)
    if found is None or found.ndim != 1 or not set(columns) <= set(found.dtype.names or ()):
        expected = f"a table with the columns {', '.join(columns)}"
        raise UserError(
            contents.where(name), found="no such table", expected=expected, remedy="save it again with SLEAP"
        )
    return found


def _specimens(labels: _Labels, frame: int) -> Iterator[Landmarks]:
    video, index, start, end = (int(labels.frames[column][frame]) for column in FRAMES)
    instances = labels.instances
    if not 0 <= start <= end <= len(instances["track"]):
        raise UserError(labels.where("frames", frame), found=f"instances {start} to {end}, which are not there")
    users = [row for row in range(start, end) if instances["instance_type"][row] == USER]
    corrected = {instances["from_predicted"][row] for row in users} - {-1}
    tracks = {instances["track"][row] for row in users} - {-1}
    shown = [
        row
        for row in range(start, end)
        if row in users or (instances["instance_id"][row] not in corrected and instances["track"][row] not in tracks)
    ]
    if not shown:
        return
    image = _image(labels, frame, video, index)
    for number, row in enumerate(shown, start=1):
        track = int(instances["track"][row])
        if track >= len(labels.tracks):
            raise UserError(labels.where("instances", row), found=f"track {track}, which is not there")
        identity = labels.tracks[track] if track >= 0 else str(number) if len(shown) > 1 else ""
        names = _names(labels, row)
        points = _instance_points(labels, row, names)
        yield Landmarks(points, image, identity, names=() if names == Scheme.numbered(len(names)).names else names)


def _image(labels: _Labels, frame: int, video: int, index: int) -> str:
    pictures = labels.videos.get(video)
    if pictures is None or index < 0 or (not isinstance(pictures, str) and index >= len(pictures)):
        raise UserError(labels.where("frames", frame), found=f"frame {index} of video {video}, which is not there")
    return f"{pictures}#{index}" if isinstance(pictures, str) else pictures[index]


def _names(labels: _Labels, row: int) -> tuple[str, ...]:
    number = int(labels.instances["skeleton"][row])
    names = labels.skeletons[number] if 0 <= number < len(labels.skeletons) else ()
    if not names or len(set(names)) != len(names):
        found = f"skeleton {number}, whose nodes have no names or the same"
        raise UserError(labels.where("instances", row), found=found, remedy="name the nodes in SLEAP")
    return names


def _instance_points(labels: _Labels, row: int, names: Sequence[str]) -> FloatArray:
    instances, where = labels.instances, labels.where("instances", row)
    points = labels.points[0 if instances["instance_type"][row] == USER else 1]
    start, end = int(instances["point_id_start"][row]), int(instances["point_id_end"][row])
    if not 0 <= start <= end <= len(points) or end - start != len(names):
        raise UserError(where, found=f"points {start} to {end} of {len(points)}", expected=counted(len(names), "point"))
    found = points[start:end]
    if np.isinf(found).any() or (np.isnan(found).sum(1) == 1).any():
        expected = "two numbers for each landmark, or none"
        raise UserError(where, found="an infinite coordinate, or one without the other", expected=expected)
    return found


FORMAT = Format(name="sleap", suffixes=(".slp",), read=load, write=None, keeps=frozenset({"image", "id", "names"}))
