"""The image-processing method used like any model: trained, stored, loaded, asked; and what it says where it fails."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from pronotum import demo, fitting, inference, landmarking, pictures, workflows
from pronotum.classical import transfer
from pronotum.data import open_data
from pronotum.models import classical, storage

SIZE = (512, 384)


@pytest.fixture(scope="module")
def mandibles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mandibles")
    demo.draw_beetles(folder / "known", "mandible_left", n=3, seed=0, size=SIZE)
    demo.draw_beetles(folder / "new", "mandible_left", n=3, seed=7, size=SIZE)
    Image.new("RGB", SIZE, "white").save(folder / "new" / "images" / "mandible_left_002.jpg")
    return folder


@pytest.fixture(scope="module")
def trained(command, mandibles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert command("train", mandibles / "known", "-o", folder, "--model", "classical") == 0
    return folder


def test_it_keeps_its_specimens_in_a_file_and_places_landmarks_from_them(mandibles, trained):
    stored = storage.load(trained / "model.safetensors")
    known = open_data(mandibles / "known")
    assert stored.architecture == "classical"
    assert stored.network.places.numpy() == pytest.approx(known.points, abs=1e-3)
    assert stored.network.pixels.shape == (3, 3, SIZE[1], SIZE[0])
    assert not (trained / "learning_curve.png").exists()
    new = open_data(mandibles / "new").subset([0, 2])
    evaluation = workflows.evaluate(trained, new)
    anywhere = np.linalg.norm(new.points - known.points.mean(0), axis=-1).mean()
    assert evaluation.mean_error("px") < 0.5 * anywhere
    assert (evaluation.n_not_placed, evaluation.problems) == (0, ())


def test_a_blank_photograph_is_said_in_every_file_and_counted(command, mandibles, trained, tmp_path, capsys):
    assert command("predict", trained, mandibles / "new", "-o", tmp_path) == 1
    said = capsys.readouterr()
    assert "2 of 3 photographs landmarked" in said.out
    assert "mandible_left_002.jpg: no landmark placed: " in said.err
    assert "1 left out" in said.err
    n_landmarks = open_data(mandibles / "new").scheme.n_landmarks
    records = (tmp_path / "predictions.tps").read_text().split("LM=")[1:]
    assert [record.count("-1.00000 -1.00000") for record in records] == [0, n_landmarks, 0]
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    lost = [row for row in rows if row["image"] == "mandible_left_002.jpg"]
    assert len(lost) == n_landmarks
    assert {(row["x"], row["y"], row["confidence"]) for row in lost} == {("", "", "")}
    assert all(row["remark"] for row in lost)
    assert not any(row["remark"] for row in rows if row not in lost)
    assert (tmp_path / "overlays" / "mandible_left_002.jpg.png").exists()


def test_an_evaluation_counts_what_was_not_placed(command, mandibles, trained, tmp_path, capsys):
    report = tmp_path / "report.html"
    assert command("evaluate", trained, mandibles / "new", "--json", "--report", report, "--max-error", 1000) == 1
    found = json.loads(capsys.readouterr().out)
    n_landmarks = open_data(mandibles / "new").scheme.n_landmarks
    assert (found["specimens"], found["not_placed"]) == (3, n_landmarks)
    assert found["landmarks"][-1]["px"]["n"] == 2 * n_landmarks
    (problem,) = found["problems"]
    assert "no landmark placed: " in problem
    page = report.read_text()
    assert f"{n_landmarks} of {3 * n_landmarks} landmarks were not placed, among them all of 1 specimen:" in page
    assert "nothing placed: mandible_left_002.jpg" in page
    assert "Learning curve" not in page
    assert command("evaluate", trained, mandibles / "new") == 1
    assert f"note: {n_landmarks} of {3 * n_landmarks} landmarks were not placed" in capsys.readouterr().out


def test_nothing_placed_at_all_breaks_neither_text_nor_report(command, mandibles, trained, tmp_path, capsys):
    blank = tmp_path / "blank"
    demo.draw_beetles(blank, "mandible_left", n=2, seed=1, size=SIZE)
    for photograph in (blank / "images").iterdir():
        Image.new("RGB", SIZE, "white").save(photograph)
    assert command("evaluate", trained, blank, "--report", tmp_path / "report.html", "--max-error", 5) == 1
    said = capsys.readouterr()
    assert "so --max-error 5 is missed" in said.err
    assert "2 left out" in said.err


def test_one_specimen_is_enough(mandibles, tmp_path):
    data = open_data(mandibles / "known").subset([1])
    result = workflows.train(data, tmp_path / "run", workflows.TrainOptions(model="classical"))
    assert (result.n_train, result.n_held_out, result.error) == (1, 0, None)
    (answer,) = inference.predict(storage.load(result.run.model).network, data.photographs, device=torch.device("cpu"))
    assert np.nanmean(np.linalg.norm(answer.points - data.points[0], axis=-1)) < 2


def test_settings_of_the_method_are_those_of_the_model(command, mandibles, tmp_path, capsys):
    known, folder = mandibles / "known", tmp_path / "run"
    options = ("--model", "classical", "--set", "model.references=1", "--set", "model.mode=legacy")
    assert command("train", known, "-o", folder, *options, "--set", "model.pose=pht", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n_train"] == 1
    config = storage.load(folder / "model.safetensors").network.config
    assert (config.references, config.mode, config.pose) == (1, "legacy", "pht")
    for setting, said in (
        ("mode=legacy", "a setting of the model; write --set model.mode=..."),
        ("model.mode=new", "legacy"),
        ("model.pos=pht", "did you mean 'pose'?"),
    ):
        assert command("train", known, "-o", tmp_path / "x", "--model", "classical", "--set", setting) == 2
        assert said in capsys.readouterr().err
    assert command("train", known, "-o", tmp_path / "x", "--from", folder) == 2
    assert "has learnt nothing to start from" in capsys.readouterr().err


def test_of_many_specimens_the_most_central_complete_ones_are_taken():
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 100, (6, 2))
    noise = np.array([5.0, 0.2, 9.0, 0.1, 8.0, 0.3, 7.0, 0.01])
    turned = [size * shape @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]] for size, a in rng.uniform(1, 4, (8, 2))]
    points = np.stack(turned) + noise[:, None, None] * rng.normal(size=(8, 6, 2)) + rng.uniform(0, 500, (8, 1, 2))
    points[7, 2] = np.nan  # the nearest of all, but not complete
    config = classical.ClassicalConfig.for_photographs(6, [(640, 480)] * 8)
    assert (config.references, config.picture) == (3, (640, 480))
    assert classical.choose_references(config, points).tolist() == [1, 3, 5]
    five = classical.ClassicalConfig.for_photographs(6, [(640, 480)] * 5)
    assert classical.choose_references(five, points[:5]).tolist() == [0, 1, 2, 3, 4]


def test_only_the_photographs_of_references_are_opened(mandibles, tmp_path, monkeypatch):
    data = open_data(mandibles / "known")
    opened = []
    stream = fitting.stream

    def noted(paths, wanted, *matrices):
        opened.append(paths)
        return stream(paths, wanted, *matrices)

    monkeypatch.setattr(pictures, "stream", noted)
    many = data.subset([0, 1, 2] * 3)
    workflows.train(many, tmp_path / "run", workflows.TrainOptions(model="classical", held_out=0.3))
    assert [len(paths) for paths in opened] == [3]


def told(points, reasons, failure=""):
    k = len(points)
    return transfer.Transfer(
        np.array(points), tuple(reasons), failure, np.full(k, 0.5), np.array([1.0]), np.eye(3)[None]
    )


@pytest.mark.parametrize(
    ("found", "remark"),
    [
        (told([[1.0, 2], [3, 4]], ["", ""]), ""),
        (told([[np.nan] * 2] * 2, ["", ""], "no outline"), "no outline"),
        (told([[1.0, 2], [np.nan] * 2, [np.nan] * 2], ["", "outside", "outside"]), "outside"),
        (
            told([[np.nan] * 2, [1.0, 2], [np.nan] * 2, [np.nan] * 2], ["outside", "", "no peak", "outside"]),
            "outside (1, 4); no peak (3)",
        ),
    ],
)
def test_a_remark_says_each_reason_once(found, remark):
    assert classical.remark(found) == remark


def test_landmarks_that_are_lost_alone_are_named(mandibles, trained, tmp_path, monkeypatch):
    def known(references, pixels, settings):
        points = references[0].points.copy()
        points[[1, 3]] = np.nan
        reasons = ["outside" if k in (1, 3) else "" for k in range(len(points))]
        return told(points, reasons)

    monkeypatch.setattr(transfer, "transfer", known)
    data = open_data(mandibles / "known")
    done = landmarking.predict(trained, data.photographs[:1], tmp_path, draw=False)
    assert done.placed == 1
    assert str(done.problems[0]).endswith(".jpg: landmarks 2, 4 not placed: outside")
    evaluation = workflows.evaluate(trained, data)
    assert (evaluation.n_not_placed, evaluation.problems) == (6, ())
    assert "6 of" in workflows.remarks(evaluation)[1]


def test_references_are_worked_out_once_and_anew_for_others(mandibles, trained, monkeypatch):
    prepared = []
    prepare = transfer.prepare
    monkeypatch.setattr(transfer, "prepare", lambda *given: prepared.append(given) or prepare(*given))
    network = storage.load(trained / "model.safetensors").network
    picture = network.pixels[:1].clone()
    first = network.answer(picture).points
    network.answer(picture)
    assert len(prepared) == 3
    network.load_state_dict({"pixels": network.pixels.flip(0), "places": network.places + 5})
    moved = network.answer(picture).points
    assert len(prepared) == 6
    assert not torch.allclose(first, moved)


def test_without_opencv_one_line_says_what_to_install(command, mandibles, trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(classical.importlib.util, "find_spec", lambda name: None)
    remedy = "pip install 'pronotum[classical]'"
    assert command("train", mandibles / "known", "-o", tmp_path / "run", "--model", "classical") == 2
    assert capsys.readouterr().err.strip() == f"error: model 'classical': OpenCV is missing; {remedy}"
    assert command("predict", trained, mandibles / "new", "-o", tmp_path / "out") == 2
    assert remedy in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_nothing_of_opencv_is_needed_to_list_models():
    lines = (
        "import sys",
        "sys.modules['cv2'] = None",
        "from pronotum.models import architecture",
        "print(*architecture.table())",
    )
    code = "\n".join(lines)
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "classical" in listed.split()


def test_it_tells_the_networks_where_to_look(mandibles, tmp_path):
    """Networks that have learnt next to nothing find the landmarks where image processing does, and only there."""
    known, new = open_data(mandibles / "known"), open_data(mandibles / "new")
    steps = {f"{stage}_{unit}": 1 for stage in ("coarse", "fine") for unit in ("steps", "epochs")}
    small = {
        f"model.{stage}_{part}": v for stage in ("coarse", "fine") for part, v in (("widths", "[8,8]"), ("depth", 8))
    }
    far = {}
    for references in (0, 9):
        options = workflows.TrainOptions(device="cpu", overrides={**steps, **small, "model.references": references})
        workflows.train(known, tmp_path / str(references), options)
        model = workflows.open_model(tmp_path / str(references), "cpu")[0].network
        assert model.config.references == min(references, len(known))
        details = pictures.as_batch([fitting.fit(path, model.config.detail) for path in new.photographs], "cpu")
        hints = model.hints(details)
        found = model.locate_coarse(pictures.shrink(details, model.config.frame), hints)[0]
        ratio = SIZE[0] / model.config.frame[0]
        far[references] = np.linalg.norm((found.numpy() + 0.5) * ratio - 0.5 - new.points, axis=-1).mean(1)
    assert hints.isnan().all(-1).all(-1).tolist() == [False, True, False]
    assert not torch.isnan(found).any()
    assert (far[9][[0, 2]] < 0.3 * far[0][[0, 2]]).all()
    assert far[9][1] == pytest.approx(far[0][1])
