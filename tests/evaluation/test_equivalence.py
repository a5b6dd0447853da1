import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pronotum.errors import UserError
from pronotum.evaluation.distances import distances
from pronotum.evaluation.equivalence import bias_equivalence, holm, human_margin, noninferiority

SIX = tuple("abcdef")


def test_noninferiority_is_rs_one_sided_t_test(reference):
    errors = distances(reference["predicted"], reference["manual"])
    found = noninferiority(errors, 12.0, SIX)
    assert [row.p for row in found] == pytest.approx(list(reference["noninferior_p"]), rel=1e-6)
    assert [row.upper for row in found] == pytest.approx(list(reference["noninferior_upper"]), rel=1e-6)
    assert [row.p_holm for row in found] == pytest.approx(list(reference["noninferior_holm"]), rel=1e-6)
    assert [row.passed for row in found] == (reference["noninferior_holm"] < 0.05).tolist()
    logs = noninferiority(errors, 12.0, SIX, scale="log")
    assert [row.p for row in logs] == pytest.approx(list(reference["noninferior_log_p"]), rel=1e-6)
    assert logs[0].mean == pytest.approx(stats.gmean(errors[:, 0]))


def test_tost_is_rs_two_t_tests(reference):
    differences = reference["predicted"] - reference["manual"]
    found = bias_equivalence(differences[:, 2:3], 5.0, ("c",))[0]
    assert found.p == pytest.approx(max(reference["tost_p"]), rel=1e-6)
    assert found.p_holm == found.p
    assert not found.passed
    both = stats.t.interval(0.9, 17, differences[:, 2, 0].mean(), stats.sem(differences[:, 2, 0]))
    assert found.interval_x == pytest.approx(both)


def test_tost_passes_where_both_intervals_lie_within_the_margin():
    generator = np.random.default_rng(0)
    for _ in range(200):
        differences = generator.normal(generator.uniform(-2, 2, 2), 2, (12, 1, 2))
        (found,) = bias_equivalence(differences, 2.0, ("a",))
        within = all(max(-low, high) < 2 for low, high in (found.interval_x, found.interval_y))
        assert found.passed == within
        assert (found.dx, found.dy) == pytest.approx(tuple(differences[:, 0].mean(0)))


def test_at_the_margin_one_in_twenty_passes():
    generator = np.random.default_rng(1)
    errors = generator.normal(3.0, 0.5, (30, 2000))
    names = tuple(map(str, range(2000)))
    raw = np.array([row.p for row in noninferiority(errors, 3.0, names)])
    assert (raw < 0.05).mean() == pytest.approx(0.05, abs=0.015)
    assert not any(row.passed for row in noninferiority(errors, 3.0, names))


def test_few_specimens_do_not_pass_and_many_do():
    errors = np.tile([1.0, 2.0, 2.5, 4.5], 100)[:, None]
    assert not noninferiority(errors[:4], 3.0, ("a",))[0].passed
    assert noninferiority(errors, 3.0, ("a",))[0].passed


def test_gross_errors_move_the_plain_mean_and_hardly_the_log_mean():
    errors = np.abs(np.random.default_rng(3).normal(2, 0.5, (50, 1)))
    errors[0] = 400
    assert not noninferiority(errors, 3.0, ("a",))[0].passed
    assert noninferiority(errors, 3.0, ("a",), scale="log")[0].passed


def slow_holm(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, largest = [0.0] * len(p), 0.0
    for step, i in enumerate(order):
        largest = max(largest, (len(p) - step) * p[i])
        corrected[i] = min(largest, 1.0)
    return corrected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_holm_is_a_slow_loop_and_knows_no_order(p, random):
    assert holm(np.array(p)) == pytest.approx(slow_holm(p))
    order = list(range(len(p)))
    random.shuffle(order)
    assert holm(np.array(p)[order]) == pytest.approx(holm(np.array(p))[order])


def test_holms_own_example_and_unknown_p():
    assert holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005])) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True
    )


@given(st.floats(0.001, 1000))
@settings(max_examples=20, deadline=None)
def test_units_do_not_matter(factor):
    generator = np.random.default_rng(4)
    errors, differences = generator.gamma(2, 2, (20, 6)), generator.normal(1, 3, (20, 6, 2))
    for scale in ("plain", "log"):
        plain = noninferiority(errors, 5.0, SIX, scale=scale)
        other = noninferiority(factor * errors, factor * 5.0, SIX, scale=scale)
        assert [row.p_holm for row in other] == pytest.approx([row.p_holm for row in plain], rel=1e-6)
    plain, other = bias_equivalence(differences, 3.0, SIX), bias_equivalence(factor * differences, factor * 3.0, SIX)
    assert [row.p for row in other] == pytest.approx([row.p for row in plain], rel=1e-6)


def test_missing_landmarks_are_left_out_of_their_row():
    generator = np.random.default_rng(5)
    errors, differences = generator.gamma(2, 1, (20, 3)), generator.normal(size=(20, 3, 2))
    errors[:5, 0], errors[2:, 1], errors[:, 2] = np.nan, np.nan, np.nan
    differences[:5, 0], differences[2:, 1], differences[:, 2] = np.nan, np.nan, np.nan
    names = ("a", "b", "c")
    for rows in (noninferiority(errors, 4.0, names), bias_equivalence(differences, 4.0, names)):
        assert [row.n for row in rows] == [15, 2, 0]
        assert rows[0].p_holm == rows[0].p
        assert all(np.isnan(row.p) and not row.passed for row in rows[1:])
    alone = noninferiority(errors[5:, :1], 4.0, ("a",))[0]
    assert alone == noninferiority(errors, 4.0, names)[0]


def test_each_landmark_may_have_its_margin():
    errors = np.random.default_rng(6).normal(2, 0.1, (20, 2))
    first, second = noninferiority(errors, np.array([3.0, 1.0]), ("a", "b"))
    assert (first.passed, first.margin) == (True, 3.0)
    assert (second.passed, second.margin) == (False, 1.0)


def test_perfect_predictions_pass():
    assert all(row.passed for row in noninferiority(np.zeros((5, 2)), 1.0, ("a", "b")))
    assert all(row.passed for row in noninferiority(np.zeros((5, 2)), 1.0, ("a", "b"), scale="log"))
    assert all(row.passed for row in bias_equivalence(np.zeros((5, 2, 2)), 1.0, ("a", "b")))
    constant = noninferiority(np.full((5, 1), 2.0), 1.0, ("a",))[0]
    assert (constant.p, constant.passed) == (1.0, False)


def test_a_human_margin_is_the_limit_of_their_distances():
    repeats = np.random.default_rng(7).gamma(2, 1, (30, 4))
    repeats[3, 1] = np.nan
    found = human_margin(repeats)
    assert found == pytest.approx(np.nanquantile(repeats, 0.95, axis=0))
    assert human_margin(repeats, pooled=True) == pytest.approx(np.full(4, np.nanquantile(repeats, 0.95)))
    assert (human_margin(repeats, limit=0.5) < found).all()


def test_mistakes_are_said_in_one_line():
    errors = np.ones((5, 2))
    with pytest.raises(UserError, match="2 landmarks, 3 names and 1 margin; expected one margin, or one for each"):
        noninferiority(errors, 1.0, ("a", "b", "c"))
    with pytest.raises(UserError, match="2 landmarks, 2 names and 3 margins"):
        noninferiority(errors, np.ones(3), ("a", "b"))
    with pytest.raises(UserError, match="a margin of 0; expected margins above 0"):
        bias_equivalence(np.ones((5, 2, 2)), 0.0, ("a", "b"))
    with pytest.raises(UserError, match="equivalence: 2 specimens; expected at least 3"):
        noninferiority(errors[:2], 1.0, ("a", "b"))
    with pytest.raises(UserError, match="2 repeats of landmark 1; expected at least 3"):
        human_margin(errors[:2])
    with pytest.raises(UserError, match="the repeats of landmark 1 are identical"):
        human_margin(np.zeros((5, 2)))


def test_sticklebacks_against_their_human_repeat(shared_data):
    folder = shared_data / "stickleback-coordinates"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    sets = {}
    for name in ("manual", "mlmorph", "30_relandmarked_ml_format"):
        with (folder / f"{name}.csv").open() as file:
            sets[name] = {
                row["id"]: [[float(row[f"{axis}{k}"]) for axis in "XY"] for k in range(40)]
                for row in csv.DictReader(file)
            }
    manual, model, again = sets.values()
    everyone, repeated = list(manual), list(again)
    human = distances(np.array([again[name] for name in repeated]), np.array([manual[name] for name in repeated]))
    machine = distances(np.array([model[name] for name in everyone]), np.array([manual[name] for name in everyone]))
    same = machine[[everyone.index(name) for name in repeated]]
    assert same.mean() == pytest.approx(16.2, abs=0.05)
    assert (machine.mean(0) < human.mean(0)).sum() == 3  # published: only 3 of 40 landmarks better than human
    names = tuple(map(str, range(40)))
    generous = noninferiority(machine, human_margin(human), names)
    strict = noninferiority(machine, human.mean(0), names)
    assert (sum(row.passed for row in generous), sum(row.passed for row in strict)) == (32, 2)  # our own figures
