"""Files read the wrong way: y from the other edge, x and y exchanged, a photograph turned or resized in between.

Where all records are read so, all configurations are wrong alike and no shape shows it; where many are, as in a file
made of two, none of the two is strange. Only the photographs tell. What is around landmarks looks alike in all of them
(`likeness`); around the places of a wrong reading it does not. Every way in which files are commonly misread is tried
against the file as it is, for all records and for any part of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from pronotum import geometry, images
from pronotum.data import Dataset
from pronotum.doctor import likeness
from pronotum.doctor.finding import Change, Finding
from pronotum.doctor.likeness import Seen, around, compared, frame_of, likenesses, mean_of_others
from pronotum.doctor.readings import READINGS
from pronotum.errors import few
from pronotum.landmarks import FloatArray

MOST_SPECIMENS, MOST_LANDMARKS = 30, 20
"""That are looked at, evenly chosen."""
LEAST_SPECIMENS, LEAST_LANDMARKS = 5, 3
ALIKE = 0.15
"""Likeness that the better reading must have at least. Real sets read rightly have 0.34 to 0.56."""
WORSE = 0.8
"""Share of it that the file as it is may have at most. Of real sets wrong readings have 0.71 at most."""
MOST_BETTER, CHANCE = 0.85, 0.05
"""Share of specimens in which the other reading must be better; and how probable so many may be by chance."""
EXCHANGES = 3
"""Other specimens whose landmarks are tried on each photograph."""
LEAST_APART = 3
"""Records that are read another way than the rest, at least; two may be alike by chance."""
MUCH_WORSE = 0.5
"""Share of their likeness that these may have as they are; and the rest, if read like them. Of real sets: 0.36."""
FIRST, STARTS, ROUNDS = 16, 3, 4
"""Specimens that every reading is tried on; those of them that the others are first compared with; and how often they
are then compared with each other."""
SEVERITY = 100.0
"""Before all findings that are about single records, for nothing they say holds where the file is misread."""


@dataclass(frozen=True)
class Misread:
    """A reading under which the photographs look alike around the landmarks, as they do not under the file's own.

    Attributes:
        reading: its name in `READINGS`.
        likeness: of neighbourhoods in different specimens, -1 to 1, under this reading.
        as_given: the same for the file as it is; both of these records only.
        better: specimens whose neighbourhoods are more like those of the others under this reading.
        specimens: looked at.
        records: positions of the records that are to be read so; None = all.
    """

    reading: str
    likeness: float
    as_given: float
    better: int
    specimens: int
    records: tuple[int, ...] | None = None

    @property
    def evidence(self) -> str:
        """One sentence with the figures."""
        words = READINGS[self.reading].words
        if self.records is None:
            return (
                f"what is around the landmarks looks alike from photograph to photograph {words} "
                f"(likeness {self.likeness:.2f}, as the file is {self.as_given:.2f}; more alike in {self.better} of "
                f"{self.specimens} specimens)"
            )
        return (
            f"what is around the landmarks of {len(self.records)} of {self.specimens} specimens looks like that of the "
            f"others only {words} (likeness {self.likeness:.2f}, as they are {self.as_given:.2f})"
        )

    @property
    def sentence(self) -> str:
        """What is wrong, and the evidence."""
        part = "" if self.records is None else "a part of "
        return f"{part}the landmark file seems to be read the wrong way: {self.evidence}"


def finding(data: Dataset) -> Finding | None:
    """Whether a file, or many of its records, were misread, as the doctor says it; about the first as an example."""
    found = examine(data)
    if found is not None and found.records is not None and len(data) > MOST_SPECIMENS:
        found = examine(data, len(data)) or found
    if found is None:
        return None
    if found.records is None:
        change = Change(found.reading, everywhere=True)
        return Finding("misread", 0, data.names[0], SEVERITY, found.evidence, change=change)
    names = tuple(data.names[i] for i in found.records)
    evidence = f"{found.evidence}: {few(names)}"
    change = Change(found.reading, records=names)
    return Finding("misread in part", found.records[0], names[0], SEVERITY, evidence, change=change)


def examine(data: Dataset, most: int = MOST_SPECIMENS) -> Misread | None:
    """Look at some of the photographs; those that cannot be read are left out."""
    points = data.points[:, _evenly(data.scheme.n_landmarks, MOST_LANDMARKS)]
    enough = np.flatnonzero(np.isfinite(points).all(-1).sum(1) >= LEAST_LANDMARKS)
    chosen, looked, pictures = list[int](), list[Seen](), dict[Path, Seen | None]()
    for i in map(int, enough[_evenly(len(enough), most)]):
        path = data.photographs[i]
        if path not in pictures:
            try:
                pictures[path] = likeness.glance(data, i)
            except images.UnreadablePhotograph:
                pictures[path] = None
        picture = pictures[path]
        if picture is not None:
            chosen.append(i)
            looked.append(picture)
    found = judge(points[chosen], looked)
    if found is None or found.records is None:
        return found
    return replace(found, records=tuple(chosen[i] for i in found.records))


def _evenly(n: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))


def judge(points: FloatArray, seen: Sequence[Seen]) -> Misread | None:
    """The reading that photographs show to be the right one, where it is not the file's own; None where they do not.

    Args:
        points: (N, K, 2) px of the photographs as they were read; NaN = missing.
        seen: (N,) the photographs; the same object where several specimens are on one.
    """
    if len(points) < LEAST_SPECIMENS or points.shape[1] < LEAST_LANDMARKS:
        return None
    return _all_misread(points, seen) or _part_misread(points, seen)


def _all_misread(points: FloatArray, seen: Sequence[Seen]) -> Misread | None:
    """The other reading must win in nearly all specimens (sign test) and clearly, and be about specimens."""
    given = likenesses(points, seen)
    tried = {name: likenesses(reread(points, seen, name), seen) for name in READINGS}
    best = max(tried, key=lambda name: float(tried[name].mean()))
    found = tried[best]
    if found.mean() < ALIKE or given.mean() > WORSE * found.mean() or not _mostly(found > given):
        return None
    if not _about_specimens(found, reread(points, seen, best), seen):
        return None
    return Misread(best, float(found.mean()), float(given.mean()), int((found > given).sum()), len(points))


def _part_misread(points: FloatArray, seen: Sequence[Seen]) -> Misread | None:
    """Some specimens must be like the others under another reading only, and these under the file's own only.

    Nor may they be more like each other as they are: then they are specimens of the other side, or lie the other way
    round, and are read rightly.
    """
    first = _evenly(len(points), FIRST)
    points_of_first, seen_first = points[first], [seen[i] for i in first]
    tried = {name: _divide(points_of_first, reread(points_of_first, seen_first, name), seen_first) for name in READINGS}
    best = max(tried, key=lambda name: tried[name].score)
    if not tried[best].apart.any():
        return None
    other = reread(points, seen, best)
    apart = _beside(points, other, seen, tried[best], first)
    found = _settled(points, other, seen, apart)
    apart, rest = found.apart, ~found.apart
    if apart.sum() < LEAST_APART or not rest.any() or found.score < ALIKE:
        return None
    if found.given[apart].mean() > MUCH_WORSE * found.other[apart].mean():
        return None
    if found.other[rest].mean() > MUCH_WORSE * found.given[rest].mean():
        return None
    among_themselves = likenesses(points[apart], [one for one, own in zip(seen, apart, strict=True) if own])
    if among_themselves.mean() > found.other[apart].mean():
        return None
    chosen = np.where(apart[:, None, None], other, points)
    if not _about_specimens(np.where(apart, found.other, found.given), chosen, seen):
        return None
    records = tuple(map(int, np.flatnonzero(apart)))
    alike, as_given = float(found.other[apart].mean()), float(found.given[apart].mean())
    return Misread(best, alike, as_given, len(records), len(points), records)


@dataclass(frozen=True, eq=False)
class _Division:
    """Specimens divided into those that are alike as they are and those that are under another reading.

    Attributes:
        apart: (N,) bool, the latter.
        given: (N,) likeness of each to the others, these read as divided: as it is,
        other: and under the other reading.
        score: mean likeness, each read as divided.
    """

    apart: NDArray[np.bool_]
    given: FloatArray
    other: FloatArray
    score: float


def _divide(points: FloatArray, other: FloatArray, seen: Sequence[Seen]) -> _Division:
    """The division under which specimens are most alike, from several beginnings."""
    none_apart = np.zeros(len(points), dtype=bool)
    begun = {none_apart.tobytes(): none_apart}
    for start in map(int, _evenly(len(points), STARTS)):
        for way in (points, other):
            frame = frame_of(way[start][None])
            usual = around(way[start][None], [seen[start]], frame)
            apart = _more_alike(points, other, seen, frame, usual)
            begun[apart.tobytes()] = apart
    return max((_settled(points, other, seen, apart) for apart in begun.values()), key=lambda one: one.score)


def _more_alike(
    points: FloatArray, other: FloatArray, seen: Sequence[Seen], frame: FloatArray, usual: FloatArray
) -> NDArray[np.bool_]:
    """(N,) whether a specimen is more like what is usual under the other reading."""
    given, found = (compared(these, around(these, seen, frame), usual) for these in (points, other))
    more: NDArray[np.bool_] = found > given
    return more


def _settled(points: FloatArray, other: FloatArray, seen: Sequence[Seen], apart: NDArray[np.bool_]) -> _Division:
    """A division after each specimen has gone, a few times, to where it is more like the others."""
    for _ in range(ROUNDS):
        divided = apart[:, None, None]
        frame = frame_of(np.where(divided, other, points))
        ways = [around(these, seen, frame) for these in (points, other)]
        usual = mean_of_others(np.where(divided, ways[1], ways[0]))
        given, found = (compared(these, way, usual) for these, way in zip((points, other), ways, strict=True))
        result = _Division(apart, given, found, float(np.where(apart, found, given).mean()))
        if (apart == (found > given)).all():
            break
        apart = found > given
    return result


def _beside(
    points: FloatArray, other: FloatArray, seen: Sequence[Seen], known: _Division, first: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """All specimens beside those that are divided already."""
    chosen = np.where(known.apart[:, None, None], other[first], points[first])
    frame = frame_of(chosen)
    usual = around(chosen, [seen[i] for i in first], frame).mean(0, keepdims=True)
    return _more_alike(points, other, seen, frame, usual)


def reread(points: FloatArray, seen: Sequence[Seen], name: str) -> FloatArray:
    """Points (N, K, 2) px under another reading."""
    return geometry.transform(np.stack([READINGS[name].matrix(*one.size) for one in seen]), points)


def _mostly(better: NDArray[np.bool_]) -> bool:
    n, k = len(better), int(better.sum())
    return k >= MOST_BETTER * n and binomtest(k, n, alternative="greater").pvalue < CHANCE


def _about_specimens(alike: FloatArray, points: FloatArray, seen: Sequence[Seen]) -> bool:
    """Whether specimens are mostly more alike than where landmarks of others, on the same photographs, would be.

    Otherwise it is only something that all photographs have in the same place, as a scale bar.
    """
    return _mostly(alike > _exchanged(points, seen))


def _exchanged(points: FloatArray, seen: Sequence[Seen]) -> FloatArray:
    """(N,) the same with the landmarks of a few specimens of other photographs on each; -1 where there are none."""
    n, frame = len(points), frame_of(points)
    rest = mean_of_others(around(points, seen, frame))
    alike = np.full((EXCHANGES, n), -1.0)
    for turn in range(EXCHANGES):
        there = np.array(points)
        others = [[j % n for j in range(i + 1, i + n) if seen[j % n] is not own] for i, own in enumerate(seen)]
        for i, elsewhere in enumerate(others):
            if elsewhere:
                j = elsewhere[turn * len(elsewhere) // EXCHANGES]
                there[i] = points[j] * (np.array(seen[i].size) / seen[j].size)
        known = np.array([bool(elsewhere) for elsewhere in others])
        alike[turn, known] = compared(there, around(there, seen, frame), rest)[known]
    mean: FloatArray = alike.mean(0)
    return mean
