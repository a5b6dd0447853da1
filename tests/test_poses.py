"""Poses: what goes in comes out, upright pictures show what they should, and the data say whether to search."""

import numpy as np
import pytest

from pronotum import geometry, poses
from pronotum.morphometrics.superimposition import centroid_size

SHAPE = np.array([[-30, 10], [-25, -20], [0, -35], [28, -18], [32, 12], [0, 25.0]])


def specimens(n, seed, *, turn=5.0, wander=10.0):
    """(n, 6, 2) specimens of 100 to 140 px, with their angles in degrees."""
    random = np.random.default_rng(seed)
    angles, factors = random.normal(0, turn, n), random.uniform(1, 1.4, n)
    centres = np.array([320, 240]) + random.normal(0, wander, (n, 2))
    own = SHAPE + random.normal(0, 0.5, (n, 6, 2))
    moved = [
        geometry.transform(geometry.similarity(np.radians(a), f, (0, 0)), p) + c
        for a, f, p, c in zip(angles, factors, own, centres, strict=True)
    ]
    return np.stack(moved), angles


def test_a_pose_is_its_parts():
    for mirrored in (False, True):
        pose = poses.pose(np.array([40.0, 50.0]), 120.0, -35.0, mirrored=mirrored)
        assert poses.sizes(pose) == pytest.approx(120)
        assert poses.angles(pose) == pytest.approx(-35)
        assert (np.linalg.det(pose[:2, :2]) < 0) == mirrored
        np.testing.assert_allclose(pose[:2, 2], [40, 50])


def test_poses_of_landmarks_are_those_they_were_drawn_with():
    points, angles = specimens(40, 0, turn=60)
    shape = poses.upright_shape(points)
    assert centroid_size(shape) == pytest.approx(1)
    np.testing.assert_allclose(shape.mean(0), 0, atol=1e-12)
    found = poses.poses(points, shape)
    turned = (poses.angles(found) - angles + 180) % 360 - 180
    assert np.std(turned) < 2
    np.testing.assert_allclose(poses.sizes(found), centroid_size(points), rtol=0.01)
    np.testing.assert_allclose(found[:, :2, 2], points.mean(1), atol=1e-9)


def test_missing_landmarks_leave_a_pose_while_two_are_there():
    points, _ = specimens(5, 1)
    points[0, 2:] = np.nan
    points[1, 1:] = np.nan
    found = poses.poses(points, poses.upright_shape(points))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("picture", [(256, 192), (192, 256)])
def test_upright_pictures_show_every_specimen_alike_with_its_margin(picture):
    points, _ = specimens(30, 2, turn=120)
    shape = poses.upright_shape(points)
    upright = poses.Upright(shape)
    seen = geometry.transform(upright.from_photograph(poses.poses(points, shape), picture), points)
    assert np.ptp(seen.mean(1), axis=0).max() < 2  # the same place
    assert np.ptp(centroid_size(seen)) < 0.02 * centroid_size(seen).mean()
    low, high = seen.min((0, 1)), seen.max((0, 1))
    margin = poses.MARGIN * (high - low).max()
    assert (low > 0.7 * margin).all()
    assert (high < np.array(picture) - 1 - 0.7 * margin).all()
    around = np.concatenate([low - margin, np.array(picture) - 1 - margin - high])
    assert np.abs(around).min() < 4  # as large as it fits


def test_the_data_say_whether_specimens_must_be_searched_for():
    frames = [(640, 480)] * 30
    photographs = list(range(30))
    assert poses.reasons_to_search(specimens(30, 3)[0], photographs, frames) == []
    (turned,) = poses.reasons_to_search(specimens(30, 3, turn=60)[0], photographs, frames)
    assert "turned by" in turned
    points = specimens(30, 3)[0]
    assert "several specimens on a photograph" in poses.reasons_to_search(points, [0, *photographs[:29]], frames)
    small = (points - 240) * 0.3 + np.random.default_rng(0).uniform(100, 400, (30, 1, 2))
    (lost,) = poses.reasons_to_search(small, photographs, frames)
    assert "varying places" in lost


def test_reading_order_is_by_rows():
    centres = np.array([[300, 105], [100, 100], [200, 95], [110, 210], [290, 200]])
    assert poses.reading_order(centres, 80) == [1, 2, 0, 3, 4]


CRAB = np.array([[-40, 10], [-25, -20], [0, -35], [28, -18], [60, 2], [0, 25.0]])
"""Its right claw, landmark 5, is larger than the left one, landmark 1."""
PARTNERS = (4, 3, 2, 1, 0, 5)


def mixed(shape, partners, n=20):
    """(n, 6, 2) specimens, every third of them mirrored and named accordingly; and which."""
    random = np.random.default_rng(5)
    over = np.arange(n) % 3 == 1
    own = shape + random.normal(0, 0.5, (n, 6, 2))
    own[over] = (own[over] * [-1, 1])[:, list(partners)]
    parts = zip(random.normal(0, 0.4, n), random.uniform(1, 2, n), own, strict=True)
    return np.stack([geometry.transform(geometry.similarity(a, f, (0, 0)), p) + [300, 200] for a, f, p in parts]), over


@pytest.mark.parametrize(("shape", "partners"), [(CRAB, PARTNERS), (SHAPE * [1, 2], range(6))])
def test_mirrored_specimens_are_told_and_are_alike_in_their_upright_pictures(shape, partners):
    points, over = mixed(shape, partners)
    found = poses.posed(points, partners)
    np.testing.assert_array_equal(np.linalg.det(found.poses[:, :2, :2]) < 0, over)
    np.testing.assert_array_equal(found.points[~over], points[~over])
    np.testing.assert_array_equal(found.points[over], points[over][:, list(partners)])
    seen = geometry.transform(poses.Upright(found.shape).from_photograph(found.poses, (256, 192)), found.points)
    assert np.std(seen, axis=0).max() < 3
    as_it_is = poses.posed(points, None)
    assert (np.linalg.det(as_it_is.poses[:, :2, :2]) > 0).all()


def test_of_symmetric_specimens_none_is_mirrored():
    points, _ = mixed((SHAPE + (SHAPE * [-1, 1])[list(PARTNERS)]) / 2, PARTNERS)
    assert not poses.mirrored(points, PARTNERS).any()
