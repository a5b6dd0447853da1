"""Learning curves of a run."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from pronotum.files import replacing
from pronotum.runs import Run

COLOURS = {"coarse": "#0072b2", "fine": "#d55e00"}


def figure(run: Run) -> Figure:
    """Loss of each stage, and error of the held-out specimens where there are any, against epochs."""
    epochs = run.epochs()
    names = list(dict.fromkeys(epoch["stage"] for epoch in epochs))
    watched = any(epoch["error"] is not None for epoch in epochs)
    drawing = Figure(figsize=(9 if watched else 5.5, 3.4), layout="constrained")
    axes = drawing.subplots(1, 2 if watched else 1, squeeze=False)[0]
    for name in names:
        stage = [epoch for epoch in epochs if epoch["stage"] == name]
        colour = COLOURS.get(name, "#444444")
        axes[0].plot([e["epoch"] for e in stage], [e["loss"] for e in stage], color=colour, label=name)
        if watched:
            seen = [e for e in stage if e["error"] is not None]
            axes[1].plot([e["epoch"] for e in seen], [e["error"] for e in seen], ".-", color=colour, label=name)
    axes[0].set(xlabel="epoch", ylabel="training loss")
    if watched:
        axes[1].set(xlabel="epoch", ylabel="held-out error, px of photograph", yscale="log")
        axes[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[1].yaxis.set_minor_locator(NullLocator())
        axes[1].yaxis.set_major_formatter("{x:g}")
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return drawing


def draw(run: Run, path: Path) -> None:
    """Write the learning curves as PNG."""
    with replacing(path) as temporary:
        figure(run).savefig(temporary, dpi=120, format="png")
