import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.formats import cvat
from pronotum.landmarks import Landmarks

NAN = float("nan")

# As CVAT's dump_as_cvat_annotation writes: labels of a skeleton's points with their parent, two decimals, an end tag
# for every element.
META = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id>
      <name>bees</name>
      <labels>
        <label>
          <name>plate</name>
          <type>rectangle</type>
        </label>
        <label>
          <name>bee</name>
          <type>skeleton</type>
          <svg>&lt;line x1="36.87" y1="47.73"&gt;&lt;/line&gt;</svg>
        </label>
        <label><name>apex</name><type>points</type><parent>wasp</parent></label>
        <label>
          <name>head</name>
          <type>points</type>
          <parent>bee</parent>
        </label>
        <label>
          <name>apex</name>
          <type>points</type>
          <parent>bee</parent>
        </label>
      </labels>
    </task>
    <dumped>2026-09-25 11:38:28.799808+03:00</dumped>
  </meta>
"""
GOLDEN = f"""{META}  <image id="0" name="bees/a.jpg" width="1600" height="1200">
    <box label="plate" source="manual" occluded="0" xtl="797.33" ytl="870.92" xbr="965.52" ybr="928.94" z_order="4">
    </box>
    <skeleton label="bee" source="manual" z_order="0">
      <points label="apex" source="manual" outside="0" occluded="1" points="54.47,94.81">
      </points>
      <points label="head" source="manual" outside="1" occluded="0" points="68.02,162.34">
      </points>
    </skeleton>
    <skeleton label="bee" source="manual" z_order="0" group_id="1">
      <points label="apex" source="manual" outside="0" occluded="0" points="0.00,1200.00">
      </points>
      <points label="head" source="manual" outside="0" occluded="0" points="0.50,0.50">
      </points>
      <attribute name="sex">f</attribute>
    </skeleton>
    <tag label="good_frame" source="manual">
    </tag>
  </image>
  <image id="1" name="b.jpg" width="1600" height="1200">
  </image>
  <image id="2" name="c.jpg" width="1600" height="1200">
    <skeleton label="bee" source="manual" z_order="0">
      <points label="apex" source="manual" outside="0" occluded="0" points="1.25,2.75">
      </points>
      <attribute name="id">c &amp; d</attribute>
    </skeleton>
  </image>
</annotations>
"""


def load(folder: Path, text: str) -> tuple[Landmarks, ...]:
    path = folder / "x.xml"
    path.write_text(text, encoding="utf-8")
    return cvat.load(path)


def page(body: str, labels: str = "") -> str:
    meta = f"<meta><project><labels>{labels}</labels></project></meta>" if labels else ""
    return f"<annotations><version>1.1</version>{meta}\n{body}\n</annotations>"


def image(body: str, name: str = "a.jpg") -> str:
    return f'<image id="0" name="{name}" width="64" height="48">\n{body}\n</image>'


def point(label: str, place: str, more: str = "") -> str:
    return f'<points label="{label}" points="{place}" occluded="0" {more}></points>'


def test_skeletons_are_specimens(tmp_path: Path) -> None:
    found = load(tmp_path, GOLDEN)
    assert [(one.image, one.id) for one in found] == [("bees/a.jpg", "1"), ("bees/a.jpg", "2"), ("c.jpg", "c & d")]
    assert {one.names for one in found} == {("head", "apex")}, "the order of the labels in <meta>"
    np.testing.assert_allclose(found[0].points, [[NAN, NAN], [53.97, 94.31]], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[1].points, [[0, 0], [-0.5, 1199.5]])
    np.testing.assert_array_equal(found[2].points, [[NAN, NAN], [0.75, 2.25]])


def test_points_of_a_skeleton_go_by_number(tmp_path: Path) -> None:
    order = ("10", "2", "1", *map(str, range(3, 10)))
    body = "".join(point(label, f"{label},0", 'outside="0"') for label in order)
    (found,) = load(tmp_path, page(image(f'<skeleton label="x">{body}</skeleton>')))
    assert found.names == ()
    assert (found.points[:, 0] + 0.5).tolist() == list(range(1, 11))


def test_labels_of_single_points_are_landmarks(tmp_path: Path) -> None:
    labels = "".join(
        f"<label><name>{name}</name><type>{kind}</type></label>" for name, kind in [("p", "any"), ("b", "")]
    )
    first = point("b", "1,2") + point("p", "3.5,4") + '<polyline label="x" points="1,2;3,4" occluded="0"></polyline>'
    second = point("q", "5,6")
    found = load(tmp_path, page(image(first) + image("") + image(second, "b.jpg"), labels))
    assert [(one.image, one.id, one.names) for one in found] == [
        ("a.jpg", "", ("p", "b", "q")),
        ("b.jpg", "", ("p", "b", "q")),
    ]
    np.testing.assert_array_equal(found[0].points, [[3, 3.5], [0.5, 1.5], [NAN, NAN]])
    np.testing.assert_array_equal(found[1].points, [[NAN, NAN], [NAN, NAN], [4.5, 5.5]])


def test_groups_of_single_points_are_specimens(tmp_path: Path) -> None:
    points = [point("1", "1,1", 'group_id="4"'), point("1", "2,2", 'group_id="7"'), point("2", "3,3", 'group_id="4"')]
    found = load(tmp_path, page(image("".join(points))))
    assert [one.id for one in found] == ["4", "7"]
    np.testing.assert_array_equal(found[0].points, [[0.5, 0.5], [2.5, 2.5]])
    np.testing.assert_array_equal(found[1].points, [[1.5, 1.5], [NAN, NAN]])


def test_labels_of_several_points_are_specimens(tmp_path: Path) -> None:
    body = image(point("bee", "1,1;2,2.5") + point("wasp", "3,3;4,4"))
    found = load(tmp_path, page(body + image(point("bee", "5,5;6,6"), "b.jpg")))
    assert [(one.image, one.id, one.names) for one in found] == [
        ("a.jpg", "1", ()),
        ("a.jpg", "2", ()),
        ("b.jpg", "", ()),
    ]
    np.testing.assert_array_equal(found[0].points, [[0.5, 0.5], [1.5, 2]])


SKELETON = f'<skeleton label="x">{point("1", "1,1", "outside=" + chr(34) + "0" + chr(34))}</skeleton>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.xml:1: no well-formed XML (no element found)"),
        (GOLDEN[:-20], "x.xml:60: no well-formed XML ("),
        ("<dataset/>", "x.xml:1: <dataset>; expected <annotations>"),
        ("<annotations/>", "x.xml:1: no version; expected <version>1.1</version>; export it as 'CVAT for images 1.1'"),
        ("<annotations><version>1.0</version></annotations>", "x.xml:1: version 1.0; expected <version>1.1</version>"),
        (page('<track id="0" label="x"></track>'), "x.xml:2: a <track> of 'CVAT for video'; expected <image> elements"),
        (page(image("")), "x.xml: no skeletons and no points; expected landmarks"),
        (page(image(SKELETON + "\n" + point("x", "1,1"))), "x.xml:4: points beside skeletons"),
        (page('<image id="0">' + SKELETON + "</image>"), "x.xml:2: <image> without name"),
        (page(image('<skeleton label="x"></skeleton>')), "x.xml:3: a skeleton without points"),
        (page(image(f"<skeleton>{point('1', '1,1')}</skeleton>")), "x.xml:3: <skeleton> without label"),
        (
            page(image(f'<skeleton label="x">{point("1", "1,1")}\n{point("1", "2,2")}</skeleton>')),
            "x.xml:4: landmark '1' again; expected it once a skeleton",
        ),
        (
            page(image(f'<skeleton label="x">{point("1", "1,1;2,2")}</skeleton>')),
            "x.xml:3: <points> with 2 points in a skeleton; expected <points> with one",
        ),
        (page(image('<skeleton label="x"><box/></skeleton>')), "x.xml:3: <box> with 0 points in a skeleton"),
        (
            page(image(SKELETON + SKELETON.replace('"x"', '"y"').replace('"1"', '"2"'))),
            "x.xml:1: skeletons with different landmarks (x, y); expected skeletons of one label; ",
        ),
        (page(image(point("x", "1,1;2"))), "x.xml:3: points '1,1;2'; expected x,y;x,y;..."),
        (page(image(point("x", "1,1,1"))), "x.xml:3: points '1,1,1'; expected x,y;x,y;..."),
        (page(image(point("x", "1,"))), "x.xml:3: '' in <points>; expected a number"),
        (page(image(point("x", "1,inf"))), "x.xml:3: 'inf' in <points>; expected a number"),
        (page(image(point("x", "1,1") + "\n" + point("x", "2,2"))), "x.xml:4: label 'x' again on a.jpg"),
        (
            page(image(point("x", "1,1;2,2") + "\n" + point("x", "2,2"))),
            "x.xml:4: 1 point; expected 2 as in the first",
        ),
        (page(image('<points points="1,1"></points>')), "x.xml:3: <points> without label"),
    ],
)
def test_a_broken_file_says_where(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, text)


def test_skeletons_of_several_labels_with_the_same_landmarks_go_together(tmp_path: Path) -> None:
    found = load(tmp_path, page(image(SKELETON + SKELETON.replace('"x"', '"y"'))))
    assert [one.id for one in found] == ["1", "2"]


def test_what_is_written_has_all_that_cvat_asks_for(tmp_path: Path) -> None:
    """The attributes that CVAT's load_anno takes from each element, all of them text that float() and int() accept."""
    specimens = (
        Landmarks([[10.5, 20.25], [NAN, NAN], [0, 0]], 'a "<&>".jpg', "s1", names=("apex", "base & tip", "left 1")),
        Landmarks([[NAN, NAN]] * 3, "b.jpg", "", names=("apex", "base & tip", "left 1")),
        Landmarks([[1, 2], [3, 4], [5, 6]], 'a "<&>".jpg', "s2", names=("apex", "base & tip", "left 1")),
    )
    cvat.save(tmp_path / "x.xml", specimens, {"b.jpg": (640, 480)})
    root = ET.parse(tmp_path / "x.xml").getroot()
    assert root.findtext("version") == "1.1"
    labels = [(one.findtext("name"), one.findtext("type"), one.findtext("parent")) for one in root.iter("label")]
    assert labels == [
        ("specimen", "skeleton", None),
        ("apex", "points", "specimen"),
        ("base & tip", "points", "specimen"),
        ("left 1", "points", "specimen"),
    ]
    images = [(one.get("id"), one.get("name"), one.get("width"), one.get("height")) for one in root.iter("image")]
    assert images == [
        ("0", 'a "<&>".jpg', None, None),
        ("1", "b.jpg", "640", "480"),
        ("0", 'a "<&>".jpg', None, None),
    ]
    read = []
    for skeleton in root.iter("skeleton"):
        assert skeleton.get("label") == "specimen"
        assert int(skeleton.get("z_order", "")) == 0
        read.append([(one.get("name"), one.text) for one in skeleton.findall("attribute")])
        for element in skeleton.findall("points"):
            ((x, y),) = [map(float, pair.split(",")) for pair in element.get("points", "").split(";")]
            read.append((element.get("label"), element.get("outside"), element.get("occluded"), x, y))
    assert read == [
        [("id", "s1")],
        ("apex", "0", "0", 11, 20.75),
        ("base & tip", "1", "0", 5.75, 10.625),  # hidden, in the middle of the others
        ("left 1", "0", "0", 0.5, 0.5),
        [("id", None)],
        ("apex", "1", "0", 0, 0),
        ("base & tip", "1", "0", 0, 0),
        ("left 1", "1", "0", 0, 0),
        [("id", "s2")],
        ("apex", "0", "0", 1.5, 2.5),
        ("base & tip", "0", "0", 3.5, 4.5),
        ("left 1", "0", "0", 5.5, 6.5),
    ]


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^photograph a\\n\.jpg: 'a\\n\.jpg', which XML cannot hold"):
        cvat.save(tmp_path / "x.xml", (Landmarks([[1, 2]], "a\n.jpg"),))
    assert not list(tmp_path.iterdir())
