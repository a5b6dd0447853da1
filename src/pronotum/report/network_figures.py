"""The paper's networks drawn: elementary blocks as columns of boxes, and their layers as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

if TYPE_CHECKING:
    from pronotum.models.ebnet import Layer

ORANGE, YELLOW, BLUE, GREY, WHITE = "#f4a261", "#ffe08a", "#a8d5e5", "#e4e4e4", "#ffffff"
WIDTH, HEIGHT, GAP, STEP = 1.9, 0.82, 0.34, 2.4
"""Of a box and between boxes, and from column to column, inches."""


@dataclass(frozen=True)
class Box:
    """One box of a diagram: lines of text, the first in bold, on a colour."""

    lines: tuple[str, ...]
    colour: str


def layer_frame(layers: Sequence[Layer]) -> pd.DataFrame:
    """The layers of a network as a table for `table_files.write`.

    Returns:
        ``layer, output, parameters, macs, dropout``; the last row, ``all``, has the sums. `macs` are multiplications
        with an addition for one picture.

    Source:
        Section 5; spec A.4.
    """
    rows = [
        {
            "layer": layer.name,
            "output": _shape(layer.shape, "x"),
            "parameters": layer.parameters,
            "macs": layer.macs,
            "dropout": layer.dropout,
        }
        for layer in layers
    ]
    total = {"layer": "all", "output": "", "parameters": _parameters(layers), "macs": _macs(layers)}
    return pd.DataFrame([*rows, total])


def architecture(layers: Sequence[Layer], title: str = "") -> Figure:
    """A network as a diagram: the input, a column per elementary block, a column of dense layers.

    Args:
        layers: of `ebnet.layer_table`, with any number of blocks.
        title: in front of the number of parameters.

    Source:
        Figures 6, 7 and 9.
    """
    columns = _columns(layers)
    deepest = max(map(len, columns.values()))
    size = (STEP * len(columns) + 0.2, (HEIGHT + GAP) * deepest + 0.95)
    drawing, axis = _canvas(size)
    top = size[1] - 1.0
    for number, (name, boxes) in enumerate(columns.items()):
        left = 0.35 + STEP * number
        _column(axis, left, top, boxes, name if name.startswith("block") else "")
        if number:
            above = len(list(columns.values())[number - 1])
            _elbow(axis, left - STEP + WIDTH, top - (above - 1) * (HEIGHT + GAP) - HEIGHT / 2, left, top - HEIGHT / 2)
    said = f"{_parameters(layers):,} parameters, {_macs(layers) / 1e6:,.1f} million multiply-adds per picture"
    between = ": " if len(columns) > 4 else "\n"
    heading = f"{title}{between}{said}" if title else said
    axis.text(size[0] / 2, size[1] - 0.3, heading, ha="center", va="center", fontsize=12, weight="bold")
    return drawing


def elementary_block() -> Figure:
    """The layers of an elementary block, whatever their sizes.

    Source:
        Figure 8.
    """
    boxes = (
        Box((r"$C_i$  convolution + ReLU", "stride 1, no padding"), ORANGE),
        Box((r"$P_i$  maximum pooling", "2 × 2, stride 2"), YELLOW),
        Box((r"$D_i$  dropout", "in training only"), GREY),
    )
    drawing, axis = _canvas((3 * STEP + 1.0, HEIGHT + 1.1))
    axis.add_patch(Rectangle((0.4, 0.3), 3 * STEP + 0.1, HEIGHT + 0.5, fill=False, linestyle="--", color="#555555"))
    for number, box in enumerate(boxes):
        left = 0.7 + STEP * number
        _box(axis, left, 0.55 + HEIGHT, box)
        end = left + STEP if number < 2 else left + WIDTH + 0.7
        _arrow(axis, (left + WIDTH, 0.55 + HEIGHT / 2), (end, 0.55 + HEIGHT / 2))
    _arrow(axis, (0.1, 0.55 + HEIGHT / 2), (0.7, 0.55 + HEIGHT / 2))
    return drawing


def _columns(layers: Sequence[Layer]) -> dict[str, list[Box]]:
    """Boxes by the heading of their column."""
    columns: dict[str, list[Box]] = {}
    for number, layer in enumerate(layers):
        if layer.name.startswith("conv"):
            name = f"block {layer.name.removeprefix('conv')}"
        elif layer.name.startswith("pool"):
            name = f"block {layer.name.removeprefix('pool')}"
        else:
            name = "input" if layer.name == "input" else "dense"
        boxes = columns.setdefault(name, [])
        boxes.append(_layer_box(layer, layers[number - 1] if number else None, last=number == len(layers) - 1))
        if layer.dropout:
            boxes.append(Box((f"dropout {layer.dropout:g}", "in training only"), GREY))
    return columns


def _layer_box(layer: Layer, before: Layer | None, *, last: bool) -> Box:
    counted = f"{layer.parameters:,} parameters"
    if before is None:
        return Box((layer.name, _shape(layer.shape), "grey, on [0, 1]"), WHITE)
    if layer.name.startswith("conv"):
        # weights = inputs * filters * side * side
        side = math.isqrt((layer.parameters - layer.shape[0]) // (before.shape[0] * layer.shape[0]))
        return Box((f"{layer.name}  {side} × {side} + ReLU", _shape(layer.shape), counted), ORANGE)
    if layer.name.startswith("pool"):
        return Box((f"{layer.name}  2 × 2 maximum", _shape(layer.shape), "no parameters"), YELLOW)
    name = layer.name if last else f"{layer.name} + ReLU"
    return Box((name, f"{math.prod(before.shape):,} → {layer.shape[0]:,}", counted), BLUE)


def _canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure whose coordinates are inches, y up."""
    drawing = Figure(figsize=size)
    axis = drawing.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, size[0]), ylim=(0, size[1]))
    axis.set_axis_off()
    return drawing, axis


def _column(axis: Axes, left: float, top: float, boxes: Sequence[Box], heading: str) -> None:
    for number, box in enumerate(boxes):
        y = top - number * (HEIGHT + GAP)
        _box(axis, left, y, box)
        if number:
            _arrow(axis, (left + WIDTH / 2, y + GAP), (left + WIDTH / 2, y))
    if heading:
        bottom = top - len(boxes) * (HEIGHT + GAP) + GAP
        outline = (left - 0.12, bottom - 0.12), WIDTH + 0.24, top - bottom + 0.24
        axis.add_patch(Rectangle(*outline, fill=False, linestyle="--", color="#555555"))
        axis.text(left + WIDTH / 2, top + 0.25, heading, ha="center", va="center", fontsize=9, color="#555555")


def _box(axis: Axes, left: float, top: float, box: Box) -> None:
    """Draw a box with its upper left corner there."""
    shape = FancyBboxPatch(
        (left, top - HEIGHT), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.06", facecolor=box.colour,
        edgecolor="black", linewidth=0.9, mutation_aspect=1,
    )  # fmt: skip
    axis.add_patch(shape)
    spread = HEIGHT / (len(box.lines) + 0.5)
    for number, line in enumerate(box.lines):
        y = top - HEIGHT / 2 + spread * ((len(box.lines) - 1) / 2 - number)
        weight = "normal" if number else "bold"
        axis.text(left + WIDTH / 2, y, line, ha="center", va="center", fontsize=9, weight=weight)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 0}
    )


def _elbow(axis: Axes, x: float, y: float, to_x: float, to_y: float) -> None:
    """An arrow to the right, up, and right again."""
    middle = (x + to_x) / 2
    if y == to_y:
        middle = x
    else:
        axis.plot([x, middle, middle], [y, y, to_y], color="black", linewidth=1)
    _arrow(axis, (middle, to_y), (to_x, to_y))


def _shape(shape: Sequence[int], sign: str = " × ") -> str:
    return sign.join(f"{side}" for side in shape)


def _parameters(layers: Sequence[Layer]) -> int:
    return sum(layer.parameters for layer in layers)


def _macs(layers: Sequence[Layer]) -> int:
    return sum(layer.macs for layer in layers)
