import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pronotum.errors import UserError
from pronotum.formats import imglab
from pronotum.landmarks import Landmarks

NAN = float("nan")

# As imglab writes: its declaration, which is not the truth, its quotes, and parts that were not seen left out.
GOLDEN = """<?xml version='1.0' encoding='ISO-8859-1'?>
<?xml-stylesheet type='text/xsl' href='image_metadata_stylesheet.xsl'?>
<dataset>
<name>imglab dataset</name>
<comment>Created by imglab tool.</comment>
<images>
  <image file='bees/a é.jpg' width='640' height='480'>
    <box top='410' left='420' width='74' height='84' ignore='1'/>
    <box top='6' left='20' width='74' height='84'>
      <label>bee</label>
      <part name='0' x='25' y='16'/>
      <part name='6' x='45' y='36'/>
      <part name='2' x='-1' y='0'/>
      <part name='3' x='3' y='3'/>
      <part name='4' x='4' y='4'/>
      <part name='5' x='5' y='5'/>
    </box>
    <box top='110' left='120' width='74' height='84'>
      <label>bee</label>
      <part name='6' x='145' y='136'/>
      <part name='1' x='135' y='126'/>
    </box>
  </image>
  <image file='b.jpg'>
    <box top='1' left='2' width='3' height='4'/>
  </image>
  <image file='c.jpg'>
  </image>
</images>
</dataset>
"""


def load(folder: Path, text: str | bytes) -> tuple[Landmarks, ...]:
    path = folder / "x.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return imglab.load(path)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_parts_are_landmarks_by_number_and_those_left_out_are_missing(encoding: str, tmp_path: Path) -> None:
    found = load(tmp_path, GOLDEN.encode(encoding))
    assert [(one.image, one.id, one.names) for one in found] == [
        ("bees/a é.jpg", "1", ()),
        ("bees/a é.jpg", "2", ()),
        ("b.jpg", "", ()),
    ]
    first, second, third = (one.points for one in found)
    np.testing.assert_array_equal(first, [[25, 16], [NAN, NAN], [-1, 0], [3, 3], [4, 4], [5, 5], [45, 36]])
    np.testing.assert_array_equal(second, [[NAN, NAN], [135, 126], *([[NAN, NAN]] * 4), [145, 136]])
    np.testing.assert_array_equal(third, [[NAN, NAN]] * 7)


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (["01", "00", "02"], ()),
        (["3", "1", "2"], ()),
        (["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"], ()),
        (["1", "3"], ("1", "3")),  # 2 may be one that nobody saw, or one that is not there
        (["2", "3"], ("2", "3")),
        (["reye", "Nose", "leye"], ("Nose", "leye", "reye")),  # as dlib sorts
        (["LM10", "LM9"], ("LM10", "LM9")),
        (["1", "x"], ("1", "x")),
    ],
)
def test_names_of_landmarks(parts: list[str], names: tuple[str, ...], tmp_path: Path) -> None:
    body = "".join(f"<part name='{part}' x='{index}' y='0'/>" for index, part in enumerate(parts))
    (found,) = load(tmp_path, f"<dataset><images><image file='a'><box>{body}</box></image></images></dataset>")
    assert found.names == names
    order = sorted(parts) if names else sorted(parts, key=int)
    assert found.points[:, 0].tolist() == [parts.index(part) for part in order]


def test_several_images_of_one_photograph_are_numbered_through(tmp_path: Path) -> None:
    one = "<image file='a'><box><part name='0' x='1' y='2'/></box></image>"
    found = load(tmp_path, f"<dataset><images>{one}<image file='b'/>{one}</images></dataset>")
    assert [specimen.id for specimen in found] == ["1", "2"]


def box(parts: str, comment: str = "") -> str:
    start = f"<dataset>\n<comment>{comment}</comment>\n<images><image file='a.jpg'>\n"
    return f"{start}<box top='1' left='2' width='3' height='4'>\n{parts}\n</box></image></images></dataset>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.xml:1: no well-formed XML (no element found)"),
        ("LM=1\n1 2\n", "x.xml:1: no well-formed XML ("),
        (GOLDEN[:600], "x.xml:16: no well-formed XML ("),
        (GOLDEN.encode("utf-16"), "x.xml: binary data or UTF-16 text; expected an XML file"),
        ("<annotations/>", "x.xml:1: <annotations>; expected <dataset>"),
        ("<dataset/>", "x.xml: no parts in any box; expected <part> in <box> in <image> in <images>"),
        ("<dataset><images><image file='a'><box/></image></images></dataset>", "x.xml: no parts in any box"),
        ("<dataset><images><image><box/></image></images></dataset>", "x.xml:1: <image> without file; expected file="),
        (box("<part x='1' y='2'/>"), "x.xml:5: <part> without name"),
        (box("<part name='0' x='1'/>"), "x.xml:5: <part> without y"),
        (box("<part name='0' x='1' y='2'/>\n<part name='0' x='1' y='2'/>"), "x.xml:6: part '0' again"),
        (box("<part name='0' x='1' y='O'/>"), "x.xml:5: 'O' in <part>; expected a number"),
        (box("<part name='0' x='1' y='1e999'/>"), "x.xml:5: '1e999' in <part>; expected a number"),
        (box("<part name='0' x='nan' y='1'/>"), "x.xml:5: 'nan' in <part>; expected a number"),
        (
            box("<part name='02' x='1' y='2'/>", 'landmarks: ["apex", "base"]'),
            "x.xml:5: part '02'; expected 00 to 01, the 2 landmarks of the file's comment",
        ),
        (
            box("", 'landmarks: ["apex"'),
            'x.xml:2: \'landmarks: ["apex"\'; expected landmarks: ["first", "second", ...]',
        ),
        (box("", 'landmarks: ["apex", "apex"]'), "x.xml:2: 'landmarks: "),
        (box("", "landmarks: []"), "x.xml:2: 'landmarks: []'"),
        (box("", "landmarks: [1]"), "x.xml:2: 'landmarks: [1]'"),
    ],
)
def test_a_broken_file_says_where(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, text)


def twelve(n_specimens: int, seed: int = 0) -> tuple[Landmarks, ...]:
    """Specimens with the same twelve landmarks, each moved as a whole; one of them is missing in the second."""
    random = np.random.default_rng(seed)
    shape = np.stack([np.arange(12.0) * 4, random.integers(0, 40, 12)], axis=1)
    made = [
        Landmarks(shape + random.integers(20, 60, 2), f"{number} ü.png", str(number)) for number in range(n_specimens)
    ]
    points = made[1].points.copy()
    points[10] = NAN
    made[1] = made[1].with_points(points)
    return tuple(made)


@pytest.fixture
def dlib():
    return pytest.importorskip("dlib", reason="needs dlib, whose files these are")


def test_dlib_reads_what_is_written(dlib, tmp_path: Path) -> None:
    specimens = (*twelve(3), Landmarks([[NAN, NAN]] * 12, "x.png", "a < b & \"c\" 'd'"))
    path = tmp_path / "x.xml"
    imglab.save(path, specimens, {"x.png": (120, 90)})
    dataset = dlib.image_dataset_metadata.load_image_dataset_metadata(str(path))
    assert [image.filename for image in dataset.images] == ["0 ü.png", "1 ü.png", "2 ü.png", "x.png"]
    for image, specimen in zip(dataset.images, specimens, strict=True):
        (box,) = image.boxes
        assert box.label == specimen.id
        parts = {int(name): (point.x, point.y) for name, point in box.parts.items()}
        assert parts == {number: tuple(specimen.points[number]) for number in np.flatnonzero(specimen.present)}
        assert box.ignore == (not parts)
        assert all(box.rect.contains(dlib.point(int(x), int(y))) for x, y in parts.values())
        assert not parts or list(box.parts) == [part for part, _ in sorted(box.parts.items())]
    rect = dataset.images[3].boxes[0].rect
    assert (rect.left(), rect.top(), rect.width(), rect.height()) == (0, 0, 120, 90)


def test_what_dlib_has_written_again_keeps_everything(dlib, tmp_path: Path) -> None:
    specimens = tuple(
        Landmarks(one.points, one.image, one.id, names=tuple(f"<LM> {number} ü" for number in range(12)))
        for one in twelve(3)
    )
    path, again = tmp_path / "x.xml", tmp_path / "again.xml"
    imglab.save(path, specimens)
    dataset = dlib.image_dataset_metadata.load_image_dataset_metadata(str(path))
    dlib.image_dataset_metadata.save_image_dataset_metadata(dataset, str(again))
    assert again.read_bytes() != path.read_bytes()
    for one, other in zip(specimens, imglab.load(again), strict=True):
        assert (one.image, one.id, one.names) == (other.image, other.id, other.names)
        np.testing.assert_array_equal(one.points, other.points)


def test_what_dlib_has_made_is_read(dlib, tmp_path: Path) -> None:
    metadata = dlib.image_dataset_metadata
    box = metadata.box()
    box.rect, box.label = dlib.rectangle(10, 20, 40, 60), "beetle"
    for name, (x, y) in {"b": (11, 21), "a": (30, 50)}.items():
        box.parts[name] = dlib.point(x, y)
    image, dataset = metadata.image(), metadata.dataset()
    image.filename = "a.jpg"
    image.boxes.append(box)
    dataset.images.append(image)
    metadata.save_image_dataset_metadata(dataset, str(tmp_path / "x.xml"))
    (found,) = imglab.load(tmp_path / "x.xml")
    assert (found.image, found.id, found.names) == ("a.jpg", "", ("a", "b"))
    assert found.points.tolist() == [[30, 50], [11, 21]]


def test_dlib_learns_the_landmarks_in_their_order(dlib, tmp_path: Path) -> None:
    """Twelve parts named "0" ... "11" would come back in the order 0, 1, 10, 11, 2 ..."""
    specimens = (*twelve(6), Landmarks([[NAN, NAN]] * 12, "0 ü.png", "none"))
    for specimen in specimens:
        Image.new("L", (120, 110), 90).save(tmp_path / specimen.image)
    path = tmp_path / "x.xml"
    imglab.save(path, specimens, lambda _: (120, 110))
    options = dlib.shape_predictor_training_options()
    options.tree_depth, options.cascade_depth, options.num_trees_per_cascade_level = 1, 1, 1
    options.oversampling_amount, options.feature_pool_size, options.num_threads = 1, 10, 1
    dlib.train_shape_predictor(str(path), str(tmp_path / "x.dat"), options)
    predictor = dlib.shape_predictor(str(tmp_path / "x.dat"))
    dataset = dlib.image_dataset_metadata.load_image_dataset_metadata(str(path))
    predicted = predictor(np.full((110, 120), 90, np.uint8), dataset.images[0].boxes[0].rect)
    placed = np.array([(point.x, point.y) for point in predicted.parts()])
    assert np.abs(placed - specimens[0].points).max() <= 3


@pytest.mark.parametrize("name", ["R&D.jpg", 'a "b".jpg', "a>b.jpg"])
def test_a_photograph_that_dlib_would_not_find_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^photograph {name}: one of & < > \" in its name; expected a name that dlib"):
        imglab.save(tmp_path / "x.xml", (Landmarks([[1, 2]], name),))
    assert not list(tmp_path.iterdir())


def test_the_file_as_it_is_written(tmp_path: Path) -> None:
    specimens = (
        Landmarks([[10.5, 20.4], [110, 40]], "a.jpg", "s1"),
        Landmarks([[NAN, NAN], [1.5, 2.6]], "a.jpg", "s2"),
        Landmarks([[NAN, NAN], [NAN, NAN]], "b.jpg"),
    )
    imglab.save(tmp_path / "x.xml", specimens, {"a.jpg": (115, 480)})
    assert (
        (tmp_path / "x.xml").read_text(encoding="utf-8")
        == """<?xml version='1.0' encoding='UTF-8'?>
<dataset>
<name>landmarks</name>
<comment>landmarks: ["1", "2"]</comment>
<images>
  <image file="a.jpg" width="115" height="480">
    <box top="10" left="0" width="115" height="41">
      <label>s1</label>
      <part name="00" x="10" y="20"/>
      <part name="01" x="110" y="40"/>
    </box>
    <box top="1" left="0" width="4" height="4">
      <label>s2</label>
      <part name="01" x="2" y="3"/>
    </box>
  </image>
  <image file="b.jpg">
    <box top="0" left="0" width="1" height="1" ignore="1">
    </box>
  </image>
</images>
</dataset>
"""
    )


def test_a_box_that_was_set_to_be_ignored_is_left_out(tmp_path: Path) -> None:
    imglab.save(tmp_path / "x.xml", twelve(3))
    text = (tmp_path / "x.xml").read_text(encoding="utf-8").replace("<box ", '<box ignore="1" ', 1)
    assert [one.id for one in load(tmp_path, text)] == ["1", "2"]
