"""The paper's figures, and the ones it lacks, drawn from a `Part`; each is a `Figure` that `save` writes.

A method that had been trained on specimens it is tested on is called contaminated in every legend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pronotum.evaluation import bootstrap
from pronotum.evaluation.paper import LIMIT, Losses, bands
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, MEAN_POSITION, SCRATCH, Part
from pronotum.evaluation.rounds import Plan
from pronotum.files import replacing
from pronotum.landmarks import FloatArray

BLUE, ORANGE, BLACK, GREY = "#0072b2", "#d55e00", "#000000", "#888888"
METHOD_COLOURS = {SCRATCH: BLUE, FINE_TUNED: ORANGE, CLASSICAL: BLACK, MEAN_POSITION: GREY}
OTHER_COLOURS = ("#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = "osD^v<>P"
LOSS_RANGE = (1e-5, 1.0)
DPI = 120


def save(drawing: Figure, path: Path, *, dpi: int = DPI) -> None:
    """Write a figure in one step, as the kind its suffix tells (.png, .svg, .pdf)."""
    with replacing(path) as temporary:
        drawing.savefig(temporary, dpi=dpi, format=path.suffix.lower().lstrip(".") or "png")


def losses(runs: Mapping[str, Losses]) -> Figure:
    """Training and validation loss against epochs on a logarithmic scale, one panel per training.

    Args:
        runs: by title of the panel.

    Source:
        Figures 10 and 11: 1 to 1e-5, training blue. Wider only where a loss lies outside.
    """
    drawing, panels = _panels(len(runs), width=4.6, height=3.4, share=True)
    for axis, (title, run) in zip(panels, runs.items(), strict=True):
        for values, colour, label in ((run.train, BLUE, "training"), (run.valid, ORANGE, "validation")):
            if not np.isnan(values).all():
                axis.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=1.5, alpha=0.85, label=label)
        axis.set(xlabel="epoch", yscale="log", title=title)
        axis.legend(frameon=False)
        axis.grid(alpha=0.3)
    found = np.concatenate([values for run in runs.values() for values in (run.train, run.valid)])
    found = found[found > 0]
    low, high = (found.min(), found.max()) if found.size else LOSS_RANGE
    panels[0].set(ylabel="loss (MSE of scaled coordinates)", ylim=(min(LOSS_RANGE[0], low), max(LOSS_RANGE[1], high)))
    return drawing


def landmark_distances(part: Part, landmark: str, method: str = SCRATCH, *, limit: float = LIMIT) -> Figure:
    """Distance of one landmark on every image, in order, with its mean, the limit and the shares of the three bands.

    Args:
        part: with the method.
        landmark: name.
        method: whose predictions.
        limit: the largest bearable distance, in the unit of the part.

    Raises:
        UserError: there is no such landmark or method.

    Source:
        Figure 12.
    """
    values = part.errors(method)[:, part.landmark_position(landmark)]
    found = bands(values, limit)
    below, bearable, above = found.percent
    drawing = Figure(figsize=(8.5, 4.0), layout="constrained")
    axis = drawing.subplots()
    order = np.arange(1, len(values) + 1)
    shares = (
        (values > limit, ORANGE, f"above {limit:g}: {above:.2f} % ({found.above})"),
        (values <= limit, BLUE, f"mean to {limit:g}: {bearable:.2f} % ({found.bearable})"),
        ((values < found.mean) & (values <= limit), "#009e73", f"below mean: {below:.2f} % ({found.below})"),
    )
    for inside, colour, label in shares:
        axis.plot(order[inside], values[inside], ".", color="white", markersize=8)
        axis.plot(order[inside], values[inside], ".", color=colour, markersize=6, label=label)
    axis.axhline(found.mean, color=BLUE, label=f"mean {found.mean:.2f}")
    axis.axhline(limit, color=BLACK, linestyle="--", label=f"limit {limit:g}")
    axis.set(xlabel="image, in order of acquisition", ylabel=f"distance, {part.unit}", ylim=(0, None))
    axis.set(title=f"{part.title}, landmark {landmark}, {part.label(method)}")
    axis.grid(alpha=0.3)
    drawing.legend(loc="outside right upper", frameon=False)
    return drawing


def mean_distances(parts: Sequence[Part], methods: Sequence[str] = (SCRATCH, FINE_TUNED, CLASSICAL)) -> Figure:
    """Mean distance per landmark of several methods, one panel per part.

    Args:
        parts: at least one.
        methods: those a part does not have are left out of its panel.

    Source:
        Figure 15 (scratch blue, fine-tuned orange, image processing black; from 0).
    """
    drawing, panels = _panels(len(parts), width=4.4, height=3.3)
    for axis, part in zip(panels, parts, strict=True):
        for method in (name for name in methods if name in part.methods):
            _line(axis, part, method, bootstrap.column_means(part.errors(method)))
        _landmark_axis(axis, part)
        axis.set(title=part.title, ylabel=f"mean distance, {part.unit}")
    return drawing


def image_distances(part: Part, specimen: str, methods: Sequence[str] = (SCRATCH, FINE_TUNED, CLASSICAL)) -> Figure:
    """Distance per landmark on one image; `Part.representatives` picks one.

    Raises:
        UserError: there is no such specimen.

    Source:
        Figure 17.
    """
    row = part.position(specimen)
    drawing = Figure(figsize=(max(5.0, 0.36 * len(part.landmarks) + 1.5), 3.4), layout="constrained")
    axis = drawing.subplots()
    for method in (name for name in methods if name in part.methods):
        _line(axis, part, method, part.errors(method)[row])
    _landmark_axis(axis, part)
    axis.set(title=f"{part.title}, specimen {specimen}", ylabel=f"distance, {part.unit}")
    return drawing


def residuals(part: Part, methods: Sequence[str] = ()) -> Figure:
    """Predicted minus manual coordinates of every landmark, one panel per method, with the mean shift.

    A cloud beside the origin is a systematic shift, an oblique one errors along a direction.

    Args:
        part: of which y is down, as in `Landmarks`.
        methods: default all of the part.
    """
    chosen = tuple(methods) or part.methods
    shifts = [(part.points(method) - part.manual).reshape(-1, 2) for method in chosen]
    sizes = np.abs(np.concatenate(shifts))
    sizes = sizes[~np.isnan(sizes)]
    reach = float(np.percentile(sizes, 99.5)) * 1.1 if sizes.size else 1.0
    drawing, panels = _panels(len(chosen), width=4.2, height=4.2)
    for axis, method, shift in zip(panels, chosen, shifts, strict=True):
        shift = shift[~np.isnan(shift).any(1)]
        beyond = int((np.abs(shift) > reach).any(1).sum())
        axis.axhline(0, color=GREY, linewidth=0.8)
        axis.axvline(0, color=GREY, linewidth=0.8)
        axis.plot(*shift.T, ".", color=_colour(part, method), markersize=2, alpha=0.35)
        x, y = shift.mean(0) if len(shift) else (np.nan, np.nan)
        said = f"mean ({x:+.2f}, {y:+.2f})" if len(shift) else "nothing placed"
        axis.plot(x, y, "P", color="white", markeredgecolor=BLACK, markersize=9, label=said)
        axis.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal", xlabel=f"x, {part.unit} (right)")
        axis.set(ylabel=f"y, {part.unit} (down)", title=f"{part.title}, {part.label(method)}")
        axis.legend(loc="lower right", fontsize=8, title=f"{beyond} beyond the frame" if beyond else None)
        axis.get_legend().get_title().set_fontsize(8)  # type: ignore[union-attr]
    return drawing


def round_errors(part: Part, plan: Plan, methods: Sequence[str] = (), *, seed: int = 0) -> Figure:
    """Mean distance in each round with the 95 % interval over its specimens.

    Args:
        part: its `contaminated` marks are drawn hollow.
        plan: of the rounds.
        methods: default all of the part.
        seed: of the bootstrap.

    Raises:
        UserError: the plan does not know a specimen.
    """
    chosen = tuple(methods) or part.methods
    folds = [(n, fold) for n, fold in enumerate(plan.folds(part.specimens, part.name), start=1) if fold.size]
    drawing = Figure(figsize=(max(6.0, 0.55 * len(folds) + 2.5), 3.8), layout="constrained")
    axis = drawing.subplots()
    for number, method in enumerate(chosen):
        errors, colour = part.errors(method), _colour(part, method)
        for nth, (place, fold) in enumerate(folds):
            pooled = errors[fold][:, None, :]
            mean = bootstrap.column_means(pooled)[0]
            low, high = bootstrap.mean_interval(pooled, seed=seed, resamples=1000)[:, 0]
            hollow = not part.seen(method).isdisjoint(part.specimens[i] for i in fold)
            axis.errorbar(
                place + 0.16 * (number - (len(chosen) - 1) / 2),
                mean,
                yerr=[[mean - low], [high - mean]],
                fmt=MARKERS[number % len(MARKERS)],
                color=colour,
                markerfacecolor="white" if hollow else colour,
                capsize=3,
                label=part.label(method) if nth == 0 else None,
            )
    axis.set(xlabel="round", ylabel=f"mean distance, {part.unit}", ylim=(0, None), xticks=[n for n, _ in folds])
    axis.set_title(part.title + (" (hollow: test specimens seen in pre-training)" if part.seen(*chosen) else ""))
    axis.grid(axis="y", alpha=0.3)
    drawing.legend(loc="outside lower center", ncols=len(chosen), frameon=False)
    return drawing


def acquisition_order(part: Part, methods: Sequence[str] = (), *, plan: Plan | None = None, window: int = 15) -> Figure:
    """Mean distance of each specimen in order of acquisition, with a running median.

    Args:
        part: specimens in order.
        methods: default all of the part.
        plan: contiguous rounds, drawn as boundaries where a specimen's round differs from its neighbour's.
        window: specimens of the running median.

    Raises:
        UserError: the plan does not know a specimen.
    """
    chosen = tuple(methods) or part.methods
    order = np.arange(1, len(part.specimens) + 1)
    drawing = Figure(figsize=(9.0, 3.8), layout="constrained")
    axis = drawing.subplots()
    for method in chosen:
        means, colour = bootstrap.column_means(part.errors(method).T), _colour(part, method)
        axis.plot(order, means, ".", color=colour, markersize=3, alpha=0.5)
        axis.plot(order, _running_median(means, window), color="white", linewidth=4)
        axis.plot(order, _running_median(means, window), color=colour, linewidth=2, label=part.label(method))
    if plan is not None:
        rounds = plan.rounds_of(part.specimens, part.name)
        for place in np.flatnonzero(np.diff(rounds)):
            axis.axvline(place + 1.5, color=GREY, linewidth=0.8, linestyle=":")
    axis.set(xlabel="specimen, in order of acquisition", ylabel=f"mean distance, {part.unit}", ylim=(0, None))
    remark = "" if plan is None else "; dotted: rounds"
    axis.set(title=f"{part.title} (lines: running median of {window}{remark})", xlim=(0, len(order) + 1))
    axis.grid(axis="y", alpha=0.3)
    drawing.legend(loc="outside lower center", ncols=len(chosen), frameon=False)
    return drawing


def _panels(count: int, *, width: float, height: float, share: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, three in a row at most."""
    columns = min(count, 3)
    rows = -(-count // columns)
    drawing = Figure(figsize=(width * columns, height * rows), layout="constrained")
    panels = drawing.subplots(rows, columns, squeeze=False, sharey=share).ravel()
    for unused in panels[count:]:
        unused.remove()
    return drawing, list(panels[:count])


def _line(axis: Axes, part: Part, method: str, values: FloatArray) -> None:
    marker = MARKERS[part.methods.index(method) % len(MARKERS)]
    places = np.arange(1, len(values) + 1)
    axis.plot(places, values, marker=marker, color=_colour(part, method), markersize=4, label=part.label(method))


def _landmark_axis(axis: Axes, part: Part) -> None:
    """Landmarks along x, distances from 0 with room for the legend above the lines."""
    axis.set_xticks(range(1, len(part.landmarks) + 1), part.landmarks)
    if max(map(len, part.landmarks)) > 3:
        axis.tick_params(axis="x", labelrotation=60)
    lines = [np.asarray(line.get_ydata(), dtype=np.float64) for line in axis.get_lines()]
    values = np.concatenate(lines) if lines else np.empty(0)
    highest = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    axis.set(xlabel="landmark", ylim=(0, highest / (0.93 - 0.1 * min(len(lines), 6)) or 1))
    axis.grid(alpha=0.3)
    if lines:
        axis.legend(loc="upper left", frameon=False)


def _colour(part: Part, method: str) -> str:
    others = [name for name in part.methods if name not in METHOD_COLOURS]
    return METHOD_COLOURS.get(method) or OTHER_COLOURS[others.index(method) % len(OTHER_COLOURS)]


def _running_median(values: FloatArray, window: int) -> FloatArray:
    """Median of up to `window` neighbours around each value, NaN left out."""
    half = window // 2
    around = [values[max(0, i - half) : i + half + 1] for i in range(len(values))]
    return np.array([np.median(some[~np.isnan(some)]) if not np.isnan(some).all() else np.nan for some in around])
