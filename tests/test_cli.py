"""The commands as people type them, on synthetic beetles and with tiny trainings."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer
from ktch.io import read_tps
from PIL import Image

from pronotum import demo, synthetic
from pronotum.cli import app
from pronotum.data import open_data
from pronotum.models import storage

STEPS = ("coarse_steps=6", "fine_steps=6", "coarse_epochs=1", "fine_epochs=1")
SMALL = ("model.coarse_widths=[8,8,8,8]", "model.coarse_depth=8", "model.fine_widths=[8,8]", "model.fine_depth=8")
QUICK = [option for setting in (*STEPS, *SMALL) for option in ("--set", setting)]


def width_of(picture):
    with Image.open(picture) as opened:
        return opened.width


@pytest.fixture(scope="session")
def beetles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beetles")
    demo.draw_beetles(folder, "pronotum", n=8, seed=3, size=(320, 240))
    return folder


@pytest.fixture(scope="session")
def trained(command, beetles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert command("train", beetles, "-o", folder, *QUICK) == 0
    return folder


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = "import sys, pronotum.cli; print(sorted({'torch', 'matplotlib', 'scipy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    ["check", "train", "predict", "evaluate", "crossvalidate", "agree", "learning-curve", "demo", "reproduce", "info"],
)
def test_every_command_has_help_with_an_example_or_a_purpose(command, name, capsys):
    assert command(name, "--help") == 0
    assert len(capsys.readouterr().out) > 200


def test_check_says_what_is_there_and_draws_it(command, beetles, tmp_path, capsys):
    assert command("check", beetles, "--sheet", tmp_path / "sheet.png") == 0
    said = capsys.readouterr().out
    assert "8 specimens on 8 photographs (320x240 px), 8 landmarks each" in said
    assert width_of(tmp_path / "sheet.png") > 800


def test_check_as_json(command, beetles, tmp_path, capsys):
    assert command("check", beetles, "--json", "--sheet", tmp_path / "sheet.png") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["specimens"], found["landmarks"], found["problems"]) == (8, 8, [])


def test_check_names_what_is_wrong_and_exits_with_1(command, beetles, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree(beetles, folder)
    (folder / "images" / "pronotum_002.jpg").unlink()
    photograph = folder / "images" / "pronotum_003.jpg"
    photograph.write_bytes(photograph.read_bytes()[:2000])
    assert command("check", folder, "--sheet", tmp_path / "sheet.png") == 1
    said = capsys.readouterr()
    assert "7 specimens" in said.out
    assert "'pronotum_002.jpg' not found" in said.err
    assert "pronotum_003.jpg: " in said.err
    assert "2 left out" in said.err


def test_a_run_folder_holds_model_settings_events_and_curve(trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["seed"] == 0
    assert config["training"]["coarse_steps"] == 6
    assert re.fullmatch("[0-9a-f]{64}", config["data"]["sha256"])
    events = [json.loads(line) for line in (trained / "events.jsonl").read_text().splitlines()]
    assert {event.get("stage") for event in events if event["event"] == "epoch"} == {"coarse", "fine"}
    assert events[-1]["event"] == "finished"
    assert (trained / "model.safetensors").exists()
    assert width_of(trained / "learning_curve.png") > 300
    assert not (trained / "checkpoint.safetensors").exists()


def test_training_again_gives_the_same_model(command, beetles, trained, tmp_path):
    assert command("train", beetles, "-o", tmp_path / "again", *QUICK, "--json") == 0
    from safetensors.numpy import load_file

    mine, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "again", trained))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_predictions_are_tps_csv_and_overlays_on_the_same_pixels(command, beetles, trained, tmp_path, capsys):
    out = tmp_path / "out"
    assert command("predict", trained, beetles, "-o", out) == 0
    assert "8 of 8 photographs landmarked" in capsys.readouterr().out
    rows = list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))
    assert len(rows) == 8 * 8
    table = {}
    for row in rows:
        table.setdefault(row["image"], []).append((float(row["x"]), float(row["y"])))
    shutil.copytree(beetles / "images", out / "images")
    data = open_data(out)
    assert len(data) == 8
    theirs = read_tps(out / "predictions.tps")
    for number, (path, points) in enumerate(zip(data.photographs, data.points, strict=True)):
        assert points == pytest.approx(np.array(table[path.name]), abs=1e-3)
        independent = np.asarray(theirs[number].landmarks)
        assert np.column_stack([independent[:, 0], 240 - independent[:, 1]]) == pytest.approx(points, abs=1e-4)
        assert width_of(out / "overlays" / f"{path.name}.png") >= 320
    assert command("check", out, "--sheet", tmp_path / "again.png") == 0


def test_prediction_leaves_a_broken_photograph_out_and_does_the_rest(command, beetles, trained, tmp_path, capsys):
    photographs = tmp_path / "photographs"
    shutil.copytree(beetles / "images", photographs)
    (photographs / "aa.jpg").write_text("no image")
    short = photographs / "pronotum_004.jpg"
    short.write_bytes(short.read_bytes()[:3000])
    assert command("predict", trained, photographs, "-o", tmp_path / "out", "--no-overlays") == 1
    said = capsys.readouterr()
    assert "7 of 9 photographs landmarked" in said.out
    assert "aa.jpg" in said.err
    assert "pronotum_004.jpg" in said.err
    assert "2 left out" in said.err
    assert len(read_tps(tmp_path / "out" / "predictions.tps")) == 7
    assert not (tmp_path / "out" / "overlays").exists()


def test_evaluation_stands_beside_the_mean_shape(command, beetles, trained, tmp_path, capsys):
    report = tmp_path / "report.html"
    assert command("evaluate", trained, beetles, "--json", "--report", report) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["specimens"] == 8
    assert len(found["seen_in_training"]) == 8
    assert [row["landmark"] for row in found["landmarks"]] == [*map(str, range(1, 9)), "all"]
    assert set(found["landmarks"][0]) == {"landmark", "px", "percent_centroid_size", "px_256x192"}
    everything, baseline = found["landmarks"][-1], found["mean_shape_baseline"][-1]
    assert everything["px_256x192"]["mean"] == pytest.approx(everything["px"]["mean"] * 0.8)
    assert 0 < baseline["px"]["mean"] < everything["px"]["mean"]  # six steps teach nothing
    assert {"n", "mean", "median", "p90", "p95", "max"} == set(baseline["px"])
    page = report.read_text(encoding="utf-8")
    assert "how well it remembers" in page
    assert "http" not in re.sub(r"data:image/[^\"]+", "", page)


def test_photographs_it_has_not_seen_are_not_called_seen(command, trained, tmp_path, capsys):
    demo.draw_beetles(tmp_path / "new", "pronotum", n=3, seed=9, size=(320, 240))
    assert command("evaluate", trained, tmp_path / "new", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seen_in_training"] == []


def test_fine_tuning_takes_weights_over_and_remembers_what_they_have_seen(command, beetles, trained, tmp_path, capsys):
    demo.draw_beetles(tmp_path / "head", "head", n=4, seed=2, size=(320, 240))
    assert command("train", tmp_path / "head", "-o", tmp_path / "tuned", "--from", trained, *QUICK, "--seed", 5) == 0
    stored = storage.load(tmp_path / "tuned" / "model.safetensors")
    assert sorted(stored.card["started_from"]["fresh"]) == [
        "coarse.head.weight",
        "fine.head.weight",
        "prior_covariance",
        "prior_mean",
    ]
    demo.draw_beetles(tmp_path / "mixed", "head", n=2, seed=9, size=(320, 240))
    seen = beetles / "images" / "pronotum_001.jpg"
    shutil.copy(seen, tmp_path / "mixed" / "images" / "head_001.jpg")
    capsys.readouterr()
    assert command("evaluate", tmp_path / "tuned", tmp_path / "mixed", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seen_in_training"] == ["head_001.jpg (ID=1)"]


def test_another_architecture_is_no_start(mistake, beetles, trained, tmp_path):
    said = mistake("train", beetles, "-o", tmp_path / "x", "--from", trained, "--model", "ebnet1")
    assert "a model 'heatmap'; expected 'ebnet1'; leave --model out" in said


def test_a_bar_that_is_missed_gives_1(command, beetles, trained, capsys):
    assert command("evaluate", trained, beetles, "--max-error", 0.001) == 1
    assert "is above --max-error 0.001" in capsys.readouterr().err
    assert command("evaluate", trained, beetles, "--max-error", 10_000) == 0


def test_mm_where_a_scale_is_known(command, beetles, trained, tmp_path, capsys):
    folder = tmp_path / "scaled"
    shutil.copytree(beetles, folder)
    file = folder / "landmarks.tps"
    file.write_text(re.sub(r"(ID=\d+)", r"\1\nSCALE=0.02", file.read_text()))
    assert command("evaluate", trained, folder, "--json") == 0
    row = json.loads(capsys.readouterr().out)["landmarks"][-1]
    assert row["mm"]["mean"] == pytest.approx(row["px"]["mean"] * 0.02)


def test_missing_landmarks_are_masked_not_learnt(command, tmp_path, capsys):
    demo.draw_beetles(tmp_path / "data", "pronotum", n=6, seed=1, size=(256, 192))
    file = tmp_path / "data" / "landmarks.tps"
    lines = file.read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("LM=")]
    for start in starts[1:]:  # one specimen has it: a landmark that none has cannot be learnt
        lines[start + 3] = "-1 -1"
    file.write_text("\n".join(lines))
    assert command("train", tmp_path / "data", "-o", tmp_path / "run", *QUICK) == 0
    capsys.readouterr()
    assert command("evaluate", tmp_path / "run", tmp_path / "data", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["landmarks"]
    assert [row["px"]["n"] for row in rows] == [6, 6, 1, 6, 6, 6, 6, 6, 6 * 7 + 1]


def test_an_interrupted_training_goes_on(command, beetles, trained, tmp_path, monkeypatch):
    from safetensors.numpy import load_file

    from pronotum import training, workflows

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr(training, "SAVING_SHARE", 0)
    overrides = dict(setting.split("=") for setting in QUICK[1::2])
    options = workflows.TrainOptions(overrides=overrides)
    seen = []

    def interrupt(epoch):
        seen.append(epoch)
        if len(seen) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workflows.train(open_data(beetles), tmp_path / "run", options, on_epoch=interrupt)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert command("train", beetles, "-o", tmp_path / "run", *QUICK, "--resume") == 0
    mine, whole = (load_file(folder / "model.safetensors") for folder in (tmp_path / "run", trained))
    assert all(np.array_equal(mine[name], whole[name]) for name in whole)


@pytest.fixture
def mistake(command, capsys):
    """What a command says of a user's mistake, in one line."""

    def said(*arguments):
        capsys.readouterr()
        assert command(*arguments) == 2
        line = capsys.readouterr().err.strip()
        assert line.startswith("error: ")
        assert "\n" not in line
        return line

    return said


def test_mistakes_are_one_line_and_exit_code_2(mistake, beetles, trained, tmp_path):
    new = tmp_path / "new"
    assert "did you mean 'standard'?" in mistake("train", beetles, "-o", new, "--preset", "standart")
    assert "did you mean 'fine_steps'?" in mistake("train", beetles, "-o", new, "--set", "fine_stepz=3")
    assert "expected name=value" in mistake("train", beetles, "-o", new, "--set", "fine_steps")
    assert "fine_steps" in mistake("train", beetles, "-o", new, "--set", "fine_steps=many")
    assert not new.exists()
    assert "a run is already there" in mistake("train", beetles, "-o", trained)
    assert "no such file or folder" in mistake("check", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no photographs" in mistake("predict", trained, tmp_path / "empty", "-o", new)
    assert "no such model file" in mistake("predict", beetles, beetles, "-o", new)
    few = tmp_path / "few"
    shutil.copytree(beetles, few)
    for photograph in sorted((few / "images").iterdir())[2:]:
        photograph.write_bytes(photograph.read_bytes()[:3000])
    assert "2 specimens with readable photographs" in mistake("train", few, "-o", new, "--json")
    assert not new.exists()
    broken = tmp_path / "broken.tps"
    broken.write_text("LM=3\n1 2\n3 4\nIMAGE=a.jpg\n")
    assert f"{broken}:" in mistake("check", broken)
    demo.draw_beetles(tmp_path / "head", "head", n=3, seed=0, size=(256, 192))
    assert "10 landmarks per specimen; expected 8" in mistake("evaluate", trained, tmp_path / "head")


def test_a_device_that_is_absent_is_said(mistake, beetles, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert "this machine has none" in mistake("train", beetles, "-o", tmp_path / "x", "--device", "cuda")


def test_every_command_that_reads_a_landmark_file_can_be_told_its_format():
    commands = typer.main.get_command(app).commands
    reading = {
        name
        for name, command in commands.items()
        if any("andmark file" in (one.help or "") for one in command.params if one.param_type_name == "argument")
    }
    assert reading >= {"check", "train", "evaluate", "crossvalidate", "learning-curve", "agree", "doctor", "fix"}
    for name in reading - {"convert"}:  # it has --from and --to
        assert any("--format" in one.opts for one in commands[name].params), name


def test_info_names_versions(command, capsys):
    assert command("info", "--json") == 0
    assert {"pronotum", "torch", "devices", "formats"} <= set(json.loads(capsys.readouterr().out))


def test_photographs_of_the_same_name_keep_apart(command, beetles, trained, tmp_path):
    for side in ("left", "right"):
        (tmp_path / "p" / side).mkdir(parents=True)
        Image.fromarray(synthetic.draw("pronotum", 1, size=(320, 240)).image).save(tmp_path / "p" / side / "1.jpg")
    assert command("predict", trained, tmp_path / "p", "-o", tmp_path / "out") == 0
    images = {row["image"] for row in csv.DictReader((tmp_path / "out" / "predictions.csv").read_text().splitlines())}
    assert images == {"left/1.jpg", "right/1.jpg"}
    assert len(list((tmp_path / "out" / "overlays").glob("*.png"))) == 2
