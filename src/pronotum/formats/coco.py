"""COCO keypoints: JSON with photographs, specimens (annotations) and the names of the landmarks (categories).

Frame of the file: landmarks are indices of pixels counted from 0, so (0, 0) is the centre of the top-left pixel, y
down, as ours. Boxes are measured from the outer corner of that pixel; a box around the pixels 3 to 5 starts at 3 and is
3 wide. Each landmark is x, y, v: v = 0 not labelled, which is missing; 1 labelled but hidden, 2 visible.

Beside COCO's own keys an annotation has ``specimen_id``, the ID, for which COCO has no place. Loaders ignore it.

Source: cocodataset.org, format-data; detectron2's notes on compatibility about the frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, json_document, labelled, size_of
from pronotum.formats.json_document import Node
from pronotum.formats.labelled import Found
from pronotum.landmarks import Landmarks

_FIRST_KEY = re.compile(r'\{\s*"(info|licenses|images|annotations|categories)"\s*:')


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the annotations whose category has landmarks; those of other categories are other objects.

    Args:
        path: JSON file.
        sizes: not needed; y is down in the file.

    Returns:
        One per annotation, in file order, points (K, 2) in px, NaN = missing. IDs are ``specimen_id``; else "", or
        "1", "2", ... where several are on a photograph.

    Raises:
        UserError: no JSON of this kind, no category with landmarks or several that differ, an annotation of an unknown
            category or photograph, with another number of values than its category asks for, or with a value that
            is no number, or the same specimen twice.
    """
    document = json_document.read(path)
    photographs = {key: image.get("file_name").text() for key, image in _by_id(document.get("images")).items()}
    categories = {key: _names(category) for key, category in _by_id(document.get("categories")).items()}
    found, used = [], set()
    for annotation in document.get("annotations").items():
        names = _of(annotation.get("category_id"), categories, "category")
        if not names:
            continue
        used.add(names)
        image = _of(annotation.get("image_id"), photographs, "photograph")
        identity = annotation.get("specimen_id").text() if annotation.has("specimen_id") else None
        found.append(Found(image, identity, _points(annotation.get("keypoints"), names), annotation.where))
    if len(used) != 1:
        listed = "; ".join(", ".join(names[:3]) + ", ..." for names in sorted(used))
        raise UserError(
            path,
            found=f"kinds of specimens with different landmarks ({listed})" if used else "no specimens with landmarks",
            expected="annotations of one category with keypoints",
            remedy="export one category a file" if used else "annotate keypoints; boxes and masks have no landmarks",
        )
    return labelled.specimens(found, used.pop())


def _by_id(records: Node) -> dict[int | str, Node]:
    known: dict[int | str, Node] = {}
    for record in records.items():
        key = record.get("id").key()
        if key in known:
            found = f"the id {key} again, as in {known[key].place}"
            raise UserError(record.where, found=found, expected="each id once", remedy="export the file again")
        known[key] = record
    return known


def _names(category: Node) -> tuple[str, ...]:
    """Names of the landmarks of a category; () where it has none."""
    if not category.has("keypoints"):
        return ()
    names = tuple(name.text() for name in category.get("keypoints").items())
    if len(set(names)) < len(names):
        raise UserError(category.get("keypoints").where, found="the same name twice", expected="names that differ")
    return names


def _of(reference: Node, known: dict[int | str, Any], kind: str) -> Any:
    key = reference.key()
    if key not in known:
        raise UserError(reference.where, found=f"no {kind} with the id {key}", remedy="export the file again")
    return known[key]


def _points(values: Node, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    triples = values.items()
    if len(triples) != 3 * len(names):
        expected = f"{3 * len(names)}: x, y and v of each of the {len(names)} landmarks of its category"
        raise UserError(values.where, found=counted(len(triples), "value"), expected=expected)
    points = {}
    for name, x, y, v in zip(names, triples[::3], triples[1::3], triples[2::3], strict=True):
        if v.number() not in (0, 1, 2):
            expected = "0 (not labelled), 1 (hidden) or 2 (visible)"
            raise UserError(v.where, found=f"{v.value}", expected=expected, remedy="export it as annotations")
        if v.number():
            points[name] = x.number(), y.number()
    return points


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a file that COCO's loaders read, in one step; landmarks are visible (v = 2) or missing (0, 0, 0).

    The box goes around the landmarks, with a tenth of their extent as margin, and ends at the edge of the photograph;
    the area is that of the box. There is one category, called specimen.

    Args:
        path: JSON file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: width and height in px of every photograph; loaders ask for them.

    Raises:
        UserError: no specimens, specimens with different landmarks or twice the same, an infinite coordinate, no
            photograph or one whose size is not known.
    """
    names = labelled.shared_names(path, specimens)
    images = {image: number for number, image in enumerate(dict.fromkeys(one.image for one in specimens), start=1)}
    annotations, photographs = [], {}
    for number, specimen in enumerate(specimens, start=1):
        size = size_of(specimen.image, specimen.id, sizes)
        if size is None:
            raise UserError(
                specimen.name,
                found="a photograph whose size is not known",
                expected="its width and height, which COCO files have",
                remedy="name the folder of the photographs",
            )
        image = images[specimen.image]
        photographs[image] = {"id": image, "file_name": specimen.image, "width": size[0], "height": size[1]}
        annotations.append({"id": number, "image_id": image, **_annotation(specimen, size)})
    category = {"id": 1, "name": "specimen", "supercategory": "", "keypoints": names, "skeleton": []}
    document = {
        "info": {"description": "landmarks"},
        "licenses": [],
        "images": list(photographs.values()),
        "annotations": annotations,
        "categories": [category],
    }
    files.write_text(path, json_document.render(document))


def _annotation(specimen: Landmarks, size: tuple[int, int]) -> dict[str, Any]:
    present = specimen.present
    box = labelled.box(specimen.points, size) if present.any() else (0, 0, 0, 0)
    triples = np.column_stack([np.nan_to_num(specimen.points), 2.0 * present]).ravel().tolist()
    return {
        "category_id": 1,
        "specimen_id": specimen.id,
        "keypoints": [int(value) if value.is_integer() else value for value in triples],
        "num_keypoints": int(present.sum()),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }


def recognises(path: Path) -> bool:
    """Whether a JSON file is of this kind: it starts with one of COCO's keys, and has images or annotations."""
    head = json_document.head(path)
    return bool(_FIRST_KEY.match(head)) and ('"images"' in head or '"annotations"' in head)


KEEPS = frozenset({"image", "id", "names"})
FORMAT = Format("coco", (".json",), load, save, keeps=KEEPS, recognises=recognises)
