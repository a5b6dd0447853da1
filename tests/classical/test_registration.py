"""Closest points recover poses exactly, are not led astray by what has no like, and let the reference bend."""

import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.contours import resample
from pronotum.classical.registration import best_similarity, closest_points, follow, importance, lay_over

POSE = geometry.translation(12, -30) @ geometry.similarity(0.5, 1.2, (0, 0))


def blob(n: int, seed: int = 0, size: float = 100) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    rng = np.random.default_rng(seed)
    radius = size * (1 + sum(a * np.cos(k * angle + p) for k, a, p in zip(
        range(1, 6), rng.uniform(0.03, 0.12, 5), rng.uniform(0, 6, 5), strict=True)))  # fmt: skip
    return np.stack([1.6 * radius * np.cos(angle), radius * np.sin(angle)], axis=1)


@pytest.mark.parametrize("mirrored", [False, True])
def test_best_similarity_is_exact(mirrored):
    source = blob(50)
    pose = POSE @ np.diag([-1.0 if mirrored else 1.0, 1, 1])
    found = best_similarity(source, geometry.transform(pose, source), np.ones(50), mirrored)
    np.testing.assert_allclose(found, pose, atol=1e-9)


def test_weights_of_zero_do_not_count():
    source = blob(50)
    target = geometry.transform(POSE, source)
    target[:5] += 500
    weights = np.r_[np.zeros(5), np.ones(45)]
    np.testing.assert_allclose(best_similarity(source, target, weights), POSE, atol=1e-9)


def test_closest_points_refine_a_rough_pose_in_spite_of_a_tendon():
    model = blob(300)
    scene = geometry.transform(POSE, blob(3000))
    tendon = np.stack([np.full(400, scene[0, 0]), scene[0, 1] + np.linspace(0, 150, 400)], axis=1)
    start = geometry.similarity(0.05, 1.03, (30, 20)) @ POSE
    found = closest_points(model, np.concatenate([scene, tendon]), start)
    assert np.abs(geometry.transform(found.pose, model) - geometry.transform(POSE, model)).max() < 1
    assert found.residual < 0.01


def test_the_right_start_is_chosen():
    model, scene = blob(300), geometry.transform(POSE, blob(1500))
    starts = [POSE @ geometry.similarity(turn, 1.0, (0, 0)) for turn in (np.pi, 0.1, 2.0)]
    found = lay_over(model, scene, starts, model[::60])
    assert found is not None
    assert np.abs(geometry.transform(found.pose, model) - geometry.transform(POSE, model)).max() < 2
    assert 0 < found.rival < 0.5, "upside down fits worse"
    assert lay_over(model, scene, [], model[:2]) is None


def test_what_fits_either_way_round_is_noticed():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    clean = np.stack([200 * np.cos(angle), 90 * np.sin(angle)], axis=1)
    rng = np.random.default_rng(0)
    ellipse, other = (clean + rng.normal(0, 1, clean.shape) for _ in range(2))
    starts = [geometry.similarity(turn, 1.0, (0, 0)) for turn in (0.05, np.pi)]
    found = lay_over(ellipse, other, starts, ellipse[:3])
    assert found is not None
    assert found.rival > 0.8
    alone = lay_over(ellipse, other, starts[:1], ellipse[:3])
    assert alone is not None
    assert alone.rival > 0.8, "whether or not upside down was among the starts"


def test_the_outline_near_landmarks_matters_most():
    model = blob(200)
    weights = importance(model, np.array([model[0], [np.nan, np.nan]]))
    assert np.argmax(weights) == 0
    assert weights[100] == pytest.approx(0.1, abs=0.01)
    assert (importance(model, np.full((2, 2), np.nan)) == 1).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_bent_specimen_is_followed(mirrored):
    def bend(points: np.ndarray) -> np.ndarray:
        return points + np.stack([0.0012 * points[:, 1] ** 2, 0.0006 * points[:, 0] ** 2], axis=1)

    flip = np.diag([-1.0 if mirrored else 1.0, 1, 1])
    dense = blob(4000)
    model, scene = resample(dense, 400), resample(geometry.transform(POSE @ flip, bend(dense)), 1500)
    corners = np.concatenate([dense[np.argsort(dense[:, 0])[[0, -1]]], [[np.nan, np.nan]]])
    truth = geometry.transform(POSE @ flip, bend(corners))
    fit = lay_over(model, scene[::-1] if mirrored else scene, [POSE @ flip], corners)
    assert fit is not None
    stiff = geometry.transform(fit.pose, corners)
    bent = follow(model, scene[::-1] if mirrored else scene, fit.pose, corners)
    before, after = (np.linalg.norm(points - truth, axis=1)[:2] for points in (stiff, bent))
    assert after.max() < 0.7 * before.max()
    assert np.isnan(bent[2]).all()
