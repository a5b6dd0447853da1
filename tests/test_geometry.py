import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum import geometry

sides = st.integers(1, 5000)
coordinates = st.floats(-5000, 5000)


@given(x=coordinates, y=coordinates, height=sides)
def test_flipping_twice_changes_nothing(x, y, height):
    point = np.array([[x, y]])
    assert geometry.flip_y(geometry.flip_y(point, height), height) == pytest.approx(point, abs=1e-9)


def test_tpsdig_origin_is_bottom_left():
    assert geometry.flip_y([[10.0, 2448.0]], 2448).tolist() == [[10.0, 0.0]]


def test_scaling_moves_the_corner_to_the_corner_not_the_centre_of_the_first_pixel():
    matrix = geometry.scaling(256 / 3264, 192 / 2448)
    corner = geometry.transform(matrix, [[-0.5, -0.5], [3263.5, 2447.5]])
    assert corner == pytest.approx(np.array([[-0.5, -0.5], [255.5, 191.5]]))
    naive = 100 * 256 / 3264
    right = geometry.transform(matrix, [[100.0, 0.0]])[0, 0]
    assert naive - right == pytest.approx(0.4608, abs=1e-4)  # 5.9 px of the photograph


@given(width=sides, height=sides)
def test_letterbox_keeps_the_picture_inside_and_touches_two_edges(width, height):
    corners = geometry.transform(
        geometry.letterbox((width, height), (256, 192)), [[-0.5, -0.5], [width - 0.5, height - 0.5]]
    )
    assert (corners[0] >= -0.5 - 1e-6).all()
    assert (corners[1] <= np.array([255.5, 191.5]) + 1e-6).all()
    extent = corners[1] - corners[0]
    assert min(256 - extent[0], 192 - extent[1]) == pytest.approx(0, abs=1e-6)
    assert extent[0] * height == pytest.approx(extent[1] * width, rel=1e-6)


def test_missing_stays_missing():
    assert np.isnan(geometry.transform(geometry.scaling(2), [[np.nan, np.nan]])).all()


def test_similarity_turns_clockwise_on_the_picture_about_its_centre():
    matrix = geometry.similarity(np.pi / 2, 2.0, (10, 10))
    assert geometry.transform(matrix, [[11.0, 10.0]]) == pytest.approx(np.array([[10.0, 12.0]]))
