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

from pronotum import crossvalidation, images, landmarking, workflows
from pronotum.crossvalidation import CrossValidation
from pronotum.evaluation.calibration import LEVELS, coverage
from pronotum.evaluation.distances import distances
from pronotum.evaluation.domain import learn
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size

N_STRANGE = 20


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
        domain = learn(
            found.data.points[rest],
            photographs[0],
            found.described[rest],
            predicted=found.predicted[rest],
            confidence=certainty[0].confidence,
        )
        assert domain is not None
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
    result |= by_fold(found) | {"flagged": shares_flagged(asked.run, list(data.photographs), asked.strange)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
