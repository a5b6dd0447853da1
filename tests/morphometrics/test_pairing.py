import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.morphometrics.pairing import complete_pairs, tangent_pairs
from pronotum.morphometrics.superimposition import centroid_size


def test_only_specimens_complete_in_both_sets_stay(draw):
    manual, predicted = draw(0, n=6)
    manual[1, 2] = np.nan
    predicted[4, 0, 1] = np.nan
    pairs = complete_pairs(manual, predicted, "shape")
    assert pairs.n == 4
    assert np.flatnonzero(pairs.used).tolist() == [0, 2, 3, 5]
    assert (pairs.predicted == predicted[[0, 2, 3, 5]]).all()


def test_what_cannot_be_compared_is_said_in_one_line(draw):
    manual, predicted = draw(1, n=5)
    with pytest.raises(UserError, match=r"^shape: 5 manual specimens with 7 landmarks and 4 predicted specimens"):
        complete_pairs(manual, predicted[:4], "shape")
    with pytest.raises(UserError, match="5 manual specimens with 7 landmarks and 5 predicted specimens with 6"):
        complete_pairs(manual, predicted[:, :6], "shape")
    with pytest.raises(UserError, match="2 of 2 specimens with all 7 landmarks in both sets; expected at least 3"):
        complete_pairs(manual[:2], predicted[:2], "shape")
    manual[:3, 0] = np.nan
    with pytest.raises(UserError, match="2 of 5 specimens"):
        complete_pairs(manual, predicted, "shape")
    with pytest.raises(UserError, match="0 of 5 specimens"):
        complete_pairs(np.full_like(manual, np.nan), predicted, "shape")
    with pytest.raises(UserError, match="5 of 5 specimens with all 2 landmarks"):
        complete_pairs(predicted[:, :2], predicted[:, :2], "shape")


def test_a_configuration_without_size_is_named_by_its_number_among_all(draw):
    manual, predicted = draw(2, n=6)
    manual[0, 0] = np.nan
    predicted[3] = 5.0
    with pytest.raises(UserError, match="all predicted landmarks of specimen 4 lie in one place; digitise it again"):
        complete_pairs(manual, predicted, "shape")


def test_tangent_shapes_lie_in_the_plane_of_the_common_mean(draw, superimposed):
    pairs = complete_pairs(*superimposed(*draw(3)), "shape")
    mean = np.concatenate([pairs.manual, pairs.predicted]).mean(0)
    mean = mean / centroid_size(mean)
    for shapes, tangent in zip((pairs.manual, pairs.predicted), tangent_pairs(pairs), strict=True):
        assert np.einsum("nkd,kd->n", tangent, mean) == pytest.approx(1)
        assert np.abs(tangent - shapes).max() < 0.02
