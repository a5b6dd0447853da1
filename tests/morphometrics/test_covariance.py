import numpy as np
import pytest

from pronotum.morphometrics import statistic
from pronotum.morphometrics.covariance import covariance_correlation
from pronotum.morphometrics.statistic import Compared


def shapes(n=60, seed=0):
    """Shapes that vary along two directions, as different as can be."""
    generator = np.random.default_rng(seed)
    one, other = np.eye(8)[0].reshape(4, 2), np.eye(8)[5].reshape(4, 2)
    return generator.normal(0, 1, (n, 1, 1)) * one, generator.normal(0, 1, (n, 1, 1)) * other


def test_the_same_pattern_is_1_whatever_its_amount_and_another_one_is_0():
    one, other = shapes()
    assert covariance_correlation(one * 0.2, one).value == pytest.approx(1)
    assert covariance_correlation(one, other).value == pytest.approx(0, abs=1e-12)


def test_it_is_the_correlation_of_numpys_covariance_matrices():
    generator = np.random.default_rng(1)
    manual = generator.normal(0, 1, (30, 5, 2))
    predicted = manual + generator.normal(0, 0.5, manual.shape)
    matrices = [np.cov(values.reshape(30, 10).T) for values in (manual, predicted)]
    expected = (matrices[0] * matrices[1]).sum() / np.sqrt((matrices[0] ** 2).sum() * (matrices[1] ** 2).sum())
    found = covariance_correlation(predicted, manual)
    assert found.value == pytest.approx(expected)
    assert found.low < found.high <= 1


def test_shapes_that_do_not_vary_have_none():
    constant = np.zeros((10, 4, 2))
    assert np.isnan(covariance_correlation(constant, constant).value)


@pytest.mark.parametrize("name", sorted(statistic.table()))
def test_every_statistic_says_what_it_is_and_keeps_within_its_interval(name):
    one = statistic.table()[name]
    assert one.name == name
    assert one.title
    assert one.meaning.endswith(".")
    generator = np.random.default_rng(2)
    manual = generator.normal(0, 1, (25, 6, 2))
    predicted = manual + generator.normal(0, 0.3, manual.shape)
    found = one.compute(Compared(manual, predicted, resamples=50, permutations=19))
    again = one.compute(Compared(manual, predicted, resamples=50, permutations=19))
    assert found == again, "the same seed gives the same interval"
    assert np.isfinite([found.value, found.low, found.high]).all()
    assert found.low <= found.high
