import itertools

import numpy as np
import pytest
from scipy import stats

from pronotum.morphometrics.linear_model import effect_size, linear_model

GROUP = np.repeat([0.0, 1.0], [8, 10])[:, None]


def test_sums_of_squares_are_those_of_r(reference, reference_shapes):
    for name, shapes in zip(("manual", "predicted"), reference_shapes, strict=True):
        found = linear_model(shapes, GROUP)
        explained, rest = reference[f"group_ss_{name}"]
        assert found.r2 == pytest.approx(explained / (explained + rest), rel=1e-6)
        assert found.f == pytest.approx(explained / (rest / 16), rel=1e-6)
        assert (found.n, found.df, found.df_residual) == (18, 1, 16)
        log_size = np.log(reference[f"{name}_sizes"])[:, None]
        explained, rest = reference[f"allometry_ss_{name}"]
        assert linear_model(shapes, log_size).r2 == pytest.approx(explained / (explained + rest), rel=1e-6)


def test_f_is_goodalls_of_rs_package_shapes(reference, reference_shapes):
    # shapes superimposes the groups apart, fully (with scale): F agrees but for terms of the size of the variance.
    assert linear_model(reference_shapes[0], GROUP).f == pytest.approx(reference["goodall_f"][0], rel=0.01)


def test_several_columns_against_a_slow_regression_of_each_coordinate(draw, superimposed):
    shapes, _ = superimposed(*draw(0, n=20))
    design = np.random.default_rng(1).normal(size=(20, 3))
    found = linear_model(shapes, design, permutations=19)
    full = np.column_stack([np.ones(20), design])
    rest = total = 0.0
    for column in shapes.reshape(20, -1).T:
        fit, *_ = np.linalg.lstsq(full, column, rcond=None)
        rest += ((column - full @ fit) ** 2).sum()
        total += ((column - column.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(1 - rest / total)
    assert found.f == pytest.approx(((total - rest) / 3) / (rest / 16))
    assert found.coefficients.reshape(3, -1) == pytest.approx(
        np.linalg.lstsq(full, shapes.reshape(20, -1), rcond=None)[0][1:]
    )


def test_a_column_said_twice_counts_once(draw, superimposed):
    shapes, _ = superimposed(*draw(0, n=20))
    column = np.arange(20.0)[:, None]
    once, twice = (linear_model(shapes, values, permutations=9) for values in (column, np.hstack([column, column])))
    assert (twice.df, twice.r2, twice.f) == pytest.approx((1, once.r2, once.f))


def test_p_is_that_of_all_permutations(draw, superimposed):
    shapes, _ = superimposed(*draw(2, n=7))
    x = np.array([0.0, 1, 2, 4, 7, 9, 12])
    flat = shapes.reshape(7, -1) - shapes.reshape(7, -1).mean(0)

    def explained(values):
        u = (values - values.mean()) / np.linalg.norm(values - values.mean())
        return ((u @ flat) ** 2).sum()

    drawn = np.array([explained(x[list(order)]) for order in itertools.permutations(range(7))])
    exact = np.mean(drawn >= explained(x) * (1 - 1e-12))
    assert linear_model(shapes, x[:, None], permutations=4000).p == pytest.approx(exact, abs=0.03)


def test_the_effect_size_of_a_lognormal_statistic_is_its_normal_deviate():
    generator = np.random.default_rng(0)
    permuted = np.exp(generator.normal(1, 0.5, 20_000))
    for deviate in (-1.0, 0.0, 2.5):
        assert effect_size(np.exp(1 + 0.5 * deviate), permuted) == pytest.approx(deviate, abs=0.05)
    values = np.append(permuted[:99], 4.0)
    transformed, _ = stats.boxcox(values)
    assert effect_size(4.0, permuted[:99]) == pytest.approx(
        (transformed[-1] - transformed.mean()) / transformed.std(), abs=1e-4
    )


def test_shapes_that_are_all_alike_have_no_statistics(draw, superimposed):
    shapes = np.repeat(superimposed(*draw(3))[0][:1], 18, 0)
    found = linear_model(shapes, GROUP)
    assert np.isnan([found.r2, found.f, found.z, found.p]).all()


def test_a_term_that_explains_everything_has_an_infinite_f(draw, superimposed):
    two = superimposed(*draw(4))[0][:2]
    found = linear_model(two[GROUP[:, 0].astype(int)], GROUP)
    assert found.r2 == pytest.approx(1)
    assert found.f == np.inf
    assert np.isnan(found.z)
    assert found.p == pytest.approx(0.001, abs=0.001)
