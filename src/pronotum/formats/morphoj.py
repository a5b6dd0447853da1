"""Text files as MorphoJ imports them ("row/column"): one specimen a line, its label, then x and y in turn.

Cells are separated by tabs (written), commas or semicolons. MorphoJ takes the first line for titles where one of its
entries behind the first is no number, and ignores it then; so does `load`, except that it refuses titles that tell
another order than x and y in turn, and titles that are numbers, which MorphoJ would take for a specimen.

Frame of the file: px, y up, origin bottom-left, y = H - y_file, as in TPS files, which MorphoJ imports too and does not
turn over. The guide does not speak of it. The label is the only name: that of the photograph, where it tells specimens
apart, else the ID, else both.

Missing: MorphoJ has no way to say it. NA is written, which no program takes for a number: MorphoJ cannot import the
file until such landmarks or specimens are removed or estimated, and cannot misread it either, which with empty cells
(it may skip) or NaN (which Java reads) would not be certain. `load` takes NA, NaN and empty cells.

Source: C. P. Klingenberg, MorphoJ user's guide, "Input file types".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes, coordinate_columns, csv_rows, height_of, specimen_rows
from pronotum.formats.csv_rows import MISSING
from pronotum.formats.encoding import decode, split_lines
from pronotum.formats.tps_record import NUMBER
from pronotum.geometry import flip_y
from pronotum.landmarks import Landmarks

LABEL = "ID"
ABSENT = "NA"
SEPARATORS = "\t;,"


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read a row/column file of MorphoJ as landmarks, y down.

    Args:
        path: text file.
        sizes: sizes of the photographs in px after EXIF orientation, by label; where one is not known, y' = -y.

    Returns:
        One per line, in file order, points (K, 2) in px, NaN = missing. The label is `image` where it ends like the
        name of a picture, else `id`.

    Raises:
        UserError: no separators, a line with more or fewer cells, an odd number of coordinates, a cell that is no
            number, a label twice or none; says ``file:line``.
    """
    table, names = _read(path)
    return specimen_rows.distinct(path, _specimens(table, names, sizes))


def _read(path: Path) -> tuple[csv_rows.Rows, tuple[str, ...]]:
    """The table, and the names of the landmarks where titles tell them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="text", remedy="save it as UTF-8 text")
    numbered = enumerate(split_lines(decode(content)[0]), start=1)
    lines = [(number, line) for number, line in numbered if line.strip(" \t\r\n\x1a")]
    if not lines:
        raise UserError(path, found="nothing in it", expected="a specimen a line: its label, x1, y1, x2, y2, ...")
    separator = _separator(lines[0][1])
    if not separator:
        raise UserError(
            f"{path}:{lines[0][0]}",
            found=f"'{lines[0][1].strip()[:30]}'",
            expected="cells separated by tabs, commas or semicolons",
            remedy="save it from a spreadsheet as tab-delimited text",
        )
    rows = [(number, _cells(line, separator)) for number, line in lines]
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise UserError(
                f"{path}:{number}", found=counted(len(cells), "cell"), expected=f"{width} as in the first line"
            )
    while width > 1 and not any(cells[width - 1] for _, cells in rows):
        width -= 1
    rows = [(number, cells[:width]) for number, cells in rows]
    first, titles = rows[0]
    if width < 3 or width % 2 == 0:
        found = f"{counted(width - 1, 'column')} beside the label"
        raise UserError(f"{path}:{first}", found=found, expected="x and y for each landmark")
    if [*titles[1:]] == [str(number) for number in range(1, width)]:
        found = "titles that are numbers, which MorphoJ takes for a specimen"
        raise UserError(f"{path}:{first}", found=found, expected="titles as x1, y1", remedy="rename or remove them")
    if all(_is_number(cell) for cell in titles[1:]):
        return csv_rows.Rows(path, ("",) * width, tuple(rows)), ()
    names = coordinate_columns.in_turn(titles[1:], f"{path}:{first}")
    return csv_rows.Rows(path, titles, tuple(rows[1:])), names


def _separator(line: str) -> str:
    return next((one for one in SEPARATORS if one in line), "")


def _cells(line: str, separator: str) -> tuple[str, ...]:
    return tuple(cell.strip(" \r\n\x1a") for cell in line.rstrip("\r\n\x1a").split(separator))


def _is_number(cell: str) -> bool:
    return cell.casefold() in MISSING or bool(NUMBER.fullmatch(cell))


def _specimens(table: csv_rows.Rows, names: tuple[str, ...], sizes: Sizes) -> Iterator[tuple[str, Landmarks]]:
    for line, (label, *cells) in table.rows:
        where = table.where(line)
        if not label:
            raise UserError(where, found="no label", expected="one in the first column", remedy="name the specimen")
        numbers = (table.number(line, column, cell) for column, cell in enumerate(cells, start=1))
        points = flip_y(specimen_rows.as_points(numbers, where), height_of(label, "", sizes))
        yield where, Landmarks(points, *specimen_rows.named(label), names=names)


def save(path: Path, specimens: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write a tab-separated file with titles for MorphoJ, y up, to a millionth of a px, in one step.

    Args:
        path: text file; replaced where it exists.
        specimens: what to write, in this order, px, y down, NaN = missing (NA in the file, which MorphoJ refuses).
        sizes: sizes of the photographs in px after EXIF orientation.

    Raises:
        UserError: no specimens, different landmarks, labels that do not tell the specimens apart or that have a comma
            or semicolon, a photograph whose height is needed and unknown, an infinite coordinate.
    """
    n_landmarks, names = specimen_rows.shared_landmarks(path, specimens)
    labels = specimen_rows.labels(path, specimens)
    for text in (*labels, *names):
        if _separator(text):
            raise UserError(
                path,
                found=f"the name {text}",
                expected="names without commas and semicolons, which separate cells",
                remedy="rename it",
            )
    lines = ["\t".join([LABEL, *coordinate_columns.titles(names, n_landmarks, "xy")])]
    for label, specimen in zip(labels, specimens, strict=True):
        points = specimen_rows.rising(specimen, sizes, "MorphoJ")
        lines.append("\t".join([label, *(specimen_rows.cell(value, ABSENT) for value in points.ravel())]))
    files.write_text(path, "".join(f"{line}\n" for line in lines))


def recognises(path: Path) -> bool:
    """Whether a text file is of this kind: titles of x and y in turn behind the first, and numbers under them.

    A file without titles is not recognised; name its format.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            lines = list(islice(file, 2))
    except OSError:
        return False
    separator = _separator(lines[0]) if len(lines) == 2 else ""
    if not separator:
        return False
    titles, first = (_cells(line, separator)[1:] for line in lines)
    try:
        named = all(coordinate_columns.axis(title) for title in titles)
        in_turn = bool(titles) and named and coordinate_columns.in_turn(titles, str(path)) is not None
    except UserError:
        return False
    return in_turn and len(titles) == len(first) and all(_is_number(cell) for cell in first)


FORMAT = Format(
    name="morphoj",
    suffixes=(".txt",),
    read=load,
    write=save,
    keeps=frozenset({"label", "names"}),
    upward=True,
    recognises=recognises,
)
