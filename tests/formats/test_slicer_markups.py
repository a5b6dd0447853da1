import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import slicer_markups
from pronotum.landmarks import Landmarks

NAN = float("nan")
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


def control(number: int, label: str, position: Any, status: str = "defined") -> dict[str, Any]:
    """As vtkMRMLMarkupsJsonStorageNode writes it: an empty text where there is no position."""
    return {
        "id": str(number),
        "label": label,
        "description": "",
        "associatedNodeID": "vtkMRMLVectorVolumeNode1",
        "position": position,
        "orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0],
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": status,
    }


# As Slicer 5 saves a list: without a name.
LIST: dict[str, Any] = {
    "type": "Fiducial",
    "coordinateSystem": "LPS",
    "coordinateUnits": "mm",
    "locked": False,
    "fixedNumberOfControlPoints": False,
    "labelFormat": "%N-%d",
    "lastUsedControlPointNumber": 4,
    "controlPoints": [
        control(1, "apex", [10.5, 20.25, 0.0]),
        control(2, "base", "", "missing"),
        control(3, "left 1", [0.0, 5.684341886080802e-14, -5.684341886080802e-14]),
        control(4, "left 2", "", "undefined"),
        control(5, "left 3", [1.0, 1.0, 0.0], "preview"),
    ],
    "measurements": [],
    "display": {"visibility": True, "opacity": 1.0},
}
GOLDEN = {"@schema": SCHEMA, "markups": [LIST]}


def load(folder: Path, document: Any, name: str = "a.jpg.mrk.json") -> tuple[Landmarks, ...]:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return slicer_markups.load(path)


def with_points(*points: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**GOLDEN, "markups": [{**LIST, "controlPoints": list(points), **members}]}


def test_a_list_is_a_specimen_named_after_its_file(tmp_path: Path) -> None:
    (one,) = load(tmp_path, GOLDEN)
    assert (one.image, one.id) == ("a.jpg", "")
    assert one.names == ("apex", "base", "left 1", "left 2", "left 3")
    expected = [[10.5, 20.25], [NAN, NAN], [0, 5.684341886080802e-14], [NAN, NAN], [NAN, NAN]]
    np.testing.assert_array_equal(one.points, expected)


@pytest.mark.parametrize(
    ("name", "image"),
    [("F.mrk.json", "F"), ("a.PNG.MRK.JSON", "a.PNG"), ("b.json", "b"), (".mrk.json", ".mrk.json")],
)
def test_the_suffix_is_no_part_of_the_name(name: str, image: str, tmp_path: Path) -> None:
    assert load(tmp_path, GOLDEN, name)[0].image == image


def test_in_ras_both_coordinates_have_the_other_sign(tmp_path: Path) -> None:
    (one,) = load(tmp_path, with_points(control(1, "p", [-10.5, -20.25, 0]), coordinateSystem="RAS"))
    assert one.points.tolist() == [[10.5, 20.25]]


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    """The example of Slicer's documentation, on a plane: LPS is what is meant where nothing is said."""
    text = """{"@schema": "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.0.json#",
    "markups": [{"type": "Fiducial", "controlPoints": [
        { "label": "F-1", "position": [-53.388409961685827, -73.33572796934868, 0.0] },
        { "label": "F-2", "position": [49.8682950191571, -88.58955938697324, 0.0] }
    ]}]}"""
    (one,) = load(tmp_path, text)
    assert one.names == ("F-1", "F-2")
    assert one.points.tolist() == [[-53.388409961685827, -73.33572796934868], [49.8682950191571, -88.58955938697324]]


@pytest.mark.parametrize("labels", [("", ""), ("1", "2")])
def test_labels_that_say_nothing_are_no_names(labels: tuple[str, str], tmp_path: Path) -> None:
    (one,) = load(tmp_path, with_points(*(control(1, label, [1, 2, 0]) for label in labels)))
    assert one.names == ()


TWO = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0, 0]], r"C:\bees\a.jpg", "7", names=("apex", "base", "left 1")),
    Landmarks([[834.56789, 0.1]], r"C:\bees\a.jpg", "8"),
    Landmarks([[1, 2]], "", "only an ID"),
)


def test_lists_are_written_as_slicer_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "all.mrk.json"
    formats.save(path, TWO)
    document = json.loads(path.read_text())
    assert document["@schema"] == SCHEMA
    assert [one["name"] for one in document["markups"]] == [r"C:\bees\a.jpg", r"C:\bees\a.jpg", "only an ID"]
    first = document["markups"][0]
    assert {key: first[key] for key in ("type", "coordinateSystem", "coordinateUnits")} == {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
    }
    assert first["controlPoints"] == [
        {"id": "1", "label": "apex", "position": [10.5, 20.25, 0.0], "positionStatus": "defined"},
        {"id": "2", "label": "base", "position": "", "positionStatus": "missing"},
        {"id": "3", "label": "left 1", "position": [0.0, 0.0, 0.0], "positionStatus": "defined"},
    ]
    assert formats.of(path).name == "slicer"
    assert [(one.image, one.id, one.names) for one in formats.load(path)] == [
        (r"C:\bees\a.jpg", "7", ("apex", "base", "left 1")),
        (r"C:\bees\a.jpg", "8", ()),
        ("only an ID", "", ()),
    ]


NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=st.lists(TEXTS, min_size=1, max_size=3, unique=True),
    names=st.lists(TEXTS, min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_what_is_written_reads_back(tmp_path: Path, images: list[str], names: list[str], data: st.DataObject) -> None:
    place = st.just((NAN, NAN)) | st.tuples(NUMBERS, NUMBERS)
    given_ = [
        Landmarks([data.draw(place) for _ in names], image, data.draw(st.just("") | TEXTS), names=tuple(names))
        for image in images
    ]
    path = tmp_path / "x.mrk.json"
    slicer_markups.save(path, given_)
    again = slicer_markups.load(path)
    assert [(one.image, one.id) for one in again] == [(one.image, one.id) for one in given_]
    for one, other in zip(given_, again, strict=True):
        np.testing.assert_array_equal(other.points, one.points)
        assert other.names in (one.names, ())


def test_itk_gives_pixels_the_places_that_are_written(tmp_path: Path) -> None:
    """ITK reads photographs for Slicer; its physical points are LPS, (0, 0) the centre of the first pixel."""
    itk = pytest.importorskip("SimpleITK", reason="the reference is ITK (pip install SimpleITK, 260 MB)")
    picture = Image.new("RGB", (60, 40))
    for name in ("a.jpg", "a.png", "a.tif"):
        picture.save(tmp_path / name)
        read = itk.ReadImage(str(tmp_path / name))
        (one,) = load(tmp_path, with_points(control(1, "", [*read.TransformIndexToPhysicalPoint((10, 20)), 0.0])))
        assert one.points.tolist() == [[10, 20]]
    for name in ("b.jpg", "b.tif"):  # the trap that the documentation warns of
        picture.save(tmp_path / name, dpi=(300, 300))
        read = itk.ReadImage(str(tmp_path / name))
        assert read.TransformIndexToPhysicalPoint((300, 0))[0] == pytest.approx(25.4)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "a.jpg.mrk.json:1: no JSON"),
        (json.dumps(GOLDEN, indent=0)[:400], "no JSON ("),
        ([], "a.jpg.mrk.json: a list; expected an object with the key @schema"),
        ({"markups": []}, "a.jpg.mrk.json: no @schema"),
        ({**GOLDEN, "@schema": "x/markups-schema-v2.0.0.json#"}, "@schema: x/markups-schema-v2.0.0.json#; expected"),
        ({"@schema": SCHEMA}, "a.jpg.mrk.json: no markups"),
        ({**GOLDEN, "markups": []}, "a.jpg.mrk.json: markups: no markups; expected a point list"),
        ({**GOLDEN, "markups": [LIST, LIST]}, "markups[0]: a list without name among several"),
        ({**GOLDEN, "markups": [{**LIST, "name": "a"}] * 2}, "markups[1]: a again, as in"),
        (with_points(type="Curve"), "markups[0].type: a Curve; expected a point list (Fiducial)"),
        (with_points(), "markups[0].controlPoints: no points; expected at least one"),
        (
            with_points(control(1, "p", [1, 2, 0]), coordinateSystem="IJK"),
            "markups[0].coordinateSystem: IJK; expected LPS",
        ),
        (with_points(control(1, "p", [1, 2, 0], "lost")), "controlPoints[0].positionStatus: lost; expected one of"),
        (with_points(control(1, "p", "")), 'controlPoints[0].position: ""; expected a list'),
        (with_points(control(1, "p", [1, 2])), "controlPoints[0].position: 2 numbers; expected x, y and z"),
        (with_points(control(1, "p", [1, "2", 0])), 'controlPoints[0].position[1]: "2"; expected a finite number'),
        (with_points(control(1, "p", [1, NAN, 0])), "controlPoints[0].position[1]: NaN; expected a finite number"),
        (with_points(control(1, "p", [1, 2, -3.5])), "controlPoints[0].position: z = -3.5; expected 0, as on a photo"),
        (
            with_points(control(1, "p", [1, 2, 0]), control(2, "p", [3, 4, 0])),
            "markups[0].controlPoints: the label 'p' twice; expected labels that differ, or none",
        ),
        (
            with_points(control(1, "p", [1, 2, 0]), control(2, "", [3, 4, 0])),
            "markups[0].controlPoints: a point without label among labelled ones",
        ),
        (with_points(control(1, "p", [1, 2, 0]), specimen_id=3), "markups[0].specimen_id: 3; expected a text"),
    ],
)
def test_a_broken_file_says_where(document: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, document)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((), "x.mrk.json: no specimens"),
        ((Landmarks([[1, 2]]),), "unnamed specimen: neither photograph nor ID"),
        ((Landmarks([], "a.jpg"),), "a.jpg: no points; expected at least one"),
        ((Landmarks([[np.inf, 2]], "a.jpg"),), "a.jpg: an infinite coordinate"),
        ((Landmarks([[1, 2]], "a.jpg"),) * 2, "specimen 2: a.jpg again, as in specimen 1"),
        ((Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "x")),), "a.jpg: the label 'x' twice"),
    ],
)
def test_what_cannot_be_held_is_not_written(given_: tuple[Landmarks, ...], message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mrk.json"
    path.write_text("before")
    with pytest.raises(UserError, match=re.escape(message)):
        slicer_markups.save(path, given_)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


VALUES: tuple[Any, ...] = (None, True, -1, 0, 10**400, NAN, "", "x", "RAS", "defined", [], [0], [1, 2, 0], {})


@st.composite
def broken(draw: st.DrawFn) -> str:
    """The file with one value replaced or left out, or cut off."""
    copy = json.loads(json.dumps([{**GOLDEN, "markups": [LIST, {**LIST, "name": "b"}]}]))
    places, waiting = [], [copy]
    while waiting:
        value = waiting.pop()
        keys = range(len(value)) if isinstance(value, list) else list(value)
        places += [(value, key) for key in keys]
        waiting += [value[key] for key in keys if isinstance(value[key], list | dict)]
    container, key = draw(st.sampled_from(places))
    if draw(st.booleans()) or container is copy:
        container[key] = draw(st.sampled_from(VALUES))
    else:
        del container[key]
    text = json.dumps(copy[0])
    return text[: draw(st.just(len(text)) | st.integers(0, len(text)))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=broken().map(str.encode) | st.binary(max_size=60))
def test_no_file_makes_the_reader_fail_otherwise(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mrk.json"
    path.write_bytes(content)
    try:
        found = slicer_markups.load(path)
    except UserError:
        return
    assert found
    assert all(one.n_landmarks and not np.isinf(one.points).any() for one in found)
