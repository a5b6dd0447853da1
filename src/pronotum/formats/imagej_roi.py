"""Point selections of ImageJ and Fiji: a .roi file, or the .zip in which the ROI Manager keeps several.

A multi-point ROI is a specimen, and its name the photograph. Single points are the landmarks of one specimen, in the
order of the ROI Manager's list; the photograph is the file's name, and where every point was given a name of its own,
these name the landmarks. A name that ImageJ made (``0020-0010``, from y and x) says nothing and is not used. On a
stack, points of different slices are different specimens, and the slice's number is the ID.

Frame of the file: px, y down; for points, unlike areas, (0, 0) is the centre of the top-left pixel, as here, so the
numbers stay as they are. This holds since ImageJ 1.52u (March 2020). Before, a click at a magnification above 100 %
counted from the pixel's corner, up to half a px more; nothing in a file tells when it was made, so nothing is moved.

A selection of points cannot lack one: a landmark at exactly (-1, -1) is missing, as in TPS files. `save` keeps what
else a specimen has in properties of its ROI (`specimen.image`, `specimen.id`, `specimen.scale`, `specimen.landmarks`),
which ImageJ keeps. Coordinates are stored in single precision, exact to 0.0005 px up to x = 16384.

Source: ImageJ 1.53t, RoiDecoder, RoiEncoder and the documentation of ij.gui.Roi.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, specimen_rows
from pronotum.formats.tps_record import NUMBER
from pronotum.landmarks import FloatArray, Landmarks

MAX_POINTS = 65535
"""What the two bytes of a ROI's number of points can say."""

MAX_ENTRY, MAX_ENTRIES, MAX_TOTAL = 1 << 22, 100_000, 1 << 28
"""Bytes of a ROI (one of MAX_POINTS has 1 MiB), ROIs of a zip, and bytes of them all; larger ones are not read."""

AUTOMATIC = re.compile(r"\d{4,}(?:-\d{4,}){1,2}(?:-\d{1,3})?")
"""Names that ImageJ gives itself: of y and x, before them the slice, behind them a number where it is taken."""

_ROI, _ZIP = b"Iout", b"PK"
_HEADER = struct.Struct(">4sHBx2h4xH32xH4x2i")
_OLDEST, _SUBPIXEL_SINCE, _VERSION = 217, 222, 228
_TYPES = ("polygon", "rectangle", "oval", "line", "freeline", "polyline", "none", "freehand", "traced", "angle")
_POINT, _SUBPIXEL, _SHOW_LABELS = 10, 128, 1024
_MARK_SIZE = 1  # small, as ImageJ has it
_BESIDE = -1.000001
_IMAGE, _ID, _SCALE, _NAMES = (f"specimen.{key}" for key in ("image", "id", "scale", "landmarks"))
_NOT_ROIS = re.compile(r"__MACOSX/|(?:.*/)?(?:\.DS_Store|\._[^/]*)?$")
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, OverflowError, struct.error)
_EXPECTED = "a .roi file, or a .zip of .roi files from the ROI Manager"
# ImageJ reads properties with java.util.Properties: a backslash and what is not ASCII would be lost.
_SAFE = " !\"#$&'()*+/:;<=>?@[]^`{|}"


@dataclass(frozen=True, eq=False)
class Roi:
    """A selection of points.

    Attributes:
        where: its place, as messages call it.
        name: as the ROI Manager lists it.
        points: (n, 2) px, NaN = missing.
        slices: (n,) number of the slice of a stack each point lies on; 0 = none.
        properties: what was kept with it, by key.
    """

    where: str
    name: str
    points: FloatArray
    slices: tuple[int, ...]
    properties: Mapping[str, str]

    @property
    def automatic(self) -> bool:
        """Whether it was ImageJ that named it."""
        return not self.name or AUTOMATIC.fullmatch(self.name) is not None


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read point selections as landmarks.

    Args:
        path: .roi or .zip file.
        sizes: not needed.

    Returns:
        In the order of the ROI Manager's list, points (K, 2) in px, NaN = missing.

    Raises:
        UserError: no ROIs or others than points, both multi-point ROIs and single points, a specimen twice, a file
            that is broken or unreasonably large; says which ROI.
    """
    rois = tuple(_rois(path))
    wholes = [roi for roi in rois if len(roi.points) > 1 or _IMAGE in roi.properties]
    singles = [roi for roi in rois if not (len(roi.points) > 1 or _IMAGE in roi.properties)]
    if wholes and singles:
        raise UserError(
            singles[0].where,
            found=f"a single point ({singles[0].name}) beside multi-point ROIs",
            expected="a multi-point ROI for each specimen, or single points of one specimen",
            remedy="select the points of a specimen in the ROI Manager, choose More > OR (Combine) and add the result",
        )
    found = _of_singles(path, singles) if singles else (one for roi in wholes for one in _of_whole(path, roi, wholes))
    return specimen_rows.distinct(path, found)


def _of_singles(path: Path, rois: Sequence[Roi]) -> Iterator[tuple[str, Landmarks]]:
    """The specimen whose landmarks these are, or one for each slice of a stack."""
    slices = dict.fromkeys(roi.slices[0] for roi in rois)
    for number in slices:
        own = [roi for roi in rois if roi.slices[0] == number]
        names = tuple(roi.name for roi in own)
        kept = () if len(set(names)) < len(names) or any(roi.automatic for roi in own) else names
        points = np.concatenate([roi.points for roi in own])
        yield own[0].where, Landmarks(points, path.stem, str(number) if len(slices) > 1 else "", names=kept)


def _of_whole(path: Path, roi: Roi, rois: Sequence[Roi]) -> Iterator[tuple[str, Landmarks]]:
    """The specimen a ROI is, or one for each slice of a stack that it has points on."""
    kept = roi.properties
    image, identity = path.stem if roi.automatic else roi.name, ""
    if _IMAGE in kept:
        image, identity = kept[_IMAGE], kept.get(_ID, "")
    elif roi.automatic and len(rois) > 1:
        identity = roi.name
    slices = np.array(roi.slices)
    for number in np.unique(slices):
        own = f"{identity} {number}".strip() if len(np.unique(slices)) > 1 else identity
        points = roi.points[slices == number]
        yield roi.where, Landmarks(points, image, own, _scale(roi), _names(roi) if own == identity else ())


def _names(roi: Roi) -> tuple[str, ...]:
    names = tuple(map(unquote, roi.properties[_NAMES].split(","))) if _NAMES in roi.properties else ()
    if names and len(names) != len(roi.points):
        raise UserError(
            roi.where,
            found=f"{counted(len(roi.points), 'point')} but {counted(len(names), 'name')} in its property {_NAMES}",
            expected="as many",
            remedy="restore the points as they were, or correct the property",
        )
    return names


def _scale(roi: Roi) -> float | None:
    text = roi.properties.get(_SCALE)
    if text is None:
        return None
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not 0 < value < math.inf:
        raise UserError(roi.where, found=f"{_SCALE}: {text}", expected="a positive number, length units per px")
    return value


def _rois(path: Path) -> Iterator[Roi]:
    """The selections of a file, one after another: what is too large is never in memory."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOTAL + 1)
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if content.startswith(_ROI):
        yield _decoded(content, str(path), path.stem)
    elif len(content) > MAX_TOTAL:
        raise UserError(path, found=f"more than {MAX_TOTAL} bytes", expected=_EXPECTED)
    elif not content.startswith(_ZIP):
        raise UserError(path, found="no ROI of ImageJ" if content else "nothing in it", expected=_EXPECTED)
    else:
        yield from _zipped(path, content)


def _zipped(path: Path, content: bytes) -> Iterator[Roi]:
    left = MAX_TOTAL
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _BROKEN as error:
        raise UserError(path, found=f"a broken zip ({error})", remedy="save it again in the ROI Manager") from None
    entries = [entry for entry in archive.infolist() if not _NOT_ROIS.match(entry.filename)]
    for entry in entries:
        where = f"{path}: {entry.filename}"
        if not entry.filename.lower().endswith(".roi"):
            raise UserError(where, found="no .roi file", expected=_EXPECTED, remedy="remove it, or name the format")
        left -= entry.file_size
        if entry.file_size > MAX_ENTRY or len(entries) > MAX_ENTRIES or left < 0:
            found = f"{entry.file_size} bytes in one of {len(entries)} files"
            raise UserError(where, found=found, expected="ROIs of points, which are small")
        try:
            data = archive.read(entry)
        except _BROKEN as error:
            remedy = "save it again in the ROI Manager"
            raise UserError(where, found=f"cannot be unpacked ({error})", remedy=remedy) from None
        yield _decoded(data, where, Path(entry.filename).name[: -len(".roi")])


def _decoded(data: bytes, where: str, name: str) -> Roi:
    """Read one selection; `name` is what it is called where it has no name of its own."""
    try:
        magic, version, kind, top, left, count, options, position, second = _HEADER.unpack_from(data)
        if magic != _ROI or version < _OLDEST:
            found = f"version {version}" if magic == _ROI else "no ROI of ImageJ"
            raise UserError(where, found=found, expected=f"a ROI of version {_OLDEST} or later")
        if kind != _POINT or not count:
            found = "no points" if kind == _POINT else f"a ROI of type {dict(enumerate(_TYPES)).get(kind, kind)}"
            remedy = "delete it in the ROI Manager, or select with the multi-point tool"
            raise UserError(where, found=found, expected="points", remedy=remedy)
        if version >= _SUBPIXEL_SINCE and options & _SUBPIXEL:
            points = np.array(struct.unpack_from(f">{2 * count}f", data, 64 + 4 * count))
        else:
            points = np.array(struct.unpack_from(f">{2 * count}H", data, 64), dtype=np.float64)
            points += np.repeat([_signed(left), _signed(top)], count)
        own, kept, counters = "", "", 0
        if second:
            own, kept = _text(data, second + 16), _text(data, second + 40)
            (counters,) = struct.unpack_from(">i", data, second + 48)
            if min(second, counters) < 0:  # which struct would count from the end
                raise struct.error
        slices = [number >> 8 for number in struct.unpack_from(f">{count}I", data, counters)] if counters else []
    except struct.error:
        raise UserError(where, found=f"a broken ROI ({len(data)} bytes are not all)", expected=_EXPECTED) from None
    if not np.isfinite(points).all():
        raise UserError(where, found="a coordinate that is no number", expected="finite numbers")
    points = points.reshape(2, count).T
    points[(points == -1).all(axis=1)] = np.nan
    lines = (line.partition(":") for line in kept.split("\n"))
    properties = {key.strip(): value.strip() for key, colon, value in lines if colon}
    properties |= {key: unquote(properties[key]) for key in (_IMAGE, _ID) if key in properties}
    return Roi(where, own or name, points, tuple(slices) if any(slices) else (max(position, 0),) * count, properties)


def _signed(value: int) -> int:
    """Two bytes as ImageJ takes them: below -5000 they are a number that did not fit."""
    return value + 65536 if value < -5000 else value


def _text(data: bytes, at: int) -> str:
    """The string whose place and length stand there.

    Raises:
        struct.error: it goes beyond the end.
    """
    start, length = struct.unpack_from(">2i", data, at)
    if start < 0 or length < 0 or start + 2 * length > len(data):
        raise struct.error
    return data[start : start + 2 * length].decode("utf-16-be", "replace")


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a multi-point ROI for each specimen, in one step.

    They are named after the photographs; where these are not enough to tell them apart, after the IDs or both. Curves
    are not held.

    Args:
        path: .zip file, or .roi for a single specimen; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: no specimens, one twice or without a name, no landmarks or too many, an infinite coordinate, a name
            that ImageJ cannot hold, several specimens for a .roi file.
    """
    specimen_rows.once(path, specimens)
    labels = specimen_rows.labels(path, specimens)
    contents = [_encoded(specimen, label) for specimen, label in zip(specimens, labels, strict=True)]
    if path.suffix.lower() == ".roi":
        if len(contents) > 1:
            raise UserError(path, found=f"{len(contents)} specimens", expected="one", remedy="write a .zip file")
        files.write_bytes(path, contents[0])
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in zip(_file_names(labels), contents, strict=True):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    files.write_bytes(path, packed.getvalue())


def _file_names(labels: Sequence[str]) -> Iterator[str]:
    """Names that a zip may have, which the ROI Manager shows; names of hidden files are none."""
    taken: set[str] = set()
    for number, label in enumerate(labels, start=1):
        name = re.sub(r"[^\w .()+-]|^\.", "_", label)[:100]
        name = f"{name} {number}" if name.casefold() in taken else name
        taken.add(name.casefold())
        yield f"{name}.roi"


def _encoded(specimen: Landmarks, label: str) -> bytes:
    if not 0 < specimen.n_landmarks <= MAX_POINTS:
        raise UserError(specimen.name, found=f"{specimen.n_landmarks} landmarks", expected=f"1 to {MAX_POINTS}")
    if (np.abs(specimen.points[specimen.present]) > np.finfo(np.float32).max).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    if specimen.scale is not None and not 0 < specimen.scale < math.inf:
        raise UserError(specimen.name, found=f"the scale {specimen.scale}", expected="a positive number")
    if any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in "".join((label, specimen.id, *specimen.names))):
        found = "a name that ImageJ cannot hold"
        raise UserError(repr(specimen.name), found=found, expected="one without line breaks", remedy="rename it")
    points = specimen.points.astype(np.float32)
    points[(points == -1).all(axis=1)] = _BESIDE
    points[~specimen.present] = -1
    kept = {_IMAGE: _quoted(specimen.image), _ID: _quoted(specimen.id), _NAMES: ",".join(map(_quoted, specimen.names))}
    kept |= {_SCALE: repr(specimen.scale)} if specimen.scale else {}
    lines = [f"{key}: {value}\n" for key, value in sorted(kept.items()) if value or key == _IMAGE]
    name, properties = label.encode("utf-16-be"), "".join(lines).encode("utf-16-be")
    # Before the floats stand whole px from the corner of a rectangle, for an ImageJ that knows no floats.
    corner = np.floor(points.min(axis=0))
    whole = np.clip(points - corner, 0, 65535)
    left, top, right, bottom = np.clip([*corner, *corner + whole.max(axis=0) + 1], -5000, 60535).astype(int) & 0xFFFF
    count, options = len(points), _SUBPIXEL | _SHOW_LABELS
    second = 64 + 12 * count
    head = (_ROI, _VERSION, _POINT, top, left, bottom, right, count, _MARK_SIZE, options, 0, second)
    places = (second + 64, len(name) // 2, second + 64 + len(name), len(properties) // 2)
    return b"".join(
        (
            struct.pack(">4sHBx4HH16xH14xH4x2i", *head),
            whole.T.astype(">u2").tobytes(),
            points.T.astype(">f4").tobytes(),
            struct.pack(">16x2i16x2i16x", *places),
            name,
            properties,
        )
    )


def _quoted(text: str) -> str:
    """Text as a property may hold it: blanks at its ends, commas and all that is not ASCII as in web addresses."""
    inner = text.strip(" ")
    before, _, after = text.partition(inner) if inner else (text, "", "")
    return "%20" * len(before) + quote(inner, safe=_SAFE) + "%20" * len(after)


def recognises(path: Path) -> bool:
    """Whether a file is of this kind: it starts as a ROI, or is a zip of nothing but .roi files."""
    try:
        with path.open("rb") as file:
            if file.read(len(_ROI)) == _ROI:
                return True
            names = [name for name in zipfile.ZipFile(file).namelist() if not _NOT_ROIS.match(name)]
    except _BROKEN:
        return False
    return bool(names) and all(name.lower().endswith(".roi") for name in names)


KEEPS = frozenset({"image", "id", "scale", "names"})
FORMAT = Format("imagej-roi", (".zip", ".roi"), load, save, keeps=KEEPS, precision=1e-3, recognises=recognises)
