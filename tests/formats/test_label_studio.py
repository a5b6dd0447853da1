import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.formats import label_studio
from pronotum.landmarks import Landmarks

NAN = float("nan")


def point(label: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """A region as Label Studio's editor writes it (createSerializedResult)."""
    return {
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.5, "keypointlabels": [label]},
        "id": f"{label}{x}",
        "from_name": "kp-1",
        "to_name": "img-1",
        "type": "keypointlabels",
        "origin": "manual",
        **more,
    }


def task(
    *results: dict[str, Any], image: Any = "a.jpg", data: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    annotation = {"id": 7, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}
    return {
        "id": 3,
        "annotations": [annotation],
        "file_upload": "0b1c2d3e-a.jpg",
        "drafts": [],
        "predictions": [{"result": [point("p", 99, 99)]}],
        "data": {"image": image} if data is None else data,
        **more,
    }


def load(folder: Path, document: Any, **options: Any) -> tuple[Landmarks, ...]:
    path = folder / "x.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return label_studio.load(path, **options)


def test_points_are_percent_of_the_picture_from_its_corner(tmp_path: Path) -> None:
    """0 % is the outer corner of the first pixel; Label Studio snaps points to pixels at 0.5/200 of the width."""
    box = {"type": "rectanglelabels", "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["b"]}}
    first = task(point("LM10", 0.25, 0.5), box, point("LM2", 100, 0), point("LM1", 50, 25, image_rotation=90))
    found = load(tmp_path, [first, task(point("LM2", 1, 2), image="b.jpg")])
    assert [(one.image, one.id, one.names) for one in found] == [
        ("a.jpg", "", ("LM1", "LM2", "LM10")),
        ("b.jpg", "", ("LM1", "LM2", "LM10")),
    ]
    np.testing.assert_array_equal(found[0].points, [[99.5, 24.5], [199.5, -0.5], [0, 0]])
    np.testing.assert_array_equal(found[1].points, [[NAN, NAN], [1.5, 1.5], [NAN, NAN]])


def test_numbers_are_no_names(tmp_path: Path) -> None:
    (found,) = load(tmp_path, [task(*(point(str(number), number, 1) for number in (3, 10, *range(4, 10), 1, 2)))])
    assert found.names == ()
    assert found.points[:, 0].tolist() == [2 * number - 0.5 for number in range(1, 11)]


def test_what_was_not_annotated_is_no_specimen(tmp_path: Path) -> None:
    skipped = task(point("p", 1, 1), image="skipped.jpg")
    skipped["annotations"][0]["was_cancelled"] = True
    twice = task(point("p", 1, 1), image="twice.jpg")
    twice["annotations"].insert(0, {"was_cancelled": True, "result": [point("p", 2, 2)]})
    empty = task(image="empty.jpg")
    found = load(tmp_path, [task(image="new.jpg", annotations=[]), skipped, twice, empty])
    assert [one.image for one in found] == ["twice.jpg", "empty.jpg"]
    assert [one.present.tolist() for one in found] == [[True], [False]]


def test_points_under_several_boxes_are_several_specimens(tmp_path: Path) -> None:
    boxes = [{"id": key, "type": "rectanglelabels", "value": {}} for key in "uv"]
    points = [point("p", 1, 1, parentID="u"), point("p", 2, 2, parentID="v"), point("q", 3, 3, parentID="u")]
    found = load(tmp_path, [task(*boxes, *points), task(point("p", 4, 4, parentID="u"), image="b.jpg")])
    assert [(one.image, one.id) for one in found] == [("a.jpg", "1"), ("a.jpg", "2"), ("b.jpg", "")]
    np.testing.assert_array_equal(found[0].points, [[1.5, 0.5], [5.5, 2.5]])
    np.testing.assert_array_equal(found[1].points, [[3.5, 1.5], [NAN, NAN]])


@pytest.mark.parametrize(
    ("address", "image"),
    [
        ("a.jpg", "a.jpg"),
        ("/data/upload/12/0b1c2d3e-my_bee.jpg", "my_bee.jpg"),
        ("/data/upload/0b1c2d3e-a.jpg", "a.jpg"),
        ("http://localhost:8080/data/upload/1/0b1c2d3e-a%20b.jpg", "a b.jpg"),
        ("/data/upload/1/bees-2024.jpg", "bees-2024.jpg"),
        ("/data/local-files/?d=bees/left/a%20%C3%BC.jpg", "bees/left/a ü.jpg"),
        ("s3://bucket/bees/a.jpg", "s3://bucket/bees/a.jpg"),
        ("https://[x/a.jpg?size=1", "https://[x/a.jpg?size=1"),
    ],
)
def test_photographs_have_the_names_they_had(address: str, image: str, tmp_path: Path) -> None:
    assert load(tmp_path, [task(point("p", 1, 1), image=address)])[0].image == image


def test_the_photograph_may_be_under_another_name(tmp_path: Path) -> None:
    data = {"id": "x.y", "photo": "/data/upload/1/0b1c2d3e-a.JPG", "note": "see b.jpg on disk", "n": 3}
    (found,) = load(tmp_path, [task(point("p", 1, 1), data=data)])
    assert found.image == "a.JPG"


# Made from three tasks by convert_to_json_min of label-studio-sdk 2.1.2, shortened by its null members.
JSON_MIN = """[
{
  "image": "/data/upload/1/0b1c2d3e-a.jpg",
  "id": 1,
  "kp-1": [
    {"x": 1.71875, "y": 4.375, "width": 0.5, "keypointlabels": ["apex"],
     "original_width": 640, "original_height": 480},
    {"x": 0.078125, "y": 0.10416666666666667, "width": 0.5, "keypointlabels": ["base"],
     "original_width": 640, "original_height": 480}
  ],
  "box": [{"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["b"]}],
  "choice": "good",
  "annotator": 1, "annotation_id": 1, "created_at": "2026-01-02T03:04:05Z", "lead_time": 7.5
},
{"image": "b.jpg", "id": 3, "annotator": 1, "annotation_id": 3}
]"""


def test_json_min_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, JSON_MIN)
    assert [(one.image, one.names) for one in found] == [("a.jpg", ("apex", "base")), ("b.jpg", ("apex", "base"))]
    np.testing.assert_allclose(found[0].points, [[10.5, 20.5], [0, 0]], rtol=0, atol=1e-12)
    assert not found[1].present.any()


def test_old_exports_need_the_size_of_the_photograph(tmp_path: Path) -> None:
    """As label-studio 0.4 wrote: completions, without original_width."""
    result = {"type": "keypointlabels", "value": {"x": 50, "y": 50, "width": 0.67, "keypointlabels": ["p"]}}
    document = [{"completions": [{"result": [result]}], "data": {"image": "a.jpg"}, "id": 0}]
    (found,) = load(tmp_path, document, sizes={"a.jpg": (800, 501)})
    assert found.points.tolist() == [[399.5, 250]]
    where = (
        r"x\.json: \[0\]\.completions\[0\]\.result\[0\]: no original_width, and a photograph whose size is not known"
    )
    with pytest.raises(UserError, match=where):
        load(tmp_path, document)


PLACE = "x.json: [0].annotations[0].result[0]"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "x.json:1: no JSON (Expecting value)"),
        ('[{"id": 1,', "x.json:1: no JSON (Expecting property name"),
        ({"data": {}}, "x.json: an object; expected a list"),
        ([], "x.json: no points with labels; expected tasks annotated with KeyPointLabels, exported as JSON"),
        ([task(image="a.jpg")], "x.json: no points with labels"),
        ([3], "x.json: [0]: 0 names of photographs"),
        ([{"id": 1, "annotations": [{"id": 1}], "data": {}}], "x.json: [0].annotations[0]: no result"),
        ([task(image="a.jpg", annotations=[{"result": []}] * 2)], "x.json: [0].annotations: 2 annotations of one task"),
        ([task(point("p", 1, 1), image=["a.jpg", "b.jpg"])], "x.json: [0].data.image: a list; expected a text"),
        ([task(point("p", 1, 1), data={"note": "x"})], "x.json: [0]: 0 names of photographs; expected one, as image"),
        ([task(point("p", 1, 1), data={"u": "a.jpg", "v": "b.png"})], "x.json: [0]: 2 names of photographs"),
        ([task(point("p", 1, 1, type="keypoint"))], f"{PLACE}: a point without label; expected keypointlabels"),
        ([task(point("p", 1, 1, value={"x": 1, "y": 1}))], f"{PLACE}.value: no keypointlabels"),
        (
            [task(point("p", 1, 1, value={"x": 1, "y": 1, "keypointlabels": ["p", "q"]}))],
            f"{PLACE}.value.keypointlabels: a point with 2 labels; expected one",
        ),
        ([task(point("p", 1, 1, value={"x": 1, "keypointlabels": ["p"]}))], f"{PLACE}.value: no y"),
        ([task(point("p", "1", 1))], f'{PLACE}.value.x: "1"; expected a finite number'),
        ([task(point("p", 1, 1, original_height=0))], f"{PLACE}: a photograph of 200 x 0; expected its size in px"),
        ([task(point("p", 1, 1, original_width="200"))], f'{PLACE}.original_width: "200"; expected a finite number'),
        (
            [task(point("p", 1, 1), point("p", 2, 1))],
            "x.json: [0].annotations[0].result[1].value: landmark 'p' again; expected it once a specimen; make a task",
        ),
        (
            [task(point("p", 1, 1), data={"image": "a.jpg", "specimen": 3})],
            "x.json: [0].data.specimen: 3; expected a text",
        ),
    ],
)
def test_a_broken_file_says_where(document: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, document)


def test_landmarks_listed_in_the_data_come_first_and_in_that_order(tmp_path: Path) -> None:
    data = {"image": "a.jpg", "specimen": "s", "landmarks": ["base", "never seen", "apex"]}
    (found,) = load(tmp_path, [task(point("z", 1, 1), point("apex", 2, 2), point("b", 3, 3), data=data)])
    assert (found.id, found.names) == ("s", ("base", "never seen", "apex", "b", "z"))
    assert found.present.tolist() == [False, False, True, True, True]


def test_the_size_of_a_photograph_is_needed_where_there_are_points(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(UserError, match=r"^c\.jpg: a photograph whose size is not known; .* name the folder of"):
        label_studio.save(path, (Landmarks([[1, 2]], "c.jpg"),))
    assert not list(tmp_path.iterdir())
    label_studio.save(path, (Landmarks([[NAN, NAN]], "c.jpg"),))
    assert label_studio.load(path)[0].n_landmarks == 1


def test_the_file_as_it_is_written(tmp_path: Path) -> None:
    specimens = (
        Landmarks([[10.5, 20.5], [NAN, NAN], [0, -0.5]], "a.jpg", "s1", names=("apex", "base", "left 1")),
        Landmarks([[NAN, NAN]] * 3, "b.jpg", names=("apex", "base", "left 1")),
    )
    label_studio.save(tmp_path / "x.json", specimens, {"a.jpg": (440, 210)})
    names = ["apex", "base", "left 1"]
    size = {"original_width": 440, "original_height": 210, "image_rotation": 0}
    common = {"type": "keypointlabels", "from_name": "landmark", "to_name": "image", **size}
    results = [
        {"id": "landmark1", **common, "value": {"x": 2.5, "y": 10, "width": 0.5, "keypointlabels": ["apex"]}},
        {"id": "landmark3", **common, "value": {"x": 50 / 440, "y": 0, "width": 0.5, "keypointlabels": ["left 1"]}},
    ]
    assert json.loads((tmp_path / "x.json").read_text()) == [
        {
            "id": 1,
            "data": {"image": "a.jpg", "specimen": "s1", "landmarks": names},
            "annotations": [{"id": 1, "result": results}],
            "predictions": [],
        },
        {
            "id": 2,
            "data": {"image": "b.jpg", "specimen": "", "landmarks": names},
            "annotations": [{"id": 2, "result": []}],
            "predictions": [],
        },
    ]
