import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from pronotum.morphometrics.bivariate import moments, resampled_moments


def pair(seed, n=40):
    generator = np.random.default_rng(seed)
    x = generator.normal(50, 4, n)
    return x, 3 + 0.8 * x + generator.normal(0, 2, n)


def of(x, y):
    return moments(x[:, None], y[:, None])


def test_correlation_and_slopes_are_those_of_scipy():
    x, y = pair(0)
    found, theirs = of(x, y), stats.linregress(x, y)
    assert found.pearson[0] == pytest.approx(theirs.rvalue)
    assert found.slope[0] == pytest.approx(theirs.slope)
    assert found.rma_slope[0] == pytest.approx(y.std() / x.std())


@pytest.mark.parametrize("error_ratio", [0.25, 1.0, 4.0])
def test_demings_slope_has_the_least_weighted_distance_to_the_line(error_ratio):
    x, y = pair(1)

    def loss(slope):
        rest = (y - y.mean()) - slope * (x - x.mean())
        return (rest**2).sum() / (error_ratio + slope**2)

    best = optimize.minimize_scalar(loss, bounds=(0.1, 5), method="bounded", options={"xatol": 1e-10})
    assert of(x, y).deming_slope(error_ratio)[0] == pytest.approx(best.x, rel=1e-6)


def test_concordance_is_that_of_lins_sums():
    x, y = pair(2)
    n = len(x)
    over = 2 * sum((a - x.mean()) * (b - y.mean()) for a, b in zip(x, y, strict=True)) / n
    under = sum((a - x.mean()) ** 2 for a in x) / n + sum((b - y.mean()) ** 2 for b in y) / n
    assert of(x, y).concordance[0] == pytest.approx(over / (under + (x.mean() - y.mean()) ** 2))
    assert of(x, x).concordance[0] == pytest.approx(1)
    assert of(x, x + 1e6).concordance[0] < 1e-6


def test_the_slope_of_the_difference_is_that_of_a_regression_on_the_mean():
    x, y = pair(3)
    assert of(x, y).difference_slope[0] == pytest.approx(stats.linregress((x + y) / 2, y - x).slope)


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-1e4, 1e4))
@settings(max_examples=30, deadline=None)
def test_correlations_and_slopes_know_no_units(seed, factor, shift):
    x, y = pair(seed)
    plain, other = of(x, y), of(factor * x + shift, factor * y + shift)
    for name in ("pearson", "slope", "rma_slope", "concordance", "difference_slope"):
        assert getattr(other, name) == pytest.approx(getattr(plain, name), rel=1e-6, abs=1e-9)
    assert other.deming_slope() == pytest.approx(plain.deming_slope(), rel=1e-6)


def test_resampled_moments_are_those_of_the_specimens_drawn():
    x, y = pair(4)
    drawn = resampled_moments(x[:, None], y[:, None], seed=2, resamples=200)
    assert drawn.pearson.shape == (200, 1)
    rows = np.random.default_rng(2).integers(40, size=(200, 40))
    assert drawn.pearson[:, 0] == pytest.approx(np.array([stats.pearsonr(x[row], y[row])[0] for row in rows]))
    assert drawn.slope[:, 0] == pytest.approx(np.array([stats.linregress(x[row], y[row]).slope for row in rows]))


def test_a_constant_has_no_correlation_and_a_slope_of_nought():
    x, _ = pair(5)
    found = of(x, np.full(40, 7.1) + 1e-15 * x)
    assert np.isnan(found.pearson[0])
    assert (found.slope[0], found.rma_slope[0], found.concordance[0]) == (0, 0, 0)
    assert np.isnan(of(np.full(40, 7.1), x).slope[0])
