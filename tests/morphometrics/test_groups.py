import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.morphometrics.groups import group_differences

GROUPS = ["a"] * 8 + ["b"] * 10


def test_both_sets_are_tested_as_r_tests_them(reference, reference_shapes):
    found = group_differences(*reference_shapes, GROUPS)
    for name, model in (("manual", found.manual), ("predicted", found.predicted)):
        explained, rest = reference[f"group_ss_{name}"]
        assert model.r2 == pytest.approx(explained / (explained + rest), rel=1e-6)
        assert model.f == pytest.approx(16 * explained / rest, rel=1e-6)
        assert model.p < 0.02
        assert model.z > 2
    assert found.counts == {"a": 8, "b": 10}
    assert found.left_out == ()


def test_the_vector_of_two_groups_is_the_difference_of_their_means(reference_shapes):
    manual, predicted = reference_shapes
    (pair,) = group_differences(manual, predicted, GROUPS).pairs
    u, v = (shapes[8:].mean(0) - shapes[:8].mean(0) for shapes in reference_shapes)
    assert pair.manual_vector == pytest.approx(u)
    assert pair.predicted_vector == pytest.approx(v)
    assert pair.manual_distance == pytest.approx(np.linalg.norm(u))
    assert pair.length_ratio.value == pytest.approx(np.linalg.norm(v) / np.linalg.norm(u))
    cosine = (u * v).sum() / np.linalg.norm(u) / np.linalg.norm(v)
    assert pair.angle.value == pytest.approx(np.degrees(np.arccos(cosine)))
    assert pair.length_ratio.low < pair.length_ratio.value < pair.length_ratio.high


def drawn(draw, superimposed, seed, sizes=(10, 10, 10), shift=0.05, keep=1.0):
    """Groups that lie apart, and predictions that keep some of it."""
    n = sum(sizes)
    manual, predicted = superimposed(*draw(seed, n=n, spread=0.02, noise=0.005))
    move = np.random.default_rng(seed).normal(size=(len(sizes), *manual.shape[1:])) * shift / 4
    which = np.repeat(np.arange(len(sizes)), sizes)
    return manual + move[which], predicted + keep * move[which], [f"group {g}" for g in which]


def test_three_groups_are_compared_by_twos(draw, superimposed):
    found = group_differences(*drawn(draw, superimposed, 0))
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("group 0", "group 1"),
        ("group 0", "group 2"),
        ("group 1", "group 2"),
    ]
    assert found.manual.df == 2
    assert found.manual.p == found.predicted.p == 0.001
    assert all(pair.angle.value < 20 for pair in found.pairs)


def test_differences_that_predictions_halve_have_that_ratio(draw, superimposed):
    found = group_differences(*drawn(draw, superimposed, 1, sizes=(100, 100), shift=0.2, keep=0.5))
    (pair,) = found.pairs
    assert pair.length_ratio.value == pytest.approx(0.5, abs=0.06)
    assert pair.length_ratio.high < 0.7
    assert found.predicted.r2 < found.manual.r2


def test_without_difference_the_test_does_not_find_one(draw, superimposed):
    found = group_differences(*drawn(draw, superimposed, 2, shift=0.0))
    assert found.manual.p > 0.01


def test_groups_that_cannot_be_tested_are_named_with_the_reason(draw, superimposed):
    manual, predicted, groups = drawn(draw, superimposed, 3)
    groups[0], groups[1], groups[2], groups[3] = "lonely", "", None, "lost"
    manual[3, 0] = np.nan
    found = group_differences(manual, predicted, groups)
    assert found.n == 26
    assert found.counts == {"group 0": 6, "group 1": 10, "group 2": 10}
    assert [(out.group, out.n) for out in found.left_out] == [("", 2), ("lonely", 1), ("lost", 0)]
    assert found.left_out[0].reason == "no group given"
    assert found.left_out[1].reason.startswith("a single complete specimen")
    assert found.left_out[2].reason.startswith("no complete specimen")
    rest = group_differences(manual[4:], predicted[4:], groups[4:])
    assert found.manual.r2 == rest.manual.r2


def test_order_of_specimens_and_names_of_groups_do_not_matter(draw, superimposed):
    manual, predicted, groups = drawn(draw, superimposed, 4)
    plain = group_differences(manual, predicted, groups)
    rows = np.random.default_rng(0).permutation(30)
    renamed = {"group 0": "z", "group 1": "y", "group 2": "x"}
    mixed = group_differences(manual[rows], predicted[rows], [renamed[groups[row]] for row in rows])
    assert (mixed.manual.r2, mixed.manual.f) == pytest.approx((plain.manual.r2, plain.manual.f))
    assert mixed.pairs[0].angle.value == pytest.approx(plain.pairs[2].angle.value)


def test_mistakes_are_said_in_one_line(reference_shapes):
    with pytest.raises(UserError, match="17 groups for 18 specimens; expected one group per specimen"):
        group_differences(*reference_shapes, GROUPS[1:])
    with pytest.raises(UserError, match="1 with at least two complete specimens; expected at least 2 such groups"):
        group_differences(*reference_shapes, ["a"] * 17 + ["b"])
