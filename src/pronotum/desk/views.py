"""What the page is told: the project and its specimens as values JSON can hold."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from pronotum import formats as known_formats
from pronotum.conversion import PARTS
from pronotum.desk import corrections, order
from pronotum.desk.answers import Answer
from pronotum.desk.retraining import Trainings
from pronotum.desk.specimens import Specimen
from pronotum.desk.store import Store
from pronotum.desk.tiles import SIDE, level_sizes
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import mean_shape
from pronotum.project import DeskSettings, Project


def status_of(specimen: Specimen, answer: Answer | None) -> str:
    """``accepted``, ``begun`` (a person has placed something), ``predicted`` or ``new``."""
    state = specimen.state
    if state.accepted:
        return "accepted"
    if any(state.placed) or state.missing:
        return "begun"
    return "predicted" if answer is not None else "new"


def project(store: Store, trainings: Trainings, declared: Project) -> dict[str, Any]:
    """What every page needs."""
    statuses = [status_of(one, trainings.of(one)) for one in store]
    scheme = store.scheme
    latest = trainings.latest
    return {
        "name": store.folder.name,
        "who": store.who,
        "file": store.file.name,
        "counts": {name: statuses.count(name) for name in ("accepted", "begun", "predicted", "new")},
        "scheme": {
            "names": list(scheme.names[: scheme.n_fixed]),
            "pairs": [list(pair) for pair in scheme.pairs if max(pair) < scheme.n_fixed],
            "midline": [k for k in scheme.midline if k < scheme.n_fixed],
            "mirror": scheme.mirror,
            "curves": [curve.name for curve in scheme.curves],
            "reference": scheme.reference,
            "declared": store.declared,
        },
        "fixed": any(one.state.touched for one in store),
        "mean": _plain(mean_of(store)),
        "trouble": store.trouble,
        "problems": [str(problem) for problem in store.problems],
        "since": accepted_since(store, trainings),
        "training": None if latest is None else latest.state,
        "predictions": trainings.answers.training,
        "report": trainings.report() is not None,
        "journal": store.journal.path.exists(),
        "unit": declared.units,
        "settings": declared.desk.model_dump(mode="json"),
    }


def formats() -> list[dict[str, Any]]:
    """A row per format of landmark files, and what one of them cannot hold."""
    rows = []
    for kind in known_formats.table().values():
        held = kind.keeps | ({"image"} if "label" in kind.keeps else set())
        lacks = [called for part, called in PARTS.items() if part not in held and part != "label"]
        rows.append(
            {
                "name": kind.name,
                "suffixes": list(kind.suffixes),
                "sure": kind.recognises is None,
                "writes": kind.write is not None,
                "files": kind.file_name is not None,
                "lacks": lacks,
            }
        )
    return rows


def mean_of(store: Store) -> FloatArray | None:
    """(K, 2) mean shape of the accepted specimens, centred; None = there is none."""
    points = [one.state.points for one in store.accepted]
    return mean_shape(np.stack(points)) if points and store.n_landmarks else None


def accepted_since(store: Store, trainings: Trainings) -> int:
    """Accepted specimens that the newest training has not learnt from, or not as they are now."""
    begun = [one for one in trainings.all() if one.state != "failed"]
    learnt = begun[-1].learnt if begun else {}
    return sum(1 for one in store.accepted if learnt.get(one.key) != one.history.revision)


def specimens(store: Store, trainings: Trainings) -> list[dict[str, Any]]:
    """A row per specimen, in natural order."""
    rows = []
    for one in store:
        answer = trainings.of(one)
        doubt = order.uncertainty_of(answer)
        rows.append(
            {
                "key": one.key,
                "id": one.id,
                "status": status_of(one, answer),
                "placed": sum(one.state.placed),
                "missing": len(one.state.missing),
                "flags": list(answer.flags) if answer else [],
                "doubt": doubt if np.isfinite(doubt) else None,
                "by": one.history.by,
                "at": one.history.at,
            }
        )
    return rows


def specimen(one: Specimen, trainings: Trainings) -> dict[str, Any]:
    """All about one specimen."""
    history, answer = one.history, trainings.of(one)
    return {
        "key": one.key,
        "id": one.id,
        "size": list(one.size),
        "levels": [list(size) for size in level_sizes(one.size)],
        "side": SIDE,
        "state": one.state.as_plain(),
        "status": status_of(one, answer),
        "revision": history.revision,
        "undo": len(history.past),
        "redo": len(history.future),
        "by": history.by,
        "at": history.at,
        "what": history.what,
        "trouble": trainings.store.trouble,
        "prediction": None if answer is None else _prediction(answer, trainings.answers.training),
    }


def _prediction(answer: Answer, training: str) -> dict[str, Any]:
    return {
        "training": training,
        "points": _plain(answer.points),
        "radii": [None if np.isnan(radius) else float(radius) for radius in answer.radii],
        "flags": list(answer.flags),
    }


def _plain(points: FloatArray | None) -> list[list[float] | None] | None:
    if points is None:
        return None
    return [None if np.isnan(x) else [float(x), float(y)] for x, y in points]


def queue(store: Store, trainings: Trainings, settings: DeskSettings) -> list[dict[str, Any]]:
    """Which specimens to review next, and why."""
    waiting = [one for one in store if not one.state.accepted]
    found = [trainings.of(one) for one in waiting]
    k, mean = store.n_landmarks, mean_of(store)
    unknown = np.full((k, 2), np.nan)
    points = np.array([unknown if answer is None else answer.points for answer in found]).reshape(-1, k, 2)
    if mean is None or np.isnan(mean).any():
        features, known = np.zeros((len(waiting), 1)), np.zeros((0, 1))
    else:
        features = order.shape_features(points, mean)
        known = order.shape_features(np.stack([one.state.points for one in store.accepted]), mean)
    doubts = np.array([order.uncertainty_of(answer) for answer in found], dtype=np.float64)
    # Without a model nothing is more uncertain than anything else: all are drawn at random.
    every = settings.control if trainings.answers.training else 1
    seed = [int(trainings.answers.training or 0)]
    places = order.plan(doubts, features, known, n=settings.review, every=every, seed=seed)
    return [
        {
            "key": waiting[place.index].key,
            "random": place.random,
            "why": _why(found[place.index], place.random, bool(trainings.answers.training)),
        }
        for place in places
    ]


def _why(answer: Answer | None, random: bool, model: bool) -> str:
    if not model:
        return "drawn at random"
    if random:
        return "random control"
    if answer is None:
        return "no prediction yet"
    if answer.flags:
        return "; ".join(answer.flags)
    return "uncertain, or unlike the others"


def training(store: Store, trainings: Trainings) -> dict[str, Any]:
    """The state of training, and whether more labelling pays."""
    entries, _ = store.journal.read()
    learnt = {one.name: one.n_specimens for one in trainings.all()}
    return {
        "status": trainings.status(),
        "trainings": trainings.shown(),
        "curve": corrections.curve(corrections.of(entries), learnt),
        "accepted": len(store.accepted),
        "since": accepted_since(store, trainings),
        "waiting": len(store) - len(store.accepted),
    }


def table(store: Store) -> str:
    """The manual landmarks as CSV: px of the photograph, y down; ``missing`` = marked so, empty = not placed."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["image", "id", "landmark", "x", "y", "status", "accepted", "scale"])
    names = store.scheme.names[: store.n_landmarks]
    for one in store:
        if not one.state.touched:
            continue
        scale = "" if one.state.scale is None else repr(one.state.scale)
        for k, (name, (x, y)) in enumerate(zip(names, one.state.points, strict=True)):
            placed = not np.isnan(x)
            status = "placed" if placed else ("missing" if k in one.state.missing else "")
            place = [f"{x:.5f}", f"{y:.5f}"] if placed else ["", ""]
            rows.writerow([one.image, one.id, name, *place, status, "yes" if one.state.accepted else "no", scale])
    return text.getvalue()
