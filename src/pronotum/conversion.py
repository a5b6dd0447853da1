"""One landmark file as another, and what the other cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pronotum import covariates, formats, images, schemes, sides
from pronotum.data import Catalogue
from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.landmarks import Landmarks

PARTS: dict[str, tuple[str, Callable[[Landmarks], object]]] = {
    "image": ("names of photographs", lambda one: one.image),
    "id": ("IDs", lambda one: one.id),
    "scale": ("scales", lambda one: one.scale),
    "names": ("names of landmarks", lambda one: one.names),
    "curves": ("curves", lambda one: one.curves),
}
"""What a format may be unable to hold (`Format.keeps`): how to call it, and how to see whether a specimen has it."""


@dataclass(frozen=True)
class Converted:
    """What was converted.

    Attributes:
        source: format that was read.
        target: format that was written.
        specimens: how many.
        landmarks: numbers of landmarks that they have, each once.
        missing: landmarks without a place.
        lost: what the target cannot hold, in sentences.
    """

    source: str
    target: str
    specimens: int
    landmarks: tuple[int, ...]
    missing: int
    lost: tuple[str, ...]


def convert(
    source: Path,
    target: Path,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
    photographs: Path | None = None,
    missing: str = "keep",
    side: str | None = None,
    force: bool = False,
) -> Converted:
    """Read a landmark file and write it as another; the specimens keep their order.

    Args:
        source: the file.
        target: the new file.
        read_as: name of its format, where the suffix does not tell.
        write_as: name of the new format, where the suffix does not tell.
        photographs: folder of the photographs, default that of the file; asked for their sizes where one of the
            formats counts from the bottom edge or in percent, or wants them.
        missing: how a TPS file says that a landmark is missing.
        side: ``left`` or ``right``, to which specimens of the other side are mirrored; the column ``side`` of
            covariates.csv beside the file says which they are, and the scheme which landmarks are pairs.
        force: replace the new file where it exists.

    Raises:
        UserError: a broken file, a format that does not exist or cannot be written, something the new format needs and
            the old does not tell, or a new file that is there already.
    """
    if not source.is_file():
        raise UserError(source, found="no such file", remedy="check the spelling")
    if target.exists() and not force:
        raise UserError(target, found="already there", expected="a new file", remedy="choose another, or add --force")
    reader = formats.named(read_as) if read_as else formats.of(source)
    writer = formats.named(write_as) if write_as else formats.of(target)
    sizes = Catalogue(images.find(photographs or source.parent)).dimensions
    specimens = reader.read(source, sizes)
    if side is not None:
        said = covariates.read(source.parent / "covariates.csv").of(specimens, sides.COLUMN)
        known = [formats.size_of(one.image, one.id, sizes) for one in specimens]
        specimens = tuple(sides.normalise(specimens, said, known, scheme=schemes.find(source), wanted=side))
    if missing == "keep":
        formats.save(target, specimens, sizes, name=writer.name)
    elif writer.name != "tps" or missing not in get_args(tps.Missing):
        found = f"{missing} for a file of format {writer.name}"
        raise UserError("--missing", found=found, expected=f"{', '.join(get_args(tps.Missing))}, for tps")
    else:
        tps.save(target, specimens, sizes, missing=missing)  # type: ignore[arg-type]  # it is one of them
    counts = tuple(sorted({one.n_landmarks for one in specimens}))
    absent = sum(int((~one.present).sum()) for one in specimens)
    return Converted(reader.name, writer.name, len(specimens), counts, absent, tuple(_lost(specimens, writer)))


def _lost(specimens: Sequence[Landmarks], writer: formats.Format) -> list[str]:
    lost = []
    for part, (called, has) in PARTS.items():
        having = [one for one in specimens if has(one)]
        if having and part not in writer.keeps:
            lost.append(f"{called} of {len(having)} specimens: {writer.name} cannot hold them")
    if specimens and writer.precision >= 0.01:
        lost.append(f"fractions of a px: {writer.name} keeps coordinates to {writer.precision:g} px")
    return lost
