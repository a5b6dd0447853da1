"""Numbers in words: how reports write values, intervals, p-values and grades."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pronotum.morphometrics.resampling import Estimate

UNITS = {
    "px": "px of the photograph",
    "percent_centroid_size": "% of centroid size",
    "px_256x192": "px of the paper's 256x192 frame",
    "mm": "mm",
}
NOTHING = "–"


def number(value: float | None, digits: int = 2) -> str:
    """A value with a fixed number of decimals; a dash where there is none."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def short(value: float | None) -> str:
    """A length with three significant digits, however small: 0.00123, 0.12, 12.3, 1234."""
    if value is None or not math.isfinite(value) or value == 0:
        return number(value, 0 if value == 0 else 2)
    return number(value, min(max(2 - math.floor(math.log10(abs(value))), 0), 6))


def signed(value: float | None, digits: int = 2) -> str:
    """As `number`, with its sign."""
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and float(text) != 0 else text


def scientific(value: float) -> str:
    """A value with its power of ten."""
    return f"{value:.3g}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in %."""
    return NOTHING if share is None or math.isnan(share) else f"{number(100 * share, digits)} %"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """A value and its 95 % interval."""
    value = number(estimate.value, digits)
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return value
    return f"{value} ({number(estimate.low, digits)} to {number(estimate.high, digits)})"


def p_value(p: float | None) -> str:
    """A p-value; never zero."""
    if p is None or math.isnan(p):
        return "p not known"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names with commas, cut where there are too many."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
