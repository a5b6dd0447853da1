import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.disparity import disparity_ratio
from pronotum.morphometrics.observer import digitising_error, measurement_error, repeat_pairs

SPECIMENS = ["s1"] * 4 + ["s2"] * 3 + ["s3"] + ["s4"] * 2
OBSERVERS = ["ann", "ann", "bob", "bob", "ann", "ann", "cem", "ann", "bob", "cem"]


def digitised(seed):
    generator = np.random.default_rng(seed)
    places = {name: generator.uniform(0, 1000, (5, 2)) for name in set(SPECIMENS)}
    return np.stack([places[name] + generator.normal(0, 3, (5, 2)) for name in SPECIMENS])


def test_pairs_are_those_of_a_slow_loop():
    points = digitised(0)
    found = repeat_pairs(points, SPECIMENS, OBSERVERS)
    expected = [pair for pair in itertools.combinations(range(10), 2) if SPECIMENS[pair[0]] == SPECIMENS[pair[1]]]
    assert sorted(map(tuple, found.rows.tolist())) == expected
    for (a, b), distances, same in zip(found.rows, found.distances, found.same_observer, strict=True):
        assert distances == pytest.approx(np.hypot(*(points[a] - points[b]).T))
        assert same == (OBSERVERS[a] == OBSERVERS[b])


@pytest.mark.parametrize("centre", ["median", "mean"])
def test_errors_within_and_between_observers_are_those_of_a_slow_loop(centre):
    points = digitised(1)
    found = digitising_error(points, SPECIMENS, OBSERVERS, centre=centre)
    middle = np.median if centre == "median" else np.mean
    all_distances, intra, inter = [], [], []
    for specimen in ("s1", "s2", "s4"):
        rows = [row for row in range(10) if SPECIMENS[row] == specimen]
        all_distances += [np.hypot(*(points[row] - middle(points[rows], axis=0)).T) for row in rows]
        centres = []
        for observer in ("ann", "bob", "cem"):
            own = [row for row in rows if OBSERVERS[row] == observer]
            if own:
                centres.append(middle(points[own], axis=0))
            if len(own) > 1:
                intra += [np.hypot(*(points[row] - centres[-1]).T) for row in own]
        inter += [np.hypot(*(one - middle(centres, axis=0)).T) for one in centres]
    assert found.error == pytest.approx(np.mean(all_distances, axis=0))
    assert found.intra == pytest.approx(np.mean(intra, axis=0))
    assert found.inter == pytest.approx(np.mean(inter, axis=0))
    same = found.pairs.same_observer
    assert found.intra_pairs == pytest.approx(found.pairs.distances[same].mean(0))
    assert found.inter_pairs == pytest.approx(found.pairs.distances[~same].mean(0))
    assert (found.n_specimens, found.n_digitisations, found.observers) == (3, 9, ("ann", "bob", "cem"))
    assert set(found.intra_by_observer) == {"ann", "bob"}
    assert np.isnan(found.distances[7]).all()


def test_two_digitisations_lie_half_their_distance_from_their_centre():
    points = digitised(2)[:2]
    found = digitising_error(points, ["a", "a"], ["x", "y"])
    assert found.error == pytest.approx(found.inter_pairs / 2)
    assert np.isnan(found.intra).all()
    assert np.isnan(found.intra_pairs).all()
    assert found.intra_by_observer == {}


def test_a_missing_landmark_is_left_out_of_that_landmark_only():
    points = digitised(3)
    points[0, 2] = np.nan
    points[[8, 9], 4] = np.nan
    found = digitising_error(points, SPECIMENS, OBSERVERS)
    assert np.isfinite(found.error).all()
    assert np.isnan(found.distances[0, 2])
    assert np.isnan(found.distances[9, 4])
    plain = digitising_error(digitised(3), SPECIMENS, OBSERVERS)
    assert found.error[[0, 1, 3]] == pytest.approx(plain.error[[0, 1, 3]])


@given(st.permutations(range(10)), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_order_does_not_matter_and_units_go_along(order, factor):
    plain = digitising_error(digitised(4), SPECIMENS, OBSERVERS)
    mixed = digitising_error(
        factor * digitised(4)[order], [SPECIMENS[row] for row in order], [OBSERVERS[row] for row in order]
    )
    for name in ("error", "intra", "inter", "intra_pairs", "inter_pairs"):
        assert getattr(mixed, name) == pytest.approx(factor * getattr(plain, name))


def test_mistakes_are_said_in_one_line():
    points = digitised(5)
    with pytest.raises(UserError, match="10 digitisations, 9 specimens and 10 observers named"):
        digitising_error(points, SPECIMENS[1:], OBSERVERS)
    with pytest.raises(UserError, match="10 specimens, none digitised twice; digitise 20 to 30 of them again"):
        digitising_error(points, list(range(10)), OBSERVERS)
    with pytest.raises(UserError, match="2 specimens with two complete digitisations; expected at least 3"):
        measurement_error(points[:7], SPECIMENS[:7])


def test_repeatability_with_unequal_repeats_is_that_of_rs_mean_squares(reference, reference_shapes):
    repeats = np.repeat(np.arange(7), [3, 2, 2, 4, 2, 3, 2])
    found = measurement_error(reference_shapes[0], repeats.tolist())
    among, within = reference["repeats_ss"] / [6, 11]
    n0 = (18 - (9 + 4 + 4 + 16 + 4 + 9 + 4) / 18) / 6
    variance = (among - within) / n0
    assert found.repeatability == pytest.approx(variance / (variance + within), rel=1e-5)
    assert found.percent_error == pytest.approx(100 * within / (variance + within), rel=1e-5)
    assert (found.n_specimens, found.n_digitisations) == (7, 18)


def test_repeatability_of_known_variances():
    generator = np.random.default_rng(6)
    repeats = generator.integers(1, 5, 2000)
    specimens = np.repeat(np.arange(2000), repeats)
    shapes = generator.normal(size=(2000, 6, 2))[specimens] + 0.5 * generator.normal(size=(len(specimens), 6, 2))
    found = measurement_error(shapes, specimens.tolist())
    assert found.repeatability == pytest.approx(0.8, abs=0.01)
    assert found.percent_error == pytest.approx(20, abs=1)
    assert found.by_landmark == pytest.approx(np.full(6, 0.8), abs=0.03)
    assert found.n_specimens == (repeats > 1).sum()


def test_incomplete_digitisations_are_left_out(draw, superimposed):
    first, second = superimposed(*draw(0, n=10))
    shapes, specimens = np.concatenate([first, second]), [*range(10), *range(10)]
    shapes[3, 0] = np.nan
    found = measurement_error(shapes, specimens)
    keep = [row for row in range(20) if row not in (3, 13)]
    assert found.n_specimens == 9
    assert found.repeatability == measurement_error(shapes[keep], [specimens[row] for row in keep]).repeatability


def test_sticklebacks_digitised_twice_have_the_published_human_error(sticklebacks, superimposed):
    names = [name for name in sticklebacks["again"] if name in sticklebacks["manual"]]
    manual, again = (np.stack([sticklebacks[kind][name] for name in names]) for kind in ("manual", "again"))
    assert len(names) == 30  # of the same frame as manual.csv: y is not flipped, units are px
    both = repeat_pairs(np.concatenate([manual, again]), names * 2, ["first"] * 30 + ["second"] * 30)
    assert both.distances.mean() == pytest.approx(10.6, abs=0.05)
    assert np.median(both.distances) == pytest.approx(7.3, abs=0.05)
    assert np.quantile(both.distances, 0.9) == pytest.approx(21.8, abs=0.05)
    shapes = superimposed(manual, again)
    anova = procrustes_anova(np.stack(shapes, axis=1))
    assert anova.repeatability == pytest.approx(0.969, abs=0.0005)
    assert disparity_ratio(shapes[1], shapes[0], resamples=50).value == pytest.approx(0.997, abs=0.0005)
    found = measurement_error(np.concatenate(shapes), names * 2)
    assert found.repeatability == pytest.approx(0.966, abs=0.0005)  # the means of the two sets count as error
    assert found.repeatability < anova.repeatability


def trilobites(folder, name):
    path = folder / "trilobite-replicates" / f"{name}.tps"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    return formats.load(path)


@pytest.mark.parametrize(("name", "n", "n_observers", "error"), [("UA13256", 10, 1, 1.07), ("UA13384", 18, 8, 2.9)])
def test_trilobites_have_the_error_their_source_says(shared_data, name, n, n_observers, error):
    digitisations = trilobites(shared_data, name)
    observers = [one.id.rstrip("0123456789") for one in digitisations]
    found = digitising_error(np.stack([one.points for one in digitisations]), [name] * n, observers)
    assert (found.n_specimens, found.n_digitisations, len(found.observers)) == (1, n, n_observers)
    assert found.distances.mean() == pytest.approx(error, abs=0.05 if error > 2 else 0.005)
    if n_observers > 1:
        assert found.intra_by_observer["DB"] == pytest.approx(1.86, abs=0.005)
        assert np.nanmean(found.inter_pairs) > np.nanmean(found.intra_pairs)


def test_bee_wings_have_the_error_their_source_says(shared_data):
    folder = shared_data / "halictus-repeats"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    def wings(name):
        loaded = formats.load(folder / f"ligatus_{name}.TPS")
        return {one.image.rsplit("\\")[-1]: one.points for one in loaded if one.n_landmarks == 25}

    first, second = wings("11feb"), wings("27feb")
    names = [name for name in first if name in second]
    assert len(names) == 25
    points = np.stack([first[name] for name in names] + [second[name] for name in names])
    found = repeat_pairs(points, names * 2, ["11feb"] * 25 + ["27feb"] * 25)
    assert found.distances.mean() == pytest.approx(3.0, abs=0.05)
    assert np.median(found.distances) == pytest.approx(2.2, abs=0.05)
