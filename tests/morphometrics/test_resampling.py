import numpy as np
import pytest

from pronotum.morphometrics.resampling import draws, estimate, permutation_p, resampled_means


def test_p_counts_the_observed_as_one_of_the_permutations():
    assert permutation_p(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == 3 / 5
    assert permutation_p(9.0, np.arange(9.0)) == 1 / 10
    assert np.isnan(permutation_p(np.nan, np.arange(9.0)))


def test_a_tie_that_rounding_broke_is_a_tie():
    assert permutation_p(0.3, np.array([0.1 * 3, 0.3 - 1e-16])) == 1.0


def test_resampled_means_are_those_of_the_specimens_drawn():
    values = np.random.default_rng(0).normal(size=(11, 3))
    times = np.concatenate(list(draws(11, seed=5, resamples=40)))
    assert times.shape == (40, 11)
    assert (times.sum(1) == 11).all()
    slow = [np.repeat(values, row.astype(int), axis=0).mean(0) for row in times]
    assert resampled_means(values, seed=5, resamples=40) == pytest.approx(np.array(slow))


def test_blocks_stay_small_and_cover_all(monkeypatch):
    monkeypatch.setattr("pronotum.morphometrics.resampling.BLOCK", 100)
    blocks = list(draws(30, seed=1, resamples=10))
    assert [len(block) for block in blocks] == [3, 3, 3, 1]


def test_the_interval_of_a_mean_covers_it_as_often_as_promised():
    generator, covered = np.random.default_rng(3), 0
    for trial in range(300):
        values = generator.normal(size=(40, 1))
        found = estimate(values.mean(), resampled_means(values, seed=trial, resamples=400)[:, 0])
        covered += found.low <= 0 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_values_that_are_not_finite_are_left_out():
    found = estimate(1.0, np.array([np.nan, 1.0, np.inf, 1.0]))
    assert (found.low, found.high) == (1.0, 1.0)
    assert np.isnan(estimate(1.0, np.array([np.nan])).low)
