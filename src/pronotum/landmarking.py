"""Photographs to landmark files: predictions with their radii, and which of them a person should look at."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum import images, inference
from pronotum.data import Problem
from pronotum.errors import UserError
from pronotum.evaluation.calibration import LEVELS, Calibration, Certainty
from pronotum.evaluation.domain import Domain
from pronotum.files import replacing
from pronotum.formats import predictions as prediction_table
from pronotum.landmarks import FloatArray, Landmarks
from pronotum.models import storage
from pronotum.morphometrics.superimposition import centroid_size
from pronotum.report import overlays
from pronotum.workflows import as_problem, not_placed, open_model

DRAWN = LEVELS.index(0.9)
"""Of the radii, the one that is drawn."""
REVIEW = ("rank", "image", "id", "urgency", "flags")


@dataclass(frozen=True)
class ToReview:
    """A prediction that a person should look at.

    Attributes:
        image: name of the photograph.
        id: its number in the files.
        urgency: by how much it is stranger than usual; 1 = at the limit.
        flags: why.
    """

    image: str
    id: str
    urgency: float
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Landmarked:
    """What came of photographs.

    Attributes:
        opened: photographs that could be read.
        placed: those on which at least one landmark was placed.
        to_review: the predictions a person should look at, most urgent first.
        judged: whether the model knows its domain at all; if not, `to_review` is empty.
        problems: photographs that could not be opened, or on which not every landmark was placed.
    """

    opened: int
    placed: int
    to_review: tuple[ToReview, ...]
    judged: bool
    problems: tuple[Problem, ...]


def predict(
    run: Path,
    photographs: Sequence[Path],
    out: Path,
    *,
    device: str = "auto",
    draw: bool = True,
    strict: bool = False,
    scale: float | None = None,
    on_photograph: Callable[[int, int], None] = lambda done, total: None,
) -> Landmarked:
    """Landmark photographs and write ``predictions.tps``, ``predictions.csv``, ``review.csv`` and ``overlays/``.

    Photographs stream through: memory does not grow with their number. The files appear when all is done.

    Args:
        run: folder of the model, or its file.
        photographs: files.
        out: folder for the results.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        draw: whether to draw each photograph with its landmarks.
        strict: leave what is to be reviewed out of ``predictions.tps``.
        scale: mm per px of all photographs, where it is known; radii are then written in mm too, and SCALE.
        on_photograph: called with the number done and the total.
    """
    model, chosen = open_model(run, device)
    calibration, domain = known(model)
    problems: list[Problem] = []
    review: list[ToReview] = []
    opened = placed = 0
    names = unique_names(photographs)

    def answered() -> Iterator[prediction_table.Row]:
        nonlocal opened, placed
        for number, answer in enumerate(inference.predict(model.network, photographs, device=chosen)):
            if isinstance(answer, inference.Prediction):
                name, radii = names[answer.photograph], radii_of(answer, calibration)
                if draw:
                    place = out / "overlays" / f"{name.replace('/', '_')}.png"
                    overlays.one(answer.photograph, answer.points, place, radii=radii[:, DRAWN])
                opened += 1
                placed += bool(answer.placed.any())
                if not answer.placed.all():
                    problems.append(not_placed(answer, model.scheme))
                flags, urgency = judge(answer, domain)
                if flags:
                    review.append(ToReview(name, str(opened), urgency, flags))
                specimen = Landmarks(answer.points, image=name, id=str(opened), scale=scale)
                yield prediction_table.Row(specimen, answer.size[1], answer.confidence, radii, flags, answer.remark)
            else:
                problems.append(as_problem(answer))
            on_photograph(number + 1, len(photographs))

    prediction_table.write(out, answered(), model.scheme, strict=strict)
    review.sort(key=lambda one: -one.urgency)
    _write_review(out / "review.csv", review)
    return Landmarked(opened, placed, tuple(review), domain is not None, tuple(problems))


def known(model: storage.StoredModel) -> tuple[Calibration | None, Domain | None]:
    """How far off the predictions of a model may be (where a cross-validation has found out), and what it has learnt.

    Raises:
        UserError: its card holds something else there.
    """
    calibration, domain = model.card.get("calibration"), model.card.get("domain")
    try:
        return (
            Calibration.from_plain(calibration) if calibration else None,
            Domain.from_plain(domain) if domain else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("model", found=f"a damaged calibration ({error})", remedy="cross-validate it again") from None


def radii_of(answer: inference.Prediction, calibration: Calibration | None) -> FloatArray:
    """(K, L) px of the photograph within which the true points lie, for `calibration.LEVELS`; NaN = not known."""
    if calibration is None:
        return np.full((len(answer.points), len(LEVELS)), np.nan)
    size = centroid_size(answer.points[None])
    radii = calibration.radii(size, Certainty(answer.confidence[None], answer.spread[None]))[0]
    return np.where(answer.placed[:, None], radii, np.nan)


def judge(answer: inference.Prediction, domain: Domain | None) -> tuple[tuple[str, ...], float]:
    """Flags of a prediction, and how urgently a person should look at it."""
    if domain is None:
        return (), 0.0
    flags, urgency = domain.judge(answer.points[None], answer.confidence[None], [answer.size], answer.described[None])
    return flags[0], float(urgency[0])


def _write_review(path: Path, review: Sequence[ToReview]) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(REVIEW)
        for rank, one in enumerate(review, start=1):
            rows.writerow([rank, one.image, one.id, f"{one.urgency:.2f}", "; ".join(one.flags)])


def unique_names(photographs: Sequence[Path]) -> dict[Path, str]:
    """What to call each photograph in a landmark file: its name, with its folder where names repeat."""
    count = Counter(path.name for path in photographs)
    return {path: path.name if count[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in photographs}


def find_photographs(paths: Sequence[Path]) -> list[Path]:
    """The photographs among these files and below these folders.

    Raises:
        UserError: a path that is not there, or a folder without photographs.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = images.find(path)
            if not below:
                raise UserError(path, found="no photographs", expected="JPEG, PNG, TIFF or BMP files")
            found.extend(below)
        elif path.exists():
            found.append(path)
        else:
            raise UserError(path, found="no such file or folder", remedy="check the spelling")
    return list(dict.fromkeys(found))
