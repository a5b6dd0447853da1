"""Photographs: the same one under two names, one unlike all others, landmarks outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.covariance import ledoit_wolf

from pronotum.doctor.finding import Change, Finding
from pronotum.landmarks import FloatArray

SIDE = 17
"""Side of the small grey pictures that are compared."""
ALIKE = 0.985
"""Likeness of two small pictures from which they are one photograph; wings or shells taken alike reach 0.976."""
UNUSUAL = 10.0
"""How many times as unusual as most a photograph must look."""
LEAST = 8


def fingerprints(thumbnails: FloatArray) -> FloatArray:
    """Unit vectors (N, 544) whose products say how alike small grey pictures (N, 17, 17) are, whatever their light.

    Differences of neighbouring places, as in the perceptual hash of that name, but not cut down to bits.
    """
    across, down = np.diff(thumbnails, axis=2), np.diff(thumbnails, axis=1)
    rows = np.concatenate([across.reshape(len(across), -1), down.reshape(len(down), -1)], 1)
    unit: FloatArray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def same_photographs(
    digests: Sequence[str], thumbnails: FloatArray, points: FloatArray, names: Sequence[str], files: Sequence[str]
) -> list[Finding]:
    """Records whose photographs are the same, whatever their names.

    Args:
        digests: (N,) of the files' content.
        thumbnails: (N, 17, 17) small grey pictures.
        points: (N, K, 2) px.
        names: (N,) of the specimens.
        files: (N,) of the photographs.
    """
    prints = fingerprints(thumbnails)
    findings = []
    for i in range(len(names)):
        alike = np.flatnonzero(prints[:i] @ prints[i] > ALIKE)
        same = [j for j in range(i) if digests[j] == digests[i]]
        for j in sorted({*same, *map(int, alike)}):
            away = np.linalg.norm(points[i] - points[j], axis=-1)
            apart = f", landmarks {np.nanmean(away):.1f} px apart on average" if np.isfinite(away).any() else ""
            exact = digests[i] == digests[j]
            if exact and files[i] == files[j]:
                if not np.nanmax(away, initial=0.0) < 0.2 * np.nanmax(np.ptp(points[i], axis=0)):
                    continue  # several specimens on one photograph
                evidence = f"the same photograph as {names[j]}{apart}"
                findings.append(Finding("digitised twice", i, names[i], 8.0, evidence, (), Change("remove"), j))
            else:
                how = "byte for byte the photograph" if exact else "nearly the same picture as that"
                evidence = f"{how} of {names[j]}{apart}"
                findings.append(
                    Finding(
                        "duplicate photograph", i, names[i], 9.0 if exact else 5.0, evidence, (), Change("remove"), j
                    )
                )
    return findings


def same_specimens(points: FloatArray, names: Sequence[str], files: Sequence[str]) -> list[Finding]:
    """Records with the same coordinates on different photographs.

    Args:
        points: (N, K, 2) px.
        names: (N,) of the specimens.
        files: (N,) of the photographs, "" = unknown.
    """
    findings = []
    for i in range(len(points)):
        for j in range(i):
            away = np.linalg.norm(points[i] - points[j], axis=-1)
            extent = np.nanmax(np.ptp(points[i], axis=0), initial=0.0)
            if np.isfinite(away).any() and np.nanmax(away) <= 1e-3 * extent and (files[i] != files[j] or not files[i]):
                evidence = f"the same coordinates as {names[j]}, to {np.nanmax(away):.2g} px"
                findings.append(Finding("digitised twice", i, names[i], 8.0, evidence, (), Change("remove"), j))
    return findings


def strange_photographs(described: FloatArray, names: Sequence[str]) -> list[Finding]:
    """Photographs that look unlike all the others: another part, a blank picture, a drawing.

    Args:
        described: (N, D) descriptions (`pictures.describe`).
        names: (N,) of the specimens.
    """
    if len(described) < LEAST:
        return []
    middle = np.median(described, 0)
    scale = 1.4826 * np.median(np.abs(described - middle), 0) + 1e-2
    rest = (described - middle) / scale
    distance = np.array([_unusual(rest[i], np.delete(rest, i, axis=0)) for i in range(len(rest))])
    times = distance / np.median(distance)
    findings = []
    for i in map(int, np.flatnonzero(times > UNUSUAL)):
        evidence = f"its colours, sharpness and layout are {times[i]:.0f} times as unusual as those of most"
        findings.append(Finding("photograph", i, names[i], float(np.log(times[i])), evidence))
    return findings


def _unusual(row: FloatArray, others: FloatArray) -> float:
    """Mean squared Mahalanobis distance of a row (D,) from others (M, D), per value."""
    covariance = ledoit_wolf(others, assume_centered=True)[0] + 0.05 * np.eye(len(row))
    return float(row @ np.linalg.solve(covariance, row) / len(row))


def outside(points: FloatArray, sizes: Sequence[tuple[int, int] | None], names: Sequence[str]) -> list[Finding]:
    """Landmarks that lie outside their photograph."""
    findings = []
    for i, size in enumerate(sizes):
        if size is None:
            continue
        beyond = np.flatnonzero(((points[i] < -0.5) | (points[i] > np.array(size) - 0.5)).any(1))
        if len(beyond):
            which = ", ".join(str(k + 1) for k in beyond)
            evidence = f"landmark {which} outside the photograph of {size[0]}x{size[1]} px"
            gone = tuple(map(int, beyond))
            findings.append(Finding("outside", i, names[i], 7.0, evidence, gone, Change("missing", landmarks=gone)))
    return findings
