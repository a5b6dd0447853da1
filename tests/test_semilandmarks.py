"""Curves become semilandmarks and curves again: where the points lie, what is missing, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pronotum import formats
from pronotum.data import open_data
from pronotum.errors import UserError
from pronotum.formats import predictions
from pronotum.landmarks import Curve, Landmarks, Scheme
from pronotum.semilandmarks import from_curves, resample, to_curves

NAN = (np.nan, np.nan)
CORNER = np.array([[0.0, 0], [3, 0], [3, 4]])
"""A way of length 7."""


@pytest.mark.parametrize(
    ("points", "options", "expected"),
    [
        (2, {}, [[0, 0], [3, 4]]),
        (8, {}, [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]]),
        (6, {"inside": True}, [[1, 0], [2, 0], [3, 0], [3, 1], [3, 2], [3, 3]]),
        (3, {"closed": True}, [[0, 0], [3, 1], [2.4, 3.2]]),  # 12 px round
    ],
)
def test_points_are_equally_far_apart_along_the_way(points, options, expected):
    assert resample(CORNER, points, **options) == pytest.approx(np.array(expected, dtype=float))


def test_a_curve_that_was_closed_by_hand_is_the_same():
    by_hand = np.concatenate([CORNER, CORNER[:1]])
    assert resample(by_hand, 5, closed=True) == pytest.approx(resample(CORNER, 5, closed=True))


def test_nothing_is_made_up_where_the_way_is_not_known():
    gap = np.array([[0.0, 0], [2, 0], NAN, [4, 0], [6, 0]])
    found = resample(gap, 7)
    assert found[[0, 1, 2, 4, 5, 6]].tolist() == [[0, 0], [1, 0], [2, 0], [4, 0], [5, 0], [6, 0]]
    assert np.isnan(found[3]).all()
    for unknown in ([NAN, [2, 0], [4, 0]], [[0, 0], [2, 0], NAN], [[1, 1]], [], [[1, 1], [1, 1]]):
        assert np.isnan(resample(np.array(unknown, dtype=float).reshape(-1, 2), 3)).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), points=st.integers(2, 40))
def test_points_of_a_circle_are_equally_far_apart_and_on_it(seed, points):
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, np.pi, 401)
    angles[1:-1] += rng.uniform(-0.49, 0.49, 399) * np.pi / 400  # nowhere further apart than two steps
    found = resample(np.column_stack([np.cos(angles), np.sin(angles)]), points)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=0.001)
    assert np.arctan2(found[:, 1], found[:, 0]) == pytest.approx(np.linspace(0, np.pi, points), abs=0.003)


MARGIN = Curve("margin", 3, ends=(0, 1))
SCHEME = Scheme(("base", "apex", *MARGIN.names), curves=(MARGIN,))


def test_a_curve_between_landmarks_begins_and_ends_there_whichever_way_it_was_digitised():
    landmarks = [[0, 0], [8, 0]]
    for curve in ([[1, 0], [5, 0]], [[5, 0], [1, 0]], [[0, 0], [8, 0]]):
        found = from_curves(Landmarks(landmarks, curves=(np.array(curve, dtype=float),)), SCHEME)
        assert found.points.tolist() == [[0, 0], [8, 0], [2, 0], [4, 0], [6, 0]]
        assert found.names == ("base", "apex", "margin 1", "margin 2", "margin 3")
        assert found.curves == ()


def test_without_its_curve_or_its_end_a_specimen_lacks_the_semilandmarks():
    for specimen in (
        Landmarks([[0, 0], [8, 0]]),
        Landmarks([[0, 0], [8, 0]], curves=(np.empty((0, 2)),)),
        Landmarks([[0, 0], NAN], curves=(np.array([[0.0, 0], [8, 0]]),)),
    ):
        found = from_curves(specimen, SCHEME)
        assert found.points[:2] == pytest.approx(specimen.points, nan_ok=True)
        assert np.isnan(found.points[2:]).all()


def test_a_file_that_has_all_points_as_landmarks_is_taken_as_it_is():
    points = np.arange(10.0).reshape(5, 2)
    assert from_curves(Landmarks(points), SCHEME).points.tolist() == points.tolist()


@pytest.mark.parametrize(
    ("n_landmarks", "n_curves", "said"),
    [
        (2, 2, r"w.jpg: 2 curves; expected 1 as in the scheme, or none; digitise the rest"),
        (3, 1, r"w.jpg: 3 landmarks; expected 2 as in the scheme; digitise the rest"),
        (5, 1, r"w.jpg: 5 landmarks; expected 2 as in the scheme"),
    ],
)
def test_other_numbers_are_refused(n_landmarks, n_curves, said):
    curves = (np.zeros((2, 2)),) * n_curves
    with pytest.raises(UserError, match=said):
        from_curves(Landmarks(np.zeros((n_landmarks, 2)), image="w.jpg", curves=curves), SCHEME)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), closed=st.booleans())
def test_semilandmarks_go_back_into_curves_and_lose_nothing(seed, closed):
    points = np.random.default_rng(seed).normal(size=(9, 2))
    margin, rim = Curve("margin", 3, ends=(0, 1)), Curve("rim", 4, closed=closed)
    scheme = Scheme(("base", "apex", *margin.names, *rim.names), curves=(margin, rim))
    back = to_curves(Landmarks(points, names=scheme.names), scheme)
    assert (back.n_landmarks, back.names, [len(curve) for curve in back.curves]) == (2, ("base", "apex"), [3, 4])
    assert np.concatenate([back.points, *back.curves]).tolist() == points.tolist()


def test_equally_spaced_semilandmarks_on_a_straight_way_read_back_exactly():
    there = from_curves(Landmarks([[0, 0], [8, 4]], curves=(np.array([[0.0, 0], [8, 4]]),)), SCHEME)
    again = from_curves(to_curves(there, SCHEME), SCHEME)
    assert again.points == pytest.approx(there.points, abs=1e-12)


DECLARED = 'names = ["base", "apex"]\n[[curves]]\nname = "margin"\npoints = 3\nends = ["base", "apex"]\n'
RECORDS = """\
LM=2
10.00000 90.00000
50.00000 90.00000
CURVES=1
POINTS=3
10.00000 90.00000
30.00000 90.00000
50.00000 90.00000
IMAGE=a.png
ID=1
LM=2
10.00000 50.00000
50.00000 50.00000
IMAGE=b.png
ID=2
LM=2
10.00000 50.00000
50.00000 50.00000
CURVES=2
POINTS=2
10.00000 50.00000
50.00000 50.00000
POINTS=1
1.00000 1.00000
IMAGE=c.png
ID=3
"""


@pytest.fixture
def folder(tmp_path):
    for name in "abc":
        Image.new("RGB", (80, 100), "white").save(tmp_path / f"{name}.png")
    (tmp_path / "wings.tps").write_text(RECORDS)
    return tmp_path


def test_with_a_scheme_data_have_semilandmarks_and_what_does_not_fit_is_named(folder):
    (folder / "scheme.toml").write_text(DECLARED)
    data = open_data(folder)
    assert data.scheme.names == ("base", "apex", "margin 1", "margin 2", "margin 3")
    assert data.points[0].tolist() == [[10, 10], [50, 10], [20, 10], [30, 10], [40, 10]]
    assert np.isnan(data.points[1, 2:]).all()
    assert [str(one) for one in data.problems] == [
        "c.png (ID=3): 2 curves; expected 1 as in the scheme, or none; digitise the rest, or mend the scheme"
    ]


def test_a_scheme_that_fits_no_specimen_is_refused_with_the_first_reason(folder):
    (folder / "scheme.toml").write_text("names = 3")
    with pytest.raises(UserError, match=r"^a.png \(ID=1\): 2 landmarks; expected 3 as in the scheme"):
        open_data(folder)


def test_names_of_the_file_must_be_those_of_the_scheme_in_its_order(folder, monkeypatch):
    (folder / "scheme.toml").write_text('names = ["base", "apex"]')
    named = (Landmarks([[1, 2], [3, 4]], image="a.png", names=("apex", "base")),)
    monkeypatch.setattr(formats, "load", lambda path, sizes, name: named)
    with pytest.raises(UserError, match=r"landmarks named apex, base; expected base, apex as in the scheme"):
        open_data(folder / "wings.tps")


def test_check_says_in_one_line_that_curves_are_not_used(command, folder, capsys):
    def check():
        return command("check", folder, "--sheet", folder / "sheet.png"), capsys.readouterr().out

    status, said = check()
    assert status == 0
    assert "curves: in 2 of 3 records, not used; a scheme makes semilandmarks of them (docs/scheme.md)" in said
    (folder / "scheme.toml").write_text(DECLARED)
    status, said = check()
    assert status == 1  # c.png is left out
    assert "5 landmarks each, 3 of them on 1 curve" in said
    assert "not used" not in said


def test_predictions_keep_semilandmarks_as_curves_in_tps_and_as_rows_in_the_table(folder, tmp_path):
    points = np.array([[10, 10], [50, 10], [20, 11], [30, 12], [40, 11]], dtype=float)
    specimen = Landmarks(points, image="a.png", id="1")
    row = predictions.Row(specimen, (80, 100), confidence=np.ones(5), presence=np.ones(5), radii=np.ones((5, 3)))
    predictions.write(tmp_path / "p.tps", tmp_path / "p.csv", [row], SCHEME)
    assert (tmp_path / "p.tps").read_text() == (
        "LM=2\n10.00000 90.00000\n50.00000 90.00000\nCURVES=1\nPOINTS=3\n20.00000 89.00000\n30.00000 88.00000\n"
        "40.00000 89.00000\nIMAGE=a.png\nID=1\n"
    )
    table = (tmp_path / "p.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in table[1:]] == list(SCHEME.names)


def test_curves_of_trilobites_are_resampled_on_the_way_that_was_digitised(shared_data):
    """Serra et al. (2023), trilomorph: 16 landmarks, 4 curves of 30 points each."""
    files = sorted((shared_data / "tps-zoo").glob("balsedie+trilomorph*.tps"))
    curves = tuple(Curve(name, 12) for name in "abcd")
    scheme = Scheme((*Scheme.numbered(16).names, *(name for one in curves for name in one.names)), curves=curves)
    assert files
    for file in files:
        (specimen,) = formats.load(file)
        found = from_curves(specimen, scheme)
        for way, run in zip(specimen.curves, scheme.runs, strict=True):
            if np.isnan(way).any():
                continue
            placed, closer = found.points[list(run)], np.empty(len(run))
            for number, point in enumerate(placed):
                steps = np.diff(way, axis=0)
                share = ((point - way[:-1]) * steps).sum(1) / np.maximum((steps**2).sum(1), 1e-12)
                foot = way[:-1] + np.clip(share, 0, 1)[:, None] * steps
                closer[number] = np.linalg.norm(point - foot, axis=1).min()
            assert closer.max() < 1e-6
            assert placed[[0, -1]].tolist() == way[[0, -1]].tolist()
