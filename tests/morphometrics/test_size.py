import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum.errors import UserError
from pronotum.morphometrics.size import size_agreement

# Peak expiratory flow (l/min) of 17 people by the large Wright meter and the mini meter, first measurement of each:
# Bland & Altman (1986), table 1.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def sizes(seed, n=30):
    generator = np.random.default_rng(seed)
    manual = generator.uniform(200, 900, n)
    return manual, manual * generator.normal(1.01, 0.02, n)


def test_limits_of_agreement_are_those_of_bland_and_altman():
    found = size_agreement(np.array(MINI, float), np.array(WRIGHT, float))
    assert found.units.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.units.sd == pytest.approx(38.8, abs=0.05)
    assert (found.units.bias.low, found.units.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    # They took two standard deviations and 3 s^2 / n for the variance of a limit, we the exact factor.
    assert found.units.lower.value == pytest.approx(-79.7, abs=1.7)
    assert found.units.upper.value == pytest.approx(75.5, abs=1.7)
    assert (found.units.lower.low, found.units.lower.high) == pytest.approx((-114.3, -45.1), abs=2.5)
    assert (found.units.upper.low, found.units.upper.high) == pytest.approx((40.9, 110.1), abs=2.5)
    assert found.r.value == pytest.approx(0.94, abs=0.005)


def test_limits_and_correlation_are_those_of_r(reference):
    manual, predicted = reference["manual_sizes"], reference["predicted_sizes"]
    found = size_agreement(manual, predicted)
    assert (found.units.lower.value, found.units.upper.value) == pytest.approx(tuple(reference["size_limits"]))
    percent = 100 * (predicted - manual) / ((predicted + manual) / 2)
    assert found.percent.bias.value == pytest.approx(percent.mean())
    assert found.percent.sd == pytest.approx(percent.std(ddof=1))
    assert found.concordance.low < found.concordance.value < found.concordance.high < 1


@given(st.integers(0, 10_000), st.floats(0.001, 1000))
@settings(max_examples=30, deadline=None)
def test_units_change_nothing_but_the_limits_in_units(seed, factor):
    manual, predicted = sizes(seed)
    plain = size_agreement(manual, predicted, resamples=50)
    other = size_agreement(factor * manual, factor * predicted, resamples=50)
    for name in ("concordance", "r", "slope", "rma_slope", "deming_slope", "difference_slope"):
        for end in ("value", "low", "high"):
            assert getattr(getattr(other, name), end) == pytest.approx(getattr(getattr(plain, name), end), rel=1e-6)
    assert other.percent.lower.value == pytest.approx(plain.percent.lower.value)
    assert other.units.bias.value == pytest.approx(factor * plain.units.bias.value)


def test_order_does_not_matter_and_missing_sizes_do_not_count():
    manual, predicted = sizes(1)
    rows = np.random.default_rng(0).permutation(30)
    plain, mixed = size_agreement(manual, predicted), size_agreement(manual[rows], predicted[rows])
    assert mixed.deming_slope.value == pytest.approx(plain.deming_slope.value)
    some = manual.copy()
    some[3] = np.nan
    found = size_agreement(some, predicted)
    rest = size_agreement(np.delete(manual, 3), np.delete(predicted, 3))
    assert found == rest
    assert found.n == 29


def test_too_large_by_a_tenth_shows_in_percent_slope_and_concordance():
    manual, _ = sizes(2)
    found = size_agreement(manual, 1.1 * manual)
    assert found.percent.bias.value == pytest.approx(200 * 0.1 / 2.1)
    assert found.percent.sd == pytest.approx(0, abs=1e-9)
    assert (found.r.value, found.rma_slope.value, found.deming_slope.value) == pytest.approx((1, 1.1, 1.1))
    assert found.concordance.value < 0.99
    assert found.difference_slope.value == pytest.approx(0.1 / 1.05)


def test_mistakes_are_said_in_one_line():
    manual, predicted = sizes(3)
    with pytest.raises(UserError, match="30 manual and 29 predicted sizes"):
        size_agreement(manual, predicted[1:])
    with pytest.raises(UserError, match="2 specimens with a size in both sets; expected at least 3"):
        size_agreement(manual[:2], predicted[:2])
    predicted[4] = 0
    with pytest.raises(UserError, match="the predicted size of specimen 5 is 0; digitise it again"):
        size_agreement(manual, predicted)


def test_sticklebacks_keep_their_size(fish):
    found = size_agreement(*fish[2:])
    assert found.r.value == pytest.approx(0.9997, abs=0.00005)  # published
    assert found.concordance.value == pytest.approx(0.9997, abs=0.00005)
    assert found.percent.bias.low < 0 < found.percent.bias.high
