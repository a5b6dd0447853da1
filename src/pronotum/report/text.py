"""What the command line prints, as text and as JSON values; the JSON objects are documented in docs/json.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from pronotum.data import Dataset, Problem
from pronotum.doctor import shapes
from pronotum.doctor.finding import KINDS
from pronotum.errors import counted, few
from pronotum.evaluation.verdict import Verdict
from pronotum.morphometrics.superimposition import centroid_size

UNIT_HEADS = {"px": "px", "percent_centroid_size": "% CS", "mm": "mm", "px_256x192": "px 256x192"}
STATISTICS = ("mean", "median", "p90", "p95")


def as_texts(problems: Sequence[Problem]) -> list[str]:
    """Problems as lines."""
    return [str(problem) for problem in problems]


def data_summary(data: Dataset, problems: Sequence[Problem], strange: Sequence[Problem] = ()) -> dict[str, Any]:
    """What `pronotum check` found.

    Args:
        data: the specimens.
        problems: what was left out.
        strange: specimens whose scale cannot be right.
    """
    points = data.points
    sizes = sorted(set(data.sizes))
    scales = [scale for scale in data.scales if scale is not None]
    extent = np.array(data.sizes, dtype=float)[:, None, :]
    outside = np.asarray((points < -0.5) | (points > extent - 0.5))
    outside_names = [name for name, out in zip(data.names, np.any(outside, axis=(1, 2)), strict=True) if out]
    relative = centroid_size(points) / np.hypot(extent[:, 0, 0], extent[:, 0, 1])
    known = relative[np.isfinite(relative)]
    return {
        "files": [str(path) for path in data.source],
        "specimens": len(data),
        "photographs": len(set(data.photographs)),
        "landmarks": data.scheme.n_landmarks,
        "semilandmarks": data.scheme.n_landmarks - data.scheme.n_fixed,
        "curves": len(data.scheme.curves),
        "with_unused_curves": sum(bool(specimen.curves) for specimen in data.landmarks),
        "other_order": other_orders(data),
        "reflected": reflected(data),
        "missing_landmarks": int(np.isnan(points[..., 0]).sum()),
        "photograph_sizes": [list(size) for size in sizes],
        "with_scale": len(scales),
        "scales": sorted(set(scales))[:10],
        "scale_problems": as_texts(strange),
        "warnings": list(data.warnings),
        "outside_photograph": outside_names,
        "centroid_size_percent_of_diagonal": {
            "min": float(known.min() * 100) if known.size else None,
            "max": float(known.max() * 100) if known.size else None,
        },
        "problems": as_texts(problems),
    }


def other_orders(data: Dataset) -> list[str]:
    """Which specimens seem to have their landmarks in another order than most, and in which.

    The specimen on the picture that the scheme names as its reference is said to be it.
    """
    fixed = data.points[:, : data.scheme.n_fixed]
    found = shapes.other_orders(fixed, data.sizes, data.names)
    shown = PureWindowsPath(data.scheme.reference).name.casefold()
    said = []
    for one in found:
        order = one.change.order if one.change else ()
        names = data.scheme.names
        moved = [f"{names[k]} digitised as {names[at]}" for k, at in enumerate(order) if k != at]
        reference = " (the reference of the scheme)" if data.photographs[one.specimen].name.casefold() == shown else ""
        said.append(f"{one.name}{reference}: {', '.join(moved[:3])}" + (", ..." if len(moved) > 3 else ""))
    return said


def reflected(data: Dataset) -> list[str]:
    """Which specimens seem to be mirrored or upside down, and which of the two."""
    found = shapes.at_a_glance(data.points[:, : data.scheme.n_fixed], data.sizes, data.names)
    return [f"{one.name}: {KINDS[one.kind]}" for one in found if one.kind in shapes.REFLECTED]


def data_text(summary: Mapping[str, Any]) -> str:
    """The summary of `data_summary` for people."""
    sizes = summary["photograph_sizes"]
    shown = ", ".join(f"{width}x{height}" for width, height in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
    n = summary["specimens"]
    lines = [
        f"{counted(n, 'specimen')} on {counted(summary['photographs'], 'photograph')} ({shown} px), "
        f"{counted(summary['landmarks'], 'landmark')} each"
        + (
            f", {summary['semilandmarks']} of them on {counted(summary['curves'], 'curve')}"
            if summary["curves"]
            else ""
        ),
        f"missing landmarks: {summary['missing_landmarks']}",
        f"scale: in {summary['with_scale']} of {counted(n, 'record')}"
        + ("" if summary["with_scale"] in (0, n) else " - mm will be given for these only"),
    ]
    strange = summary["scale_problems"]
    lines += [f"WARNING: scale: {problem}" for problem in strange[:5]]
    lines += [f"WARNING: scale: and {len(strange) - 5} more"] if len(strange) > 5 else []
    if summary["with_unused_curves"]:
        lines.append(
            f"curves: in {summary['with_unused_curves']} of {counted(n, 'record')}, not used; a scheme makes "
            "semilandmarks of them (docs/scheme.md)"
        )
    others = summary["other_order"]
    lines += [f"WARNING: landmark order of {one} - see pronotum doctor" for one in others[:5]]
    lines += [f"WARNING: landmark order of {len(others) - 5} more"] if len(others) > 5 else []
    turned = summary["reflected"]
    lines += [f"WARNING: {one} - see pronotum doctor" for one in turned[:5]]
    lines += [f"WARNING: mirrored or upside down: {len(turned) - 5} more"] if len(turned) > 5 else []
    if summary["outside_photograph"]:
        names = summary["outside_photograph"]
        listed = few(names)
        lines.append(f"WARNING: landmarks outside the photograph in {counted(len(names), 'specimen')}: {listed}")
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
