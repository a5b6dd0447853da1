"""The steps of the image-processing method as pictures: outline, histogram, votes, landmarks carried over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray

OUTLINE = "#ff3b30"
SEGMENTS = ("#ffd60a", "#00e5ff")
CARRIED, MANUAL = "#ffd60a", "#00e5ff"


def outline(
    picture: NDArray[np.uint8], contour: FloatArray, segments: FloatArray | None = None, title: str = ""
) -> Figure:
    """A picture, its outline, and beside it the line segments, neighbours in two colours.

    Args:
        picture: (H, W, 3) RGB or (H, W) grey.
        contour: (N, 2) px, closed.
        segments: (S, 2, 2) px.
        title: of the picture.
    """
    panels = [False] if segments is None else [False, True]
    height, width = picture.shape[:2]
    drawing = Figure(figsize=(6.4 * len(panels), 6.4 * height / width + 0.4), layout="constrained")
    for axis, with_segments in zip(np.atleast_1d(drawing.subplots(1, len(panels))), panels, strict=True):
        _show(axis, picture)
        if with_segments and segments is not None:
            _draw_segments(axis, segments)
            axis.set_title(f"{len(segments)} line segments")
        else:
            closed = np.concatenate([contour, contour[:1]])
            axis.plot(*closed.T, color=OUTLINE, linewidth=1.4)
            axis.set_title(title or "outline")
    return drawing


def histogram(counts: FloatArray, *, other: FloatArray | None = None, similarity: float | None = None) -> Figure:
    """One pairwise geometric histogram, or two side by side with their similarity.

    Args:
        counts: (rows, columns): angles over 180 degrees, distances up to the largest; the half of the rows beyond 90
            degrees is empty and not shown.
        other: a second one of the same size.
        similarity: Bhattacharyya coefficient, for the title.
    """
    tables = [counts] if other is None else [counts, other]
    drawing = Figure(figsize=(6.4 * len(tables), 4.2), layout="constrained")
    axes = np.atleast_1d(drawing.subplots(1, len(tables), sharey=True))
    shares = [table[: len(table) // 2 + 1] / max(table.sum(), 1.0) for table in tables]
    top = max(float(share.max()) for share in shares) or 1.0
    for axis, share in zip(axes, shares, strict=True):
        shown = axis.imshow(
            np.maximum(share, top / 1e4),
            origin="lower",
            aspect="auto",
            extent=(0, 1, 0, 90),
            norm=LogNorm(top / 1e4, top),
            cmap="magma",
            interpolation="nearest",
        )
        axis.set_xlabel("distance / largest distance")
    axes[0].set_ylabel("angle between lines, degrees")
    axes[0].set_title("pairwise geometric histogram" if other is None else "reference")
    if other is not None:
        axes[1].set_title("photograph" if similarity is None else f"photograph, similarity {similarity:.3f}")
    drawing.colorbar(shown, ax=axes.tolist(), label="share of all entries")
    return drawing


def vote_map(
    votes: FloatArray, picture: NDArray[np.uint8] | None = None, *, peak: FloatArray | None = None, title: str = ""
) -> Figure:
    """Votes for the place of the reference, over the photograph where one is given.

    Args:
        votes: (rows, columns) over the whole picture, however coarse.
        picture: (H, W, 3) RGB or (H, W) grey.
        peak: (2,) px of the picture, the place chosen.
        title: of the picture.
    """
    height, width = votes.shape if picture is None else picture.shape[:2]
    drawing = Figure(figsize=(7.2, 6.0 * height / width + 0.5), layout="constrained")
    axis = drawing.subplots()
    if picture is not None:
        _show(axis, picture)
    else:
        axis.set_axis_off()
    top = float(votes.max()) or 1.0
    opacity = 1.0 if picture is None else np.clip(votes / top * 1.6, 0, 0.85)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    shown = axis.imshow(votes, cmap="inferno", vmin=0, vmax=top, extent=extent, alpha=opacity, interpolation="bilinear")
    if peak is not None:
        axis.plot(*peak, "+", color="#00e5ff", markersize=18, markeredgewidth=2.2)
    axis.set_title(title or "votes for the place of the reference")
    shown.set_clim(0, top)
    drawing.colorbar(shown, ax=axis, label="votes", alpha=1.0)
    return drawing


def carried_over(
    picture: NDArray[np.uint8],
    points: FloatArray,
    *,
    manual: FloatArray | None = None,
    contour: FloatArray | None = None,
    title: str = "",
) -> Figure:
    """A photograph with the outline of the reference laid over it and the landmarks carried over.

    Args:
        picture: (H, W, 3) RGB or (H, W) grey.
        points: (K, 2) px, yellow dots; NaN = not placed.
        manual: (K, 2) px, cyan rings joined to the dots.
        contour: (N, 2) px, outline of the reference after the pose.
        title: of the picture.
    """
    height, width = picture.shape[:2]
    drawing = Figure(figsize=(8.0, 8.0 * height / width + 0.4), layout="constrained")
    axis = drawing.subplots()
    _show(axis, picture)
    if contour is not None:
        closed = np.concatenate([contour, contour[:1]])
        axis.plot(*closed.T, color=OUTLINE, linewidth=1.2, label="outline of the reference")
    if manual is not None:
        joined = np.stack([manual, points], axis=1)
        lines = joined[~np.isnan(joined).any(axis=(1, 2))]
        axis.add_collection(LineCollection(list(lines), colors="white", linewidths=1.0))
        axis.plot(*manual.T, "o", markerfacecolor="none", markeredgecolor=MANUAL, markersize=8, label="manual")
    axis.plot(*points.T, "o", color=CARRIED, markeredgecolor="black", markersize=5, label="carried over")
    for number, (x, y) in enumerate(points, start=1):
        if not np.isnan(x):
            axis.annotate(str(number), (x, y), (5, 4), textcoords="offset points", color="white", fontsize=8)
    axis.legend(loc="lower left", facecolor="#d0d0d0", fontsize=8)
    missing = int(np.isnan(points[:, 0]).sum())
    axis.set_title((title or "landmarks carried over") + (f", {missing} not placed" if missing else ""))
    return drawing


def _show(axis: Axes, picture: NDArray[np.uint8]) -> None:
    height, width = picture.shape[:2]
    axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255)
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axis.set_axis_off()


def _draw_segments(axis: Axes, segments: Sequence[FloatArray] | FloatArray) -> None:
    colours = [SEGMENTS[number % 2] for number in range(len(segments))]
    axis.add_collection(LineCollection(list(segments), colors=colours, linewidths=2.0))
