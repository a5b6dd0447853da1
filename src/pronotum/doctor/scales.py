"""Scales in another unit: a specimen ten, twenty-five or a thousand times as large as all the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pronotum.doctor.finding import Change, Finding
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

UNITS = {10.0: "mm and cm", 25.4: "mm and inch", 100.0: "cm and m", 1000.0: "um and mm"}
LEAST = 3
STRANGE = 4.0
"""How many times as large or small as the median a specimen must be."""
IMPOSSIBLE = 8.0
"""The same, where no pair of units explains it."""
TOLERANCE = 0.45
"""How far the log of the ratio may be from that of a unit."""


def strange_scales(points: FloatArray, scales: Sequence[float | None], names: Sequence[str]) -> list[Finding]:
    """Specimens whose size in units of the file is out of all proportion.

    Args:
        points: (N, K, 2) px.
        scales: (N,) units per px; None = not given.
        names: (N,) of the specimens.
    """
    known = np.array([np.nan if scale is None else scale for scale in scales])
    lengths = centroid_size(points) * known
    usable = np.isfinite(lengths) & (lengths > 0)
    if usable.sum() < LEAST:
        return []
    logs = np.log(np.where(usable, lengths, 1))
    middle = np.median(logs[usable])
    spread = 1.4826 * np.median(np.abs(logs[usable] - middle))
    findings = []
    strange = usable & (np.abs(logs - middle) > max(np.log(STRANGE), 5 * spread))
    for i in map(int, np.flatnonzero(strange)):
        ratio = float(np.exp(logs[i] - middle))
        unit = min(UNITS, key=lambda one: abs(abs(np.log(ratio)) - np.log(one)))
        fits = abs(abs(np.log(ratio)) - np.log(unit)) < TOLERANCE
        if not fits and max(ratio, 1 / ratio) < IMPOSSIBLE:
            continue
        size = f"{lengths[i]:.4g} units large, the others {np.exp(middle):.4g}: {max(ratio, 1 / ratio):.3g} times as "
        size += "large" if ratio > 1 else "small"
        evidence = size + (f", as between {UNITS[unit]}" if fits else "")
        change = Change("scale", factor=1 / unit if ratio > 1 else unit) if fits else None
        findings.append(Finding("scale", i, names[i], 2 + abs(float(np.log(ratio))), evidence, (), change))
    return findings
