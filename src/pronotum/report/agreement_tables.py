"""The evidence as rows of plain values: for the page, for CSV tables and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from pronotum.evaluation.distances import Scales, summary
from pronotum.evaluation.equivalence import BiasEquivalence, Noninferiority
from pronotum.evaluation.evidence import Evidence
from pronotum.evaluation.verdict import Verdict
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.anova import Anova
from pronotum.morphometrics.superimposition import centroid_size
from pronotum.report.superimposed import complete
from pronotum.report.wording import UNITS

Row = dict[str, Any]


def known_units(evidence: Evidence) -> tuple[str, ...]:
    """Units in which at least one error is known; not the paper's frame where it is that of the photographs."""
    errors = evidence.sets.scales.units(evidence.errors)
    same = np.allclose(evidence.sets.scales.paper, 1, equal_nan=False)
    return tuple(
        unit
        for unit in UNITS
        if unit in errors and np.isfinite(errors[unit]).any() and not (unit == "px_256x192" and same)
    )


def landmark_rows(evidence: Evidence, verdict: Verdict) -> list[Row]:
    """One row per landmark: errors, both baselines, bias, scatter, correlations, tests; by unit where they have one."""
    sets, human = evidence.sets, evidence.human
    baseline = _summaries(sets.baseline, sets.scales)
    repeats = _summaries(human.errors, _some(sets.scales, sets.repeated)) if human else None
    rows = []
    for k, row in enumerate(evidence.agreement):
        rows.append(
            {
                "landmark": row.landmark,
                "grade": verdict.landmarks[row.landmark],
                "n": row.n,
                "n_missing": row.n_missing,
                "errors": row.errors,
                "mean_shape": baseline[k],
                "human_repeat": repeats[k] if repeats else None,
                "bias": {unit: asdict(value) for unit, value in row.bias.items()},
                "scatter": {unit: asdict(value) for unit, value in row.scatter.items()},
                "r2": row.r2,
                "r2_x": row.coordinate_r2[0],
                "r2_y": row.coordinate_r2[1],
                "explained_variance": row.explained_variance,
                "pearson_x": row.pearson[0],
                "pearson_y": row.pearson[1],
                "noninferior_to_human": _test(human.noninferiority[k]) if human else None,
                "noninferior_to_margin": _test(evidence.noninferiority[k]) if evidence.noninferiority else None,
                "bias_within_margin": _bias_test(evidence.bias[k]) if evidence.bias else None,
                "outliers": list(row.outliers),
            }
        )
    return rows


def overall_row(evidence: Evidence) -> Row:
    """Errors of all landmarks together, by unit, with both baselines."""
    sets, human = evidence.sets, evidence.human
    return {
        "errors": _pooled(evidence.errors, sets.scales),
        "mean_shape": _pooled(sets.baseline, sets.scales),
        "human_repeat": _pooled(human.errors, _some(sets.scales, sets.repeated)) if human else None,
        "predictions_of_repeated": _pooled(human.model_errors, _some(sets.scales, sets.repeated)) if human else None,
    }


def specimen_rows(evidence: Evidence, verdict: Verdict) -> list[Row]:
    """One row per specimen: error, whether it stands out, what is missing, whether it finds its own twin."""
    sets, twins = evidence.sets, evidence.shape.twins
    used = complete(sets)
    position = np.cumsum(used) - 1
    names = [name for name, kept in zip(sets.specimens, used, strict=True) if kept]
    by_unit = sets.scales.units(evidence.errors)
    means = {f"mean_error_{unit}": [_mean(values) for values in by_unit[unit]] for unit in known_units(evidence)}
    lacks = {"manual": np.isnan(sets.manual[..., 0]), "predicted": np.isnan(sets.predicted[..., 0])}
    sizes = centroid_size(sets.manual), centroid_size(sets.predicted)
    outlying = evidence.outlying
    rows = []
    for i, name in enumerate(sets.specimens):
        errors = evidence.errors[i]
        found, twin = np.isfinite(errors).any(), int(position[i])
        rows.append(
            {
                "specimen": name,
                "group": sets.groups[i] if sets.groups else None,
                "review": name in verdict.review,
                "outlying": list(outlying.get(name, ())),
                "complete": bool(used[i]),
                "repeated": bool(sets.repeated[i]),
                **{f"missing_{key}": _named(sets.landmarks, gone[i]) for key, gone in lacks.items()},
                **{key: values[i] for key, values in means.items()},
                "max_error_px": float(np.nanmax(errors)) if found else None,
                "worst_landmark": sets.landmarks[int(np.nanargmax(errors))] if found else None,
                "manual_size_px": float(sizes[0][i]),
                "predicted_size_px": float(sizes[1][i]),
                "twin_rank": int(twins.ranks[twin]) if used[i] else None,
                "twin_ratio": float(twins.ratios[twin]) if used[i] else None,
                "nearest_other": names[twins.nearest_other[twin]] if used[i] else None,
            }
        )
    return rows


def shape_rows(evidence: Evidence) -> list[Row]:
    """One row per statistic of shape and size: value, 95 % interval, p and number of specimens."""
    shape, human = evidence.shape, evidence.human
    rows = [_row("repeatability", shape.anova.repeatability, shape.n)]
    for source in (shape.anova.individual, shape.anova.method, shape.anova.residual):
        rows += [
            _row(f"anova_{source.name}_{key}", getattr(source, key), shape.n) for key in ("df", "ss", "ms", "share")
        ]
    rows += [
        _row("anova_f_individual", shape.anova.f_individual, shape.n),
        _row("anova_f_method", shape.anova.f_method, shape.n),
        _row("disparity_ratio", shape.disparity, shape.n),
        _row("mean_difference_distance", shape.difference.distance, shape.difference.n, shape.difference.p),
        _row("mean_difference_share", shape.difference.share, shape.difference.n),
        _row("mantel_r", shape.distances.r, shape.distances.n, shape.distances.p),
        _row("twins_share_first", shape.twins.share_first, shape.twins.n),
        _row("twins_median_ratio", shape.twins.median_ratio, shape.twins.n),
    ]
    for component in shape.components.components:
        name, n = f"pc{component.number}", shape.components.n
        rows.append(_row(f"{name}_share", component.share, n))
        rows += [_row(f"{name}_{key}", getattr(component, key), n) for key in ("r", "slope", "rma_slope")]
    size = shape.size
    for unit, limits in ((shape.size_unit, size.units), ("percent", size.percent)):
        rows += [_row(f"size_{key}_{unit}", getattr(limits, key), size.n) for key in ("bias", "lower", "upper")]
    for key in ("concordance", "r", "slope", "rma_slope", "deming_slope", "difference_slope"):
        rows.append(_row(f"size_{key}", getattr(size, key), size.n))
    for key, model in (("manual", shape.allometry.manual), ("predicted", shape.allometry.predicted)):
        rows.append(_row(f"allometry_r2_{key}", model.r2, model.n, model.p))
    rows += [
        _row(f"allometry_{key}", getattr(shape.allometry, key), shape.allometry.n) for key in ("angle", "length_ratio")
    ]
    rows += [_row(name, found, shape.n) for name, found in shape.further.items()]
    if shape.groups:
        rows += _group_rows(evidence)
    if human:
        rows += [
            _row("human_repeatability", human.anova.repeatability, human.n),
            _row("human_repeatability_of_predictions", human.model_anova.repeatability, human.n),
            _row("human_disparity_ratio", human.disparity, human.n),
        ]
    return rows


def anova_rows(anova: Anova) -> dict[str, Row]:
    """The table by source of variation: df, sum of squares, mean square, share and Goodall's F over the residual."""
    residual, rows = anova.residual.ms, {}
    for source in (anova.individual, anova.method, anova.residual):
        row = {key: getattr(source, key) for key in ("df", "ss", "ms", "share")}
        f = None if source is anova.residual else source.ms / residual if residual > 0 else np.inf
        rows[source.name] = {**row, "f": f}
    return rows


def plain(value: Any) -> Any:
    """Any value as JSON has it: dataclasses as objects, arrays as lists, NaN and infinity as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def flat(row: Row, prefix: str = "") -> Row:
    """A row without rows in it: inner names are joined by underscores, lists by semicolons."""
    cells: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            cells.update(flat(value, f"{prefix}{key}_"))
        else:
            cells[prefix + key] = "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return cells


def _group_rows(evidence: Evidence) -> list[Row]:
    groups = evidence.shape.groups
    assert groups is not None
    rows = [
        _row(f"groups_{key}_{name}", getattr(model, key), groups.n, model.p if key == "r2" else None)
        for name, model in (("manual", groups.manual), ("predicted", groups.predicted))
        for key in ("r2", "f", "z")
    ]
    for pair in groups.pairs:
        name = f"groups {pair.first} - {pair.second}"
        rows.append(_row(f"{name}: manual distance", pair.manual_distance, groups.n))
        rows.append(_row(f"{name}: predicted distance", pair.predicted_distance, groups.n))
        rows.append(_row(f"{name}: angle", pair.angle, groups.n))
        rows.append(_row(f"{name}: length ratio", pair.length_ratio, groups.n))
    return rows


def _row(name: str, value: Any, n: int, p: float | None = None) -> Row:
    ends = (value.value, value.low, value.high) if hasattr(value, "low") else (value, None, None)
    return {"statistic": name, "value": ends[0], "low": ends[1], "high": ends[2], "p": p, "n": n}


def _test(row: Noninferiority) -> Row:
    keys = ("n", "margin", "mean", "upper", "p", "p_holm", "passed")
    return {key: getattr(row, key) for key in keys}


def _bias_test(row: BiasEquivalence) -> Row:
    keys = ("n", "margin", "dx", "dy", "interval_x", "interval_y", "p", "p_holm", "passed")
    return {key: getattr(row, key) for key in keys}


def _summaries(errors: FloatArray, scales: Scales) -> list[Row]:
    units = scales.units(errors)
    return [{unit: summary(values[:, k]) for unit, values in units.items()} for k in range(errors.shape[1])]


def _pooled(errors: FloatArray, scales: Scales) -> Row:
    return {unit: summary(values) for unit, values in scales.units(errors).items()}


def _some(scales: Scales, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Scales:
    return Scales(scales.paper[rows], scales.percent[rows], scales.mm[rows])


def _mean(errors: FloatArray) -> float | None:
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else None


def _named(landmarks: Sequence[str], which: FloatArray) -> list[str]:
    return [name for name, chosen in zip(landmarks, which, strict=True) if chosen]
