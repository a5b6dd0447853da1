"""Units of length in landmark files. Whatever a file has, results are in mm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Unit = Literal["mm", "cm", "um"]

MM: Mapping[Unit, float] = {"mm": 1.0, "cm": 10.0, "um": 0.001}
"""How long a unit is, mm."""


def in_mm(scale: float | None, unit: Unit) -> float | None:
    """A scale in units per px as mm per px; None = not known."""
    return None if scale is None else scale * MM[unit]
