"""Photographs of several parts of the same specimens: opened, joined by specimen, combined for one network.

Source: Le et al., sections 6 and 7; spec A.6, A.7, B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pronotum.data import Dataset, open_data
from pronotum.errors import UserError, did_you_mean
from pronotum.evaluation import prepared, rounds
from pronotum.landmarks import LandmarkSet, Scheme


def open_parts(folder: Path, only: Sequence[str] = (), form: str | None = None) -> dict[str, Dataset]:
    """The parts in a folder: one folder each, by name, also as prepared for the paper's own programs.

    A format of the landmark files is named where they do not tell it.

    Raises:
        UserError: no such folder or part, or whatever is wrong with one.
    """
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise UserError(folder, found="no folders", expected="a folder per part", remedy="check the spelling")
    for name in only:
        if name not in found:
            raise UserError(folder, found=f"there is no part '{name}'", remedy=did_you_mean(name, found))
    return {name: _open_part(folder / name, form) for name in only or found}


def _open_part(folder: Path, form: str | None) -> Dataset:
    return prepared.open_prepared(folder)[0] if prepared.is_prepared(folder) else open_data(folder, form=form)


def identities(data: Dataset) -> tuple[str, ...]:
    """(N,) identity of each specimen, by which parts are joined: its ID, or the last number in its photograph's name.

    tpsDig counts the records of a file in ID unless told otherwise. So where IDs only count (0, 1, 2 ... or 1, 2,
    3 ...) and every name has a number of its own, the names decide.

    Raises:
        UserError: a specimen with neither.
    """
    named = [(re.findall(r"\d+", path.stem) or [""])[-1] for path in data.photographs]
    ids = [specimen.id for specimen in data.landmarks]
    counted = any(ids == [str(number) for number in range(first, first + len(ids))] for first in (0, 1))
    distinct = "" not in named and len(set(map(rounds.key, named))) == len(named)
    found = named if counted and distinct else [one or name for one, name in zip(ids, named, strict=True)]
    for identity, specimen in zip(found, data.landmarks, strict=True):
        if not identity:
            remedy = "write ID= in the landmark file, or number the photographs"
            raise UserError(data.source[0], found=f"no identity in {specimen.name}", remedy=remedy)
    return tuple(found)


def combine(
    parts: Mapping[str, Dataset], dropped: Mapping[str, tuple[int, ...]], *, own_heads: bool = False
) -> Dataset:
    """Several parts as one collection for one network.

    Without `own_heads` the landmarks that are kept share the same slots in order, without homology, as in the paper;
    so each part must keep the same number. With it, every landmark of every part has a slot of its own and is missing
    in specimens of other parts: the trunk is shared, the outputs are not.

    Raises:
        UserError: a landmark that does not exist, or numbers that do not agree.
    """
    kept = kept_landmarks(parts, dropped)
    counts = {part: len(index) for part, index in kept.items()}
    if len(set(counts.values())) > 1 and not own_heads:
        said = ", ".join(f"{part} {count}" for part, count in counts.items())
        remedy = "leave landmarks out of the larger ones (--drop part=1,6,9), or give each its own (--own-heads)"
        raise UserError("pre-training", found=f"parts with {said} landmarks", expected="the same number", remedy=remedy)
    n_slots = sum(counts.values()) if own_heads else next(iter(counts.values()))
    specimens, first = [], 0
    for part, data in parts.items():
        slots = slice(first, first + counts[part])
        for specimen in data.landmarks:
            points = np.full((n_slots, 2), np.nan)
            points[slots] = specimen.points[kept[part]]
            specimens.append(replace(specimen, points=points, source=None))
        first += counts[part] if own_heads else 0
    return Dataset(
        LandmarkSet.of(specimens, Scheme.numbered(n_slots)),
        tuple(path for data in parts.values() for path in data.photographs),
        tuple(size for data in parts.values() for size in data.sizes),
        (),
        tuple(source for data in parts.values() for source in data.source),
    )


def kept_landmarks(parts: Mapping[str, Dataset], dropped: Mapping[str, tuple[int, ...]]) -> dict[str, list[int]]:
    """Positions of the landmarks of each part that are not left out.

    Raises:
        UserError: a landmark that does not exist, or all of a part left out.
    """
    kept = {}
    for part, data in parts.items():
        numbers, n_landmarks = dropped.get(part, ()), data.scheme.n_landmarks
        wrong = [number for number in numbers if not 1 <= number <= n_landmarks]
        if wrong:
            found = f"there is no landmark {wrong[0]} to leave out"
            raise UserError(f"part {part}", found=found, expected=f"1 to {n_landmarks}")
        kept[part] = [k for k in range(n_landmarks) if k + 1 not in numbers]
        if not kept[part]:
            raise UserError(f"part {part}", found="all landmarks left out", remedy="leave the part out of --pretrain")
    return kept
