"""TPS files (tpsDig, tpsUtil, geomorph, MAELab): read without loss, changed only where something changed.

Frame of the file: origin bottom-left, y up, px; `load` and `save` change to and from y down with the height
of each photograph. Missing is exactly ``-1 -1`` (tpsDig2 from 2.18) or ``NA``/``NaN`` (geomorph); other
negative coordinates and ``0 0`` are data.

Source: F. J. Rohlf, tpsDig2 (digitizing landmarks and outlines), Stony Brook.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from pronotum import files
from pronotum.errors import UserError
from pronotum.formats import Format, Sizes, height_of
from pronotum.formats.encoding import UTF8, Encoding, decode, line_end, shared, split_lines
from pronotum.formats.tps_edit import Missing, edit, render, render_point
from pronotum.formats.tps_record import KEY, START, TpsRecord, idle, parse, starts_with_numbers
from pronotum.geometry import flip_y
from pronotum.landmarks import Landmarks

__all__ = [
    "FORMAT",
    "Missing",
    "TpsFile",
    "TpsRecord",
    "TpsSource",
    "load",
    "read",
    "render",
    "render_point",
    "save",
    "write",
]


@dataclass(frozen=True, eq=False)
class TpsFile:
    """A TPS file; `content` gives it back byte for byte.

    Attributes:
        records: the specimens. What follows a specimen up to the next LM= (blank lines, remarks) is its own.
        head: lines before the first specimen: blank, remarks (#) or COMMENT=; the whole text of a file that
            has no LM= line.
        encoding: how the text is stored.
    """

    records: tuple[TpsRecord, ...]
    head: tuple[str, ...] = ()
    encoding: Encoding = UTF8

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.encoding.encode("".join(self.head) + "".join(record.text for record in self.records))


@dataclass(frozen=True, eq=False)
class TpsSource:
    """What `load` leaves in `Landmarks.source` so that `save` can give the record back.

    Attributes:
        record: the specimen as the file has it.
        height: px, the height with which `load` flipped y; None for y' = -y.
        encoding: how the file's text is stored.
        head: text before the first specimen; with the first specimen only.
    """

    record: TpsRecord
    height: int | None
    encoding: Encoding
    head: tuple[str, ...] = ()


def read(path: Path) -> TpsFile:
    """Read a TPS file as it is, coordinates in its own frame (y up).

    Raises:
        UserError: it cannot be opened, is empty, binary or broken; says ``file:line`` and what to do.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    return parse_file(content, path)


def write(path: Path, file: TpsFile) -> None:
    """Write a TPS file in one step."""
    files.write_bytes(path, file.content)


def parse_file(content: bytes, name: object = "TPS file") -> TpsFile:
    """Read the bytes of a TPS file; `name` is what messages call it.

    Raises:
        UserError: as `read`.
    """
    if b"\0" in content:
        found = "UTF-16 text" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "binary data"
        raise UserError(name, found=found, expected="a TPS text file", remedy="save it as UTF-8 text, or name another")
    text, encoding = decode(content)
    lines = split_lines(text)
    if all(idle(line) for line in lines):
        raise UserError(name, found="nothing in it", expected="specimens, each starting with LM=")
    starts = [index for index, line in enumerate(lines) if START.match(line)]
    head = tuple(lines[: starts[0]] if starts else lines)
    _check_head(head, name, alone=not starts)
    bounds = pairwise([*starts, len(lines)])
    records = tuple(parse(lines[start:end], name, start + 1) for start, end in bounds)
    return TpsFile(records, head, encoding)


def _check_head(head: Sequence[str], name: object, *, alone: bool) -> None:
    """Refuse what before LM= could only be misread: IMAGE= there would go to the wrong specimen.

    A file without LM= may hold keys and numbers: MAELab compares two sets of landmarks in such tables. They
    are kept, and they are no landmarks.
    """
    for number, line in enumerate(head, start=1):
        found = KEY.match(line)
        if idle(line) or (alone and (found or starts_with_numbers(line))):
            continue
        if found is None or found[1].upper() not in ("COMMENT", "COMMENTS"):
            raise UserError(
                f"{name}:{number}",
                found=f"'{line.strip()[:30]}' {'and no LM= line' if alone else 'before the first LM='}",
                expected="a TPS file, in which LM=<number of landmarks> starts each specimen",
                remedy="move LM= and its coordinates to the start of the specimen, or name another file",
            )


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read the specimens of a TPS file as landmarks, y down.

    Args:
        path: TPS file.
        sizes: sizes of the photographs in px after EXIF orientation, as a mapping or function of IMAGE=
            as the file writes it (of ID= where IMAGE is empty). Where one is not known, y' = -y.

    Returns:
        One per specimen, in file order, points (K, 2) in px, NaN = missing. Curves and outlines are kept for
        `save` but are no landmarks.

    Raises:
        UserError: as `read`, or the file has no LM= line.
    """
    file = read(path)
    if not file.records:
        raise UserError(
            f"{path}:1",
            found="keys and numbers but no LM= line",
            expected="LM=<number of landmarks> directly before the coordinates",
            remedy="add it if these are landmarks; a table of distances is not a landmark file",
        )
    return tuple(_specimens(file, sizes))


def _specimens(file: TpsFile, sizes: Sizes) -> Iterator[Landmarks]:
    for number, record in enumerate(file.records):
        height = height_of(record.image, record.id, sizes)
        source = TpsSource(record, height, file.encoding, () if number else file.head)
        curves = tuple(flip_y(curve, height) for curve in record.curves)
        points = flip_y(record.points, height)
        yield Landmarks(points, record.image, record.id, record.scale, curves=curves, source=source)


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None, *, missing: Missing = "keep") -> None:
    """Write specimens to a TPS file, in one step; they may come from several files.

    A specimen that `load` has read keeps its lines, byte for byte, except those of landmarks that moved and
    of IMAGE, ID or SCALE where they changed; its y is flipped with the height it was read with. Others are
    written as LM, IMAGE, ID, SCALE with LF and five decimals (read back within 0.00001 px). A landmark at
    (-1, -1) that is not missing is written 0.000001 px beside. The text encoding is that of the files the
    specimens are from where they agree and it can hold every name, else UTF-8 without BOM. Text before the
    first specimen of a file is kept where that specimen comes first.

    Args:
        path: TPS file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing.
        sizes: width and height in px after EXIF orientation, as for `load`; used for specimens `load` has not read.
        missing: "tpsdig" writes -1.00000 -1.00000 and "geomorph" NA NA for every missing landmark; "keep"
            leaves unchanged lines alone and otherwise does as the record does, new ones as tpsDig.

    Raises:
        UserError: a photograph whose height is needed and unknown, an infinite coordinate, a name that breaks
            lines or cannot be encoded.
    """
    sources = [specimen.source for specimen in specimens if isinstance(specimen.source, TpsSource)]
    first = specimens[0].source if specimens else None
    chunks = ["".join(first.head) if isinstance(first, TpsSource) else ""]
    for specimen in specimens:
        if chunks[-1] and not line_end(chunks[-1]):
            chunks.append(line_end(split_lines(chunks[-1])[0]) or "\n")
        chunks.append(_text(specimen, sizes, missing))
    text = "".join(chunks)
    encoding = shared((source.encoding for source in sources), text)
    if not encoding.can_hold(text):
        raise UserError(
            path,
            found="a name with characters that are no valid text",
            remedy="rename the photograph and try again",
        )
    files.write_bytes(path, encoding.encode(text))


def _text(specimen: Landmarks, sizes: Sizes, missing: Missing) -> str:
    """One specimen as TPS text."""
    if np.isinf(specimen.points).any():
        raise UserError(specimen.name, found="an infinite coordinate", remedy="mark the landmark as missing")
    if any("\n" in name or "\r" in name for name in (specimen.image, specimen.id)):
        raise UserError(specimen.name, found="a line break in its name", remedy="rename the photograph or the ID")
    source = specimen.source
    if not isinstance(source, TpsSource):
        return render(specimen, _height(specimen, sizes), missing)
    before, points = flip_y(source.record.points, source.height), flip_y(specimen.points, source.height)
    known = (source.record.image, source.record.id, source.record.scale)
    same = (specimen.image, specimen.id, specimen.scale) == known
    if same and missing == "keep" and np.array_equal(specimen.points, before, equal_nan=True):
        return source.record.text  # a file of a thousand records is saved for every landmark that moves
    kept = slice(min(len(before), len(points)))
    # Two flips in float64 may differ from none in the last bit; what has not moved must equal the record.
    points[kept] = np.where(specimen.points[kept] == before[kept], source.record.points[kept], points[kept])
    record = edit(
        source.record,
        points,
        image=specimen.image,
        identity=specimen.id,
        scale=specimen.scale,
        missing=missing,
    )
    return record.text


def _height(specimen: Landmarks, sizes: Sizes) -> int | None:
    """Height of the photograph; None only where y is counted from the bottom edge already."""
    height = height_of(specimen.image, specimen.id, sizes)
    if height is None and (specimen.points[:, 1] > 0).any():
        raise UserError(
            specimen.name,
            found="landmarks counted from the top edge of a photograph whose height is not known",
            expected="its height, because TPS counts from the bottom edge",
            remedy="name the folder of the photographs",
        )
    return height


KEEPS = frozenset({"image", "id", "scale", "curves"})
FORMAT = Format(name="tps", suffixes=(".tps",), read=load, write=save, keeps=KEEPS, upward=True)
