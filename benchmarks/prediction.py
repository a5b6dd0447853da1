"""How much work predicting a folder is beside only decoding it, and where it goes.

python benchmarks/prediction.py RUN PHOTOGRAPHS --repeat 5

Decoding: Pillow at full size, all pixels loaded and nothing else done with them, in two threads. Prediction: `pronotum
predict` without overlays, in two threads of each kind: opening the model, reading, hashing and decoding photographs,
networks, written files. Both see four photographs before, which are not counted. The two then alternate, so that a busy
neighbour slows both. Ratios are of medians, once of processor time (user and system, all threads), which hardly depends
on what else the machine does, once of the time a user waits, which does. Steps are processor time of one thread, means
over the photographs: some are looked at more often than others.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from pronotum import fitting, inference, landmarking, pictures, workflows
from pronotum.models.architecture import describe
from pronotum.models.heatmap import HeatmapModel, rescale

THREADS = 2


class Took(NamedTuple):
    """Seconds: of all processors together, and until it was done."""

    processor: float
    waited: float


def decode(path: Path) -> None:
    """All pixels of a photograph, as Pillow gives them."""
    with Image.open(path) as image:
        image.load()


def took(task: Callable[[], Any]) -> Took:
    """How long it takes."""
    begun = time.process_time(), time.perf_counter()
    task()
    return Took(time.process_time() - begun[0], time.perf_counter() - begun[1])


def decode_all(photographs: list[Path]) -> None:
    """In as many threads as prediction has."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decode, photographs))


def predict_all(run: Path, photographs: list[Path]) -> None:
    """To a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        landmarking.predict(run, photographs, Path(folder) / "out", device="cpu", draw=False)


def steps(model: HeatmapModel, photographs: list[Path]) -> dict[str, float]:
    """Milliseconds of a processor per photograph for each step, one thread."""
    torch.set_num_threads(1)
    spent: dict[str, float] = {}

    def timed(name: str, task: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.thread_time()
        result = task(*arguments)
        spent[name] = spent.get(name, 0.0) + 1000 * (time.thread_time() - begun)
        return result

    config, size, groups = model.config, inference.batch_size(model), []
    for path in photographs:
        timed("decode (Pillow, full size)", decode, path)
    for first in range(0, len(photographs), size):
        groups.append(
            [timed("decode and fit", fitting.fit, path, config.picture) for path in photographs[first:][:size]]
        )
    for group in groups:
        batch = timed("to tensor", pictures.as_batch, group, torch.device("cpu"))
        timed("describe", describe, model, batch, timed("answer", model.answer, batch))
        details = timed("of that, shrink", pictures.shrink, batch, config.detail) if config.finest else batch
        frames = timed("of that, shrink again", pictures.shrink, details, config.frame)
        timed("of that, coarse", model.locate_coarse, frames)
        points = timed("of that, coarse and fine", model.locate, frames, details)[0]
        if config.finest:
            start = rescale(points, config.detail, config.finest)
            index = torch.arange(len(group)).repeat_interleave(config.n_landmarks)
            timed("of that, finest", model.locate_finest, batch, index, start)
    torch.set_num_threads(THREADS)
    return {name: round(total / len(photographs), 1) for name, total in spent.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--repeat", type=int, default=5, help="how often each is timed")
    parser.add_argument("--times", type=int, default=1, help="how often each photograph is in the folder")
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    photographs = landmarking.find_photographs([asked.photographs]) * asked.times
    decode_all(photographs[: 2 * THREADS])
    predict_all(asked.run, photographs[: 2 * THREADS])
    decoding, predicting = [], []
    for _ in range(asked.repeat):
        decoding.append(took(lambda: decode_all(photographs)))
        predicting.append(took(lambda: predict_all(asked.run, photographs)))
    ratio = np.median(predicting, axis=0) / np.median(decoding, axis=0)
    network = workflows.open_model(asked.run, "cpu")[0].network
    result = {
        "photographs": len(photographs),
        "decoding_seconds": [one._asdict() for one in decoding],
        "predicting_seconds": [one._asdict() for one in predicting],
        "ratio": Took(*ratio.round(3).tolist())._asdict(),
        "peak_memory_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "processor_ms_per_photograph": steps(network, photographs[: len(photographs) // asked.times]),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
