"""Superimposition against exact truth, ktch and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ktch.landmark import GeneralizedProcrustesAnalysis

from pronotum.errors import UserError
from pronotum.morphometrics.procrustes import generalized_procrustes, project
from pronotum.morphometrics.superimposition import centroid_size


def configurations(seed, n=12, n_landmarks=7, spread=0.05):
    generator = np.random.default_rng(seed)
    mean = generator.normal(size=(n_landmarks, 2))
    return mean + spread * generator.normal(size=(n, n_landmarks, 2))


def distances(a, b):
    return np.linalg.norm(a - b, axis=(-2, -1))


def moved(points, seed):
    """Each configuration turned, scaled and shifted at random."""
    generator = np.random.default_rng(seed)
    angle = generator.uniform(-np.pi, np.pi, len(points))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    size = generator.uniform(0.1, 900, (len(points), 1, 1))
    return size * points @ np.swapaxes(turn, -1, -2) + generator.normal(0, 1000, (len(points), 1, 2))


def test_one_shape_in_any_pose_is_one_shape():
    points = moved(np.repeat(configurations(0, n=1), 5, axis=0), 1)
    found = generalized_procrustes(points)
    assert np.ptp(found.shapes, axis=0).max() < 1e-10
    assert centroid_size(found.shapes) == pytest.approx(1)
    assert found.sizes == pytest.approx(centroid_size(points))


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_pose_and_order_of_landmarks_do_not_matter(seed):
    points = configurations(seed)
    plain = generalized_procrustes(points).shapes
    posed = generalized_procrustes(moved(points, seed + 1)).shapes
    order = np.random.default_rng(seed).permutation(points.shape[1])
    mixed = generalized_procrustes(points[:, order]).shapes
    between = distances(plain[:, None], plain[None])
    assert distances(posed[:, None], posed[None]) == pytest.approx(between, abs=1e-8)
    assert distances(mixed[:, None], mixed[None]) == pytest.approx(between, abs=1e-8)


def test_a_mirrored_configuration_stays_mirrored():
    points = configurations(3)
    points[0] = points[0] * [-1, 1]
    shapes = generalized_procrustes(points).shapes
    distance = distances(shapes, shapes[1:].mean(0))
    assert distance[0] > 3 * distance[1:].max()


def test_the_mean_is_that_of_an_independent_program():
    points = configurations(5, n=40)
    ours = generalized_procrustes(points)
    theirs = GeneralizedProcrustesAnalysis(tol=1e-13).fit(points.reshape(40, -1)).mu_.reshape(-1, 2)
    z, w = (m[:, 0] + 1j * m[:, 1] for m in (theirs / np.linalg.norm(theirs), ours.mean))
    turn = np.vdot(z, w) / abs(np.vdot(z, w))
    # It scales each shape to fit (full superimposition), we keep unit size: means agree to the square of the spread.
    assert np.abs(z * turn - w).max() < 2e-4


def test_projection_lies_in_the_tangent_plane():
    found = generalized_procrustes(configurations(7))
    flat = project(found).reshape(len(found.shapes), -1)
    assert flat @ found.mean.ravel() == pytest.approx(1)
    assert np.abs(project(found) - found.shapes).max() < 0.01


def test_what_cannot_be_superimposed_is_named():
    points = configurations(1)
    with pytest.raises(UserError, match="1 specimen with 7 landmarks; expected at least 2"):
        generalized_procrustes(points[:1])
    points[2, 3] = np.nan
    points[4, 3] = np.nan
    with pytest.raises(UserError, match="c: a landmark is missing, as in 1 others; expected complete"):
        generalized_procrustes(points, tuple("abcdefghijkl"))
    points = configurations(1)
    points[5] = 7.0
    with pytest.raises(UserError, match="specimen 6: all its landmarks lie in one place"):
        generalized_procrustes(points)
