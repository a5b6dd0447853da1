"""Registration by principal axes: what it recovers, and what the published version cannot."""

import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.contours import edge_points, edges, outline, resample
from pronotum.classical.principal_axes import (
    axis_hypotheses,
    bounding_box_scale,
    centroid,
    principal_axis,
    register_legacy,
    turn_back,
)
from pronotum.classical.segmentation import segment, segment_legacy, to_grey


@pytest.fixture(scope="module")
def edge(mandible):
    found = segment_legacy(to_grey(mandible.pixels))
    return edge_points(edges(found.mask, found.threshold))


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    matrix = geometry.translation(30, -20) @ geometry.similarity(np.radians(degrees), 1.0, (408, 306))
    return np.rint(geometry.transform(matrix, points))


def test_the_axis_is_that_of_the_exhaustive_search():
    points = np.random.default_rng(3).normal(0, (40, 12), (80, 2)).round() + np.array([200, 100])
    centre = centroid(points)
    means = {}
    for point in points:
        step = point - centre
        if step.any():
            normal = np.array([-step[1], step[0]]) / np.hypot(*step)
            means[float(np.arctan2(step[1], step[0]) % np.pi)] = np.abs((points - centre) @ normal).mean()
    assert principal_axis(points, centre) == pytest.approx(min(means, key=means.__getitem__))


def test_an_axis_of_nothing_is_zero():
    assert principal_axis(np.full((3, 2), 5.0), np.full(2, 5.0)) == 0


@pytest.mark.parametrize("degrees", [-60, -10, 5, 20, 40, 80])
def test_legacy_recovers_turns_below_a_right_angle(edge, degrees):
    found = register_legacy(edge, turned(edge, degrees))
    assert not found.unturned
    assert found.angle <= 1.5
    assert np.linalg.norm(found.points - edge, axis=1).mean() < 3


def test_legacy_leaves_a_specimen_upside_down_as_it_is(edge):
    scene = turned(edge, 180)
    found = register_legacy(edge, scene)
    assert found.unturned
    assert (found.points == scene).all()


def test_legacy_always_ends():
    rng = np.random.default_rng(5)
    for _ in range(5):
        model, scene = (rng.integers(0, 300, (200, 2)).astype(float) for _ in range(2))
        assert register_legacy(model, scene).iterations <= 60


def test_boxes_and_tops_come_onto_each_other(edge):
    scene = geometry.transform(np.array([[0.5, 0, 40], [0, 0.8, -10], [0, 0, 1]]), edge)
    matrix = bounding_box_scale(edge, scene)
    assert matrix[0, 0] == pytest.approx(2)
    assert matrix[1, 1] == pytest.approx(1.25)
    np.testing.assert_allclose(geometry.transform(matrix, scene), edge, atol=1e-6)


def test_a_registered_scene_finds_its_way_back(edge):
    scene = turned(edge, 25)
    registered = register_legacy(edge, scene).points
    back = geometry.transform(turn_back(registered, scene), registered)
    assert np.linalg.norm(back - scene, axis=1).mean() < 3


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 70, 180, 250])
def test_one_of_the_hypotheses_is_right(mandible, moved, degrees, mirror):
    scene = moved(mandible, degrees, mirror=mirror)
    model, target = (resample(outline(segment(to_grey(specimen.pixels)).mask), 400) for specimen in (mandible, scene))
    poses = axis_hypotheses(model, target, mirror=mirror)
    assert len(poses) == (4 if mirror else 2)
    off = [np.linalg.norm(geometry.transform(pose, mandible.points) - scene.points, axis=1).max() for pose in poses]
    assert min(off) < 15
    assert sorted(off)[1] > 50
