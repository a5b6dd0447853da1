"""Photographs to landmark files: predictions with their radii, and which of them a person should look at."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pronotum import images, inference, provenance, searching
from pronotum.data import Problem
from pronotum.errors import UserError
from pronotum.evaluation.calibration import LEVELS, Calibration, Certainty
from pronotum.evaluation.domain import Domain
from pronotum.evaluation.presence import Presence
from pronotum.files import replacing_all, sweep
from pronotum.formats import predictions as prediction_table
from pronotum.landmarks import Landmarks
from pronotum.models import storage
from pronotum.morphometrics.superimposition import centroid_size
from pronotum.report import overlays
from pronotum.unfinished import Unfinished
from pronotum.workflows import as_problem, model_file, not_placed, open_model

DRAWN = LEVELS.index(0.9)
"""Of the radii, the one that is drawn."""
WRITTEN = ("predictions.tps", "predictions.csv", "review.csv")
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
    missing: str = "tpsdig",
    on_photograph: Callable[[int, int], None] = lambda done, total: None,
) -> Landmarked:
    """Landmark photographs and write `WRITTEN`, ``predictions.json`` (see `provenance`) and ``overlays/``.

    Photographs stream through. The files appear together when all is done; a prediction that was killed goes on where
    it was (`unfinished`).

    Args:
        run: folder of the model, or its file.
        photographs: files.
        out: folder for the results.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        draw: whether to draw each photograph with its landmarks.
        strict: leave what is to be reviewed out of ``predictions.tps``.
        scale: mm per px of all photographs, where it is known; radii are then written in mm too, and SCALE.
        missing: how the TPS file has a landmark that was not placed: tpsdig (-1 -1) or geomorph (NA NA).
        on_photograph: called with the number done and the total.

    Raises:
        UserError: no model there, a damaged one, or another `missing`.
    """
    style = prediction_table.missing_style(missing)
    model, chosen = open_model(run, device)
    judged = known(model)
    problems: list[Problem] = []
    review: list[ToReview] = []
    opened = placed = 0
    names = unique_names(photographs)

    def answered(record: provenance.Record) -> Iterator[prediction_table.Row]:
        nonlocal opened, placed
        for number, (found, digest) in enumerate(unfinished.predict(model.network, chosen)):
            path, rows = photographs[number], list[prediction_table.Row]()
            if isinstance(found, images.UnreadablePhotograph):
                problems.append(as_problem(found))
            else:
                opened += 1
                placed += any(answer.placed.any() for answer in found)
                identities = [str(opened) if len(found) == 1 else f"{opened}.{at}" for at in range(1, len(found) + 1)]
                pairs = [judged.row(one, names[path], own, scale) for one, own in zip(found, identities, strict=True)]
                rows = [row for row, _ in pairs]
                problems.extend(not_placed(one, model.scheme) for one in found if not one.placed.all())
                review.extend(ToReview(names[path], row.specimen.id, how, row.flags) for row, how in pairs if row.flags)
                if not found:
                    problems.append(Problem(str(path), "no specimen found"))
                place = out / "overlays" / f"{names[path].replace('/', '_')}.png"
                if draw and rows and not (number < unfinished.n_earlier and place.exists()):
                    overlays.all_of(path, [(row.specimen.points, row.radii[:, DRAWN]) for row in rows], place)
            yield from rows
            where = provenance.path_from(out, path)
            record.add(provenance.photograph(names[path], where, digest, rows, strict=strict))
            if number >= unfinished.n_earlier:
                unfinished.keep(found, digest)
            on_photograph(number + 1, len(photographs))

    settings = provenance.Settings(
        device=chosen.type, strict=strict, scale=scale, missing=missing, batch=inference.batch_size(model.network)
    )
    made = made_by(model, model_file(run), out)
    head = provenance.head(made, settings)
    identity = {"model": made.sha256, "device": chosen.type, "batch": settings.batch, "draw": draw, **head.versions}
    unfinished = Unfinished(out, identity, photographs)
    for folder in (out, out / "overlays"):
        sweep(folder)
    with (
        replacing_all(*(out / name for name in (*WRITTEN, provenance.NAME))) as (*parts, described),
        described.open("w", encoding="utf-8", newline="\n") as file,
    ):
        record = provenance.Record(file, head)
        prediction_table.write(parts[0], parts[1], answered(record), model.scheme, strict=strict, missing=style)
        review.sort(key=lambda one: -one.urgency)
        _write_review(parts[2], review)
        record.finish(dict(zip(WRITTEN[:2], parts, strict=False)))
    unfinished.done()
    return Landmarked(opened, placed, tuple(review), judged.domain is not None, tuple(problems))


def made_by(model: storage.StoredModel, file: Path, out: Path) -> provenance.Model:
    """What a folder of predictions says of their model."""
    return provenance.Model(
        path=provenance.path_from(out, file),
        sha256=provenance.sha256(file),
        architecture=model.architecture,
        landmarks=model.scheme.names,
        trained_on=model.card.get("data", {}).get("sha256", ""),
    )


@dataclass(frozen=True, eq=False)
class Known:
    """What a model knows of itself.

    Attributes:
        calibration: how far off its predictions may be; None = no cross-validation has found out.
        domain: what it has learnt; None = from too few specimens to tell.
        presence: which landmarks are there at all; None = (almost) all were in its training set.
    """

    calibration: Calibration | None
    domain: Domain | None
    presence: Presence | None

    def row(
        self, answer: inference.Prediction, name: str, identity: str, scale: float | None
    ) -> tuple[prediction_table.Row, float]:
        """A prediction as it is written, and how urgently a person should look at it.

        A landmark that is more likely missing than there is left out.
        """
        size = centroid_size(answer.points[None])
        certainty = Certainty(answer.confidence[None], answer.spread[None])
        there = np.full(len(answer.points), np.nan)
        if self.presence is not None:
            there = self.presence.probability(size, certainty)[0]
        shown = answer.placed & ~(there < 0.5)
        radii = np.full((len(answer.points), len(LEVELS)), np.nan)
        if self.calibration is not None:
            radii[shown] = self.calibration.radii(size, certainty)[0, shown]
        flags, urgency = self.judge(answer)
        points = np.where(shown[:, None], answer.points, np.nan)
        specimen = Landmarks(points, image=name, id=identity, scale=scale)
        row = prediction_table.Row(specimen, answer.size, answer.confidence, there, radii, flags, answer.remark)
        return row, urgency

    def judge(self, answer: inference.Prediction) -> tuple[tuple[str, ...], float]:
        """Flags of a prediction, and how urgently a person should look at it."""
        if self.domain is None:
            return (), 0.0
        points, size = answer.as_seen
        flags, urgency = self.domain.judge(points[None], answer.confidence[None], [size], answer.described[None])
        said = tuple(part for part in (searching.CUT, searching.OVERLAPPED) if part in answer.remark)
        return (*flags[0], *said), max(float(urgency[0]), float(bool(said)))


def known(model: storage.StoredModel) -> Known:
    """What a model knows of itself.

    Raises:
        UserError: its card holds something else there.
    """
    calibration, domain, presence = (model.card.get(name) for name in ("calibration", "domain", "presence"))
    try:
        return Known(
            Calibration.from_plain(calibration) if calibration else None,
            Domain.from_plain(domain) if domain else None,
            Presence.from_plain(presence) if presence else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("model", found=f"a damaged calibration ({error})", remedy="cross-validate it again") from None


def _write_review(path: Path, review: Sequence[ToReview]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
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
