"""Manual landmarks far from where a model that has not seen the specimen would put them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pronotum.doctor.finding import Change, Finding
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

DEVIATIONS = 2.5
LEAST = 20
SHRINKAGE = 10.0
"""Specimens' worth of belief that a landmark is as difficult as all others."""


def far_from_predictions(manual: FloatArray, predicted: FloatArray, names: Sequence[str]) -> list[Finding]:
    """Landmarks whose out-of-fold error is out of all proportion, by landmark.

    Args:
        manual: (N, K, 2) px.
        predicted: (N, K, 2) out of fold.
        names: (N,) of the specimens.
    """
    errors = np.linalg.norm(manual - predicted, axis=-1) / centroid_size(manual)[:, None]
    known = np.isfinite(errors)
    if known.sum() < LEAST:
        return []
    logs = np.log(np.where(known, np.maximum(errors, 1e-6), np.nan))
    n = known.sum(0)
    middle = (n * np.nan_to_num(np.nanmedian(logs, 0)) + SHRINKAGE * np.nanmedian(logs)) / (n + SHRINKAGE)
    spread = max(1.4826 * float(np.nanmedian(np.abs(logs - middle))), 0.3)
    strange = np.nan_to_num((logs - middle) / spread) > DEVIATIONS
    findings = []
    for i in map(int, np.flatnonzero(strange.any(1))):
        which = np.flatnonzero(strange[i])
        times = float(np.exp(np.nanmax((logs - middle)[i, which])))
        listed = ", ".join(str(k + 1) for k in which)
        evidence = f"landmark {listed}: up to {times:.0f} times as far from its out-of-fold prediction as is usual"
        landmarks = tuple(map(int, which))
        change = Change("missing", landmarks=landmarks) if len(which) == 1 else None
        findings.append(Finding("residual", i, names[i], float(np.log(times)), evidence, landmarks, change))
    return findings
