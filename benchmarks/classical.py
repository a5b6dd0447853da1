"""Errors of the image-processing method on a folder of photographs with landmarks.

python benchmarks/classical.py DATA --references 1 3 --variants clean:pcai:correlation legacy:pcai:descriptor

With one reference every specimen is it in turn; with three, each specimen and the next two in order of name. All
others are predicted. Where nothing was placed, or not all landmarks, it is counted and not averaged.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pronotum import images
from pronotum.classical.settings import PUBLISHED_WIDTH
from pronotum.classical.transfer import Reference, Settings, Transfer, prepare, transfer
from pronotum.data import Dataset, open_data
from pronotum.evaluation.distances import Scales, distances, mean_shape_distances, summary
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, mean_shape

VARIANTS = [
    *(f"clean:{pose}:correlation" for pose in ("pcai", "pht", "ght")),
    *("clean:pcai:descriptor", "clean:pcai:none"),
    *("legacy:pcai:descriptor", "legacy:ght:descriptor", "legacy:pht:correlation"),
]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one choice of references gave on one photograph."""

    choice: int
    specimen: int
    answer: Transfer


def main() -> None:
    """Parse, run every variant, print a table and a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--references", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--variants", nargs="+", default=VARIANTS, metavar="MODE:POSE:REFINEMENT")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--limit", type=int, help="only so many specimens, the first by name")
    parser.add_argument("--choices", type=int, help="only so many choices of references")
    parser.add_argument("--json", type=Path, help="write the JSON object here instead of printing it")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore", "All-NaN|Mean of empty")
    whole = open_data(asked.data)
    order = sorted(range(len(whole)), key=lambda index: images.natural_key(whole.names[index]))
    data = whole.subset(order[: asked.limit])
    pixels = [_read(data, index) for index in range(len(data))]
    extra = dict(item.split("=", 1) for item in asked.set)
    rows = []
    for variant in asked.variants:
        mode, pose, refinement = variant.split(":")
        settings = Settings.model_validate({"mode": mode, "pose": pose, "refinement": refinement, **extra})
        for n_references in asked.references:
            begun = time.perf_counter()
            trials = _run(data, pixels, settings, n_references, asked.choices)
            seconds = (time.perf_counter() - begun) / max(1, len(trials))
            rows.append({"variant": variant, "references": n_references} | _measure(data, trials, seconds))
            print(_line(rows[-1]), flush=True)
    baseline = _mean_shape(data)
    print(f"mean shape of the others, placed perfectly: mean {baseline['mean']:.2f} median {baseline['median']:.2f}")
    result = {"data": asked.data.name, "specimens": len(data), "settings": extra, "rows": rows, "mean_shape": baseline}
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps(result))


def _read(data: Dataset, index: int) -> tuple[NDArray[np.uint8], FloatArray]:
    """A photograph no wider than those the method was made for, and the matrix to its px."""
    return images.read_scaled(data.photographs[index], min(1.0, PUBLISHED_WIDTH / data.sizes[index][0]))


def _run(
    data: Dataset, pixels: list[tuple[NDArray[np.uint8], FloatArray]], settings: Settings, n: int, choices: int | None
) -> list[Trial]:
    prepared = [
        prepare(Reference(picture, points @ matrix[:2, :2].T + matrix[:2, 2]), settings)
        for (picture, matrix), points in zip(pixels, data.points, strict=True)
    ]
    trials = []
    for choice in range(len(data))[:choices]:
        chosen = [(choice + step) % len(data) for step in range(n)]
        references = [prepared[index] for index in chosen]
        trials += [
            Trial(choice, specimen, transfer(references, pixels[specimen][0], settings))
            for specimen in range(len(data))
            if specimen not in chosen
        ]
    return trials


def _measure(data: Dataset, trials: list[Trial], seconds: float) -> dict[str, Any]:
    specimens = np.array([trial.specimen for trial in trials])
    choices = np.array([trial.choice for trial in trials])
    predicted = np.stack([trial.answer.points for trial in trials])
    manual = data.points[specimens]
    scales = Scales.of(data.points, list(data.sizes), [None] * len(data))
    errors = distances(predicted, manual) * scales.paper[specimens, None]
    by_choice = np.array([np.nanmean(errors[choices == choice]) for choice in np.unique(choices)])
    whole = np.asarray(~np.isnan(errors).any(axis=1))
    ratio = centroid_size(predicted) / centroid_size(manual)
    confidence = np.stack([trial.answer.confidence for trial in trials])
    known = ~np.isnan(errors)
    ranked = known.any() and np.ptp(confidence[known]) > 0
    return {
        "transfers": len(trials),
        "failed": sum(bool(trial.answer.failure) for trial in trials),
        "incomplete": int((~whole).sum()),
        "failures": dict(Counter(_kind(trial.answer.failure) for trial in trials if trial.answer.failure)),
        "px_256x192": summary(errors),
        "mean_by_choice": [round(float(value), 3) for value in np.nanpercentile(by_choice, [0, 50, 100])],
        "per_landmark": [round(float(value), 2) for value in np.nanmean(errors, axis=0)],
        "centroid_size_percent": round(float(np.mean(np.abs(ratio[whole] - 1)) * 100), 2) if whole.any() else None,
        "centroid_size_r": _size_correlation(data, trials, whole),
        "similarity": [round(float(value), 4) for value in np.nanpercentile(_similarities(trials), [0, 5, 50])],
        "confidence_rank_correlation": round(float(spearmanr(confidence[known], errors[known])[0]), 2)
        if ranked
        else None,
        "seconds": round(seconds, 3),
    }


def _size_correlation(data: Dataset, trials: list[Trial], whole: NDArray[np.bool_]) -> float | None:
    """Median over the choices of references of the correlation of centroid sizes with manual ones."""
    found = []
    for choice in sorted({trial.choice for trial in trials}):
        used = [trial for trial, complete in zip(trials, whole, strict=True) if complete and trial.choice == choice]
        if len(used) > 2:
            sizes = centroid_size(np.stack([trial.answer.points for trial in used]))
            manual = centroid_size(data.points[[trial.specimen for trial in used]])
            found.append(float(np.corrcoef(sizes, manual)[0, 1]))
    return round(float(np.median(found)), 3) if found else None


def _similarities(trials: list[Trial]) -> FloatArray:
    return np.concatenate([trial.answer.similarity for trial in trials])


def _kind(failure: str) -> str:
    """A failure without its numbers."""
    return failure.split(":")[0].split("(")[0].strip()


def _mean_shape(data: Dataset) -> dict[str, Any]:
    errors = []
    scales = Scales.of(data.points, list(data.sizes), [None] * len(data))
    for index in range(len(data)):
        others = np.setdiff1d(np.arange(len(data)), index)
        errors.append(
            mean_shape_distances(mean_shape(data.points[others]), data.points[[index]])[0] * scales.paper[index]
        )
    return summary(np.array(errors)) | {"per_landmark": np.nanmean(errors, axis=0).round(2).tolist()}


def _line(row: dict[str, Any]) -> str:
    error = {name: f"{value:6.2f}" if value is not None else "     -" for name, value in row["px_256x192"].items()}
    return (
        f"{row['variant']:26} {row['references']} ref  mean {error['mean']} median {error['median']} "
        f"p95 {error['p95']} max {error['max']}  by choice {row['mean_by_choice']}  "
        f"failed {row['failed']}/{row['transfers']} incomplete {row['incomplete']}  "
        f"size {row['centroid_size_percent']} % r {row['centroid_size_r']}  sim {row['similarity']}  "
        f"conf {row['confidence_rank_correlation']}  {row['seconds']} s  {row['failures'] or ''}"
    )


if __name__ == "__main__":
    main()
