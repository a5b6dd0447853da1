"""CVAT for images 1.1: the annotations.xml of CVAT, with skeletons or points.

Frame of the file: px, origin at the outer corner of the top-left pixel, y down; the picture is 0 to its width and 0 to
its height. The centre of the top-left pixel is therefore (0.5, 0.5), and half a px is taken off and put on.

A landmark of a skeleton that is ``outside`` is missing, whatever coordinates it has; ``occluded`` is data. Without
skeletons, each label of a single point is a landmark and those of a photograph (with the same group, where CVAT groups
them) are a specimen; a label of several points is a specimen, its landmarks in order.

Source: docs.cvat.ai, XML annotation format, version 1.1, whose example has points from 0.00 to 1200.00 on a picture
1200 px high; dump_as_cvat_annotation and load_anno of CVAT's dataset_manager/formats/cvat.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, labelled, size_of, xml_document
from pronotum.formats.labelled import Found
from pronotum.formats.xml_document import Element, escaped
from pronotum.landmarks import Landmarks, Scheme

VERSION = "1.1"
LABEL = "specimen"
"""The label of the skeletons that `save` writes."""


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the skeletons of a file; where it has none, its points.

    Landmarks are in the order in which CVAT lists their labels, but by number where all names are numbers. Other
    shapes and tags are no landmarks.

    Args:
        path: XML file, out of the ZIP that CVAT exports.
        sizes: not needed.

    Returns:
        One per specimen, in file order, points (K, 2) in px, NaN = missing. IDs are the attribute "id" of the
        skeleton, or the group of the points; else "", or "1", "2", ... where several are on a photograph.

    Raises:
        UserError: no XML of CVAT, one for video or of another version, no landmarks, skeletons beside points,
            skeletons with different landmarks, labels with different numbers of points, a landmark twice in a
            specimen, coordinates that are no numbers, or the same specimen twice.
    """
    root = xml_document.read(path, "annotations")
    _check_kind(root)
    images = root.named("image")
    skeletons = [(image, shape) for image in images for shape in image.named("skeleton")]
    points = [(image, shape) for image in images for shape in image.named("points")]
    if skeletons and points:
        raise UserError(
            points[0][1].where,
            found="points beside skeletons",
            expected="one or the other",
            remedy="remove those that are no landmarks, or export the labels separately",
        )
    if not skeletons and not points:
        remedy = "annotate skeletons or points; boxes and masks have no landmarks"
        raise UserError(path, found="no skeletons and no points", expected="landmarks", remedy=remedy)
    if skeletons:
        found = tuple(_skeleton(image, shape) for image, shape in skeletons)
        labels = {shape.get("label") for _, shape in skeletons}
        return labelled.specimens(found, _skeleton_names(root, labels, found))
    placed = [(image, shape, _coordinates(shape)) for image, shape in points]
    if all(len(coordinates) == 1 for _, _, coordinates in placed):
        found = _single_points(placed)
        return labelled.specimens(found, _in_order(root, "", {name for one in found for name in one.points}, found))
    return _rows_of_points(placed)


Placed = list[tuple[Element, Element, list[tuple[float, float]]]]
"""Photograph, its <points>, and where they are in px of our frame."""


def _check_kind(root: Element) -> None:
    versions = [version.text.strip() for version in root.named("version")]
    if versions != [VERSION]:
        found = f"version {', '.join(versions)[:30]}" if versions else "no version"
        remedy = "export it as 'CVAT for images 1.1'"
        raise UserError(root.where, found=found, expected=f"<version>{VERSION}</version>", remedy=remedy)
    for track in root.named("track"):
        remedy = "export it as 'CVAT for images 1.1'"
        raise UserError(track.where, found="a <track> of 'CVAT for video'", expected="<image> elements", remedy=remedy)


def _coordinates(shape: Element) -> list[tuple[float, float]]:
    pairs = [pair.split(",") for pair in shape.get("points").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        found = f"points '{shape.get('points')[:30]}'"
        raise UserError(shape.where, found=found, expected="x,y;x,y;...", remedy="export the file again")
    return [(shape.number(x) - 0.5, shape.number(y) - 0.5) for x, y in pairs]


def _skeleton(image: Element, skeleton: Element) -> Found:
    """A specimen; landmarks that are outside are in it as NaN, so that their names are known."""
    points: dict[str, tuple[float, float]] = {}
    for element in (child for child in skeleton.children if child.tag != "attribute"):
        coordinates = _coordinates(element) if element.tag == "points" else []
        if len(coordinates) != 1:
            found = f"<{element.tag}> with {counted(len(coordinates), 'point')} in a skeleton"
            raise UserError(element.where, found=found, expected="<points> with one", remedy="export the file again")
        name = element.get("label")
        if name in points:
            raise UserError(element.where, found=f"landmark '{name[:30]}' again", expected="it once a skeleton")
        outside = element.attributes.get("outside", "0").strip() == "1"
        points[name] = (np.nan, np.nan) if outside else coordinates[0]
    if not points:
        raise UserError(skeleton.where, found="a skeleton without points", expected="<points> in it")
    identity = [one.text for one in skeleton.named("attribute") if one.attributes.get("name") == "id"]
    return Found(image.get("name"), identity[0] if identity else None, points, skeleton.where)


def _skeleton_names(root: Element, labels: set[str], found: Sequence[Found]) -> tuple[str, ...]:
    by_label = {frozenset(one.points) for one in found}
    if len(labels) > 1 and len(by_label) > 1:
        listed = ", ".join(sorted(labels))[:60]
        raise UserError(
            root.where,
            found=f"skeletons with different landmarks ({listed})",
            expected="skeletons of one label",
            remedy="export one label a file",
        )
    return _in_order(root, min(labels), {name for names in by_label for name in names}, found)


def _in_order(root: Element, parent: str, used: set[str], found: Sequence[Found]) -> tuple[str, ...]:
    """Names of landmarks, by number or else as the file's list of labels has them, then as they occur.

    Args:
        root: the file.
        parent: label of the skeleton; "" for points.
        used: names of the landmarks in the file.
        found: the specimens.
    """
    if all(name.isascii() and name.isdigit() for name in used):
        return labelled.sorted_names(used)
    listed = [name for name, skeleton in _labels(root) if skeleton == parent and name in used]
    occurring = [name for one in found for name in one.points]
    return tuple(dict.fromkeys([*listed, *occurring]))


def _labels(root: Element) -> Iterator[tuple[str, str]]:
    """Name and label of the skeleton ("" = none) of each label in <meta>, where a task, job or project lists them."""
    for labels in (one for meta in root.named("meta") for owner in meta.children for one in owner.named("labels")):
        for label in labels.named("label"):
            name, parent = ("".join(one.text for one in label.named(tag)) for tag in ("name", "parent"))
            yield name, parent


def _single_points(placed: Placed) -> tuple[Found, ...]:
    """Specimens of which each landmark is a label."""
    found: dict[tuple[str, str], Found] = {}
    grouped: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for image, shape, coordinates in placed:
        key = image.get("name"), shape.attributes.get("group_id", "")
        points = grouped.setdefault(key, {})
        name = shape.get("label")
        if name in points:
            raise UserError(
                shape.where,
                found=f"label '{name[:30]}' again on {key[0]}",
                expected="each landmark once a specimen",
                remedy="group the points of each specimen in CVAT, or use skeletons",
            )
        points[name] = coordinates[0]
        found[key] = Found(*key, points, found[key].where if key in found else shape.where)
    return tuple(found.values())


def _rows_of_points(placed: Placed) -> tuple[Landmarks, ...]:
    """Specimens of which each is a label of several points."""
    n_landmarks = len(placed[0][2])
    names = Scheme.numbered(n_landmarks).names
    found = []
    for image, shape, coordinates in placed:
        if len(coordinates) != n_landmarks:
            raise UserError(
                shape.where,
                found=counted(len(coordinates), "point"),
                expected=f"{n_landmarks} as in the first label",
                remedy="annotate the rest; landmarks that cannot be seen need a skeleton, in which they can be hidden",
            )
        points = dict(zip(names, coordinates, strict=True))
        found.append(Found(image.get("name"), None, points, shape.where))
    return labelled.specimens(found, names)


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write skeletons that CVAT imports, in one step, into a task with a skeleton named as `LABEL` is.

    A missing landmark is outside and lies at the centre of the others, where it is found when it is shown again. The
    ID is an attribute of the skeleton.

    Args:
        path: XML file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: width and height in px of the photographs, written where known.

    Raises:
        UserError: no specimens, specimens with different landmarks or twice the same, an infinite coordinate, no
            photograph, or a name that XML cannot hold.
    """
    names = labelled.shared_names(path, specimens)
    numbers = {image: number for number, image in enumerate(dict.fromkeys(one.image for one in specimens))}
    lines = list(_head(names, len(numbers), path))
    for image, group in groupby(specimens, key=lambda specimen: specimen.image):
        shown = tuple(group)
        size = size_of(image, shown[0].id, sizes)
        measure = f' width="{size[0]}" height="{size[1]}"' if size else ""
        lines.append(f'  <image id="{numbers[image]}" name="{escaped(image, f"photograph {image}")}"{measure}>')
        for specimen in shown:
            lines += _element(specimen, names)
        lines.append("  </image>")
    files.write_text(path, "\n".join([*lines, "</annotations>", ""]))


def _head(names: Sequence[str], n_photographs: int, path: Path) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield f"  <version>{VERSION}</version>"
    yield "  <meta>"
    yield "    <task>"
    yield f"      <name>landmarks</name><size>{n_photographs}</size><mode>annotation</mode>"
    yield "      <labels>"
    values = "<mutable>False</mutable><input_type>text</input_type><default_value></default_value><values></values>"
    attribute = f"<attribute><name>id</name>{values}</attribute>"
    yield f"        <label><name>{LABEL}</name><type>skeleton</type><attributes>{attribute}</attributes></label>"
    for name in names:
        kind = f"<type>points</type><attributes></attributes><parent>{LABEL}</parent>"
        yield f"        <label><name>{escaped(name, path)}</name>{kind}</label>"
    yield "      </labels>"
    yield "    </task>"
    yield "  </meta>"


def _element(specimen: Landmarks, names: Sequence[str]) -> Iterator[str]:
    present = specimen.present
    middle = specimen.points[present].mean(axis=0) if present.any() else np.array([-0.5, -0.5])
    yield f'    <skeleton label="{LABEL}" source="file" z_order="0">'
    for name, point, there in zip(names, specimen.points, present, strict=True):
        x, y = (point if there else middle) + 0.5
        state = f'outside="{0 if there else 1}" occluded="0"'
        yield f'      <points label="{escaped(name, specimen.name)}" {state} points="{x:.6f},{y:.6f}"></points>'
    yield f'      <attribute name="id">{escaped(specimen.id, specimen.name)}</attribute>'
    yield "    </skeleton>"


def recognises(path: Path) -> bool:
    """Whether an XML file is of this kind: its outermost element is <annotations>."""
    return xml_document.root(path) == "annotations"


KEEPS = frozenset({"image", "id", "names"})
FORMAT = Format("cvat", (".xml",), load, save, keeps=KEEPS, recognises=recognises)
