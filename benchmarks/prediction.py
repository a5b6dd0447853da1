"""How long predicting a folder takes beside only decoding it, and where the time goes.

python benchmarks/prediction.py RUN PHOTOGRAPHS --repeat 5

Decoding: Pillow at full size in two threads. Prediction: `pronotum predict` without overlays, with two threads for
the networks. The two alternate, so that a busy neighbour slows both; the ratio is of their medians. Steps are of one
thread.
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
from typing import Any

import numpy as np
import torch
from PIL import Image

from pronotum import fitting, landmarking, pictures, workflows
from pronotum.models.heatmap import HeatmapModel, rescale

THREADS = 2


def decode(path: Path) -> None:
    """All pixels of a photograph, as Pillow gives them."""
    with Image.open(path) as image:
        image.convert("RGB").load()


def seconds(task: Callable[[], Any]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    task()
    return time.perf_counter() - begun


def decode_all(photographs: list[Path]) -> None:
    """In as many threads as prediction has."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decode, photographs))


def predict_all(run: Path, photographs: list[Path]) -> None:
    """To a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        landmarking.predict(run, photographs, Path(folder) / "out", device="cpu", draw=False)


def steps(model: HeatmapModel, photographs: list[Path]) -> dict[str, float]:
    """Milliseconds per photograph of each step, one thread."""
    torch.set_num_threads(1)
    took: dict[str, list[float]] = {}

    def timed(name: str, task: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.perf_counter()
        result = task(*arguments)
        took.setdefault(name, []).append(1000 * (time.perf_counter() - begun))
        return result

    config = model.config
    for path in photographs:
        timed("decode (Pillow, full size)", decode, path)
        picture = timed("decode and fit", fitting.fit, path, config.picture)
        batch = timed("to tensor", pictures.as_batch, [picture], torch.device("cpu"))
        details = timed("shrink", pictures.shrink, batch, config.detail) if config.finest else batch
        frames = timed("shrink again", pictures.shrink, details, config.frame)
        timed("coarse", model.locate_coarse, frames)
        points = timed("coarse and fine", model.locate, frames, details)[0]
        if config.finest:
            start = rescale(points, config.detail, config.finest)
            timed("finest", model.locate_finest, batch, torch.zeros(config.n_landmarks, dtype=torch.long), start)
    torch.set_num_threads(THREADS)
    return {name: round(float(np.median(values)), 1) for name, values in took.items()}


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
    decoding, predicting = [], []
    predict_all(asked.run, photographs[:2])
    for _ in range(asked.repeat):
        decoding.append(seconds(lambda: decode_all(photographs)))
        predicting.append(seconds(lambda: predict_all(asked.run, photographs)))
    network = workflows.open_model(asked.run, "cpu")[0].network
    result = {
        "photographs": len(photographs),
        "decoding_seconds": [round(value, 2) for value in decoding],
        "predicting_seconds": [round(value, 2) for value in predicting],
        "ratio": round(float(np.median(predicting) / np.median(decoding)), 3),
        "peak_memory_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "ms_per_photograph_one_thread": steps(network, photographs[:8]),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
