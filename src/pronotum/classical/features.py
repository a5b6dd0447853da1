"""What is worked out about a photograph once, whatever it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pronotum import geometry
from pronotum.classical import contours, hough
from pronotum.classical.histograms import pairwise_histogram, smoothed
from pronotum.classical.segmentation import ByteImage, Segmentation, segment, segment_legacy, to_grey
from pronotum.classical.settings import Settings
from pronotum.landmarks import FloatArray

WORKING_WIDTH = 1632
"""Clean mode makes wider photographs smaller: half of the published size; landmarks come out as well."""
LINE_SMOOTHING = 5.0
"""Points of the outline over which it is smoothed before it is cut into lines."""


@dataclass(frozen=True, eq=False)
class Features:
    """A photograph as the method sees it, at the size at which it works.

    Attributes:
        grey: (H, W).
        matrix: (3, 3) from px of the photograph to px of `grey`.
        segmentation: of `grey`.
        points: (N, 2) px; legacy: edge pixels, clean: the outline in order.
        segments: (S, 2, 2) px, lines for the probabilistic Hough transform; clean: of the outline smoothed.
        histogram: pairwise geometric histogram; clean: smoothed.
        failure: why it cannot be used; "" where it can.
    """

    grey: ByteImage
    matrix: FloatArray
    segmentation: Segmentation
    points: FloatArray
    segments: FloatArray
    histogram: FloatArray
    failure: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.grey.shape[1], self.grey.shape[0]


def features(pixels: ByteImage, settings: Settings) -> Features:
    """Work out what a photograph is compared by.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        settings: the mode and the tolerance of the polylines count.
    """
    grey, matrix = to_grey(pixels), np.eye(3)
    tolerance = settings.px("polyline", grey.shape[1])
    if settings.mode == "legacy":
        found = segment_legacy(grey)
        edge = contours.edges(found.mask, found.threshold)
        points = contours.edge_points(edge)
        segments = contours.segments(contours.edge_contours(edge), tolerance)
        histogram = pairwise_histogram(segments)
        failure = "" if len(points) > 1 else "nothing is darker than the threshold: no edge to go by"
    else:
        grey, matrix = _smaller(grey)
        found = segment(grey)
        points = contours.outline(found.mask)
        tolerance = settings.px("polyline", grey.shape[1])
        histogram = smoothed(pairwise_histogram(contours.segments([points], tolerance)))
        # the bare polyline of a photograph is all steps of a px or two; the Hough transform needs lines
        segments = contours.segments([contours.smooth(points, LINE_SMOOTHING)], 2 * tolerance)
        failure = found.failure
    return Features(grey, matrix, found, points, segments, histogram, failure)


def _smaller(grey: ByteImage) -> tuple[ByteImage, FloatArray]:
    height, width = grey.shape
    if width <= WORKING_WIDTH:
        return grey, np.eye(3)
    size = (WORKING_WIDTH, max(1, round(height * WORKING_WIDTH / width)))
    resized = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8), geometry.scaling(size[0] / width, size[1] / height)


def lines(found: Features, settings: Settings) -> hough.Lines:
    """The line segments of a picture with the pairs that the probabilistic Hough transform looks at."""
    width = found.size[0]
    return hough.paired(
        found.segments,
        shortest=settings.px("shortest_line", width),
        least_angle=settings.least_angle,
        touching=settings.px("touching", width),
    )
