"""Human error: how far digitisations of the same specimens are from each other, and what that means for shape."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

Centre = Literal["median", "mean"]


@dataclass(frozen=True, eq=False)
class RepeatPairs:
    """Every two digitisations of the same specimen.

    Attributes:
        rows: (P, 2) of the digitisations as given.
        distances: (P, K) between their landmarks, in the unit of the points; NaN where either is missing.
        same_observer: (P,) True where one observer made both.
    """

    rows: NDArray[np.intp]
    distances: FloatArray
    same_observer: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DigitisingError:
    """Error of digitising by landmark, (K,) each, in the unit of the points; NaN where no repeat tells.

    Attributes:
        n_specimens: digitised at least twice.
        n_digitisations: of these specimens.
        observers: who made them, in alphabetical order.
        error: mean distance of a digitisation to the specimen's centre. With few repeats it is too small, as each is
            part of the centre: with two it is half their distance.
        intra: mean distance of a digitisation to the centre of the same observer's digitisations of the specimen,
            of observers with at least two.
        inter: mean distance of an observer's centre to the centre of all observers' centres of the specimen, of
            specimens with at least two observers.
        intra_pairs: mean distance between two digitisations by one observer.
        inter_pairs: mean distance between two digitisations by different observers.
        intra_by_observer: mean of `intra` over all landmarks, for each observer with repeats.
        distances: (M, K) of each digitisation to its specimen's centre; NaN for specimens digitised once.
        pairs: every two digitisations of the same specimen.
    """

    n_specimens: int
    n_digitisations: int
    observers: tuple[str, ...]
    error: FloatArray
    intra: FloatArray
    inter: FloatArray
    intra_pairs: FloatArray
    inter_pairs: FloatArray
    intra_by_observer: dict[str, float]
    distances: FloatArray
    pairs: RepeatPairs


@dataclass(frozen=True, eq=False)
class MeasurementError:
    """Share of digitising in the variance of shape.

    Attributes:
        n_specimens: digitised at least twice.
        n_digitisations: of these specimens.
        repeatability: share of the differences between specimens in the variance of one digitisation; 1 = perfect.
        percent_error: %ME = 100 (1 - repeatability).
        by_landmark: (K,) repeatability of each landmark after superimposition, which spreads the error of one landmark
            over the others.
    """

    n_specimens: int
    n_digitisations: int
    repeatability: float
    percent_error: float
    by_landmark: FloatArray


def repeat_pairs(points: FloatArray, specimens: Sequence[Hashable], observers: Sequence[str]) -> RepeatPairs:
    """Distances between every two digitisations of the same specimen.

    Args:
        points: (M, K, 2) digitisations in the frame of the photograph; NaN = missing.
        specimens: (M,) whose they are; repeats may be unequal in number.
        observers: (M,) who made them.

    Raises:
        UserError: another number of labels than of digitisations, or no specimen that was digitised twice.
    """
    rows = [
        (a, b)
        for members in _repeated(points, specimens, observers)
        for i, a in enumerate(members)
        for b in members[i + 1 :]
    ]
    pairs = np.array(rows, dtype=np.intp)
    distances: FloatArray = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=-1)
    return RepeatPairs(pairs, distances, np.array([observers[a] == observers[b] for a, b in rows]))


def digitising_error(
    points: FloatArray, specimens: Sequence[Hashable], observers: Sequence[str], *, centre: Centre = "median"
) -> DigitisingError:
    """Error of each landmark from repeated digitisations, within and between observers.

    Args:
        points: (M, K, 2) digitisations in the frame of the photograph, not superimposed, which would hide error of
            position and turn; NaN = missing, and left out of that landmark only.
        specimens: (M,) whose they are. Those digitised once are left out; numbers of repeats may differ.
        observers: (M,) who made them; for sessions of one person use one name.
        centre: of repeats: the median of each coordinate, or the mean.

    Raises:
        UserError: another number of labels than of digitisations, or no specimen that was digitised twice.

    Source:
        Robinson & Terhune (2017), American Journal of Physical Anthropology 164: error within and between observers.
    """
    pairs = repeat_pairs(points, specimens, observers)
    repeated = _repeated(points, specimens, observers)
    names = tuple(sorted({observers[row] for members in repeated for row in members}))
    distances = np.full(points.shape[:2], np.nan)
    intra: dict[str, list[FloatArray]] = {name: [] for name in names}
    inter = []
    for members in repeated:
        distances[members] = _distances(points[members], _centre(points[members], centre))
        own = {name: [row for row in members if observers[row] == name] for name in names}
        centres = np.stack([_centre(points[rows], centre) for rows in own.values() if rows])
        for name, rows in own.items():
            if len(rows) > 1:
                intra[name].append(_distances(points[rows], _centre(points[rows], centre)))
        if len(centres) > 1:
            inter.append(_distances(centres, _centre(centres, centre)))
    within = {name: np.concatenate(parts) for name, parts in intra.items() if parts}
    nothing = np.empty((0, points.shape[1]))
    return DigitisingError(
        n_specimens=len(repeated),
        n_digitisations=sum(map(len, repeated)),
        observers=names,
        error=_means(distances),
        intra=_means(np.concatenate([nothing, *within.values()])),
        inter=_means(np.concatenate([nothing, *inter])),
        intra_pairs=_means(pairs.distances[pairs.same_observer]),
        inter_pairs=_means(pairs.distances[~pairs.same_observer]),
        intra_by_observer={name: float(_means(values.reshape(-1, 1))[0]) for name, values in within.items()},
        distances=distances,
        pairs=pairs,
    )


def measurement_error(shapes: FloatArray, specimens: Sequence[Hashable]) -> MeasurementError:
    """Repeatability of shape from repeats that may be unequal in number.

    Args:
        shapes: (M, K, 2) digitisations superimposed together; a digitisation with a missing landmark (NaN) is left out,
            and so are specimens with fewer than two left.
        specimens: (M,) whose they are.

    Raises:
        UserError: another number of labels than of digitisations; fewer than three specimens digitised twice; a shape
            without size.

    Source:
        Yezerinac, Lougheed & Handford (1992), Systematic Biology 41: %ME = 100 s2_within / (s2_within + s2_among);
        Lessells & Boag (1987), The Auk 104: 116-121, for unequal repeats; sums of squares over all coordinates as
        in Procrustes ANOVA. With two methods it differs from `anova.Anova.repeatability` in that a difference between
        the methods' means counts as error.
    """
    repeated = [
        [row for row in members if np.isfinite(shapes[row]).all()]
        for members in _repeated(shapes, specimens, ("",) * len(specimens))
    ]
    repeated = [members for members in repeated if len(members) > 1]
    if len(repeated) < 3:
        found = f"{counted(len(repeated), 'specimen')} with two complete digitisations"
        raise UserError("measurement error", found=found, expected="at least 3")
    rows = [row for members in repeated for row in members]
    if (centroid_size(shapes[rows]) <= 1e-9).any():
        raise UserError("measurement error", found="all landmarks of a digitisation lie in one place")
    counts = np.array([len(members) for members in repeated], dtype=np.float64)
    means = np.stack([shapes[members].mean(0) for members in repeated])
    among = (counts[:, None] * ((means - shapes[rows].mean(0)) ** 2).sum(-1)).sum(0)
    within = sum(((shapes[members] - mean) ** 2).sum((0, -1)) for members, mean in zip(repeated, means, strict=True))
    by_landmark = _repeatability(among, np.asarray(within), counts)
    total = float(_repeatability(among.sum(keepdims=True), np.asarray(within).sum(keepdims=True), counts)[0])
    return MeasurementError(len(repeated), len(rows), total, 100 * (1 - total), by_landmark)


def _repeatability(among: FloatArray, within: FloatArray, counts: FloatArray) -> FloatArray:
    a, total = len(counts), counts.sum()
    ms_among, ms_within = among / (a - 1), within / (total - a)
    effective = (total - (counts**2).sum() / total) / (a - 1)  # Lessells & Boag's n0
    variance = (ms_among - ms_within) / effective
    whole = variance + ms_within
    return np.where(whole > 0, variance / np.where(whole > 0, whole, 1), np.nan)


def _repeated(points: FloatArray, specimens: Sequence[Hashable], observers: Sequence[str]) -> list[list[int]]:
    """Rows of each specimen that was digitised at least twice."""
    if not len(points) == len(specimens) == len(observers):
        named = f"{counted(len(specimens), 'specimen')} and {counted(len(observers), 'observer')} named"
        found = f"{counted(len(points), 'digitisation')}, {named}"
        raise UserError("human error", found=found, expected="a specimen and an observer for each digitisation")
    members: dict[Hashable, list[int]] = {}
    for row, specimen in enumerate(specimens):
        members.setdefault(specimen, []).append(row)
    repeated = [rows for rows in members.values() if len(rows) > 1]
    if not repeated:
        found = f"{counted(len(members), 'specimen')}, none digitised twice"
        raise UserError("human error", found=found, remedy="digitise 20 to 30 of them again, days later")
    return repeated


def _centre(points: FloatArray, kind: Centre) -> FloatArray:
    """(K, 2) centre of (M, K, 2); NaN for a landmark that is missing in all."""
    known = ~np.isnan(points).all((0, 2))
    middle = np.nanmedian if kind == "median" else np.nanmean
    centre = np.full(points.shape[1:], np.nan)
    if known.any():
        centre[known] = middle(points[:, known], axis=0)
    return centre


def _distances(points: FloatArray, centre: FloatArray) -> FloatArray:
    distances: FloatArray = np.linalg.norm(points - centre, axis=-1)
    return distances


def _means(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, values, 0).sum(0) / np.maximum(count, 1), np.nan)
