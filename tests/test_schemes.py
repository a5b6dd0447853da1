"""scheme.toml: what it may say, what it becomes, and the one line that a mistake gets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import project, schemes
from pronotum.errors import UserError
from pronotum.landmarks import Curve, Scheme

WHOLE = """\
names = ["base", "apex", "left eye", "right eye"]
pairs = [["left eye", "right eye"], ["left margin", "right margin"], ["front", "front"]]
midline = ["base", 2, "suture"]
mirror = true
reference = "images/001.jpg"

[[curves]]
name = "left margin"
points = 2
ends = ["base", "apex"]

[[curves]]
name = "right margin"
points = 2
ends = [1, "apex"]

[[curves]]
name = "front"
points = 3

[[curves]]
name = "suture"
points = 2
"""


def written(folder, text):
    path = folder / "scheme.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_semilandmarks_follow_the_landmarks_and_pair_as_their_curves_do(tmp_path):
    scheme = schemes.read(written(tmp_path, WHOLE))
    assert scheme.names[:6] == ("base", "apex", "left eye", "right eye", "left margin 1", "left margin 2")
    assert (scheme.n_landmarks, scheme.n_fixed) == (13, 4)
    assert [list(run) for run in scheme.runs] == [[4, 5], [6, 7], [8, 9, 10], [11, 12]]
    assert scheme.curves[1] == Curve("right margin", 2, ends=(0, 1))
    # The front crosses the midline: its first semilandmark is the mirror image of its last.
    assert scheme.partners == (0, 1, 3, 2, 6, 7, 4, 5, 10, 9, 8, 11, 12)
    assert scheme.curve_partners == ((1, False), (0, False), (2, True), (3, False))
    assert (scheme.mirror, scheme.reference) == (True, "images/001.jpg")


def test_a_closed_curve_across_the_midline_keeps_its_beginning(tmp_path):
    text = 'names = ["base"]\npairs = [["rim", "rim"]]\n[[curves]]\nname = "rim"\npoints = 4\nclosed = true\n'
    scheme = schemes.read(written(tmp_path, text))
    assert scheme.partners == (0, 1, 4, 3, 2)
    assert schemes.read(written(tmp_path, schemes.render(scheme))) == scheme


def test_sliders_are_those_of_ktch():
    import numpy as np
    from ktch.landmark import combine_landmarks_and_curves, define_curve_sliders

    names = ("base", "apex", *(f"margin {i}" for i in (1, 2, 3)))
    between = Scheme(names, curves=(Curve("margin", 3, ends=(0, 1)),))
    wanted = combine_landmarks_and_curves(np.zeros((1, 2, 2)), [[np.zeros((3, 2))]], [(0, 1)])[1]
    assert [list(row) for row in between.sliders] == wanted.tolist()
    alone = Scheme(names, curves=(Curve("margin", 3),))
    assert [list(row) for row in alone.sliders] == define_curve_sliders([2, 3, 4]).tolist()
    closed = Scheme(names, curves=(Curve("margin", 3, closed=True),))
    assert [list(row) for row in closed.sliders] == define_curve_sliders([2, 3, 4, 2]).tolist()


def test_a_written_scheme_reads_back(tmp_path):
    scheme = schemes.read(written(tmp_path, WHOLE))
    schemes.write(tmp_path / "again.toml", scheme)
    assert schemes.read(tmp_path / "again.toml") == scheme
    assert Scheme.from_plain(scheme.as_plain()) == scheme


NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAME, min_size=4, max_size=6, unique=True), reference=NAME)
def test_any_name_survives_the_file(tmp_path_factory, names, reference):
    scheme = Scheme(tuple(names), ((0, 2),), (1,), reference=reference)
    path = tmp_path_factory.getbasetemp() / "hypothesis.toml"
    schemes.write(path, scheme)
    assert schemes.read(path) == scheme


def test_a_number_is_enough_where_landmarks_have_no_names(tmp_path):
    scheme = schemes.read(written(tmp_path, "names = 3\npairs = [[1, 3]]\n"))
    assert (scheme.names, scheme.pairs) == (("1", "2", "3"), ((0, 2),))


def test_the_file_beside_the_data_is_found_and_another_may_be_asked_for(tmp_path):
    assert schemes.find(tmp_path) is None
    own = written(tmp_path, "names = 3")
    (tmp_path / "wings.tps").write_text("")
    assert schemes.find(tmp_path / "wings.tps").n_landmarks == 3
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", "names = 4")
    assert schemes.find(tmp_path, other).n_landmarks == 4
    own.unlink()
    (tmp_path / "pronotum.toml").write_text('scheme = "other/scheme.toml"')
    assert project.find(tmp_path).scheme == other
    with pytest.raises(UserError, match=r"nothing.toml: no such file; check the spelling"):
        schemes.find(tmp_path, tmp_path / "nothing.toml")


CURVE = 'names = ["base", "apex"]\n[[curves]]\nname = "margin"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names = [1,,", r"scheme.toml: not TOML \(.*line 1, column 12\)\); expected names = "),
        ("", r"scheme.toml: no names; expected names = \[\"base\", \"apex\"\], or how many"),
        ("names = []", r"not one landmark; expected"),
        ("names = 0", r"not one landmark; expected"),
        ('names = ["a", 3]', r'names = \["a", 3\]; expected names = '),
        ('names = ["a", "a"]', r"the name 'a' twice; expected .*all different"),
        ('names = ["a", "b"]\nnmaes = 3', r"unknown setting 'nmaes'; did you mean 'names'\?"),
        (
            'names = ["left", "right"]\npairs = [["left", "rigth"]]',
            r"pairs names 'rigth', which is no landmark; did you",
        ),
        ("names = 3\npairs = [[1, 4]]", r"landmark 4 in pairs; expected a number from 1 to 3"),
        ("names = 3\npairs = [[1, 2, 3]]", r"pairs = \[1, 2, 3\]; expected pairs = "),
        ("names = 3\npairs = [[1, 1]]", r"'1' paired with itself; write it into midline"),
        ('names = ["a", "b"]\npairs = [["a", 1]]', r"'a' paired with itself"),
        ("names = 3\npairs = [[1, 2], [2, 3]]", r"a landmark in two mirror pairs"),
        ("names = 3\npairs = [[1, 2]]\nmidline = [1]", r"a landmark in two mirror pairs, or in one and on the midline"),
        ("names = 3\npairs = [[1, 2]]\nmirror = true", r"mirror, but 3 neither in a pair nor on the midline"),
        (CURVE, r"no points of curve 1; expected \[\[curves\]\] with name = "),
        (CURVE + "points = 0", r"curve 1: points = 0; expected"),
        (CURVE + "points = 1", r"curve 'margin': 1 point; expected at least 2"),
        (CURVE + "points = 2\nclosed = true", r"curve 'margin': 2 points; expected at least 3"),
        (
            CURVE + 'points = 9\nclosed = true\nends = ["base", "apex"]',
            r"closed and between two landmarks; expected either",
        ),
        (
            CURVE + 'points = 9\nends = ["base", "tip"]',
            r"ends names 'tip', which is no landmark; choose one of: base, apex",
        ),
        (CURVE + "points = 9\nslide = true", r"unknown setting 'slide'"),
        ('names = ["margin 1"]\n[[curves]]\nname = "margin"\npoints = 2', r"the name 'margin 1' twice"),
        (
            'pairs = [["base", "margin"]]\n' + CURVE + "points = 9",
            r"the pair 'base' and 'margin'; expected two landmarks",
        ),
    ],
)
def test_mistakes_are_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as refused:
        schemes.read(written(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_text_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "scheme.toml"
    path.write_bytes('names = ["Flügel"]'.encode("cp1252"))
    with pytest.raises(UserError, match="not UTF-8 text; save it as UTF-8"):
        schemes.read(path)
