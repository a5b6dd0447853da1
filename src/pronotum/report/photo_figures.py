"""The paper's figures that show photographs: landmarks, good and bad predictions, two methods beside each other.

A `Part` keeps its coordinates in one frame (the paper's 256x192). Photographs are read finer than that and carry the
matrix from the frame to their own pixels, so that points are drawn exactly where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pronotum import geometry, images
from pronotum.data import Dataset
from pronotum.errors import UserError
from pronotum.evaluation import rounds
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, SCRATCH, Part
from pronotum.landmarks import FloatArray

RED, YELLOW, GREEN, CYAN = "#ff3b30", "#ffd60a", "#34e05f", "#00e5ff"
MAGNIFICATION = 4.0
"""Px of the photograph read per px of the frame: 1024x768 for the paper's frame."""
SHEET = 16
"""Specimens on a contact sheet; the authors' own has the first 16 test images, four in a row."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and where a frame lies on it.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        matrix: 3x3, px of the frame -> px of `pixels`; default: the picture is in the frame already.
    """

    pixels: NDArray[np.uint8]
    matrix: FloatArray = field(default_factory=lambda: np.eye(3))


def read(
    path: Path, *, frame: tuple[int, int] = geometry.PAPER_FRAME, magnification: float = MAGNIFICATION
) -> Photograph:
    """Read a photograph for drawing points that were letterboxed into a frame (`geometry.letterbox`).

    Args:
        path: the file.
        frame: (width, height) px of the points' frame.
        magnification: px of the picture per px of the frame.

    Returns:
        the photograph alone, without the margins that the frame may have beside it.

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    size = images.size(path)
    factor = magnification * min(frame[0] / size[0], frame[1] / size[1])
    pixels, matrix = images.read_scaled(path, factor)
    return Photograph(pixels, matrix @ np.linalg.inv(geometry.letterbox(size, frame)))


@dataclass(frozen=True, eq=False)
class Album(Mapping[str, Photograph]):
    """The photographs of a part by specimen, read when asked for.

    Attributes:
        paths: by `rounds.key` of the specimen.
        frame: (width, height) px of the part's frame.
        magnification: see `read`.
    """

    paths: Mapping[str, Path]
    frame: tuple[int, int] = geometry.PAPER_FRAME
    magnification: float = MAGNIFICATION

    @classmethod
    def of(cls, data: Dataset, identities: Sequence[str], *, magnification: float = MAGNIFICATION) -> Album:
        """The photographs of a collection.

        Args:
            data: the collection.
            identities: (N,) of its specimens, as in the part.
            magnification: see `read`.
        """
        found = zip(rounds.keys(identities, "photographs"), data.photographs, strict=True)
        return cls(dict(found), magnification=magnification)

    def __getitem__(self, specimen: str) -> Photograph:
        """Read the photograph of a specimen; KeyError where there is none, ask ``in`` before."""
        return read(self.paths[rounds.key(specimen)], frame=self.frame, magnification=self.magnification)

    def __contains__(self, specimen: object) -> bool:
        return isinstance(specimen, str) and rounds.key(specimen) in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def pictured(self, part: Part) -> Part:
        """The part with those of its specimens that have a photograph here.

        Raises:
            UserError: none has.
        """
        rows = [row for row, specimen in enumerate(part.specimens) if specimen in self]
        if not rows:
            remedy = "compare the identities in the landmark file with the names of the photographs"
            raise UserError(part.name, found="no specimen with a photograph", remedy=remedy)
        return part.select(np.array(rows, dtype=np.intp))


@dataclass(frozen=True, eq=False)
class View:
    """One specimen of a part on its photograph; what the figures below are drawn from.

    Raises:
        UserError: the part has no such specimen.
    """

    part: Part
    specimen: str
    photograph: Photograph

    def __post_init__(self) -> None:
        self.part.position(self.specimen)

    @property
    def title(self) -> str:
        """What figures call it."""
        return f"{self.part.title}, specimen {self.specimen}"

    @property
    def manual(self) -> FloatArray:
        """(K, 2) manual landmarks, px of the photograph; NaN = missing."""
        return self._moved(self.part.manual)

    def points(self, method: str) -> FloatArray:
        """(K, 2) predictions, px of the photograph; NaN = missing.

        Raises:
            UserError: the part has no such method.
        """
        return self._moved(self.part.points(method))

    def mean_error(self, method: str) -> float:
        """Mean distance of a method on this specimen, in the unit of the part; NaN where it placed nothing."""
        errors = self.part.errors(method)[self.part.position(self.specimen)]
        known = errors[~np.isnan(errors)]
        return float(known.mean()) if known.size else np.nan

    def _moved(self, points: FloatArray) -> FloatArray:
        return geometry.transform(self.photograph.matrix, points[self.part.position(self.specimen)])


def manual_landmarks(views: Sequence[View]) -> Figure:
    """Photographs with their numbered manual landmarks as red dots, one panel per view.

    Args:
        views: at least one; the paper shows one specimen of each part.

    Source:
        Figures 3 and 14.
    """
    drawing, panels = _panels(len(views), columns=3, width=4.4)
    for axis, view in zip(panels, views, strict=True):
        _show(axis, view, view.manual)
        _dots(axis, view.manual, RED, "manual")
        _write_names(axis, view.part.landmarks, view.manual)
        axis.set_title(view.title)
    return drawing


def representative_views(part: Part, album: Mapping[str, Photograph], method: str = SCRATCH) -> list[View]:
    """The specimens with the least, the median and the largest mean error, of those that have a photograph.

    Raises:
        UserError: the part lacks the method, or it placed nothing.
    """
    return [View(part, specimen, album[specimen]) for specimen in part.representatives(method).values()]


def overlays(views: Sequence[View], method: str = SCRATCH) -> Figure:
    """Predictions as red crosses on photographs, joined to the manual landmarks, which are small rings.

    Args:
        views: `representative_views` picks a well and a badly predicted one.
        method: whose predictions.

    Raises:
        UserError: a part lacks the method.

    Source:
        Figure 13.
    """
    drawing, panels = _panels(len(views), columns=3, width=4.8)
    for axis, view in zip(panels, views, strict=True):
        _compare(axis, view, method)
        _write_names(axis, view.part.landmarks, view.manual)
        mean = view.mean_error(method)
        said = "nothing placed" if np.isnan(mean) else f"mean {mean:.2f} {view.part.unit}"
        axis.set_title(f"{view.title}\n{said}{_seen(view, method)}", fontsize=11)
    _explain(drawing, panels, {method: _label(views, method)})
    return drawing


def contact_sheet(part: Part, album: Mapping[str, Photograph], method: str = SCRATCH, *, limit: int = SHEET) -> Figure:
    """The first specimens of a part with predictions and manual landmarks, four in a row.

    Args:
        part: only specimens with a photograph are drawn, in order.
        album: photographs by specimen.
        method: whose predictions.
        limit: specimens at most.

    Raises:
        UserError: the part lacks the method, or no specimen has a photograph.

    Source:
        The 4x4 sheet of the first 16 test images that the authors' program saves; spec B.2, F.13.
    """
    chosen = [specimen for specimen in part.specimens if specimen in album][:limit]
    if not chosen:
        raise UserError(part.name, found="no specimen with a photograph", remedy="compare the identities")
    drawing, panels = _panels(len(chosen), columns=4, width=3.2)
    views = []
    for axis, specimen in zip(panels, chosen, strict=True):
        views.append(View(part, specimen, album[specimen]))
        _compare(axis, views[-1], method, size=0.7)
        remark = "; seen" if _seen(views[-1], method) else ""
        mean = views[-1].mean_error(method)
        said = "nothing placed" if np.isnan(mean) else f"{mean:.1f}"
        axis.set_title(f"{specimen}: {said}{remark}", fontsize=10)
    drawing.suptitle(f"{part.title}; number: specimen and its mean distance, {part.unit}")
    _explain(drawing, panels, {method: _label(views, method)})
    return drawing


def methods(views: Sequence[View], deep: str | None = None) -> Figure:
    """Manual (red), image processing (yellow) and deep learning (green) on photographs, one panel per view.

    Args:
        views: the paper shows one specimen of each part; a part without `CLASSICAL` has no yellow points.
        deep: the method drawn green; default fine-tuned where all parts have it, else scratch.

    Raises:
        UserError: a part lacks the method.

    Source:
        Figure 16.
    """
    tuned = all(FINE_TUNED in view.part.methods for view in views)
    chosen = deep or (FINE_TUNED if tuned else SCRATCH)
    drawing, panels = _panels(len(views), columns=3, width=4.8)
    for axis, view in zip(panels, views, strict=True):
        drawn = {CLASSICAL: YELLOW} if CLASSICAL in view.part.methods else {}
        drawn[chosen] = GREEN
        _show(axis, view, *(view.points(method) for method in drawn))
        _dots(axis, view.manual, RED, "manual", size=8.5)  # seen even where another point lies on it
        for method, colour in drawn.items():
            _dots(axis, view.points(method), colour, method)
        nothing = CLASSICAL in drawn and np.isnan(view.points(CLASSICAL)).all()
        remark = "\nimage processing placed nothing" if nothing else ""
        axis.set_title(view.title + _seen(view, chosen) + remark)
    names = {CLASSICAL: "image processing", chosen: f"deep learning, {_label(views, chosen)}"}
    _explain(drawing, panels, names)
    return drawing


def _panels(count: int, *, columns: int, width: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels for pictures of 4:3."""
    columns = min(count, columns)
    rows = -(-count // columns)
    size = (max(width * columns, 5.5), (0.75 * width + 0.45) * rows + 0.4)
    drawing = Figure(figsize=size, layout="compressed")
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for axis in panels:
        axis.set_axis_off()
    for unused in panels[count:]:
        unused.remove()
    return drawing, list(panels[:count])


def _show(axis: Axes, view: View, *more: FloatArray) -> None:
    """Draw the photograph; what lies beyond its edge makes the panel larger instead of being cut off."""
    height, width = view.photograph.pixels.shape[:2]
    axis.imshow(view.photograph.pixels)
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    every = np.concatenate([corners, view.manual, *more])
    (left, top), (right, bottom) = np.nanmin(every, axis=0), np.nanmax(every, axis=0)
    axis.set(xlim=(left, right), ylim=(bottom, top))


def _compare(axis: Axes, view: View, method: str, *, size: float = 1.0) -> None:
    predicted, manual = view.points(method), view.manual
    _show(axis, view, predicted)
    for start, end in zip(manual, predicted, strict=True):
        axis.plot(*zip(start, end, strict=True), color="white", linewidth=0.9 * size, clip_on=False)
    ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "clip_on": False, "linestyle": "none"}
    axis.plot(*manual.T, **ring, markersize=7 * size, markeredgecolor="black", markeredgewidth=2.4 * size)
    axis.plot(*manual.T, **ring, markersize=7 * size, markeredgecolor=CYAN, markeredgewidth=1.3 * size, label="manual")
    cross: dict[str, Any] = {"marker": "x", "clip_on": False, "linestyle": "none"}
    axis.plot(*predicted.T, **cross, markersize=7.5 * size, color="black", markeredgewidth=3.0 * size)
    axis.plot(*predicted.T, **cross, markersize=7 * size, color=RED, markeredgewidth=1.7 * size, label=method)


def _dots(axis: Axes, points: FloatArray, colour: str, label: str, size: float = 6) -> None:
    axis.plot(
        *points.T, "o", color=colour, markersize=size, markeredgecolor="black", markeredgewidth=0.7, label=label,
        clip_on=False,
    )  # fmt: skip


def _write_names(axis: Axes, names: Sequence[str], points: FloatArray) -> None:
    """Write each landmark's name beside it, away from the middle of them all."""
    known = ~np.isnan(points).any(-1)
    if not known.any():
        return
    outward = points - points[known].mean(0)
    outward = outward / np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-9)
    for name, place, (x, y) in zip(np.array(names)[known], points[known], outward[known], strict=True):
        axis.annotate(
            name,
            tuple(place),
            xytext=(11 * x, -11 * y),
            textcoords="offset points",
            ha="center",
            va="center",
            color="white",
            fontsize=9,
            path_effects=[withStroke(linewidth=2.2, foreground="black")],
        )


def _seen(view: View, method: str) -> str:
    return ", SEEN in pre-training" if view.specimen in view.part.seen(method) else ""


def _label(views: Sequence[View], method: str) -> str:
    """What the legend calls a method, with the parts on which it is contaminated."""
    leaked = list(dict.fromkeys(view.part.title for view in views if view.part.seen(method)))
    return method.replace("_", " ") + (f" (CONTAMINATED: {', '.join(leaked)})" if leaked else "")


def _explain(drawing: Figure, panels: Sequence[Axes], names: Mapping[str, str]) -> None:
    """One legend for all panels, on grey as the colours are made for photographs."""
    found = {line.get_label(): line for axis in panels for line in axis.get_lines()}
    shown = {label: found[label] for label in ("manual", *names) if label in found}
    legend = drawing.legend(
        list(shown.values()),
        [names.get(str(label), str(label)) for label in shown],
        loc="outside lower center",
        ncols=len(shown),
        facecolor="#d0d0d0",
    )
    legend.set_in_layout(True)
