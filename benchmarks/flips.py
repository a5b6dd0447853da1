"""What mirror images bring: out-of-fold errors with them learnt from, and looked at when predicting, and without.

python benchmarks/flips.py DATA --scheme scheme.toml --folds 4 --preset fast --seed 0

The scheme file says which landmark mirrors which. Folds are grouped; per fold one model learns from the photographs as
they are, one from their mirror images too. With the latter the predictions are made three times: from each picture as
it is; the coarse network asked about the mirror image too; every network asked about both. Asked about both, the mean
of their probabilities counts.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from last_look import predict
from torch import Tensor, nn

from pronotum import workflows
from pronotum.data import Dataset
from pronotum.evaluation.distances import Scales, distances, summary
from pronotum.evaluation.folds import grouped_folds
from pronotum.models.heatmap import HeatmapModel
from pronotum.models.unet import Committee, UNet

NAMES = ("as they are", "learnt from", "learnt from, coarse asked", "learnt from, all asked")


class BothWays(nn.Module):
    """A network that is asked about a picture and about its mirror image.

    Args:
        network: see `UNet` for the shapes.
        partners: (K,) of each landmark the one that takes its place in the mirror image.
    """

    def __init__(self, network: UNet | Committee, partners: list[int]) -> None:
        super().__init__()
        self.network, self.partners, self.stride = network, torch.tensor(partners), network.stride

    def forward(self, images: Tensor) -> Tensor:
        """As `UNet.forward`."""
        return _mean(self.network(images), self.network(images.flip(-1))[:, self.partners].flip(-1))

    def of_one(self, images: Tensor, channel: Tensor) -> Tensor:
        """As `UNet.of_one`."""
        over = self.network.of_one(images.flip(-1), self.partners[channel])
        return _mean(self.network.of_one(images, channel), over.flip(-1))


def _mean(one: Tensor, other: Tensor) -> Tensor:
    mean: Tensor = torch.logaddexp(one, other) - math.log(2)
    return mean


def trained(data: Dataset, preset: str, seed: int) -> HeatmapModel:
    """A model of these specimens."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        workflows.train(data, run, workflows.TrainOptions(preset, seed, "cpu"))
        network = workflows.open_model(run, "cpu")[0].network
    assert isinstance(network, HeatmapModel)
    return network


def main() -> None:
    """Parse, run the folds, print one line per fold and a JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scheme", type=Path, help="with every landmark in pairs or midline; default beside DATA")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    data = workflows.check(asked.data, scheme=asked.scheme)
    partners = data.scheme.partners
    both, plain = (
        replace(data, landmarks=replace(data.landmarks, scheme=replace(data.scheme, mirror=mirror)))
        for mirror in (True, False)
    )
    scales = Scales.of(data.points, list(data.sizes), [s.scale for s in data.landmarks])
    errors = {name: np.full(data.points.shape[:2], np.nan) for name in NAMES}
    begun = time.perf_counter()
    for number, test in enumerate(grouped_folds(data.groups, asked.folds, asked.seed)):
        train, tested = np.setdiff1d(np.arange(len(data)), test), data.subset(test)
        models = [trained(of.subset(train), asked.preset, asked.seed) for of in (plain, both)]
        answers = [predict(model, tested) for model in models]
        for parts in (["coarse"], ["fine", "finest"]):
            for part in parts:
                if (network := getattr(models[1], part)) is not None:
                    setattr(models[1], part, BothWays(network, list(partners)))
            answers.append(predict(models[1], tested))
        for name, predicted in zip(NAMES, answers, strict=True):
            errors[name][test] = distances(predicted, tested.points) * scales.paper[test, None]
        shown = {name: round(float(np.nanmean(values[test])), 3) for name, values in errors.items()}
        print(f"fold {number}: {shown}, {time.perf_counter() - begun:.0f} s so far", flush=True)
    result = {name: summary(values) for name, values in errors.items()}
    print(json.dumps({"data": asked.data.name, "preset": asked.preset, "seed": asked.seed, "px_256x192": result}))


if __name__ == "__main__":
    main()
