"""Do the networks gain if the image-processing method says where to look closely, instead of the coarse network?

python benchmarks/pose_start.py DATA --fold 1

One fold of four, preset fast; the references are the first five training specimens. Prints a summary per method, px of
the 256x192 frame.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from pronotum import geometry, images, pictures, workflows
from pronotum.classical.transfer import Reference, Settings, prepare, transfer
from pronotum.evaluation.distances import Scales, distances, summary
from pronotum.evaluation.folds import grouped_folds
from pronotum.landmarks import FloatArray
from pronotum.models.heatmap import HeatmapModel, refine, rescale


def from_start(model: HeatmapModel, picture: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Landmarks (1, K, 2) of a picture (1, 3, H, W), looked for around first guesses (1, K, 2), px of it."""
    config, n = model.config, points.shape[1]
    index, channel = torch.zeros(n, dtype=torch.long), torch.arange(n)
    detail = pictures.shrink(picture, config.detail) if config.finest else picture
    start = rescale(points, config.picture, config.detail)
    found, _ = refine(model.fine, detail, index, channel, start[0], window=config.window, passes=config.passes)
    if config.finest is None:
        return found[None]
    return model.locate_finest(picture, index, rescale(found[None], config.detail, config.finest))[0]


def main() -> None:
    """Train, predict three ways, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", type=int, default=1)
    asked = parser.parse_args()
    data, settings = workflows.check(asked.data), Settings.model_validate({})
    test = grouped_folds(data.groups, 4, 0)[asked.fold]
    learn = np.setdiff1d(np.arange(len(data)), test)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        workflows.train(data.subset(learn), run, workflows.TrainOptions("fast", 0, "cpu"))
        model: HeatmapModel = workflows.open_model(run, "cpu")[0].network
    references = [prepare(Reference(images.read(data.photographs[i]), data.points[i]), settings) for i in learn[:5]]
    answers: dict[str, list[FloatArray]] = {"default": [], "image processing": [], "default from image processing": []}
    for i in test:
        picture = pictures.fit(data.photographs[i], model.config.picture)
        batch, back = pictures.as_batch([picture], torch.device("cpu")), np.linalg.inv(picture.matrix)
        carried = transfer(references, images.read(data.photographs[i]), settings).points
        start = torch.from_numpy(geometry.transform(picture.matrix, carried)).float()[None]
        for name, points in (
            ("default", model.answer(batch).points),
            ("default from image processing", from_start(model, batch, start)),
        ):
            answers[name].append(geometry.transform(back, points[0].double().numpy()))
        answers["image processing"].append(carried)
    paper = Scales.of(data.points, list(data.sizes), [None] * len(data)).paper[test]
    for name, found in answers.items():
        print(name, summary(distances(np.stack(found), data.points[test]) * paper[:, None]))


if __name__ == "__main__":
    main()
