"""Numbers at their ends: a clear message or a right result, never a wrong one in silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image

from pronotum import poses, searching, training, workflows
from pronotum.cli_parts import overrides
from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.models import architecture
from pronotum.models.heatmap import HeatmapConfig
from pronotum.morphometrics.shape_prior import ShapePrior
from pronotum.morphometrics.superimposition import mean_shape
from pronotum.settings import resolve
from pronotum.synthetic import draw

from .conftest import FULL, SIZE, TINY

N = 6


def points_of(number: int) -> np.ndarray:
    return np.array(draw("pronotum", number, size=SIZE).points)


def dataset(folder: Path, *, points=points_of, picture=None, n: int = N) -> Path:
    """A folder of photographs with landmarks, each from its number."""
    folder.mkdir(parents=True)
    specimens = []
    for number in range(1, n + 1):
        pixels = draw("pronotum", number, size=SIZE).image if picture is None else picture(number)
        Image.fromarray(pixels).save(folder / f"b{number}.png")
        specimens.append(Landmarks(points(number), image=f"b{number}.png", id=str(number)))
    tps.save(folder / "landmarks.tps", specimens, lambda name: SIZE)
    return folder


def missing(number: int) -> np.ndarray:
    return np.full((8, 2), np.nan)


def missing_but_one(number: int) -> np.ndarray:
    return points_of(number) if number == 1 else missing(number)


def one_missing_everywhere(number: int) -> np.ndarray:
    points = points_of(number)
    points[3] = np.nan
    return points


def many(number: int) -> np.ndarray:
    """500 landmarks: the outline, densely."""
    corners = points_of(number)
    share = np.linspace(0, len(corners), 500, endpoint=False)
    start, end = corners[share.astype(int)], np.roll(corners, -1, 0)[share.astype(int)]
    return start + (share % 1)[:, None] * (end - start)


def grey(number: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 128, dtype=np.uint8)


def same(number: int) -> np.ndarray:
    return np.array(draw("pronotum", 1, size=SIZE).image)


DATA = {
    "all landmarks missing": {"points": missing},
    "all landmarks missing but those of one specimen": {"points": missing_but_one},
    "one landmark missing everywhere": {"points": one_missing_everywhere},
    "constant photographs": {"picture": grey},
    "identical photographs": {"picture": same, "points": lambda number: points_of(1)},
    "identical landmarks on different photographs": {"points": lambda number: points_of(1)},
    "one specimen": {"n": 1},
    "two specimens": {"n": 2},
    "one landmark": {"points": lambda number: points_of(number)[:1]},
    "two landmarks": {"points": lambda number: points_of(number)[:2]},
    "landmarks on a line": {"points": lambda number: np.linspace((10, 10), (100 + number, 80), 8)},
    "all landmarks at one place": {"points": lambda number: np.full((8, 2), 60.0 + number)},
    "landmarks far outside": {"points": lambda number: points_of(number) + 1e7},
    "500 landmarks": {"points": many},
}
REFUSED = {"all landmarks missing", "one landmark missing everywhere", "one specimen", "two specimens"}
"""What nothing can be learnt from: the command says so."""


def clear(outcome, *codes: int) -> bool:
    """Whether a command has ended as it may: done, or with one line that says what is wrong."""
    if "Traceback" in outcome.said or outcome.code not in (codes or (0, 1, 2)):
        return False
    errors = [line for line in outcome.said.splitlines() if line.startswith("error: ")]
    return len(errors) == (outcome.code == 2)


@pytest.mark.parametrize("name", DATA if FULL else list(DATA)[::2])
def test_data(name, nursery, trained, note, tmp_path):
    data, run = dataset(tmp_path / "data", **DATA[name]), tmp_path / "run"
    checked = nursery.run(tmp_path, "check", data, "--sheet", tmp_path / "sheet.png", watch=False)
    assert clear(checked), checked.said
    learnt = nursery.run(tmp_path, "train", data, "-o", run, *TINY, "--json", watch=False)
    assert clear(learnt, 2 if name in REFUSED else 0), learnt.said
    steps = 2
    if learnt.code == 0:
        assert all(np.isfinite(v).all() for v in safetensors.numpy.load_file(run / "model.safetensors").values())
        for command in (
            ("predict", run, data, "-o", tmp_path / "out", "--json"),
            ("evaluate", run, data, "--report", tmp_path / "report.html"),
        ):
            outcome = nursery.run(tmp_path, *command, watch=False)
            assert clear(outcome, 0, 1), (command, outcome.said)
            steps += 1
        found = tps.load(tmp_path / "out" / "predictions.tps", lambda name: SIZE)
        wanted = tps.load(data / "landmarks.tps", lambda name: SIZE)[0].points.shape
        assert {one.points.shape for one in found} <= {wanted}
    agreed = nursery.run(
        tmp_path, "agree", data / "landmarks.tps", data / "landmarks.tps", "-o", tmp_path / "agreed", watch=False
    )
    assert clear(agreed), agreed.said
    note(steps + 1, "commands on degenerate data")


CROSS_VALIDATED = list(DATA) if FULL else ["one landmark", "identical photographs"]


@pytest.mark.parametrize("name", CROSS_VALIDATED)
def test_cross_validation_and_doctor(name, nursery, trained, note, tmp_path):
    data = dataset(tmp_path / "data", **DATA[name])
    for command in (
        ("crossvalidate", data, "-o", tmp_path / "run", "--folds", "2", *TINY),
        ("doctor", data, "-o", tmp_path / "doctor"),
    ):
        outcome = nursery.run(tmp_path, *command, watch=False)
        assert clear(outcome), (command, outcome.said)
    note(2, "cross-validations and examinations of degenerate data")


FREE = ["one landmark", "all landmarks at one place", "landmarks on a line", "500 landmarks"]


@pytest.mark.parametrize("name", FREE if FULL else FREE[:2])
def test_specimens_in_any_pose(name, nursery, trained, note, tmp_path):
    data = dataset(tmp_path / "data", **DATA[name])
    settings = [one.replace("model.", "model.upright.") for one in TINY]
    settings[settings.index("--pose") + 1] = "free"
    extra = ["--set", "finder_steps=2", "--set", "finder_batch=1", "--set", "model.finder.frame=[64,64]"]
    extra += ["--set", "model.finder.widths=[8,8,8]", "--set", "model.finder.depth=8"]
    learnt = nursery.run(tmp_path, "train", data, "-o", tmp_path / "run", *settings, *extra, watch=False)
    assert clear(learnt, 0, 2), learnt.said
    if learnt.code == 0:
        outcome = nursery.run(tmp_path, "predict", tmp_path / "run", data, "-o", tmp_path / "out", watch=False)
        assert clear(outcome, 0, 1), outcome.said
    note(2, "trainings of a finder on degenerate data")


SETTINGS = (
    *("model.frame=[100,100]", "model.frame=[0,0]", "model.frame=[-64,64]", "model.detail=[0,0]"),
    *("model.window=0", "model.window=33", "model.coarse_widths=[]", "model.coarse_widths=[0,0,0]"),
    *("model.coarse_stride=3", "model.fine_stride=0", "model.coarse_depth=0", "model.members=0", "model.n_landmarks=0"),
    *("model.n_landmarks=7", "batch=0", "coarse_epochs=-1", "averaging=2", "averaging=nan", "sigma=0", "sigma=nan"),
    *("rate=nan", "rate=-1", "rate=inf", "decay=-1", "decay=nan", "jitter=-1", "bend=nan", "paste=7"),
    *("augmentation.rotation=nan", "augmentation.shift=-3", "fine_sigma=-1", "finest_epochs=-1", "model.finest=[0,0]"),
    *("model.references=-1", "model.finest_window=0"),
)


@pytest.mark.finding("Settings that no network has ended in a Python error, or trained one that cannot work.")
def test_settings_that_cannot_be(beetles, trained, nursery, note, tmp_path):
    data, kind = workflows.check(beetles), architecture.named("heatmap")
    for setting in SETTINGS:
        with pytest.raises(UserError) as error:
            resolve(kind, data, overrides([setting]), "fast")
        assert "\n" not in str(error.value), setting
    command = ("train", beetles, "-o", tmp_path / "run", *TINY, "--set", SETTINGS[0])
    outcome = nursery.run(tmp_path, *command, watch=False)
    assert clear(outcome, 2), outcome.said
    assert "multiples of 16" in outcome.said
    assert not (tmp_path / "run").exists()
    note(len(SETTINGS), "settings that cannot be")


@pytest.mark.parametrize("rate", ["1e30", "1e6"])
def test_a_training_that_explodes_says_so(rate, beetles, trained, nursery, note, tmp_path):
    settings = ["--set", f"rate={rate}", "--set", "coarse_epochs=12"]
    outcome = nursery.run(tmp_path, "train", beetles, "-o", tmp_path / "run", *TINY, *settings, watch=False)
    if outcome.code == 0:  # it may come to its senses again: then its weights are numbers
        values = safetensors.numpy.load_file(tmp_path / "run" / "model.safetensors").values()
        assert all(np.isfinite(value).all() for value in values)
    assert clear(outcome, 0, 2), outcome.said
    assert rate == "1e6" or "lower learning rate" in outcome.said
    note(1, "exploding trainings")


@pytest.mark.finding("Weights that became infinite in the last step of a training were saved without a word.")
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_weights_that_are_no_numbers_end_a_training_though_its_loss_is_one(averaging):
    """The gradient of sqrt(x) at 0 is infinite; the loss is 0."""
    network = torch.nn.Linear(1, 1)

    def losses(generator):
        yield ((network(torch.zeros(1, 1)) - network.bias.detach()) ** 2).sum().sqrt() + network.weight.sum()

    stage = training.Stage(
        name="line",
        network=network,
        epochs=1,
        batches=1,
        losses=losses,
        validate=None,
        optimiser=lambda net: torch.optim.AdamW(net.parameters(), 0.1),
        rates=lambda share: {"lr": 0.1},
        averaging=averaging,
    )
    with pytest.raises(training.Diverged, match=r"line stage, epoch 1: .*lower learning rate"):
        training.fit([stage], seed=0)


@pytest.mark.parametrize("command", ["train", "predict"])
def test_the_same_seed_gives_the_same_bits(command, beetles, trained, nursery, note, tmp_path):
    if command == "predict":
        for name in ("one", "two"):
            assert nursery.run(tmp_path, "predict", trained, beetles, "-o", tmp_path / name).code == 0
        for name in ("predictions.tps", "predictions.csv", "review.csv"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        described = json.loads((tmp_path / "one" / "predictions.json").read_text())["versions"]
        assert {"pronotum", "python", "torch", "numpy", "pillow", "platform"} <= set(described)
    else:
        found = []
        for name, seed in (("one", 5), ("two", 5), ("other", 6)):
            done = nursery.run(tmp_path, "train", beetles, "-o", tmp_path / name, *TINY, "--seed", seed, watch=False)
            assert done.code == 0, done.said
            found.append(safetensors.numpy.load_file(tmp_path / name / "model.safetensors"))
        one, two, other = found
        assert all(np.array_equal(one[key], two[key]) for key in one)
        assert not all(np.array_equal(one[key], other[key]) for key in one)
        recorded = json.loads((tmp_path / "one" / "config.json").read_text())
        assert {"pronotum", "python", "torch", "numpy", "device", "seed"} <= set(recorded)
    note(3, "repetitions to the same bits")


@pytest.mark.finding("The mean shape of specimens with a single landmark was a division of 0 by 0.")
@pytest.mark.parametrize("spread", [0.0, 5.0])
def test_the_mean_shape_of_one_landmark_is_its_place(spread):
    points = np.random.default_rng(0).normal(size=(5, 1, 2)) * spread + 40
    np.testing.assert_array_equal(mean_shape(points), [[0, 0]])


@pytest.mark.finding("The mean shape of landmarks that all lie at one place was a division of 0 by 0.")
def test_the_mean_shape_of_one_place_is_that_place():
    np.testing.assert_array_equal(mean_shape(np.full((4, 3, 2), 7.0)), np.zeros((3, 2)))


@pytest.mark.finding("A frame that is no multiple of 64, or any other size no network has, ended in a Python error.")
@pytest.mark.parametrize("frame", [(100, 64), (64, 0), (-64, 64), (64, 96)])
def test_a_frame_is_a_multiple_of_64(frame):
    with pytest.raises(ValueError, match="multiples of 64"):
        HeatmapConfig(n_landmarks=3, frame=frame, detail=(128, 128))


@pytest.mark.finding(
    "A configuration collapsed to a point, as a bad fit leaves it, stopped prediction with LinAlgError."
)
def test_what_collapsed_is_not_placed():
    shape = np.array([[-0.6, 0.2], [0.1, -0.5], [0.5, 0.3]])
    collapsed = np.full((3, 2), 20.0)
    prior = ShapePrior.fit(shape + np.random.default_rng(0).normal(size=(6, 3, 2)) / 20, noise=0.01)
    expected, spread = prior.expected(collapsed, np.ones(3))
    assert np.isfinite(expected).all()
    assert np.isfinite(spread).all()
    upright = poses.Upright(shape)
    seen = searching.Specimen(collapsed, np.ones(3), np.ones(3), np.eye(3), np.zeros(3), 1.0)
    assert searching._settled(shape, seen, upright, (64, 64)) is None
    assert np.isnan(upright.from_photograph(np.zeros((3, 3)), (64, 64))).all()
