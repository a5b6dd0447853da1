"""What imglab, COCO, CVAT and Label Studio have in common."""

import copy
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import json_document, labelled, xml_document
from pronotum.landmarks import Landmarks

NAN = float("nan")
NAMES = ("imglab", "coco", "cvat", "label-studio")
SIZES = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}
TWO = (
    Landmarks([[10, 20], [NAN, NAN], [0, 0]], "a.jpg", "s1", names=("apex", "base", "left 1")),
    Landmarks([[100, 21], [30, 40], [12, 13]], "a.jpg", "s2", names=("apex", "base", "left 1")),
    Landmarks([[NAN, NAN]] * 3, "b.jpg", "s1", names=("apex", "base", "left 1")),
)
FOREIGN = {
    "imglab": "<dataset><images><image file='a.jpg'><box top='1' left='2' width='30' height='40'><label>x</label>"
    "<part name='0' x='5' y='6'/><part name='10' x='-7' y='8'/></box></image></images></dataset>",
    "coco": '{"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"id": 1, "image_id": 7, "category_id": 3, '
    '"keypoints": [5, 6, 2, 0, 0, 0]}], "categories": [{"id": 3, "name": "x", "keypoints": ["p", "q"]}]}',
    "cvat": '<annotations><version>1.1</version><image id="0" name="a.jpg"><points label="p" points="1.5,2"/>'
    '<points label="q" group_id="1" points="3,4"/></image></annotations>',
    "label-studio": '[{"id": 1, "photo": "/data/upload/3/0123abcd-a.jpg", "kp": [{"x": 1, "y": 2, "width": 1, '
    '"keypointlabels": ["p"], "original_width": 640, "original_height": 480}]}]',
}


def text_of(name: str, specimens, folder: Path) -> str:
    path = folder / f"written{formats.named(name).suffixes[0]}"
    formats.save(path, specimens, SIZES, name=name)
    return path.read_text(encoding="utf-8")


def same(one: Landmarks, other: Landmarks, atol: float) -> None:
    assert (other.image, other.id, other.names) == (one.image, one.id, one.names)
    np.testing.assert_allclose(other.points, one.points, rtol=0, atol=atol)


def words() -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=32, exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@st.composite
def specimens(draw: st.DrawFn) -> tuple[Landmarks, ...]:
    n_landmarks = draw(st.integers(1, 12))
    named = st.lists(
        words().filter(lambda name: not name.isdigit()), min_size=n_landmarks, max_size=n_landmarks, unique=True
    )
    names = draw(st.just(()) | named.map(tuple))
    coordinate = st.floats(-5000, 5000).map(lambda value: round(value, 4))
    point = st.just((NAN, NAN)) | st.tuples(coordinate, coordinate)
    images = st.sampled_from(["a.jpg", "b.jpg", r"C:\bees\ü 1.jpg"])
    keys = draw(st.lists(st.tuples(images, words() | st.just("")), min_size=1, max_size=4, unique=True))
    return tuple(
        Landmarks(draw(st.lists(point, min_size=n_landmarks, max_size=n_landmarks)), image, identity, names=names)
        for image, identity in keys
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=specimens())
def test_what_is_written_reads_back(name: str, given: tuple[Landmarks, ...], tmp_path: Path) -> None:
    """Order, photographs, IDs, names and missing landmarks survive, even of a landmark that no specimen has."""
    kind = formats.named(name)
    path = tmp_path / f"x{kind.suffixes[0]}"
    formats.save(path, given, lambda _: (5001, 4001), name=name)
    again = formats.load(path)
    for one, other in zip(given, again, strict=True):
        same(one, other, kind.precision)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_file_is_written_again_as_it_was(name: str, tmp_path: Path) -> None:
    text = text_of(name, TWO, tmp_path)
    path = tmp_path / f"written{formats.named(name).suffixes[0]}"
    assert text_of(name, formats.load(path), tmp_path) == text


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_recognised_as_what_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{formats.named(name).suffixes[0]}"
    for text in (
        text_of(name, TWO, tmp_path),
        text_of(name, TWO[2:], tmp_path),
        FOREIGN[name],
        "\ufeff\n" + FOREIGN[name],
    ):
        path.write_text(text, encoding="utf-8")
        assert [other for other in NAMES if formats.named(other).recognises(path)] == [name]
        assert formats.of(path).name == name


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2",
        b"<",
        b"<annotation><folder/></annotation>",
        b"<!DOCTYPE dataset [<!ENTITY a 'b'>]><dataset>&a;</dataset>",
        b'{"@schema": "https://slicer.org/markups-schema-v1.0.3.json#", "markups": []}',
        b'{"pronotum": "0.1", "annotations": []}',
        b'{"info": {"title": "an API"}, "openapi": "3.0.0"}',
        b"[1, 2]",
        b'[{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {"x": 1}}]}]',
        b"LM=1\n1 2\nID=1\n",
    ],
)
def test_other_files_are_not_recognised(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert not [name for name in NAMES if formats.named(name).recognises(path)]
    assert not [name for name in NAMES if formats.named(name).recognises(tmp_path)]
    assert not [name for name in NAMES if formats.named(name).recognises(tmp_path / "no")]


TOKENS = [
    "",
    "nan",
    "-1",
    "1e999",
    "9" * 400,
    "null",
    "true",
    "[]",
    "{}",
    '""',
    '"x"',
    "<",
    ">",
    "1.2",
    "&x;",
    "\0",
    "é",
]
VALUES = [None, True, "", "x", "1", "a.jpg", -1, 0, 1.5, NAN, float("inf"), 10**400, [], {}, [1, 2, 3], {"id": 1}]
TEXTS = ["", " ", "x", "1", "0", "nan", "1e999", "-1,2", "1,2;3,4", ";", "a.jpg", "é", 'landmarks: ["x"]', "1.1"]


@st.composite
def cut(draw: st.DrawFn, text: str) -> bytes:
    """A file that was cut, or in which some words were removed, doubled, exchanged or replaced."""
    pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(draw(st.integers(0, 3))):
        at, length = draw(st.integers(0, len(pieces))), draw(st.integers(0, 8))
        doubled = st.just(pieces[at : at + 2 * length])
        pieces[at : at + length] = draw(st.sampled_from([[], *([token] for token in TOKENS)]) | doubled)
    content = "".join(pieces).encode()
    return content[: draw(st.just(len(content)) | st.integers(0, len(content)))]


@st.composite
def misplaced(draw: st.DrawFn, text: str) -> bytes:
    """A well-formed file in which some values were removed, replaced by others or moved."""
    if text.lstrip("\ufeff\n ")[0] == "<":
        root = ET.fromstring(text)
        for _ in range(draw(st.integers(1, 3))):
            parent = draw(st.sampled_from(list(root.iter())))
            change, elements = draw(st.integers(0, 4)), list(parent)
            if change == 0 and elements:
                parent.remove(draw(st.sampled_from(elements)))
            elif change == 1:
                parent.append(copy.deepcopy(draw(st.sampled_from(list(root.iter())))))
            elif change == 2:
                parent.text = draw(st.sampled_from(TEXTS))
            elif parent.attrib:
                attribute = draw(st.sampled_from(sorted(parent.attrib)))
                parent.attrib.pop(attribute)
                if change == 4:
                    parent.attrib[attribute] = draw(st.sampled_from(TEXTS))
        return ET.tostring(root, encoding="utf-8")
    document = [json.loads(text)]
    for _ in range(draw(st.integers(1, 3))):
        places = list(members(document))
        container, key = draw(st.sampled_from(places))
        other, other_key = draw(st.sampled_from(places))
        change = draw(st.integers(0, 2))
        if change:
            container[key] = copy.deepcopy(other[other_key] if change == 1 else draw(st.sampled_from(VALUES)))
        elif container is not document:
            del container[key]
    return json.dumps(document[0]).encode()


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or object inside a value, with each of its keys."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from members(value[key])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_file_makes_a_reader_fail_otherwise(name: str, data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / f"x{formats.named(name).suffixes[0]}"
    whole = st.sampled_from([text_of(name, TWO, tmp_path), FOREIGN[name]])
    path.write_bytes(data.draw(whole.flatmap(misplaced) | whole.flatmap(cut) | st.binary(max_size=64)))
    try:
        found = formats.load(path, SIZES, name=name)
    except UserError:
        return
    assert found
    assert len({one.n_landmarks for one in found}) == 1
    assert not any(np.isinf(one.points).any() for one in found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "no specimens; expected specimens with the same landmarks, at least one"),
        ((Landmarks([], "a.jpg"),), "0 landmarks; expected"),
        ((*TWO[:1], Landmarks([[1, 2]], "b.jpg")), "1, 3 landmarks; expected specimens with the same landmarks"),
        ((TWO[0], Landmarks(TWO[1].points, "b.jpg")), "the same number of landmarks under different names"),
        ((Landmarks([[1, 2]], "", "7"),), "ID=7: no name of a photograph"),
        ((Landmarks([[np.inf, 2]], "a.jpg"),), "a.jpg: an infinite coordinate"),
        ((TWO[0], TWO[1], TWO[0]), r"specimen 3: a.jpg (ID=s1) again, as in specimen 1; expected each photograph"),
        ((Landmarks([[1, 2], [3, 4]], "a.jpg", names=("x", "x")),), "the name 'x' twice"),
        ((Landmarks([[1, 2]], "a.jpg", names=("",)),), "a landmark with an empty name"),
    ],
)
def test_what_cannot_be_held_is_not_written(name: str, given, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("before")
    with pytest.raises(UserError, match=re.escape(message)):
        formats.save(path, given, SIZES, name=name)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x: cannot be opened \(No such file or directory\); check its name"):
        formats.load(tmp_path / "x", name=name)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_specimen_twice_is_refused(name: str, tmp_path: Path) -> None:
    text = text_of(name, TWO[:2], tmp_path).replace("s2", "s1")
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(UserError, match=r"x: ?\S+: a\.jpg \(ID=s1\) again, as in .*x: ?\S+; expected each photograph"):
        formats.load(path, name=name)


@pytest.mark.parametrize("name", ["imglab", "cvat"])
@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n',
        '<!DOCTYPE x SYSTEM "http://localhost/x.dtd">\n',
    ],
)
def test_a_doctype_is_refused_before_anything_is_expanded_or_fetched(name: str, head: str, tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(head + FOREIGN[name].replace("a.jpg", "&b;"))
    with pytest.raises(UserError, match=r"x\.xml:1: a DOCTYPE; expected XML without one"):
        formats.load(path, name=name)
    assert xml_document.root(path) == ""


@pytest.mark.parametrize("name", NAMES)
def test_depth_does_not_overflow(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("<dataset>" * 100_000 if name in ("imglab", "cvat") else "[" * 100_000)
    with pytest.raises(UserError, match=r"more than 50 elements|nested too deep"):
        formats.load(path, name=name)


@pytest.mark.parametrize(
    ("points", "size", "expected"),
    [
        ([[10, 20], [110, 40]], (640, 480), (0, 10, 121, 41)),  # a margin of 10 px on each side
        ([[10, 20], [110, 40]], (115, 45), (0, 10, 115, 35)),  # ends with the photograph
        ([[10, 20], [110, 40]], None, (0, 10, 121, 41)),
        ([[10.5, 20.5]], None, (9, 19, 4, 4)),  # at least 1 px around the pixels a landmark lies between
        ([[-3, 700], [NAN, NAN]], (640, 480), (-3, 699, 2, 2)),  # a landmark outside stays in its box
    ],
)
def test_the_box_leaves_a_margin_within_the_photograph(points, size, expected) -> None:
    assert labelled.box(np.array(points, dtype=float), size) == expected


@given(st.lists(words(), unique=True, max_size=8))
@example(["10", "9", "LM10", "LM9", "a", "B", "010"])
def test_names_sort_by_themselves_alone(names: list[str]) -> None:
    assert labelled.sorted_names(names) == labelled.sorted_names(reversed(names))
    assert sorted(labelled.sorted_names(names)) == sorted(names)


def test_numbers_in_names_sort_as_numbers() -> None:
    assert labelled.sorted_names(["LM10", "LM9", "LM1", "LM09 b"]) == ("LM1", "LM9", "LM09 b", "LM10")
    assert labelled.sorted_names(["10", "2", "010", "1"]) == ("1", "2", "010", "10")


def test_a_json_file_has_a_record_a_line() -> None:
    assert json_document.render([{"a": [1, 2]}, {"é": 0.1}]) == '[\n{"a": [1, 2]},\n{"\\u00e9": 0.1}\n]\n'
    assert json_document.render({"a": [], "b": [[1]], "c": {}}) == '{\n"a": [],\n"b": [\n[1]\n],\n"c": {}\n}\n'


@pytest.mark.parametrize("name", ["a\nb", "a\x01b", "a\ud800b", "a\ufffeb"])
def test_what_xml_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"^x: 'a\\.+b', which XML cannot hold; expected names without line breaks"):
        xml_document.escaped(name, "x")
