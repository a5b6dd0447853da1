"""Which specimens to digitise a second time, so that human error becomes known."""

from __future__ import annotations

import numpy as np

from pronotum.evaluation.evidence import Evidence
from pronotum.report.superimposed import complete

N_REPEATS = 25


def to_repeat(evidence: Evidence, n: int = N_REPEATS, *, seed: int = 0) -> tuple[str, ...]:
    """Specimens spread evenly over the first principal component of the manual shapes, in random order.

    Spread, so that the repeats hold the whole variation in shape; in random order, so that whoever digitises cannot
    guess the next one.

    Args:
        evidence: whose complete specimens are chosen from.
        n: how many; all where there are fewer.
        seed: of the order; the choice itself is no matter of chance.
    """
    names = np.array(evidence.sets.specimens)[complete(evidence.sets)]
    along = np.argsort(evidence.shape.components.manual_scores[:, 0], kind="stable")
    places = np.unique(np.linspace(0, len(names) - 1, min(n, len(names))).round().astype(int))
    chosen = names[along[places]]
    return tuple(str(name) for name in np.random.default_rng(seed).permutation(chosen))
