"""What `pronotum predict` writes: a TPS file for every program, and a CSV for what TPS cannot carry."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, did_you_mean
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme
from pronotum.semilandmarks import to_curves

LEVELS = (50, 90, 95)
"""Probabilities, %, with which the true point lies within the radii."""
RADII = tuple(f"radius_{level}" for level in LEVELS)
COLUMNS = (
    *("image", "id", "landmark", "x", "y", "confidence", "presence"),
    *(*RADII, *(f"{name}_mm" for name in RADII)),
    *("flags", "remark"),
)


@dataclass(frozen=True, eq=False)
class Row:
    """What a model says of one photograph.

    Attributes:
        specimen: the landmarks, our frame; NaN = not placed.
        size: width and height of the photograph, px.
        confidence: (K,) on [0, 1]; NaN = none.
        presence: (K,) probability that the landmark is there at all; NaN = not known.
        radii: (K, 3) px within which the true points lie with the probabilities of `LEVELS`; NaN = not known.
        flags: why a person should look at it; empty = accepted.
        remark: why landmarks were not placed, or whatever else the model says of the photograph; "" = nothing.
    """

    specimen: Landmarks
    size: tuple[int, int]
    confidence: NDArray[np.float64]
    presence: NDArray[np.float64]
    radii: NDArray[np.float64]
    flags: tuple[str, ...] = ()
    remark: str = ""


def missing_style(name: str) -> tps.Missing:
    """How the TPS file is to have a landmark that was not placed.

    Raises:
        UserError: no such style.
    """
    if name == "tpsdig":
        return "tpsdig"
    if name == "geomorph":
        return "geomorph"
    raise UserError("--missing", found=f"'{name}'", remedy=did_you_mean(name, ("tpsdig", "geomorph")))


def write(
    landmark_file: Path,
    table: Path,
    answers: Iterable[Row],
    scheme: Scheme,
    *,
    strict: bool = False,
    missing: tps.Missing = "tpsdig",
) -> None:
    """Write a TPS file and a CSV as the answers come.

    The TPS file is in the tpsDig convention (y up); semilandmarks are its curves. The CSV has one row per landmark and
    semilandmark, px of the photograph, y down, (0, 0) the centre of the top-left pixel; x and y are empty where it was
    not placed, and every row of a photograph has the photograph's flags and remark.

    Args:
        landmark_file: the TPS file.
        table: the CSV.
        answers: one per photograph.
        scheme: names of the landmarks.
        strict: leave out of the TPS file what a person should look at first; the CSV has it all the same.
        missing: how the TPS file has a landmark that was not placed: "tpsdig" as ``-1.00000 -1.00000``, "geomorph" as
            ``NA NA``.
    """
    with (
        landmark_file.open("w", encoding="utf-8", newline="") as tps_file,
        table.open("w", encoding="utf-8", newline="") as table_file,
    ):
        rows = csv.writer(table_file)
        rows.writerow(COLUMNS)
        for answer in answers:
            specimen = answer.specimen
            if not (strict and answer.flags):
                tps_file.write(tps.render(to_curves(specimen, scheme), answer.size[1], missing))
            said = zip(scheme.names, specimen.points, answer.confidence, answer.presence, answer.radii, strict=True)
            for name, (x, y), trust, there, radii in said:
                numbers = [
                    _cell(x, 3),
                    _cell(y, 3),
                    _cell(trust, 4),
                    _cell(there, 4),
                    *(_cell(radius, 2) for radius in radii),
                ]
                numbers += [_cell(radius * (specimen.scale or np.nan), 5) for radius in radii]
                rows.writerow([specimen.image, specimen.id, name, *numbers, "; ".join(answer.flags), answer.remark])


def _cell(value: float, digits: int) -> str:
    """A number as a CSV has it; empty where it is missing or infinite."""
    return "" if not np.isfinite(value) else f"{value:.{digits}f}"
