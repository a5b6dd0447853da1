"""Measure a model against manual landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import inference
from pronotum.data import Dataset, Problem
from pronotum.errors import UserError, counted
from pronotum.evaluation import distances as dist
from pronotum.evaluation.calibration import Certainty
from pronotum.landmarks import FloatArray, Scheme
from pronotum.models import storage
from pronotum.report import page
from pronotum.runs import Run
from pronotum.workflows.opening import as_problem, fingerprints, open_model


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
            "warnings": list(self.data.warnings),
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
    seen = seen_by(model, used)
    return compare(used, points, shape, seen=seen, problems=problems, certainty=certainty, described=described)


def seen_by(model: storage.StoredModel, data: Dataset) -> list[str]:
    """Names of the specimens whose photographs a model, or one it was started from, has learnt from."""
    known = set(model.card["photographs"])
    return [name for name, mark in zip(data.names, fingerprints(data), strict=True) if mark in known]


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


def not_placed(answer: inference.Prediction, scheme: Scheme) -> Problem:
    """Which landmarks a model could not place on a photograph, and why."""
    names = [name for name, placed in zip(scheme.names, answer.placed, strict=True) if not placed]
    which = "no landmark placed"
    if answer.placed.any():
        which = f"landmark{'s' if len(names) > 1 else ''} {', '.join(names)} not placed"
    return Problem(str(answer.photograph), which + (f": {answer.remark}" if answer.remark else ""))


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
    said = [f"WARNING: {warning}." for warning in evaluation.data.warnings]
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
        said.append(f"Records or photographs left out, {len(evaluation.problems)}: " + as_text(evaluation.problems))
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
