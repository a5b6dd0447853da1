"""What to review next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum.desk import order
from pronotum.desk.answers import Answer
from pronotum.geometry import similarity, transform

NONE = np.empty((0, 2))


def indices(places):
    return [place.index for place in places if not place.random]


def test_the_most_uncertain_comes_first_and_the_next_is_unlike_it():
    doubt = np.array([1.0, 9.0, 8.9, 5.0, 0.1, 0.2])
    features = np.array([[0, 0], [0, 0], [0.1, 0], [5, 0], [50, 0], [60, 0.0]])
    places = order.plan(doubt, features, NONE, n=2, every=0, seed=[0])
    assert indices(places) == [1, 5]  # of the six most uncertain the farthest
    assert indices(order.plan(doubt[:4], features[:4], NONE, n=1, every=0, seed=[0])) == [1]


def test_only_the_most_uncertain_are_looked_at_for_diversity():
    doubt = np.arange(20, dtype=float)[::-1]
    features = np.array([[float(i), 0] for i in range(20)])
    assert indices(order.plan(doubt, features, NONE, n=3, every=0, seed=[0])) == [0, 8, 4]


def test_what_is_known_already_is_kept_away_from():
    features = np.array([[0, 0], [1, 0], [10, 0.0]])
    places = order.plan(np.array([3.0, 2.0, 1.0]), features, np.array([[10, 0.5]]), n=2, every=0, seed=[0])
    assert indices(places) == [0, 1]


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 6), st.integers(0, 3))
def test_every_so_many_is_drawn_at_random_and_none_comes_twice(total, n, every, seed):
    generator = np.random.default_rng(seed)
    places = order.plan(
        generator.random(total), generator.random((total, 3)), np.empty((0, 3)), n=n, every=every, seed=[1]
    )
    chosen = [place.index for place in places]
    assert len(chosen) == len(set(chosen)) == min(n, total)
    randoms = [number for number, place in enumerate(places, 1) if place.random]
    assert randoms == ([number for number in range(1, len(chosen) + 1) if number % every == 0] if every else [])


def test_the_random_ones_are_fair():
    """Over many seeds each specimen is drawn about equally often, the certain ones too."""
    counts = np.zeros(10)
    for seed in range(600):
        for place in order.plan(np.arange(10.0), np.zeros((10, 1)), np.empty((0, 1)), n=4, every=1, seed=[seed]):
            counts[place.index] += 1
    assert counts.sum() == 2400
    assert (np.abs(counts - 240) < 60).all()  # five standard deviations


def answer(radii, urgency=0.0, confidence=0.5, lost=False):
    points = np.array([[0, 0], [30, 0], [0, 40.0]])
    if lost:
        points[2] = np.nan
    return Answer(points, np.full(3, float(radii)), np.full(3, confidence), (), urgency)


def test_uncertainty():
    size = np.sqrt(((answer(1).points - answer(1).points.mean(0)) ** 2).sum())
    assert order.uncertainty_of(answer(2)) == pytest.approx(200 / size)
    assert order.uncertainty_of(answer(np.nan, confidence=0.25)) == pytest.approx(75)
    assert order.uncertainty_of(answer(2, urgency=1.5)) == pytest.approx(200 / size + 150)
    assert order.uncertainty_of(answer(2, lost=True)) == np.inf
    heap = Answer(np.ones((3, 2)), np.ones(3), np.ones(3))
    assert order.uncertainty_of(heap) == np.inf  # all on one spot
    assert np.isnan(order.uncertainty_of(None))


def test_features_know_nothing_of_position_turn_and_size():
    shape = np.array([[0, 0], [30, 0], [0, 40], [5, 5.0]])
    moved = transform(similarity(0.7, 3.0, [100, 200]), shape)
    found = order.shape_features(np.stack([shape, moved]), shape - shape.mean(0))
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
