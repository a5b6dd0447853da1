"""The landmark doctor: label errors before and after training, ranked, each with evidence and a way to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pronotum.doctor import photographs, residuals, scales, shapes, surroundings
from pronotum.doctor.finding import KINDS, Change, Finding
from pronotum.doctor.readings import READINGS
from pronotum.geometry import enlargement, transform
from pronotum.landmarks import FloatArray, Landmarks

__all__ = ["KINDS", "Change", "Finding", "Patient", "diagnose", "mend"]


@dataclass(frozen=True, eq=False)
class Patient:
    """All that is known of records; what is not known is not looked at.

    Attributes:
        points: (N, K, 2) px, y down; NaN = missing.
        names: (N,) of the specimens.
        files: (N,) of the photographs; "" = unknown.
        scales: (N,) units per px; None = not given.
        sizes: (N,) width and height of the photographs; None = unknown.
        digests: (N,) of the photographs' content; empty = unknown.
        thumbnails: (N, 17, 17) small grey pictures; empty = unknown.
        described: (N, D) descriptions of the photographs; empty = unknown.
        surroundings: (N, K, D) what is around each landmark (`surroundings.describe`); None = unknown.
        predicted: (N, K, 2) out-of-fold predictions; None = none.
    """

    points: FloatArray
    names: Sequence[str]
    files: Sequence[str]
    scales: Sequence[float | None]
    sizes: Sequence[tuple[int, int] | None]
    digests: Sequence[str] = ()
    thumbnails: FloatArray | None = None
    described: FloatArray | None = None
    surroundings: FloatArray | None = None
    predicted: FloatArray | None = None


def diagnose(patient: Patient) -> list[Finding]:
    """Everything suspicious, most severe first."""
    points, names = patient.points, patient.names
    found = shapes.strange_configurations(points, patient.sizes, names)
    found += scales.strange_scales(points, patient.scales, names)
    found += photographs.outside(points, patient.sizes, names)
    found += photographs.same_specimens(points, names, patient.files)
    if patient.thumbnails is not None:
        found += photographs.same_photographs(patient.digests, patient.thumbnails, points, names, patient.files)
    if patient.described is not None:
        found += photographs.strange_photographs(patient.described, names)
    if patient.surroundings is not None:
        explained = {one.specimen for one in found if one.kind in shapes.KINDS}
        around = surroundings.off_the_specimen(patient.surroundings, names)
        found += [one for one in around if one.specimen not in explained]
    if patient.predicted is not None:
        found += residuals.far_from_predictions(points, patient.predicted, names)
    return sorted(found, key=lambda finding: -finding.severity)


def mend(specimen: Landmarks, change: Change, size: tuple[int, int] | None) -> Landmarks | None:
    """A record after a change; None where it is removed.

    Args:
        specimen: as it is.
        change: what to do.
        size: width and height of its photograph; None = unknown.

    Raises:
        ValueError: a change that is not known, or does not fit the record.
    """
    points = np.array(specimen.points)
    if change.of_file:
        return _reread(specimen, change.what, size)
    if change.what == "remove":
        return None
    if change.what == "scale":
        if specimen.scale is None:
            raise ValueError("the record has no scale")
        return replace(specimen, scale=specimen.scale * change.factor)
    if change.what == "permute" and sorted(change.order) == list(range(len(points))):
        return specimen.with_points(points[list(change.order)])
    if (
        change.what == "missing"
        and change.landmarks
        and min(change.landmarks) >= 0
        and max(change.landmarks) < len(points)
    ):
        points[list(change.landmarks)] = np.nan
        return specimen.with_points(points)
    if change.what in ("flip x", "flip y"):
        return _moved(specimen, shapes.flip_matrix(points, size, "xy".index(change.what[-1])))
    raise ValueError(f"a change '{change.what}' that does not fit {len(points)} landmarks")


def _reread(specimen: Landmarks, reading: str, size: tuple[int, int] | None) -> Landmarks:
    """A record under another reading of its file (`READINGS`), with its curves and its scale."""
    if reading not in READINGS:
        raise ValueError(f"no reading '{reading}'")
    if size is None:
        raise ValueError(f"the size of the photograph of {specimen.name} is not known")
    return _moved(specimen, READINGS[reading].matrix(*size))


def _moved(specimen: Landmarks, matrix: FloatArray) -> Landmarks:
    """A record with its curves and its scale under a 3x3 matrix."""
    return replace(
        specimen,
        points=transform(matrix, specimen.points),
        curves=tuple(transform(matrix, curve) for curve in specimen.curves),
        scale=None if specimen.scale is None else specimen.scale / enlargement(matrix),
    )
