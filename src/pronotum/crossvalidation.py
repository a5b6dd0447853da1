"""Cross-validation: every specimen predicted by a model that has never seen it, and a final model of all.

The folder is a run folder (`runs.Run`) of the final model, with ``crossvalidation.json`` (what runs here),
``folds/NN/`` (a run and ``predictions.tps`` each), and ``out_of_fold.tps``. What is finished is never done again.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum import formats, workflows
from pronotum.data import Dataset, Problem
from pronotum.errors import UserError, counted
from pronotum.evaluation.calibration import LEVELS, Calibration, Certainty, calibrate
from pronotum.evaluation.distances import distances
from pronotum.evaluation.domain import Domain, learn
from pronotum.evaluation.folds import grouped_folds
from pronotum.evaluation.presence import Presence
from pronotum.evaluation.presence import learn as learn_presence
from pronotum.files import write_text
from pronotum.landmarks import FloatArray, Landmarks
from pronotum.models import architecture, storage
from pronotum.morphometrics.superimposition import centroid_size, mean_shape
from pronotum.pictures import DESCRIBED
from pronotum.runs import Run, claim
from pronotum.semilandmarks import to_curves
from pronotum.tasks import Engine, OnShare, Task, here
from pronotum.tasks import run as run_tasks

DESCRIPTION = "crossvalidation.json"
OUT_OF_FOLD = "out_of_fold.tps"
PREDICTIONS, CERTAINTY, PROBLEMS = "predictions.tps", "certainty.json", "problems.json"


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a cross-validation found.

    Attributes:
        data: the specimens with readable photographs.
        predicted: (N, K, 2) out-of-fold predictions, px of the photographs; NaN where there is none.
        mean_shapes: (N, K, 2) for each specimen the mean shape of those its model has learnt from, any pose.
        folds: (N,) the fold (from 1) that tested each specimen.
        problems: what was left out.
        certainty: what the networks say of the predictions.
        described: (N, D) what the photographs look like (`pictures.describe`); NaN where it could not be told.
    """

    data: Dataset
    predicted: FloatArray
    mean_shapes: FloatArray
    folds: NDArray[np.intp]
    problems: tuple[Problem, ...]
    certainty: Certainty
    described: FloatArray

    @property
    def domain(self) -> Domain | None:
        """What the specimens are like, with limits that their out-of-fold predictions hardly ever exceed."""
        known = np.flatnonzero(np.isfinite(self.described).all(1))
        sizes = [self.data.sizes[i] for i in known]
        # What is said of landmarks that are not there says nothing of those that are.
        trust = np.where(np.isnan(self.data.points).any(-1), np.nan, self.certainty.confidence)[known]
        seen = self.predicted[known]
        return learn(self.data.points[known], sizes, self.described[known], predicted=seen, confidence=trust)

    def radii(self, levels: tuple[float, ...] = LEVELS) -> FloatArray | None:
        """(N, K, L) px, of calibrations that have learnt from the other folds; None where these had too few errors."""
        errors, sizes = distances(self.predicted, self.data.points), centroid_size(self.predicted)
        radii = np.full((*errors.shape, len(levels)), np.nan)
        for fold in np.unique(self.folds):
            test, rest = np.flatnonzero(self.folds == fold), np.flatnonzero(self.folds != fold)
            found = calibrate(errors[rest], sizes[rest], self.certainty.of(rest), levels=levels)
            if found is None:
                return None
            radii[test] = found.radii(sizes[test], self.certainty.of(test))
        return radii

    @property
    def presence(self) -> Presence | None:
        """Which landmarks are there at all; None where (almost) none was left out by hand."""
        there = np.isfinite(self.data.points[..., 0])
        return learn_presence(there, centroid_size(self.predicted), self.certainty)

    @property
    def calibration(self) -> Calibration | None:
        """How far off predictions of new photographs may be; None where there are too few errors to tell."""
        return calibrate(distances(self.predicted, self.data.points), centroid_size(self.predicted), self.certainty)


def plan(data: Dataset, n_folds: int, seed: int, groups: Sequence[str] = ()) -> list[NDArray[np.intp]]:
    """Positions of the specimens that each fold tests.

    Photographs with the same content stay together; so do, where groups are given, all specimens of a group, and all
    groups that share a photograph.

    Raises:
        UserError: fewer separate specimens or groups than folds.
    """
    return grouped_folds(together(data, groups), n_folds, seed)


def together(data: Dataset, groups: Sequence[str] = ()) -> Sequence[Hashable]:
    """(N,) values that are equal where photograph or group are, directly or through others."""
    return _joined(data.groups, groups) if groups else data.groups


def _joined(photographs: Sequence[str], groups: Sequence[str]) -> list[int]:
    parent: dict[object, object] = {}

    def root(one: object) -> object:
        while parent.setdefault(one, one) != one:
            one = parent[one]
        return one

    for photograph, group in zip(photographs, groups, strict=True):
        parent[root(("photograph", photograph))] = root(("group", group))
    numbers: dict[object, int] = {}
    return [numbers.setdefault(root(("photograph", photograph)), len(numbers)) for photograph in photographs]


def crossvalidate(
    data: Dataset,
    folder: Path,
    options: workflows.TrainOptions,
    *,
    n_folds: int = 5,
    groups: Sequence[str] = (),
    engine: Engine = here,
    on_share: OnShare = lambda share, text: None,
) -> CrossValidation:
    """Train and predict every fold, and train on all.

    Args:
        data: specimens.
        folder: of the run; goes on where it was interrupted.
        options: of every training.
        n_folds: number of folds.
        groups: (N,) what must not be divided between training and testing, beside photographs; empty = nothing.
        engine: where to do it.
        on_share: called with the share of the work that is done, and what is being done.

    Raises:
        UserError: fewer specimens or groups than folds, another cross-validation in the folder, or a start that knows
            one of the photographs.
    """
    folds = plan(data, n_folds, options.seed, groups)
    require_unseen(data, options)
    claim(folder / DESCRIPTION, described(data, options, n_folds, groups), "a cross-validation")
    learnt = [np.setdiff1d(np.arange(len(data)), test) for test in folds]
    places = [folder / "folds" / f"{number:02d}" for number in range(1, n_folds + 1)]
    made = [
        fold_task(f"fold {number} of {n_folds}", data, *parts, options)
        for number, parts in enumerate(zip(learnt, folds, places, strict=True), start=1)
    ]
    final = Task("final model", train_or_resume, (data, folder, options), folder, Run(folder).model, float(len(data)))
    run_tasks([*made, final], engine=engine, on_share=on_share)
    predicted = np.full(data.points.shape, np.nan)
    shapes = np.full(data.points.shape, np.nan)
    number_of = np.zeros(len(data), dtype=np.intp)
    certainty = Certainty.unknown(*data.points.shape[:2])
    looks = np.full((len(data), DESCRIBED), np.nan)
    problems = list(data.problems)
    for number, (known, test, place) in enumerate(zip(learnt, folds, places, strict=True), start=1):
        found, left_out = answered(data, test, place)
        predicted[test], number_of[test] = found.points, number
        certainty.confidence[test], certainty.spread[test] = found.certainty.confidence, found.certainty.spread
        looks[test] = found.described
        shapes[test] = mean_shape(data.points[known])
        problems.extend(left_out)
    answers = [predicted_of(one, points) for one, points in zip(data.landmarks, predicted, strict=True)]
    formats.save(folder / OUT_OF_FOLD, [to_curves(one, data.scheme) for one in answers], _sizes(data))
    whole = CrossValidation(data, predicted, shapes, number_of, tuple(dict.fromkeys(problems)), certainty, looks)
    _keep(Run(folder).model, whole)
    return whole


def require_unseen(data: Dataset, options: workflows.TrainOptions) -> None:
    """Refuse to start from a model that has learnt from a photograph of these: some fold would test what it knows.

    Raises:
        UserError: it has, or does not say.
    """
    if options.start is None:
        return
    model = workflows.open_model(options.start, "cpu")[0]
    if "photographs" not in model.card:
        found = "a model whose card lacks the photographs it has learnt from"
        raise UserError(f"--from {options.start}", found=found, remedy="train it again with this version")
    seen = workflows.seen_by(model, data)
    if seen:
        raise UserError(
            f"--from {options.start}",
            found=f"has learnt from {counted(len(seen), 'photograph')} of these ({', '.join(seen[:3])}"
            + (", ...)" if len(seen) > 3 else ")"),
            expected="a model of other specimens: a fold would test what it knows",
            remedy="leave --from out, or start from a model without them",
        )


def train_or_resume(data: Dataset, folder: Path, options: workflows.TrainOptions, on_share: OnShare) -> None:
    """Train a model, or go on where an earlier attempt was; a task."""
    resume = Run(folder).config.exists()
    workflows.train(data, folder, options, resume=resume, on_epoch=lambda one: on_share(one.progress, one.stage))


def _keep(path: Path, found: CrossValidation) -> None:
    """Write into the final model how far off its predictions may be, and which ones a person should look at."""
    model = storage.load(path)
    learnt: dict[str, Any] = {"calibration": found.calibration, "presence": found.presence}
    if architecture.named(model.architecture).configure_posed is None:
        # Else specimens are judged in their upright pictures, of which only the training knows.
        learnt["domain"] = found.domain
    plain = {name: None if value is None else value.as_plain() for name, value in learnt.items()}
    if {name: model.card.get(name) for name in plain} != plain:
        storage.save(path, replace(model, card={**model.card, **plain}))


@dataclass(frozen=True, eq=False)
class Answered:
    """Predictions of some specimens.

    Attributes:
        points: (n, K, 2) px of the photographs; NaN where there is none.
        certainty: what the networks say of them.
        described: (n, D) what the photographs look like; NaN where they could not be read.
    """

    points: FloatArray
    certainty: Certainty
    described: FloatArray


def fold_task(
    name: str,
    data: Dataset,
    learnt: NDArray[np.intp],
    test: NDArray[np.intp],
    place: Path,
    options: workflows.TrainOptions,
) -> Task:
    """The task of predicting some specimens with a model that learns from others; see `train_and_predict`."""
    arguments = (data, learnt, test, place, options)
    return Task(name, train_and_predict, arguments, place, place / PREDICTIONS, float(len(learnt)))


def train_and_predict(
    data: Dataset,
    learnt: NDArray[np.intp],
    test: NDArray[np.intp],
    place: Path,
    options: workflows.TrainOptions,
    on_share: OnShare,
) -> None:
    """Predict some specimens with a model that learns from others; a task.

    Args:
        data: all specimens.
        learnt: positions of those to learn from.
        test: positions of those to predict.
        place: run folder of this training; for what it writes beside see `answered`.
        options: of the training.
        on_share: called after every epoch.
    """
    run, asked = Run(place), data.subset(test)
    if not run.model.exists():
        train_or_resume(data.subset(learnt), place, options, on_share)
    evaluation = workflows.evaluate(place, asked, device=options.device)
    points = dict(zip(evaluation.data.names, evaluation.predicted, strict=True))
    certainty = evaluation.certainty
    rows = zip(certainty.confidence.tolist(), certainty.spread.tolist(), evaluation.described.tolist(), strict=True)
    missing = np.full(data.points.shape[1:], np.nan)
    answers = [predicted_of(specimen, points.get(specimen.name, missing)) for specimen in asked.landmarks]
    write_text(place / PROBLEMS, json.dumps([asdict(problem) for problem in evaluation.problems]))
    write_text(place / CERTAINTY, json.dumps(dict(zip(evaluation.data.names, rows, strict=True))))
    formats.save(place / PREDICTIONS, answers, _sizes(asked))


def answered(data: Dataset, test: NDArray[np.intp], place: Path) -> tuple[Answered, list[Problem]]:
    """What `train_and_predict` has predicted of the specimens at these positions, in this order; what was left out."""
    asked = data.subset(test)
    found = formats.load(place / PREDICTIONS, _sizes(asked))
    problems = [Problem(**one) for one in json.loads((place / PROBLEMS).read_text(encoding="utf-8"))]
    unknown = [np.nan] * data.scheme.n_landmarks
    kept = json.loads((place / CERTAINTY).read_text(encoding="utf-8"))
    told = [kept.get(name, [unknown, unknown, [np.nan] * DESCRIBED]) for name in asked.names]
    confidence, spread, described = (np.array(column, dtype=np.float64) for column in zip(*told, strict=True))
    answers = Answered(np.stack([one.points for one in found]), Certainty(confidence, spread), described)
    return answers, problems


def predicted_of(specimen: Landmarks, points: FloatArray) -> Landmarks:
    """A specimen with predicted landmarks (K, 2) px, and nothing of what was digitised."""
    return replace(specimen, points=points, curves=(), source=None)


def _sizes(data: Dataset) -> dict[str, tuple[int, int]]:
    return {specimen.image: size for specimen, size in zip(data.landmarks, data.sizes, strict=True)}


def described(data: Dataset, options: workflows.TrainOptions, n_folds: int, groups: Sequence[str]) -> dict[str, Any]:
    """What must stay the same when a cross-validation goes on; the device need not."""
    settings = {name: value for name, value in asdict(options).items() if name != "device"}
    return {"data": data.digest(), "folds": n_folds, "groups": list(groups), "options": settings}
