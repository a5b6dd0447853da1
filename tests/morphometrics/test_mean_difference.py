import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum.morphometrics.mean_difference import mean_difference


def test_distance_and_share_are_those_of_r(reference, reference_shapes):
    found = mean_difference(*reference_shapes)
    # R turns each mean onto the other by itself; ours lie as all shapes together were superimposed.
    assert found.distance == pytest.approx(reference["mean_distance"][0], rel=2e-3)
    specimen, between, rest = reference["anova_ss"]
    assert found.share == pytest.approx(between / (specimen + between + rest), rel=1e-6)
    assert np.linalg.norm(found.vectors) == pytest.approx(found.distance)
    assert found.manual_mean == pytest.approx(reference_shapes[0].mean(0))
    assert found.p < 0.05


def test_p_is_that_of_all_possible_swaps(draw, superimposed):
    manual, predicted = superimposed(*draw(4, n=9, noise=0.05, bias=0.015))
    observed = np.linalg.norm((predicted - manual).mean(0))
    as_extreme = 0
    for swap in itertools.product([False, True], repeat=9):
        swapped = np.array(swap)[:, None, None]
        a, b = np.where(swapped, predicted, manual), np.where(swapped, manual, predicted)
        as_extreme += np.linalg.norm((b - a).mean(0)) >= observed * (1 - 1e-12)
    exact = as_extreme / 2**9
    assert 0.01 < exact < 0.9
    assert mean_difference(manual, predicted, permutations=4000).p == pytest.approx(exact, abs=0.03)


def test_without_bias_p_is_uniform(draw, superimposed):
    found = [mean_difference(*superimposed(*draw(seed, n=12)), permutations=99).p for seed in range(200)]
    assert np.mean(np.array(found) <= 0.2) == pytest.approx(0.2, abs=0.08)


def test_a_small_bias_is_found_among_very_different_specimens(draw, superimposed):
    found = mean_difference(*superimposed(*draw(1, n=60, spread=0.15, noise=0.01, bias=0.01)))
    assert found.p == 0.001
    assert found.share < 0.01


def test_the_same_set_twice_does_not_differ(draw, superimposed):
    manual, _ = draw(2)
    found = mean_difference(*superimposed(manual, manual.copy()))
    assert found.distance < 1e-12
    assert found.p == 1
    assert found.share < 1e-20


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_pose_units_and_order_do_not_matter(draw, superimposed, seed):
    manual, predicted = draw(seed)
    plain = mean_difference(*superimposed(manual, predicted), permutations=9)
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(25), generator.permutation(7)
    other = [(0.01 * points[rows][:, columns]) @ [[0, 1], [-1, 0]] + 7 for points in (manual, predicted)]
    found = mean_difference(*superimposed(*other), permutations=9)
    assert found.distance == pytest.approx(plain.distance, rel=1e-6)
    assert found.share == pytest.approx(plain.share, rel=1e-6)


def test_the_seed_decides_and_incomplete_specimens_do_not_count(draw, superimposed):
    manual, predicted = superimposed(*draw(3, noise=0.1))
    first, again, other = (mean_difference(manual, predicted, seed=seed, permutations=199).p for seed in (0, 0, 1))
    assert first == again != other
    manual[3, 1] = np.nan
    found = mean_difference(manual, predicted, permutations=199)
    assert found.n == 24
    rest = mean_difference(np.delete(manual, 3, 0), np.delete(predicted, 3, 0), permutations=199)
    assert (found.distance, found.p) == (rest.distance, rest.p)


def test_sticklebacks_differ_by_a_third_of_a_thousandth_of_the_variance(fish):
    found = mean_difference(*fish[:2])
    assert found.n == 1287
    assert found.share == pytest.approx(0.0003, abs=0.00005)  # published: 0.03 %
    assert found.p == 0.001
