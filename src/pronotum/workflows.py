"""One function per task of a user. The command line prints what these return; a script calls them as they are."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pronotum import __version__, formats, inference, pictures, poses, preparation, project, ranks, training
from pronotum.data import Dataset, Problem, open_data
from pronotum.errors import UserError, counted
from pronotum.evaluation import distances as dist
from pronotum.evaluation import domain
from pronotum.evaluation.calibration import Certainty
from pronotum.evaluation.folds import hold_out
from pronotum.files import sweep
from pronotum.landmarks import FloatArray, Scheme
from pronotum.models import architecture, storage
from pronotum.morphometrics.superimposition import mean_shape
from pronotum.project import Project
from pronotum.report import curves, overlays, page
from pronotum.runs import Run
from pronotum.settings import resolve

DEFAULT_MODEL = "heatmap"
FREE_MODEL = "free"
LEFT_OUT = "left out"
"""Event of a specimen or photograph that a training could not use."""
MIN_SPECIMENS = architecture.MIN_SPECIMENS
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
    """

    run: Run
    n_train: int
    n_held_out: int
    error: float | None
    seconds: float
    problems: tuple[Problem, ...]

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "run": str(self.run.folder),
            "n_train": self.n_train,
            "n_held_out": self.n_held_out,
            "held_out_error_px": self.error,
            "seconds": self.seconds,
            "problems": [str(problem) for problem in self.problems],
        }


def check(
    path: Path,
    *,
    photographs: Path | None = None,
    scheme: Path | None = None,
    declared: Project | None = None,
    form: str | None = None,
) -> Dataset:
    """Open data and look at it; see `data.Dataset.problems` for what would be left out.

    Args:
        path: landmark file or folder.
        photographs: folder of the photographs, where it is another one.
        scheme: scheme file; None = that of the project, else the one beside the data, if there is one.
        declared: what the study declares; None = in the project file beside the data, if there is one.
        form: name of the format of the landmark file, where its suffix and content do not tell.
    """
    declared = declared or project.find(path)
    found = open_data(path, photographs=photographs, scheme=scheme or declared.scheme, form=form)
    return replace(found, unit=declared.units)


def draw_sheet(data: Dataset, path: Path, *, limit: int = 24) -> list[Problem]:
    """Draw the landmarks on the photographs, on one picture; the photographs that could not be read are named."""
    return overlays.sheet(data, path, limit=limit)


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
        "data": {"files": [str(path) for path in data.source], "specimens": len(data), "sha256": data.digest()},
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
    loaded, failed = replace(prepared.examples, partners=partners), prepared.failed
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
        "n_train": len(learn),
        "n_held_out": len(watch),
        "held_out_error_px": error,
        "training_seconds": seconds,
        "domain": None if known is None else known.as_plain(),
        "mean_shape": [[None if np.isnan(v) else v for v in point] for point in shape],
    }
    if ranks.first():
        _finish(run, storage.StoredModel(kind.name, model, data.scheme, card), drawn=bool(stages))
    return TrainResult(run, len(learn), len(watch), error, seconds, problems)


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
    names = ("architecture", "preset", "seed", "model", "training")
    other = [name for name in names if card.get(name) != described[name]]
    if dict(card.get("data") or {}).get("sha256") != described["data"]["sha256"]:
        other.append("data")
    if other:
        raise UserError(
            run.folder,
            found=f"a finished training with other {' and '.join(other)}",
            expected="the same command as before",
            remedy="choose another name for -o, or delete it",
        )
    run.checkpoint.unlink(missing_ok=True)
    sweep(run.folder)
    noted = [Problem(event["where"], event["what"]) for event in run.read_events(LEFT_OUT)]
    problems = tuple(dict.fromkeys((*data.problems, *noted)))
    seconds, error = card["training_seconds"], card["held_out_error_px"]
    return TrainResult(run, card["n_train"], card["n_held_out"], error, seconds, problems)


def require_start(kind: architecture.Architecture, found: str, start: Path | None) -> None:
    """Refuse to start one architecture from another's weights, or one that has none."""
    where = f"--from {start}"
    if kind.name != found:
        raise UserError(where, found=f"a model '{found}'", expected=f"'{kind.name}'", remedy="leave --model out")
    if kind.choose:
        raise UserError(where, found=f"'{found}' has learnt nothing to start from", remedy="leave --from out")


def fingerprints(data: Dataset) -> list[str]:
    """(N,) short hashes of the photographs' content, to recognise a photograph that was learnt from."""
    return [group[:16] for group in data.groups]


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


def open_model(run: Path, device: str = "auto") -> tuple[storage.StoredModel, torch.device]:
    """The model of a run folder, or of a model file."""
    chosen = inference.choose_device(device)
    return storage.load(model_file(run), chosen), chosen


def model_file(run: Path) -> Path:
    """The model file of a run folder; a file is one itself."""
    return run if run.is_file() else Run(run).model


def as_problem(error: UserError) -> Problem:
    """What cannot be used, as one of the problems of a task that goes on without it."""
    return Problem(error.where, str(error).removeprefix(f"{error.where}: "))


def not_placed(answer: inference.Prediction, scheme: Scheme) -> Problem:
    """Which landmarks a model could not place on a photograph, and why."""
    names = [name for name, placed in zip(scheme.names, answer.placed, strict=True) if not placed]
    which = "no landmark placed"
    if answer.placed.any():
        which = f"landmark{'s' if len(names) > 1 else ''} {', '.join(names)} not placed"
    return Problem(str(answer.photograph), which + (f": {answer.remark}" if answer.remark else ""))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions beside manual landmarks.

    Attributes:
        data: the specimens that could be predicted.
        predicted: (N, K, 2) px of the photographs; NaN = not placed.
        errors: (N, K) px; NaN where the landmark was not placed or has no manual one.
        table: rows per landmark and for all, see `evaluation.distances.table`.
        baseline: the same for the mean shape, placed perfectly.
        seen: names of the specimens whose photographs the model, or one it was started from, has learnt from.
        problems: what was left out, and the specimens without a single landmark placed.
        certainty: what the networks say of the predictions.
        described: (N, D) what the photographs look like.
    """

    data: Dataset
    predicted: FloatArray
    errors: FloatArray
    table: list[dict[str, object]]
    baseline: list[dict[str, object]]
    seen: tuple[str, ...]
    problems: tuple[Problem, ...]
    certainty: Certainty
    described: FloatArray

    @property
    def n_not_placed(self) -> int:
        """Number of manual landmarks of which there is no prediction."""
        return int((np.isnan(self.errors) & ~np.isnan(self.data.points).any(-1)).sum())

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "specimens": len(self.data),
            "landmarks": self.table,
            "mean_shape_baseline": self.baseline,
            "not_placed": self.n_not_placed,
            "with_scale": sum(scale is not None for scale in self.data.scales),
            "seen_in_training": list(self.seen),
            "problems": [str(problem) for problem in self.problems],
        }

    def mean_error(self, unit: str) -> float:
        """Mean over all landmarks placed of all specimens, in one of the table's units; NaN without any."""
        row: Any = self.table[-1][unit]
        return float("nan") if row["mean"] is None else float(row["mean"])

    def mean_shape_error(self, unit: str) -> float:
        """The same of the mean shape, placed perfectly."""
        row: Any = self.baseline[-1][unit]
        return float(row["mean"])


def evaluate(
    run: Path,
    data: Dataset,
    *,
    device: str = "auto",
    on_photograph: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Predict the photographs of a dataset and measure the distances to its landmarks.

    Raises:
        UserError: the data have another number of landmarks than the model.
    """
    model, chosen = open_model(run, device)
    if data.scheme.n_landmarks != model.scheme.n_landmarks:
        raise UserError(
            data.source[0],
            found=f"{counted(data.scheme.n_landmarks, 'landmark')} per specimen",
            expected=f"{model.scheme.n_landmarks} as in {run}",
            remedy="evaluate on data with the scheme the model was trained on",
        )
    answers, problems = dict[int, inference.Prediction](), list[Problem](data.problems)
    specimens: dict[Path, list[int]] = {}
    for number, path in enumerate(data.photographs):
        specimens.setdefault(path, []).append(number)
    predicted = inference.predict_all(model.network, specimens, device=chosen)
    for done, (path, seen_there) in enumerate(zip(specimens, predicted, strict=True)):
        if isinstance(seen_there, UserError):
            problems.append(as_problem(seen_there))
        else:
            for number, answer in inference.assign(seen_there, specimens[path], data.points, data.sizes, path):
                answers[number] = answer
                if not answer.placed.any():
                    problems.append(not_placed(answer, model.scheme))
        on_photograph(done + 1, len(specimens))
    kept = sorted(answers)
    if not kept:
        raise UserError(data.source[0], found="not one photograph could be read", remedy="see pronotum check")
    used = data.subset(kept)
    points, confidence, spread, described = (
        np.stack([getattr(answers[at], name) for at in kept])
        for name in ("points", "confidence", "spread", "described")
    )
    certainty = Certainty(confidence, spread)
    if not {"mean_shape", "photographs"} <= model.card.keys():
        found = "a model whose card lacks its mean shape or the photographs it has learnt from"
        raise UserError(run, found=found, remedy="train it again with this version")
    shape = np.array(model.card["mean_shape"], dtype=np.float64)
    known = set(model.card["photographs"])
    seen = [name for name, mark in zip(used.names, fingerprints(used), strict=True) if mark in known]
    return compare(used, points, shape, seen=seen, problems=problems, certainty=certainty, described=described)


def compare(
    data: Dataset,
    predicted: FloatArray,
    shape: FloatArray,
    *,
    seen: Sequence[str] = (),
    problems: Sequence[Problem] = (),
    certainty: Certainty | None = None,
    described: FloatArray | None = None,
) -> Evaluation:
    """Measure predictions (N, K, 2) against the landmarks of a dataset, and the mean shape (K, 2) beside them."""
    scales = dist.Scales.of(data.points, list(data.sizes), data.scales)
    errors = dist.distances(predicted, data.points)
    baseline = dist.mean_shape_distances(shape, data.points)
    names = data.scheme.names
    return Evaluation(
        data,
        predicted,
        errors,
        dist.table(errors, names, scales),
        dist.table(baseline, names, scales),
        tuple(seen),
        tuple(problems),
        certainty or Certainty.unknown(*errors.shape),
        np.empty((len(errors), 0)) if described is None else described,
    )


def write_report(evaluation: Evaluation, run: Path, path: Path, *, title: str) -> None:
    """Write an evaluation as one self-contained HTML page."""
    contents = page.Contents(
        title,
        remarks(evaluation),
        evaluation.data,
        evaluation.predicted,
        evaluation.errors,
        evaluation.table,
        evaluation.baseline,
        Run(run),
    )
    page.write(contents, path)


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader must know before believing the figures."""
    said = []
    if evaluation.seen:
        said.append(
            f"The model has learnt from {len(evaluation.seen)} of these {counted(len(evaluation.data), 'specimen')}: "
            "for them the errors say how well it remembers, not how well it works on new photographs. Evaluate on "
            "specimens it has never seen."
        )
    if evaluation.data.scheme.curves:
        names = evaluation.data.scheme.names[evaluation.data.scheme.n_fixed :]
        said.append(
            f"{names[0]} to {names[-1]} are semilandmarks: how far along its curve one lies is a convention, and only "
            "across the curve its error is a measurement."
        )
    if evaluation.n_not_placed:
        total = int((~np.isnan(evaluation.data.points).any(-1)).sum())
        none = int(np.isnan(evaluation.predicted).any(-1).all(-1).sum())
        said.append(
            f"{evaluation.n_not_placed} of {total} landmarks were not placed, among them all of "
            f"{counted(none, 'specimen')}: the errors are those of the others, the mean shape's are those of all."
        )
    n, n_scaled = len(evaluation.data), sum(scale is not None for scale in evaluation.data.scales)
    if 0 < n_scaled < n:
        said.append(f"The scale of {n - n_scaled} of {n} specimens is not known: mm are of the other {n_scaled}.")
    if evaluation.problems:
        said.append(f"{len(evaluation.problems)} records or photographs were left out: " + as_text(evaluation.problems))
    said.append(
        "No repeated manual landmarks were given, so nothing is said here about how far two people, or one person "
        "on two days, would be apart."
    )
    return said


def as_text(problems: Sequence[Problem], limit: int = 5) -> str:
    """Problems in one sentence."""
    more = f"; and {len(problems) - limit} more" if len(problems) > limit else ""
    return "; ".join(str(problem) for problem in problems[:limit]) + more


def missed_bar(evaluation: Evaluation, max_error: float | None) -> str | None:
    """What to say when the mean error, in px of the 256x192 frame, is above a bar."""
    mean = evaluation.mean_error("px_256x192")
    if max_error is None or mean <= max_error:
        return None
    if np.isnan(mean):
        return f"no landmark was placed, so --max-error {max_error:g} is missed"
    return f"mean error {mean:.3f} px of the 256x192 frame is above --max-error {max_error:g}"


def versions() -> dict[str, str]:
    """Versions of what decides about results."""
    python = {"python": platform.python_version(), "numpy": np.__version__}
    return {"pronotum": __version__, **python, "torch": torch.__version__}


def info() -> dict[str, object]:
    """Versions and devices, for a bug report."""
    return {
        **versions(),
        "platform": platform.platform(),
        "devices": {
            "cpu": f"{torch.get_num_threads()} threads",
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "mps": torch.backends.mps.is_available(),
        },
        "formats": sorted(formats.table()),
        "models": {name: sorted(kind.presets) for name, kind in architecture.table().items()},
    }
