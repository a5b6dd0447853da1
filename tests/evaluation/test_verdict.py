"""The verdict on synthetic studies of which the answer is known."""

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.evaluation.distances import Scales, mean_shape_distances
from pronotum.evaluation.evidence import Sets, gather
from pronotum.evaluation.verdict import Rules, judge
from pronotum.morphometrics.superimposition import mean_shape

N, K = 60, 8
FAST = {"resamples": 200, "permutations": 99}


def study(error=0.3, shrink=0.0, bias=0.0, gross=(), repeat=None, margin=None, seed=0):
    """Specimens about 100 px large whose shape varies by 3 px, predicted with errors of this standard deviation."""
    generator = np.random.default_rng(seed)
    mean = 40 * generator.normal(size=(K, 2))
    manual = mean + 3 * generator.normal(size=(N, K, 2)) + generator.uniform(0, 900, (N, 1, 2))
    centre = mean + (manual - mean).mean((1), keepdims=True)
    predicted = manual + shrink * (centre - manual) + error * generator.normal(size=manual.shape)
    predicted[:, 2] += bias
    for specimen in gross:
        predicted[specimen, 1] += 60
    again = None
    if repeat is not None:
        again = np.full_like(manual, np.nan)
        again[:25] = manual[:25] + repeat * generator.normal(size=(25, K, 2))
    baseline = mean_shape_distances(mean_shape(manual), manual)
    scales = Scales.of(manual, [(1000, 1000)] * N, [None] * N)
    names = tuple(f"beetle_{number}" for number in range(N))
    landmarks = tuple(str(number) for number in range(1, K + 1))
    return Sets(names, landmarks, manual, predicted, baseline, scales, again, (), margin)


def verdict_of(sets, rules=None):
    return judge(gather(sets, **FAST), rules)


def failed(verdict):
    return {check.name for check in verdict.checks if check.passed is False}


def test_good_predictions_beside_a_human_repeat_are_ready():
    verdict = verdict_of(study(error=0.3, repeat=0.5))
    assert verdict.grade == "ready"
    assert failed(verdict) == set()
    assert all(check.passed for check in verdict.checks)
    assert set(verdict.landmarks.values()) == {"ready"}
    assert verdict.sentence.endswith("by the rules below.")


def test_without_a_repeat_nothing_is_said_about_humans():
    verdict = verdict_of(study())
    assert {check.name for check in verdict.checks if check.passed is None} == {"repeatability_of_human", "noninferior"}
    assert not verdict.against_humans
    assert "is not known: too few were repeated" in verdict.sentence


def test_predictions_drawn_to_the_mean_are_not_ready_however_small_their_error():
    verdict = verdict_of(study(error=0.0, shrink=0.4))
    assert verdict.grade == "not ready"
    assert {"disparity", "slopes"} <= failed(verdict)
    assert "mean_shape" not in failed(verdict)


def test_a_biased_landmark_moves_the_mean_shape():
    verdict = verdict_of(study(bias=4.0, margin=1.5))
    assert {"mean_difference", "repeatability"} & failed(verdict)
    assert verdict.landmarks["3"] == "not ready"
    assert verdict.landmarks["5"] == "ready"


def test_a_few_gross_errors_are_a_matter_of_review():
    verdict = verdict_of(study(gross=(7, 31), repeat=0.5))
    assert verdict.grade == "ready after review"
    assert set(verdict.review) == {"beetle_7", "beetle_31"}
    assert verdict.landmarks["2"] == "ready after review"
    assert verdict.landmarks["1"] == "ready"
    assert all(check.passed for check in verdict.reviewed)
    many = verdict_of(study(gross=tuple(range(10)), repeat=0.5))
    assert many.grade == "not ready"
    assert many.reviewed == ()


def test_missing_predictions_have_to_be_reviewed():
    sets = study(repeat=0.5)
    sets.predicted[4, 3] = np.nan
    verdict = verdict_of(sets)
    assert verdict.review[0] == "beetle_4"
    assert verdict.grade == "ready after review"


def test_worse_than_a_person_is_not_ready():
    verdict = verdict_of(study(error=1.5, repeat=0.1))
    assert "repeatability_of_human" in failed(verdict)
    assert "noninferior" in failed(verdict)


def test_rules_can_be_declared():
    sets = study(error=1.0)
    assert "repeatability" not in failed(verdict_of(sets, Rules(repeatability=0.5)))
    assert "repeatability" in failed(verdict_of(sets, Rules(repeatability=0.99)))


def test_three_specimens_are_the_least():
    sets = study()
    few = Sets(
        sets.specimens[:2],
        sets.landmarks,
        sets.manual[:2],
        sets.predicted[:2],
        sets.baseline[:2],
        Scales.of(sets.manual[:2], [(1000, 1000)] * 2, [None] * 2),
    )
    with pytest.raises(UserError, match="2 specimens; expected at least 3"):
        gather(few, **FAST)
