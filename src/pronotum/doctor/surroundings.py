"""Landmarks that lie off their specimen: what is around them looks unlike what is around them elsewhere.

The only look at configurations that are right in themselves, but belong to another photograph or are shifted on theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from sklearn.covariance import ledoit_wolf

from pronotum.doctor.finding import Change, Finding
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

RADII = (0.03, 0.08)
"""Of the discs that are looked at, as shares of centroid size."""
ACROSS = 9
"""Places of a disc along its diameter."""
LEAST = 8
"""Specimens; with fewer nothing is usual."""
ASIDE = 0.2
"""Share of the strangest surroundings that the others are not judged by."""
UNUSUAL = 7.0
"""How many times as unusual as in most specimens the surroundings must be, in the middle of all landmarks."""
ALONE = 50.0
"""And for one landmark alone."""


def describe(pixels: NDArray[np.uint8], points: FloatArray) -> FloatArray:
    """(K, 8) what is around landmarks: mean colour and log contrast of two discs; NaN where one is missing.

    Args:
        pixels: (H, W, 3) RGB.
        points: (K, 2) px of it; NaN = missing.
    """
    steps = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, ACROSS)]), -1)
    disc = steps[np.hypot(*np.moveaxis(steps, -1, 0)) < 1.01]
    size = float(centroid_size(points[None])[0])
    there = np.isfinite(points).all(-1)
    result = np.full((len(points), 4 * len(RADII)), np.nan)
    parts = []
    for radius in RADII:
        places = points[there, None] + disc * max(radius * size, 1.0)
        seen = [
            map_coordinates(
                pixels[..., c].astype(np.float64) / 255, [places[..., 1], places[..., 0]], order=1, mode="nearest"
            )
            for c in range(3)
        ]
        contrast = np.log(np.mean(seen, axis=0).std(-1) + 0.01)
        parts += [*(colour.mean(-1) for colour in seen), contrast]
    if there.any():
        result[there] = np.stack(parts, -1)
    return result


def off_the_specimen(surroundings: FloatArray, names: Sequence[str]) -> list[Finding]:
    """Configurations, or single landmarks, whose surroundings are unlike those in the other photographs.

    Args:
        surroundings: (N, K, D) as `describe` gives them; NaN = unknown.
        names: (N,) of the specimens.
    """
    n, k = surroundings.shape[:2]
    if n < LEAST:
        return []
    strangeness = np.stack([_strangeness(surroundings[:, at]) for at in range(k)], axis=1)
    times = strangeness / np.nanmedian(strangeness, axis=0)
    known = np.isfinite(times).any(1)
    overall = np.full(n, np.nan)
    overall[known] = np.nanmedian(times[known], axis=1)
    overall /= np.nanmedian(overall)
    findings = []
    for i in map(int, np.flatnonzero(known)):
        strange = np.flatnonzero(np.nan_to_num(times[i]) > UNUSUAL)
        if k > 1 and overall[i] > UNUSUAL:
            evidence = (
                f"around {len(strange)} of {k} landmarks the picture looks unlike that around them in the others: "
                "shifted, or landmarks of another photograph?"
            )
            findings.append(Finding("off the specimen", i, names[i], float(2 * np.log(overall[i])), evidence))
        elif np.nan_to_num(times[i]).max() > ALONE:
            worst = int(np.nan_to_num(times[i]).argmax())
            evidence = f"around landmark {worst + 1} the picture looks unlike that around it in the others"
            change = Change("missing", landmarks=(worst,))
            severity = float(np.log(times[i, worst]))
            findings.append(Finding("off the specimen", i, names[i], severity, evidence, (worst,), change))
    return findings


def _strangeness(rows: FloatArray) -> FloatArray:
    """(N,) mean squared Mahalanobis distance per value of each row (N, D) from the others, the strangest left aside."""
    result = np.full(len(rows), np.nan)
    known = np.flatnonzero(np.isfinite(rows).all(1))
    if len(known) < LEAST:
        return result
    own = rows[known]
    middle = np.median(own, 0)
    own = (own - middle) / (1.4826 * np.median(np.abs(own - middle), 0) + 0.02)
    far = (own**2).mean(1)
    ordinary = far <= np.quantile(far, 1 - ASIDE)
    for at, number in enumerate(known):
        others = own[ordinary & (np.arange(len(own)) != at)]
        mean = others.mean(0)
        covariance = ledoit_wolf(others - mean, assume_centered=True)[0] + 0.1 * np.eye(own.shape[1])
        rest = own[at] - mean
        result[number] = rest @ np.linalg.solve(covariance, rest) / len(rest)
    return result
