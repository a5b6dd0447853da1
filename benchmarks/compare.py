"""Presets and peers on the same folds, in one run: accuracy, shape, time.

python benchmarks/compare.py SHARED -o OUT --sets drosophila elytra --methods fast standard dlib dlib-tuned

Folds are grouped; test specimens are used for nothing else. Each fold of each method is kept in OUT, so the command
goes on where it was. Writes OUT/results.json and OUT/results.md, with what earlier commands have found there. Seconds
are of this machine and its neighbours; the ratios are to dlib-tuned on the same folds, in the same run.

dlib is given the true box of every specimen, which in use its detector has to find. The paper's model 3 (`ebnet3`) has
frames of 64x48 px and 100 epochs (`paper_model.py`). The authors' networks were trained on 260 specimens each; theirs
are the published coordinates of the same specimens, at 256x192.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dlib_trees
import numpy as np
import paper_model
import torch
from numpy.typing import NDArray

from pronotum import demo, geometry, more_shapes, synthetic, workflows
from pronotum.data import Dataset
from pronotum.evaluation import published, rounds
from pronotum.evaluation.distances import Scales, distances, mean_shape_distances, summary
from pronotum.evaluation.folds import grouped_folds
from pronotum.files import replacing, write_text
from pronotum.formats.naming import identity
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.disparity import disparity_ratio
from pronotum.morphometrics.procrustes import generalized_procrustes
from pronotum.morphometrics.superimposition import mean_shape


@dataclass(frozen=True)
class Collection:
    """A folder of photographs and how it is divided.

    Attributes:
        folder: below SHARED.
        folds: how many; 0 = one specimen at a time, -1 = as its authors divided it.
        part: its name in the coordinates published by the paper's authors; "" = it is none of theirs.
    """

    folder: str
    folds: int
    part: str = ""

    def divide(self, root: Path, data: Dataset, seed: int) -> list[NDArray[np.intp]]:
        """Positions of the test specimens of each fold."""
        if self.folds >= 0:
            return grouped_folds(data.groups, self.folds or len(set(data.groups)), seed)
        lines = (root / self.folder / "authors_split.txt").read_text().splitlines()
        test = {line.split(" ", 1)[1] for line in lines if line.startswith("test ")}
        return [np.array([i for i, path in enumerate(data.photographs) if path.name in test], dtype=np.intp)]


FINE_TUNED = "ebnet3, fine-tuned"
PARTS = "beetle-figures-256"
"""Folder of the parts that it is pre-trained on."""

COLLECTIONS = {
    "elytra": Collection("beetle-elytra", 0, "elytra"),
    "mandible": Collection("beetle-mandible-right", 0, "mandible_right"),
    "pronotum-256": Collection(f"{PARTS}/pronotum", 0, "pronotum"),
    "head-256": Collection(f"{PARTS}/head", 0, "head"),
    "elytra-256": Collection(f"{PARTS}/elytra", 0, "elytra"),
    "drosophila": Collection("drosophila-wing-mlmorph", 5),
    "snail": Collection("snail-shell", -1),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method gave on the test specimens of one fold: (n, K, 2) px of the photographs, and how long it took."""

    points: FloatArray
    training: float
    prediction: float


Method = Callable[[Dataset, Dataset], Answer]


def ours(
    overrides: dict[str, Any],
    preset: str | None = None,
    model: str | None = None,
    start: Callable[[], Path | None] = lambda: None,
) -> Method:
    """A model of this project, perhaps started from another one, whose own training does not count as its time."""

    def run(train: Dataset, test: Dataset) -> Answer:
        earlier = start()
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            options = workflows.TrainOptions(preset, 0, "cpu", 0.0, overrides, model, earlier)
            workflows.train(train, Path(folder) / "run", options)
            trained = time.perf_counter()
            predicted = workflows.evaluate(Path(folder) / "run", test, device="cpu").predicted
            return Answer(predicted, trained - begun, time.perf_counter() - trained)

    return run


def dlibs(settings: dict[str, float]) -> Method:
    """dlib's trees, trained on the specimens without missing landmarks."""

    def run(train: Dataset, test: Dataset) -> Answer:
        begun = time.perf_counter()
        complete = np.flatnonzero(~np.isnan(train.points).any((1, 2)))
        predictor = dlib_trees.fit(train.subset(complete), settings, torch.get_num_threads())
        trained = time.perf_counter()
        predicted = dlib_trees.predict(predictor, test)
        return Answer(predicted, trained - begun, time.perf_counter() - trained)

    return run


AUTHORS_SPECIMENS = 260
"""Of each part, that the authors' networks were trained on."""
GROSS = 8.0
"""Px of the 256x192 frame above which an error is a gross failure."""
WITH_SHAPES = ", more shapes"
"""End of the name of a method that is also given the published landmarks of specimens without photographs."""


AFTER_DRAWN = ", after drawn ones"
"""End of the name of a method that starts from a model of drawn specimens of the same part."""
N_DRAWN = 100
"""Drawn specimens that such a model has learnt from."""


def of_drawn(part: str, kept: Path) -> Callable[[], Path]:
    """The model of drawn specimens of a part, preset `fast`; trained where it is not kept yet."""

    def run() -> Path:
        folder = kept / f"drawn-{part}"
        if not (folder / "run" / "model.safetensors").exists():
            data = demo.draw_beetles(folder / "data", part, n=N_DRAWN, seed=11, size=synthetic.shapes.FRAME)
            workflows.train(data, folder / "run", workflows.TrainOptions("fast", 0, "cpu"))
        return folder / "run"

    return run


def papers(parts: Path, kept: Path, *, fine_tuned: bool = False) -> Method:
    """The paper's model 3."""

    def run(train: Dataset, test: Dataset) -> Answer:
        if fine_tuned:
            return Answer(*paper_model.fine_tuned(parts, kept, train, test))
        return Answer(*paper_model.scratch(train, test))

    return run


def methods(shared: Path, out: Path, part: str = "") -> dict[str, Method]:
    """All there are, by name, for photographs of this part."""
    parts, kept = shared / PARTS, out / "pretrained"
    drawn = of_drawn(part, kept)
    return {
        "fast": ours({}, "fast"),
        "fast" + WITH_SHAPES: ours({}, "fast"),
        "standard": ours({}, "standard"),
        "standard" + WITH_SHAPES: ours({}, "standard"),
        "best": ours({}, "best"),
        **{name + AFTER_DRAWN: ours({}, name, start=drawn) for name in ("fast", "standard", "best")},
        "with image processing": ours({"model.references": 5}, "fast"),
        "image processing": ours({}, None, "classical"),
        "ebnet3": papers(parts, kept),
        FINE_TUNED: papers(parts, kept, fine_tuned=True),
        "dlib": dlibs({}),
        "dlib-tuned": dlibs(dlib_trees.TUNED),
    }


def authors(shared: Path, part: str, data: Dataset) -> dict[str, tuple[FloatArray, int]]:
    """The published coordinates of the same specimens by method, px of the photographs; and how many it had seen."""
    known = published.load(shared / "beetle-founding-256")[part]
    rows = known.select(
        np.array([known.position(rounds.key(identity(path.name))) for path in data.photographs], dtype=np.intp)
    )
    back = [np.linalg.inv(geometry.letterbox(size, geometry.PAPER_FRAME)) for size in data.sizes]
    return {
        f"authors, {method}": (
            np.stack([geometry.transform(b, p) for b, p in zip(back, points, strict=True)]),
            rows.n_contaminated(method),
        )
        for method, points in rows.predicted.items()
    }


def measure(data: Dataset, test: NDArray[np.intp], points: FloatArray, scales: Scales) -> dict[str, Any]:
    """Errors and what they do to shape, of the test specimens (n,) with predictions (n, K, 2)."""
    manual = data.points[test]
    errors = distances(points, manual)
    found: dict[str, Any] = {
        "px_256x192": summary(errors * scales.paper[test, None]),
        "percent_centroid_size": summary(errors * scales.percent[test, None]),
        "px": summary(errors),
    }
    complete = np.isfinite(points).all((1, 2)) & np.isfinite(manual).all((1, 2))
    found["gross"] = int((errors * scales.paper[test, None] > GROSS).sum())
    found["specimens"], found["complete"] = len(test), int(complete.sum())
    if complete.sum() >= 3 and data.points.shape[1] >= 3:
        n = int(complete.sum())
        shapes = generalized_procrustes(np.concatenate([manual[complete], points[complete]])).shapes
        ratio = disparity_ratio(shapes[n:], shapes[:n], seed=0)
        found["disparity_ratio"] = [ratio.value, ratio.low, ratio.high]
        found["repeatability"] = procrustes_anova(np.stack([shapes[:n], shapes[n:]], axis=1)).repeatability
    return found


def run_set(name: str, title: str, asked: argparse.Namespace) -> dict[str, Any]:
    """All methods on one collection, whose folds are kept under a title."""
    collection, shared = COLLECTIONS[name], asked.shared
    if asked.folds:
        collection = replace(collection, folds=asked.folds)
    data = workflows.check(shared / collection.folder)
    folds = collection.divide(shared, data, asked.seed)[: asked.run]
    scales = Scales.of(data.points, list(data.sizes), [None] * len(data))
    test = np.concatenate(folds)
    everything = np.arange(len(data))
    baseline = [
        mean_shape_distances(mean_shape(data.points[np.setdiff1d(everything, f)]), data.points[f]) for f in folds
    ]
    result: dict[str, Any] = {
        "specimens": len(data),
        "trained on": len(data) - len(folds[0]),
        "mean shape, placed perfectly": {"px_256x192": summary(np.concatenate(baseline) * scales.paper[test, None])},
    }
    if collection.part:
        for method, (points, seen) in authors(shared, collection.part, data).items():
            result[method] = {**measure(data, test, points[test], scales), "seen in training": seen}
    for method in asked.methods:
        if method == FINE_TUNED and not collection.folder.startswith(PARTS):
            raise SystemExit(f"{name}: {method} is defined for {PARTS} only")
        if method.endswith(AFTER_DRAWN) and collection.part not in synthetic.PARTS:
            raise SystemExit(f"{name}: {method} is defined for {', '.join(synthetic.PARTS)} only")
        answers = []
        known = data
        if method.endswith(WITH_SHAPES):
            coordinates = shared / "beetle-founding-coordinates" / f"{collection.part}_manual.tps"
            known, left_out = more_shapes.add(data, [coordinates])
            print(
                f"{name}: {0 if known.shapes is None else len(known.shapes)} more shapes, {left_out} left out",
                flush=True,
            )
        for number, fold in enumerate(folds):
            kept = asked.out / title / method.replace(",", "").replace(" ", "-") / f"{number}.npz"
            if not kept.exists():
                answer = methods(shared, asked.out, collection.part)[method](
                    known.subset(np.setdiff1d(everything, fold)), data.subset(fold)
                )
                with replacing(kept) as place, place.open("wb") as file:
                    np.savez(file, points=answer.points, seconds=[answer.training, answer.prediction], test=fold)
            stored = np.load(kept)
            if not np.array_equal(stored["test"], fold):
                raise SystemExit(f"{kept}: other test specimens; delete {asked.out / title}")
            answers.append(Answer(stored["points"], *map(float, stored["seconds"])))
            print(f"{name}, {method}: {number + 1} of {len(folds)}", flush=True)
        result[method] = {
            **measure(data, test, np.concatenate([answer.points for answer in answers]), scales),
            "trained on": len(data) - len(folds[0]),
            "training_seconds": sum(answer.training for answer in answers) / len(folds),
            "prediction_seconds": sum(answer.prediction for answer in answers) / len(test),
        }
    return result


def as_table(results: dict[str, Any]) -> str:
    """Markdown."""
    head = [
        "set",
        "method",
        "trained on",
        "mean",
        "median",
        "p95",
        "max",
        "gross",
        "% of CS",
        "repeat.",
        "disparity",
        "training",
        "ratio",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, result in results.items():
        reference = result.get("dlib-tuned", {}).get("training_seconds")
        for method, found in result.items():
            if not isinstance(found, dict):
                continue
            error, percent = found["px_256x192"], found.get("percent_centroid_size", {}).get("mean")
            seconds, disparity = found.get("training_seconds"), found.get("disparity_ratio", [None])[0]
            learnt = AUTHORS_SPECIMENS if method.startswith("authors") else found.get("trained on", "")
            cells = [str(learnt)]
            cells += [
                f"{error[key]:.3f}" if error["mean"] is not None else "-" for key in ("mean", "median", "p95", "max")
            ]
            cells.append(str(found.get("gross", "")))
            cells += [
                f"{value:.3f}" if value is not None else ""
                for value in (percent, found.get("repeatability"), disparity)
            ]
            cells += [
                f"{seconds:.0f} s" if seconds else "",
                f"{seconds / reference:.2f}" if seconds and reference else "",
            ]
            told = f", {found['seen in training']} seen in training" if found.get("seen in training") else ""
            lines.append("| " + " | ".join([name, method + told, *cells]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=COLLECTIONS, default=list(COLLECTIONS))
    parser.add_argument(
        "--methods", nargs="+", choices=methods(Path(), Path()), default=["fast", "standard", "dlib", "dlib-tuned"]
    )
    parser.add_argument("--run", type=int, help="only so many folds of each set")
    parser.add_argument("--folds", type=int, help="instead of those of each set; kept apart from them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="of every method")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    machine = {"threads": asked.threads, "cores": os.cpu_count(), "torch": torch.__version__}
    written = asked.out / "results.json"
    found = json.loads(written.read_text())["sets"] if written.exists() else {}
    for name in asked.sets:
        title = f"{name}-{asked.folds}-fold" if asked.folds else name
        found[title] = {**found.get(title, {}), **run_set(name, title, asked)}
        write_text(written, json.dumps({"machine": machine, "sets": found}, indent=1) + "\n")
    write_text(asked.out / "results.md", as_table(found))
    print(as_table(found))


if __name__ == "__main__":
    main()
