"""Scales that cannot be right: another unit than the others', or a specimen no specimen can be as large or small as."""

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
ALIKE = 3.0
"""Up to how many times as large as others a specimen on its photograph counts as photographed alike."""
SMALLEST, LARGEST = 1e-3, 1e4
"""Extent of specimens, mm: from a micrometre to ten metres."""


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


def impossible_scales(points: FloatArray, scales: Sequence[float | None]) -> dict[int, str]:
    """What is wrong with scales that are not positive, or that make specimens smaller or larger than any.

    Args:
        points: (N, K, 2) px.
        scales: (N,) mm per px; None = not given.

    Returns:
        position of the specimen -> what is wrong.
    """
    found = {}
    for i, (specimen, scale) in enumerate(zip(points, scales, strict=True)):
        if scale is None:
            continue
        if not 0 < scale < np.inf:
            found[i] = f"a scale of {scale:g}"
            continue
        known = specimen[np.isfinite(specimen).all(-1)]
        extent = scale * float(np.hypot(*np.ptp(known, axis=0))) if len(known) > 1 else 1.0
        if not SMALLEST <= extent <= LARGEST and extent > 0:
            found[i] = f"its landmarks are {extent:.3g} mm apart"
    return found


def mixed_scales(points: FloatArray, scales: Sequence[float | None]) -> dict[int, str]:
    """Specimens that are, by their scale, as much larger or smaller than most as one unit than another.

    Only specimens that are about as large on their photographs as the others count, so that small ones among large ones
    do not. Other than `strange_scales` it also tells where half of all are in another unit, and says nothing where
    sizes are spread continuously.

    Args:
        points: (N, K, 2) px.
        scales: (N,) mm per px; None = not given.

    Returns:
        position of the specimen -> what is wrong.
    """
    sizes = centroid_size(points)
    lengths = sizes * np.array([np.nan if scale is None else scale for scale in scales])
    usable = np.flatnonzero(np.isfinite(lengths) & (lengths > 0))
    if len(usable) < LEAST:
        return {}
    order = usable[np.argsort(lengths[usable], kind="stable")]
    gaps = np.flatnonzero(np.diff(np.log(lengths[order])) > np.log(STRANGE)) + 1
    groups = np.split(order, gaps)
    most = max(groups, key=len)
    length, size = np.median(lengths[most]), np.median(sizes[most])
    found = {}
    for i in (int(i) for group in groups if group is not most for i in group):
        ratio = lengths[i] / length
        unit = min(UNITS, key=lambda one: abs(abs(np.log(ratio)) - np.log(one)))
        alike = abs(np.log(sizes[i] / size)) < np.log(ALIKE)
        if alike and abs(abs(np.log(ratio)) - np.log(unit)) < TOLERANCE:
            times = f"{max(ratio, 1 / ratio):.3g} times as {'large' if ratio > 1 else 'small'}"
            found[i] = f"{times} as most, as between {UNITS[unit]}"
    return dict(sorted(found.items()))
