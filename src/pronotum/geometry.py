"""The coordinate convention, and the 3x3 matrices that move images and points together.

Frame: columns (x, y) in px, y down, (0, 0) is the centre of the top-left pixel; the picture therefore covers
[-0.5, W - 0.5] x [-0.5, H - 0.5]. A matrix acts on column vectors (x, y, 1). Scaling a picture is scaling about
the corner (-0.5, -0.5): naive x * W' / W is wrong by half-pixel terms, 5.9 px of a 3264 px photograph at 256.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pronotum.landmarks import FloatArray

PAPER_FRAME = (256, 192)
"""Width and height in px of the frame in which the paper reports errors (Le et al., section 4)."""


def transform(matrix: ArrayLike, points: ArrayLike) -> FloatArray:
    """Move points by a 3x3 matrix.

    Args:
        matrix: (..., 3, 3) affine matrix.
        points: (..., K, 2); NaN stays NaN.

    Returns:
        (..., K, 2) moved points.
    """
    values = np.asarray(points, dtype=np.float64)
    affine = np.asarray(matrix, dtype=np.float64)
    moved: FloatArray = values @ np.swapaxes(affine[..., :2, :2], -1, -2) + affine[..., None, :2, 2]
    return moved


def translation(x: float, y: float) -> FloatArray:
    """Matrix that moves by (x, y) px."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scaling(x: float, y: float | None = None) -> FloatArray:
    """Matrix that resizes a picture by factors about its top-left corner (-0.5, -0.5)."""
    y = x if y is None else y
    return np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])


def similarity(angle: float, factor: float, centre: ArrayLike) -> FloatArray:
    """Matrix that turns and scales about a point.

    Args:
        angle: radians, clockwise as seen on the picture.
        factor: size after / size before.
        centre: (x, y), the point that stays.
    """
    cos, sin = factor * math.cos(angle), factor * math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.asarray(centre) - linear @ np.asarray(centre)
    return matrix


def enlargement(matrix: FloatArray) -> float:
    """How much larger a similarity, 3x3, makes things."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def letterbox(size: tuple[int, int], frame: tuple[int, int]) -> FloatArray:
    """Matrix that fits a whole picture into a frame, aspect ratio kept, centred.

    Args:
        size: (width, height) px of the picture.
        frame: (width, height) px of the frame.
    """
    factor = min(frame[0] / size[0], frame[1] / size[1])
    margin = [(outer - factor * inner) / 2 for inner, outer in zip(size, frame, strict=True)]
    return translation(*margin) @ scaling(factor)


def flip_y(points: ArrayLike, height: int | None) -> FloatArray:
    """Change between y up (tpsDig: origin bottom-left) and y down, y' = height - y; its own inverse.

    Args:
        points: (..., 2); NaN stays NaN.
        height: px of the photograph after EXIF orientation; None where it is not known: y' = -y.
    """
    flipped = np.array(points, dtype=np.float64)
    flipped[..., 1] = (height or 0) - flipped[..., 1]
    return flipped


def paper_px(size: tuple[int, int]) -> float:
    """Px of the paper's 256x192 frame per px of a photograph of this size, letterboxed."""
    return min(PAPER_FRAME[0] / size[0], PAPER_FRAME[1] / size[1])
