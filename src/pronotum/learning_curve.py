"""Does more digitising pay? Error and shape repeatability against the number of specimens learnt from.

Each point of the curve is a training on some of the specimens of a fold's training set, the smaller sets contained in
the larger, tested on the same specimens. What is finished is never done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum import workflows
from pronotum.crossvalidation import answered, described, fold_task, plan, require_unseen
from pronotum.data import Dataset, Problem
from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.models import architecture
from pronotum.runs import claim
from pronotum.tasks import Engine, OnShare, here
from pronotum.tasks import run as run_tasks

DESCRIPTION = "learning_curve.json"


@dataclass(frozen=True, eq=False)
class Trials:
    """Predictions of the same specimens by models that have learnt from more and more others.

    Attributes:
        data: all specimens.
        sizes: (S,) specimens learnt from, ascending.
        tested: (n,) positions of the specimens that were predicted.
        predicted: (S, n, K, 2) px of the photographs; NaN where there is none.
        problems: what was left out.
    """

    data: Dataset
    sizes: tuple[int, ...]
    tested: NDArray[np.intp]
    predicted: FloatArray
    problems: tuple[Problem, ...]


def default_sizes(n_training: int) -> tuple[int, ...]:
    """Four sizes, each about 1.7 times the one before, up to all there are."""
    sizes = {max(architecture.MIN_SPECIMENS, round(n_training / 1.7**step)) for step in range(4)}
    return tuple(sorted(sizes))


def run(
    data: Dataset,
    folder: Path,
    options: workflows.TrainOptions,
    *,
    sizes: Sequence[int] = (),
    n_folds: int = 4,
    run_folds: int | None = None,
    groups: Sequence[str] = (),
    engine: Engine = here,
    on_share: OnShare = lambda share, text: None,
) -> Trials:
    """Train on more and more specimens of every fold.

    Args:
        data: specimens.
        folder: of all trainings; goes on where it was interrupted.
        options: of every training.
        sizes: specimens to learn from; default: four, up to all.
        n_folds: each tests one part of the specimens and draws from the rest.
        run_folds: only the first so many folds.
        groups: as in `crossvalidation.crossvalidate`.
        engine: where to do it.
        on_share: called with the share of the work that is done, and what is being done.

    Raises:
        UserError: a size larger than a fold's training set or below three, another curve in the folder, or a start that
            knows one of the photographs.
    """
    require_unseen(data, options)
    folds = plan(data, n_folds, options.seed, groups)[:run_folds]
    most = len(data) - max(len(test) for test in folds)
    wanted = tuple(sorted(set(sizes))) or default_sizes(most)
    if wanted[0] < architecture.MIN_SPECIMENS or wanted[-1] > most:
        found = f"{wanted[0]} to {counted(wanted[-1], 'specimen')} to learn from"
        expected = f"{architecture.MIN_SPECIMENS} to {most}"
        raise UserError("--sizes", found=found, expected=expected, remedy="or ask for more folds")
    claim(folder / DESCRIPTION, {"sizes": wanted, **described(data, options, n_folds, groups)}, "a learning curve")
    made = []
    for number, test in enumerate(folds, start=1):
        order = np.random.default_rng([options.seed, number]).permutation(np.setdiff1d(np.arange(len(data)), test))
        for size in wanted:
            name, place = f"fold {number} of {len(folds)}, {size} specimens", _place(folder, number, size)
            made.append(fold_task(name, data, np.sort(order[:size]), test, place, options))
    run_tasks(made, engine=engine, on_share=on_share)
    problems: list[Problem] = list(data.problems)
    answers: list[FloatArray] = []
    for size in wanted:
        read = [answered(data, test, _place(folder, number, size)) for number, test in enumerate(folds, start=1)]
        answers.append(np.concatenate([found.points for found, _ in read]))
        problems += [problem for _, left_out in read for problem in left_out]
    return Trials(data, wanted, np.concatenate(folds), np.stack(answers), tuple(dict.fromkeys(problems)))


def _place(folder: Path, fold: int, size: int) -> Path:
    return folder / f"fold{fold:02d}" / f"{size:04d}"
