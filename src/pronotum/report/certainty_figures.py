"""Do radii hold what they promise, and do they tell which predictions are wrong? Figures of a cross-validation.

Every fold is judged by a calibration learnt from the other folds only.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pronotum.evaluation.calibration import coverage
from pronotum.landmarks import FloatArray
from pronotum.report.agreement_figures import PREDICTED
from pronotum.report.agreement_plates import Plate
from pronotum.report.paper_figures import GREY

LEVELS = (*np.round(np.arange(0.05, 1.0, 0.05), 2).tolist(),)
"""Probabilities at which radii are compared with errors."""
GROUPS = 10


def plate(errors: FloatArray, radii: FloatArray, sizes: FloatArray) -> Plate:
    """Reliability, and error by radius.

    Args:
        errors: (N, K) px of out-of-fold predictions; NaN = missing.
        radii: (N, K, L) px for `LEVELS`, of calibrations that have not seen the specimen.
        sizes: (N,) centroid sizes, px.
    """
    held = coverage(errors, radii)
    drawing = Figure(figsize=(8.6, 4.0), layout="constrained")
    left, right = drawing.subplots(1, 2)
    left.plot([0, 100], [0, 100], "-", color=GREY, linewidth=1, label="as promised")
    left.plot(100 * np.array(LEVELS), 100 * held, "o-", color=PREDICTED, markersize=4, label="found")
    left.set(
        xlabel="promised, %", ylabel="true points within the radius, %", xlim=(0, 100), ylim=(0, 100), aspect="equal"
    )
    left.legend(frameon=False, loc="lower right")
    left.grid(alpha=0.3)
    known = np.isfinite(errors)
    ninety = (100 * radii[..., LEVELS.index(0.9)] / sizes[:, None])[known]
    found = (100 * errors / sizes[:, None])[known]
    order = np.array_split(ninety.argsort(), min(GROUPS, len(ninety)))
    middle = [float(np.median(ninety[one])) for one in order]
    above = [float(np.percentile(found[one], 90)) for one in order]
    right.plot(ninety, found, ".", color=PREDICTED, alpha=0.25, markersize=4, label="predicted landmarks")
    right.plot(middle, above, "o-", color="black", markersize=4, label="90th percentile of errors")
    top = max(float(ninety.max()), float(np.percentile(found, 99)))
    right.plot([0, top], [0, top], "-", color=GREY, linewidth=1, label="as promised")
    right.set(xlabel="radius promised to hold 90 %, % of centroid size", ylabel="error, % of centroid size")
    right.set(xlim=(0, 1.05 * float(ninety.max())), ylim=(0, 1.1 * float(np.percentile(found, 99.5))))
    right.legend(frameon=False, loc="upper left", fontsize=8)
    right.grid(alpha=0.3)
    at = {level: 100 * float(held[LEVELS.index(level)]) for level in (0.5, 0.9, 0.95)}
    return Plate(
        "reliability",
        drawing,
        "What radii promise and what they hold",
        f"Left: of the true points, {at[0.5]:.1f} % lay within the radius said to hold 50 %, {at[0.9]:.1f} % "
        f"within that of 90 % and {at[0.95]:.1f} % within that of 95 %. Below the line they are too small. Right: each "
        f"predicted landmark; the black line should follow the grey one, and rise: large radii mark the predictions to "
        f"look at. Every fold was judged by what the others had learnt.",
    )
