import pytest

from pronotum.errors import UserError
from pronotum.formats import coordinate_columns


@pytest.mark.parametrize(
    ("titles", "places", "names"),
    [
        ("X1 Y1 X2 Y2", ((0, 1), (2, 3)), ()),
        ("X0 Y0 X1 Y1", ((0, 1), (2, 3)), ()),
        ("1.X 1.Y 2.X 2.Y", ((0, 1), (2, 3)), ()),
        ("X.1 Y.1 X.2 Y.2", ((0, 1), (2, 3)), ()),
        ("V1 V2 V3 V4", ((0, 1), (2, 3)), ()),
        ("id X0 X1 Y0 Y1", ((1, 3), (2, 4)), ()),
        ("x_1 y_1 x_10 y_10 x_2 y_2", ((0, 1), (2, 3), (4, 5)), ("1", "10", "2")),
        ("x_1 y_1 x_3 y_3 x_2 y_2", ((0, 1), (4, 5), (2, 3)), ()),
        ("apex.X apex.Y sex base.X base.Y", ((0, 1), (3, 4)), ("apex", "base")),
        ("2_X 2_Y 5_X 5_Y", ((0, 1), (2, 3)), ("2", "5")),
        ("F-1_X F-1_Y F-2_X F-2_Y", ((0, 1), (2, 3)), ("F-1", "F-2")),
        ("image id x y", (), ()),
        ("V1 V2 V3", (), ()),
        ("V2 V3", (), ()),
    ],
)
def test_titles_tell_the_columns_of_each_landmark_in_any_order(titles, places, names):
    found = coordinate_columns.find(titles.split(), "a.csv:1")
    assert found.places == places
    assert found.names == names


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        ("X1 Y1 X2", r"^a\.csv:1: landmark 2 with x but without y; expected two columns for each landmark; add the"),
        ("apex.Y", r"landmark apex with y but without x"),
        ("X1 Y1 x1", r"two columns for x of landmark 1; rename or remove one$"),
        ("X1 Y1 Z1", r"a column Z1: landmarks in three dimensions; expected landmarks on photographs, x and y"),
    ],
)
def test_columns_that_make_no_landmarks_are_refused(titles, message):
    with pytest.raises(UserError, match=message):
        coordinate_columns.find(titles.split(), "a.csv:1")


def test_programs_that_count_columns_need_x_and_y_in_turn():
    assert coordinate_columns.in_turn(["x1", "y1", "x2", "y2"], "a.txt:1") == ()
    assert coordinate_columns.in_turn(["apex.x", "apex.y"], "a.txt:1") == ("apex",)
    assert coordinate_columns.in_turn(["RawCoord1", "RawCoord2"], "a.txt:1") == ()
    for titles in (["x1", "x2", "y1", "y2"], ["y1", "x1"], ["x2", "y2", "x1", "y1"]):
        with pytest.raises(UserError, match=r"^a\.txt:1: columns in the order .*; put the columns into that order$"):
            coordinate_columns.in_turn(titles, "a.txt:1")


def test_titles_are_found_again():
    for names in ((), ("apex", "left 1", "x1")):
        titles = coordinate_columns.titles(names, 3)
        assert coordinate_columns.find(titles, "").names == names
        assert coordinate_columns.find(titles, "").places == ((0, 1), (2, 3), (4, 5))
    assert coordinate_columns.titles((), 2) == ["X1", "Y1", "X2", "Y2"]
    assert coordinate_columns.titles(("apex",), 1, "xy") == ["apex.x", "apex.y"]
