"""Draw photographs of ground beetles whose landmarks are known exactly.

    specimen = draw("pronotum", seed=7)
    specimen.image, specimen.points

Chance is split into independent streams, so the same seed gives the same beetle (shape, colour, pose,
clutter) at every size, and its landmarks at two sizes of one aspect ratio differ by `geometry.scaling` and
nothing else. The five parts of one seed share colour and light; their shapes vary independently.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter
from scipy.interpolate import RBFInterpolator

from pronotum.errors import UserError, counted, did_you_mean
from pronotum.geometry import enlargement, letterbox, scaling, similarity, transform, translation
from pronotum.landmarks import FloatArray, as_points
from pronotum.synthetic.look import Look
from pronotum.synthetic.painting import Canvas, enlarge
from pronotum.synthetic.scenes import Scene, paint
from pronotum.synthetic.shapes import FRAME, PARTS, Mode, Part

__all__ = ["FRAME", "PARTS", "Mode", "Part", "Specimen", "draw", "true_points", "write_collection"]

_PAINTED_WIDTH = 1700
"""Pictures wider than this are painted at half size or less: the defocus of a microscope hides the rest."""

_MARGIN = 40.0
"""Least distance of a landmark from the edge, px of the part's frame."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A drawn photograph and the truth about it.

    Attributes:
        part: what is drawn.
        image: (H, W, 3) uint8, sRGB.
        points: (K, 2) px of the picture, y down, (0, 0) = centre of the top-left pixel; exact.
        coefficients: (J,) of the part's modes; zeros where the configuration was given.
        pose: (3, 3) matrix from the part's frame to px of the picture; transforming `points` by its inverse
            gives mean + coefficients @ basis exactly, unless the configuration was given.
    """

    part: Part
    image: NDArray[np.uint8]
    points: FloatArray
    coefficients: FloatArray
    pose: FloatArray


def draw(
    part: str,
    seed: int | Sequence[int],
    *,
    size: tuple[int, int] = FRAME,
    points: ArrayLike | None = None,
    grid_paper: bool | None = None,
) -> Specimen:
    """Draw one specimen.

    Args:
        part: a key of `PARTS`.
        seed: not negative; specimen i of a collection has seed [seed, i], and [seed, 0] is seed.
        size: (width, height) px of the picture.
        points: (K, 2) draw around this configuration, px of the picture, NaN = missing, instead of around a
            shape drawn by chance; what has no landmark follows by a thin-plate spline.
        grid_paper: whether the animal lies beside grid paper; None leaves it to the seed (elytra: mostly).

    Raises:
        UserError: no such part, or the configuration does not fit the part.
    """
    what = _part(part)
    look_rng, shape_rng, scene_rng, noise_rng = _streams(what, seed)
    look = Look.of(look_rng)
    if points is None:
        coefficients, pose = _shape(what, size, shape_rng)
        truth = transform(pose, what.displace(what.mean, coefficients))
        place = _by_modes(what, coefficients, pose)
    else:
        truth, coefficients = _given(what, points), np.zeros(len(what.modes))
        pose = _best_similarity(what.mean, truth)
        place = _by_spline(what.mean, truth)
    usually = scene_rng.random() < 0.7
    on_grid = usually and part == "elytra" if grid_paper is None else grid_paper

    shrink = max(1, -(-size[0] // _PAINTED_WIDTH))
    width, height = (-(-side // shrink) for side in size)
    to_canvas = scaling(width / size[0], height / size[1])
    unit = enlargement(to_canvas @ pose)
    pixels = np.empty((height, width, 3), dtype=np.float32)
    canvas = Canvas(pixels, unit, int(scene_rng.integers(2**31)), look.lights)
    paint(Scene(canvas, lambda curve: transform(to_canvas, place(curve)), what, look, scene_rng), on_grid)
    image = _photograph(canvas, look, size, noise_rng)
    return Specimen(what, image, as_points(truth), coefficients, pose)


def true_points(part: str, seed: int | Sequence[int], *, size: tuple[int, int] = FRAME) -> FloatArray:
    """The landmarks of `draw(part, seed, size=size)` without the drawing: (K, 2) px of the picture.

    Raises:
        UserError: no such part.
    """
    what = _part(part)
    coefficients, pose = _shape(what, size, _streams(what, seed)[1])
    return as_points(transform(pose, what.displace(what.mean, coefficients)))


def write_collection(
    folder: str | Path, part: str, *, n: int, seed: int = 0, size: tuple[int, int] = FRAME, quality: int = 92
) -> list[tuple[str, FloatArray]]:
    """Write n specimens as JPEG files to `folder/images`.

    Args:
        folder: created where it does not exist.
        part: a key of `PARTS`.
        n: number of specimens; a smaller collection of the same seed is the beginning of a larger one.
        seed: not negative.
        size: (width, height) px.
        quality: of the JPEG, 1 to 95.

    Returns:
        File name (without folder) and (K, 2) landmarks, px of the picture, of each specimen.
    """
    images = Path(folder) / "images"
    images.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(n):
        specimen = draw(part, [seed, number], size=size)
        name = f"{part}_{number + 1:03d}.jpg"
        unfinished = images / f".{name}.part"
        Image.fromarray(specimen.image).save(unfinished, format="JPEG", quality=quality, subsampling=0)
        os.replace(unfinished, images / name)
        written.append((name, specimen.points))
    return written


def _part(name: str) -> Part:
    if name not in PARTS:
        raise UserError("synthetic beetle", found=f"no part '{name}'", remedy=did_you_mean(name, PARTS))
    return PARTS[name]


def _streams(part: Part, seed: int | Sequence[int]) -> list[np.random.Generator]:
    """Chance for the look, which all parts of a beetle share, and for the part's shape, scene and noise."""
    look, *parts = np.random.default_rng(seed).spawn(1 + len(PARTS))
    return [look, *parts[list(PARTS).index(part.name)].spawn(3)]


def _normal(rng: np.random.Generator, sd: ArrayLike) -> NDArray[Any]:
    """Normal deviates, those beyond 2.5 standard deviations pulled back to there."""
    scale = np.asarray(sd, dtype=np.float64)
    return np.clip(rng.standard_normal(scale.shape), -2.5, 2.5) * scale


def _shape(part: Part, size: tuple[int, int], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(J,) coefficients, and the matrix from the part's frame to px of the picture; all landmarks inside."""
    coefficients = _normal(rng, [mode.sd for mode in part.modes])
    angle, growth, right, down = _normal(rng, [np.radians(4), 0.04, 90, 45])
    centre = np.array([(FRAME[0] - 1) / 2, (FRAME[1] - 1) / 2])
    pose = translation(*centre) @ similarity(angle, 1 + growth, (0, 0))
    landmarks = transform(pose, part.displace(part.mean, coefficients))
    least = _MARGIN - landmarks.min(axis=0)
    most = np.array(FRAME) - 1 - _MARGIN - landmarks.max(axis=0)
    pose = translation(*np.clip((right, down), least, np.maximum(least, most))) @ pose
    return coefficients, letterbox(FRAME, size) @ pose


def _by_modes(part: Part, coefficients: FloatArray, pose: FloatArray) -> Callable[[FloatArray], FloatArray]:
    return lambda curve: transform(pose, part.displace(curve, coefficients))


def _given(part: Part, points: ArrayLike) -> FloatArray:
    truth = as_points(points)
    expected = part.scheme.n_landmarks
    present = int((~np.isnan(truth[:, 0])).sum())
    if len(truth) != expected or present < 3:
        found = f"{counted(len(truth), 'landmark')}, {present} of them present"
        wanted = f"{expected}, 3 or more of them present"
        raise UserError(f"configuration of a {part.name}", found=found, expected=wanted)
    return truth


def _best_similarity(source: FloatArray, target: FloatArray) -> FloatArray:
    """Least-squares turn, size and shift from source to target (K, 2); missing landmarks are left out."""
    there = ~np.isnan(target[:, 0])
    a, b = (points[there] @ np.array([1, 1j]) for points in (source, target))
    turn = np.vdot(a - a.mean(), b - b.mean()) / np.vdot(a - a.mean(), a - a.mean())
    shift = b.mean() - turn * a.mean()
    (cos, sin), (right, down) = (turn.real, turn.imag), (shift.real, shift.imag)
    return np.array([[cos, -sin, right], [sin, cos, down], [0.0, 0.0, 1.0]])


def _by_spline(source: FloatArray, target: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Thin-plate spline that takes source to target (K, 2) exactly; missing landmarks are left out."""
    there = ~np.isnan(target[:, 0])
    warp = RBFInterpolator(source[there], target[there], kernel="thin_plate_spline")
    return lambda curve: np.asarray(warp(curve), dtype=np.float64)


def _photograph(canvas: Canvas, look: Look, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the camera makes of a painted canvas: veil, vignette, defocus, noise; (H, W, 3) uint8."""
    pixels, (height, width) = canvas.pixels, canvas.shape
    y, x = np.ogrid[-1:1:48j, -1:1:64j]
    light = (1.04 - look.vignette * (x**2 + y**2) / 2).astype(np.float32)
    pixels *= 1 - look.haze
    pixels += look.haze * np.asarray(look.paper, dtype=np.float32)
    pixels *= enlarge(light, (height, width))[..., None]
    np.clip(pixels, 0, 1, out=pixels)
    pixels *= 255
    pixels += 0.5
    photograph = Image.fromarray(pixels.astype(np.uint8))
    photograph = photograph.filter(ImageFilter.GaussianBlur(look.focus * canvas.unit))
    if photograph.size != size:
        photograph = photograph.resize(size, Image.Resampling.BICUBIC)
    noise = rng.standard_normal((size[1], size[0]), dtype=np.float32)
    noise *= look.noise
    values = np.asarray(photograph).astype(np.int16)
    values += np.rint(noise, out=noise).astype(np.int16)[..., None]
    return np.clip(values, 0, 255, out=values).astype(np.uint8)
