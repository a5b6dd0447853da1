"""Do radii hold what they promise, do they rank errors, and is what is strange flagged?

python benchmarks/trust.py DATA RUN --folds 5 --preset fast --strange OTHER_PHOTOGRAPHS

Cross-validates into RUN (or goes on there). Every fold is judged by a calibration and a domain learnt from the other
folds only. Then the final model is shown OTHER_PHOTOGRAPHS, blank and noisy pictures, and its own photographs turned by
180 degrees.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pronotum import crossvalidation, images, inference, landmarking, workflows
from pronotum.crossvalidation import CrossValidation
from pronotum.evaluation.calibration import LEVELS, coverage
from pronotum.evaluation.distances import distances
from pronotum.evaluation.domain import FLAGS, Domain, learn
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

N_STRANGE = 20
HIDDEN_UNDER = 0.08
"""Radius of what covers a landmark, as a share of centroid size."""


def area_under_curve(above: NDArray[np.bool_], score: FloatArray) -> float:
    """Chance that an error above the 90th percentile has the larger score than one below (ROC)."""
    ranks = score.argsort().argsort()
    n = above.sum()
    return float((ranks[above].sum() - n * (n - 1) / 2) / (n * (len(above) - n)))


def by_fold(found: CrossValidation) -> dict[str, Any]:
    """Each fold judged by what was learnt from the others."""
    errors, sizes = distances(found.predicted, found.data.points), centroid_size(found.predicted)
    radii, flagged = found.radii(), np.zeros(len(errors), dtype=bool)
    assert radii is not None
    said: dict[str, int] = {}
    for fold in np.unique(found.folds):
        test, rest = np.flatnonzero(found.folds == fold), np.flatnonzero(found.folds != fold)
        certainty = [found.certainty.of(at) for at in (rest, test)]
        photographs = [[found.data.sizes[i] for i in at] for at in (rest, test)]
        domain = domain_without(found, fold)
        flags, _ = domain.judge(found.predicted[test], certainty[1].confidence, photographs[1], found.described[test])
        flagged[test] = [bool(one) for one in flags]
        for one in (flag for several in flags for flag in several):
            said[one] = said.get(one, 0) + 1
    known = np.isfinite(errors)
    relative = (errors / sizes[:, None])[known]
    return {
        "coverage": dict(zip(map(str, LEVELS), coverage(errors, radii).round(3).tolist(), strict=True)),
        "area_under_curve": round(
            area_under_curve(relative > np.percentile(relative, 90), (radii[..., 1] / sizes[:, None])[known]), 3
        ),
        "radius_90_percent_of_size": round(float(np.median((radii[..., 1] / sizes[:, None])[known])) * 100, 3),
        "flagged_of_good": round(float(flagged.mean()), 3),
        "flags": said,
        "error_of_flagged_over_others": round(float(np.nanmean(errors[flagged]) / np.nanmean(errors[~flagged])), 2)
        if flagged.any()
        else None,
    }


def domain_without(found: CrossValidation, fold: int) -> Domain:
    """What was learnt from the other folds."""
    rest = np.flatnonzero(found.folds != fold)
    domain = learn(
        found.data.points[rest],
        [found.data.sizes[i] for i in rest],
        found.described[rest],
        predicted=found.predicted[rest],
        confidence=found.certainty.confidence[rest],
    )
    assert domain is not None
    return domain


def cover(pixels: NDArray[np.uint8], points: FloatArray, k: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A photograph with landmark k under a disc of 8 % of centroid size, of what is somewhere else on it."""
    height, width = pixels.shape[:2]
    radius = max(3, round(HIDDEN_UNDER * float(centroid_size(points[None])[0])))
    x, y = np.rint(points[k]).astype(int)
    dx, dy = (int(random.integers(radius, max(size - radius, radius + 1))) for size in (width, height))
    steps = np.arange(-radius, radius + 1)
    disc = np.add.outer(steps**2, steps**2) <= radius**2
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    to_rows, to_columns = (y + rows)[disc], (x + columns)[disc]
    from_rows, from_columns = (dy + rows)[disc].clip(0, height - 1), (dx + columns)[disc].clip(0, width - 1)
    inside = (to_rows >= 0) & (to_rows < height) & (to_columns >= 0) & (to_columns < width)
    covered = pixels.copy()
    covered[to_rows[inside], to_columns[inside]] = pixels[from_rows[inside], from_columns[inside]]
    return covered


def hidden(run: Path, found: CrossValidation, seed: int) -> dict[str, Any]:
    """One landmark of each specimen covered, predicted by the model of its fold: is it named, are others?"""
    random = np.random.default_rng(seed)
    named = others = flagged = 0
    for fold in np.unique(found.folds):
        test = np.flatnonzero(found.folds == fold)
        model, device = workflows.open_model(run / "folds" / f"{fold:02d}", "cpu")
        domain = domain_without(found, fold)
        with tempfile.TemporaryDirectory() as folder:
            chosen, places = [], []
            for i in test:
                points = found.data.points[i]
                k = int(random.choice(np.flatnonzero(np.isfinite(points).all(-1))))
                place = Path(folder) / f"{i}.png"
                covered = cover(images.read(found.data.photographs[i]), points, k, random)
                Image.fromarray(covered).save(place, compress_level=1)
                chosen.append(k)
                places.append(place)
            for k, answer in zip(chosen, inference.predict(model.network, places, device=device), strict=True):
                assert isinstance(answer, inference.Prediction)
                flags, _ = domain.judge(
                    answer.points[None], answer.confidence[None], [answer.size], answer.described[None]
                )
                told = [one for one in flags[0] if one.startswith(FLAGS["hidden"])]
                numbers = told[0].removeprefix(FLAGS["hidden"]).split(",") if told else []
                flagged += bool(flags[0])
                named += str(k + 1) in [one.strip() for one in numbers]
                others += len(numbers) - (str(k + 1) in [one.strip() for one in numbers])
    n = len(found.folds)
    return {"named": named / n, "others named per specimen": others / n, "flagged": flagged / n}


def shares_flagged(run: Path, photographs: list[Path], strange: Path | None) -> dict[str, float]:
    """Share of photographs of several kinds that are flagged."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        kinds: dict[str, list[Path]] = {"turned": [], "blank": [], "noise": []}
        for number, path in enumerate(photographs[:N_STRANGE]):
            pixels = images.read(path)
            made = {
                "turned": pixels[::-1, ::-1],
                "blank": np.full_like(pixels, 255 * number // N_STRANGE),
                "noise": random.integers(0, 256, pixels.shape, dtype=np.uint8),
            }
            for kind, content in made.items():
                place = Path(folder) / f"{kind}-{number}.png"
                Image.fromarray(np.ascontiguousarray(content)).save(place, compress_level=1)
                kinds[kind].append(place)
        if strange:
            kinds[f"photographs of {strange.parent.name}"] = landmarking.find_photographs([strange])[:N_STRANGE]
        shares = {}
        for kind, paths in kinds.items():
            done = landmarking.predict(run, paths, Path(folder) / "out", device="cpu", draw=False)
            shares[kind] = round(len(done.to_review) / done.opened, 3)
        return shares


def main() -> None:
    """Cross-validate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strange", type=Path)
    asked = parser.parse_args()
    data = workflows.check(asked.data)
    options = workflows.TrainOptions(asked.preset, asked.seed, "auto")
    found = crossvalidation.crossvalidate(data, asked.run, options, n_folds=asked.folds)
    result = {"data": asked.data.name, "specimens": len(data), "landmarks": data.scheme.n_landmarks}
    result |= by_fold(found) | {"hidden": hidden(asked.run, found, asked.seed)}
    result |= {"flagged": shares_flagged(asked.run, list(data.photographs), asked.strange)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
