"""A configuration of landmarks as SVG, with names, in the colours of the page it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray

WIDTH, HEIGHT = 400.0, 320.0
"""Of the drawing at most, in its own units: about px on a telephone."""
MARGIN = 26.0
LETTERS = 12.0
LETTER = 0.62
"""Width of a letter as a share of its height."""
DOT = 3.2
SHORT = 4
"""Names up to this long are written beside their landmarks; else their numbers are."""
AROUND = np.radians(np.arange(0, 360, 22.5))


def short(names: Sequence[str]) -> bool:
    """Whether names are written themselves."""
    return max(map(len, names), default=0) <= SHORT


def draw(points: FloatArray, names: Sequence[str], runs: Sequence[range] = ()) -> str:
    """The drawing.

    Args:
        points: (K, 2) y down, any unit; NaN = unknown, left out. At least two are known and apart.
        names: (K,) of the landmarks.
        runs: indices of the semilandmarks of each curve, which is drawn as a line.

    Returns:
        an ``<svg>`` element.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(-1))
    low, high = points[known].min(0), points[known].max(0)
    extent = np.maximum(high - low, 1e-9)
    factor = float(min((WIDTH - 2 * MARGIN) / extent[0], (HEIGHT - 2 * MARGIN) / extent[1]))
    width, height = factor * extent + 2 * MARGIN
    placed = (points - low) * factor + MARGIN
    on_curve = {index for run in runs for index in run}
    labelled = [i for i in np.flatnonzero(known).tolist() if i not in on_curve]
    named = short([name for i, name in enumerate(names) if i not in on_curve])
    labels = {i: names[i] if named else str(i + 1) for i in labelled}
    parts = [
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed[list(run)][known[list(run)]])}"/>'
        for run in runs
    ]
    for index in np.flatnonzero(known).tolist():
        x, y = placed[index]
        radius = DOT / 2 if index in on_curve else DOT
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"><title>{escape(names[index])}</title></circle>')
    for index, (x, y) in _beside(placed, labels, (float(width), float(height))).items():
        parts.append(f'<text x="{x:.1f}" y="{y + 0.36 * LETTERS:.1f}">{escape(labels[index])}</text>')
    listed = escape(", ".join(names[i] for i in labels))
    return (
        f'<svg class="shape" viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-size="{LETTERS:g}" '
        f'aria-label="Mean shape: {listed}">' + "".join(parts) + "</svg>"
    )


def _beside(placed: FloatArray, labels: dict[int, str], size: tuple[float, float]) -> dict[int, tuple[float, float]]:
    """Centres of labels: each beside its landmark, outward if there is room, off other landmarks and labels."""
    centre = np.nanmean(placed, 0)
    boxes = [(*point, DOT, DOT) for point in placed[np.isfinite(placed).all(-1)]]
    found = {}
    for index, label in labels.items():
        half = (LETTER * LETTERS * len(label) / 2, LETTERS / 2)
        outward = np.arctan2(*(placed[index] - centre)[::-1])
        best, least = (0.0, 0.0), np.inf
        for angle in AROUND:
            way = np.array([np.cos(angle), np.sin(angle)])
            x, y = placed[index] + way * (DOT + 2 + np.hypot(*(way * half)))
            cost = sum(_overlap((x, y, *half), box) for box in boxes) + 3 * (1 - np.cos(angle - outward))
            cost += 1e4 * (x < half[0] or y < half[1] or x > size[0] - half[0] or y > size[1] - half[1])
            if cost < least:
                best, least = (float(x), float(y)), float(cost)
        found[index] = best
        boxes.append((*best, *half))
    return found


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area in common of two boxes (centre x, centre y, half width, half height)."""
    across = min(one[2] + other[2] - abs(one[0] - other[0]), 2 * min(one[2], other[2]))
    along = min(one[3] + other[3] - abs(one[1] - other[1]), 2 * min(one[3], other[3]))
    return float(max(across, 0) * max(along, 0))
