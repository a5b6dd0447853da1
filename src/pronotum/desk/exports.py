"""Landmarks of a project as files of other formats, to be taken away."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pronotum import conversion, formats
from pronotum.desk.store import Store
from pronotum.errors import UserError, counted, few
from pronotum.formats import one_each
from pronotum.landmarks import Landmarks

STEM = "landmarks"


def write(store: Store, name: str, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the landmarks of a project in a format of this name.

    Landmarks have the names of the scheme file, where there is one. Where a file of the format holds one specimen it is
    a zip of files that are called as the photographs.

    Args:
        store: the project.
        name: of the format.
        folder: an empty one.

    Returns:
        the file, and what it does not hold, in sentences.

    Raises:
        UserError: no such format, one that is only read, no landmarks, or some that the format cannot hold.
    """
    kind = formats.named(name)
    n, names = store.n_landmarks, store.scheme.names[: store.n_landmarks] if store.declared else ()
    records = [replace(one, names=names) if one.n_landmarks == n else one for one in store.records()]
    unknown = [one for one in records if formats.size_of(one.image, one.id, store.dimensions) is None]
    unknown = [] if kind.upward else unknown
    records = [one for one in records if one not in unknown]
    empty = conversion.without_landmarks(records, kind)
    records = [one for one in records if one not in empty]
    if not records:
        raise UserError("landmarks", found="none yet", remedy="place some first, or drop a landmark file")
    inside = folder / store.folder.name  # some programs want to know the folder of the photographs
    target = inside / (STEM if kind.file_name else f"{STEM}{kind.suffixes[0]}")
    try:
        _save(target, records, store.dimensions, kind)
        written = one_each.places(kind, target, records)
        again = [one for place in written for one in kind.read(place, store.dimensions)]
    except UserError as error:
        where, found = (part.replace(f"{inside}/", "") for part in (error.where, error.found))
        raise UserError(where, found=found, expected=error.expected, remedy=error.remedy) from None
    remarks = list(conversion.lost(records, again, kind))
    for left, why in ((unknown, "whose photographs are not here"), (empty, "without landmarks")):
        if left:
            shown = few([one.name for one in left], conversion.SHOWN)
            remarks.append(f"left out: {counted(len(left), 'specimen')} {why} ({shown})")
    if kind.file_name is None:
        return target, tuple(remarks)
    packed = shutil.make_archive(str(folder / f"{STEM}-{kind.name}"), "zip", target)
    return Path(packed), tuple(remarks)


def _save(target: Path, records: Sequence[Landmarks], sizes: formats.Sizes, kind: formats.Format) -> None:
    """Write records; without their IDs where photographs are name enough and the format cannot have such IDs."""
    try:
        formats.save(target, records, sizes, name=kind.name)
    except UserError as error:
        if not all(one.image and one.id for one in records):
            raise
        try:
            formats.save(target, [replace(one, id="") for one in records], sizes, name=kind.name)
        except UserError:
            raise error from None
