"""The probability that a landmark is there is calibrated: against a known truth, and never made of nothing."""

import json

import numpy as np
import pytest

from pronotum.evaluation.calibration import Certainty
from pronotum.evaluation.presence import Presence, learn

K = 8


def specimens(n, seed):
    """Landmarks of which some are missing, more often the last; what a network says of them depends on that."""
    random = np.random.default_rng(seed)
    present = random.random((n, K)) > np.linspace(0.02, 0.3, K)
    doubt = np.where(present, random.gamma(2, 0.05, (n, K)), random.gamma(2, 0.3, (n, K)))
    spread = np.exp(np.where(present, 0, 0.8) + random.normal(0, 0.5, (n, K)))
    return present, np.full(n, 300.0), Certainty(np.exp(-doubt), spread)


@pytest.fixture(scope="module")
def learnt():
    return learn(*specimens(200, 0))


def test_probabilities_are_shares(learnt):
    present, sizes, certainty = specimens(3000, 1)
    probability = learnt.probability(sizes, certainty)
    for low, high in [(0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)]:
        within = (probability >= low) & (probability < high)
        assert within.sum() > 200
        assert present[within].mean() == pytest.approx(probability[within].mean(), abs=0.08)
    assert ((probability > 0.5) == present).mean() > 0.94


def test_how_often_a_landmark_is_missing_counts(learnt):
    same = Certainty(np.full((1, K), 0.8), np.full((1, K), 1.5))
    probability = learnt.probability(np.array([300.0]), same)[0]
    assert (np.diff(probability) < 0.02).all()
    assert probability[0] > probability[-1] + 0.1


def test_nothing_is_learnt_from_too_little():
    present, sizes, certainty = specimens(30, 2)
    assert learn(np.ones_like(present), sizes, certainty) is None
    few = np.ones_like(present)
    few[:9, 0] = False
    assert learn(few, sizes, certainty) is None


def test_what_is_not_said_is_not_known(learnt):
    _, sizes, certainty = specimens(2, 3)
    certainty.confidence[0, 1] = np.nan
    probability = learnt.probability(sizes, certainty)
    assert np.isnan(probability[0, 1])
    assert np.isfinite(probability).sum() == 2 * K - 1


def test_it_survives_a_model_file(learnt):
    again = Presence.from_plain(json.loads(json.dumps(learnt.as_plain())))
    _, sizes, certainty = specimens(5, 4)
    np.testing.assert_array_equal(again.probability(sizes, certainty), learnt.probability(sizes, certainty))
    with pytest.raises(ValueError, match="fit"):
        Presence.from_plain(learnt.as_plain() | {"weights": [1.0]})
