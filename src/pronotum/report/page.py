"""The evaluation as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from pronotum import __version__
from pronotum.data import Dataset
from pronotum.evaluation.bootstrap import column_means
from pronotum.files import write_text
from pronotum.landmarks import FloatArray
from pronotum.report import curves, embedding, overlays
from pronotum.report.wording import UNITS
from pronotum.runs import Run


@dataclass(frozen=True, eq=False)
class Contents:
    """What the page shows.

    Attributes:
        title: heading.
        remarks: sentences under it, warnings included.
        data: the specimens.
        predicted: (N, K, 2) px.
        errors: (N, K) px.
        table: rows per landmark, see `evaluation.distances.table`.
        baseline: the same for the mean shape.
        run: whose learning curve is shown.
    """

    title: str
    remarks: Sequence[str]
    data: Dataset
    predicted: FloatArray
    errors: FloatArray
    table: Sequence[Mapping[str, object]]
    baseline: Sequence[Mapping[str, object]]
    run: Run


def write(contents: Contents, path: Path) -> None:
    """Write the page; pictures are embedded, so that the file can be sent as it is."""
    environment = Environment(
        loader=PackageLoader("pronotum.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    mean = column_means(contents.errors.T)
    pictures = [
        {
            "caption": f"{kind}: {contents.data.photographs[i].name}"
            + ("" if np.isnan(mean[i]) else f", mean error {mean[i]:.1f} px"),
            "data": embedding.jpeg(
                overlays.overlay(
                    contents.data.photographs[i],
                    contents.predicted[i],
                    manual=contents.data.points[i],
                    width=1000,
                )
            ),
        }
        for kind, i in _picks(contents).items()
    ]
    page = environment.get_template("evaluation.html").render(
        contents=contents,
        units=[(unit, label) for unit, label in UNITS.items() if unit in contents.table[0]],
        pictures=pictures,
        curve=embedding.png(curves.figure(contents.run)) if contents.run.epochs() else "",
        distribution=embedding.png(_distribution(contents)),
        version=__version__,
    )
    write_text(path, page)


def _picks(contents: Contents) -> dict[str, int]:
    """Positions of the specimens to show, by what they show; one on which nothing was placed is shown too."""
    mean = column_means(contents.errors.T)
    placed = [int(i) for i in np.argsort(mean) if not np.isnan(mean[i])]
    lost = np.flatnonzero(np.isnan(contents.predicted).any(-1).all(-1))
    picks = {"best": placed[0], "median": placed[len(placed) // 2], "worst": placed[-1]} if placed else {}
    return picks | ({"nothing placed": int(lost[0])} if lost.size else {})


def _distribution(contents: Contents) -> Figure:
    """Errors per landmark as boxes, the mean-shape baseline as a mark."""
    names = [str(row["landmark"]) for row in contents.table[:-1]]
    drawing = Figure(figsize=(max(5.0, 0.42 * len(names) + 1.5), 3.2), layout="constrained")
    axis = drawing.subplots()
    columns = [column[~np.isnan(column)] for column in contents.errors.T]
    axis.boxplot(columns, tick_labels=names, showfliers=True, flierprops={"markersize": 3}, widths=0.6)
    baseline = [row["px"]["mean"] for row in contents.baseline[:-1]]  # type: ignore[index]
    axis.plot(
        range(1, len(names) + 1),
        baseline,
        "_",
        color="#d55e00",
        markersize=14,
        label="mean shape, mean error",
    )
    axis.set(xlabel="landmark", ylabel="error, px of the photograph", ylim=(0, None))
    axis.legend(frameon=False)
    axis.grid(axis="y", alpha=0.3)
    return drawing
