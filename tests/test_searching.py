"""Specimens in any direction, several on a photograph: found, landmarked, numbered and written."""

import csv

import numpy as np
import pytest
from PIL import Image

from pronotum import demo, formats, geometry, images, inference, landmarking, poses, searching, workflows
from pronotum.models.finder import Found

SIZE = (192, 144)
SETTINGS = {
    "model.finder.frame": "[192, 128]",
    "model.finder.widths": "[16, 24, 32, 48, 64]",
    "model.finder.depth": 32,
    "finder_steps": 600,
    "finder_batch": 4,
    "coarse_steps": 200,
    "fine_steps": 60,
    "coarse_epochs": 1,
    "fine_epochs": 1,
    "model.upright.coarse_widths": "[16,16,24,24]",
    "model.upright.coarse_depth": 24,
    "model.upright.fine_widths": "[8,16,16]",
    "model.upright.fine_depth": 16,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=16, seed=1, size=SIZE)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    workflows.train(data, folder, workflows.TrainOptions("fast", 0, "cpu", 0.0, SETTINGS, pose="free"))
    return folder


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Four new beetles, turned by 0, 100, 190 and 280 degrees, and their landmarks from the top left on."""
    new = demo.draw_beetles(tmp_path_factory.mktemp("new"), "pronotum", n=4, seed=7, size=SIZE)
    picture, points = None, []
    for at, angle in enumerate((0, 100, 190, 280)):
        pixels = Image.fromarray(images.read(new.photographs[at]))
        ground = tuple(int(v) for v in np.median(np.asarray(pixels)[0], axis=0))
        picture = picture or Image.new("RGB", (440, 440), ground)
        turned = pixels.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
        place = np.array([110 + 220 * (at % 2), 110 + 220 * (at // 2)]) - (np.array(turned.size) - 1) // 2
        picture.paste(turned, tuple(place))
        before, after = (np.array(SIZE) - 1) / 2, (np.array(turned.size) - 1) / 2
        spin = geometry.translation(*after) @ geometry.similarity(np.radians(-angle), 1, (0, 0))
        points.append(geometry.transform(spin @ geometry.translation(*-before), new.points[at]) + place)
    path = tmp_path_factory.mktemp("plate") / "plate.png"
    picture.save(path)
    return path, np.stack(points)


def test_each_specimen_of_a_plate_is_found_once_and_landmarked(run, plate, tmp_path):
    path, points = plate
    done = landmarking.predict(run, [path], tmp_path, device="cpu")
    specimens = formats.load(tmp_path / "predictions.tps", lambda name: (440, 440))
    assert [one.id for one in specimens] == ["1.1", "1.2", "1.3", "1.4"]
    assert {one.image for one in specimens} == {"plate.png"}
    errors = np.linalg.norm(np.stack([one.points for one in specimens]) - points, axis=-1)
    assert np.median(errors) < 6  # of specimens 150 px across, by a network that has hardly been trained
    assert (np.median(errors, axis=1) < 15).all()
    assert done.opened == 1
    with (tmp_path / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4 * points.shape[1]
    assert (tmp_path / "overlays" / "plate.png.png").exists()


def test_upright_photographs_are_evaluated_too_and_none_is_dropped(run, data):
    evaluation = workflows.evaluate(run, data, device="cpu")
    assert len(evaluation.data) == len(data)
    found = np.isfinite(evaluation.errors).any(1)
    assert found.sum() >= 12
    missed = [problem for problem in evaluation.problems if "not found" in problem.what]
    assert len(missed) == (~found).sum()


def test_a_blank_photograph_has_no_specimen(run, tmp_path):
    Image.new("RGB", SIZE, (200, 200, 190)).save(tmp_path / "blank.png")
    done = landmarking.predict(run, [tmp_path / "blank.png"], tmp_path / "out", device="cpu")
    assert [str(one) for one in done.problems] == [f"{tmp_path / 'blank.png'}: no specimen found"]
    assert (tmp_path / "out" / "predictions.tps").read_text() == ""


def test_what_the_border_cuts_off_is_missing_and_said():
    points, nothing = np.array([[10, 10], [50, 10], [50, 79.4], [10, 80.6]]), np.zeros(4)
    specimen = searching.Specimen(points, nothing, nothing, np.eye(3), nothing, 1.0)
    cut = searching._at_the_border(specimen, (100, 80))
    np.testing.assert_array_equal(np.isnan(cut.points).any(1), [False, False, False, True])
    assert cut.remark == searching.CUT
    assert searching._at_the_border(specimen, (100, 90)) is specimen


def test_a_mirrored_specimen_has_its_pairs_swapped():
    points, trust = np.array([[10, 10], [50, 10], [30, 60.0]]), np.array([0.9, 0.5, 0.7])
    partners, nothing = [1, 0, 2], np.zeros(3)
    over = searching.Specimen(points, trust, trust, np.diag([-1.0, 1, 1]), nothing, 1.0)
    named = searching._named(over, partners)
    np.testing.assert_array_equal(named.points, points[partners])
    np.testing.assert_array_equal(named.confidence, [0.5, 0.9, 0.7])
    said = inference.Prediction(
        *("a", (90, 90), named.points, trust, trust, nothing, ""), (over.picture, (90, 90)), named.order
    )
    np.testing.assert_array_equal(said.as_seen[0], points * [-1, 1])  # as the networks saw it
    straight = searching.Specimen(points, trust, trust, np.eye(3), nothing, 1.0)
    assert searching._named(straight, partners) is straight


def test_specimens_that_overlap_are_said_to():
    square, nothing = np.array([[0, 0], [40, 0], [40, 40], [0, 40.0]]), np.zeros(4)
    seen = [
        searching.Specimen(square + place, nothing, nothing, np.eye(3), nothing, 1.0) for place in (0, [10, 0], 100)
    ]
    assert [one.remark for one in searching._crowded(seen)] == [searching.OVERLAPPED, searching.OVERLAPPED, ""]


def test_predictions_belong_to_the_nearest_specimen():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
    manual = np.stack([square, square + 40, square + [200, 0]])

    def prediction(points):
        nothing = np.zeros(4)
        return inference.Prediction("a", (300, 300), points, nothing, nothing, nothing, "", (np.eye(3), (9, 9)))

    found = [prediction(square + 41), prediction(square + 1), prediction(square + 100)]
    given = dict(inference.assign(found, [0, 1, 2], manual, [(300, 300)] * 3, "a"))
    np.testing.assert_array_equal(given[0].points, square + 1)
    np.testing.assert_array_equal(given[1].points, square + 41)
    assert not given[2].placed.any()
    assert given[2].remark == "not found"


def test_a_specimen_seen_at_two_looks_counts_once():
    frame, looks = (100, 80), searching._looks((400, 320), (100, 80))
    pose = poses.pose(np.array([100.0, 80.0]), 60.0, 30.0)
    said = []
    for look in looks:
        there = look @ pose
        inside = (there[:2, 2] > 0).all() and (there[:2, 2] < frame).all()
        said.append([Found(there, 0.9, 0.9, ())] if inside else [])
    assert sum(map(len, said)) >= 2
    (one,) = searching._agreed(said, looks, frame)
    np.testing.assert_allclose(one.pose, pose, atol=1e-9)


@pytest.mark.parametrize(
    ("place", "sure", "kept"),
    [
        ((0, 10), 0.75, False),  # within the box
        ((0, 60), 0.75, True),  # a small one, lying close
        ((0, 60), 0.25, False),  # a part of the large one
        ((0, 100), 0.25, True),  # a specimen of its own, if a doubtful one
    ],
)
def test_what_lies_beside_a_specimen_is_another_if_it_is_as_sure(place, sure, kept):
    square, nothing, picture = np.array([[-40, -40], [40, -40], [40, 40], [-40, 40.0]]), np.ones(4), (100, 100)
    upright = poses.Upright(square / np.linalg.norm(square))
    size = np.linalg.norm(square)

    def lying(place, factor, sure):
        matrix = upright.from_photograph(poses.pose(np.array(place, dtype=float), factor * size, 30.0), picture)
        points = geometry.transform(np.linalg.inv(matrix) @ upright.to_picture(picture), upright.shape)
        return searching.Specimen(points, nothing, nothing, matrix, nothing, sure)

    turn = geometry.similarity(np.radians(30.0), 1.0, (0, 0))
    large = lying((0, 0), 1.0, 0.8)
    other = lying(geometry.transform(turn, np.array([place], dtype=float))[0], 0.25, sure)
    found = searching._each_once([other, large], upright, picture)
    assert any(one is large for one in found)
    assert any(one is other for one in found) is kept
