"""May predictions replace manual landmarks? The answer and all that it rests on, as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from pronotum import __version__
from pronotum.errors import UserError
from pronotum.evaluation.evidence import LEAST_REPEATS, Evidence
from pronotum.evaluation.verdict import Rules, Verdict
from pronotum.files import write_text
from pronotum.morphometrics import statistic
from pronotum.report import agreement_tables as tables
from pronotum.report import embedding, methods, overlays, repeat_plan, wording
from pronotum.report.agreement_plates import Plate, plates
from pronotum.report.superimposed import complete

MOST_PICTURES = 12
MOST_LISTED = 60
"""Specimens named on the page; all are in specimens.csv."""
SHOWN_ANYWAY = 3
"""Largest errors that are shown where no specimen stands out."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What the page shows.

    Attributes:
        title: heading.
        evidence: everything that is known.
        verdict: the answer.
        rules: by which it was found.
        remarks: sentences under the heading, warnings included.
        photographs: (N,) files of the specimens; None where there is none at hand; empty = none at all.
        origin: one sentence on where the predictions come from.
        more: figures beside those of the evidence, with a section of their own: ``reliability``.
    """

    title: str
    evidence: Evidence
    verdict: Verdict
    rules: Rules
    remarks: Sequence[str]
    photographs: Sequence[Path | None]
    origin: str
    more: Sequence[Plate] = ()


def write(contents: Contents, path: Path, drawn: Sequence[Plate] = ()) -> None:
    """Write the page; pictures are embedded, so that the file can be sent as it is.

    Args:
        contents: what to show.
        path: of the file.
        drawn: the figures, where `plates` has drawn them already.
    """
    write_text(path, render(contents, drawn or (*plates(contents.evidence), *contents.more)))


def render(contents: Contents, drawn: Sequence[Plate]) -> str:
    """The page as text."""
    evidence, verdict = contents.evidence, contents.verdict
    specimens = to_look_at(evidence, verdict)
    pictures, unreadable = _pictures(contents, [row["specimen"] for row in specimens])
    return (
        environment()
        .get_template("agreement.html")
        .render(
            title=contents.title,
            contents=contents,
            evidence=evidence,
            verdict=verdict,
            sets=evidence.sets,
            shape=evidence.shape,
            further=statistic.table(),
            human=evidence.human,
            rules=rules_as_toml(contents.rules),
            reviewed={check.name: check for check in verdict.reviewed},
            unknown=unknown(evidence, verdict),
            size_remark=size_remark(evidence),
            units=[(unit, wording.UNITS[unit]) for unit in tables.known_units(evidence)],
            digits=decimals(evidence),
            rows=tables.landmark_rows(evidence, verdict),
            overall=tables.overall_row(evidence),
            anova=tables.anova_rows(evidence.shape.anova),
            specimens=specimens,
            most_listed=MOST_LISTED,
            pictures=pictures,
            unreadable=unreadable,
            repeats=() if evidence.human else repeat_plan.to_repeat(evidence),
            n_repeated=int(evidence.sets.repeated.sum()),
            least_repeats=LEAST_REPEATS,
            lost=lost_twins(evidence),
            left_out=incomplete(evidence),
            used=used(evidence),
            figures={plate.name: {"plate": plate, "data": embedding.png(plate.drawing, 160)} for plate in drawn},
            methods=methods.describe(evidence, verdict, contents.origin),
            origin=methods.sentence(contents.origin),
            version=__version__,
        )
    )


def environment() -> Environment:
    """Templates, with everything from data escaped, and the words of `wording` as filters."""
    found = Environment(
        loader=PackageLoader("pronotum.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "short", "signed", "scientific", "percent", "interval", "p_value", "listed"):
        found.filters[name] = getattr(wording, name)
    return found


def decimals(evidence: Evidence) -> dict[str, int]:
    """By unit, the decimals with which errors are written: three figures of the median, one to three decimals."""
    errors = evidence.sets.scales.units(evidence.errors)
    medians = {unit: float(np.nanmedian(errors[unit])) for unit in tables.known_units(evidence)}
    return {unit: min(max(2 - math.floor(math.log10(max(value, 1e-4))), 1), 3) for unit, value in medians.items()}


def rules_as_toml(rules: Rules) -> str:
    """All limits as the table of a project file."""
    return "[verdict]\n" + "\n".join(f"{name} = {value}" for name, value in rules.model_dump().items())


def unknown(evidence: Evidence, verdict: Verdict) -> list[str]:
    """What the verdict does not say."""
    sets = evidence.sets
    said = [f"{check.question} Not assessed: {check.found}." for check in verdict.checks if check.passed is None]
    said.append(
        f"Whether this holds for other species, populations, cameras or ways of mounting than those of these "
        f"{len(sets.specimens)} specimens."
    )
    n, n_scaled = len(sets.specimens), sets.scales.n_in_mm
    if 0 < n_scaled < n:
        said.append(
            f"How large errors are in mm on {n - n_scaled} of the {n} specimens, whose scale is not known: figures in "
            "mm are of the others."
        )
    if not sets.groups:
        said.append("Whether groups (sex, population, treatment) differ in the same way in both sets: none were given.")
    return said


def size_remark(evidence: Evidence) -> str:
    """What the unit of centroid sizes means for their comparison."""
    mm = evidence.sets.scales.mm
    if evidence.shape.size_unit == "mm":
        return "Sizes are in mm, by the scale of each photograph."
    if np.isnan(mm).all():
        return "No scale is known: sizes mean something only if all photographs have the same magnification."
    return (
        "The scale of some photographs is not known, so sizes here are px: where magnification differs, agreement of "
        "sizes looks better than it is, and allometry is mixed with magnification."
    )


def to_look_at(evidence: Evidence, verdict: Verdict) -> list[tables.Row]:
    """Rows of the specimens under review, worst first; where there are none, of the largest errors."""
    rows = {row["specimen"]: row for row in tables.specimen_rows(evidence, verdict)}
    if verdict.review:
        return [rows[name] for name in verdict.review]
    known = [row for row in rows.values() if row["max_error_px"] is not None]
    return sorted(known, key=lambda row: -row["max_error_px"])[:SHOWN_ANYWAY]


def lost_twins(evidence: Evidence) -> list[dict[str, Any]]:
    """Specimens whose prediction is nearer to the manual configuration of another one, the worst first."""
    twins = evidence.shape.twins
    names = np.array(evidence.sets.specimens)[complete(evidence.sets)]
    found = [
        {
            "specimen": str(names[i]),
            "rank": int(twins.ranks[i]),
            "ratio": float(twins.ratios[i]),
            "nearest": str(names[twins.nearest_other[i]]),
        }
        for i in np.flatnonzero(twins.ranks > 1)
    ]
    return sorted(found, key=lambda row: -row["rank"])


def incomplete(evidence: Evidence) -> list[dict[str, Any]]:
    """Specimens that shape statistics leave out, and the landmarks that they lack."""
    sets = evidence.sets
    rows = []
    for i in np.flatnonzero(~complete(sets)):
        gone = [
            f"{name} ({side})"
            for side, points in (("manual", sets.manual), ("predicted", sets.predicted))
            for name, lacking in zip(sets.landmarks, np.isnan(points[i, :, 0]), strict=True)
            if lacking
        ]
        rows.append({"specimen": sets.specimens[i], "missing": gone})
    return rows


def used(evidence: Evidence) -> list[tuple[str, str]]:
    """How many specimens each statistic used, in words."""
    shape, sets = evidence.shape, evidence.sets
    counts = [row.n for row in evidence.agreement]
    span = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}, by landmark"
    found = [
        ("Errors, bias, scatter and correlations of landmarks", span),
        ("Procrustes ANOVA, disparity, own twins", f"{shape.n}"),
        ("Mean shapes", f"{shape.difference.n}"),
        ("Principal components", f"{shape.components.n}"),
        ("Pairwise distances", f"{shape.distances.n}; {shape.distances.n_permuted} in its permutation test"),
        ("Centroid size", f"{shape.size.n}"),
        ("Allometry", f"{shape.allometry.n}"),
    ]
    if shape.groups:
        found.append(("Groups", f"{shape.groups.n}"))
    if evidence.human:
        found.append(("Human repeat", f"{evidence.human.n}"))
    return [(name, f"{n} of {len(sets.specimens)}" if n.isdigit() else n) for name, n in found]


def _pictures(contents: Contents, names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Overlays of some specimens, and the names of those whose photograph cannot be read."""
    sets = contents.evidence.sets
    pictures: list[dict[str, Any]] = []
    unreadable: list[str] = []
    position = {name: i for i, name in enumerate(sets.specimens)}
    for name in names:
        i = position[name]
        photograph = contents.photographs[i] if contents.photographs else None
        if photograph is None or len(pictures) == MOST_PICTURES:
            continue
        try:
            picture = overlays.overlay(photograph, sets.predicted[i], manual=sets.manual[i], width=900, marks=1.8)
        except (UserError, OSError):
            unreadable.append(name)
            continue
        pictures.append({"specimen": name, "number": i, "data": embedding.jpeg(picture, quality=78)})
    return pictures, unreadable
