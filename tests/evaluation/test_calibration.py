"""Radii hold what they promise, on errors whose truth is known."""

import json

import numpy as np
import pytest

from pronotum.evaluation.calibration import LEVELS, Calibration, Certainty, calibrate, coverage

K = 8


def simulated(n, seed, *, told=True):
    """Errors with a difficulty per landmark and per prediction, and what the networks say of the latter."""
    random = np.random.default_rng(seed)
    sizes = random.uniform(300, 900, n)
    landmark, difficulty = np.linspace(0.002, 0.01, K), np.exp(random.normal(0, 0.7, (n, K)))
    offsets = random.normal(size=(n, K, 2)) * (landmark * difficulty * sizes[:, None])[..., None]
    noise = np.exp(random.normal(0, 0.2, (n, K)))
    spread = 0.02 * sizes[:, None] * (difficulty if told else 1) * noise
    return np.linalg.norm(offsets, axis=-1), sizes, Certainty(np.exp(-0.2 * difficulty), spread)


def test_radii_hold_the_true_point_as_often_as_promised_on_new_specimens():
    found = calibrate(*simulated(60, 0))
    errors, sizes, certainty = simulated(2000, 1)
    radii = found.radii(sizes, certainty)
    assert coverage(errors, radii) == pytest.approx(LEVELS, abs=0.03)
    by_landmark = [coverage(errors[:, [k]], radii[:, [k]])[1] for k in range(K)]
    assert by_landmark == pytest.approx([0.9] * K, abs=0.07)


def test_radii_of_difficult_predictions_are_larger_and_of_all_together_smaller():
    errors, sizes, certainty = simulated(400, 2)
    told, blind = calibrate(errors, sizes, certainty), calibrate(*simulated(400, 2, told=False))
    new, sizes, certainty = simulated(2000, 3)
    radius = told.radii(sizes, certainty)[..., 1]
    above = new > np.percentile(new, 90)
    ranks = radius.ravel().argsort().argsort()
    n = above.sum()
    area = (ranks[above.ravel()].sum() - n * (n - 1) / 2) / (n * (above.size - n))
    assert area > 0.85
    assert radius.mean() < blind.radii(sizes, certainty)[..., 1].mean()


def test_too_few_errors_promise_nothing():
    errors, sizes, certainty = simulated(2, 4)
    assert calibrate(errors, sizes, certainty) is None
    errors, sizes, certainty = simulated(3, 4)
    errors[0, :4] = np.nan  # 20 errors: the 95 % quantile is the largest of them
    found = calibrate(errors, sizes, certainty, levels=(0.5, 0.95, 0.96))
    assert found.n == 20
    assert np.isfinite(found.quantiles).tolist() == [True, True, False]


def test_without_a_word_from_the_networks_landmarks_still_differ():
    errors, sizes, _ = simulated(200, 5)
    found = calibrate(errors, sizes, Certainty.unknown(*errors.shape))
    radii = found.radii(sizes, Certainty.unknown(*errors.shape))
    assert np.isfinite(radii).all()
    assert coverage(errors, radii) == pytest.approx(LEVELS, abs=0.02)
    assert radii[0, -1, 1] > 3 * radii[0, 0, 1]


def test_it_survives_a_file():
    found = calibrate(*simulated(3, 6), levels=(0.5, 0.99))
    again = Calibration.from_plain(json.loads(json.dumps(found.as_plain())))
    _, sizes, certainty = simulated(5, 7)
    assert again.radii(sizes, certainty) == pytest.approx(found.radii(sizes, certainty))
    assert np.isinf(again.quantiles[1])
    with pytest.raises(ValueError, match="do not fit"):
        Calibration.from_plain({**found.as_plain(), "slopes": [1.0]})
