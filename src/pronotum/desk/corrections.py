"""Does more labelling pay? How far people moved the predictions of each training before they accepted them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pronotum.desk.journal import Entry
from pronotum.desk.states import State
from pronotum.landmarks import as_points
from pronotum.morphometrics.superimposition import centroid_size


@dataclass(frozen=True)
class Correction:
    """What a person did to one prediction.

    Attributes:
        training: whose model made it.
        specimen: its key.
        percent: mean distance between predicted and accepted landmarks, % of centroid size.
        moved: landmarks that were moved, placed or marked missing.
        random: whether the specimen was chosen at random: only these tell how good the model is on all.
    """

    training: str
    specimen: str
    percent: float
    moved: int
    random: bool


def of(entries: Iterable[Entry]) -> list[Correction]:
    """The corrections in a journal: of each specimen and training the first acceptance."""
    found: dict[tuple[str, str], Correction] = {}
    for entry in entries:
        more = entry.more or {}
        if entry.what != "accept" or not more.get("training") or "predicted" not in more:
            continue
        key = (more["training"], entry.specimen)
        if key not in found:
            correction = _correction(entry, more)
            found |= {key: correction} if correction else {}
    return list(found.values())


def _correction(entry: Entry, more: dict[str, Any]) -> Correction | None:
    accepted = State.from_plain(entry.after)
    predicted = as_points([(np.nan, np.nan) if point is None else point for point in more["predicted"]])
    if predicted.shape != accepted.points.shape:
        return None
    distance = np.linalg.norm(accepted.points - predicted, axis=1)
    size = float(centroid_size(accepted.points))
    if np.isnan(distance).all() or not size > 0:
        return None
    moved = int((~(distance < 0.01)).sum())
    return Correction(
        more["training"], entry.specimen, 100 * float(np.nanmean(distance)) / size, moved, bool(more.get("random"))
    )


def curve(corrections: Iterable[Correction], learnt: dict[str, int]) -> list[dict[str, Any]]:
    """One point per training: specimens learnt from, and the median correction of all and of the random ones.

    Args:
        corrections: of all trainings.
        learnt: by training, the specimens it learnt from.
    """
    known = list(corrections)
    rows = []
    for training, n_learnt in sorted(learnt.items()):
        mine = [one for one in known if one.training == training]
        if mine:
            rows.append({"training": training, "learnt": n_learnt, **_row(mine, ""), **_row(mine, "random_")})
    return rows


def _row(corrections: list[Correction], prefix: str) -> dict[str, Any]:
    values = [one.percent for one in corrections if one.random or not prefix]
    return {
        f"{prefix}n": len(values),
        f"{prefix}median": float(np.median(values)) if values else None,
    }
