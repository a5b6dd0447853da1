"""Every table and figure of the paper, and the ones it lacks, from a protocol that was run.

Source: Le et al.; spec B.1 to B.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pronotum.evaluation import paper, table_files
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.shape import shape_table
from pronotum.files import sweep
from pronotum.models.ebnet import EBNetConfig, layer_table
from pronotum.protocol import Reproduction
from pronotum.report import channel_figures, network_figures, paper_figures, photo_figures
from pronotum.report.photo_figures import Album, View


def write(reproduction: Reproduction, parts: Mapping[str, Part]) -> None:
    """Write ``tables/*.csv`` and ``.html``, and ``figures/*.png``, into the folder of a reproduction.

    Args:
        reproduction: what was run.
        parts: manual and predicted landmarks by part, as `Reproduction.execute` gives them.
    """
    folder = reproduction.folder
    for place in (folder / "tables", folder / "figures"):
        sweep(place)
    albums = {name: Album.of(data, reproduction.names[name]) for name, data in reproduction.parts.items()}
    for name, part in parts.items():
        for kind, table in _tables(reproduction, part).items():
            _table(folder, f"{name}-{kind}", table, f"{part.title}: {kind}", part.remarks())
        for kind, drawing in (_figures(reproduction, part) | _on_photographs(part, albums[name])).items():
            _figure(folder, f"{name}-{kind}", drawing)
    if reproduction.protocol.pretrain:
        remarks = [remark for part in parts.values() for remark in part.remarks()]
        table = paper.improvement_table(list(parts.values()))
        _table(folder, "improvement", table, "Improvement by fine-tuning", remarks)
    _figure(folder, "mean-distances", paper_figures.mean_distances(list(parts.values())))
    typical = [View(part, _typical(part), albums[name][_typical(part)]) for name, part in parts.items()]
    _figure(folder, "landmarks", photo_figures.manual_landmarks(typical))
    _figure(folder, "methods", photo_figures.methods(typical))
    name, part = next(iter(parts.items()))
    small = replace(albums[name], magnification=1.0)
    _figure(folder, "channels", channel_figures.gallery(small[_typical(part)].pixels))


def _typical(part: Part) -> str:
    """The specimen with the median error."""
    return part.representatives(SCRATCH)["median"]


def _tables(reproduction: Reproduction, part: Part) -> dict[str, pd.DataFrame]:
    plan = reproduction.plan
    complete = len(reproduction.numbers) == plan.n_rounds
    compared = part.with_mean_position(plan) if complete else part
    tables = {f"distances-{method}": paper.distance_table(part, method) for method in part.methods}
    tables |= {f"bands-{method}": paper.band_table(part, method) for method in part.methods}
    tables |= {"scores": paper.score_table(compared), "detection": paper.detection_table(compared)}
    tables["rounds"] = paper.round_table(compared, plan)
    tables["shape"] = shape_table(part)
    if FINE_TUNED in part.methods:
        tables["scratch-vs-fine-tuned"] = paper.comparison_table(part)
        tables["leak"] = paper.leak_table(part, plan)
    for method in part.methods:
        losses = reproduction.losses(part.name, method)
        if losses:
            tables[f"losses-{method}"] = paper.loss_table(losses)
    config = reproduction.network(part.name)
    if isinstance(config, EBNetConfig):
        tables["network"] = network_figures.layer_frame(layer_table(config))
    return tables


def _figures(reproduction: Reproduction, part: Part) -> dict[str, Figure]:
    figures = {
        "landmark-1": paper_figures.landmark_distances(part, part.landmarks[0]),
        "residuals": paper_figures.residuals(part),
        "rounds": paper_figures.round_errors(part, reproduction.plan),
        "order": paper_figures.acquisition_order(part),
        "one-image": paper_figures.image_distances(part, _typical(part)),
    }
    config = reproduction.network(part.name)
    if isinstance(config, EBNetConfig):
        figures["network"] = network_figures.architecture(layer_table(config), part.title)
    for method in part.methods:
        losses = reproduction.losses(part.name, method)
        if losses:
            curves = {f"round {number}": loss for number, loss in losses.items()}
            figures[f"losses-{method}"] = paper_figures.losses(curves)
    return figures


def _on_photographs(part: Part, album: Album) -> dict[str, Figure]:
    figures = {}
    for method in part.methods:
        if not np.isnan(part.errors(method)).all():
            views = photo_figures.representative_views(part, album, method)
            figures[f"overlays-{method}"] = photo_figures.overlays(views, method)
        figures[f"sheet-{method}"] = photo_figures.contact_sheet(part, album, method)
    return figures


def _table(folder: Path, name: str, table: pd.DataFrame, title: str, remarks: list[str]) -> None:
    for suffix in ("csv", "html"):
        table_files.write(table, folder / "tables" / f"{name}.{suffix}", title=title, remarks=remarks)


def _figure(folder: Path, name: str, drawing: Figure) -> None:
    paper_figures.save(drawing, folder / "figures" / f"{name}.png")
