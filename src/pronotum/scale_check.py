"""Whether lengths in mm may be given: the scales of specimens beside each other and beside what a study declares."""

from __future__ import annotations

from pathlib import Path

from pronotum.data import Dataset, Problem
from pronotum.doctor.scales import impossible_scales, mixed_scales
from pronotum.errors import UserError
from pronotum.landmark_sets import LandmarkSets
from pronotum.landmarks import FloatArray
from pronotum.project import NAME, Project

SHOWN = 5


def scale_problems(data: Dataset | LandmarkSets, points: FloatArray, declared: Project) -> list[Problem]:
    """Specimens whose scale cannot be right, or not beside those of the others.

    Args:
        data: names and scales of the specimens.
        points: (N, K, 2) px, their manual landmarks.
        declared: what the study declares; with ``mixed_scales`` every positive scale is right.
    """
    found = impossible_scales(points, data.scales)
    if declared.mixed_scales:
        found = {i: what for i, what in found.items() if not _positive(data.scales[i])}
    else:
        found = mixed_scales(points, data.scales) | found
    return [Problem(data.names[i], what) for i, what in sorted(found.items())]


def _positive(scale: float | None) -> bool:
    return scale is not None and 0 < scale < float("inf")


def require_scales(data: Dataset | LandmarkSets, points: FloatArray, declared: Project, where: Path) -> None:
    """Refuse to give lengths by scales that cannot be right; see `scale_problems`.

    Raises:
        UserError: names the specimens.
    """
    found = scale_problems(data, points, declared)
    if not found:
        return
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    listed = "; ".join(str(problem) for problem in found[:SHOWN]) + more
    raise UserError(
        where,
        found=f"scales that cannot all be right: {listed}",
        expected=f"{declared.units} per px in every SCALE",
        remedy=f"correct them (pronotum doctor proposes how); or declare their units = ..., or that they are right by "
        f"mixed_scales = true, in {NAME}",
    )
