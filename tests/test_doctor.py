"""The doctor finds errors planted into clean sets, names them rightly, and mends them; on real sets too."""

from dataclasses import replace

import numpy as np
import pytest

from pronotum import demo, doctor, formats, images
from pronotum.doctor import Change, Patient, mend, surroundings
from pronotum.doctor.photographs import same_photographs, strange_photographs
from pronotum.landmarks import Landmarks

SHAPE = np.array([[60, 40], [130, 52], [215, 70], [260, 140], [200, 200], [120, 215], [50, 170], [35, 100.0]])
SIZE = (440, 400)


def clean(n, seed):
    """Configurations of eight landmarks that vary as specimens do."""
    random = np.random.default_rng(seed)
    modes = random.normal(0, 1, (2, 8, 2))
    shapes = SHAPE + np.einsum("nm,mkj->nkj", random.normal(0, 4, (n, 2)), modes) + random.normal(0, 1.5, (n, 8, 2))
    angle = random.normal(0, 0.06, n)
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    return (
        (shapes - 140) @ turn * np.exp(random.normal(0, 0.08, (n, 1, 1))) + [200, 180] + random.normal(0, 8, (n, 1, 2))
    )


def patient(points, **known):
    n = len(points)
    names = [f"s{i}" for i in range(n)]
    return replace(Patient(points, names, names, [None] * n, [SIZE] * n), **known)


def plant(kind, points, i, random):
    own = points[i].copy()
    if kind == "mirrored":
        own[:, 0] = SIZE[0] - 1 - own[:, 0]
    elif kind == "y flipped":
        own[:, 1] = SIZE[1] - own[:, 1]
    elif kind == "swapped":
        a, b = random.choice(8, 2, replace=False)
        own[[a, b]] = own[[b, a]]
    elif kind == "order":
        own = np.roll(own, int(random.integers(1, 8)), axis=0)
        own = own if random.random() < 0.5 else own[::-1]
    elif kind == "landmark":
        angle = random.uniform(0, 2 * np.pi)
        own[random.integers(8)] += random.uniform(25, 60) * np.array([np.cos(angle), np.sin(angle)])
    planted = points.copy()
    planted[i] = own
    return planted


@pytest.mark.parametrize("kind", ["mirrored", "y flipped", "swapped", "order", "landmark"])
def test_planted_errors_are_found_named_and_mended(kind):
    found, mended = 0, 0
    for seed in range(20):
        random = np.random.default_rng([7, seed])
        points, i = clean(25, seed), int(random.integers(25))
        planted = plant(kind, points, i, random)
        findings = doctor.diagnose(patient(planted))
        if findings and findings[0].specimen == i and findings[0].kind == kind:
            found += 1
            repaired = mend(Landmarks(planted[i]), findings[0].change, SIZE).points
            there = ~np.isnan(repaired)
            mended += np.allclose(repaired[there], points[i][there], atol=1e-9)
    assert found >= 19
    assert mended >= 19


def test_clean_sets_are_left_alone():
    assert sum(len(doctor.diagnose(patient(clean(30, seed)))) for seed in range(100, 120)) <= 6  # of 600 records


@pytest.mark.parametrize(
    ("factor", "unit"), [(10, "mm and cm"), (1 / 10, "mm and cm"), (25.4, "mm and inch"), (1e-3, "um")]
)
def test_scales_in_another_unit(factor, unit):
    points = clean(12, 3)
    scales = [0.01] * 12
    scales[4] *= factor
    (finding,) = doctor.diagnose(patient(points, scales=scales))
    assert (finding.kind, finding.specimen) == ("scale", 4)
    assert unit in finding.evidence
    mended = mend(Landmarks(points[4], scale=scales[4]), finding.change, SIZE)
    assert mended.scale == pytest.approx(0.01)


def test_landmarks_outside_and_copied_records():
    points = clean(12, 4)
    points[3, 5] = [470, 100]
    points[7] = points[2]
    kinds = {(one.kind, one.specimen) for one in doctor.diagnose(patient(points))}
    assert {("outside", 3), ("digitised twice", 7)} <= kinds


def pictures(n, seed):
    return np.random.default_rng(seed).normal(0, 1, (n, 17, 17)).cumsum(1).cumsum(2)


def test_the_same_photograph_under_two_names_also_when_saved_again():
    thumbnails, points = pictures(10, 0), clean(10, 5)
    thumbnails[6] = thumbnails[1] * 0.9 + 3 + np.random.default_rng(1).normal(0, 0.02, (17, 17))
    thumbnails[8] = thumbnails[2]
    digests = [str(i) for i in range(10)]
    digests[8] = "2"
    names = [f"s{i}" for i in range(10)]
    found = {one.specimen: one for one in same_photographs(digests, thumbnails, points, names, names)}
    assert set(found) == {6, 8}
    assert found[6].evidence.startswith("nearly the same picture as that of s1, landmarks ")
    assert found[8].evidence.startswith("byte for byte the photograph of s2")


def test_several_specimens_on_one_photograph_are_no_error_but_twice_the_same_is():
    thumbnails, points = np.repeat(pictures(1, 0), 3, axis=0), clean(3, 6)
    points[1] += [150, 0]
    names = ["a", "b", "c"]
    found = same_photographs(["x"] * 3, thumbnails, points, names, ["plate.jpg"] * 3)
    assert [(one.kind, one.specimen) for one in found] == [("digitised twice", 2)]


def test_a_picture_of_something_else():
    described = np.random.default_rng(0).normal(0, 1, (30, 22))
    assert strange_photographs(described, ["s"] * 30) == []
    described[11] += 5
    assert [one.specimen for one in strange_photographs(described, ["s"] * 30)] == [11]


def test_manual_landmarks_far_from_out_of_fold_predictions():
    points = clean(20, 8)
    predicted = points + np.random.default_rng(0).normal(0, 2, points.shape)
    points[9, 3] += [30, -10]
    findings = [one for one in doctor.diagnose(patient(points, predicted=predicted)) if one.kind == "residual"]
    assert [(one.specimen, one.landmarks) for one in findings[:1]] == [(9, (3,))]
    assert len(findings) <= 2


def test_changes_that_do_not_fit_are_refused():
    record = Landmarks(SHAPE)
    for change in (
        Change("permute", order=(0, 0)),
        Change("missing", landmarks=(9,)),
        Change("scale", factor=2),
        Change("?"),
    ):
        with pytest.raises(ValueError, match=r"no scale|does not fit"):
            mend(record, change, SIZE)
    assert mend(record, Change("remove"), SIZE) is None


def test_the_mirrored_mandible_of_the_published_beetles_comes_first(shared_data):
    path = shared_data / "beetle-founding-256" / "mandible_left__manual.tps"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    specimens = list(formats.load(path, lambda name: (256, 192)))
    points = np.stack([one.points for one in specimens])
    n = len(points)
    findings = doctor.diagnose(Patient(points, [one.name for one in specimens], [""] * n, [None] * n, [(256, 192)] * n))
    assert (findings[0].kind, specimens[findings[0].specimen].id) == ("mirrored", "270")
    assert len(findings) < 0.05 * n


@pytest.fixture(scope="module")
def beetles(tmp_path_factory):
    """Small drawings of beetles with their landmarks, as the doctor sees them."""
    data = demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=20, seed=3, size=(256, 192))
    return [images.read(path) for path in data.photographs], data.points


def around(pixels, points):
    return np.stack([surroundings.describe(*one) for one in zip(pixels, points, strict=True)])


def test_configurations_shifted_on_their_photograph_are_found(beetles):
    pixels, points = beetles
    names = [f"s{i}" for i in range(len(points))]
    found, others = 0, 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        i, angle = int(random.integers(len(points))), random.uniform(0, 2 * np.pi)
        shifted = points.copy()
        shifted[i] += 40 * np.array([np.cos(angle), np.sin(angle)])
        findings = surroundings.off_the_specimen(around(pixels, shifted), names)
        found += any(one.specimen == i and not one.landmarks for one in findings)
        others += sum(one.specimen != i for one in findings)
    assert found >= 19
    assert others <= 1


def test_what_is_around_a_landmark():
    pixels = np.zeros((100, 100, 3), dtype=np.uint8)
    pixels[:, 50:] = [255, 0, 0]
    points = np.array([[20, 50], [80, 50], [49.5, 50], [np.nan, np.nan], [50, 10], [50, 90]])
    described = surroundings.describe(pixels, points)
    np.testing.assert_allclose(described[0], [0, 0, 0, np.log(0.01)] * 2)
    np.testing.assert_allclose(described[1], [1, 0, 0, np.log(0.01)] * 2, atol=1e-12)
    np.testing.assert_allclose(described[2, [0, 4]], 0.5, atol=1e-12)
    assert (described[2, [3, 7]] > np.log(0.1)).all()
    assert np.isnan(described[3]).all()
    assert np.isfinite(described[[0, 1, 2, 4, 5]]).all()
