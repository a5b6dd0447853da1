"""Label Studio: the JSON export (or JSON-MIN) of a project with KeyPointLabels.

Frame of the file: percent of the width and height of the photograph as the browser shows it, after EXIF, from the outer
corner of the top-left pixel; x is x% of the width less half a px. The button that rotates the picture for the
annotator (``image_rotation``) turns only what is seen, not the coordinates.

Names of landmarks are the labels; a landmark that has no point is missing. Exports do not list the labels: landmarks
are those that occur in the file, sorted, 2 before 10, unless the data of a task lists them under ``landmarks``, as
`save` has them. The data's ``specimen`` is the ID.

Source: labelstud.io, KeyPointLabels and Export; the Image tag of Label Studio's editor (snapPointToPixel, rotate);
convert_to_json_min of label-studio-sdk 2.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, json_document, labelled, size_of
from pronotum.formats.json_document import Node
from pronotum.formats.labelled import Found
from pronotum.landmarks import Landmarks

DOT = 0.5
"""Size of a point as Label Studio draws it, % of the width."""

_UPLOADED = re.compile(r"(?:https?://[^/]+)?/data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?(.+)")
_LOCAL = re.compile(r"(?:https?://[^/]+)?/data/local-files/\?d=([^&]+)")
_PICTURE = re.compile(r"\.(?:jpe?g|png|tiff?|bmp|gif|webp)$", re.IGNORECASE)
_SKIPPED = ("was_cancelled", "skipped")
_START = re.compile(r"\[\s*\{")


@dataclass(frozen=True)
class Region:
    """A point of a task.

    Attributes:
        value: the object with x, y and keypointlabels.
        sized: the object with original_width and original_height: the result, or in JSON-MIN the same as `value`.
        group: the region it lies under in the annotator's list; "" = none.
    """

    value: Node
    sized: Node
    group: str


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the annotated tasks of an export; predictions, skipped tasks and other regions are left out.

    A task is a specimen, or, where its points lie under different regions (boxes, say), each of these is one.

    Args:
        path: JSON file.
        sizes: sizes of the photographs in px, for old exports that do not have them.

    Returns:
        In file order, points (K, 2) in px, NaN = missing. Photographs that were uploaded or are served from a folder
        have the name they had there. IDs are ``specimen`` of the task's data; else "", or "1", "2", ... where
        several are on a photograph.

    Raises:
        UserError: no JSON of this kind, a task with several annotations, photographs or none, a point without label
            or with several, a landmark twice in a specimen, values that are no numbers, a photograph whose size is
            needed and unknown, no points at all, or the same specimen twice.
    """
    found: list[Found] = []
    listed: dict[str, None] = {}
    for task in json_document.read(path).items():
        data = task.get("data") if task.has("data") else task
        if data.has("landmarks"):
            listed |= dict.fromkeys(name.text() for name in data.get("landmarks").items())
        regions = _regions(task)
        if regions is not None:
            found += _specimens(task, data, regions, sizes)
    names = (*listed, *labelled.sorted_names({name for one in found for name in one.points} - set(listed)))
    if not names or not found:
        raise UserError(
            path,
            found="no points with labels",
            expected="tasks annotated with KeyPointLabels, exported as JSON",
            remedy="submit the annotations, and export them as JSON",
        )
    return labelled.specimens(found, names)


def _regions(task: Node) -> list[Region] | None:
    """The labelled points of a task; None where it is not annotated."""
    key = next((key for key in ("annotations", "completions") if task.has(key)), None)
    if key is None:
        return list(_bare_regions(task))
    kept = [one for one in task.get(key).items() if not any(one.has(skip) and one.value[skip] for skip in _SKIPPED)]
    if len(kept) > 1:
        raise UserError(
            task.get(key).where,
            found=f"{len(kept)} annotations of one task",
            expected="one",
            remedy="export those of one annotator, or delete the others",
        )
    return list(_labelled(kept[0].get("result"))) if kept else None


def _labelled(results: Node) -> Iterator[Region]:
    for result in results.items():
        kind = result.get("type").text() if result.has("type") else ""
        if kind == "keypoint":
            remedy = "label it, with KeyPointLabels in the labelling interface"
            raise UserError(result.where, found="a point without label", expected="keypointlabels", remedy=remedy)
        if kind == "keypointlabels":
            group = str(result.get("parentID").key()) if result.has("parentID") else ""
            yield Region(result.get("value"), result, group)


def _bare_regions(task: Node) -> Iterator[Region]:
    """The points of JSON-MIN, in lists under the names of the labelling interface's tags."""
    for key in task.value if isinstance(task.value, dict) else ():
        if isinstance(task.value[key], list):
            yield from (Region(one, one, "") for one in task.get(key).items() if one.has("keypointlabels"))


def _specimens(task: Node, data: Node, regions: list[Region], sizes: Sizes) -> Iterator[Found]:
    image = _photograph(data, task)
    identity = data.get("specimen").text() if data.has("specimen") else None
    grouped: dict[str, dict[str, tuple[float, float]]] = {} if regions else {"": {}}
    for region in regions:
        labels = region.value.get("keypointlabels").items()
        if len(labels) != 1:
            where = region.value.get("keypointlabels").where
            raise UserError(
                where, found=f"a point with {counted(len(labels), 'label')}", expected="one", remedy="correct it"
            )
        name, points = labels[0].text(), grouped.setdefault(region.group, {})
        if name in points:
            raise UserError(
                region.value.where,
                found=f"landmark '{name[:30]}' again",
                expected="it once a specimen",
                remedy="make a task of each specimen, or drag the points of each under a box in the list of regions",
            )
        width, height = _size(region.sized, image, sizes)
        x, y = region.value.get("x").number(), region.value.get("y").number()
        points[name] = x * width / 100 - 0.5, y * height / 100 - 0.5
    for points in grouped.values():
        yield Found(image, identity, points, task.where)


def _size(sized: Node, image: str, sizes: Sizes) -> tuple[float, float]:
    if not sized.has("original_width"):
        known = size_of(image, "", sizes)
        if known is None:
            raise UserError(
                sized.where,
                found="no original_width, and a photograph whose size is not known",
                expected="its width and height, because points are in percent of them",
                remedy="name the folder of the photographs",
            )
        return known
    width, height = sized.get("original_width").number(), sized.get("original_height").number()
    if min(width, height) <= 0:
        raise UserError(sized.where, found=f"a photograph of {width:g} x {height:g}", expected="its size in px")
    return width, height


def _photograph(data: Node, task: Node) -> str:
    """Name of the photograph: under "image", else the only text of the task's data that ends as a picture does."""
    if data.has("image"):
        return _name(data.get("image").text())
    texts = data.value.values() if isinstance(data.value, dict) else ()
    pictures = [text for text in texts if isinstance(text, str) and _PICTURE.search(text)]
    if len(pictures) != 1:
        raise UserError(
            task.where,
            found=f"{counted(len(pictures), 'name')} of photographs",
            expected="one, as image in the data of the task",
            remedy="use tasks of one photograph",
        )
    return _name(pictures[0])


def _name(address: str) -> str:
    """The file that Label Studio serves under this address; other addresses stay as they are."""
    served = _UPLOADED.fullmatch(address) or _LOCAL.fullmatch(address)
    return unquote(served[1]) if served else address


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write tasks that Label Studio imports, in one step: one for each specimen, with an annotation.

    The labelling interface needs an Image named image and KeyPointLabels named landmark. The address of a photograph
    is its name as it stands; Label Studio has to be able to open it.

    Args:
        path: JSON file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: width and height in px of the photographs, of which points are percentages.

    Raises:
        UserError: no specimens, specimens with different landmarks or twice the same, an infinite coordinate, no
            photograph or one whose size is needed and not known.
    """
    names = labelled.shared_names(path, specimens)
    tasks = []
    for number, specimen in enumerate(specimens, start=1):
        annotation = {"id": number, "result": list(_results(specimen, names, sizes))}
        data = {"image": specimen.image, "specimen": specimen.id, "landmarks": names}
        tasks.append({"id": number, "data": data, "annotations": [annotation], "predictions": []})
    files.write_text(path, json_document.render(tasks))


def _results(specimen: Landmarks, names: Sequence[str], sizes: Sizes) -> Iterator[dict[str, Any]]:
    if not specimen.present.any():
        return
    size = size_of(specimen.image, specimen.id, sizes)
    if size is None:
        raise UserError(
            specimen.name,
            found="a photograph whose size is not known",
            expected="its width and height, because Label Studio's points are in percent of them",
            remedy="name the folder of the photographs",
        )
    for number, (name, (x, y)) in enumerate(zip(names, specimen.points.tolist(), strict=True), start=1):
        if not math.isnan(x):
            place = {"x": (x + 0.5) * 100 / size[0], "y": (y + 0.5) * 100 / size[1]}
            yield {
                "id": f"landmark{number}",
                "type": "keypointlabels",
                "from_name": "landmark",
                "to_name": "image",
                "original_width": size[0],
                "original_height": size[1],
                "image_rotation": 0,
                "value": {**place, "width": DOT, "keypointlabels": [name]},
            }


def recognises(path: Path) -> bool:
    """Whether a JSON file is of this kind: a list of tasks that have data and annotations, or points."""
    head = json_document.head(path)
    tasks = '"data"' in head and ('"annotations"' in head or '"completions"' in head)
    return bool(_START.match(head)) and (tasks or '"keypointlabels"' in head)


KEEPS = frozenset({"image", "id", "names"})
FORMAT = Format("label-studio", (".json",), load, save, keeps=KEEPS, recognises=recognises)
