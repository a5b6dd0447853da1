"""Train a model on specimens with landmarks, and leave a run folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pronotum import inference, pictures, poses, preparation, ranks, training
from pronotum.data import Dataset, Problem
from pronotum.errors import UserError, counted
from pronotum.evaluation import domain
from pronotum.evaluation.folds import hold_out
from pronotum.files import sweep
from pronotum.landmarks import FloatArray
from pronotum.models import architecture, storage
from pronotum.morphometrics.superimposition import mean_shape
from pronotum.report import curves
from pronotum.runs import Run, require_same
from pronotum.settings import resolve
from pronotum.workflows.opening import as_problem, fingerprints, open_model
from pronotum.workflows.versions import versions

DEFAULT_MODEL = "heatmap"
FREE_MODEL = "free"
LEFT_OUT = "left out"
"""Event of a specimen or photograph that a training could not use."""
WARNING = "warning"
"""Event of what looks wrong with all of the data (`Dataset.warnings`)."""
MIN_TO_HOLD_OUT = 30
"""With fewer specimens each is needed for training: none is held out and the last weights are kept."""


@dataclass(frozen=True)
class TrainOptions:
    """What can be asked of a training.

    Attributes:
        preset: ``fast``, ``standard`` or ``best`` for the default model; None takes the model's own default.
        seed: of all random numbers.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        held_out: share of specimens to watch for the learning curve and the best weights; None decides. Nothing is
            watched where the model does not learn in epochs.
        overrides: settings of the preset to change, by dotted name; those of the network begin with ``model.``.
        model: name of the architecture; None takes that of `start`, or the default model.
        start: an earlier run or model file whose weights this training starts from; None = from nothing.
        pose: ``upright`` (photographs as they are), ``free`` (specimens are found first), or ``auto``, which asks the
            data; see `choose_pose`.
    """

    preset: str | None = None
    seed: int = 0
    device: str = "auto"
    held_out: float | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    start: Path | None = None
    pose: str = "auto"


def choose_pose(data: Dataset, options: TrainOptions) -> tuple[str, list[str]]:
    """The default architecture for these data, and why it is not the one for upright photographs.

    Raises:
        UserError: no such pose.
    """
    if options.pose not in ("auto", "upright", "free"):
        raise UserError("--pose", found=f"'{options.pose}'", expected="auto, upright or free")
    reasons = poses.reasons_to_search(data.points, data.photographs, data.sizes) if options.pose == "auto" else []
    return (FREE_MODEL if reasons or options.pose == "free" else DEFAULT_MODEL), reasons


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a training did.

    Attributes:
        run: its folder.
        n_train: specimens learnt from.
        n_held_out: specimens watched.
        error: mean error of the held-out specimens, px of the photograph; None where none was held out.
        seconds: how long it took.
        problems: specimens and photographs that were left out.
        warnings: what looks wrong with all of the data (`Dataset.warnings`).
    """

    run: Run
    n_train: int
    n_held_out: int
    error: float | None
    seconds: float
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "run": str(self.run.folder),
            "n_train": self.n_train,
            "n_held_out": self.n_held_out,
            "held_out_error_px": self.error,
            "seconds": self.seconds,
            "problems": [str(problem) for problem in self.problems],
            "warnings": list(self.warnings),
        }


def train(
    data: Dataset,
    folder: Path,
    options: TrainOptions,
    *,
    resume: bool = False,
    at_most: int | None = None,
    on_epoch: Callable[[training.Epoch], None] = lambda epoch: None,
    on_load: Callable[[int, int], None] = lambda done, total: None,
) -> TrainResult:
    """Train a model, the default one if none is named, on a dataset and leave a run folder.

    Several processes that `torchrun` has started train it together (`ranks`); the first writes.

    Args:
        data: specimens.
        folder: of the run.
        options: see there.
        resume: go on with a run that was interrupted.
        at_most: only so many epochs of every stage, to see how long they take.
        on_epoch: called after every epoch.
        on_load: called with the number of photographs read and of all.

    Raises:
        UserError: too few specimens, a landmark that none of them has, a run in the way, a wrong option, or a loss that
            became infinite.
    """
    device = ranks.device(inference.choose_device(options.device))
    with ranks.together(device):
        return _train(data, Run(folder), options, device, resume, at_most, on_epoch, on_load)


def _train(
    data: Dataset,
    run: Run,
    options: TrainOptions,
    device: torch.device,
    resume: bool,
    at_most: int | None,
    on_epoch: Callable[[training.Epoch], None],
    on_load: Callable[[int, int], None],
) -> TrainResult:
    earlier = open_model(options.start, options.device)[0] if options.start else None
    kind = architecture.named(options.model or (earlier.architecture if earlier else choose_pose(data, options)[0]))
    require_enough(range(len(data)), data, kind.least)
    require_landmarks(data.points, data)
    require_use(kind, data.shapes)
    settings, config = resolve(kind, data, options.overrides, options.preset)
    if earlier:
        require_start(kind, earlier.architecture, options.start)
        config = kind.adapt(config, earlier.network.config)
    described = {
        **versions(),
        "device": str(device),
        "architecture": kind.name,
        "preset": options.preset or kind.default,
        "seed": options.seed,
        "data": {
            "files": [str(path) for path in data.source],
            "specimens": len(data),
            "more_shapes": 0 if data.shapes is None else len(data.shapes),
            "sha256": data.digest(),
        },
        "model": config.model_dump(mode="json"),
        "training": settings.model_dump(mode="json"),
    }
    run.check_free(resume=resume)
    if resume and run.model.exists():
        return _finished(run, described, data)
    ranks.wait()  # or else one would find what another has begun
    asked = data.subset(kind.choose(config, data.points)) if kind.choose else data
    prepared = preparation.prepare(kind, asked, config, on_load)
    partners = data.scheme.partners if data.scheme.mirror else ()
    shapes = None if data.shapes is None else torch.from_numpy(data.shapes)
    loaded, failed = replace(prepared.examples, partners=partners, shapes=shapes), prepared.failed
    require_enough(prepared.kept, asked, kind.least, failed)
    data_kept = asked.subset(prepared.kept)
    share = 0.0 if kind.choose else options.held_out
    if share is None:
        share = 0.1 if len(data_kept) >= MIN_TO_HOLD_OUT else 0.0
    learn, watch = hold_out(data_kept.groups, share, options.seed)
    if kind.choose is None:
        require_landmarks(data_kept.points[learn], data)
    torch.manual_seed(options.seed)
    model = kind.build(config).to(device)
    fresh = architecture.take_over(kind, model, earlier.network) if earlier else []
    trainer = kind.trainer(model, loaded.to(device), settings, torch.from_numpy(learn), torch.from_numpy(watch), device)
    history: list[training.Epoch] = []

    problems = (*data.problems, *map(as_problem, failed))

    def begin() -> None:
        if not ranks.first():
            return
        run.begin(described, resume=resume)
        for problem in problems:
            run.note({"event": LEFT_OUT, **asdict(problem)})
        for warning in data.warnings:
            run.note({"event": WARNING, "what": warning})

    def record(epoch: training.Epoch) -> None:
        history.append(epoch)
        if ranks.first():
            run.note(training.as_event(epoch))
        on_epoch(epoch)

    stages = trainer.stages()
    training.fit(
        stages,
        seed=options.seed,
        checkpoint=run.checkpoint,
        identity=f"{described['data']['sha256']} {settings.model_dump_json()} {options.start}",
        resume=resume,
        at_most=at_most,
        on_begin=begin,
        on_epoch=record,
    )
    validate = stages[-1].validate if stages else None
    measured = validate(stages[-1].network) if validate else math.nan
    error = measured if math.isfinite(measured) else None
    seconds = history[-1].seconds if history else 0.0
    shape = mean_shape((data if kind.choose else data_kept).points)
    known = domain.learn(prepared.points, prepared.sizes, pictures.describe(loaded.frames))
    card = {
        **described,
        "started_from": {**earlier.card, "fresh": fresh, "photographs": None} if earlier else None,
        "photographs": sorted(
            set(fingerprints(data_kept)) | set(earlier.card.get("photographs", ()) if earlier else ())
        ),
        "photograph_sizes": [list(size) for size in data_kept.sizes],
        "warnings": list(data.warnings),
        "n_train": len(learn),
        "n_held_out": len(watch),
        "held_out_error_px": error,
        "training_seconds": seconds,
        "domain": None if known is None else known.as_plain(),
        "mean_shape": [[None if np.isnan(v) else v for v in point] for point in shape],
    }
    if ranks.first():
        _finish(run, storage.StoredModel(kind.name, model, data.scheme, card), drawn=bool(stages))
    return TrainResult(run, len(learn), len(watch), error, seconds, problems, data.warnings)


def _finish(run: Run, model: storage.StoredModel, *, drawn: bool) -> None:
    """Write what is left of a training."""
    seconds, error = model.card["training_seconds"], model.card["held_out_error_px"]
    run.note({"event": "finished", "seconds": seconds, "held_out_error_px": error})
    if drawn:
        curves.draw(run, run.curve)
    # Last, for it says that all is done.
    storage.save(run.model, model)
    run.checkpoint.unlink(missing_ok=True)


def _finished(run: Run, described: Mapping[str, Any], data: Dataset) -> TrainResult:
    """What a training that is finished already has come to.

    Raises:
        UserError: it was one of other settings or data.
    """
    card = storage.load(run.model).card
    require_same(run.folder, _essence(card), _essence(described), "a finished training")
    run.checkpoint.unlink(missing_ok=True)
    sweep(run.folder)
    noted = [Problem(event["where"], event["what"]) for event in run.read_events(LEFT_OUT)]
    problems = tuple(dict.fromkeys((*data.problems, *noted)))
    seconds, error = card["training_seconds"], card["held_out_error_px"]
    return TrainResult(run, card["n_train"], card["n_held_out"], error, seconds, problems, data.warnings)


def _essence(card: Mapping[str, Any]) -> dict[str, Any]:
    """What must not change between two attempts; the files of the data may lie elsewhere."""
    names = ("architecture", "preset", "seed", "model", "training")
    return {**{name: card.get(name) for name in names}, "data": dict(card.get("data") or {}).get("sha256")}


def require_start(kind: architecture.Architecture, found: str, start: Path | None) -> None:
    """Refuse to start one architecture from another's weights, or one that has none."""
    where = f"--from {start}"
    if kind.name != found:
        raise UserError(where, found=f"a model '{found}'", expected=f"'{kind.name}'", remedy="leave --model out")
    if kind.choose:
        raise UserError(where, found=f"'{found}' has learnt nothing to start from", remedy="leave --from out")


def require_use(kind: architecture.Architecture, shapes: FloatArray | None) -> None:
    """Refuse shapes without photographs, (M, K, 2), where a model would learn nothing from them."""
    if shapes is not None and not kind.learns_shapes:
        raise UserError("--shapes", found=f"--model {kind.name} learns from photographs only", remedy="leave one out")


def require_enough(usable: Sequence[int], data: Dataset, least: int, failed: Sequence[UserError] = ()) -> None:
    """Refuse to train on fewer specimens than a model needs at least."""
    if len(usable) < least:
        raise UserError(
            data.source[0],
            found=f"{counted(len(usable), 'specimen')} with readable photographs"
            + (f" ({failed[0]}; ...)" if failed else ""),
            expected=f"at least {least}" + (", better 30" if least > 1 else ""),
            remedy="digitise more, or see pronotum check",
        )


def require_landmarks(points: FloatArray, data: Dataset) -> None:
    """Refuse to train where a landmark is missing in all specimens to learn from, (N, K, 2)."""
    lacking = np.flatnonzero(np.isnan(points[..., 0]).all(0))
    if lacking.size:
        names = [data.scheme.names[k] for k in lacking[:5]] + ["..."] * (lacking.size > 5)
        which = f"landmark{'s' if lacking.size > 1 else ''} {', '.join(names)}"
        raise UserError(
            data.source[0],
            found=f"{which} missing in all {counted(len(points), 'specimen')} to learn from",
            expected="some specimens that have each landmark",
            remedy="digitise more, or leave the landmark out of the file and the scheme",
        )
