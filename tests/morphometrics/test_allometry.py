import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.morphometrics.allometry import compare_allometry
from pronotum.morphometrics.superimposition import centroid_size


def growing(seed, n=60, *, strength=0.1, turned=0.0, noise=0.004):
    """Shapes that change with size, and predictions whose change has `strength` and another direction."""
    generator = np.random.default_rng(seed)
    size = np.exp(generator.normal(5, 0.3, n))
    mean, change, other = generator.normal(size=(3, 8, 2))
    change, other = change / np.linalg.norm(change), other / np.linalg.norm(other)
    other = other - (other * change).sum() * change
    other = other / np.linalg.norm(other)
    seen = np.cos(turned) * change + np.sin(turned) * other
    log = (np.log(size) - 5)[:, None, None]
    manual = mean + 0.1 * log * change + noise * generator.normal(size=(n, 8, 2))
    predicted = mean + strength * log * seen + noise * generator.normal(size=(n, 8, 2))
    return size[:, None, None] * manual, size[:, None, None] * predicted


def compared(superimposed, manual, predicted, **options):
    return compare_allometry(
        *superimposed(manual, predicted), centroid_size(manual), centroid_size(predicted), **options
    )


def test_angle_ratio_and_r2_are_those_of_r(reference, reference_shapes):
    found = compare_allometry(*reference_shapes, reference["manual_sizes"], reference["predicted_sizes"])
    assert found.angle.value == pytest.approx(reference["allometry_angle"][0], rel=1e-5)
    assert found.length_ratio.value == pytest.approx(reference["allometry_ratio"][0], rel=1e-6)
    explained, rest = reference["allometry_ss_predicted"]
    assert found.predicted.r2 == pytest.approx(explained / (explained + rest), rel=1e-6)
    assert found.length_ratio.low < found.length_ratio.value < found.length_ratio.high


def test_a_flattened_allometry_shows_in_the_ratio_and_a_turned_one_in_the_angle(superimposed):
    flat = compared(superimposed, *growing(0, strength=0.05, noise=0.001))
    assert flat.length_ratio.value == pytest.approx(0.5, abs=0.05)
    assert flat.length_ratio.high < 0.6
    assert flat.angle.value < 8
    same = compared(superimposed, *growing(1, noise=0.001))
    turned = compared(superimposed, *growing(1, noise=0.001, turned=0.6))
    assert same.angle.high < 10 < turned.angle.low
    assert same.length_ratio.low < 1 < same.length_ratio.high
    assert same.manual.p == same.predicted.p == 0.001


def test_without_allometry_the_test_does_not_find_one(superimposed, draw):
    manual, predicted = draw(0, n=60)
    found = compared(superimposed, manual, predicted)
    assert found.manual.p > 0.01
    assert found.manual.r2 < 0.1


def test_the_bootstrap_is_that_of_a_slow_loop(superimposed):
    manual, predicted = growing(2, n=20)
    found = compared(superimposed, manual, predicted, resamples=60, seed=4)
    shapes, logs = superimposed(manual, predicted), [np.log(centroid_size(p)) for p in (manual, predicted)]
    ratios, angles = [], []
    for rows in np.random.default_rng(4).integers(20, size=(60, 20)):
        slopes = [np.polyfit(log[rows], s[rows].reshape(20, -1), 1)[0] for s, log in zip(shapes, logs, strict=True)]
        lengths = [np.linalg.norm(slope) for slope in slopes]
        ratios.append(lengths[1] / lengths[0])
        angles.append(np.degrees(np.arccos(slopes[0] @ slopes[1] / lengths[0] / lengths[1])))
    assert (found.length_ratio.low, found.length_ratio.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]))
    assert (found.angle.low, found.angle.high) == pytest.approx(np.quantile(angles, [0.025, 0.975]))


def test_units_and_incomplete_specimens_do_not_matter(superimposed):
    manual, predicted = growing(3)
    shapes, sizes = superimposed(manual, predicted), [centroid_size(manual), centroid_size(predicted)]
    plain = compare_allometry(*shapes, *sizes)
    other = compare_allometry(*shapes, 0.01 * sizes[0], 0.01 * sizes[1])
    assert (other.angle.value, other.manual.r2) == pytest.approx((plain.angle.value, plain.manual.r2))
    shapes[0][5, 0] = np.nan
    sizes[0][5] = np.nan
    assert compare_allometry(*shapes, *sizes).n == 59


def test_mistakes_are_said_in_one_line(superimposed):
    manual, predicted = growing(4)
    shapes, sizes = superimposed(manual, predicted), [centroid_size(manual), centroid_size(predicted)]
    with pytest.raises(UserError, match="59 manual sizes for 60 specimens"):
        compare_allometry(*shapes, sizes[0][1:], sizes[1])
    with pytest.raises(UserError, match="all predicted sizes are equal"):
        compare_allometry(*shapes, sizes[0], np.ones(60))
    sizes[1][7] = -2
    with pytest.raises(UserError, match="the predicted size of specimen 8 is -2; expected a positive"):
        compare_allometry(*shapes, *sizes)


def test_the_mean_shape_everywhere_has_no_allometry(superimposed):
    manual, _ = growing(5)
    still = np.repeat(manual[:1], 60, 0) * np.linspace(1, 2, 60)[:, None, None]
    found = compared(superimposed, manual, still)
    assert np.isnan(found.angle.value)
    assert found.length_ratio.value == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.predicted.r2)
