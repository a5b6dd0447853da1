"""Out-of-fold errors of a preset on a folder of photographs with landmarks.

python benchmarks/crossvalidate.py DATA --folds 4 --preset standard --seed 0

Folds are grouped: photographs with the same content stay together. Each fold trains from nothing on the others; the
test specimens are used for nothing else.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pronotum import formats, more_shapes, workflows
from pronotum.evaluation.distances import Scales, distances, mean_shape_distances, summary
from pronotum.evaluation.folds import grouped_folds, hold_out
from pronotum.morphometrics.superimposition import mean_shape


def main() -> None:
    """Parse, run the folds, print one line per fold and a JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--run", type=int, help="only this many of the folds")
    parser.add_argument("--split", type=int, help="instead of folds: train on this many, test on the rest, once")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", type=float)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--from", dest="start", type=Path, help="run or model to start from; of other specimens only")
    parser.add_argument("--shapes", type=Path, action="append", help="landmarks of more specimens")
    parser.add_argument("--save", type=Path, help="write the predictions of all folds to this TPS file")
    asked = parser.parse_args()
    overrides = dict(item.split("=", 1) for item in asked.set)
    options = workflows.TrainOptions(asked.preset, asked.seed, "auto", asked.held_out, overrides, start=asked.start)
    data = workflows.check(asked.data)
    if asked.shapes:
        data, _ = more_shapes.add(data, asked.shapes)
    predicted = np.full(data.points.shape, np.nan)
    baseline = np.full(data.points.shape[:2], np.nan)
    scales = Scales.of(data.points, list(data.sizes), [s.scale for s in data.landmarks])
    seconds = 0.0
    if asked.split:
        folds = [hold_out(data.groups, 1 - asked.split / len(data), asked.seed)[1]]
    else:
        folds = grouped_folds(data.groups, asked.folds, asked.seed)[: asked.run]
    for number, test in enumerate(folds):
        train = np.setdiff1d(np.arange(len(data)), test)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            workflows.train(data.subset(train), Path(folder) / "run", options)
            seconds += time.perf_counter() - begun
            evaluation = workflows.evaluate(Path(folder) / "run", data.subset(test))
        predicted[test] = evaluation.predicted
        baseline[test] = mean_shape_distances(mean_shape(data.points[train]), data.points[test])
        errors = distances(predicted[test], data.points[test]) * scales.paper[test, None]
        worst = int(np.nanargmax(np.nanmax(errors, axis=1)))
        print(
            f"fold {number}: n {len(test)} mean {np.nanmean(errors):.3f} median {np.nanmedian(errors):.3f} "
            f"max {np.nanmax(errors):.1f} ({data.names[test[worst]]}), {seconds:.0f} s so far",
            flush=True,
        )
    if asked.save:
        sizes = {specimen.image: size for specimen, size in zip(data.landmarks, data.sizes, strict=True)}
        answers = [
            replace(specimen, points=points, source=None)
            for specimen, points in zip(data.landmarks, predicted, strict=True)
        ]
        formats.save(asked.save, answers, sizes)
    errors = distances(predicted, data.points)
    units = scales.units(errors)
    result = {
        "data": asked.data.name,
        "preset": asked.preset,
        "seed": asked.seed,
        "folds": f"{asked.split} train" if asked.split else asked.folds,
        "specimens": len(data),
        "training_seconds": round(seconds, 1),
        "errors": {unit: summary(values) for unit, values in units.items()},
        "mean_shape_px_256x192": summary(baseline * scales.paper[:, None]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
