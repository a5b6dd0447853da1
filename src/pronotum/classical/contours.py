"""Outlines of a mask: edge pixels, contours, and the line segments they are made of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pronotum.classical.segmentation import Mask
from pronotum.landmarks import FloatArray

MOST_SEGMENTS = 1500
"""Of more, the longest are kept: everything after compares all pairs. No specimen comes near, noise does."""


def edges(mask: Mask, threshold: int) -> Mask:
    """Edge pixels of a mask by Canny's detector, (H, W).

    Args:
        mask: (H, W).
        threshold: of the segmentation; low threshold of the hysteresis, three times as much is the high one.

    Source:
        Spec C.1 step 5: 3x3 Sobel, L1 norm, no smoothing, on the picture of 0 (object) and 255 (ground).
    """
    binary = np.where(mask, 0, 255).astype(np.uint8)
    return np.asarray(cv2.Canny(binary, threshold, 3 * threshold, apertureSize=3, L2gradient=False) > 0)


def edge_points(edge: Mask) -> FloatArray:
    """(N, 2) px (x, y) of edge pixels, row by row."""
    rows, columns = np.nonzero(edge)
    return np.stack([columns, rows], axis=1).astype(np.float64)


def edge_contours(edge: Mask) -> list[FloatArray]:
    """All contours that follow the edge pixels, one (N, 2) px each; a closed edge has one on either side.

    Source:
        Suzuki & Abe (1985); spec C.1 step 6.
    """
    found, _ = cv2.findContours(edge.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour[:, 0], dtype=np.float64) for contour in found]


def outline(mask: Mask) -> FloatArray:
    """The longest outer contour of a mask, (N, 2) px, closed, always in the same direction; (0, 2) of an empty one."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(found, key=len, default=np.zeros((0, 1, 2)))
    return np.asarray(longest[:, 0], dtype=np.float64)


def polyline(contour: FloatArray, tolerance: float) -> FloatArray:
    """Break points (M, 2) of a closed contour, which lies nowhere farther than `tolerance` px from the polyline.

    Source:
        Douglas & Peucker (1973); spec C.1 step 7.
    """
    if len(contour) < 3:
        return contour
    points = contour.astype(np.float32)[:, None]
    return np.asarray(cv2.approxPolyDP(points, tolerance, closed=True)[:, 0], dtype=np.float64)


def segments(contours: Sequence[FloatArray], tolerance: float) -> FloatArray:
    """Line segments (S, 2, 2) of closed contours: (segment, start and end, x and y), in the order of the contours."""
    pieces = []
    for contour in contours:
        points = polyline(contour, tolerance)
        if len(points) > 1:
            pieces.append(np.stack([points, np.roll(points, -1, axis=0)], axis=1))
    every = np.concatenate(pieces) if pieces else np.zeros((0, 2, 2))
    long = np.linalg.norm(every[:, 1] - every[:, 0], axis=1)
    chosen = np.sort(np.argsort(-long, kind="stable")[:MOST_SEGMENTS])
    return every[chosen]


def resample(contour: FloatArray, n: int) -> FloatArray:
    """n points (n, 2) at equal distances along a closed contour, from its first point on."""
    closed = np.concatenate([contour, contour[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.linspace(0, along[-1], n, endpoint=False)
    return np.stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def smooth(contour: FloatArray, sigma: float) -> FloatArray:
    """A closed contour (N, 2) smoothed along itself by a Gaussian of `sigma` points."""
    return np.asarray(gaussian_filter1d(contour, sigma, axis=0, mode="wrap"), dtype=np.float64)


def directions(contour: FloatArray) -> NDArray[np.float64]:
    """(N,) radians, direction of the tangent at each point of a closed contour, by central differences."""
    step = np.roll(contour, -1, axis=0) - np.roll(contour, 1, axis=0)
    return np.arctan2(step[:, 1], step[:, 0])
