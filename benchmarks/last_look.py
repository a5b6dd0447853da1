"""What the last look, at the photographs' own resolution, brings: out-of-fold errors of one model with and without it.

python benchmarks/last_look.py DATA --folds 4 --seed 0
python benchmarks/last_look.py --synthetic elytra --folds 4 --run 1

Folds, training and errors are those of crossvalidate.py; only the prediction is made twice. Photographs must be
at least six times as wide as the frame (256x192), or there is no last look.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pronotum import demo, inference, workflows
from pronotum.data import Dataset
from pronotum.evaluation.distances import Scales, distances, summary
from pronotum.evaluation.folds import grouped_folds
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Answer, Landmarker
from pronotum.models.heatmap import HeatmapModel, rescale
from pronotum.pictures import shrink


class WithoutLastLook:
    """A trained model that stops after the fine network."""

    def __init__(self, model: HeatmapModel) -> None:
        self.model, self.config = model, model.config

    def answer(self, pictures: Tensor) -> Answer:
        """As `HeatmapModel.answer`."""
        details = shrink(pictures, self.config.detail)
        points, confidence, _ = self.model.locate(shrink(details, self.config.frame), details)
        return Answer(rescale(points, self.config.detail, self.config.picture), confidence)


def predict(model: Landmarker, data: Dataset) -> FloatArray:
    """(N, K, 2) px of the photographs; NaN where one cannot be opened."""
    answers = inference.predict(model, data.photographs, device=torch.device("cpu"))
    missing = np.full(data.points.shape[1:], np.nan)
    return np.stack([a.points if isinstance(a, inference.Prediction) else missing for a in answers])


def main() -> None:
    """Parse, run the folds, print one line per fold and a JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--synthetic", help="instead of DATA: 32 synthetic beetles of 3264x2448, this part")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--run", type=int, help="only this many of the folds")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.synthetic:
            data = demo.draw_beetles(Path(folder) / "data", asked.synthetic, n=32, seed=5, size=(3264, 2448))
        else:
            data = workflows.check(asked.data)
        scales = Scales.of(data.points, list(data.sizes), [s.scale for s in data.landmarks])
        errors = {name: np.full(data.points.shape[:2], np.nan) for name in ("without", "with")}
        seconds = 0.0
        for number, test in enumerate(grouped_folds(data.groups, asked.folds, asked.seed)[: asked.run]):
            run, begun = Path(folder) / f"run{number}", time.perf_counter()
            train = np.setdiff1d(np.arange(len(data)), test)
            workflows.train(data.subset(train), run, workflows.TrainOptions(seed=asked.seed, device="cpu"))
            seconds += time.perf_counter() - begun
            network = workflows.open_model(run, "cpu")[0].network
            tested = data.subset(test)
            for name, model in (("without", WithoutLastLook(network)), ("with", network)):
                errors[name][test] = distances(predict(model, tested), tested.points)
            shown = {name: round(float(np.nanmean(values[test])), 2) for name, values in errors.items()}
            print(f"fold {number}: mean px {shown}, {seconds:.0f} s so far", flush=True)
    result = {
        name: {unit: summary(values) for unit, values in scales.units(found).items()} for name, found in errors.items()
    }
    source = asked.synthetic or asked.data.name
    print(json.dumps({"data": source, "seed": asked.seed, "training_seconds": round(seconds, 1), "errors": result}))


if __name__ == "__main__":
    main()
