"""What is strange is flagged, what is usual is not: shapes, poses and pictures whose truth is known."""

import json

import numpy as np
import pytest

from pronotum.evaluation.domain import FLAGS, MISSING, OUTSIDE, Domain, learn

SHAPE = np.array([[0, 0], [100, 10], [180, 60], [140, 150], [60, 170], [-20, 90.0]])
SIZE = (640, 480)


def specimens(n, seed):
    """Configurations that vary a little in shape, place, size and turn; their confidence and descriptions."""
    random = np.random.default_rng(seed)
    angle, factor = np.radians(random.normal(0, 5, n)), np.exp(random.normal(0, 0.05, n))
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    points = (SHAPE + random.normal(0, 2, (n, 6, 2))) @ turn * factor[:, None, None]
    points += random.normal(0, 20, (n, 1, 2)) + [220, 150]
    return points, np.exp(-random.gamma(4, 0.05, (n, 6))), [SIZE] * n, random.normal(0, 1, (n, 22))


@pytest.fixture(scope="module")
def domain():
    points, confidence, sizes, described = specimens(40, 0)
    return learn(points, sizes, described, predicted=points, confidence=confidence)


def test_good_ones_are_accepted(domain):
    flags, urgency = domain.judge(*specimens(1000, 1))
    assert np.mean([bool(one) for one in flags]) <= 0.05
    assert np.median(urgency) < 0.8


@pytest.mark.parametrize("what", [*FLAGS, "missing", "outside"])
def test_each_strangeness_has_its_flag(domain, what):
    points, confidence, sizes, described = specimens(20, 2)
    if what == "shape":
        points[:, [1, 4]] = points[:, [4, 1]]
    elif what == "turn":
        points = np.array(SIZE) - 1 - points
    elif what == "size":
        points = (points - points.mean(1, keepdims=True)) * 0.4 + points.mean(1, keepdims=True)
    elif what == "picture":
        described = described + 6
    elif what == "doubt":
        confidence = confidence**8
    elif what == "hidden":
        confidence[:, 3] = confidence[:, 3] ** 40
    elif what == "missing":
        points[:, 2] = np.nan
    else:
        points[:, 0, 0] = -3
    flags, urgency = domain.judge(points, confidence, sizes, described)
    wanted = {"missing": MISSING, "outside": OUTSIDE} | FLAGS | {"hidden": "landmark hidden 4"}
    assert np.mean([wanted[what] in one for one in flags]) >= 0.95
    assert np.median(urgency) > 1


def test_the_strangest_comes_first(domain):
    points, confidence, sizes, described = specimens(3, 3)
    described[1] += 5
    described[2] += 20
    assert domain.judge(points, confidence, sizes, described)[1].argsort().tolist() == [0, 1, 2]


def test_what_cannot_be_told_is_not_held_against_anyone(domain):
    points, confidence, sizes, described = specimens(5, 4)
    flags, _ = domain.judge(points, np.full_like(confidence, np.nan), sizes, described)
    assert not any(FLAGS["doubt"] in one for one in flags)
    manual = learn(points, sizes, described)
    assert "doubt" not in manual.limits
    assert learn(points[:4], sizes[:4], described[:4]) is None


def test_it_survives_a_file(domain):
    again = Domain.from_plain(json.loads(json.dumps(domain.as_plain())))
    given = specimens(5, 5)
    assert again.judge(*given)[1] == pytest.approx(domain.judge(*given)[1])
