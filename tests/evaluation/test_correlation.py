import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pronotum.evaluation import correlation


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    manual = rng.uniform(0, 200, (1, 6, 2)) + rng.normal(0, 5, (40, 6, 2))
    return manual, manual + rng.normal(1, 3, manual.shape)


def test_r2_by_hand():
    manual = np.array([[[0.0, 0], [2, 0]], [[4, 0], [6, 12]]])
    predicted = manual + np.array([1.0, 3.0])
    # x: mean 3, total 9+1+1+9 = 20, rest 4; y: mean 3, total 27+81 = 108, rest 36
    assert correlation.r2(manual, predicted) == pytest.approx((0.8 + 2 / 3) / 2)
    assert correlation.r2(manual, predicted, "variance_weighted") == pytest.approx(1 - 40 / 128)
    assert correlation.explained_variance(manual, predicted) == pytest.approx(1)
    # half the manual coordinates: the rest is 14 of 20 and 36 of 108; swapped it would be 14 of 5 and 36 of 27
    assert correlation.r2(manual, manual / 2) == pytest.approx((0.3 + 1 - 36 / 108) / 2)


def test_explained_variance_is_never_below_r2(sets):
    manual, predicted = sets
    for average in ("uniform_average", "variance_weighted"):
        shifted = correlation.explained_variance(manual, predicted, average) - correlation.r2(
            manual, predicted, average
        )
        assert shifted > 1e-5


def test_axes_are_told_apart(sets):
    manual, predicted = sets
    predicted = predicted.copy()
    predicted[..., 1] = -(manual[..., 1] ** 3)
    for measure in (correlation.spearman, correlation.kendall):
        x, y = measure(manual, predicted)
        assert 0.8 < x < 1
        assert y == pytest.approx(-1)
    x, y = correlation.pearson(manual, predicted)
    assert x == pytest.approx(np.corrcoef(manual[..., 0].ravel(), predicted[..., 0].ravel())[0, 1])
    assert -1 < y < -0.8


def test_missing_landmarks_are_left_out_of_every_score(sets):
    manual, predicted = (points.copy() for points in sets)
    manual[3, 2] = np.nan
    predicted[7, 5] = np.nan
    known = ~np.isnan(manual + predicted).any(-1)
    truth, guess = correlation.stacked(manual, predicted)
    assert truth.shape == guess.shape == (known.sum(), 2)
    for axis in (0, 1):
        expected = stats.kendalltau(manual[known][:, axis], predicted[known][:, axis])[0]
        assert correlation.kendall(manual, predicted)[axis] == pytest.approx(expected)
    assert not np.isnan(list(correlation.scores(manual, predicted).values())).any()
    loop = 1 - np.nansum((manual - predicted)[:, 2, 0] ** 2) / np.nansum(
        (manual[:, 2, 0] - np.nanmean(manual[:, 2, 0])) ** 2
    )
    assert correlation.coordinate_r2(manual, predicted)[2, 0] == pytest.approx(loop)


def test_the_mean_position_has_no_coordinate_r2_but_a_stacked_one_near_one(sets):
    manual, _ = sets
    baseline = correlation.mean_position(manual, np.array_split(np.arange(40), 5))
    assert correlation.r2(manual, baseline) > 0.97
    assert (correlation.coordinate_r2(manual, baseline) <= 0).all()
    everything = np.broadcast_to(manual.mean(0), manual.shape)
    assert correlation.coordinate_r2(manual, everything) == pytest.approx(np.zeros((6, 2)), abs=1e-12)
    assert correlation.coordinate_r2(manual, manual) == pytest.approx(np.ones((6, 2)))


@given(changed=st.integers(0, 9), seed=st.integers(0, 50))
def test_the_mean_position_never_sees_the_specimens_it_is_tested_on(changed, seed):
    rng = np.random.default_rng(seed)
    manual, folds = rng.normal(size=(10, 3, 2)), np.array_split(rng.permutation(10), 3)
    other = manual.copy()
    other[changed] += 1000
    before, after = correlation.mean_position(manual, folds), correlation.mean_position(other, folds)
    same = (before == after).all((1, 2))
    assert set(np.flatnonzero(same)) == set(next(fold for fold in folds if changed in fold))


def test_the_mean_position_where_labels_are_missing():
    manual = np.array([[[1.0, 1], [np.nan, np.nan]], [[3, 5], [7, 7]], [[5, 9], [np.nan, np.nan]]])
    baseline = correlation.mean_position(manual, [np.array([1]), np.array([2])])
    assert np.isnan(baseline[0]).all()
    assert baseline[1, 0].tolist() == [3, 5]
    assert np.isnan(baseline[1, 1]).all()
    assert baseline[2].tolist() == [[2, 3], [7, 7]]


def test_nothing_to_correlate_is_nan_and_different_shapes_are_a_mistake():
    one = np.zeros((1, 1, 2))
    assert all(np.isnan(value) for value in correlation.scores(one, one).values())
    still = np.zeros((5, 2, 2)) + np.arange(2)[:, None]
    assert np.isnan(correlation.coordinate_r2(still, still)).all()
    with pytest.raises(ValueError, match="same shape"):
        correlation.pearson(np.zeros((2, 3, 2)), np.zeros((2, 4, 2)))


def test_centroid_sizes_are_compared_over_the_same_landmarks(sets):
    manual, _ = sets
    doubled = 2 * manual
    assert correlation.centroid_size_correlation(manual, doubled) == pytest.approx(1)
    lost = doubled.copy()
    lost[::2, 0] = np.nan
    whole = manual.copy()
    whole[::2, 0] = 1e6  # is not in the prediction, so it must not count
    assert correlation.centroid_size_correlation(whole, lost) == pytest.approx(1)
