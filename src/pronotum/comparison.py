"""From files or a cross-validation to the evidence and the verdict: one function per origin of the predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np

from pronotum import formats
from pronotum.crossvalidation import CrossValidation
from pronotum.data import Dataset
from pronotum.errors import UserError, counted, few
from pronotum.evaluation.distances import Scales, distances, mean_shape_distances
from pronotum.evaluation.evidence import Sets
from pronotum.landmark_sets import LandmarkSets, key_of
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, mean_shape, superimpose
from pronotum.report import certainty_figures
from pronotum.report.agreement_plates import Plate
from pronotum.semilandmarks import from_curves

MANUAL, PREDICTED, REPEAT = "manual", "predicted", "repeat"


def of_files(found: LandmarkSets, *, groups: tuple[str, ...] = (), margin: float | None = None) -> Sets:
    """Sets of files; the mean shape is that of the manual landmarks of the other specimens.

    Args:
        found: with the sources `MANUAL`, `PREDICTED` and perhaps `REPEAT`.
        groups: (N,) of the specimens.
        margin: declared beforehand, % of centroid size.
    """
    manual = found.points[MANUAL]
    sizes = [size or (0, 0) for size in found.sizes]
    scales = Scales.of(manual, [size if all(size) else (1, 1) for size in sizes], list(found.scales))
    known = np.array([all(size) for size in sizes])
    scales = replace(scales, paper=np.where(known, scales.paper, np.nan))
    return Sets(
        found.names,
        found.landmarks,
        manual,
        found.points[PREDICTED],
        mean_of_others_distances(manual),
        scales,
        found.points.get(REPEAT),
        groups,
        margin,
        found.sliders,
    )


def mean_of_others_distances(manual: FloatArray) -> FloatArray:
    """(N, K) errors of the mean shape of the other specimens, placed perfectly; in the unit of the points.

    Args:
        manual: (N, K, 2); NaN = missing.

    The mean of all is corrected for each specimen's own share in it, which for complete specimens is the mean of the
    others to first order.
    """
    n = len(manual)
    mean = mean_shape(manual)
    moved = superimpose(manual, np.broadcast_to(mean, manual.shape))
    own = np.where(np.isnan(moved), mean, moved)
    others = mean + (mean - own) / max(n - 1, 1)
    placed = superimpose(others, manual)
    return distances(placed, manual)


def certainty_plates(found: CrossValidation) -> tuple[Plate, ...]:
    """What the radii of a cross-validation promise and hold, as a figure; none where there are too few errors."""
    radii = found.radii(certainty_figures.LEVELS)
    if radii is None:
        return ()
    errors = distances(found.predicted, found.data.points)
    return (certainty_figures.plate(errors, radii, centroid_size(found.predicted)),)


def of_crossvalidation(
    found: CrossValidation,
    *,
    repeat: Path | None = None,
    repeat_form: str | None = None,
    groups: tuple[str, ...] = (),
    margin: float | None = None,
) -> tuple[Sets, tuple[str, ...]]:
    """Sets of a cross-validation; the mean shape is that of the specimens each model has learnt from.

    Args:
        found: out-of-fold predictions.
        repeat: file with a second digitisation of some of the specimens, matched by photograph.
        repeat_form: name of its format, where it does not tell.
        groups: (N,) of the specimens.
        margin: declared beforehand, % of centroid size.

    Returns:
        the sets, and what of the repeat had to be left out.

    Raises:
        UserError: a broken file, another number of landmarks, or not one specimen of the data in it.
    """
    data = found.data
    baseline = np.stack(
        [
            mean_shape_distances(shape, points[None])[0]
            for shape, points in zip(found.mean_shapes, data.points, strict=True)
        ]
    )
    again, left_out = _repeat(data, repeat, repeat_form) if repeat else (None, ())
    sets = Sets(
        tuple(data.names),
        data.scheme.names,
        data.points,
        found.predicted,
        baseline,
        Scales.of(data.points, list(data.sizes), data.scales),
        again,
        groups,
        margin,
        data.scheme.sliders,
    )
    return sets, left_out


def _repeat(data: Dataset, path: Path, form: str | None) -> tuple[FloatArray, tuple[str, ...]]:
    """(N, K, 2) second digitisation, NaN where there is none; and which of its specimens the data do not have."""
    sizes = zip(data.landmarks, data.sizes, strict=True)
    by_stem = {PureWindowsPath(one.image).stem.casefold(): size for one, size in sizes}
    loaded = formats.load(path, lambda image: by_stem.get(PureWindowsPath(image).stem.casefold()), name=form)
    again = tuple(from_curves(one, data.scheme) for one in loaded) if data.scheme.curves else loaded
    key = key_of([data.landmarks.specimens, again])
    rows = {key(specimen): specimen for specimen in again}
    known = {key(specimen) for specimen in data.landmarks}
    n_landmarks = data.scheme.n_landmarks
    if not known & rows.keys():
        found = f"none of the {counted(len(known), 'specimen')}"
        raise UserError(path, found=found, expected="some of them, named as in the data", remedy="see --repeat")
    other = next((one for one in again if one.n_landmarks != n_landmarks), None)
    if other:
        found = f"{other.name} has {counted(other.n_landmarks, 'landmark')}"
        raise UserError(path, found=found, expected=f"{n_landmarks} as in the data")
    missing = np.full((n_landmarks, 2), np.nan)
    points = np.stack([rows[key(one)].points if key(one) in rows else missing for one in data.landmarks])
    extra = [specimen.name for one, specimen in rows.items() if one not in known]
    return points, (f"{counted(len(extra), 'specimen')} of {path.name} not in the data: {few(extra)}",) if extra else ()
