"""XML files of dlib and its program imglab, with which shape predictors are trained (ml-morph).

Frame of the file: whole px, origin at the centre of the top-left pixel, y down, as ours; dlib does not know of EXIF. It
takes all the names of parts in a file, sorted as texts ("10" before "2"), as the landmarks; a part that a box does not
have is missing.

`save` therefore names the parts "00", "01", ..., and lists the names of the landmarks, missing ones too, in the
file's comment, which dlib and imglab keep: ``landmarks: ["apex", "base"]``. The label of a box is then the specimen's
ID. In a file without such a comment labels are kinds of objects, and are not read.

Source: dlib/data_io/image_dataset_metadata.cpp and load_image_dataset.h of dlib 20.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError
from pronotum.formats import Format, Sizes, labelled, size_of, xml_document
from pronotum.formats.labelled import Found
from pronotum.formats.xml_document import Element, escaped
from pronotum.landmarks import Landmarks

_COMMENT = "landmarks: "
# dlib reads escaped text in a comment, but writes it again without escaping.
_ASCII = str.maketrans({one: f"\\u{ord(one):04x}" for one in "&<>"})


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the boxes of a file; several on a photograph are several specimens.

    Landmarks are those of the comment, see the module; without it all the parts in the file, by number where all are
    numbers, else as dlib sorts them. Numbers without a gap from 0 or 1 are no names. Boxes to be ignored are left out,
    unless `save` wrote them.

    Args:
        path: XML file.
        sizes: not needed.

    Returns:
        One per box, in file order, points (K, 2) in px, NaN = missing.

    Raises:
        UserError: no XML of imglab, no parts in it, a part that is no number, occurs twice in a box or is not in the
            list of landmarks, or two boxes of one photograph with the same ID.
    """
    dataset = xml_document.read(path, "dataset")
    names = _listed(dataset)
    found = tuple(_boxes(dataset, names))
    parts = {part for one in found for part in one.points}
    if not found or not (names or parts):
        raise UserError(
            path,
            found="no parts in any box",
            expected="<part> in <box> in <image> in <images>",
            remedy="add landmarks in imglab; boxes alone have none",
        )
    if names is None:
        names, found = _ordered(parts, found)
    return labelled.specimens(found, names)


def _listed(dataset: Element) -> tuple[str, ...] | None:
    """The names of landmarks in the comment that `save` writes; None where there is no such comment."""
    for comment in dataset.named("comment"):
        if comment.text.startswith(_COMMENT):
            try:
                names = json.loads(comment.text.removeprefix(_COMMENT))
            except (ValueError, RecursionError):
                names = None
            texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
            if texts and 0 < len(names) == len(set(names)):
                return tuple(names)
            raise UserError(
                comment.where,
                found=f"'{comment.text[:40]}'",
                expected='landmarks: ["first", "second", ...]',
                remedy="correct the comment, or remove it",
            )
    return None


def _boxes(dataset: Element, names: tuple[str, ...] | None) -> Iterator[Found]:
    parts = None if names is None else dict(zip(_part_names(len(names)), names, strict=True))
    for image in (image for images in dataset.named("images") for image in images.named("image")):
        for box in image.named("box"):
            ignored = box.attributes.get("ignore", "0").strip() not in ("", "0")
            if ignored and (parts is None or box.named("part")):
                continue
            points: dict[str, tuple[float, float]] = {}
            for part in box.named("part"):
                name = part.get("name")
                if parts is not None and name not in parts:
                    raise UserError(
                        part.where,
                        found=f"part '{name[:30]}'",
                        expected=f"{min(parts)} to {max(parts)}, the {len(parts)} landmarks of the file's comment",
                        remedy="correct it, or the comment",
                    )
                name = name if parts is None else parts[name]
                if name in points:
                    raise UserError(part.where, found=f"part '{part.get('name')[:30]}' again", expected="it once a box")
                points[name] = part.number(part.get("x")), part.number(part.get("y"))
            label = "".join(label.text for label in box.named("label"))
            yield Found(image.get("file"), None if parts is None else label, points, box.where)


def _ordered(parts: set[str], found: tuple[Found, ...]) -> tuple[tuple[str, ...], tuple[Found, ...]]:
    """Names of the landmarks of a file that does not list them; numbers without a gap become "1", "2", ..."""
    numeric = all(part.isascii() and part.isdigit() for part in parts)
    names = labelled.sorted_names(parts) if numeric else tuple(sorted(parts))
    bare = [part.lstrip("0") or "0" for part in names]
    for first in (0, 1):
        if numeric and bare == [str(number) for number in range(first, first + len(names))]:
            index = {part: str(number) for number, part in enumerate(names, start=1)}
            renamed = ({index[part]: point for part, point in one.points.items()} for one in found)
            found = tuple(
                Found(one.image, one.id, points, one.where) for one, points in zip(found, renamed, strict=True)
            )
            return tuple(index.values()), found
    return names, found


def _part_names(n_landmarks: int) -> tuple[str, ...]:
    """Names that sort as texts as they do as numbers."""
    width = max(2, len(str(n_landmarks - 1)))
    return tuple(f"{number:0{width}}" for number in range(n_landmarks))


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a file that dlib and imglab read, in one step; coordinates are rounded to whole px.

    The box goes around the landmarks, with a tenth of their extent as margin, and ends at the edge of the photograph.
    A specimen without a single landmark becomes a box over the whole photograph that dlib is told to ignore.

    Args:
        path: XML file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: sizes of the photographs in px; where one is not known, boxes end at its left and top edge only.

    Raises:
        UserError: no specimens, specimens with different landmarks or twice the same, an infinite coordinate, no
            photograph or one whose name dlib cannot read (``& < > "``), or a name that XML cannot hold.
    """
    names = labelled.shared_names(path, specimens)
    comment = json.dumps(names).translate(_ASCII)
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<name>landmarks</name>"]
    lines += [f"<comment>{_COMMENT}{comment}</comment>", "<images>"]
    for image, group in groupby(specimens, key=lambda specimen: specimen.image):
        boxes = tuple(group)
        lines += _image(image, boxes, size_of(image, boxes[0].id, sizes))
    files.write_text(path, "\n".join([*lines, "</images>", "</dataset>", ""]))


def _image(image: str, specimens: Sequence[Landmarks], size: tuple[int, int] | None) -> Iterator[str]:
    if escaped(image, f"photograph {image}") != image:
        raise UserError(
            f"photograph {image}",
            found='one of & < > " in its name',
            expected="a name that dlib can read",
            remedy="rename the photograph",
        )
    yield f'  <image file="{image}"' + (f' width="{size[0]}" height="{size[1]}">' if size else ">")
    for specimen in specimens:
        present = specimen.present
        left, top, width, height = labelled.box(specimen.points, size) if present.any() else (0, 0, *(size or (1, 1)))
        ignored = "" if present.any() else ' ignore="1"'
        yield f'    <box top="{top}" left="{left}" width="{width}" height="{height}"{ignored}>'
        if specimen.id:
            yield f"      <label>{escaped(specimen.id, specimen.name)}</label>"
        for part, (x, y), there in zip(_part_names(len(present)), np.rint(specimen.points), present, strict=True):
            if there:
                yield f'      <part name="{part}" x="{int(x)}" y="{int(y)}"/>'
        yield "    </box>"
    yield "  </image>"


def recognises(path: Path) -> bool:
    """Whether an XML file is of this kind: its outermost element is <dataset>."""
    return xml_document.root(path) == "dataset"


KEEPS = frozenset({"image", "id", "names"})
FORMAT = Format("imglab", (".xml",), load, save, keeps=KEEPS, precision=0.5, recognises=recognises)
