"""What the command line prints, as text and as JSON values; the JSON objects are documented in docs/json.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pronotum.data import Dataset, Problem
from pronotum.evaluation.verdict import Verdict
from pronotum.morphometrics.superimposition import centroid_size

UNIT_HEADS = {"px": "px", "percent_centroid_size": "% CS", "mm": "mm", "px_256x192": "px 256x192"}
STATISTICS = ("mean", "median", "p90", "p95")


def as_texts(problems: Sequence[Problem]) -> list[str]:
    """Problems as lines."""
    return [str(problem) for problem in problems]


def data_summary(data: Dataset, problems: Sequence[Problem]) -> dict[str, Any]:
    """What `pronotum check` found."""
    points = data.points
    sizes = sorted(set(data.sizes))
    scales = [specimen.scale for specimen in data.landmarks if specimen.scale is not None]
    extent = np.array(data.sizes, dtype=float)[:, None, :]
    outside = np.asarray((points < -0.5) | (points > extent - 0.5))
    outside_names = [name for name, out in zip(data.names, np.any(outside, axis=(1, 2)), strict=True) if out]
    relative = centroid_size(points) / np.hypot(extent[:, 0, 0], extent[:, 0, 1])
    return {
        "files": [str(path) for path in data.source],
        "specimens": len(data),
        "photographs": len(set(data.photographs)),
        "landmarks": data.scheme.n_landmarks,
        "missing_landmarks": int(np.isnan(points[..., 0]).sum()),
        "photograph_sizes": [list(size) for size in sizes],
        "with_scale": len(scales),
        "scales": sorted(set(scales))[:10],
        "outside_photograph": outside_names,
        "centroid_size_percent_of_diagonal": {
            "min": float(np.nanmin(relative) * 100),
            "max": float(np.nanmax(relative) * 100),
        },
        "problems": as_texts(problems),
    }


def data_text(summary: Mapping[str, Any]) -> str:
    """The summary of `data_summary` for people."""
    sizes = summary["photograph_sizes"]
    shown = ", ".join(f"{width}x{height}" for width, height in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
    n = summary["specimens"]
    lines = [
        f"{n} specimens on {summary['photographs']} photographs ({shown} px), {summary['landmarks']} landmarks each",
        f"missing landmarks: {summary['missing_landmarks']}",
        f"scale: in {summary['with_scale']} of {n} records"
        + ("" if summary["with_scale"] in (0, n) else " - mm will be given for these only"),
    ]
    if summary["outside_photograph"]:
        names = summary["outside_photograph"]
        listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        lines.append(f"WARNING: landmarks outside the photograph in {len(names)} specimens: {listed}")
    return "\n".join(lines)


def evaluation_text(table: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]]) -> str:
    """Errors per landmark as a table, the mean-shape baseline in the last column."""
    units = [unit for unit in UNIT_HEADS if unit in table[0]]
    blocks = []
    for unit in units:
        head = f"{'landmark':>10} {'n':>5}" + "".join(f"{name:>9}" for name in STATISTICS) + f"{'mean shape':>12}"
        rows = [
            f"{row['landmark']:>10} {row[unit]['n']:>5}"
            + "".join(_number(row[unit][name], 9) for name in STATISTICS)
            + _number(other[unit]["mean"], 12)
            for row, other in zip(table, baseline, strict=True)
        ]
        blocks.append("\n".join([f"error in {UNIT_HEADS[unit]}", head, *rows]))
    return "\n\n".join(blocks)


def verdict_text(verdict: Verdict) -> str:
    """The verdict for people: the answer, and every rule with what was found."""
    marks = {True: "ok", False: "NO", None: "?"}
    lines = [f"{verdict.grade.upper()}: {verdict.sentence}"]
    lines += [
        f"  {marks[check.passed]:>2}  {check.question} {check.found} (wanted: {check.wanted})"
        for check in verdict.checks
    ]
    if verdict.review:
        more = f" and {len(verdict.review) - 12} more" if len(verdict.review) > 12 else ""
        lines.append(f"look at: {', '.join(verdict.review[:12])}{more}")
    return "\n".join(lines)


def _number(value: float | None, width: int) -> str:
    return f"{'':>{width}}" if value is None else f"{value:>{width}.2f}"
