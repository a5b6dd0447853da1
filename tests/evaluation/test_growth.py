"""The law by which errors fall, on errors that follow one exactly and on noisy ones."""

import numpy as np
import pytest

from pronotum.evaluation.growth import fit, forecast

SIZES = (10, 20, 40, 80)


@pytest.mark.parametrize(("floor", "factor", "exponent"), [(1.0, 30.0, 0.5), (0.0, 12.0, 0.3), (2.0, 100.0, 1.0)])
def test_an_exact_law_is_found_again(floor, factor, exponent):
    errors = floor + factor * np.array(SIZES, float) ** -exponent
    law = fit(SIZES, errors)
    assert (law.floor, law.factor, law.exponent) == pytest.approx((floor, factor, exponent), rel=1e-3, abs=1e-3)
    assert law.at(320) == pytest.approx(floor + factor * 320**-exponent, rel=1e-3)


def test_no_progress_is_no_promise():
    assert fit(SIZES, np.full(4, 3.0)).at(1000) == pytest.approx(3.0, rel=1e-3)


def test_errors_that_grow_are_expected_to_stay():
    law = fit(SIZES, np.array([1.0, 1.5, 2.0, 3.0]))
    assert law.at(1000) == pytest.approx(law.at(10))
    assert 1.0 < law.at(1000) < 3.0


def test_a_forecast_covers_the_truth():
    generator = np.random.default_rng(0)
    truth = 1 + 20 * np.array(SIZES, float) ** -0.6
    hits = 0
    for seed in range(20):
        errors = truth[:, None, None] * generator.gamma(4, 0.25, size=(4, 60, 8))
        found = forecast(SIZES, errors, 160, lambda values: float(np.nanmean(values)), seed=seed, resamples=100)
        assert found.now_low < found.now < found.now_high
        hits += found.then_low <= 1 + 20 * 160**-0.6 <= found.then_high
    assert hits >= 16
    again = forecast(SIZES, errors, 160, lambda values: float(np.nanmean(values)), seed=19, resamples=100)
    assert again == found
