"""Exactly antialiased shapes, strokes, noise and lit chitin on a canvas of floats.

Colours are sRGB between 0 and 1. Points are px of the canvas in the frame of `pronotum.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from pronotum.landmarks import FloatArray

Raster = NDArray[np.float32]
Colour = tuple[float, float, float]


def coverage(polygons: Iterable[FloatArray], origin: tuple[int, int], shape: tuple[int, int]) -> Raster:
    """Share of every pixel that lies in the union of polygons, exact where they do not overlap.

    Every edge is cut at the borders of the pixels; a piece inside one pixel adds its signed area to that
    pixel and its height to all pixels on its right, which one running sum per row does for all at once.

    Args:
        polygons: closed (N, 2) outlines, the first point not repeated (repeating it does no harm).
        origin: (column, row) of the first pixel of the raster.
        shape: (rows, columns) of the raster.

    Returns:
        (rows, columns) values between 0 and 1.
    """
    rows, columns = shape
    starts, ends = [], []
    for polygon in polygons:
        points = polygon - np.asarray(origin) + 0.5
        following = np.roll(points, -1, axis=0)
        twice_area = np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0])
        starts.append(points if twice_area > 0 else following)
        ends.append(following if twice_area > 0 else points)
    pieces = _cut(np.concatenate(starts), np.concatenate(ends))
    middle = pieces.mean(axis=1)
    inside = (middle[:, 1] > 0) & (middle[:, 1] < rows)
    middle, height = middle[inside], (pieces[:, 1, 1] - pieces[:, 0, 1])[inside]
    x = np.clip(middle[:, 0], 0, columns)
    column = np.minimum(x.astype(np.int64), columns - 1)
    cell = middle[:, 1].astype(np.int64) * (columns + 1) + column
    size = rows * (columns + 1)
    sums = np.bincount(cell, height * (column + 1 - x), size)
    sums += np.bincount(cell + 1, height * (x - column), size)
    area = np.cumsum(sums.reshape(rows, columns + 1), axis=1)[:, :columns]
    return np.minimum(np.abs(area), 1.0).astype(np.float32)


def _cut(start: FloatArray, end: FloatArray) -> FloatArray:
    """Cut (E, 2) edges wherever they cross an integer x or y; (P, 2, 2) pieces."""
    edges, parameters = [np.repeat(np.arange(len(start)), 2)], [np.tile([0.0, 1.0], len(start))]
    for axis in (0, 1):
        low, high = np.minimum(start, end)[:, axis], np.maximum(start, end)[:, axis]
        first = np.floor(low) + 1
        count = np.maximum(np.ceil(high) - first, 0).astype(np.int64)
        edge = np.repeat(np.arange(len(start)), count)
        order = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        edges.append(edge)
        parameters.append((first[edge] + order - start[edge, axis]) / (end - start)[edge, axis])
    edge, parameter = np.concatenate(edges), np.concatenate(parameters)
    sequence = np.lexsort((parameter, edge))
    edge, parameter = edge[sequence], parameter[sequence]
    points = start[edge] + parameter[:, None] * (end - start)[edge]
    same = edge[1:] == edge[:-1]
    return np.stack([points[:-1][same], points[1:][same]], axis=1)


def stroke(line: FloatArray, width: ArrayLike) -> FloatArray:
    """Outline of a polyline drawn with a pen.

    Args:
        line: (N, 2) points.
        width: px, one or (N,) of them.

    Returns:
        (2N, 2) polygon.
    """
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    half = np.broadcast_to(np.asarray(width, dtype=np.float64) / 2, len(line))[:, None]
    normal = tangent[:, ::-1] * (-1.0, 1.0) * half
    return np.concatenate([line + normal, (line - normal)[::-1]])


def ellipse(centre: ArrayLike, radii: ArrayLike, angle: float = 0.0, n: int = 24) -> FloatArray:
    """Polygon of n points with the area of an ellipse; radii in px, angle in radians."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    swell = np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))
    x, y = swell * np.asarray(radii)[:, None] * np.stack([np.cos(turn), np.sin(turn)])
    cos, sin = np.cos(angle), np.sin(angle)
    ring = np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
    return np.asarray(ring + np.asarray(centre), dtype=np.float64)


def enlarge(raster: Raster, shape: tuple[int, int]) -> Raster:
    """Resize a smooth field to (rows, columns)."""
    image = Image.fromarray(raster).resize(shape[::-1], Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Patch:
    """The pixels a shape touches, and how much of each it covers; `cover` has the shape of the slices."""

    rows: slice
    columns: slice
    cover: Raster

    @property
    def origin(self) -> tuple[int, int]:
        """(column, row) of the first pixel."""
        return self.columns.start, self.rows.start

    def blurred(self, radius: float) -> Patch:
        """The same with soft edges, `radius` px wide; pad the patch for them."""
        return replace(self, cover=gaussian_filter(self.cover, radius))


@dataclass(frozen=True)
class Light:
    """A lamp and the highlight it makes where the surface leans its way.

    Attributes:
        lean: (x, y) slope of the surface that mirrors the lamp, 0 flat, about 1 at the rim.
        spread: how far around that slope the highlight reaches.
        strength: brightness added.
    """

    lean: tuple[float, float]
    spread: float
    strength: float


@dataclass(frozen=True)
class Groove:
    """A sunken (or with negative depth a raised) line or pit: polygons, edge softness in px, and depth."""

    polygons: Sequence[FloatArray]
    softness: float
    depth: float


@dataclass(frozen=True)
class Chitin:
    """A surface.

    Attributes:
        dark: colour away from the lamps.
        sheen: colour of highlights on the disc.
        rim: colour of highlights near the edge; metallic species change colour with the angle.
        roundness: radius in px over which the body falls off to its edge.
        wrinkles: strength of the microsculpture.
        gloss: strength of highlights.
    """

    dark: Colour
    sheen: Colour
    rim: Colour
    roundness: float
    wrinkles: float = 0.1
    gloss: float = 1.0


@dataclass(eq=False)
class Canvas:
    """A picture being painted.

    Attributes:
        pixels: (H, W, 3) float32.
        unit: px of the canvas per px of the part's frame.
        seed: of the picture's noise.
        lights: the lamps.
    """

    pixels: Raster
    unit: float
    seed: int
    lights: tuple[Light, ...] = ()
    _grains: dict[int, Raster] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def noise(self, cell: int) -> Raster:
        """(H, W) smooth noise of about unit variance whose bumps are `cell` px of the part's frame wide.

        The same noise appears, at its scale, whatever the size of the canvas.
        """
        if cell not in self._grains:
            lattice = (max(2, round(2448 / cell)), max(2, round(3264 / cell)))
            rng = np.random.default_rng([self.seed, cell])
            self._grains[cell] = enlarge(rng.standard_normal(lattice, dtype=np.float32), self.shape)
        return self._grains[cell]

    def patch(self, polygons: Sequence[FloatArray], margin: float = 1.0) -> Patch | None:
        """Coverage of the union of polygons on the pixels around them; None if all is outside."""
        points = np.concatenate(polygons)
        height, width = self.shape
        x0, y0 = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(points.max(axis=0) + margin) + 1, (width, height)).astype(int)
        if x1 - x0 < 3 or y1 - y0 < 3:
            return None
        cover = coverage(polygons, (x0, y0), (y1 - y0, x1 - x0))
        return Patch(slice(y0, y1), slice(x0, x1), cover)

    def blend(self, patch: Patch, colour: Raster | Colour, opacity: float = 1.0) -> None:
        """Lay a colour, or an (h, w, 3) field of colours, over the pixels of a patch."""
        region = self.pixels[patch.rows, patch.columns]
        region += (np.asarray(colour, dtype=np.float32) - region) * (opacity * patch.cover[..., None])

    def fill(
        self, polygons: Sequence[FloatArray], colour: Colour, *, opacity: float = 1.0, softness: float = 0.0
    ) -> None:
        """Fill polygons with a colour, their edges blurred by `softness` px."""
        patch = self.patch(polygons, 1 + 3 * softness)
        if patch is not None:
            self.blend(patch.blurred(softness) if softness else patch, colour, opacity)

    def edge(self, outline: FloatArray, width: float, colour: Colour, opacity: float) -> None:
        """Draw the border of a polygon, `width` px wide, all of it inside the polygon."""
        patch = self.patch([outline])
        if patch is not None:
            band = stroke(np.concatenate([outline, outline[:2]]), 2 * width)
            cover = patch.cover * coverage([band], patch.origin, patch.cover.shape)
            self.blend(replace(patch, cover=cover), colour, opacity)

    def cast_shadow(self, polygons: Sequence[FloatArray], *, reach: float, strength: float) -> None:
        """Darken the ground around shapes that lie on it, `reach` px far."""
        patch = self.patch(polygons, 1 + 3 * reach)
        if patch is None:
            return
        step = max(1, int(reach / 4))
        soft = enlarge(gaussian_filter(_shrunk(patch.cover, step), reach / step), patch.cover.shape)
        self.pixels[patch.rows, patch.columns] *= 1 - strength * soft[..., None]

    def chitin(
        self,
        polygons: Sequence[FloatArray],
        surface: Chitin,
        grooves: Sequence[Groove] = (),
        *,
        rough: float = 0.0,
        dome: Sequence[FloatArray] | None = None,
    ) -> None:
        """Paint a domed, lit, finely wrinkled surface bounded exactly by polygons.

        Args:
            polygons: outline, px of the canvas.
            surface: colours and form.
            grooves: relief on the surface.
            rough: strength of larger wrinkles, most on the flanks.
            dome: outline of the whole vaulted body where the polygons are only a piece of it.
        """
        patch = self.patch(polygons, 2.0)
        if patch is None:
            return
        body = patch.cover if dome is None else coverage(dome, patch.origin, patch.cover.shape)
        lean_x, lean_y = _dome(body, surface.roundness)
        steep = np.minimum(np.hypot(lean_x, lean_y), 1.2)
        for groove in grooves:
            sunk = coverage(groove.polygons, patch.origin, patch.cover.shape)
            slope_y, slope_x = np.gradient(gaussian_filter(sunk, groove.softness))
            lean_x += slope_x * (groove.depth * groove.softness)
            lean_y += slope_y * (groove.depth * groove.softness)
        clouds = self.noise(400)[patch.rows, patch.columns]
        rugged = rough * np.clip(0.25 + 0.8 * steep + 0.5 * clouds, 0.1, 2)
        for cell, strength in ((11, surface.wrinkles), (16, rugged)) if rough else ((11, surface.wrinkles),):
            slope_y, slope_x = np.gradient(self.noise(cell)[patch.rows, patch.columns])
            lean_x += slope_x * (strength * (cell * self.unit))
            lean_y += slope_y * (strength * (cell * self.unit))
        colours = self._lit(lean_x, lean_y, np.clip(steep + 0.12 * clouds, 0, 1.2), surface)
        self.blend(patch, colours)

    def _lit(self, lean_x: Raster, lean_y: Raster, steep: Raster, surface: Chitin) -> Raster:
        """(h, w, 3) colours of a surface of given slopes."""
        sheen, rim, dark = (np.array(c, dtype=np.float32) for c in (surface.sheen, surface.rim, surface.dark))
        shine = np.zeros_like(steep)
        for light in self.lights:
            away = (lean_x - light.lean[0]) ** 2 + (lean_y - light.lean[1]) ** 2
            shine += light.strength * np.exp(-away / (2 * light.spread**2))
        shine *= surface.gloss
        turn = np.clip(1.6 * steep - 0.35, 0, 1)[..., None]
        metal = sheen + (rim - sheen) * turn
        shade = (1.1 - 0.55 * steep)[..., None] * dark
        lit = shade + shine[..., None] * metal
        lit += (np.maximum(shine - 0.6, 0) * 0.6)[..., None]
        return np.asarray(lit, dtype=np.float32)


def _shrunk(raster: Raster, step: int) -> Raster:
    """Means over squares of about `step` px."""
    shape = (-(-raster.shape[1] // step), -(-raster.shape[0] // step))
    return np.array(Image.fromarray(raster).resize(shape, Image.Resampling.BOX), dtype=np.float32)


def _dome(cover: Raster, radius: float) -> tuple[Raster, Raster]:
    """Slopes (x, y) of a body that falls off to its edge over `radius` px; outwards, about 1 at the edge."""
    step = max(1, int(radius / 16))
    small = _shrunk(cover, step)
    lean_x, lean_y = np.zeros_like(small), np.zeros_like(small)
    for part, weight in ((0.35, 0.9), (1.0, 1.5)):
        sigma = part * radius / step
        slope_y, slope_x = np.gradient(gaussian_filter(small, sigma, mode="nearest"))
        lean_x -= weight * sigma * slope_x
        lean_y -= weight * sigma * slope_y
    return enlarge(lean_x, cover.shape), enlarge(lean_y, cover.shape)
