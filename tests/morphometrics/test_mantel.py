import itertools

import numpy as np
import pytest

from pronotum.morphometrics.mantel import mantel


def slow_r(manual, predicted, order=None):
    order = range(len(manual)) if order is None else order
    pairs = list(itertools.combinations(range(len(manual)), 2))
    first = [np.linalg.norm(manual[order[i]] - manual[order[j]]) for i, j in pairs]
    second = [np.linalg.norm(predicted[i] - predicted[j]) for i, j in pairs]
    return np.corrcoef(first, second)[0, 1]


def test_r_is_that_of_r_and_of_a_slow_loop(reference, reference_shapes):
    found = mantel(*reference_shapes)
    assert found.r == pytest.approx(reference["mantel_r"][0], rel=1e-6)
    assert found.r == pytest.approx(slow_r(*reference_shapes))
    assert found.p == 0.001
    assert (found.n, found.n_permuted) == (18, 18)


def test_p_is_that_of_all_permutations(draw, superimposed):
    manual, predicted = superimposed(*draw(7, n=6, keep=0.3, noise=0.05))
    observed = slow_r(manual, predicted)
    drawn = [slow_r(manual, predicted, order) for order in itertools.permutations(range(6))]
    exact = np.mean(np.array(drawn) >= observed - 1e-12)
    assert mantel(manual, predicted, permutations=5000).p == pytest.approx(exact, abs=0.03)


def test_unrelated_sets_have_no_correlation(draw, superimposed):
    found = mantel(*superimposed(*draw(1, n=80, keep=0.0, noise=0.05)))
    assert abs(found.r) < 0.1
    assert found.p > 0.01


def test_a_draw_stands_for_many_specimens_in_the_test_only(draw, superimposed):
    shapes = superimposed(*draw(2, n=60))
    found = mantel(*shapes, most_permuted=20)
    assert found.n_permuted == 20
    assert found.r == mantel(*shapes).r


def test_the_mean_shape_everywhere_has_no_distances(draw, superimposed):
    manual, _ = draw(3)
    found = mantel(*superimposed(manual, np.repeat(manual[:1], 25, 0)))
    assert np.isnan(found.r)
    assert np.isnan(found.p)


def test_order_of_specimens_does_not_matter(draw, superimposed):
    manual, predicted = superimposed(*draw(4))
    rows = np.random.default_rng(1).permutation(25)
    assert mantel(manual[rows], predicted[rows]).r == pytest.approx(mantel(manual, predicted).r)
