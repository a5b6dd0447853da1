"""Markups of 3D Slicer (``.mrk.json``): a point list per specimen, several in one file.

Frame: Slicer places a photograph with the centre of its top-left pixel at the origin, x to the patient's left and y to
the back, so that in LPS, which Slicer writes, x and y are those of the photograph, y down; in RAS both have the other
sign. That holds where Slicer takes a pixel for a millimetre. **It does not for a JPEG or TIFF that says how many dots
per inch it has**: set the image spacing to 1 in the module Volumes before placing anything. Nor does Slicer turn
photographs upright.

Missing = a position status other than ``defined``. z must be 0. Slicer shows `Landmarks.names` as labels. Slicer itself
writes one list a file, without a name: its photograph is then the file's name.

Source: Slicer, `vtkMRMLMarkupsJsonStorageNode`, `vtkSlicerMarkupsLogic::LoadMarkupsFromJson` and
markups-schema-v1.0.3.json; ITK 5.4 (SimpleITK 2.5), which reads photographs for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, json_document, specimen_rows
from pronotum.formats.json_document import Node
from pronotum.landmarks import Landmarks, Scheme

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
KNOWN_SCHEMA = re.compile(r"markups-schema-v1\.[0-9]+\.[0-9]+\.json#*$", re.IGNORECASE)
SIGNS = {"LPS": 1.0, "RAS": -1.0}
"""Of x and y, by coordinate system."""

STATUSES = ("undefined", "preview", "defined", "missing")
"""Of a position, by Slicer's numbers; only a defined one is a landmark."""

DEEPEST = 0.5
"""|z| in px up to which a point lies on the photograph, which is one voxel deep."""


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the point lists of a file.

    Args:
        path: file ending in ``.mrk.json``.
        sizes: not needed; y is down in the file.

    Returns:
        One per list, in file order, points (K, 2) px, NaN = missing. The photograph is the list's name, else what
        precedes ``.mrk.json``; names are the labels, where there are any besides 1, 2, ...

    Raises:
        UserError: no JSON, no or unknown schema, a curve or other markup, an unnamed list among several, a point
            without three finite numbers, off the plane of the photograph or of unknown status, labels that do not
            differ, or the same specimen twice; says file and place in it.
    """
    document = json_document.read(path)
    schema = document.get("@schema")
    if not KNOWN_SCHEMA.search(schema.text()):
        expected = "markups-schema-v1.x of 3D Slicer"
        raise UserError(schema.where, found=schema.text()[-60:], expected=expected, remedy="name another file")
    markups = document.get("markups").items()
    if not markups:
        raise UserError(document.get("markups").where, found="no markups", expected="a point list")
    found = [_specimen(markup, path, alone=len(markups) == 1) for markup in markups]
    specimen_rows.check_distinct(found, [markup.where for markup in markups])
    return tuple(found)


def _specimen(markup: Node, path: Path, *, alone: bool) -> Landmarks:
    kind = markup.get("type")
    if kind.text() != "Fiducial":
        remedy = "save the point lists alone"
        raise UserError(kind.where, found=f"a {kind.text()[:40]}", expected="a point list (Fiducial)", remedy=remedy)
    system = markup.get("coordinateSystem").text() if markup.has("coordinateSystem") else "LPS"
    if system not in SIGNS:
        expected = " or ".join(SIGNS)
        raise UserError(markup.get("coordinateSystem").where, found=system[:40], expected=expected)
    controls = markup.get("controlPoints").items()
    labels = [one.get("label").text() if one.has("label") else "" for one in controls]
    points = np.array([_point(one, SIGNS[system]) for one in controls]).reshape(-1, 2)
    image = markup.get("name").text() if markup.has("name") else ""
    if not image and not alone:
        remedy = "name it after its photograph, or save it as a file of its own"
        raise UserError(markup.where, found="a list without name among several", expected='"name"', remedy=remedy)
    identity = markup.get("specimen_id").text() if markup.has("specimen_id") else ""
    return Landmarks(points, image or stem(path), identity, names=names(labels, markup.get("controlPoints").where))


def _point(control: Node, sign: float) -> tuple[float, float]:
    status = control.get("positionStatus") if control.has("positionStatus") else None
    if status is not None and status.text() not in STATUSES:
        raise UserError(status.where, found=status.text()[:40], expected=f"one of {', '.join(STATUSES)}")
    if status is not None and status.text() != "defined":
        return np.nan, np.nan
    position = control.get("position")
    values = [value.number() for value in position.items()]
    if len(values) != 3:
        raise UserError(position.where, found=counted(len(values), "number"), expected="x, y and z")
    return on_photograph((values[0], values[1], values[2]), sign, position.where)


def on_photograph(position: tuple[float, float, float], sign: float, where: str) -> tuple[float, float]:
    """x and y px, y down, of a point in millimetres.

    Raises:
        UserError: it is off the plane of the photograph.
    """
    x, y, z = position
    if abs(z) > DEEPEST:
        expected = "0, as on a photograph: landmarks of a scan or of a stack of pictures have no place on one"
        raise UserError(where, found=f"z = {z:g}", expected=expected, remedy="name a file of a single photograph")
    return sign * x + 0.0, sign * y + 0.0


def names(labels: Sequence[str], where: str) -> tuple[str, ...]:
    """Names of landmarks from their labels; () where there are no labels, or only 1, 2, ...

    Raises:
        UserError: no landmarks, or labels that do not differ.
    """
    if not labels:
        raise UserError(where, found="no points", expected="at least one")
    if not any(labels) or tuple(labels) == Scheme.numbered(len(labels)).names:
        return ()
    again = next((label for label in labels if not label or labels.count(label) > 1), None)
    if again is not None:
        found = f"the label '{again[:40]}' twice" if again else "a point without label among labelled ones"
        raise UserError(where, found=found, expected="labels that differ, or none", remedy="label the points in Slicer")
    return tuple(labels)


def stem(path: Path) -> str:
    """What precedes the suffix of a file of Slicer; it calls them after the list, and people call that as they like."""
    return re.sub(r"\.(mrk\.json|json|fcsv)$", "", path.name, flags=re.IGNORECASE) or path.name


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a file that Slicer 5 opens, a point list per specimen, in one step.

    A specimen without photograph goes by its ID, which then reads back as the photograph. The ID stands in
    ``specimen_id``, which Slicer leaves out when it saves.

    Args:
        path: file ending in ``.mrk.json``; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing; they may have different landmarks.
        sizes: not needed.

    Raises:
        UserError: no specimens, one with neither photograph nor ID or twice the same, without landmarks or with names
            that do not differ, an infinite coordinate.
    """
    if not specimens:
        raise UserError(path, found="no specimens", expected="at least one")
    specimen_rows.check_distinct(specimens, [f"specimen {number}" for number in range(1, len(specimens) + 1)])
    document = {"@schema": SCHEMA, "markups": [_markup(specimen) for specimen in specimens]}
    files.write_text(path, json_document.render(document))


def _markup(specimen: Landmarks) -> dict[str, Any]:
    if not specimen.image and not specimen.id:
        raise UserError(specimen.name, found="neither photograph nor ID", expected="a name", remedy="name it")
    if np.isinf(specimen.points).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    labels = specimen.names or Scheme.numbered(specimen.n_landmarks).names
    names(labels, specimen.name)
    identity = {"specimen_id": specimen.id} if specimen.image and specimen.id else {}
    points = enumerate(zip(labels, specimen.points.tolist(), specimen.present, strict=True), start=1)
    return {
        "type": "Fiducial",
        "name": specimen.image or specimen.id,
        **identity,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [
            {
                "id": str(number),
                "label": label,
                # An empty text is what Slicer writes where there is no position.
                "position": [*point, 0.0] if present else "",
                "positionStatus": "defined" if present else "missing",
            }
            for number, (label, point, present) in points
        ],
    }


KEEPS = frozenset({"image", "id", "names"})
FORMAT = Format(name="slicer", suffixes=(".mrk.json",), read=load, write=save, keeps=KEEPS)
