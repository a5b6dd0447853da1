import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum.errors import UserError
from pronotum.evaluation import distances as dist
from pronotum.evaluation.folds import grouped_folds, hold_out
from pronotum.geometry import similarity, transform


def slow_distance(a, b):
    return [[math.dist(p, q) for p, q in zip(x, y, strict=True)] for x, y in zip(a, b, strict=True)]


def test_distances_equal_a_slow_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7, 2)), rng.normal(size=(5, 7, 2))
    assert dist.distances(a, b) == pytest.approx(np.array(slow_distance(a, b)))


def test_summary_equals_numpy_and_leaves_missing_out():
    values = np.array([[1.0, np.nan], [3.0, 10.0]])
    assert dist.summary(values) == {
        "n": 3,
        "mean": pytest.approx(14 / 3),
        "median": 3.0,
        "p90": pytest.approx(np.percentile([1, 3, 10], 90)),
        "p95": pytest.approx(np.percentile([1, 3, 10], 95)),
        "max": 10.0,
    }
    assert dist.summary(np.array([np.nan]))["mean"] is None


def test_units_of_a_photograph_of_the_papers_camera():
    manual = np.array([[[0.0, 0.0], [600.0, 800.0]]])
    scales = dist.Scales.of(manual, [(3264, 2448)], [0.002])
    units = scales.units(np.array([[12.75, 25.5]]))
    assert units["px_256x192"] == pytest.approx(np.array([[1.0, 2.0]]))
    assert units["mm"] == pytest.approx(np.array([[0.0255, 0.051]]))
    size = math.sqrt(2) * 500  # each landmark is 500 px from the centroid
    assert units["percent_centroid_size"] == pytest.approx(np.array([[1275 / size, 2550 / size]]))


def test_mm_only_where_a_scale_is_known():
    manual = np.zeros((2, 2, 2)) + np.arange(2)[:, None]
    assert "mm" not in dist.Scales.of(manual, [(10, 10)] * 2, [None, None]).units(np.ones((2, 2)))
    some = dist.Scales.of(manual, [(10, 10)] * 2, [0.5, None]).units(np.ones((2, 2)))["mm"]
    assert some[0].tolist() == [0.5, 0.5]
    assert np.isnan(some[1]).all()


@given(angle=st.floats(-3, 3), factor=st.floats(0.1, 10), x=st.floats(-100, 100), y=st.floats(-100, 100))
def test_the_mean_shape_baseline_ignores_pose_and_size(angle, factor, x, y):
    rng = np.random.default_rng(1)
    shape, manual = rng.normal(size=(6, 2)), rng.normal(size=(3, 6, 2))
    moved = transform(similarity(angle, factor, (x, y)), shape)
    assert dist.mean_shape_distances(moved, manual) == pytest.approx(dist.mean_shape_distances(shape, manual), abs=1e-6)


def test_the_mean_shape_baseline_is_zero_for_specimens_of_that_shape():
    shape = np.random.default_rng(2).normal(size=(5, 2))
    manual = np.stack([transform(similarity(0.3, 4, (7, 1)), shape), shape])
    assert dist.mean_shape_distances(shape, manual) == pytest.approx(np.zeros((2, 5)), abs=1e-9)


def test_rows_end_with_all_landmarks_together():
    manual = np.random.default_rng(0).normal(size=(4, 3, 2))
    scales = dist.Scales.of(manual, [(256, 192)] * 4, [None] * 4)
    errors = np.arange(12.0).reshape(4, 3)
    rows = dist.table(errors, ("a", "b", "c"), scales)
    assert [row["landmark"] for row in rows] == ["a", "b", "c", "all"]
    assert rows[1]["px"]["mean"] == pytest.approx(errors[:, 1].mean())
    assert rows[3]["px"]["mean"] == pytest.approx(errors.mean())
    assert rows[3]["px_256x192"]["mean"] == pytest.approx(errors.mean())


@given(groups=st.lists(st.integers(0, 12), min_size=8, max_size=60), n_folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_cover_every_specimen_once_and_never_divide_a_group(groups, n_folds, seed):
    if len(set(groups)) < n_folds:
        with pytest.raises(UserError, match="folds of"):
            grouped_folds(groups, n_folds, seed)
        return
    folds = grouped_folds(groups, n_folds, seed)
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(groups)))
    where = {}
    for number, fold in enumerate(folds):
        assert len(fold) > 0
        for position in fold:
            assert where.setdefault(groups[position], number) == number


def test_folds_of_single_specimens_are_equally_large():
    assert sorted(len(fold) for fold in grouped_folds(range(293), 9, 0)) == [32] * 4 + [33] * 5


def test_holding_out_takes_whole_groups():
    groups = ["a", "a", "b", "c", "d", "e", "e", "f", "g", "h"]
    kept, aside = hold_out(groups, 0.3, 4)
    assert sorted([*kept, *aside]) == list(range(10))
    assert {groups[i] for i in kept}.isdisjoint(groups[i] for i in aside)
    assert 3 <= len(aside) <= 4
    assert len(hold_out(groups, 0.0, 4)[1]) == 0
