"""What the workers of a search do: time a training, measure settings on a fold, judge them on what was set aside."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum import workflows
from pronotum.crossvalidation import answered, train_and_predict, train_or_resume
from pronotum.data import Dataset
from pronotum.evaluation.distances import distances
from pronotum.files import write_text
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size
from pronotum.runs import Run
from pronotum.tasks import OnShare
from pronotum.training import Diverged, Epoch

ERRORS, TIMES = "errors.json", "times.json"
NOT_PLACED = 100.0
"""What a landmark counts that is not placed, % of centroid size: a model may not win by leaving out what is hard."""


def rehearse(learnt: Dataset, test: Dataset, place: Path, options: workflows.TrainOptions, on_share: OnShare) -> None:
    """Train one epoch of every stage, predict, and write how many seconds a whole training will take; a task."""
    run, begun = Run(place / "run"), time.monotonic()
    shutil.rmtree(run.folder, ignore_errors=True)
    epochs: list[Epoch] = []
    workflows.train(learnt, run.folder, options, at_most=1, on_epoch=epochs.append)
    trained = time.monotonic()
    workflows.evaluate(run.folder, test, device=options.device)
    predicted = time.monotonic()
    ends = [0.0, *(epoch.seconds for epoch in epochs)]
    each = [(after - before) * one.epochs for before, after, one in zip(ends, ends[1:], epochs, strict=False)]
    around = trained - begun - ends[-1]
    on_share(1.0, "")
    shutil.rmtree(run.folder)
    times = {"around": around, "training": sum(each), "predicting": predicted - trained}
    write_text(place / TIMES, json.dumps(times) + "\n")


def measure(
    data: Dataset,
    learnt: NDArray[np.intp],
    test: NDArray[np.intp],
    place: Path,
    options: workflows.TrainOptions,
    on_share: OnShare,
) -> None:
    """Train on some specimens and write how far off the predictions of others are, % of centroid size; a task.

    The model is not kept. Settings with which a training diverges are a finding, no mistake.
    """
    try:
        train_and_predict(data, learnt, test, place, options, on_share)
    except Diverged as error:
        write_text(place / ERRORS, json.dumps({"diverged": str(error), "errors": [], "problems": []}))
        return
    found, problems = answered(data, test, place)
    unread = np.isnan(found.described).any(1)
    errors = np.where(unread, np.nan, relative_errors(found.points, data.points[test]))
    told = [str(problem) for problem in problems]
    content = {"errors": errors.tolist(), "problems": told}
    write_text(place / ERRORS, json.dumps(content))
    Run(place).model.unlink(missing_ok=True)


def judge(data: Dataset, aside: Dataset, place: Path, options: workflows.TrainOptions, on_share: OnShare) -> None:
    """Train on some specimens and write the error of others, and that of the mean shape; a task."""
    run = Run(place)
    if not run.model.exists():
        train_or_resume(data, place, options, on_share)
    evaluation = workflows.evaluate(place, aside, device=options.device)
    error = float(np.nanmean(relative_errors(evaluation.predicted, evaluation.data.points)))
    content = {"error": error, "mean_shape": evaluation.mean_shape_error("percent_centroid_size")}
    write_text(place / ERRORS, json.dumps(content))


def relative_errors(predicted: FloatArray, manual: FloatArray) -> FloatArray:
    """(n,) mean error of each specimen's landmarks, % of its centroid size; NaN where it has none by hand.

    Args:
        predicted: (n, K, 2) px; NaN = not placed, which counts `NOT_PLACED`.
        manual: (n, K, 2) px; NaN = missing, which does not count.
    """
    errors = 100 * distances(predicted, manual) / centroid_size(manual)[:, None]
    known = np.isfinite(manual).all(-1)
    counted = np.where(np.isnan(errors), NOT_PLACED, errors)
    n = known.sum(1)
    mean: FloatArray = np.where(n > 0, (counted * known).sum(1) / np.maximum(n, 1), np.nan)
    return mean
