"""The learning curve of `pronotum learning-curve`: a figure, a table and what more specimens would bring."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pronotum.data import Dataset
from pronotum.errors import counted
from pronotum.evaluation import growth
from pronotum.evaluation.distances import Scales, distances, mean_shape_distances
from pronotum.files import replacing, write_text
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import mean_shape

AHEAD = 2.0
"""How many times as many specimens are asked about."""
COLOURS = {"p90": "#d55e00", "mean": "#0072b2", "median": "#009e73"}


def write(data: Dataset, sizes: Sequence[int], predicted: FloatArray, folder: Path, *, seed: int = 0) -> dict[str, Any]:
    """Write ``learning_curve.png``, ``.svg``, ``learning_curve.csv`` (all landmarks, and each) and ``forecast.json``.

    Args:
        data: the n tested specimens.
        sizes: (S,) specimens learnt from.
        predicted: (S, n, K, 2) px.
        folder: existing.
        seed: of every bootstrap over specimens.

    Returns:
        what docs/json.md says of ``learning-curve``.
    """
    scales = Scales.of(data.points, list(data.sizes), data.scales)
    percent = np.stack([distances(points, data.points) for points in predicted]) * scales.percent[:, None]
    baseline = float(np.nanmean(mean_shape_distances(mean_shape(data.points), data.points) * scales.percent[:, None]))
    names, sliders = data.scheme.names, data.scheme.sliders
    table = growth.curve_table(sizes, percent, names, predicted, data.points, sliders=sliders, seed=seed)
    with replacing(folder / "learning_curve.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    then = round(AHEAD * sizes[-1])
    several = growth.STATISTICS if len(set(sizes)) > 1 else {}
    forecasts = {
        name: growth.forecast(sizes, percent, then, statistic, seed=seed) for name, statistic in several.items()
    }
    drawing = figure(table, forecasts, baseline)
    for suffix in ("png", "svg"):
        with replacing(folder / f"learning_curve.{suffix}") as temporary:
            drawing.savefig(temporary, dpi=120, format=suffix)
    summary = {
        "unit": "percent_centroid_size",
        "px_per_percent": float(np.nanmean(1 / scales.percent)),
        "specimens_tested": len(data),
        "sizes": list(sizes),
        "curve": json.loads(table.to_json(orient="records")),
        "forecast": {name: vars(found) for name, found in forecasts.items()},
        "mean_shape_baseline": baseline,
    }
    write_text(folder / "forecast.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return summary


def figure(table: pd.DataFrame, forecasts: Mapping[str, growth.Forecast], baseline: float) -> Figure:
    """Error and repeatability against specimens learnt from; dashed: where the law leads."""
    drawing = Figure(figsize=(9.2, 4.0), layout="constrained")
    left, right = drawing.subplots(1, 2)
    whole = table[table["landmark"] == "all"]
    for (name, colour), shift in zip(COLOURS.items(), (0.98, 1, 1.02), strict=True):
        _with_interval(left, whole, name, colour, shift)
        found = forecasts.get(name)
        if found:
            left.plot([found.n_now, found.n_then], [found.now, found.then], "--", color=colour)
            bars = [[max(found.then - found.then_low, 0)], [max(found.then_high - found.then, 0)]]
            style = {"color": colour, "markerfacecolor": "white", "capsize": 3}
            left.errorbar([found.n_then * shift], [found.then], yerr=bars, fmt="o", **style)
    left.axhline(baseline, color="#888888", linestyle=":", label="mean shape, placed perfectly (mean)")
    left.set(xlabel="specimens learnt from", ylabel="error, % of centroid size", ylim=(0, None), xscale="log")
    left.set_title("hollow: expected with more specimens; bars: 95 %", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    _with_interval(right, whole, "repeatability", COLOURS["mean"], 1)
    right.set(xlabel="specimens learnt from", ylabel="repeatability of shape", ylim=(0, 1.02), xscale="log")
    marks = sorted({*whole["size"], *(found.n_then for found in forecasts.values())})
    for axis, ticks in ((left, marks), (right, sorted(whole["size"]))):
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    return drawing


def _with_interval(axis: Axes, table: pd.DataFrame, name: str, colour: str, shift: float) -> None:
    values = table[name]
    spread = [(values - table[f"{name}_low"]).clip(lower=0), (table[f"{name}_high"] - values).clip(lower=0)]
    axis.errorbar(table["size"] * shift, values, yerr=spread, fmt="o-", color=colour, capsize=3, label=name)


def lines(summary: Mapping[str, Any]) -> list[str]:
    """The answer for people."""
    said = []
    for row in (row for row in summary["curve"] if row["landmark"] == "all"):
        errors = ", ".join(f"{name} {row[name]:.2f}" for name in growth.STATISTICS)
        repeatability = "unknown" if row["repeatability"] is None else f"{row['repeatability']:.3f}"
        said.append(f"{row['size']:>5} specimens: {errors} % of centroid size; repeatability {repeatability}")
    for name, found in summary["forecast"].items():
        more, interval = found["n_then"] - found["n_now"], f"{found['then_low']:.2f} to {found['then_high']:.2f}"
        said.append(
            f"{counted(more, 'more specimen')} would bring the {name} error from {found['now']:.2f} to about "
            f"{found['then']:.2f} % of centroid size (95 % interval {interval})"
        )
    return said
