"""Statistics of shape that a report lists: a module of this package that has a `STATISTIC` adds one.

Nothing else has to be changed for it to be computed, tabulated, written to report.json and shown on the page.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import pronotum.morphometrics
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.resampling import Estimate


@dataclass(frozen=True, eq=False)
class Compared:
    """What a statistic is computed from.

    Attributes:
        manual: (N, K, 2) shapes, superimposed together with `predicted`.
        predicted: (N, K, 2) of the same specimens, in the same order.
        groups: (N,) a group of each specimen; empty = none.
        seed: of every resampling.
        resamples: of a bootstrap.
        permutations: of a permutation test.
    """

    manual: FloatArray
    predicted: FloatArray
    groups: tuple[str, ...] = ()
    seed: int = 0
    resamples: int = 2000
    permutations: int = 999


@dataclass(frozen=True)
class Statistic:
    """One number with its interval.

    Attributes:
        name: its key in report.json and its row in tables/shape.csv.
        title: what the report calls it.
        meaning: how to read it, in a sentence or two.
        compute: of the complete specimens.
    """

    name: str
    title: str
    meaning: str
    compute: Callable[[Compared], Estimate]


@cache
def table() -> Mapping[str, Statistic]:
    """All of them by name."""
    names = [item.name for item in pkgutil.iter_modules(pronotum.morphometrics.__path__)]
    modules = [importlib.import_module(f"pronotum.morphometrics.{name}") for name in names if name != "statistic"]
    found = [module.STATISTIC for module in modules if hasattr(module, "STATISTIC")]
    return {one.name: one for one in found}
