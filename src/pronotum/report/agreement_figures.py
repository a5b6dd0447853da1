"""Agreement of landmarks as figures: where, how far and in which direction predictions differ from manual landmarks.

Manual is blue, predicted orange, a human repeat green, the mean shape black; forms differ too, for print in grey.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator

from pronotum.evaluation.agreement import bias, onto_shape, scatter
from pronotum.evaluation.evidence import Evidence
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, mean_shape
from pronotum.report.paper_figures import BLACK, BLUE, GREY, OTHER_COLOURS
from pronotum.report.paper_figures import ORANGE as VERMILION
from pronotum.report.superimposed import Superimposed, upright

MANUAL, PREDICTED, HUMAN, MEAN_SHAPE = BLUE, VERMILION, OTHER_COLOURS[0], BLACK
ENLARGEMENTS = (1, 2, 5, 10, 20, 50)
"""More would make chance look like bias."""
WITHIN_95 = 2.4477
"""Standard deviations of a normal scatter in the plane that hold 95 % of it: root of chi-squared(2) at 0.95."""
LONGEST_LABEL = 4
WIDTH = 5.2
"""Inches: on a phone the letters are still large enough."""


def labels(landmarks: Sequence[str]) -> tuple[str, ...]:
    """Names of landmarks where all are short, else their numbers in order."""
    if all(len(name) <= LONGEST_LABEL for name in landmarks):
        return tuple(landmarks)
    return tuple(str(number) for number in range(1, len(landmarks) + 1))


def on_mean_shape(evidence: Evidence) -> tuple[Figure, int]:
    """Bias and scatter of every landmark on the mean manual shape, in the specimens' own axes.

    Returns:
        the figure, and how many times arrows and ellipses are enlarged.
    """
    sets = evidence.sets
    shape = mean_shape(sets.manual)
    shape = shape @ upright(shape, sets.manual) * (100 / float(centroid_size(shape)))
    differences = onto_shape(sets.predicted, sets.manual, shape) - onto_shape(sets.manual, sets.manual, shape)
    known = [column[np.isfinite(column).all(-1)] for column in differences.swapaxes(0, 1)]
    means = [bias(column) if len(column) else None for column in known]
    spreads = [scatter(column) if len(column) > 1 else None for column in known]
    reach = [np.hypot(m.dx, m.dy) + WITHIN_95 * (s.major if s else 0) for m, s in zip(means, spreads, strict=True) if m]
    factor = enlargement(np.array(reach), 0.15 * _extent(shape))
    drawing, axis = _map(shape, sets.landmarks)
    for place, mean, spread in zip(shape, means, spreads, strict=True):
        if mean is None or np.isnan(place).any():
            continue
        tip = place + factor * np.array([mean.dx, mean.dy])
        if spread:
            size = 2 * factor * WITHIN_95 * np.array([spread.major, spread.minor])
            axis.add_patch(Ellipse(tuple(tip), *size, angle=spread.angle, facecolor="#d55e0026", edgecolor=PREDICTED))
        _arrow(axis, place, tip)
    axis.plot([], [], "-", color=PREDICTED, linewidth=2.5, label="bias")
    axis.plot([], [], "o", color=PREDICTED, markerfacecolor="#d55e0026", markersize=11, label="95 % of predictions")
    drawing.legend(loc="outside lower center", ncols=3, frameon=False, title=f"enlarged {factor} times")
    return drawing, factor


def distribution(evidence: Evidence) -> Figure:
    """Errors of each landmark as boxes, % of centroid size, beside the mean shape and, if given, the human repeat."""
    sets, human = evidence.sets, evidence.human
    percent = sets.scales.percent[:, None]
    n_landmarks = len(sets.landmarks)
    step = 0.42 if human else 0.32
    drawing = Figure(figsize=(WIDTH, min(step, 24 / n_landmarks) * n_landmarks + 1.5), layout="constrained")
    axis = drawing.subplots()
    errors, baseline = evidence.errors * percent, sets.baseline * percent
    repeats = None if human is None else human.errors * percent[sets.repeated]
    means = [
        np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in values.T])
        for values in (errors, baseline)
    ]
    low, logarithmic = _error_axis(axis, [errors, means[1], *([] if repeats is None else [repeats])])
    rows, shift = np.arange(n_landmarks, dtype=np.float64), 0.2 if human else 0.0
    _boxes(axis, np.maximum(errors, low), rows - shift, PREDICTED, 0.34 if human else 0.6)
    if repeats is not None:
        _boxes(axis, np.maximum(repeats, low), rows + 0.22, HUMAN, 0.34)
    for places, values, marker, colour, face, label in (
        (rows - shift, means[0], "o", PREDICTED, "white", "predictions, mean"),
        (rows, means[1], "D", MEAN_SHAPE, MEAN_SHAPE, "mean shape, mean"),
    ):
        drawn = np.maximum(values, low)
        axis.plot(drawn, places, marker, color=colour, markerfacecolor=face, markersize=5, label=label, zorder=5)
    if human:
        axis.plot([], [], "s", color=HUMAN, markerfacecolor="#009e7333", markersize=9, label="human repeat")
    axis.set_yticks(rows, sets.landmarks)
    axis.set(ylim=(n_landmarks - 0.4, -0.6), ylabel="landmark")
    axis.set_xlabel("distance, % of centroid size" + (" (logarithmic)" if logarithmic else ""))
    axis.grid(axis="x", alpha=0.3)
    drawing.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawing


def mean_shapes(evidence: Evidence, shapes: Superimposed) -> tuple[Figure, int]:
    """Both mean shapes, with the difference of each landmark.

    Returns:
        the figure, and how many times the arrows are enlarged.
    """
    found = evidence.shape.difference
    manual, vectors = found.manual_mean @ shapes.turn, found.vectors @ shapes.turn
    factor = enlargement(np.linalg.norm(vectors, axis=1), 0.12 * _extent(manual))
    drawing, axis = _map(manual, evidence.sets.landmarks)
    axis.plot(*(manual + vectors).T, "x", color=PREDICTED, markersize=8, label="predicted mean")
    axis.plot([], [], "o", color=MANUAL, label="manual mean")
    axis.plot([], [], "-", color=PREDICTED, linewidth=2.5, label=f"difference, enlarged {factor} times")
    for start, change in zip(manual, vectors, strict=True):
        _arrow(axis, start, start + factor * change)
    drawing.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawing, factor


def enlargement(lengths: FloatArray, aim: float) -> int:
    """The round factor that brings three quarters of the lengths nearest to, but not beyond, what can be drawn."""
    longest = float(np.quantile(lengths, 0.75)) if lengths.size else 0.0
    fitting = [factor for factor in ENLARGEMENTS if factor * longest <= aim]
    return fitting[-1] if fitting else 1


def _map(shape: FloatArray, landmarks: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes with the landmarks of a shape, numbered, y down, and room around."""
    spans = np.nanmax(shape, axis=0) - np.nanmin(shape, axis=0)
    room = 0.24 * float(spans.max())
    ratio = float((spans[1] + 2 * room) / (spans[0] + 2 * room))
    drawing = Figure(figsize=(WIDTH, min(max(WIDTH * ratio, 2.4), 7.0) + 0.7), layout="constrained")
    axis = drawing.subplots()
    axis.plot(*shape.T, "o", color=MANUAL, markersize=4, zorder=4)
    centre = np.nanmean(shape, axis=0)
    for place, name in zip(shape, labels(landmarks), strict=True):
        if np.isnan(place).any():
            continue
        away = place - centre
        length = max(float(np.linalg.norm(away)), 1e-12)
        spot = place + 0.055 * float(spans.max()) * away / length
        halo = [withStroke(linewidth=2.5, foreground="white")]
        axis.text(
            float(spot[0]), float(spot[1]), name, ha="center", va="center", fontsize=9, zorder=6, path_effects=halo
        )
    low, high = np.nanmin(shape, axis=0) - room, np.nanmax(shape, axis=0) + room
    axis.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color(GREY)
    return drawing, axis


def _arrow(axis: Axes, start: FloatArray, end: FloatArray) -> None:
    style = {"arrowstyle": "-|>", "color": PREDICTED, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axis.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops=style, zorder=5)


def _extent(shape: FloatArray) -> float:
    return float((np.nanmax(shape, axis=0) - np.nanmin(shape, axis=0)).max())


def _error_axis(axis: Axes, drawn: Sequence[FloatArray]) -> tuple[float, bool]:
    """Scale of the error axis: logarithmic where a few gross errors would press all others to zero.

    Returns:
        the smallest value that is drawn, and whether the axis is logarithmic.
    """
    errors, *others = (values[np.isfinite(values)] for values in drawn)
    known, highest = errors, max(float(values.max(initial=0)) for values in (errors, *others))
    if known.size and known.max() > 6 * max(
        float(np.percentile(known, 95)), *(float(np.mean(other)) for other in others)
    ):
        low = max(float(np.percentile(known, 2)), 1e-3 * float(np.median(known)), 1e-6)
        axis.set(xscale="log", xlim=(0.8 * low, 1.3 * highest))
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
        return low, True
    axis.set_xlim(0, 1.04 * highest or 1)
    return 0.0, False


def _boxes(axis: Axes, values: FloatArray, places: FloatArray, colour: str, width: float) -> None:
    columns = [column[np.isfinite(column)] for column in values.T]
    axis.boxplot(
        columns,
        positions=list(places),
        orientation="horizontal",
        widths=width,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour + "33", "edgecolor": colour},
        medianprops={"color": colour, "linewidth": 2.2},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": colour, "alpha": 0.7},
    )
