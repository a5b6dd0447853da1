"""Curves as points: what was digitised along a curve becomes semilandmarks, equally spaced, and goes back into a curve.

How far along its curve a semilandmark lies is a convention; only its distance from the curve is measured.

Source: Bookstein (1997), Landmark methods for forms without landmarks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pronotum.errors import UserError, counted
from pronotum.landmarks import Curve, FloatArray, Landmarks, Scheme


def resample(path: FloatArray, points: int, *, closed: bool = False, inside: bool = False) -> FloatArray:
    """Points at equal distances along a polyline, measured along it.

    Args:
        path: (m, 2) the polyline; NaN = a place that is not known.
        points: how many; two or more where the ends are among them.
        closed: the polyline goes back to its first point, which is the first of the result.
        inside: leave out the two ends, which are landmarks; else an open polyline's ends are the first and last point.

    Returns:
        (points, 2); NaN between the neighbours of a place that is not known; all NaN where one end is not known or the
        polyline has no length.
    """
    if closed and len(path) and (path[0] != path[-1]).any():
        path = np.concatenate([path, path[:1]])
    known = np.flatnonzero(~np.isnan(path[:, 0]))
    if len(path) < 2 or len(known) < 2 or np.isnan(path[[0, -1]]).any():
        return np.full((points, 2), np.nan)
    steps = np.linalg.norm(np.diff(path[known], axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] == 0:
        return np.full((points, 2), np.nan)
    wanted = np.linspace(0, along[-1], points + 2 * inside + closed)
    wanted = wanted[1:-1] if inside else wanted[:points]
    placed = np.stack([np.interp(wanted, along, path[known, axis]) for axis in (0, 1)], -1)
    part = np.clip(np.searchsorted(along, wanted, side="right") - 1, 0, len(steps) - 1)
    between = (wanted > along[part]) & (wanted < along[part + 1])
    placed[between & (np.diff(known) > 1)[part]] = np.nan
    return placed


def from_curves(specimen: Landmarks, scheme: Scheme) -> Landmarks:
    """A specimen with the semilandmarks of its curves after its landmarks, as the scheme has them.

    A curve between two landmarks begins and ends there, and is turned round where it was digitised from the other one.
    Where the specimen has no curves, or an end of a curve is missing, its semilandmarks are missing. A specimen without
    curves that has as many landmarks as the scheme has landmarks and semilandmarks is taken to have both.

    Raises:
        UserError: another number of landmarks or curves than the scheme has.
    """
    if specimen.n_landmarks == scheme.n_landmarks and not (scheme.curves and specimen.curves):
        return replace(specimen, names=scheme.names)
    if specimen.n_landmarks != scheme.n_fixed:
        raise UserError(
            specimen.name,
            found=counted(specimen.n_landmarks, "landmark"),
            expected=f"{scheme.n_fixed} as in the scheme",
            remedy="digitise the rest, mark landmarks that cannot be seen as missing (-1 -1), or mend the scheme",
        )
    if specimen.curves and len(specimen.curves) != len(scheme.curves):
        raise UserError(
            specimen.name,
            found=counted(len(specimen.curves), "curve"),
            expected=f"{len(scheme.curves)} as in the scheme, or none",
            remedy="digitise the rest, or mend the scheme",
        )
    paths = specimen.curves or (np.empty((0, 2)),) * len(scheme.curves)
    added = [_along(path, curve, specimen.points) for path, curve in zip(paths, scheme.curves, strict=True)]
    points = np.concatenate([specimen.points, *added])
    return replace(specimen, points=points, names=scheme.names, curves=(), source=None)


def to_curves(specimen: Landmarks, scheme: Scheme) -> Landmarks:
    """A specimen with its semilandmarks as curves again, for formats that have curves; `from_curves` reads them back.

    Landmarks and curves together are the points of the scheme, in its order and each once.
    """
    if not scheme.curves:
        return specimen
    curves = tuple(specimen.points[list(run)] for run in scheme.runs)
    points, names = specimen.points[: scheme.n_fixed], specimen.names[: scheme.n_fixed]
    return replace(specimen, points=points, names=names, curves=curves, source=None)


def _along(path: FloatArray, curve: Curve, landmarks: FloatArray) -> FloatArray:
    """(points, 2) the semilandmarks of one curve (m, 2)."""
    known = path[~np.isnan(path[:, 0])]
    if curve.ends is None or not len(known):
        return resample(path, curve.points, closed=curve.closed)
    first, last = landmarks[list(curve.ends)]
    if _apart(known[0], last) + _apart(known[-1], first) < _apart(known[0], first) + _apart(known[-1], last):
        path = path[::-1]
    return resample(np.concatenate([[first], path, [last]]), curve.points, inside=True)


def _apart(a: FloatArray, b: FloatArray) -> float:
    return float(np.linalg.norm(a - b))
