"""Is a landmark that a model calls absent absent? Photographs of which some landmarks are covered or cut off.

python benchmarks/presence.py DATA OUT --folds 5 --preset fast

Of a random third of the specimens one to three neighbouring landmarks are taken away, in turn under discs of the
ground's colour and beyond a new edge of the photograph, and are missing in the labels. Half of the other specimens have
a disc that covers no landmark, so that a disc alone tells nothing. Then the set is cross-validated in OUT/run (or goes
on there), and the probabilities of presence of each fold are told by what was learnt from the other folds only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata

from pronotum import crossvalidation, formats, images, workflows
from pronotum.data import Dataset
from pronotum.evaluation import presence
from pronotum.evaluation.calibration import Certainty
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

SHARE = 1 / 3
"""Of the specimens, that lack landmarks."""
RADIUS = 0.07
"""Of a disc, as a share of centroid size."""
MARGIN = 0.5
"""Between a disc and landmarks that it does not cover, at least so many radii."""

Pixels = NDArray[np.uint8]


def spoil(data: Dataset, folder: Path, seed: int) -> Dataset:
    """Write the photographs and landmarks, a third of them incomplete, and open them."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(data))
    n = round(SHARE * len(data))
    specimens = []
    for number, i in enumerate(order):
        pixels, points = images.read(data.photographs[i]), data.points[i].copy()
        if number < n:
            pixels, points = (covered if number % 2 else cut)(pixels, points, random)
        elif number % 2:
            pixels = disc(pixels, beside(points, random), radius(points))
        name = f"{data.photographs[i].stem}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        specimens.append(replace(data.specimens[i], points=points, image=name, source=None))
    formats.save(folder / "landmarks.tps", specimens, lambda name: images.size(folder / name))
    return workflows.check(folder)


def radius(points: FloatArray) -> float:
    """Of the discs on a specimen, px."""
    return RADIUS * float(centroid_size(points[None])[0])


def disc(pixels: Pixels, centre: FloatArray, size: float) -> Pixels:
    """A photograph with a disc of the colour of its edge."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    rows, columns = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    inside = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= size**2
    changed = pixels.copy()
    changed[inside] = np.median(edge, axis=0).astype(np.uint8)
    return changed


def covered(pixels: Pixels, points: FloatArray, random: np.random.Generator) -> tuple[Pixels, FloatArray]:
    """One landmark to three that are neighbours, each under a disc, with those that happen to be under it too."""
    first = points[random.integers(len(points))]
    near = np.linalg.norm(points - first, axis=1).argsort()[: random.integers(1, 4)]
    gone = np.zeros(len(points), dtype=bool)
    for centre in points[near]:
        pixels = disc(pixels, centre, radius(points))
        gone |= np.linalg.norm(points - centre, axis=1) <= radius(points)
    return pixels, np.where(gone[:, None], np.nan, points)


def cut(pixels: Pixels, points: FloatArray, random: np.random.Generator) -> tuple[Pixels, FloatArray]:
    """The one landmark to three nearest to an edge are cut off, half-way to the next."""
    axis, last, n = int(random.integers(2)), bool(random.integers(2)), int(random.integers(1, 4))
    along = np.sort(points[:, axis])
    place = round(float(along[-n - 1 : -n + 1 or None][:2].mean() if last else along[n - 1 : n + 1].mean()))
    low, high = ([0, 0], [pixels.shape[1], pixels.shape[0]])
    (high if last else low)[axis] = place
    kept = points - low
    outside = (points[:, axis] >= place) if last else (points[:, axis] < place)
    return pixels[low[1] : high[1], low[0] : high[0]], np.where(outside[:, None], np.nan, kept)


def beside(points: FloatArray, random: np.random.Generator) -> FloatArray:
    """A place among the landmarks whose disc covers none of them."""
    while True:
        place: FloatArray = random.uniform(points.min(0), points.max(0))
        if np.linalg.norm(points - place, axis=1).min() > (1 + MARGIN) * radius(points):
            return place


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the networks say of specimens that they have not seen.

    Attributes:
        there: (N, K) whether a landmark is in the labels.
        sizes: (N,) predicted centroid sizes, px.
        certainty: of the predictions.
    """

    there: NDArray[np.bool_]
    sizes: FloatArray
    certainty: Certainty


def predict(data: Dataset, place: Path, test: NDArray[np.intp], options: workflows.TrainOptions) -> Predicted:
    """Train on the others, unless it was done before, and predict these."""
    if not (place / crossvalidation.PREDICTIONS).exists():
        learnt = np.setdiff1d(np.arange(len(data)), test)
        crossvalidation.train_and_predict(data, learnt, test, place, options, lambda share, text: None)
    found, _ = crossvalidation.answered(data, test, place)
    there = np.isfinite(data.points[test][..., 0])
    return Predicted(there, centroid_size(found.points), found.certainty)


def out_of_fold(folds: list[Predicted]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(n,) probabilities of presence, of each fold by what was learnt from the others, and what was there."""
    told = []
    for number, fold in enumerate(folds):
        rest = [one for other, one in enumerate(folds) if other != number]
        certainty = Certainty(
            np.concatenate([one.certainty.confidence for one in rest]),
            np.concatenate([one.certainty.spread for one in rest]),
        )
        sizes, there = (np.concatenate([getattr(one, name) for one in rest]) for name in ("sizes", "there"))
        learnt = presence.learn(there, sizes, certainty)
        assert learnt is not None, "too few missing landmarks outside of a fold"
        told.append(learnt.probability(fold.sizes, fold.certainty).ravel())
    probability, there = np.concatenate(told), np.concatenate([fold.there.ravel() for fold in folds])
    known = np.isfinite(probability)
    return probability[known], there[known]


def reliability(told: FloatArray, there: NDArray[np.bool_]) -> Iterator[dict[str, float]]:
    """In five classes of the probability: how many, what was said, and how many were there."""
    which = np.minimum((told * 5).astype(int), 4)
    for number in range(5):
        of = which == number
        both = {"said": told, "there": there} if of.any() else {}
        yield {
            "from": number / 5,
            "to": (number + 1) / 5,
            "n": int(of.sum()),
            **{name: round(float(all_of[of].mean()), 3) for name, all_of in both.items()},
        }


def judge(told: FloatArray, there: NDArray[np.bool_]) -> dict[str, Any]:
    """Brier scores, area under the ROC curve and the table of reliability of (N,) probabilities."""
    n_there, n_missing = int(there.sum()), int((~there).sum())
    area = (rankdata(told)[there].sum() - n_there * (n_there + 1) / 2) / (n_there * n_missing)
    return {
        "landmarks": len(there),
        "missing": n_missing,
        "brier": round(float(np.mean((told - there) ** 2)), 4),
        "brier_of_base_rate": round(float(there.mean() * (1 - there.mean())), 4),
        "area_under_curve": round(float(area), 3),
        "missing_called_missing": round(float((told[~there] < 0.5).mean()), 3),
        "present_called_missing": round(float((told[there] < 0.5).mean()), 4),
        "reliability": list(reliability(told, there)),
    }


def main() -> None:
    """Spoil, cross-validate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--run", type=int, help="only the first so many folds")
    parser.add_argument("--preset")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    (asked.out / "data").mkdir(parents=True, exist_ok=True)
    data = spoil(workflows.check(asked.data), asked.out / "data", asked.seed)
    options = workflows.TrainOptions(asked.preset, asked.seed, "auto")
    tests = crossvalidation.plan(data, asked.folds, asked.seed)[: asked.run]
    folds = [
        predict(data, asked.out / "run" / "folds" / f"{number:02d}", test, options)
        for number, test in enumerate(tests, start=1)
    ]
    incomplete = sum(int((~fold.there).any(1).sum()) for fold in folds)
    tested = sum(len(fold.there) for fold in folds)
    print(json.dumps({"specimens": tested, "incomplete": incomplete, **judge(*out_of_fold(folds))}, indent=1))


if __name__ == "__main__":
    main()
