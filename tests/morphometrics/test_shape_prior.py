import numpy as np
import pytest

from pronotum.geometry import similarity, transform
from pronotum.morphometrics.shape_prior import ShapePrior, modes, reconcile

STRIDE = 4
GRID = (48, 64)


def gaussian_map(*peaks):
    """Log-probabilities with a peak of the given weight at each (x, y, weight)."""
    rows, columns = np.mgrid[: GRID[0], : GRID[1]]
    x, y = (columns + 0.5) * STRIDE - 0.5, (rows + 0.5) * STRIDE - 0.5
    total = np.full(GRID, 1e-6)
    for px, py, weight in peaks:
        total += weight * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 4.0**2))
    return np.log(total / total.sum())


@pytest.fixture
def shapes():
    rng = np.random.default_rng(0)
    mean = rng.uniform([60, 40], [200, 150], size=(9, 2))
    return np.stack(
        [
            transform(similarity(a, s, (128, 96)), mean + rng.normal(scale=1.5, size=mean.shape))
            for a, s in zip(rng.normal(scale=0.1, size=12), rng.uniform(0.9, 1.1, 12), strict=True)
        ]
    )


def best(scores):
    row, column = np.divmod(scores.reshape(len(scores), -1).argmax(1), scores.shape[2])
    return (np.stack([column, row], -1) + 0.5) * STRIDE - 0.5


def test_the_mode_that_fits_the_other_landmarks_wins(shapes):
    prior, truth = ShapePrior.fit(shapes[1:], noise=0.5), shapes[0]
    maps = np.stack([gaussian_map((*point, 1.0)) for point in truth])
    wrong = truth[4] + [70, -50] if truth[4, 0] < 128 else truth[4] + [-70, 50]
    maps[4] = gaussian_map((*wrong, 2.0), (*truth[4], 1.0))
    assert np.linalg.norm(best(maps)[4] - truth[4]) > 50
    assert np.linalg.norm(best(reconcile(maps, prior, STRIDE)) - truth, axis=1).max() < 2 * STRIDE


def test_several_wrong_landmarks_do_not_carry_the_others_away(shapes):
    prior, truth = ShapePrior.fit(shapes[1:], noise=0.5), shapes[0]
    maps = np.stack([gaussian_map((*point, 1.0)) for point in truth])
    for landmark in (1, 6):
        maps[landmark] = gaussian_map((20, 20, 2.0), (*truth[landmark], 1.0))
    assert np.linalg.norm(best(reconcile(maps, prior, STRIDE)) - truth, axis=1).max() < 2 * STRIDE


def test_the_picture_has_the_last_word_where_it_is_sure(shapes):
    prior, truth = ShapePrior.fit(shapes[1:], noise=0.5), shapes[0].copy()
    truth[2] += (5, 4)
    maps = np.stack([gaussian_map((*point, 1.0)) for point in truth])
    assert np.linalg.norm(best(reconcile(maps, prior, STRIDE)) - truth, axis=1).max() < 1.5 * STRIDE


def test_a_leave_one_out_expectation_equals_the_slow_conditional_gaussian(shapes):
    prior, points = ShapePrior.fit(shapes, noise=0.5), shapes[3]
    doubt = np.full(len(points), 4.0)
    expected, spread = prior.expected(points, doubt)
    from pronotum.morphometrics.superimposition import fit_similarity

    pose = fit_similarity(prior.mean, points)
    factor = np.hypot(pose[0, 0], pose[1, 0])
    residual = (transform(np.linalg.inv(pose), points) - prior.mean).ravel()
    noisy = prior.covariance + np.eye(len(residual)) * (4.0 / factor) ** 2
    for k in range(len(points)):
        own = [2 * k, 2 * k + 1]
        rest = [i for i in range(len(residual)) if i not in own]
        gain = noisy[np.ix_(own, rest)] @ np.linalg.inv(noisy[np.ix_(rest, rest)])
        place = transform(pose, (prior.mean[k] + gain @ residual[rest])[None])[0]
        assert expected[k] == pytest.approx(place, abs=1e-6)
        left = prior.covariance[np.ix_(own, own)] - gain @ noisy[np.ix_(rest, own)]
        assert spread[k] == pytest.approx(pose[:2, :2] @ left @ pose[:2, :2].T, abs=1e-6)


def test_modes_are_apart_and_highest_first():
    places, scores = modes(gaussian_map((60, 60, 1.0), (160, 100, 3.0))[None], STRIDE, n=2)
    assert np.linalg.norm(places[0] - [[160, 100], [60, 60]], axis=1).max() < STRIDE
    assert scores[0, 0] > scores[0, 1]


def test_where_a_network_puts_all_landmarks_in_one_place_its_maps_stay_as_they_are():
    shapes = np.random.default_rng(0).normal(size=(9, 4, 2)) * 10
    maps = np.full((4, 12, 16), -9.0)
    maps[:, 5, 7] = -0.1
    np.testing.assert_allclose(reconcile(maps, ShapePrior.fit(shapes, 2.0), 4), maps, atol=1e-6)


def test_landmarks_in_no_doubt_stay_and_points_at_one_place_too(shapes):
    prior = ShapePrior.fit(shapes[1:], noise=0.5)
    np.testing.assert_allclose(prior.steadied(shapes[0], np.zeros(len(shapes[0]))), shapes[0], atol=1e-9)
    heap = np.full_like(shapes[0], 40.0)
    np.testing.assert_array_equal(prior.steadied(heap, np.ones(len(heap))), heap)


def test_a_landmark_in_doubt_comes_back_to_where_the_others_expect_it(shapes):
    prior, seen, doubt = ShapePrior.fit(shapes[1:], noise=0.5), shapes[0].copy(), np.full(len(shapes[0]), 0.1)
    seen[4] += (30, -20)
    doubt[4] = 30.0
    steadied = prior.steadied(seen, doubt)
    expected, _ = prior.expected(shapes[0], np.where(np.arange(len(doubt)) == 4, 1e4, 0.1))
    assert np.linalg.norm(steadied[4] - expected[4]) < 1.5
    assert np.linalg.norm(np.delete(steadied - shapes[0], 4, 0), axis=1).max() < 0.1


def test_steadied_configurations_err_less_where_the_doubt_is_told_rightly(shapes):
    """Landmarks observed with noise of 0.2 to 6 px: the posterior mean has the least error, over and under it more."""
    generator = np.random.default_rng(5)
    prior = ShapePrior.fit(shapes[5:], noise=0.5)
    errors = {factor: [] for factor in (0.0, 0.3, 1.0, 6.0)}
    for truth in np.repeat(shapes[:5], 40, axis=0):
        doubt = generator.uniform(0.2, 6, len(truth))
        seen = truth + generator.normal(size=truth.shape) * doubt[:, None]
        for factor, kept in errors.items():
            kept.append(((prior.steadied(seen, factor * doubt) - truth) ** 2).sum(-1).mean())
    mean = {factor: np.mean(kept) for factor, kept in errors.items()}
    assert mean[1.0] < 0.7 * mean[0.0]
    assert mean[1.0] < mean[0.3]
    assert mean[1.0] < mean[6.0]
