"""The command that looks for better settings."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pronotum.cli_parts import (
    AsJson,
    ClusterAddress,
    CovariateTable,
    Data,
    Device,
    Group,
    KeptFolder,
    LandmarkFormat,
    Mirror,
    Model,
    Photographs,
    Pose,
    Preset,
    SchemeFile,
    Seed,
    Settings,
    Workers,
    engine,
    finish,
    groups_of,
    opened,
    overrides,
    posed,
    print_json,
    progress,
)
from pronotum.errors import UserError, counted

if TYPE_CHECKING:
    from pronotum.tuning import Budget, Search, Tested, Trial
    from pronotum.workflows import TrainOptions

SHOWN = 12
"""Specimens set aside that are named on the screen at most."""


def tune(
    data: Data,
    out: KeptFolder,
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    trials: Annotated[int, typer.Option(help="Settings to try; the first are the defaults.", min=2)] = 16,
    folds: Annotated[int, typer.Option(help="Of the cross-validation that judges each.", min=2)] = 4,
    test: Annotated[
        float, typer.Option(help="Share of the specimens set aside for one look at the end; 0 = none.", min=0, max=0.5)
    ] = 0.2,
    vary: Annotated[
        str | None, typer.Option(help="Only these of resolution,rate,augmentation,epochs; default all.")
    ] = None,
    group: Group = None,
    covariates: CovariateTable = None,
    model: Model = None,
    pose: Pose = "auto",
    mirror: Mirror = False,
    preset: Preset = None,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Settings = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for better settings by grouped cross-validation, and say what they bring on specimens it has never seen.

    Says first what it will take. Leaves trials.csv, and best.toml for pronotum train --set @best.toml.

    Example: pronotum tune wings/ -o wings-tuned --preset fast --trials 16
    """
    try:
        from pronotum import tuning
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UserError("tune", found="optuna is missing", remedy="pip install 'pronotum[tune]'") from None
    from pronotum import workflows

    found = opened(data, photographs, form, scheme)
    asked = workflows.TrainOptions(preset, seed, device, None, overrides(settings or []), model)
    options = posed(found, asked, pose, mirror=mirror)
    chosen = tuple(vary.split(",")) if vary else ()
    groups = groups_of(data, covariates, group, found)
    search = tuning.prepare(found, out, options, n_trials=trials, n_folds=folds, test=test, groups=groups, vary=chosen)

    def say(text: str) -> None:
        typer.echo(text, err=as_json)

    with engine(workers, cluster) as where:
        with progress("", quiet=as_json) as (on_share, _):
            budget = tuning.budget(search, where, on_share)
        for line in (*_plan(search), _cost(budget, workers or 1)):
            say(line)
        if dry_run:
            return
        with progress("", quiet=as_json) as (on_share, _):
            tried = tuning.run(search, where, on_share, on_trial=lambda trial: say(_line(trial, trials)))
            best = tuning.best(tried)
            tested = tuning.look(search, best, where, on_share)
    command = _command(data, out, options)
    tuning.write_best(search, best, command)
    if as_json:
        print_json(_summary(search, budget, tried, best, tested, command))
    else:
        for line in _answer(tried[0], best, tested):
            typer.echo(line)
        typer.echo(command)
    finish(tuning.left_out(search))


def _plan(search: Search) -> list[str]:
    """What is looked with, and what is varied."""
    aside = search.aside.names if search.aside else ()
    more = f" and {len(aside) - SHOWN} more (tuning.json)" if len(aside) > SHOWN else ""
    named = f"{len(aside)} set aside, never seen by the search: {', '.join(aside[:SHOWN])}{more}"
    dials = []
    for dial in search.space.dials:
        times = "/".join(f"{value:g}" for value in dial.values) or f"{dial.between[0]:g} to {dial.between[1]:g}"
        dials.append(f"{dial.name} {times}")
    return [
        f"{counted(len(search.data), 'specimen')} to search with; {named if aside else 'none set aside (--test 0)'}",
        f"varied, as multiples of the settings at the start: {'; '.join(dials)}",
    ]


def _cost(budget: Budget, workers: int) -> str:
    once, whole = _duration(budget.seconds_default), _duration(budget.seconds)
    shared = f", about {_duration(budget.seconds / workers)} with {workers}" if workers > 1 else ""
    n = budget.trials * budget.folds
    return (
        f"{counted(budget.trials, 'trial')} of {counted(budget.folds, 'fold')}: {counted(n, 'training')}, "
        f"about {whole} one after another{shared} "
        f"(one with the settings at the start: {once})"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _line(trial: Trial, n: int) -> str:
    said = " ".join(f"{name}={value}" for name, value in trial.settings.items()) or "as at the start"
    error = "diverged" if trial.error is None else f"{trial.error:.3f} % of centroid size"
    return f"trial {trial.number} of {n}: {error}; {said}"


def _answer(first: Trial, best: Trial, tested: Tested | None) -> list[str]:
    start = "diverged" if first.error is None else f"{first.error:.3f} %"
    lines = [
        f"best: trial {best.number}, {best.error:.3f} % of centroid size; at the start {start}. The best of several "
        "looks better than it is."
    ]
    if tested is None:
        lines.append("no specimens were set aside, so nothing unbiased can be said; evaluate on others")
    else:
        lines.append(
            f"on the {counted(tested.n, 'specimen')} set aside: {tested.best:.3f} %; "
            f"at the start {tested.default:.3f} %; mean shape {tested.mean_shape:.3f} %"
        )
    return lines


def _command(data: Path, out: Path, options: TrainOptions) -> str:
    """The training with what was found."""
    told = ["pronotum", "train", str(data), "-o", "RUN"]
    told += ["--model", options.model] if options.model else ["--pose", options.pose]
    told += ["--preset", options.preset] if options.preset else []
    told += ["--seed", str(options.seed)] if options.seed else []
    return shlex.join([*told, "--set", f"@{out / 'best.toml'}"])


def _summary(
    search: Search, budget: Budget, tried: list[Trial], best: Trial, tested: Tested | None, command: str
) -> dict[str, Any]:
    return {
        "specimens": len(search.data),
        "set_aside": list(search.aside.names) if search.aside else [],
        "budget": asdict(budget),
        "trials": [asdict(trial) for trial in tried],
        "best": best.number,
        "tested": asdict(tested) if tested else None,
        "command": command,
    }
