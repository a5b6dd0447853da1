"""Do models 1 and 2 over-fit where model 3 does not? Are colour versions enough, or does geometry help?

python reproduce/networks.py DATA [DATA ...] -o OUT --set "model.frame=[64, 48]" --set batch=16 --steps 3000

Each network is trained on 70 % of the specimens of each folder, the last weights are kept, and the other specimens are
only looked at: for the validation curve, and for the errors at the end. Errors without dropout or augmentation, in px
of the 256x192 frame, on specimens learnt from and on the others, beside the mean position of the former and the mean
shape placed perfectly. Writes OUT/networks.csv, .html and a figure of losses per folder; goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pronotum import geometry, workflows
from pronotum.channels import VERSIONS
from pronotum.data import Dataset
from pronotum.evaluation import paper, table_files
from pronotum.evaluation.distances import distances
from pronotum.evaluation.folds import hold_out
from pronotum.files import write_text
from pronotum.report import paper_figures
from pronotum.runs import Run, claim

TEST = 0.3
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "model 1": ("ebnet1", {}),
    "model 2": ("ebnet2", {}),
    "model 3": ("ebnet3", {}),
    "model 3, grey only": ("ebnet3", {"channels": False}),
    "model 3, grey and geometry": ("ebnet3", {"channels": False, "geometric": True}),
    "model 3, colours and geometry": ("ebnet3", {"geometric": True}),
}
"""Name: architecture and settings. The paper's way is the first three: seven colour versions, no geometry."""


def epochs_for(n_specimens: int, settings: dict[str, Any], steps: int) -> int:
    """Epochs of about so many steps, so that all networks learn for equally long."""
    rows = n_specimens * (len(VERSIONS) if settings.get("channels", True) else 1)
    return max(1, round(steps / math.ceil(rows / int(settings.get("batch", 128)))))


def mean_position_error(data: Dataset, learn: list[int], test: list[int]) -> float:
    """Mean distance, px of the 256x192 frame, of each landmark's mean position among the specimens learnt from."""
    frames = [geometry.letterbox(size, geometry.PAPER_FRAME) for size in data.sizes]
    points = np.stack([geometry.transform(frame, p) for frame, p in zip(frames, data.points, strict=True)])
    return float(
        np.nanmean(distances(np.broadcast_to(np.nanmean(points[learn], axis=0), points[test].shape), points[test]))
    )


def one(data: Dataset, name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Train one network on one folder, unless that is done; its row of the table."""
    kept = folder / "row.json"
    asked_for = {"steps": asked.steps, "seed": asked.seed, "set": asked.set, "data": data.digest()}
    claim(folder / "networks.json", asked_for, "a training")
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    learn, test = hold_out(data.groups, TEST, asked.seed)
    model, own = NETWORKS[name]
    settings = {**dict(item.split("=", 1) for item in asked.set), **own}
    settings |= {"epochs": epochs_for(len(learn), settings, asked.steps), "keep": "last"}
    options = workflows.TrainOptions(None, asked.seed, asked.device, TEST, settings, model)
    run = Run(folder / "run")
    workflows.train(data, run.folder, options, resume=run.config.exists())
    known = workflows.evaluate(run.folder, data.subset(learn), device=asked.device)
    new = workflows.evaluate(run.folder, data.subset(test), device=asked.device)
    valid = losses(run).valid
    row = {
        "data": folder.parent.name,
        "network": name,
        "learnt_from": len(learn),
        "tested_on": len(test),
        "epochs": settings["epochs"],
        "error_learnt": known.mean_error("px_256x192"),
        "error_new": new.mean_error("px_256x192"),
        "least_validation_loss": float(valid.min()),
        "at_epoch": int(valid.argmin()) + 1,
        "last_validation_loss": float(valid[-1]),
        "mean_position": mean_position_error(data, list(learn), list(test)),
        "mean_shape": new.mean_shape_error("px_256x192"),
    }
    run.model.unlink()
    write_text(kept, json.dumps(row))
    return row


def losses(run: Run) -> paper.Losses:
    """Losses per epoch of a run."""
    measures = [epoch["measures"] for epoch in run.epochs()]
    return paper.Losses(*(np.array([one[kind] for one in measures]) for kind in ("train_mse", "valid_mse")))


def main() -> None:
    """Train what has not been trained yet, print and write the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    rows = []
    for path in asked.data:
        data, curves = workflows.check(path), {}
        for name in asked.networks:
            folder = asked.out / path.name / name.replace(", ", "-").replace(" ", "_")
            print(f"{path.name}, {name}", flush=True)
            rows.append(one(data, name, folder, asked))
            curves[name] = losses(Run(folder / "run"))
        paper_figures.save(paper_figures.losses(curves), asked.out / f"{path.name}-losses.png")
    table = pd.DataFrame(rows)
    remarks = [f"{asked.steps} steps, seed {asked.seed}, " + ", ".join(asked.set)]
    for suffix in ("csv", "html"):
        table_files.write(table, asked.out / f"networks.{suffix}", title="The networks of Le et al.", remarks=remarks)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.5g}"))


if __name__ == "__main__":
    main()
