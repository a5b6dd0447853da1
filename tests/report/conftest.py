"""Comparisons of which the report is written: small, synthetic, each for one thing that a report must show."""

from collections.abc import Callable

import numpy as np
import pytest

from pronotum.evaluation.distances import Scales, mean_shape_distances
from pronotum.evaluation.evidence import Sets, gather
from pronotum.evaluation.verdict import Rules, judge
from pronotum.morphometrics.superimposition import mean_shape
from pronotum.report.agreement_page import Contents

N, K = 40, 7
Compare = Callable[..., Contents]


def sets(error=0.3, shrink=0.0, gross=(), missing=(), repeat=0, scale=None, groups=(), margin=None, names=None) -> Sets:
    """Specimens about 100 px large whose shape varies by 3 px, predicted with errors of this standard deviation."""
    generator = np.random.default_rng(7)
    mean = 40 * generator.normal(size=(K, 2))
    manual = mean + 3 * generator.normal(size=(N, K, 2)) + generator.uniform(0, 900, (N, 1, 2))
    centre = mean + (manual - mean).mean(1, keepdims=True)
    predicted = manual + shrink * (centre - manual) + error * generator.normal(size=manual.shape)
    for specimen in gross:
        predicted[specimen, 1] += 60
    for specimen in missing:
        predicted[specimen, 4] = np.nan
    again = np.full_like(manual, np.nan)
    again[:repeat] = manual[:repeat] + 0.5 * generator.normal(size=(repeat, K, 2))
    return Sets(
        names or tuple(f"beetle_{number}" for number in range(N)),
        tuple(str(number) for number in range(1, K + 1)),
        manual,
        predicted,
        mean_shape_distances(mean_shape(manual), manual),
        Scales.of(manual, [(1000, 1000)] * N, [scale] * N),
        again if repeat else None,
        groups,
        margin,
    )


def contents(made: Sets, rules: Rules | None = None, **shown) -> Contents:
    evidence = gather(made, resamples=100, permutations=49)
    rules = rules or Rules()
    shown = {"title": "Beetles", "remarks": (), "photographs": (), "origin": "by a model of other specimens", **shown}
    return Contents(evidence=evidence, verdict=judge(evidence, rules), rules=rules, **shown)


@pytest.fixture(scope="session")
def compare() -> Compare:
    """Makes a comparison: ``compare(gross=(3,))``, see `sets`; or of sets that are given."""

    def one(made: Sets | None = None, *, rules: Rules | None = None, shown: dict | None = None, **asked) -> Contents:
        return contents(made or sets(**asked), rules, **(shown or {}))

    return one


@pytest.fixture(scope="session")
def ready() -> Contents:
    """Good predictions, 20 repeats, scale known."""
    return contents(sets(repeat=20, scale=0.01))


@pytest.fixture(scope="session")
def after_review() -> Contents:
    """Two gross errors, a landmark not predicted, groups of which one is too small, a margin, few repeats."""
    groups = ("c", *("ab"[number % 2] for number in range(N - 1)))
    return contents(sets(gross=(7, 31), missing=(12,), repeat=15, groups=groups, margin=1.5))


@pytest.fixture(scope="session")
def not_ready() -> Contents:
    """Predictions drawn to the mean; no repeat, no scale."""
    return contents(sets(error=0.1, shrink=0.5))
