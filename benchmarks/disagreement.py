"""Does it tell more of an error how far models of different folds disagree than what one network says of itself?

python benchmarks/disagreement.py DATA OUT --folds 5 --preset fast

Only one of the models of a cross-validation has not learnt from a given specimen, so models are trained without two
folds each: a specimen is then predicted by as many models that have never seen it as there are other folds. The first
of them is the one that is judged, by radii calibrated on the other folds. Goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from trust import area_under_curve

from pronotum import inference, workflows
from pronotum.data import Dataset
from pronotum.evaluation.calibration import LEVELS, Certainty, calibrate, coverage
from pronotum.evaluation.distances import Scales, distances
from pronotum.evaluation.folds import grouped_folds
from pronotum.files import replacing
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size


def predict_pairs(data: Dataset, out: Path, options: workflows.TrainOptions, n_folds: int) -> FloatArray:
    """(N, n_folds - 1, K, 4): x, y, confidence and spread of each specimen by each model that has not seen its fold."""
    folds = grouped_folds(data.groups, n_folds, options.seed)
    said = np.full((len(data), n_folds - 1, data.points.shape[1], 4), np.nan)
    pairs = list(combinations(range(n_folds), 2))
    for number, (i, j) in enumerate(pairs, 1):
        kept, test = out / f"{i}-{j}.npz", np.concatenate([folds[i], folds[j]])
        if not kept.exists():
            run = out / f"{i}-{j}"
            workflows.train(data.subset(np.setdiff1d(np.arange(len(data)), test)), run, options)
            model, device = workflows.open_model(run, "cpu")
            photographs = [data.photographs[at] for at in test]
            found = [
                np.column_stack([one.points, one.confidence, one.spread])
                for one in inference.predict(model.network, photographs, device=device)
                if isinstance(one, inference.Prediction)
            ]
            with replacing(kept) as place, place.open("wb") as file:
                np.savez(file, said=np.stack(found))
        stored = np.load(kept)["said"]
        for fold, other, rows in ((i, j, stored[: len(folds[i])]), (j, i, stored[len(folds[i]) :])):
            said[folds[fold], (other - fold) % n_folds - 1] = rows
        print(f"{number} of {len(pairs)}", flush=True)
    return said


def main() -> None:
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    data = workflows.check(asked.data)
    said = predict_pairs(data, asked.out, workflows.TrainOptions(asked.preset, asked.seed, "cpu"), asked.folds)
    points, confidence, spread = said[..., :2], said[:, 0, :, 2], said[:, 0, :, 3]
    judged, sizes = points[:, 0], centroid_size(points[:, 0])
    errors = distances(judged, data.points)
    apart = np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum(-1).mean(1))
    unknown = np.full_like(spread, np.nan)
    ways = {
        "spread and confidence": Certainty(confidence, spread),
        "disagreement": Certainty(unknown, apart),
        "disagreement and confidence": Certainty(confidence, apart),
        "spread times disagreement, and confidence": Certainty(confidence, np.sqrt(spread * apart)),
    }
    known = np.isfinite(errors)
    relative = (errors / sizes[:, None])[known]
    folds = grouped_folds(data.groups, asked.folds, asked.seed)
    result: dict[str, object] = {"data": asked.data.name, "specimens": len(data)}
    for name, certainty in ways.items():
        radii = np.full((*errors.shape, len(LEVELS)), np.nan)
        for test in folds:
            rest = np.setdiff1d(np.arange(len(data)), test)
            calibration = calibrate(errors[rest], sizes[rest], certainty.of(rest))
            assert calibration is not None
            radii[test] = calibration.radii(sizes[test], certainty.of(test))
        widths = (radii[..., 1] / sizes[:, None])[known]
        result[name] = {
            "coverage": coverage(errors, radii).round(3).tolist(),
            "area_under_curve": round(area_under_curve(relative > np.percentile(relative, 90), widths), 3),
            "radius_90_percent_of_size": round(float(np.median(widths)) * 100, 3),
        }
    paper = Scales.of(data.points, list(data.sizes), [None] * len(data)).paper[:, None]
    result["error, px of 256x192"] = {
        "one model": round(float(np.nanmean(errors * paper)), 3),
        "mean of all": round(float(np.nanmean(distances(points.mean(1), data.points) * paper)), 3),
        "median of all": round(float(np.nanmean(distances(np.median(points, 1), data.points) * paper)), 3),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
