"""Landmarks are moved to where the picture looks alike; the published descriptor's mistakes are kept in legacy."""

import cv2
import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.refinement import (
    contour_image,
    correlate,
    correlate_legacy,
    descriptors,
    distance_to,
    match_descriptor,
    match_turned_descriptor,
    snap,
    snap_legacy,
)


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    noise = np.random.default_rng(2).normal(0, 1, (240, 320))
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def turned(picture: np.ndarray, degrees: float, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    pose = geometry.translation(3.3, -2.6) @ geometry.similarity(np.radians(degrees), factor, (160, 120))
    return cv2.warpAffine(picture, pose[:2], (320, 240), borderMode=cv2.BORDER_REFLECT), pose


@pytest.mark.parametrize(("degrees", "factor"), [(0, 1.0), (25, 1.1), (180, 0.9)])
def test_correlation_finds_a_turned_place_to_a_fraction_of_a_px(texture, degrees, factor):
    scene, pose = turned(texture, degrees, factor)
    landmark = np.array([150.0, 110.0])
    truth = geometry.transform(pose, landmark[None])[0]
    found, score = correlate(
        texture, scene, landmark=landmark, start=truth + np.array([5, -4]), pose=pose, sides=(60, 90)
    )
    assert np.abs(found - truth).max() < 0.25
    assert score > 0.95


def test_legacy_correlation_is_whole_px_and_does_not_turn(texture):
    landmark = np.array([150.0, 110.0])
    shifted = np.roll(texture, (7, -9), (0, 1))
    found = correlate_legacy(texture, shifted, landmark=landmark, start=landmark, sides=(60, 90))
    assert found.tolist() == [141, 117]
    scene, pose = turned(texture, 90)
    truth = geometry.transform(pose, landmark[None])[0]
    wrong = correlate_legacy(texture, scene, landmark=landmark, start=truth, sides=(60, 90))
    assert np.linalg.norm(wrong - truth) > 5


def test_legacy_correlation_is_drawn_to_bright_ground():
    # without its mean a faint template correlates best with whatever is evenly bright
    model = np.full((200, 200), 200, np.uint8)
    model[95:105, 95:105] = 180
    scene = np.full((200, 200), 90, np.uint8)
    scene[95:105, 95:105] = 80
    scene[60:130, 60:80] = 230
    landmark = np.array([100.0, 100.0])
    ours, _ = correlate(model, scene, landmark=landmark, start=landmark, pose=np.eye(3), sides=(30, 90))
    np.testing.assert_allclose(ours, landmark, atol=0.5)


def test_a_template_cut_off_at_the_border_keeps_its_landmark(texture):
    landmark = np.array([6.0, 8.0])
    assert correlate_legacy(texture, texture, landmark=landmark, start=landmark, sides=(60, 90)).tolist() == [6, 8]
    assert np.isnan(
        correlate_legacy(texture, texture, landmark=landmark, start=np.array([-200.0, 5]), sides=(60, 90))
    ).all()


def test_featureless_squares_leave_the_landmark():
    flat = np.full((100, 100), 90, np.uint8)
    start = np.array([40.3, 51.2])
    for found, score in (
        correlate(flat, flat, landmark=start, start=start, pose=np.eye(3), sides=(20, 30)),
        match_turned_descriptor(flat, flat, landmark=start, start=start, pose=np.eye(3), sides=(3, 10)),
    ):
        assert found.tolist() == start.tolist()
        assert score == 0


def by_loop(picture: np.ndarray, x: int, y: int, cell: int, legacy: bool) -> np.ndarray:
    """The descriptor of one pixel, word by word."""
    values = np.zeros((3, 3, 8))
    first = (3 * cell - 1) // 2
    for row in range(3 * cell):
        for column in range(3 * cell):
            v, u = y - first + row, x - first + column
            dx = (picture[v, u + 1] - picture[v, u - 1]) / 2
            dy = (picture[v + 1, u] - picture[v - 1, u]) / 2
            degrees = np.degrees(np.arctan2(dy, dx)) % 360
            bin_ = max(0, int(np.ceil(degrees / 45)) - 1) if legacy else int(degrees // 45)
            values[row // cell, column // cell, bin_] += np.hypot(dx, dy)
    flat = values.ravel() / np.linalg.norm(values)
    if legacy:
        kept = np.where(flat < 0.2, 0, flat)
        return kept / (kept**2).sum()
    cut = np.minimum(flat, 0.2)
    return cut / np.linalg.norm(cut)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("cell", [3, 2])
def test_descriptors_are_those_of_a_loop(legacy, cell):
    picture = np.random.default_rng(6).uniform(0, 255, (20, 22))
    table = descriptors(picture, cell, legacy=legacy)
    assert table.shape == (20 - 3 * cell - 1, 22 - 3 * cell - 1, 72)
    a = 1 + (3 * cell - 1) // 2
    for row, column in ((0, 0), (2, 5)):
        np.testing.assert_allclose(
            table[row, column], by_loop(picture, column + a, row + a, cell, legacy), atol=1e-9
        )  # fmt: skip


def test_legacy_clips_the_wrong_way():
    picture = np.random.default_rng(6).uniform(0, 255, (11, 11))
    wrong, right = (descriptors(picture, 3, legacy=legacy)[0, 0] for legacy in (True, False))
    assert (wrong == 0).sum() > 40 > (right == 0).sum()
    assert right.max() < 0.5 < wrong.max()
    assert np.linalg.norm(right) == pytest.approx(1)
    assert (wrong**2).sum() != pytest.approx(1)


def test_legacy_takes_the_first_of_equal_places():
    flat = np.zeros((120, 120))
    start = np.array([60.0, 60.0])
    assert match_descriptor(flat, flat, landmark=start, start=start, sides=(3, 36)).tolist() == [42, 42]


def test_the_legacy_descriptor_finds_a_corner_of_a_contour():
    corner = [[x, 50] for x in range(50, 80)] + [[50, y] for y in range(50, 80)]
    model = contour_image(np.array(corner), (120, 120))
    scene = contour_image(np.array(corner) + np.array([7, -5]), (120, 120))
    found = match_descriptor(model, scene, landmark=np.array([50.0, 50]), start=np.array([52.0, 49]), sides=(3, 36))
    assert found.tolist() == [57, 45]


def test_the_turned_descriptor_finds_its_place(texture):
    scene, pose = turned(texture, 40)
    landmark = np.array([150.0, 110.0])
    truth = geometry.transform(pose, landmark[None])[0]
    found, score = match_turned_descriptor(
        texture, scene, landmark=landmark, start=truth + np.array([4, 3]), pose=pose, sides=(6, 20)
    )
    assert np.abs(found - truth).max() < 1
    assert score > 0.9


def test_snapping_lands_on_the_line_between_contour_pixels():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
    points = np.array([[4.5, -3], [12, 7.25], [np.nan, np.nan]])
    np.testing.assert_allclose(snap(points, square), [[4.5, 0], [10, 7.25], [np.nan, np.nan]])
    np.testing.assert_allclose(distance_to(square, points), [np.hypot(4.5, 3), np.hypot(2, 2.75), np.inf])


def test_legacy_snapping_crosses_the_object():
    # neighbours in order of y lie on the other side of an upright object
    sides = np.array([[x, y] for y in range(0, 40, 2) for x in (0 + y % 4 // 2, 30.0)])
    inside = np.array([12.0, 20.4])
    found = snap_legacy(inside, sides)
    assert 5 < found[0] < 25, "a contour point would be at the left or right side"
    assert 0 <= snap(inside[None], np.array([[0, 0], [30, 0], [30, 40], [0, 40.0]]))[0, 0] <= 30
