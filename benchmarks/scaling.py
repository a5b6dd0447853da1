"""Is the cost of training linear in photographs and in epochs?

python benchmarks/scaling.py --sizes 50 100 200 --epochs 2 4

Synthetic pronota; every size with every number of epochs, in turn, in one run. Seconds are of the training alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from pronotum import demo, workflows

STAGES = ("coarse", "fine", "finest")


def main() -> None:
    """Train, print seconds, and seconds per photograph and epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 4])
    asked = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        data = demo.draw_beetles(Path(folder) / "data", "pronotum", n=max(asked.sizes), seed=0, size=(640, 480))
        for n in asked.sizes:
            for epochs in asked.epochs:
                fixed = {
                    f"{stage}_{what}": {"steps": 1, "epochs": epochs}[what]
                    for stage in STAGES
                    for what in ("steps", "epochs")
                }
                options = workflows.TrainOptions("standard", 0, "cpu", 0.0, fixed)
                result = workflows.train(data.subset(range(n)), Path(folder) / f"{n}-{epochs}", options)
                each = result.seconds / n / epochs
                print(
                    json.dumps(
                        {
                            "photographs": n,
                            "epochs": epochs,
                            "seconds": round(result.seconds, 1),
                            "each": round(each, 4),
                        }
                    )
                )


if __name__ == "__main__":
    main()
