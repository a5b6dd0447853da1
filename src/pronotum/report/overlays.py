"""Landmarks drawn on photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pronotum import geometry, images
from pronotum.data import Dataset, Problem
from pronotum.files import replacing
from pronotum.landmarks import FloatArray

WIDTH = 1280
MANUAL = "#00e5ff"
PREDICTED = "#ff3b30"
DOUBT = "#ffd60a"
HALO = "#000000"


def overlay(
    photograph: Path,
    points: FloatArray,
    *,
    manual: FloatArray | None = None,
    radii: FloatArray | None = None,
    numbers: Sequence[int] | None = None,
    width: int = WIDTH,
    marks: float = 1.0,
) -> Image.Image:
    """A photograph with numbered landmarks.

    Args:
        photograph: the file.
        points: (K, 2) px of the photograph, drawn as red crosses, or as cyan circles where nothing is compared
            with them; NaN is left out.
        manual: (K, 2) landmarks to compare with, drawn as cyan circles joined to the crosses.
        radii: (K,) px of the photograph, drawn as yellow circles about the crosses; NaN is left out.
        numbers: (K,) of the landmarks, where they are not 1 to K.
        width: of the picture in px at most; small photographs are enlarged to half of it.
        marks: how many times as large as usual crosses, circles and numbers are; for pictures shown small.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    wide, high = images.size(photograph)
    factor = min(width / max(wide, high), 1.0) if max(wide, high) > width / 2 else width / 2 / max(wide, high)
    pixels, matrix = images.read_scaled(photograph, factor)
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    unit = marks * max(picture.size) / 320
    font = ImageFont.load_default(size=max(10.0, 3.4 * unit))
    shown = geometry.transform(matrix, points)
    beside = None if manual is None else geometry.transform(matrix, manual)
    if beside is not None:
        for start, end in zip(beside, shown, strict=True):
            if not (np.isnan(start).any() or np.isnan(end).any()):
                draw.line([*start, *end], fill="#ffd60a", width=max(1, round(unit / 2)))
        for place in beside:
            _ring(draw, place, unit, MANUAL)
    for place, radius in zip(shown, [] if radii is None else radii * matrix[0, 0], strict=radii is not None):
        if np.isfinite([*place, radius]).all():
            x, y = place
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=DOUBT, width=2)
    for number, place in zip(numbers or range(1, len(shown) + 1), shown, strict=True):
        if not np.isnan(place).any():
            _cross(draw, place, unit, PREDICTED)
            spot = (place[0] + 1.6 * unit, place[1] - 1.6 * unit)
            draw.text(spot, str(number), fill="white", font=font, anchor="ls", stroke_width=2, stroke_fill=HALO)
    return picture


def all_of(photograph: Path, specimens: Sequence[tuple[FloatArray, FloatArray]], path: Path) -> None:
    """Write the overlay of a photograph as PNG, with the landmarks (K, 2) and radii (K,) of each of its specimens."""
    points, radii = (np.concatenate(one) for one in zip(*specimens, strict=True))
    numbers = [number for own, _ in specimens for number in range(1, len(own) + 1)]
    _save(overlay(photograph, points, radii=radii, numbers=numbers), path)


def sheet(data: Dataset, path: Path, *, limit: int = 24, columns: int = 4) -> list[Problem]:
    """Write one picture with the landmarks on up to `limit` photographs, evenly chosen.

    Returns:
        the photographs that could not be decoded.
    """
    chosen = np.unique(np.linspace(0, len(data) - 1, min(limit, len(data))).round().astype(int))
    tiles, problems = [], []
    for index in chosen:
        try:
            tile = overlay(data.photographs[index], data.points[index], width=480)
        except images.UnreadablePhotograph as error:
            problems.append(Problem(error.where, str(error).removeprefix(f"{error.where}: ")))
        else:
            tiles.append((data.photographs[index].name, tile))
    if tiles:
        _save(contact_sheet(tiles, columns=columns), path)
    return problems


def contact_sheet(tiles: Sequence[tuple[str, Image.Image]], *, columns: int = 4) -> Image.Image:
    """Pictures side by side, each under its caption."""
    columns = min(columns, len(tiles))
    wide, high, line = max(t.width for _, t in tiles), max(t.height for _, t in tiles), 24
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * (wide + 8) + 8, rows * (high + line + 8) + 8), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for number, (caption, tile) in enumerate(tiles):
        left, top = 8 + number % columns * (wide + 8), 8 + number // columns * (high + line + 8)
        draw.text((left, top + 3), caption, fill="black", font=font)
        page.paste(tile, (left, top + line))
    return page


def _ring(draw: ImageDraw.ImageDraw, place: FloatArray, unit: float, colour: str) -> None:
    if np.isnan(place).any():
        return
    x, y = place
    for radius, shade, width in ((1.9 * unit, HALO, 3), (1.7 * unit, colour, 2)):
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=shade, width=width)


def _cross(draw: ImageDraw.ImageDraw, place: FloatArray, unit: float, colour: str) -> None:
    x, y = place
    for arm, shade, width in ((1.8 * unit, HALO, 3), (1.6 * unit, colour, 2)):
        draw.line([x - arm, y, x + arm, y], fill=shade, width=width)
        draw.line([x, y - arm, x, y + arm], fill=shade, width=width)


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=3)
