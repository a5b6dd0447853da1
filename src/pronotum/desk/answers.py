"""What the model of a training says of the photographs: read from ``predictions.csv`` and ``review.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum.landmarks import FloatArray

RADIUS = "radius_90"


@dataclass(frozen=True, eq=False)
class Answer:
    """Prediction for one photograph.

    Attributes:
        points: (K, 2) px, our frame; NaN = not placed.
        radii: (K,) px within which the true point lies with 90 % probability; NaN = not known.
        confidence: (K,) on [0, 1]; NaN = none.
        flags: why a person should look at it.
        urgency: by how much it is stranger than usual; 0 = it is not.
    """

    points: FloatArray
    radii: NDArray[np.float64]
    confidence: NDArray[np.float64]
    flags: tuple[str, ...] = ()
    urgency: float = 0.0


@dataclass(frozen=True, eq=False)
class Answers:
    """Predictions of one training.

    Attributes:
        training: its number as text; "" = there is none yet.
        by_image: answers by the name that `landmarking.unique_names` gives the photograph.
    """

    training: str = ""
    by_image: Mapping[str, Answer] = field(default_factory=dict)


def read(folder: Path, training: str) -> Answers:
    """Read the results of ``pronotum predict``."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["image"], []).append(row)
    urgency: dict[str, float] = {}
    if (folder / "review.csv").exists():
        with (folder / "review.csv").open(encoding="utf-8", newline="") as file:
            urgency = {row["image"]: float(row["urgency"]) for row in csv.DictReader(file)}
    return Answers(training, {image: _answer(found, urgency.get(image, 0.0)) for image, found in rows.items()})


def first(answer: Answer, n: int) -> Answer:
    """An answer without the semilandmarks, which come after the n landmarks."""
    return replace(answer, points=answer.points[:n], radii=answer.radii[:n], confidence=answer.confidence[:n])


def _answer(rows: list[dict[str, str]], urgency: float) -> Answer:
    points = np.array([[_number(row["x"]), _number(row["y"])] for row in rows])
    radii, confidence = (np.array([_number(row[name]) for row in rows]) for name in (RADIUS, "confidence"))
    flags = tuple(flag for flag in rows[0]["flags"].split("; ") if flag)
    return Answer(points, radii, confidence, flags, urgency)


def _number(text: str) -> float:
    return float(text) if text else float("nan")
