"""Which pixels belong to the specimen, or why that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

ByteImage = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Polarity = Literal["dark", "bright"]

LEAST_SEPARATION = 25.0
"""Grey levels between the means of specimen and ground, below which there is no specimen."""
LEAST_AREA, MOST_AREA = 0.01, 0.75
"""Share of the picture that a specimen may cover."""
MOST_BORDER = 0.06
"""Share of the picture's border that a specimen may cover: a mandible's tendon covers 2 %, half an animal 10 %."""
LEAST_COMPACTNESS = 0.08
"""4 pi area / perimeter^2; 1 for a disc, 0.3 to 0.5 for a mandible, below 0.05 for grid paper."""
MOST_SECOND = 0.5
"""Area of the second largest object / area of the largest."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A specimen told from its ground.

    Attributes:
        mask: (H, W) True on the specimen.
        threshold: grey level; dark objects are at or below it, bright ones above.
        polarity: whether the specimen is darker or brighter than the ground.
        failure: in one phrase why the mask is not to be trusted; "" where it is. Always "" in legacy mode.
    """

    mask: Mask
    threshold: int
    polarity: Polarity
    failure: str


def to_grey(pixels: ByteImage) -> ByteImage:
    """Luminance round(0.299 R + 0.587 G + 0.114 B) of (H, W, 3) RGB, as (H, W).

    Source:
        ITU-R BT.601; spec C.1 step 1.
    """
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def histogram_threshold(grey: ByteImage) -> int:
    """The published rule: halfway between the modes of dark and bright and the valley between them.

    Args:
        grey: (H, W).

    Returns:
        T of [0, 255]; the object is where grey <= T.

    Source:
        Spec C.1 step 2.
    """
    counts = np.bincount(grey.ravel(), minlength=256)
    mean = int(np.arange(256) @ counts / counts.sum())
    median = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    first = min(mean, median)
    first = max(1, first - 25 if first >= 120 else first - 5)
    second = max(mean, median)
    dark = int(np.argmax(counts[:first]))
    valley = dark + int(np.argmin(counts[dark : max(second, dark + 1)]))
    bright = second + int(np.argmax(counts[second:]))
    return ((valley + dark) // 2 + (valley + bright) // 2) // 2


def otsu_threshold(grey: ByteImage) -> int:
    """The threshold that separates two classes of grey best; the dark one is where grey <= T.

    Source:
        Otsu (1979).
    """
    threshold, _ = cv2.threshold(np.ascontiguousarray(grey), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return int(threshold)


def segment_legacy(grey: ByteImage) -> Segmentation:
    """Everything at or below the histogram threshold, with holes filled row by row, whatever it is.

    Dark on bright only, several objects are taken for one, and nothing says when it fails.

    Args:
        grey: (H, W).

    Source:
        Spec C.1 steps 2 to 4.
    """
    threshold = histogram_threshold(grey)
    return Segmentation(fill_rows(grey <= threshold), threshold, "dark", "")


def segment(
    grey: ByteImage, *, rule: Literal["otsu", "histogram"] = "otsu", polarity: Polarity | Literal["auto"] = "auto"
) -> Segmentation:
    """The largest object, its holes filled, and whether that is a specimen at all.

    Args:
        grey: (H, W).
        rule: of the threshold.
        polarity: "auto" takes what most of the picture's border shows for the ground.

    Source:
        Spec C.1, mended: largest component, either polarity, and a reason where there is no specimen.
    """
    threshold = otsu_threshold(grey) if rule == "otsu" else histogram_threshold(grey)
    dark = grey <= threshold
    if polarity == "auto":
        polarity = "bright" if dark[_border(dark.shape)].mean() > 0.5 else "dark"
    objects = dark if polarity == "dark" else ~dark
    separation = 0.0 if dark.all() or not dark.any() else float(grey[~dark].mean() - grey[dark].mean())
    if separation < LEAST_SEPARATION:
        failure = f"specimen and ground differ by only {separation:.0f} grey levels"
        return Segmentation(np.zeros(grey.shape, dtype=bool), threshold, polarity, failure)
    mask, second = largest(objects)
    return Segmentation(mask, threshold, polarity, why_unusable(mask, second))


def largest(objects: Mask) -> tuple[Mask, float]:
    """The largest connected object with its holes filled, and the area of the second largest as a share of it.

    Thin links of a few thousandths of the width, as single hairs, do not connect.
    """
    radius = max(1, round(objects.shape[1] / 800))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(objects.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return np.zeros(objects.shape, dtype=bool), 0.0
    areas = statistics[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")
    second = float(areas[order[1]] / areas[order[0]]) if len(order) > 1 else 0.0
    return ndimage.binary_fill_holes(labels == order[0] + 1), second


def why_unusable(mask: Mask, second: float = 0.0) -> str:
    """Why a mask cannot be the outline of one whole specimen; "" where it can.

    Args:
        mask: (H, W) one object, holes filled.
        second: area of the second largest object / area of this one.
    """
    area = float(mask.mean())
    if area < LEAST_AREA:
        return f"no object: the largest covers {area:.1%} of the picture"
    if area > MOST_AREA:
        return f"the object fills {area:.0%} of the picture, no ground left to tell it from"
    border = float(mask[_border(mask.shape)].mean())
    if border > MOST_BORDER:
        return f"the object is cut off: it covers {border:.0%} of the picture's border"
    if second > MOST_SECOND:
        return "several objects of like size"
    roundness = compactness(mask)
    if roundness < LEAST_COMPACTNESS:
        return f"the outline is ragged (grid paper, legs or debris; compactness {roundness:.2f})"
    return ""


def compactness(mask: Mask) -> float:
    """4 pi area / perimeter^2 of a mask, its outline smoothed over a thousandth of the width."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return 0.0
    perimeter = sum(cv2.arcLength(cv2.approxPolyDP(part, mask.shape[1] / 1000, True), True) for part in found)
    return float(4 * np.pi * mask.sum() / perimeter**2) if perimeter else 0.0


def fill_rows(objects: Mask, most: int = 10) -> Mask:
    """Fill holes as published: row by row from the top, following the ends of each run of ground.

    A run of ground with object at both ends is painted where the row above it is all object, or where it continues
    a painted run whose ends moved by no more than `most` px. A bay that opens downwards is painted too, down to where
    it widens; a hole whose top is not flat stays.

    Source:
        Spec C.1 step 4, as we read it.
    """
    filled = objects.copy()
    above: list[tuple[int, int]] = []
    solid = np.zeros(objects.shape[1] + 1, dtype=np.int64)
    for row, original in zip(filled, objects, strict=True):
        steps = np.flatnonzero(np.diff(original))
        painted = []
        if len(steps) > 1:
            begins = steps[:-1] + 1
            for start, stop in zip(begins, steps[1:] + 1, strict=True):
                if original[start]:
                    continue
                covered = solid[stop] - solid[start] == stop - start
                follows = any(abs(start - left) <= most and abs(stop - right) <= most for left, right in above)
                if covered or follows:
                    row[start:stop] = True
                    painted.append((int(start), int(stop)))
        above = painted
        np.cumsum(original, out=solid[1:])
    return filled


def _border(shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column numbers of the pixels on the border of a picture."""
    height, width = shape[:2]
    rows = np.concatenate([np.zeros(width), np.full(width, height - 1), np.arange(height), np.arange(height)])
    columns = np.concatenate([np.arange(width), np.arange(width), np.zeros(height), np.full(height, width - 1)])
    return rows.astype(np.intp), columns.astype(np.intp)
