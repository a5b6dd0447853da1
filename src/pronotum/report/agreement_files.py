"""The report as files: page, JSON, tables, figures and Methods, all in one folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pronotum import __version__
from pronotum.evaluation.evidence import Evidence, Human, Shape
from pronotum.evaluation.verdict import Rules, Verdict
from pronotum.files import sweep, write_text
from pronotum.morphometrics.anova import Anova
from pronotum.morphometrics.linear_model import LinearModel
from pronotum.report import agreement_page, methods
from pronotum.report import agreement_tables as tables
from pronotum.report.agreement_page import Contents
from pronotum.report.agreement_plates import plates
from pronotum.report.paper_figures import save
from pronotum.report.repeat_plan import to_repeat

SUFFIXES = (".png", ".svg")
DPI = 200


def write_files(contents: Contents, folder: Path) -> None:
    """Write ``report.html``, ``report.json``, ``methods.txt``, ``tables/*.csv`` and ``figures/*.png`` and ``.svg``.

    Args:
        contents: of the report.
        folder: made if need be; files of an earlier report are replaced, each in one step.
    """
    for place in (folder, folder / "figures", folder / "tables"):
        sweep(place)
    evidence, verdict = contents.evidence, contents.verdict
    drawn = (*plates(evidence), *contents.more)
    for plate in drawn:
        for suffix in SUFFIXES:
            save(plate.drawing, folder / "figures" / (plate.name + suffix), dpi=DPI)
    for name, rows in csv_tables(evidence, verdict).items():
        write_text(folder / "tables" / name, as_csv(rows))
    write_text(folder / "methods.txt", methods.describe(evidence, verdict, contents.origin).plain)
    report = json.dumps(as_json(evidence, verdict, contents.rules), indent=1, allow_nan=False, ensure_ascii=False)
    write_text(folder / "report.json", report + "\n")
    agreement_page.write(contents, folder / "report.html", drawn)


def csv_tables(evidence: Evidence, verdict: Verdict) -> dict[str, list[tables.Row]]:
    """Rows of plain values by file name."""
    found = {
        "landmarks.csv": [tables.flat(row) for row in tables.landmark_rows(evidence, verdict)],
        "shape.csv": tables.shape_rows(evidence),
        "specimens.csv": [tables.flat(row) for row in tables.specimen_rows(evidence, verdict)],
    }
    if evidence.human is None:
        names = to_repeat(evidence)
        found["specimens_to_repeat.csv"] = [{"order": i, "specimen": name} for i, name in enumerate(names, start=1)]
    return found


def as_csv(rows: Sequence[tables.Row]) -> str:
    """Rows as CSV text; what is not known is an empty cell, and so are NaN and infinity."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return buffer.getvalue()


def as_json(evidence: Evidence, verdict: Verdict, rules: Rules) -> dict[str, Any]:
    """Everything as plain values, see docs/json.md; what is not known is None."""
    sets = evidence.sets
    found = {
        "pronotum": __version__,
        "n_specimens": len(sets.specimens),
        "n_with_scale": sets.scales.n_in_mm,
        "landmark_names": list(sets.landmarks),
        "verdict": _verdict(verdict),
        "rules": rules.model_dump(),
        "margin": sets.margin,
        "overall": tables.overall_row(evidence),
        "landmarks": tables.landmark_rows(evidence, verdict),
        "shape": _shape(evidence.shape, sets.landmarks),
        "human": _human(evidence.human) if evidence.human else None,
        "specimens": tables.specimen_rows(evidence, verdict),
        "incomplete_specimens": agreement_page.incomplete(evidence),
        "lost_twins": agreement_page.lost_twins(evidence),
        "specimens_to_repeat": [] if evidence.human else list(to_repeat(evidence)),
    }
    plain: dict[str, Any] = tables.plain(found)
    return plain


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "grade": verdict.grade,
        "sentence": verdict.sentence,
        "against_humans": verdict.against_humans,
        "checks": list(verdict.checks),
        "checks_after_review": list(verdict.reviewed),
        "review": list(verdict.review),
        "grades_of_landmarks": [{"landmark": name, "grade": grade} for name, grade in verdict.landmarks.items()],
    }


def _shape(shape: Shape, landmarks: Sequence[str]) -> dict[str, Any]:
    difference, twins = shape.difference, shape.twins
    return {
        "n": shape.n,
        "anova": _anova(shape.anova),
        "disparity_ratio": shape.disparity,
        "mean_difference": {
            "n": difference.n,
            "distance": difference.distance,
            "p": difference.p,
            "share": difference.share,
            "permutations": difference.permutations,
            "vectors": [
                {"landmark": name, "dx": dx, "dy": dy}
                for name, (dx, dy) in zip(landmarks, difference.vectors.tolist(), strict=True)
            ],
        },
        "components": list(shape.components.components),
        "mantel": shape.distances,
        "twins": {"n": twins.n, "share_first": twins.share_first, "median_ratio": twins.median_ratio},
        "size_unit": shape.size_unit,
        "size": shape.size,
        "allometry": {
            "n": shape.allometry.n,
            "manual": _model(shape.allometry.manual),
            "predicted": _model(shape.allometry.predicted),
            "angle": shape.allometry.angle,
            "length_ratio": shape.allometry.length_ratio,
        },
        "groups": _groups(shape),
        "groups_failed": shape.groups_failed,
        "further": dict(shape.further),
    }


def _groups(shape: Shape) -> dict[str, Any] | None:
    groups = shape.groups
    if groups is None:
        return None
    keys = ("first", "second", "manual_distance", "predicted_distance", "angle", "length_ratio")
    return {
        "n": groups.n,
        "counts": [{"group": name, "n": n} for name, n in groups.counts.items()],
        "manual": _model(groups.manual),
        "predicted": _model(groups.predicted),
        "pairs": [{key: getattr(pair, key) for key in keys} for pair in groups.pairs],
        "left_out": list(groups.left_out),
    }


def _human(human: Human) -> dict[str, Any]:
    return {
        "n": human.n,
        "anova": _anova(human.anova),
        "anova_of_predictions": _anova(human.model_anova),
        "disparity_ratio": human.disparity,
    }


def _anova(anova: Anova) -> dict[str, Any]:
    return {**tables.anova_rows(anova), "repeatability": anova.repeatability}


def _model(model: LinearModel) -> dict[str, Any]:
    keys = ("n", "df", "df_residual", "r2", "f", "z", "p", "permutations")
    return {key: getattr(model, key) for key in keys}


def _cell(value: Any) -> Any:
    value = tables.plain(value)
    return f"{value:.8g}" if isinstance(value, float) else value
