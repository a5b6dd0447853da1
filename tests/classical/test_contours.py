"""Outlines, polylines and line segments of shapes whose outline is known."""

import cv2
import numpy as np
import pytest

from pronotum.classical import contours


@pytest.fixture
def box() -> np.ndarray:
    mask = np.zeros((100, 120), dtype=bool)
    mask[20:71, 30:101] = True
    return mask


def test_outline_of_a_box_has_four_corners(box):
    corners = contours.polyline(contours.outline(box), 2.0)
    assert sorted(map(tuple, corners)) == [(30, 20), (30, 70), (100, 20), (100, 70)]


def test_edges_enclose_the_object_on_both_sides(box):
    edge = contours.edges(box, 100)
    points = contours.edge_points(edge)
    assert len(points) == edge.sum() > 200
    assert np.abs(cv2.boundingRect(points.astype(np.int32)) - np.array([30, 20, 71, 51])).max() <= 1
    # a closed line of one pixel has a contour outside and one inside
    assert len(contours.edge_contours(edge)) == 2


def test_a_polyline_stays_within_its_tolerance():
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    circle = np.stack([200 + 150 * np.cos(angle), 200 + 150 * np.sin(angle)], axis=1)
    coarse, fine = (contours.polyline(circle, tolerance) for tolerance in (6.0, 1.0))
    assert len(coarse) < len(fine) < 80
    for points, tolerance in ((coarse, 6.0), (fine, 1.0)):
        chord = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1).max() / 2
        assert 150 - np.sqrt(150**2 - chord**2) <= tolerance + 0.5


def test_segments_join_and_the_longest_are_kept(box, monkeypatch):
    found = contours.segments([contours.outline(box)], 2.0)
    assert found.shape == (4, 2, 2)
    assert (found[:, 1] == np.roll(found[:, 0], -1, axis=0)).all()
    monkeypatch.setattr(contours, "MOST_SEGMENTS", 2)
    kept = contours.segments([contours.outline(box)], 2.0)
    assert np.linalg.norm(kept[:, 1] - kept[:, 0], axis=1).tolist() == [70, 70]
    assert contours.segments([], 2.0).shape == (0, 2, 2)


def test_resampling_is_even_and_directions_are_tangents():
    angle = np.linspace(0, 2 * np.pi, 777, endpoint=False) ** 1.0
    circle = 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = contours.resample(circle, 60)
    step = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    assert step.std() / step.mean() < 1e-3
    expected = np.arctan2(points[:, 0], -points[:, 1])
    assert np.abs(np.angle(np.exp(1j * (contours.directions(points) - expected)))).max() < 0.01


def test_an_empty_mask_has_no_outline():
    assert contours.outline(np.zeros((5, 5), dtype=bool)).shape == (0, 2)
