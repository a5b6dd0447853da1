"""Sliding semilandmarks, against ktch's closed form and against shapes that are known to be the same."""

import numpy as np
import pytest
from ktch.landmark import GeneralizedProcrustesAnalysis

from pronotum.morphometrics.procrustes import generalized_procrustes
from pronotum.morphometrics.sliding import bending_energy, slide, slide_once, superimpose

K = 8
SLIDERS = tuple((k - 1, k, k + 1) for k in range(3, K - 1))


def arcs(n, seed, slip=0.1):
    """(n, 8, 2) a landmark, and an arch between two others whose semilandmarks lie anywhere along it."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        angles = np.linspace(0, np.pi, K - 2)
        angles[1:-1] += slip * rng.normal(size=K - 4)
        arch = np.column_stack([(1 + 0.1 * rng.normal()) * np.cos(angles), (0.6 + 0.1 * rng.normal()) * np.sin(angles)])
        points = np.concatenate([[[0.1 * rng.normal(), -0.5], [0.5, -0.7]], arch])
        turn, size = rng.normal(), rng.uniform(100, 300)
        found.append(size * points @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + 500)
    return np.array(found)


def test_one_step_is_ktchs_equation_8():
    aligned = generalized_procrustes(arcs(6, 1))
    reference = GeneralizedProcrustesAnalysis()
    for own, shape in zip(slide_once(aligned.shapes, SLIDERS, aligned.mean), aligned.shapes, strict=True):
        assert own == pytest.approx(reference._slide_bending_energy(shape, aligned.mean, np.array(SLIDERS)), abs=1e-6)


def test_no_other_place_along_the_tangents_bends_less():
    points = arcs(4, 2)
    mean = generalized_procrustes(points).mean
    energy = bending_energy(mean)

    def bending(configurations):
        return np.einsum("nkd,kl,nld->n", configurations, energy, configurations)

    least = slide_once(points, SLIDERS, mean)
    before, slider, after = np.array(SLIDERS).T
    along = points[:, after] - points[:, before]
    for step in np.random.default_rng(0).normal(scale=0.01, size=(50, *along.shape[:2], 1)):
        other = np.array(least)
        other[:, slider] += step * along
        assert (bending(other) >= bending(least)).all()


def test_bending_does_not_see_affine_changes():
    mean = generalized_procrustes(arcs(5, 3)).mean
    affine = mean @ [[2, 0.3], [-0.1, 0.7]] + [4, 5]
    assert bending_energy(mean) @ affine == pytest.approx(0, abs=1e-9)


def test_what_differs_along_straight_curves_only_does_not_differ():
    """Three landmarks of a triangle; the semilandmarks of its sides were put anywhere between them."""
    rng = np.random.default_rng(4)
    corners = np.array([[0.0, 0], [10, 1], [4, 8]])
    found = []
    for _ in range(12):
        share = np.sort(rng.uniform(0.2, 0.8, (3, 2)), axis=1)
        sides = [
            corners[a] + s[:, None] * (corners[b] - corners[a])
            for s, (a, b) in zip(share, ((0, 1), (1, 2), (2, 0)), strict=True)
        ]
        found.append(np.concatenate([corners, *sides]))
    sliders = ((0, 3, 4), (3, 4, 1), (1, 5, 6), (5, 6, 2), (2, 7, 8), (7, 8, 0))
    points = np.array(found)
    before = generalized_procrustes(points).shapes.std(0).max()
    slid = slide(points, sliders, generalized_procrustes(points).mean)
    assert generalized_procrustes(slid).shapes.std(0).max() < 0.25 * before
    assert slid[:, :3].tolist() == points[:, :3].tolist()


def test_semilandmarks_stay_on_their_curve():
    points = arcs(8, 5)
    slid = slide(points, SLIDERS, generalized_procrustes(points).mean)
    for before, slider, after in SLIDERS:
        way = points[:, [before, slider, after]]
        steps = np.diff(way, axis=1)
        share = ((slid[:, None, slider] - way[:, :2]) * steps).sum(-1) / (steps**2).sum(-1)
        feet = way[:, :2] + np.clip(share, 0, 1)[..., None] * steps
        assert np.linalg.norm(slid[:, None, slider] - feet, axis=-1).min(1) == pytest.approx(0, abs=1e-9)


def test_pose_does_not_matter_and_nothing_slides_without_sliders():
    points = arcs(6, 6)
    turned = np.array(points)
    turned[2] = 3 * points[2] @ [[0, 1], [-1, 0]] + 7
    assert superimpose(turned, SLIDERS).shapes == pytest.approx(superimpose(points, SLIDERS).shapes, abs=1e-6)
    assert superimpose(points, ()).shapes.tolist() == generalized_procrustes(points).shapes.tolist()


def test_curves_without_enough_fixed_points_can_still_slide():
    points = arcs(5, 7)[:, 2:]
    ring = tuple((k - 1, k, (k + 1) % 6) for k in range(1, 6))
    assert np.isfinite(superimpose(points, ring).shapes).all()
