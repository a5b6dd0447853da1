"""Specimens of the other side, mirrored on their photographs."""

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.landmarks import Curve, Landmarks, Scheme
from pronotum.sides import mirror, normalise

RIM = Curve("rim", 4, closed=True)
LEFT, RIGHT, FRONT = Curve("left margin", 2), Curve("right margin", 2), Curve("front", 3)
NAMES = ("base", "left eye", "right eye", *LEFT.names, *RIGHT.names, *FRONT.names, *RIM.names)
SCHEME = Scheme(
    NAMES,
    pairs=((1, 2), (3, 5), (4, 6), (7, 9), (11, 13)),
    midline=(0, 8, 10, 12),
    curves=(LEFT, RIGHT, FRONT, RIM),
    mirror=True,
)


def test_a_pixel_goes_where_it_is_in_the_mirrored_picture():
    picture = np.zeros((4, 10))
    picture[2, 3] = 1
    (row, column), *_ = np.argwhere(picture[:, ::-1])
    assert mirror(Landmarks([[3, 2], [np.nan, np.nan]]), 10).points[0].tolist() == [column, row]


def test_each_landmark_becomes_its_partner_and_twice_is_nothing():
    curves = [[[1, 1], [2, 5]], [[9, 1], [8, 5]], [[1, 0], [5, -1], [9, 0]], [[5, 9], [6, 8], [5, 7], [4, 8]]]
    specimen = Landmarks(
        [[5, 5], [3, 2], [8, 2]],
        image="a.jpg",
        names=NAMES[:3],
        curves=tuple(np.array(one, dtype=float) for one in curves),
    )
    found = mirror(specimen, 11, SCHEME)
    assert found.points.tolist() == [[5, 5], [2, 2], [7, 2]]
    # The left margin is the mirror image of the right one, the front and the rim run as they did.
    assert [curve.tolist() for curve in found.curves] == [
        [[1, 1], [2, 5]],
        [[9, 1], [8, 5]],
        [[1, 0], [5, -1], [9, 0]],
        [[5, 9], [6, 8], [5, 7], [4, 8]],
    ]
    again = mirror(found, 11, SCHEME)
    assert again.points.tolist() == specimen.points.tolist()
    assert [one.tolist() for one in again.curves] == [one.tolist() for one in specimen.curves]


def test_a_closed_curve_that_repeats_its_beginning_still_does():
    rim = np.array([[5.0, 9], [6, 8], [5, 7], [4, 8], [5, 9]])
    curves = (np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((3, 2)), rim)
    found = mirror(Landmarks(np.zeros((3, 2)), curves=curves), 11, SCHEME)
    assert found.curves[3].tolist() == rim.tolist()


def test_semilandmarks_are_mirrored_as_their_curves_are():
    points = np.random.default_rng(0).normal(size=(SCHEME.n_landmarks, 2))
    found = mirror(Landmarks(points), 1, SCHEME).points
    assert found[[0, 1, 3, 7, 9, 11]].tolist() == (points[[0, 2, 5, 9, 7, 13]] * [-1, 1]).tolist()


def test_only_the_other_side_is_mirrored():
    left, right = Landmarks([[1, 2]], image="l.jpg"), Landmarks([[8, 2]], image="r.jpg")
    for sides in (("left", "right"), ("L", "r"), ("Left", "RIGHT")):
        found = normalise([left, right], sides, [None, (10, 5)])
        assert [one.points.tolist() for one in found] == [[[1, 2]], [[1, 2]]]
    found = normalise([left, right], ("left", "right"), [(10, 5), None], wanted="right")
    assert [one.points.tolist() for one in found] == [[[8, 2]], [[8, 2]]]


def test_mistakes_are_one_line():
    one = Landmarks([[1, 2]], image="r.jpg")
    for side in ("dorsal", ""):
        with pytest.raises(UserError, match=rf"r.jpg: side '{side}'; expected left or right"):
            normalise([one], [side], [(10, 5)])
    with pytest.raises(UserError, match=r"r.jpg: a photograph whose width is not known; name the folder"):
        normalise([one], ["right"], [None])
    with pytest.raises(UserError, match=r"r.jpg: 1 landmark; expected 3 as in the scheme"):
        mirror(one, 10, SCHEME)
