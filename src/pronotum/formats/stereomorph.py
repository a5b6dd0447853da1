"""Shapes files of StereoMorph: what digitizeImages() saves of one photograph, in tags that look like XML.

A file is one specimen: `landmarks.pixel` with the names of its landmarks, `curves.pixel` and `curves.control`, and
`scaling`. What follows from these (`landmarks.scaled`, `curves.scaled`) or led to them (ruler, checkerboard) is not
read, though the scaled ones are written. Several specimens are several files.

Frame of the file: px, y down, (0, 0) is the top-left corner of the top-left pixel, so its centre is (0.5, 0.5) and
half a px is taken off. StereoMorph rounds clicks to whole px.

A landmark that was not digitised is not in the file; rows with NA, as other programs and scripts write them, are
missing landmarks. A scale is units per px, as here; in a known unit it becomes mm per px. A curve that was saved as
control points only is computed from them: Bézier curves of degree 2 joined at every other point, about a point a px.

Source: A. Olsen, StereoMorph 1.6.7, list2XML4R, XML4R2listLines, digitizeImages (server.R, digitize_image.js).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, one_each
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.specimen_rows import cell, holds
from pronotum.formats.tps_record import NOT_A_NUMBER, NUMBER
from pronotum.landmarks import FloatArray, Landmarks, Scheme

MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "in": 25.4, "inch": 25.4}
"""The units of `scaling.units` that are known."""

LARGEST = 1e9
"""What a coordinate may be at most, in px."""

MAX_POINTS = 10_000
"""Points that a curve is computed to have at most."""


@dataclass
class Element:
    """What stands between a tag and its end.

    Attributes:
        name: of the tag.
        line: number of the line it starts in.
        attributes: of the tag, by name: `type`, `rownames`, `colnames`, `nrow`, `ncol` ...
        rows: line number and text of each line that is no tag.
        children: elements in it, by name.
    """

    name: str
    line: int
    attributes: dict[str, str]
    rows: list[tuple[int, str]] = field(default_factory=list)
    children: dict[str, Element] = field(default_factory=dict)


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the specimen of a shapes file.

    Args:
        path: shapes file.
        sizes: not needed; y is down in the file.

    Returns:
        The only one: points (K, 2) in px, NaN = missing, in the order of the file; its photograph is `image.name`, else
        the file's name.

    Raises:
        UserError: no shapes file, one of 3D shapes, tags without end, another number of rows than announced, a cell
            that is no number, an unknown unit of length; says ``file:line``.
    """
    shapes = _root(path)
    flat = {"landmarks.pixel", "curves.pixel", "curves.control"} & shapes.children.keys()
    if not flat:
        third = "3D landmarks or curves" if {"landmarks", "curves"} & shapes.children.keys() else "no landmarks.pixel"
        remedy = "digitise the photograph, or name its own shapes file"
        raise UserError(f"{path}:{shapes.line}", found=third, expected="landmarks in px", remedy=remedy)
    landmarks = shapes.children.get("landmarks.pixel", Element("landmarks.pixel", shapes.line, {}))
    names, points = _matrix(path, landmarks)
    if len(set(names)) < len(names) or "" in names:
        found = "landmarks without name" if "" in names else "two landmarks of the same name"
        raise UserError(f"{path}:{landmarks.line}", found=found, expected="names that differ")
    image = _text(shapes, "image.name") or _text(shapes, "image.id") or path.stem
    curves = tuple(_curves(path, shapes))
    return (Landmarks(points, image, scale=_scale(path, shapes), names=names, curves=curves),)


def _curves(path: Path, shapes: Element) -> Iterator[FloatArray]:
    """Points along each curve, in the order in which they were digitised."""
    control: dict[str, Element] = {}
    along: dict[str, Element] = {}
    for key, curves in (("curves.control", control), ("curves.pixel", along)):
        element = shapes.children.get(key, Element(key, shapes.line, {}))
        if element.rows:
            line, text = element.rows[0]
            raise UserError(
                f"{path}:{line}", found=f"'{text.strip()[:30]}' in {key}", expected="<name of the curve ...>"
            )
        curves |= element.children
    for name in dict.fromkeys((*control, *along)):
        if name in along:
            yield _matrix(path, along[name])[1]
        else:
            yield _bezier(path, control[name])


def _bezier(path: Path, element: Element) -> FloatArray:
    """(m, 2) points along Bézier curves of degree 2, each starting where the one before ends."""
    points = _matrix(path, element)[1]
    if len(points) < 3:
        return points
    if len(points) % 2 == 0 or np.isnan(points).any():
        raise UserError(
            f"{path}:{element.line}",
            found=f"{len(points)} control points",
            expected="an odd number, of which every other one lies on the curve",
            remedy="let StereoMorph save the points of the curve too",
        )
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1).reshape(-1, 2).sum(axis=1)
    shrink = min(1.0, MAX_POINTS / max(float(lengths.sum()), 1.0))
    pieces = [points[:1]]
    for number, length in enumerate(lengths * shrink):
        t = np.linspace(0, 1, max(math.ceil(length), 1) + 1)[1:, None]
        start, pull, end = points[2 * number : 2 * number + 3]
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * pull + t**2 * end)
    return np.concatenate(pieces)


def _scale(path: Path, shapes: Element) -> float | None:
    """Length units per px, mm where the unit is known."""
    text, unit = _text(shapes, "scaling"), _text(shapes, "scaling.units")
    if text.casefold() in ("", *NOT_A_NUMBER):
        return None
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not 0 < value < math.inf:
        where = f"{path}:{shapes.children['scaling'].line}"
        raise UserError(where, found=f"scaling {text}", expected="a positive number, length units per px")
    if unit.casefold() in ("", *NOT_A_NUMBER):
        return value
    if unit.casefold() not in MM_PER_UNIT:
        where = f"{path}:{shapes.children['scaling.units'].line}"
        remedy = "correct it, or delete the line"
        raise UserError(where, found=f"the unit '{unit}'", expected=", ".join(MM_PER_UNIT), remedy=remedy)
    return value * MM_PER_UNIT[unit.casefold()]


def _text(shapes: Element, name: str) -> str:
    """What an element holds that is a single value; "" = it is not there."""
    found = shapes.children.get(name)
    return found.rows[0][1].strip() if found and found.rows else ""


def _matrix(path: Path, element: Element) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the rows, where they have any, and (n, 2) points in our frame."""
    named = element.attributes.get("rownames", "").casefold() == "true"
    titled = element.attributes.get("colnames", "").casefold() == "true"
    rows = element.rows[titled:]
    announced = element.attributes.get("nrow", str(len(rows)))
    if announced != str(len(rows)):
        where = f"{path}:{element.line}"
        raise UserError(
            where, found=f"{counted(len(rows), 'row')} in {element.name}", expected=f"nrow={announced}, as it says"
        )
    names, points = [], []
    for line, text in rows:
        cells = text.split("\t")
        if len(cells) != 2 + named:
            expected = "a name, x and y" if named else "x and y"
            found = f"{counted(len(cells), 'cell')} in {element.name}"
            raise UserError(f"{path}:{line}", found=found, expected=f"{expected}, separated by tabs")
        numbers = [_number(f"{path}:{line}", cell.strip()) for cell in cells[named:]]
        if math.isnan(numbers[0]) != math.isnan(numbers[1]):
            found = f"'{text.strip()}', missing in one coordinate only"
            raise UserError(f"{path}:{line}", found=found, expected="NA for both, or for none")
        points.append(numbers)
        names.append(cells[0].strip())
    return tuple(names) if named else (), np.array(points).reshape(-1, 2) - 0.5


def _number(where: str, cell: str) -> float:
    if cell.casefold() in NOT_A_NUMBER:
        return math.nan
    value = float(cell) if NUMBER.fullmatch(cell) else math.inf
    if abs(value) > LARGEST:
        raise UserError(where, found=f"'{cell[:30]}'", expected="a number, or NA for a missing landmark")
    return value


def _root(path: Path) -> Element:
    """The element `shapes` of a file, with all that is in it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="a shapes file", remedy="save it as UTF-8")
    outside = Element("", 0, {})
    inside = [outside]
    for line, text in _pieces(decode(content)[0]):
        element = _opened(text.strip(), line)
        closed = _closed(text.strip())
        if element is not None and _stray(element):
            continue
        if element is not None:
            if element.name in inside[-1].children:
                raise UserError(f"{path}:{line}", found=f"<{element.name}> for the second time", expected="one")
            inside[-1].children[element.name] = element
            inside.append(element)
        elif inside[1:] and closed is None:
            inside[-1].rows.append((line, text))
        elif inside[1:] and closed == inside[-1].name:
            inside.pop()
        else:
            expected = (
                f"</{inside[-1].name}>, the end of line {inside[-1].line}" if inside[1:] else "<shapes type=list>"
            )
            raise UserError(f"{path}:{line}", found=f"'{text.strip()[:30]}'", expected=expected)
    if len(inside) > 1:
        found = f"<{inside[-1].name}> without </{inside[-1].name}>"
        raise UserError(f"{path}:{inside[-1].line}", found=found, expected="a whole file", remedy="save it again")
    if outside.children.keys() != {"shapes"}:
        shown = ", ".join(f"<{name}>" for name in list(outside.children)[:3]) or "nothing in it"
        raise UserError(path, found=shown, expected="one <shapes type=list>", remedy="name a shapes file")
    return outside.children["shapes"]


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Tags and values, each with the number of its line: a line may hold a tag, a value and the end of it."""
    for number, line in enumerate(split_lines(text), start=1):
        for piece in re.sub(r"(?<=>)(?=\S)|(?<=\S)(?=</)", "\n", line.rstrip("\r\n").lstrip("\t")).split("\n"):
            if piece.strip():
                yield number, piece


def _opened(text: str, line: int) -> Element | None:
    """The element that a tag opens; None = it is no such tag."""
    if not (text.startswith("<") and text.endswith(">")) or text.startswith("</"):
        return None
    name, _, rest = text[1:-1].partition(" type=")
    pairs = (word.partition("=") for word in f"type={rest}".split())
    return Element(name.strip(), line, {key: value.strip("\"'") for key, _, value in pairs})


def _closed(text: str) -> str | None:
    """The name in a tag that ends an element; None = it is no such tag."""
    return text[2:-1].strip() if text.startswith("</") and text.endswith(">") else None


def _stray(element: Element) -> bool:
    """A tag that an earlier StereoMorph wrote by mistake between a matrix and its end; later ones pass over it."""
    return element.attributes["type"] == "array" and element.attributes.get("dim", "").count(",") == 1


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a shapes file as digitizeImages() does, to a millionth of a px, in one step.

    Curves are called "curve 1", "curve 2", ...; the number of a scale goes into the file as it is, without a unit.

    Args:
        path: shapes file; replaced where it exists.
        specimens: the one to write, px, y down; missing landmarks are NA.
        sizes: not needed.

    Raises:
        UserError: none or several specimens, one with neither landmarks nor curves, a name that a file cannot hold,
            names that do not differ, a coordinate beyond 1e9, a scale that is not positive.
    """
    specimen = one_each.only(path, specimens)
    _check(specimen)
    lines = ["<shapes type=list>"]
    if specimen.scale is not None:
        lines.append(f"\t<scaling type=vector names=FALSE length=1 as.numeric=TRUE >{specimen.scale!r}</scaling>")
    if specimen.image:
        tag = "image.name type=vector names=FALSE length=1 as.numeric=FALSE"
        lines.append(f"\t<{tag} >{specimen.image}</image.name>")
    names = specimen.names or Scheme.numbered(specimen.n_landmarks).names
    for key, factor in (("pixel", 1.0), *([("scaled", specimen.scale)] if specimen.scale else [])):
        if specimen.n_landmarks:
            lines += _written(f"landmarks.{key}", (specimen.points + 0.5) * factor, names, "\t")
        if specimen.curves:
            lines.append(f"\t<curves.{key} type=list>")
            for number, curve in enumerate(specimen.curves, start=1):
                lines += _written(f"curve {number}", (curve + 0.5) * factor, (), "\t\t")
            lines.append(f"\t</curves.{key}>")
    files.write_text(path, "\n".join((*lines, "</shapes>", "")))


def _written(name: str, points: FloatArray, names: Sequence[str], indent: str) -> Iterator[str]:
    """The lines of a matrix, with names of its rows or without."""
    called = "TRUE" if names else "FALSE"
    yield f"{indent}<{name} type=matrix rownames={called} colnames=FALSE nrow={len(points)} ncol=2 as.numeric=TRUE >"
    for row, (x, y) in enumerate(points):
        yield indent + "\t" + "\t".join((*names[row : row + 1], cell(x, "NA"), cell(y, "NA")))
    yield f"{indent}</{name}>"


def _check(specimen: Landmarks) -> None:
    """Refuse what `load` would not give back."""
    if not specimen.n_landmarks and not specimen.curves:
        raise UserError(specimen.name, found="neither landmarks nor curves", expected="at least one")
    texts = [*specimen.names, *filter(None, [specimen.image])]
    broken = next((one for one in texts if not one or not holds(one) or set(one) & set("<>")), None)
    if broken is not None:
        found = f"the name {ascii(broken)[:60]}"
        raise UserError(ascii(specimen.name), found=found, expected="names without < and >", remedy="rename it")
    if len(set(specimen.names)) < len(specimen.names):
        raise UserError(specimen.name, found="two landmarks of the same name", expected="names that differ")
    numbers = np.concatenate([specimen.points, *specimen.curves])
    if (np.abs(numbers[~np.isnan(numbers)]) >= LARGEST).any():
        raise UserError(specimen.name, found=f"a coordinate beyond {LARGEST:g}", remedy="mark the landmark as missing")
    if specimen.scale is not None and not 0 < specimen.scale < math.inf:
        raise UserError(specimen.name, found=f"the scale {specimen.scale}", expected="a positive number")


def recognises(path: Path) -> bool:
    """Whether a text file is of this kind: it starts with the tag of shapes."""
    try:
        with path.open("rb") as file:
            return re.match(r"\s*<shapes[\s>]", decode(file.read(100))[0]) is not None
    except OSError:
        return False


KEEPS = frozenset({"image", "scale", "names", "curves"})
FORMAT = Format("stereomorph", (".txt",), load, save, keeps=KEEPS, file_name=one_each.stem, recognises=recognises)
