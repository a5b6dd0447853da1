import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.formats import coco
from pronotum.landmarks import Landmarks

NAN = float("nan")
SIZES = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}

# As cocodataset.org describes it: v = 1 is hidden but labelled, v = 0 is not labelled, whatever its x and y.
GOLDEN: dict[str, Any] = {
    "info": {"year": 2026},
    "images": [
        {"id": 20, "file_name": "bees/b.jpg", "width": 640, "height": 480},
        {"id": 10, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": 30, "file_name": "not annotated.jpg", "width": 640, "height": 480},
    ],
    "annotations": [
        {"id": 5, "image_id": 10, "category_id": 1, "keypoints": [1, 2, 2, 0, 0, 2, 3.5, 4.25, 1], "num_keypoints": 3},
        {"id": 3, "image_id": 20, "category_id": 1, "keypoints": [0, 0, 0, 7, 8, 0, 5, 6, 2.0], "iscrowd": 0},
        {"id": 4, "image_id": 20, "category_id": 2, "bbox": [1, 2, 3, 4]},
        {"id": 6, "image_id": 20, "category_id": 1, "keypoints": [0] * 9, "num_keypoints": 0},
    ],
    "categories": [
        {"id": 1, "name": "bee", "keypoints": ["scape", "base", "apex"], "skeleton": [[1, 2]]},
        {"id": 2, "name": "ruler"},
    ],
}


def load(folder: Path, document: Any) -> tuple[Landmarks, ...]:
    path = folder / "x.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return coco.load(path)


def changed(**members: Any) -> dict[str, Any]:
    return {**GOLDEN, **members}


def with_annotation(**members: Any) -> dict[str, Any]:
    annotation = {"id": 5, "image_id": 10, "category_id": 1, "keypoints": [1, 2, 2] * 3, **members}
    return changed(annotations=[{key: value for key, value in annotation.items() if value != "none"}])


def test_annotations_are_specimens(tmp_path: Path) -> None:
    found = load(tmp_path, GOLDEN)
    assert [(one.image, one.id) for one in found] == [("a.jpg", ""), ("bees/b.jpg", "1"), ("bees/b.jpg", "2")]
    assert {one.names for one in found} == {("scape", "base", "apex")}
    np.testing.assert_array_equal(found[0].points, [[1, 2], [0, 0], [3.5, 4.25]])
    np.testing.assert_array_equal(found[1].points, [[NAN, NAN], [NAN, NAN], [5, 6]])
    np.testing.assert_array_equal(found[2].points, [[NAN, NAN]] * 3)


def test_categories_with_the_same_landmarks_go_together(tmp_path: Path) -> None:
    categories = [{"id": key, "name": f"sex {key}", "keypoints": ["1", "2", "3"]} for key in (1, "2")]
    annotations = [
        {"id": key, "image_id": 10, "category_id": key, "keypoints": [key, 2, 2] * 3, "specimen_id": f"s{key}"}
        for key in (1,)
    ]
    annotations += [{"id": 2, "image_id": 10, "category_id": "2", "keypoints": [4, 2, 2] * 3, "specimen_id": "s2"}]
    found = load(tmp_path, changed(categories=categories, annotations=annotations))
    assert [(one.id, one.names, one.points[0, 0]) for one in found] == [("s1", (), 1), ("s2", (), 4)]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "x.json:1: no JSON (Expecting value)"),
        (json.dumps(GOLDEN, indent=0)[:300], "x.json:29: no JSON ("),
        ([], "x.json: a list; expected an object with the key images"),
        ({"images": []}, "x.json: no categories"),
        (changed(images={}), "x.json: images: an object; expected a list"),
        (changed(images=[{"id": 1}]), "x.json: images[0]: no file_name"),
        (
            changed(images=[{"id": 1.5, "file_name": "a"}]),
            "x.json: images[0].id: 1.5; expected a whole number or a text",
        ),
        (changed(images=[GOLDEN["images"][0]] * 2), "x.json: images[1]: the id 20 again, as in images[0]"),
        (
            changed(categories=[GOLDEN["categories"][0]] * 2),
            "x.json: categories[1]: the id 1 again, as in categories[0]",
        ),
        (
            changed(categories=[{"id": 1, "keypoints": ["a", "b", "a"]}, {"id": 2}]),
            "x.json: categories[0].keypoints: the same name twice",
        ),
        (
            changed(annotations=[]),
            "x.json: no specimens with landmarks; expected annotations of one category with keypoints",
        ),
        (with_annotation(image_id=1), "x.json: annotations[0].image_id: no photograph with the id 1"),
        (with_annotation(category_id=7), "x.json: annotations[0].category_id: no category with the id 7"),
        (with_annotation(keypoints="none"), "x.json: annotations[0]: no keypoints"),
        (
            with_annotation(keypoints=[1, 2, 2]),
            "x.json: annotations[0].keypoints: 3 values; expected 9: x, y and v of each of the 3 landmarks",
        ),
        (
            with_annotation(keypoints=[1, 2, 0.9] * 3),
            "x.json: annotations[0].keypoints[2]: 0.9; expected 0 (not labelled), 1",
        ),
        (
            with_annotation(keypoints=[1, "2", 2] * 3),
            'x.json: annotations[0].keypoints[1]: "2"; expected a finite number',
        ),
        (
            with_annotation(keypoints=[1, True, 2] * 3),
            "x.json: annotations[0].keypoints[1]: true; expected a finite number",
        ),
        (
            with_annotation(keypoints=[NAN, 2, 2] * 3),
            "x.json: annotations[0].keypoints[0]: NaN; expected a finite number",
        ),
        (with_annotation(keypoints=[10**400, 2, 2] * 3), "x.json: annotations[0].keypoints[0]: 1000"),
        (with_annotation(specimen_id=3), "x.json: annotations[0].specimen_id: 3; expected a text"),
    ],
)
def test_a_broken_file_says_where(document: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load(tmp_path, document)


def test_categories_with_different_landmarks_are_refused(tmp_path: Path) -> None:
    categories = [{"id": 1, "keypoints": ["a", "b", "c"]}, {"id": 2, "keypoints": ["d"]}]
    annotations = [*GOLDEN["annotations"][:1], {"id": 2, "image_id": 10, "category_id": 2, "keypoints": [1, 2, 2]}]
    document = changed(categories=categories, annotations=annotations)
    expected = (
        r"x\.json: kinds of specimens with different landmarks \(a, b, c, \.\.\.; d, \.\.\.\); expected .*; export one"
    )
    with pytest.raises(UserError, match=expected):
        load(tmp_path, document)
    document["annotations"].pop()  # an unused category asks nothing
    assert load(tmp_path, document)[0].names == ("a", "b", "c")


def test_what_label_studio_exports_as_coco_is_read(tmp_path: Path) -> None:
    """Written by label-studio-sdk 2.1.2, which does not know the sizes of photographs, and has no area."""
    text = """{"images": [{"width": null, "height": null, "id": 0, "file_name": "a.jpg"}],
      "categories": [{"id": 0, "name": "default", "supercategory": "default",
                      "keypoints": ["apex", "base", "left 1"], "skeleton": []}],
      "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "keypoints": [11, 21, 2, 0, 0, 0, 0, 0, 2],
                       "num_keypoints": 2, "bbox": [0, 0, 11, 21], "iscrowd": 0}],
      "info": {"year": 2026, "version": "1.0", "description": "", "contributor": "Label Studio", "url": ""}}"""
    (found,) = load(tmp_path, text)
    assert (found.image, found.id, found.names) == ("a.jpg", "", ("apex", "base", "left 1"))
    np.testing.assert_array_equal(found.points, [[11, 21], [NAN, NAN], [0, 0]])


def test_the_size_of_a_photograph_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^c\.jpg: a photograph whose size is not known; .* name the folder of"):
        coco.save(tmp_path / "x.json", (Landmarks([[1, 2]], "c.jpg"),), SIZES)
    assert not list(tmp_path.iterdir())


def test_the_file_as_it_is_written(tmp_path: Path) -> None:
    specimens = (
        Landmarks([[10.5, 20.25], [110, 40]], "a.jpg", "s1"),
        Landmarks([[NAN, NAN], [NAN, NAN]], "b.jpg"),
        Landmarks([[NAN, NAN], [639, 479]], "a.jpg", "s2"),
    )
    coco.save(tmp_path / "x.json", specimens, SIZES)
    common = {"category_id": 1, "iscrowd": 0}
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "info": {"description": "landmarks"},
        "licenses": [],
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480},
            {"id": 2, "file_name": "b.jpg", "width": 900, "height": 1000},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "specimen_id": "s1", "keypoints": [10.5, 20.25, 2, 110, 40, 2], **common}
            | {"num_keypoints": 2, "bbox": [0, 10, 121, 41], "area": 4961},
            {"id": 2, "image_id": 2, "specimen_id": "", "keypoints": [0, 0, 0, 0, 0, 0], **common}
            | {"num_keypoints": 0, "bbox": [0, 0, 0, 0], "area": 0},
            {"id": 3, "image_id": 1, "specimen_id": "s2", "keypoints": [0, 0, 0, 639, 479, 2], **common}
            | {"num_keypoints": 1, "bbox": [638, 478, 2, 2], "area": 4},
        ],
        "categories": [{"id": 1, "name": "specimen", "supercategory": "", "keypoints": ["1", "2"], "skeleton": []}],
    }


def test_pycocotools_opens_and_evaluates_it(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="needs pycocotools, COCO's own loader")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(1)
    specimens = []
    for number in range(4):
        points = random.uniform(50, 400, (5, 2))
        points[number] = NAN
        specimens.append(Landmarks(points, f"{'ab'[number % 2]}.jpg", str(number), names=tuple("vwxyz")))
    path = tmp_path / "x.json"
    coco.save(path, specimens, SIZES)
    opened = COCO(str(path))
    assert opened.loadCats(opened.getCatIds("specimen"))[0]["keypoints"] == list("vwxyz")
    assert [image["file_name"] for image in opened.loadImgs(opened.getImgIds())] == ["a.jpg", "b.jpg"]
    assert opened.getAnnIds(imgIds=[2]) == [2, 4]
    for specimen, annotation in zip(specimens, opened.loadAnns(opened.getAnnIds()), strict=True):
        triples = np.reshape(annotation["keypoints"], (5, 3))
        np.testing.assert_array_equal(triples[specimen.present, :2], specimen.points[specimen.present])
        np.testing.assert_array_equal(triples[:, 2], 2 * specimen.present)
        x, y, width, height = annotation["bbox"]
        inside = specimen.points[specimen.present] + 0.5 - (x, y)  # boxes count from the corner of the first pixel
        assert ((inside > 0) & (inside < (width, height))).all()
    results = [
        {"image_id": one["image_id"], "category_id": 1, "keypoints": one["keypoints"], "score": 1.0}
        for one in opened.dataset["annotations"]
    ]
    evaluation = COCOeval(opened, opened.loadRes(results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(5, 0.025)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
