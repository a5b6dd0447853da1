import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ktch.landmark import GeneralizedProcrustesAnalysis

from pronotum.geometry import similarity, transform
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape, superimpose

angles = st.floats(-3.1, 3.1)
factors = st.floats(0.05, 20)


@given(angle=angles, factor=factors, seed=st.integers(0, 1000))
def test_the_similarity_that_was_applied_is_found(angle, factor, seed):
    points = np.random.default_rng(seed).normal(size=(6, 2)) * 50
    truth = similarity(angle, factor, (3, -8))
    assert fit_similarity(points, transform(truth, points)) == pytest.approx(truth, rel=1e-6, abs=1e-6)


def test_missing_landmarks_do_not_count():
    points = np.random.default_rng(0).normal(size=(6, 2))
    target = transform(similarity(0.7, 3, (1, 2)), points)
    target[2] = np.nan
    spoilt = points.copy()
    spoilt[2] = 1e6
    assert superimpose(spoilt, target)[[0, 1, 3, 4, 5]] == pytest.approx(target[[0, 1, 3, 4, 5]])


def test_no_other_similarity_is_nearer():
    rng = np.random.default_rng(3)
    source, target = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    best = ((superimpose(source, target) - target) ** 2).sum()
    matrix = fit_similarity(source, target)
    for _ in range(200):
        other = matrix.copy()
        a, b, x, y = rng.normal(scale=0.02, size=4)
        other[:2, :2] += [[a, -b], [b, a]]
        other[:2, 2] += (x, y)
        assert ((transform(other, source) - target) ** 2).sum() >= best


def test_centroid_size_of_a_square():
    square = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    assert centroid_size(square) == pytest.approx(np.sqrt(8))
    assert np.isnan(centroid_size(np.full((4, 2), np.nan)))


def test_the_mean_shape_equals_ktch():
    rng = np.random.default_rng(5)
    mean = rng.normal(size=(8, 2)) * 10
    specimens = np.stack(
        [
            transform(similarity(a, s, (4, 4)), mean + rng.normal(scale=0.3, size=(8, 2)))
            for a, s in zip(rng.normal(size=20), rng.uniform(0.5, 2, 20), strict=True)
        ]
    )
    theirs = GeneralizedProcrustesAnalysis(n_dim=2).fit(specimens.reshape(20, -1)).mu_
    ours = mean_shape(specimens)
    distance = ours / centroid_size(ours)
    moved = superimpose(np.asarray(theirs).reshape(8, 2), distance)
    assert moved == pytest.approx(distance, abs=2e-3)


def test_a_landmark_that_nobody_has_has_no_mean():
    specimens = np.random.default_rng(0).normal(size=(4, 5, 2))
    specimens[:, 3] = np.nan
    specimens[0, 1] = np.nan
    mean = mean_shape(specimens)
    assert np.isnan(mean[3]).all()
    assert not np.isnan(mean[[0, 1, 2, 4]]).any()
