"""A search for better settings, by grouped cross-validation, that never sees the specimens set aside for a test.

Trials are asked for in batches of a fixed size, and answered in order, so that what comes out does not depend on how
many processes work on them. Nothing of the search itself is kept: with the same seed and the same answers it asks the
same again, and finds what is finished. The folder has ``tuning.json`` (what runs here), ``timing/``,
``trials/NNN/NN/`` (a run per fold), ``trials.csv``, ``best.toml`` and, where specimens were set aside, ``test/``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from pronotum import tasks, workflows
from pronotum.crossvalidation import described, plan, together
from pronotum.data import Dataset
from pronotum.errors import UserError, counted
from pronotum.evaluation.folds import hold_out
from pronotum.files import write_text
from pronotum.runs import claim
from pronotum.search_space import Dial, Positions, SearchSpace
from pronotum.tasks import Engine, OnShare, Task, here
from pronotum.tuning_tasks import ERRORS, TIMES, judge, measure, rehearse

DESCRIPTION, TRIALS, BEST, TESTED = "tuning.json", "trials.csv", "best.toml", "tested.json"
BATCH = 4
"""Trials that are asked for at a time, whatever the number of processes."""


@dataclass(frozen=True, eq=False)
class Search:
    """What to look for, and where.

    Attributes:
        data: the specimens to look with.
        aside: those set aside for the test; None = none.
        folder: of everything; goes on where it was interrupted.
        options: of every training; what is varied starts from these.
        space: what is varied.
        folds: positions of the specimens that each fold tests.
        groups: (N,) of all specimens, what must not be divided; empty = photographs only.
        n_trials: how many settings are tried; the first are the defaults.
    """

    data: Dataset
    aside: Dataset | None
    folder: Path
    options: workflows.TrainOptions
    space: SearchSpace
    folds: tuple[NDArray[np.intp], ...]
    groups: tuple[str, ...]
    n_trials: int


@dataclass(frozen=True)
class Trial:
    """One that is finished.

    Attributes:
        number: from 1.
        positions: of the dials.
        settings: what ``--set`` has to say; nothing for the defaults.
        errors: mean error of each fold's test specimens, % of centroid size; empty = the training diverged.
        error: mean over all specimens; None = the training diverged.
    """

    number: int
    positions: Positions
    settings: dict[str, Any]
    errors: tuple[float, ...]
    error: float | None


@dataclass(frozen=True)
class Budget:
    """What a search will take.

    Attributes:
        trials: settings tried.
        folds: trainings of each.
        seconds_default: of one training and prediction with the defaults.
        seconds: of all of them, one after another.
    """

    trials: int
    folds: int
    seconds_default: float
    seconds: float


@dataclass(frozen=True)
class Tested:
    """Mean errors of the specimens that were set aside, % of centroid size.

    Attributes:
        best: of the settings found.
        default: of the defaults.
        mean_shape: of the mean shape, placed perfectly.
        n: number of specimens.
    """

    best: float
    default: float
    mean_shape: float
    n: int


def prepare(
    data: Dataset,
    folder: Path,
    options: workflows.TrainOptions,
    *,
    n_trials: int,
    n_folds: int,
    test: float,
    groups: Sequence[str] = (),
    vary: Sequence[str] = (),
) -> Search:
    """Set specimens aside, divide the others into folds, and say in the folder what runs there.

    Args:
        data: all specimens.
        folder: of everything.
        options: of every training.
        n_trials: how many settings to try.
        n_folds: of the cross-validation that judges each.
        test: share of the specimens to set aside; 0 = none.
        groups: (N,) what must not be divided, beside photographs; empty = nothing.
        vary: names of what is varied; empty = everything.

    Raises:
        UserError: fewer groups than folds, something to vary that there is not, or another search in the folder.
    """
    kept, aside = hold_out(together(data, groups), test, options.seed)
    rest, among = data.subset(kept), [groups[at] for at in kept] if groups else []
    space = SearchSpace.of(rest, options, vary)
    found = Search(
        rest,
        data.subset(aside) if len(aside) else None,
        folder,
        options,
        space,
        tuple(plan(rest, n_folds, options.seed, among)),
        tuple(groups),
        n_trials,
    )
    search = {"dials": [repr(dial) for dial in space.dials], "batch": BATCH, "optuna": optuna.__version__}
    set_aside = list(found.aside.names) if found.aside else []
    claim(
        folder / DESCRIPTION,
        {**described(data, options, n_folds, groups), "search": search, "set aside": set_aside},
        "a search",
    )
    looked = folder / "test" / TESTED
    if looked.exists() and json.loads(looked.read_text(encoding="utf-8"))["trials"] != n_trials:
        known = json.loads(looked.read_text(encoding="utf-8"))["trials"]
        remedy = "begin another search with another --seed and -o, or with --test 0"
        raise UserError(
            f"--trials {n_trials}",
            found=f"the specimens set aside have been looked at after {counted(known, 'trial')}",
            expected="one look",
            remedy=remedy,
        )
    return found


def budget(search: Search, engine: Engine = here, on_share: OnShare = lambda share, text: None) -> Budget:
    """What the search will take, from one epoch of every stage with the default settings: a rough figure."""
    place = search.folder / "timing"
    test = search.folds[0]
    learnt = np.setdiff1d(np.arange(len(search.data)), test)
    arguments = (search.data.subset(learnt), search.data.subset(test), place, search.options)
    timing = Task("timing", rehearse, arguments, place, place / TIMES)
    tasks.run([timing], engine=engine, on_share=on_share)
    once = sum(json.loads((place / TIMES).read_text(encoding="utf-8")).values())
    n = len(search.folds)
    return Budget(search.n_trials, n, once, once * n * (1 + (search.n_trials - 1) * search.space.mean_cost))


def run(
    search: Search,
    engine: Engine = here,
    on_share: OnShare = lambda share, text: None,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """Try settings, batch by batch.

    Args:
        search: what to look for.
        engine: where to do it.
        on_share: called with the share of the work that is done, and what is being done.
        on_trial: called with every trial that is finished, in order.

    Returns:
        all trials, in order.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=search.options.seed, n_startup_trials=2 * BATCH)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(search.space.defaults)
    distributions = {dial.name: _distribution(dial) for dial in search.space.dials}
    found, same = list[Trial](), dict[str, int]()
    while len(found) < search.n_trials:
        done = len(found)
        n = min(BATCH, search.n_trials - done)
        asked = [study.ask(distributions) for _ in range(n)]
        numbered = {done + at: dict(one.params) for at, one in enumerate(asked, start=1)}

        def shared(share: float, text: str, done: int = done, n: int = n) -> None:
            on_share((done + n * share) / search.n_trials, text)

        for number, positions in numbered.items():
            same.setdefault(_key(search, positions), number)
        new = {number: positions for number, positions in numbered.items() if number in same.values()}
        made = [task for number, positions in new.items() for task in _trial(search, number, positions)]
        tasks.run(made, engine=engine, on_share=shared)
        for one, (number, positions) in zip(asked, numbered.items(), strict=True):
            trial = replace(_read(search, same[_key(search, positions)], positions), number=number)
            failed = trial.error is None
            study.tell(one, trial.error, state=optuna.trial.TrialState.FAIL if failed else None)
            found.append(trial)
            on_trial(trial)
        _write_table(search, found)
    return found


def _key(search: Search, positions: Positions) -> str:
    """What two positions have in common that mean the same settings: only the first is tried."""
    return json.dumps(search.space.settings(positions))


def _distribution(dial: Dial) -> optuna.distributions.BaseDistribution:
    if dial.values:
        return optuna.distributions.CategoricalDistribution(dial.values)
    return optuna.distributions.FloatDistribution(*dial.between, log=True)


def _place(search: Search, number: int, fold: int) -> Path:
    return search.folder / "trials" / f"{number:03d}" / f"{fold:02d}"


def _options(search: Search, settings: dict[str, Any]) -> workflows.TrainOptions:
    return replace(search.options, overrides={**search.options.overrides, **settings})


def _trial(search: Search, number: int, positions: Positions) -> list[Task]:
    """The tasks of a trial, one per fold."""
    settings = search.space.settings(positions)
    claim(_place(search, number, 0).parent / "settings.json", {"settings": settings}, "a trial")
    made = []
    for fold, test in enumerate(search.folds, start=1):
        learnt, place = np.setdiff1d(np.arange(len(search.data)), test), _place(search, number, fold)
        arguments = (search.data, learnt, test, place, _options(search, settings))
        name = f"trial {number} of {search.n_trials}, fold {fold} of {len(search.folds)}"
        made.append(Task(name, measure, arguments, place, place / ERRORS, search.space.cost(positions)))
    return made


def _read(search: Search, number: int, positions: Positions) -> Trial:
    settings = search.space.settings(positions)
    read = []
    for fold in range(1, len(search.folds) + 1):
        content = json.loads((_place(search, number, fold) / ERRORS).read_text(encoding="utf-8"))
        read.append(np.array(content["errors"], dtype=np.float64))
    if any(len(errors) == 0 for errors in read):
        return Trial(number, positions, settings, (), None)
    means = tuple(float(np.nanmean(errors)) for errors in read)
    return Trial(number, positions, settings, means, float(np.nanmean(np.concatenate(read))))


def left_out(search: Search) -> list[str]:
    """What could not be used, as the first trial has found."""
    files = [_place(search, 1, fold) / ERRORS for fold in range(1, len(search.folds) + 1)]
    told = [problem for path in files for problem in json.loads(path.read_text(encoding="utf-8"))["problems"]]
    return list(dict.fromkeys([*map(str, search.data.problems), *told]))


def best(trials: Sequence[Trial]) -> Trial:
    """The one with the least error, the earliest of several.

    Raises:
        UserError: every training diverged.
    """
    usable = [trial for trial in trials if trial.error is not None]
    if not usable:
        raise UserError("tune", found="every training diverged", remedy="start from a lower rate (--set rate=...)")
    return min(usable, key=lambda trial: trial.error if trial.error is not None else np.inf)


def look(
    search: Search, chosen: Trial, engine: Engine = here, on_share: OnShare = lambda share, text: None
) -> Tested | None:
    """Train on all specimens of the search, with the settings found and with the defaults, and look at the others once.

    Returns:
        None where no specimens were set aside.
    """
    if search.aside is None:
        return None
    places = {"default": search.folder / "test" / "default", "best": search.folder / "test" / "best"}
    if not chosen.settings:
        places["best"] = places["default"]
    asked = {"default": search.options, "best": _options(search, chosen.settings)}
    made = {
        place: Task(
            f"test with the {name} settings",
            judge,
            (search.data, search.aside, place, asked[name]),
            place,
            place / ERRORS,
        )
        for name, place in places.items()
    }
    tasks.run(list(made.values()), engine=engine, on_share=on_share)
    told = {name: json.loads((place / ERRORS).read_text(encoding="utf-8")) for name, place in places.items()}
    found = Tested(told["best"]["error"], told["default"]["error"], told["best"]["mean_shape"], len(search.aside))
    content = {"trials": search.n_trials, "trial": chosen.number, "best": found.best, "default": found.default}
    write_text(search.folder / "test" / TESTED, json.dumps({**content, "mean_shape": found.mean_shape}) + "\n")
    return found


def _write_table(search: Search, trials: Sequence[Trial]) -> None:
    """trials.csv: positions, errors and settings of all trials so far."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    names = [dial.name for dial in search.space.dials]
    folds = [f"fold_{number}" for number in range(1, len(search.folds) + 1)]
    table.writerow(["trial", *names, "error_percent_centroid_size", *folds, "settings"])
    for trial in trials:
        errors = [trial.error, *trial.errors] if trial.error is not None else ["diverged", *[""] * len(folds)]
        said = " ".join(f"--set {name}={_as_option(value)}" for name, value in trial.settings.items())
        table.writerow([trial.number, *(trial.positions[name] for name in names), *errors, said])
    write_text(search.folder / TRIALS, out.getvalue())


def _as_option(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def write_best(search: Search, chosen: Trial, command: str) -> Path:
    """best.toml: all settings to give to ``--set @best.toml``, those that were asked for at the start among them."""
    settings = _options(search, chosen.settings).overrides
    lines = [f"# Trial {chosen.number} of {search.n_trials}: {chosen.error:.3f} % of centroid size.", f"# {command}"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    path = search.folder / BEST
    write_text(path, "\n".join(lines) + "\n")
    return path
