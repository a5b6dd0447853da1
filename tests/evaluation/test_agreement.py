import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import explained_variance_score, r2_score

from pronotum.errors import UserError
from pronotum.evaluation.agreement import bias, landmark_agreement, onto_shape, outliers, scatter
from pronotum.evaluation.distances import Scales, distances
from pronotum.geometry import similarity, transform

NAMES = ("tip", "base", "edge")


def sets(seed=0, n=40):
    generator = np.random.default_rng(seed)
    manual = np.array([[500.0, 300], [2000, 400], [900, 1500]]) + generator.normal(0, 60, (n, 3, 2))
    shift = np.array([[6, -3], [0, 0], [0, 0]])
    return manual, manual + shift + generator.normal(0, 8, (n, 3, 2))


def compared(manual, predicted, scale=0.002, names=NAMES):
    scales = Scales.of(manual, [(3264, 2448)] * len(manual), [scale] * len(manual))
    specimens = [f"s{number}" for number in range(len(manual))]
    return landmark_agreement(manual, predicted, landmarks=names, specimens=specimens, scales=scales)


def test_errors_bias_and_scatter_in_every_unit():
    manual, predicted = sets()
    tip = compared(manual, predicted)[0]
    far = distances(predicted, manual)[:, 0]
    assert set(tip.errors) == set(tip.bias) == set(tip.scatter) == {"px", "percent_centroid_size", "px_256x192", "mm"}
    assert tip.errors["px"]["median"] == pytest.approx(np.median(far))
    assert tip.errors["mm"]["p90"] == pytest.approx(np.percentile(far, 90) * 0.002)
    mean = (predicted - manual)[:, 0].mean(0)
    assert (tip.bias["px"].dx, tip.bias["px"].dy) == pytest.approx(tuple(mean))
    assert (tip.bias["px_256x192"].dx, tip.bias["px_256x192"].dy) == pytest.approx(tuple(mean / 12.75))
    assert tip.scatter["mm"].major == pytest.approx(0.002 * tip.scatter["px"].major)
    assert tip.bias["mm"].p == pytest.approx(tip.bias["px"].p)
    sizes = [np.sqrt(((one - one.mean(0)) ** 2).sum()) for one in manual]
    assert tip.bias["percent_centroid_size"].dx == pytest.approx(
        np.mean(100 * (predicted - manual)[:, 0, 0] / np.array(sizes))
    )
    assert (tip.landmark, tip.n, tip.n_missing) == ("tip", 40, 0)


def test_a_bias_is_found_where_it_is():
    rows = compared(*sets())
    assert rows[0].bias["px"].p < 0.001
    assert min(row.bias["px"].p for row in rows[1:]) > 0.01


def test_without_scales_there_is_no_mm():
    assert "mm" not in compared(*sets(), scale=None)[0].errors


def test_scores_of_a_landmark_are_those_of_sklearn_and_scipy():
    manual, predicted = sets(1)
    for k, row in enumerate(compared(manual, predicted)):
        truth, guess = manual[:, k], predicted[:, k]
        assert row.r2 == pytest.approx(r2_score(truth, guess))
        assert row.coordinate_r2 == pytest.approx(tuple(r2_score(truth, guess, multioutput="raw_values")))
        assert row.explained_variance == pytest.approx(explained_variance_score(truth, guess))
        assert row.pearson == pytest.approx([stats.pearsonr(truth[:, a], guess[:, a])[0] for a in (0, 1)])


def test_hotellings_test_and_scatter_are_those_of_r(reference):
    differences = (reference["predicted"] - reference["manual"])[:, 2]
    found = bias(differences)
    n = len(differences)
    assert found.t2 * (n - 2) / (2 * (n - 1)) == pytest.approx(reference["hotelling_f"][0], rel=1e-6)
    assert found.p == pytest.approx(reference["hotelling_p"][0], rel=1e-6)
    spread = scatter(differences)
    assert (spread.major, spread.minor) == pytest.approx(tuple(reference["scatter_sd"]), rel=1e-6)


def test_hotellings_p_is_uniform_without_bias():
    generator = np.random.default_rng(0)
    found = [bias(generator.normal(size=(6, 2)) @ [[3, 1], [0, 2]]).p for _ in range(1000)]
    assert stats.kstest(found, "uniform").pvalue > 0.001


@pytest.mark.parametrize("degrees", [-89.0, -30.0, 0.0, 45.0, 90.0])
def test_the_axis_of_scatter_is_found(degrees):
    generator = np.random.default_rng(1)
    radians = np.radians(degrees)
    axes = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    exact = np.array([[5, 0], [-5, 0], [0, 1.0], [0, -1]]) @ axes
    found = scatter(np.tile(exact, (50, 1)) + 1e-9 * generator.normal(size=(200, 2)))
    assert found.angle == pytest.approx(degrees, abs=1e-6) or abs(found.angle - degrees) == pytest.approx(180)
    assert -90 < found.angle <= 90
    assert found.major / found.minor == pytest.approx(5)


@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_turn_and_units_leave_the_test_alone(seed, angle, factor):
    differences = np.random.default_rng(seed).normal([1, 0.5], [3, 1], (20, 2))
    plain, turned = bias(differences), bias(transform(similarity(angle, factor, (0, 0)), differences))
    assert turned.p == pytest.approx(plain.p, rel=1e-6)
    assert np.hypot(turned.dx, turned.dy) == pytest.approx(factor * np.hypot(plain.dx, plain.dy), rel=1e-6)


def test_outliers_lie_beyond_tukeys_outer_fence():
    values = np.array([1.0, 2, 3, 4, 5, np.nan, 11.0, 14])
    lower, upper = np.nanquantile(values, [0.25, 0.75])
    assert (outliers(values) == (values > upper + 3 * (upper - lower))).all()
    assert not outliers(np.full(4, np.nan)).any()
    assert not outliers(np.full(4, 7.3)).any()
    normal = np.hypot(*np.random.default_rng(0).normal(size=(2, 300_000)))
    assert outliers(normal).mean() == pytest.approx(1 / 15_000, rel=0.5)


def test_an_outlier_is_named_and_a_large_specimen_is_none():
    manual, predicted = sets(2)
    predicted[7, 1] += [300, 0]
    manual[3] *= 40
    predicted[3] = manual[3] + 40 * (predicted[4] - manual[4])
    rows = compared(manual, predicted)
    assert [row.outliers for row in rows] == [(), ("s7",), ()]


def test_missing_landmarks_are_left_out_of_their_row_only():
    manual, predicted = sets(3)
    manual[:5, 0] = np.nan
    predicted[3:9, 0] = np.nan
    predicted[:, 2] = np.nan
    tip, base, edge = compared(manual, predicted)
    assert (tip.n, tip.n_missing, base.n, edge.n) == (31, 9, 40, 0)
    rest = compared(manual[9:], predicted[9:])[0]
    assert tip.errors["px"] == pytest.approx(rest.errors["px"])
    assert tip.bias["px"] == rest.bias["px"]
    assert edge.errors["px"]["mean"] is None
    assert edge.bias == edge.scatter == {}
    assert np.isnan(edge.r2)


def test_perfect_predictions_have_no_test_of_bias():
    manual, _ = sets(4)
    row = compared(manual, manual.copy())[0]
    assert (row.bias["px"].dx, row.scatter["px"].major, row.r2) == (0, 0, 1)
    assert np.isnan(row.bias["px"].p)
    assert row.outliers == ()


def test_a_bias_along_the_specimen_shows_in_its_own_axes():
    generator = np.random.default_rng(5)
    shape = np.array([[0.0, 0], [400, 0], [200, 300], [100, -250]])
    manual, predicted = [], []
    for angle in generator.uniform(-np.pi, np.pi, 200):
        pose = similarity(angle, generator.uniform(0.5, 2), tuple(generator.uniform(0, 2000, 2)))
        manual.append(transform(pose, shape))
        predicted.append(transform(pose, shape + np.eye(4, 2) * [10, 0]))
    manual, predicted = np.stack(manual), np.stack(predicted)
    assert np.hypot(*(predicted - manual)[:, 0].mean(0)) < 3
    moved = onto_shape(predicted, manual, shape) - onto_shape(manual, manual, shape)
    assert moved[:, 0] == pytest.approx(np.tile([10.0, 0], (200, 1)))
    assert moved[:, 1:] == pytest.approx(np.zeros((200, 3, 2)), abs=1e-9)


def test_mistakes_are_said_in_one_line():
    manual, predicted = sets(6, n=5)
    with pytest.raises(UserError, match="5 manual specimens with 3 landmarks, 4 predicted with 3"):
        compared(manual, predicted[:4])
    with pytest.raises(UserError, match="names of 5 and 2; expected the same specimens and landmarks"):
        compared(manual, predicted, names=("a", "b"))
    with pytest.raises(UserError, match="agreement: 2 specimens; expected at least 3"):
        compared(manual[:2], predicted[:2])
    manual[2] = 7.0
    with pytest.raises(UserError, match="s2: all its manual landmarks lie in one place"):
        compared(manual, predicted)


def test_sticklebacks_have_the_published_errors(shared_data):
    folder = shared_data / "stickleback-coordinates"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    points = []
    for name in ("manual", "mlmorph"):
        with (folder / f"{name}.csv").open() as file:
            rows = {
                row["id"]: [[float(row[f"{a}{k}"]) for a in "XY"] for k in range(40)] for row in csv.DictReader(file)
            }
        points.append(rows)
    manual, predicted = (np.array([rows[name] for name in points[0]]) for rows in points)
    errors = distances(predicted, manual)
    assert errors.mean() == pytest.approx(18.7, abs=0.05)
    assert np.median(errors) == pytest.approx(12.8, abs=0.05)
    assert np.quantile(errors, 0.9) == pytest.approx(37, abs=0.5)
    rows = compared(manual, predicted, names=[str(k) for k in range(40)])
    assert np.mean([row.errors["px"]["mean"] for row in rows]) == pytest.approx(18.7, abs=0.05)
    assert all(row.n == 1287 for row in rows)
