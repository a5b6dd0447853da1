"""Agreement of shapes as figures: variation, size, distances between specimens, allometry."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist

from pronotum.evaluation.evidence import Evidence
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import Estimate
from pronotum.report.agreement_figures import MANUAL, PREDICTED, WIDTH
from pronotum.report.paper_figures import BLACK, GREY
from pronotum.report.superimposed import Superimposed

MANY = 2000
"""Points above which their density is drawn instead."""


def scores(evidence: Evidence) -> Figure:
    """Specimens in the plane of the first two principal components, manual and predicted joined."""
    found = evidence.shape.components
    manual, predicted = found.manual_scores, found.predicted_scores
    drawing = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    axis = drawing.subplots()
    shares = [f"PC{component.number} ({100 * component.share:.0f} % of variance)" for component in found.components]
    if manual.shape[1] == 1:
        axis.plot(manual[:, 0], predicted[:, 0], "o", color=PREDICTED, markersize=4)
        axis.axline((0, 0), slope=1, color=GREY, linestyle="--")
        axis.set(xlabel=f"manual {shares[0]}", ylabel=f"predicted {shares[0]}")
        return drawing
    faint = float(np.clip(120 / found.n, 0.12, 0.6))
    for start, end in zip(manual[:, :2], predicted[:, :2], strict=True):
        axis.plot(*zip(start, end, strict=True), color=GREY, linewidth=0.8, alpha=max(faint, 0.25), zorder=1)
    axis.plot(*manual[:, :2].T, "o", color=MANUAL, markersize=4.5, markerfacecolor="none", label="manual", alpha=0.9)
    axis.plot(*predicted[:, :2].T, "x", color=PREDICTED, markersize=4.5, label="predicted", alpha=0.9)
    axis.set(xlabel=shares[0], ylabel=shares[1])
    axis.grid(alpha=0.3)
    drawing.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawing


def slopes(evidence: Evidence) -> Figure:
    """Slope and correlation of predicted on manual scores along each principal component, with intervals."""
    components = evidence.shape.components.components
    numbers = np.array([component.number for component in components])
    drawing = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    upper, lower = drawing.subplots(2, 1, sharex=True)
    for axis, estimates, label, marker in (
        (upper, [component.slope for component in components], "slope", "o"),
        (lower, [component.r for component in components], "correlation r", "s"),
    ):
        _intervals(axis, numbers, estimates, marker)
        axis.axhline(1, color=BLACK, linestyle="--", linewidth=1)
        axis.set(ylabel=label)
        axis.grid(axis="y", alpha=0.3)
    lower.set(xlabel="principal component of the manual shapes", xticks=numbers)
    lower.set_ylim(top=1.05)
    return drawing


def bland_altman(evidence: Evidence, shapes: Superimposed) -> Figure:
    """Difference of centroid sizes against their mean, with bias and limits of agreement."""
    limits = evidence.shape.size.percent
    manual, predicted = shapes.manual_sizes, shapes.predicted_sizes
    drawing = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    axis = drawing.subplots()
    _points(axis, (manual + predicted) / 2, 200 * (predicted - manual) / (manual + predicted))
    for line, style in ((limits.bias, "-"), (limits.lower, "--"), (limits.upper, "--")):
        axis.axhline(line.value, color=BLACK, linestyle=style, linewidth=1.3)
        if np.isfinite([line.low, line.high]).all():
            axis.axhspan(line.low, line.high, color=GREY, alpha=0.25, linewidth=0)
        axis.annotate(
            f"{line.value:+.2f} %",
            (1, line.value),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    axis.axhline(0, color=MANUAL, linewidth=1, linestyle=":")
    axis.set(xlabel=f"mean of both centroid sizes, {evidence.shape.size_unit}", ylabel="predicted - manual, %")
    axis.grid(alpha=0.3)
    return drawing


def distances(evidence: Evidence, shapes: Superimposed) -> Figure:
    """Distance between every two specimens, predicted against manual."""
    manual, predicted = (pdist(points.reshape(len(points), -1)) for points in (shapes.manual, shapes.predicted))
    drawing = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    axis = drawing.subplots()
    top = 1.05 * float(max(manual.max(), predicted.max()))
    if len(manual) > MANY:
        extent = (0.0, top, 0.0, top)
        cells = axis.hexbin(manual, predicted, gridsize=45, extent=extent, mincnt=1, bins="log", cmap="cividis_r")
        drawing.colorbar(cells, ax=axis, label="pairs of specimens", shrink=0.8)
    else:
        axis.plot(manual, predicted, ".", color=PREDICTED, markersize=4, alpha=0.5)
    axis.axline((0, 0), slope=1, color=BLACK, linestyle="--", linewidth=1)
    axis.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    axis.set(xlabel="distance of manual shapes", ylabel="distance of predicted shapes")
    axis.set_title(f"Mantel r = {evidence.shape.distances.r:.3f}", fontsize=11)
    return drawing


def allometry(evidence: Evidence, shapes: Superimposed) -> Figure:
    """Regression scores of both sets on the manual change of shape with size, against log centroid size.

    Source:
        Drake & Klingenberg (2008), Proceedings B 275: shapes projected on the direction of the regression.
    """
    found = evidence.shape.allometry
    direction = (found.manual.coefficients[0] @ shapes.turn).ravel()
    direction = direction / max(float(np.linalg.norm(direction)), 1e-300)
    mean = shapes.manual.mean(0)
    drawing = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axis = drawing.subplots()
    for name, points, sizes, model, colour, marker in (
        ("manual", shapes.manual, shapes.manual_sizes, found.manual, MANUAL, "o"),
        ("predicted", shapes.predicted, shapes.predicted_sizes, found.predicted, PREDICTED, "x"),
    ):
        logs, along = np.log(sizes), (points - mean).reshape(len(points), -1) @ direction
        axis.plot(logs, along, marker, color=colour, markersize=4, markerfacecolor="none", alpha=0.6)
        slope = float((model.coefficients[0] @ shapes.turn).ravel() @ direction)
        ends = np.array([logs.min(), logs.max()])
        style = "-" if marker == "o" else "--"
        line = along.mean() + slope * (ends - logs.mean())
        axis.plot(ends, line, style, color=colour, linewidth=2.2, label=f"{name}, r² = {model.r2:.3f}")
    axis.set(xlabel=f"log centroid size ({evidence.shape.size_unit})", ylabel="shape along the manual allometry")
    axis.grid(alpha=0.3)
    drawing.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawing


def _points(axis: Axes, x: FloatArray, y: FloatArray) -> None:
    axis.plot(x, y, "o", color=PREDICTED, markersize=4, markerfacecolor="none", alpha=0.8)


def _intervals(axis: Axes, places: FloatArray, estimates: list[Estimate], marker: str) -> None:
    values = np.array([one.value for one in estimates])
    ends = np.array([[one.low, one.high] for one in estimates]).T
    away = np.clip(np.nan_to_num(np.stack([values - ends[0], ends[1] - values])), 0, None)
    axis.errorbar(places, values, yerr=away, fmt=marker, color=PREDICTED, capsize=4, markersize=6)
