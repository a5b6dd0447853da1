import numpy as np
import pytest

from pronotum.morphometrics.vectors import angle, length_ratio


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 1.0, 45.0, 90.0, 179.999999, 180.0])
def test_angles_are_exact_from_nought_to_a_half_turn(degrees):
    radians = np.radians(degrees)
    found = angle(np.array([2.0, 0.0]), 5 * np.array([np.cos(radians), np.sin(radians)]))
    assert found == pytest.approx(degrees, rel=1e-9, abs=1e-12)


def test_vectors_without_length_have_no_angle():
    pair = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert np.isnan(angle(pair, pair[::-1])).all()
    assert length_ratio(pair, pair[::-1])[0] == 0
    assert np.isnan(length_ratio(pair, pair[::-1])[1])
