"""One landmark file as another, and what the other cannot hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pronotum import covariates, formats, images, schemes, sides
from pronotum.data import Catalogue, landmark_files
from pronotum.errors import UserError, counted
from pronotum.formats import one_each, tps
from pronotum.landmarks import Landmarks, Scheme

PARTS = {
    "image": "names of photographs",
    "id": "IDs",
    "label": "photograph or ID",
    "scale": "scales",
    "names": "names of landmarks",
    "curves": "curves",
}
"""What a format may hold beside coordinates (`Format.keeps`), and what to call it."""

SHOWN = 5
"""Specimens left out that are named."""


@dataclass(frozen=True)
class Converted:
    """What was converted.

    Attributes:
        source: format that was read.
        target: format that was written.
        specimens: how many.
        landmarks: numbers of landmarks that they have, each once.
        missing: landmarks without a place.
        lost: what reads back from the new file otherwise, in sentences.
        left_out: names of the specimens without landmarks, where these were not wanted.
        from_top: whether y of a format that is else written from the bottom edge counts from the top edge in the new
            file, which says so, because the heights of the photographs are not known.
    """

    source: str
    target: str
    specimens: int
    landmarks: tuple[int, ...]
    missing: int
    lost: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    from_top: bool = False


def convert(
    source: Path,
    target: Path,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
    photographs: Path | None = None,
    missing: str = "keep",
    side: str | None = None,
    leave_out_empty: bool = False,
    force: bool = False,
) -> Converted:
    """Read a landmark file and write it as another; the specimens keep their order.

    The new file is read again, and compared with the old one.

    Args:
        source: the file, or a folder of files with a specimen each.
        target: the new file, or a folder; see `one_each.places`.
        read_as: name of its format, where the suffix does not tell.
        write_as: name of the new format, where the suffix does not tell.
        photographs: folder of the photographs, default that of the file; asked for their sizes where one of the
            formats counts from the bottom edge or in percent, or wants them.
        missing: how a TPS file says that a landmark is missing.
        side: ``left`` or ``right``, to which specimens of the other side are mirrored; the column ``side`` of
            covariates.csv beside the file says which they are, and the scheme which landmarks are pairs.
        leave_out_empty: leave out specimens of which not one landmark has a place (tpsDig's LM=0).
        force: replace the new file where it exists.

    Raises:
        UserError: a broken file, a format that does not exist or cannot be written, something the new format needs and
            the old does not tell, or a new file that is there already.
    """
    if not source.exists():
        raise UserError(source, found="no such file", remedy="check the spelling")
    writer = formats.named(write_as) if write_as else formats.of(target)
    folder = source if source.is_dir() else source.parent
    sizes = Catalogue(images.find(photographs or folder)).dimensions
    files = landmark_files(source, read_as)
    reader = formats.named(read_as) if read_as else formats.of(files[0])
    specimens = tuple(one for file in files for one in formats.load(file, sizes, name=read_as))
    empty = without_landmarks(specimens, writer) if leave_out_empty else ()
    specimens = tuple(one for one in specimens if one not in empty)
    if empty and not specimens:
        raise UserError(source, found="no specimen with landmarks", remedy="digitise them first")
    if side is not None:
        said = covariates.read(folder / "covariates.csv").of(specimens, sides.COLUMN)
        known = [formats.size_of(one.image, one.id, sizes) for one in specimens]
        specimens = tuple(sides.normalise(specimens, said, known, scheme=schemes.find(source), wanted=side))
    if not writer.upward:
        _require_heights(specimens, sizes, writer.name)
    written = one_each.places(writer, target, specimens)
    there = next((place for place in written if place.exists()), None)
    if there is not None and not force:
        raise UserError(there, found="already there", expected="a new file", remedy="choose another, or add --force")
    if missing == "keep":
        formats.save(target, specimens, sizes, name=writer.name)
    elif writer.name != "tps" or missing not in get_args(tps.Missing):
        found = f"{missing} for a file of format {writer.name}"
        raise UserError("--missing", found=found, expected=f"{', '.join(get_args(tps.Missing))}, for tps")
    else:
        tps.save(target, specimens, sizes, missing=missing)  # type: ignore[arg-type]  # it is one of them
    again = tuple(one for place in written for one in writer.read(place, sizes))
    return Converted(
        reader.name,
        writer.name,
        len(specimens),
        tuple(sorted({one.n_landmarks for one in specimens})),
        sum(int((~one.present).sum()) for one in specimens),
        tuple(lost(specimens, again, writer)),
        tuple(one.name for one in empty),
        writer.upward and _counted_from_top(specimens, sizes),
    )


def _require_heights(specimens: Sequence[Landmarks], sizes: formats.Sizes, target: str) -> None:
    """Where a photograph's height is not known, y of a format that counts up is negative (see `Landmarks`)."""
    for one in specimens:
        y = one.points[one.present, 1]
        if y.size and y.max() <= 0 and y.min() < -0.5 and formats.size_of(one.image, one.id, sizes) is None:
            raise UserError(
                one.name,
                found="landmarks counted from the bottom edge of a photograph whose height is not known",
                expected=f"its height, because {target} counts from the top edge",
                remedy="put the photograph beside the file, or name its folder with --photographs",
            )


def _counted_from_top(specimens: Sequence[Landmarks], sizes: formats.Sizes) -> bool:
    """Whether there are photographs whose heights it would take to count from the bottom edge."""
    unknown = [one for one in specimens if formats.size_of(one.image, one.id, sizes) is None]
    lowest = [one.points[one.present, 1].max() for one in unknown if one.present.any()]
    return bool(lowest) and max(lowest) > 0


def without_landmarks(specimens: Sequence[Landmarks], writer: formats.Format) -> tuple[Landmarks, ...]:
    """Those of which a format would hold not one place; a table cannot hold them beside others."""
    return tuple(one for one in specimens if not (one.present.any() or (one.curves and "curves" in writer.keeps)))


def lost(before: Sequence[Landmarks], after: Sequence[Landmarks], writer: formats.Format) -> Iterator[str]:
    """What specimens had and a file of this format, read again, has not, in sentences."""
    yield from (f"{what}: {writer.name} cannot hold them" for what in gone(before, after))
    if before and writer.precision >= 0.01:
        yield f"fractions of a px: {writer.name} keeps coordinates to {writer.precision:g} px"


def gone(before: Sequence[Landmarks], after: Sequence[Landmarks]) -> Iterator[str]:
    """What specimens had beside coordinates, and no specimen has any more; they may be in another order."""
    parts: dict[str, Callable[[Landmarks], Hashable]] = {
        "image": lambda one: one.image,
        "id": lambda one: one.id,
        "scale": lambda one: None if one.scale is None else f"{one.scale:.6g}",
        "names": lambda one: () if one.names == Scheme.numbered(one.n_landmarks).names else one.names,
        "curves": lambda one: len(one.curves),
    }
    for part, value in parts.items():
        lacking = Counter(filter(None, map(value, before))) - Counter(map(value, after))
        if lacking:
            first = next(iter(lacking))
            example = f" ({first}, for example)" if isinstance(first, str) and part != "scale" else ""
            yield f"{PARTS[part]} of {counted(lacking.total(), 'specimen')}{example}"
