"""Landmarks moved to where the picture looks like the reference does at its landmark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pronotum.classical.segmentation import ByteImage
from pronotum.landmarks import FloatArray

BINS = 8
"""Bins of 45 degrees of the descriptor."""
CELLS = 3
"""The descriptor's patch has CELLS x CELLS cells."""
CLIP = 0.2


def correlate_legacy(
    model: ByteImage, scene: ByteImage, *, landmark: FloatArray, start: FloatArray, sides: tuple[int, int]
) -> FloatArray:
    """Where the square around a model landmark is found again near a place, without turning it.

    Args:
        model, scene: (H, W) grey.
        landmark: (2,) px of the model.
        start: (2,) px of the scene.
        sides: of the square that is correlated and of the one it is looked for in, px; both are cut off at the border
            of their picture.

    Returns:
        (2,) whole px; NaN where the squares do not fit.

    Source:
        Spec C.4: no mean is subtracted, so bright ground attracts.
    """
    template, search = sides
    patch, corner = _square(model, landmark, template)
    window, origin = _square(scene, start, search)
    if patch.size == 0 or any(inner > outer for inner, outer in zip(patch.shape, window.shape, strict=True)):
        return np.full(2, np.nan)
    score = cv2.matchTemplate(window, patch, cv2.TM_CCORR_NORMED)
    row, column = np.unravel_index(int(np.argmax(score)), score.shape)
    return np.asarray(origin + np.array([column, row]) + np.rint(landmark) - corner)


def correlate(
    model: ByteImage,
    scene: ByteImage,
    *,
    landmark: FloatArray,
    start: FloatArray,
    pose: FloatArray,
    sides: tuple[int, int],
) -> tuple[FloatArray, float]:
    """Where the square around a model landmark, turned and scaled by the pose, is found again near a place.

    Args:
        model, scene: (H, W) grey.
        landmark: (2,) px of the model.
        start: (2,) px of the scene.
        pose: (3, 3) from model to scene; only its turn and scale count.
        sides: of the square that is correlated and of the one it is looked for in, px of the scene.

    Returns:
        (2,) px to a fraction, and the correlation there on [-1, 1]; `start` and 0 where a square is featureless.

    Source:
        Spec C.4, mended.
    """
    template, search = sides
    half, reach = max(2, template // 2), max(1, (search - template) // 2)
    patch = upright_patch(model, landmark, pose, half)
    place = np.rint(start)
    window = upright_patch(scene, place, np.eye(3), half + reach)
    if patch.std() < 1 or window.std() < 1:
        return start, 0.0
    score = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    row, column = divmod(int(np.argmax(score)), score.shape[1])
    offset = _peak(np.asarray(score, dtype=np.float64), row, column)
    return place + offset - reach, float(score[row, column])


def upright_patch(picture: ByteImage, centre: FloatArray, pose: FloatArray, half: int) -> ByteImage:
    """Square of side 2 half + 1 px around a point, as it looks after the turn and scale of a pose."""
    linear = pose[:2, :2]
    matrix = np.column_stack([linear, half - linear @ centre])
    side = 2 * half + 1
    scaled_down = abs(np.linalg.det(linear)) < 0.7
    source = cv2.GaussianBlur(picture, (0, 0), 0.5 / abs(np.linalg.det(linear)) ** 0.5) if scaled_down else picture
    patch = cv2.warpAffine(source, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, dtype=np.uint8)


def descriptors(picture: FloatArray, cell: int, *, legacy: bool) -> FloatArray:
    """The 72-value descriptor of every pixel: 8 directions of the gradient in 3x3 cells around it.

    Args:
        picture: (H, W) brightness.
        cell: side of a cell in px; the patch has three.
        legacy: values below 0.2 are set to zero and the rest divided by the sum of squares, as published, instead of
            values above 0.2 being cut to it and the rest brought to length 1; directions are rounded up.

    Returns:
        (H - 3 cell, W - 3 cell, 72) for the pixels whose patch and its gradients lie inside; the first belongs to the
        pixel (a, a), a = 1 + (3 cell - 1) // 2.

    Source:
        Lowe (2004), simplified; spec C.5 step 7.
    """
    across = (picture[1:-1, 2:] - picture[1:-1, :-2]) / 2
    down = (picture[2:, 1:-1] - picture[:-2, 1:-1]) / 2
    degrees = np.degrees(np.arctan2(down, across)) % 360
    bins = np.ceil(degrees / 45) - 1 if legacy else np.floor(degrees / 45)
    bins = np.clip(bins, 0, BINS - 1)
    strength = np.hypot(across, down)
    stacked = np.stack([np.where(bins == which, strength, 0) for which in range(BINS)], axis=-1)
    sums = np.pad(stacked.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    boxes = sums[cell:, cell:] - sums[:-cell, cell:] - sums[cell:, :-cell] + sums[:-cell, :-cell]
    height, width = (side - 2 * cell for side in boxes.shape[:2])
    cells = [boxes[r * cell :, c * cell :][:height, :width] for r in range(CELLS) for c in range(CELLS)]
    values = np.concatenate(cells, axis=-1)
    values = values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)
    if legacy:
        values = np.where(values < CLIP, 0, values)
        return np.asarray(values / np.maximum((values**2).sum(-1, keepdims=True), 1e-12))
    values = np.minimum(values, CLIP)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))


def match_descriptor(
    model: FloatArray, scene: FloatArray, *, landmark: FloatArray, start: FloatArray, sides: tuple[int, int]
) -> FloatArray:
    """Place near `start` whose descriptor is nearest to that of a model landmark, as published.

    Args:
        model, scene: (H, W) contour images.
        landmark: (2,) px of the model.
        start: (2,) px of the scene.
        sides: of a cell of the descriptor and of the square searched, px.

    Returns:
        (2,) whole px. In a flat square all places are equal and the first, its top-left corner, is taken.

    Source:
        Spec C.5 step 7.
    """
    cell, search = sides
    around = 1 + (CELLS * cell - 1) // 2
    beyond = CELLS * cell + 2 - around
    patch = _window(model, np.rint(landmark), around, beyond)
    corner = np.rint(start) - search // 2
    window = _window(scene, corner, around, beyond + search - 1)
    wanted = descriptors(patch, cell, legacy=True)[0, 0]
    distance = np.linalg.norm(descriptors(window, cell, legacy=True) - wanted, axis=-1)
    row, column = np.unravel_index(int(np.argmin(np.round(distance, 12))), distance.shape)
    return np.asarray(corner + np.array([column, row]))


def match_turned_descriptor(
    model: ByteImage,
    scene: ByteImage,
    *,
    landmark: FloatArray,
    start: FloatArray,
    pose: FloatArray,
    sides: tuple[int, int],
) -> tuple[FloatArray, float]:
    """Place near `start` whose descriptor is nearest to that of a model landmark turned and scaled by the pose.

    Args:
        model, scene, landmark, start, pose: as for `correlate`.
        sides: of a cell of the descriptor and of the square searched, px of the scene.

    Returns:
        (2,) px to a fraction, and the agreement there on [0, 1]; `start` and 0 where a patch is featureless. Of equal
        places the one nearest to `start` is taken.

    Source:
        Spec C.5 step 7, mended: photographs instead of contour images, Lowe's clipping.
    """
    cell, search = sides
    reach = max(1, search // 2)
    around = 1 + (CELLS * cell - 1) // 2
    beyond = CELLS * cell + 2 - around
    half = max(around, beyond - 1)
    place = np.rint(start)
    patch = upright_patch(model, landmark, pose, half).astype(np.float64)
    window = upright_patch(scene, place, np.eye(3), half + reach).astype(np.float64)
    if patch.std() < 1 or window.std() < 1:
        return start, 0.0
    inner, outer = slice(half - around, half + beyond), slice(half - around, half + 2 * reach + beyond)
    wanted = descriptors(patch[inner, inner], cell, legacy=False)[0, 0]
    likeness = descriptors(window[outer, outer], cell, legacy=False) @ wanted
    rows, columns = np.indices(likeness.shape)
    far = np.hypot(rows - reach, columns - reach)
    best = int(np.lexsort((far.ravel(), -likeness.round(9).ravel()))[0])
    row, column = divmod(best, likeness.shape[1])
    offset = _peak(likeness, row, column)
    return place + offset - reach, float(np.clip(likeness[row, column], 0, 1))


def contour_image(points: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Picture of (width, height) px that is 255 at these points and 0 elsewhere; points outside are left out."""
    image = np.zeros((size[1], size[0]))
    columns, rows = np.rint(points).astype(np.int64).T
    inside = (columns >= 0) & (columns < size[0]) & (rows >= 0) & (rows < size[1])
    image[rows[inside], columns[inside]] = 255
    return image


def snap_legacy(point: FloatArray, contour: FloatArray) -> FloatArray:
    """The nearest contour pixel, or a nearer place on the lines to its two neighbours in order of y.

    Source:
        Spec C.5 step 8: both lists of neighbours are sorted by y (one was meant to be by x), so a line may cross the
        object.
    """
    ordered = contour[np.lexsort((contour[:, 0], contour[:, 1]))]
    nearest = int(np.argmin(((ordered - point) ** 2).sum(1)))
    best: FloatArray = ordered[nearest]
    for neighbour in (nearest - 1, nearest + 1):
        if 0 <= neighbour < len(ordered):
            candidate = _on_segment(point, ordered[nearest], ordered[neighbour])
            if ((candidate - point) ** 2).sum() < ((best - point) ** 2).sum():
                best = candidate
    return np.asarray(best, dtype=np.float64)


def snap(points: FloatArray, contour: FloatArray) -> FloatArray:
    """The places on a closed contour (N, 2) nearest to points (K, 2), to a fraction of a px; NaN stays NaN."""
    known = ~np.isnan(points[:, 0])
    snapped = points.copy()
    if not known.any():
        return snapped
    _, nearest = cKDTree(contour).query(points[known])
    here, before, after = contour[nearest], contour[nearest - 1], contour[(nearest + 1) % len(contour)]
    sides = np.stack(
        [
            [_on_segment(point, start, end) for point, start, end in zip(points[known], here, neighbour, strict=True)]
            for neighbour in (before, after)
        ]
    )
    distance = ((sides - points[known]) ** 2).sum(-1)
    snapped[known] = np.take_along_axis(sides, distance.argmin(0)[None, :, None], axis=0)[0]
    return snapped


def distance_to(contour: FloatArray, points: FloatArray) -> NDArray[np.float64]:
    """(K,) px of points from the nearest point of a contour; infinite where missing."""
    filled = np.where(np.isnan(points), np.inf, points)
    known = np.isfinite(filled[:, 0])
    result = np.full(len(points), np.inf)
    if known.any() and len(contour):
        result[known] = cKDTree(contour).query(points[known])[0]
    return result


def _square(picture: ByteImage, centre: FloatArray, side: int) -> tuple[ByteImage, FloatArray]:
    """Square around a point, cut off at the border, and its top-left pixel (x, y)."""
    corner = np.rint(centre) - side // 2
    (left, top), (right, bottom) = corner, corner + side
    high, wide = picture.shape
    left, right = max(0, int(left)), min(wide, int(right))
    top, bottom = max(0, int(top)), min(high, int(bottom))
    if right <= left or bottom <= top:
        return picture[:0, :0], np.zeros(2)
    return picture[top:bottom, left:right], np.array([left, top], dtype=np.float64)


def _window(picture: FloatArray, start: FloatArray, before: int, after: int) -> FloatArray:
    """Pixels from `before` left of and above a point to `after` px behind it, exclusive; 0 outside the picture."""
    left, top = (int(value) - before for value in start)
    side = before + after
    result = np.zeros((side, side))
    high, wide = picture.shape
    rows, columns = slice(max(0, top), min(high, top + side)), slice(max(0, left), min(wide, left + side))
    if rows.stop > rows.start and columns.stop > columns.start:
        found = picture[rows, columns]
        result[rows.start - top :, columns.start - left :][: found.shape[0], : found.shape[1]] = found
    return result


def _peak(values: FloatArray, row: int, column: int) -> FloatArray:
    """(x, y) of a maximum to a fraction of a cell."""
    return np.array([column + _vertex(values[row], column), row + _vertex(values[:, column], row)])


def _vertex(values: FloatArray, index: int) -> float:
    """Place of the vertex of the parabola through a maximum and its neighbours, from -0.5 to 0.5; 0 at the ends."""
    if not 0 < index < len(values) - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def _on_segment(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    step = end - start
    length = float(step @ step)
    along = np.clip((point - start) @ step / length, 0, 1) if length > 0 else 0.0
    return np.asarray(start + along * step)
