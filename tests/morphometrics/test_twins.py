import numpy as np
import pytest

from pronotum.morphometrics import twins
from pronotum.morphometrics.twins import own_twins


def test_ranks_and_ratios_are_those_of_a_slow_loop(draw, superimposed, monkeypatch):
    monkeypatch.setattr(twins, "BLOCK", 7)
    manual, predicted = superimposed(*draw(0, n=30, noise=0.06))
    found = own_twins(manual, predicted)
    for i in range(30):
        distances = [np.sqrt(((predicted[i] - other) ** 2).sum()) for other in manual]
        others = [d for j, d in enumerate(distances) if j != i]
        assert found.ranks[i] == 1 + sum(d < distances[i] for d in others)
        assert found.own[i] == pytest.approx(distances[i])
        assert found.other[i] == pytest.approx(min(others))
        assert distances[found.nearest_other[i]] == pytest.approx(min(others))
        assert found.ratios[i] == pytest.approx(distances[i] / min(others))
    assert 0.1 < found.share_first < 0.95
    assert found.share_first == np.mean(found.ratios < 1)


def test_perfect_predictions_find_their_twins(draw, superimposed):
    manual, _ = draw(1)
    found = own_twins(*superimposed(manual, manual.copy()))
    assert found.share_first == 1
    assert found.median_ratio < 1e-9


def test_the_mean_shape_everywhere_finds_its_twin_once(draw, superimposed):
    manual, _ = draw(2)
    found = own_twins(*superimposed(manual, np.repeat(manual.mean(0)[None], 25, 0)))
    assert found.share_first == pytest.approx(1 / 25)
    assert sorted(found.ranks) == list(range(1, 26))


def test_two_specimens_of_one_shape_share_the_first_rank():
    manual = np.random.default_rng(3).normal(size=(5, 4, 2))
    manual[1] = manual[0]
    found = own_twins(manual, manual)
    assert found.ranks.tolist() == [1] * 5
    assert np.isnan(found.ratios[:2]).all()
    assert (found.ratios[2:] == 0).all()
    assert found.median_ratio == 0


def test_incomplete_specimens_are_left_out_of_both_sides(draw, superimposed):
    manual, predicted = superimposed(*draw(4))
    manual[0, 0] = np.nan
    found = own_twins(manual, predicted)
    rest = own_twins(manual[1:], predicted[1:])
    assert found.n == 24
    assert (found.ranks == rest.ranks).all()


def test_order_of_specimens_does_not_matter(draw, superimposed):
    manual, predicted = superimposed(*draw(5, noise=0.06))
    rows = np.random.default_rng(1).permutation(25)
    mixed = own_twins(manual[rows], predicted[rows])
    assert (mixed.ranks == own_twins(manual, predicted).ranks[rows]).all()


def test_nine_of_ten_sticklebacks_find_their_twin(fish):
    found = own_twins(*fish[:2])
    assert found.share_first == pytest.approx(0.906, abs=0.0005)  # our own figure, to notice a change
    assert found.median_ratio == pytest.approx(0.693, abs=0.0005)
