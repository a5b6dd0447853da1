import numpy as np
import pytest

from pronotum.errors import UserError, did_you_mean
from pronotum.landmarks import Curve, Landmarks, LandmarkSet, Scheme


def test_points_are_copied_and_cannot_be_changed():
    values = np.zeros((3, 2))
    landmarks = Landmarks(values)
    values[0] = 9
    assert landmarks.points[0].tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        landmarks.points[0] = 1


def test_half_a_landmark_is_refused():
    with pytest.raises(ValueError, match="one coordinate only"):
        Landmarks([[1.0, np.nan]])


def test_a_specimen_with_other_landmarks_is_named():
    three, two = Landmarks(np.zeros((3, 2)), image="a.jpg"), Landmarks(np.zeros((2, 2)), image="b.jpg")
    with pytest.raises(UserError, match=r"^specimen 3 b\.jpg: 2 landmarks; expected 3 as in the others; digitise"):
        LandmarkSet.of([three, three, two])


def test_landmarks_that_others_call_otherwise_are_not_taken_for_the_same():
    a = Landmarks(np.zeros((2, 2)), image="a.jpg", names=("tip", "base"))
    b = Landmarks(np.zeros((2, 2)), image="b.jpg", names=("tip", "hinge"))
    with pytest.raises(UserError, match=r"^b\.jpg: landmark 2 is called hinge; expected base, as in a\.jpg; give all"):
        LandmarkSet.of([a, a, b])
    assert LandmarkSet.of([a, a]).scheme.names == ("tip", "base")
    assert LandmarkSet.of([a, b], Scheme(("tip", "end"))).scheme.names == ("tip", "end")


def test_a_set_stacks_its_points():
    specimens = [Landmarks(np.full((4, 2), i)) for i in range(3)]
    collected = LandmarkSet.of(specimens)
    assert collected.points.shape == (3, 4, 2)
    assert collected.scheme.names == ("1", "2", "3", "4")


def test_schemes_refuse_doubled_names_and_impossible_pairs():
    with pytest.raises(ValueError, match="differ"):
        Scheme(("tip", "tip"))
    with pytest.raises(ValueError, match="0 to 1"):
        Scheme(("left", "right"), pairs=((0, 2),))
    for curve in (Curve("margin", 3), Curve("margin", 0)):
        with pytest.raises(ValueError, match="2 names do not fit the semilandmarks"):
            Scheme(("left", "right"), curves=(curve,))
    with pytest.raises(ValueError, match="ends of curves must be landmarks, indices 0 to 0"):
        Scheme(("left", "margin 1"), curves=(Curve("margin", 1, ends=(0, 1)),))


def test_user_errors_are_one_line_with_place_and_remedy():
    error = UserError("a.tps:3", found="'x'", expected="a number", remedy="correct it")
    assert str(error) == "a.tps:3: 'x'; expected a number; correct it"
    assert did_you_mean("standart", ["fast", "standard"]) == "did you mean 'standard'?"


def test_user_errors_stay_one_line_whatever_a_file_says():
    error = UserError("a.zip: b\r\n.roi\x1b[2J", found="found\u2028c", expected="a\tname", remedy="mend\x00it")
    assert str(error) == "a.zip: b\\r\\n.roi\\x1b[2J: found\\u2028c; expected a\\tname; mend\\x00it"
    assert str(UserError("grün.tps", found="Käfer 'ﬁ'")) == "grün.tps: Käfer 'ﬁ'"
