"""Procrustes ANOVA and disparity against slow loops, exact truth and real repeats."""

import csv

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.disparity import disparity_ratio, procrustes_variance
from pronotum.morphometrics.procrustes import generalized_procrustes


def measured(n, n_methods, within, seed, bias=0.0):
    """Individuals of unit variance per coordinate, each measured with errors of this standard deviation."""
    generator = np.random.default_rng(seed)
    individuals = generator.normal(size=(n, 1, 6, 2))
    shift = bias * generator.normal(size=(1, n_methods, 6, 2))
    return individuals + shift + within * generator.normal(size=(n, n_methods, 6, 2))


def test_sums_of_squares_are_those_of_a_slow_loop():
    shapes = measured(9, 3, 0.4, 0, bias=0.3)
    found = procrustes_anova(shapes)
    individual = method = total = 0.0
    grand = shapes.mean((0, 1))
    for i in range(9):
        for m in range(3):
            individual += ((shapes[i].mean(0) - grand) ** 2).sum()
            method += ((shapes[:, m].mean(0) - grand) ** 2).sum()
            total += ((shapes[i, m] - grand) ** 2).sum()
    assert (found.individual.ss, found.method.ss) == pytest.approx((individual, method))
    assert found.residual.ss == pytest.approx(total - individual - method)
    assert (found.individual.df, found.method.df, found.residual.df) == (8, 2, 16)
    assert sum(row.share for row in (found.individual, found.method, found.residual)) == pytest.approx(1)


@pytest.mark.parametrize(("within", "expected"), [(0.0, 1.0), (0.5, 0.8), (1.0, 0.5)])
def test_repeatability_is_the_share_of_the_individuals(within, expected):
    found = procrustes_anova(measured(3000, 2, within, 1))
    assert found.repeatability == pytest.approx(expected, abs=0.02)


def test_a_bias_of_one_method_shows_in_the_method_only():
    plain, biased = (procrustes_anova(measured(400, 2, 0.5, 2, bias=bias)) for bias in (0.0, 1.0))
    assert biased.repeatability == pytest.approx(plain.repeatability, abs=0.02)
    assert biased.f_method > 50 * plain.f_method


def test_one_method_is_no_design():
    with pytest.raises(UserError, match="9 individuals by 1 method; expected at least 2 by 2"):
        procrustes_anova(measured(9, 1, 0.1, 0))


def test_disparity_ratio_and_its_interval():
    generator = np.random.default_rng(4)
    manual = generator.normal(size=(300, 5, 2))
    shrunken = manual.mean(0) + 0.5 * (manual - manual.mean(0))
    assert procrustes_variance(manual) == pytest.approx(manual.reshape(300, -1).var(0, ddof=1).sum())
    found = disparity_ratio(shrunken, manual)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    other = disparity_ratio(generator.normal(size=(300, 5, 2)), manual, seed=1)
    assert other.low < 1 < other.high
    assert other.high - other.low < 0.3


def sticklebacks(folder):
    def rows(name):
        with (folder / name).open() as file:
            return list(csv.DictReader(file))

    sets = {}
    for name in ("manual", "mlmorph"):
        sets[name] = {
            row["id"]: np.array([[float(row[f"X{k}"]), float(row[f"Y{k}"])] for k in range(40)])
            for row in rows(f"{name}.csv")
        }
    sets["again"] = {
        row["id"]: np.array([[float(row[f"X{k}"]), float(row[f"Y{k}"])] for k in range(40)])
        for row in rows("30_relandmarked_ml_format.csv")
    }
    return sets


def test_sticklebacks_have_the_published_repeatability(shared_data):
    folder = shared_data / "stickleback-coordinates"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    sets = sticklebacks(folder)
    common = [name for name in sets["manual"] if name in sets["mlmorph"]]
    manual, model = (np.stack([sets[kind][name] for name in common]) for kind in ("manual", "mlmorph"))
    n = len(common)
    assert n == 1287
    shapes = generalized_procrustes(np.concatenate([manual, model])).shapes
    both = np.stack([shapes[:n], shapes[n:]], axis=1)
    assert procrustes_anova(both).repeatability == pytest.approx(0.848, abs=0.0005)
    assert disparity_ratio(shapes[n:], shapes[:n], resamples=200).value == pytest.approx(0.75, abs=0.005)
