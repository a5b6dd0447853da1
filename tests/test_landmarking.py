"""Predictions on disk: radii, flags, what to review first, and what --strict leaves out."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pronotum import crossvalidation, demo, formats, inference, landmarking, workflows
from pronotum.errors import UserError
from pronotum.evaluation.presence import Presence
from pronotum.models import storage

SIZE = (192, 144)
QUICK = {
    f"{stage}_{unit}": 60 if unit == "steps" else 1 for stage in ("coarse", "fine") for unit in ("steps", "epochs")
}
BRIEF = {**QUICK, "coarse_steps": 2, "fine_steps": 2}
"""For tests that ask nothing of what was learnt."""
SMALL = {
    "model.coarse_widths": "[8,16,16,16]",
    "model.coarse_depth": 16,
    "model.fine_widths": "[8,8,16]",
    "model.fine_depth": 8,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    data = demo.draw_beetles(folder / "data", "pronotum", n=12, seed=0, size=SIZE)
    options = workflows.TrainOptions(device="cpu", overrides={**QUICK, **SMALL})
    crossvalidation.crossvalidate(data, folder / "run", options, n_folds=2)
    return folder / "run"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three good ones, one that is blank, one upside down."""
    folder = tmp_path_factory.mktemp("new")
    data = demo.draw_beetles(folder, "pronotum", n=3, seed=9, size=SIZE)
    Image.new("RGB", SIZE, "white").save(folder / "images" / "blank.png")
    with Image.open(data.photographs[0]) as picture:
        picture.rotate(180).save(folder / "images" / "turned.png")
    return folder / "images"


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_landmark_has_its_radii_and_the_strange_are_flagged(command, run, photographs, tmp_path, capsys):
    assert command("predict", run, photographs, "-o", tmp_path, "--scale", "0.02") == 0
    table = rows(tmp_path / "predictions.csv")
    radii = np.array([[float(row[f"radius_{level}"]) for level in (50, 90, 95)] for row in table])
    assert (radii > 0).all()
    in_mm = np.array([[float(row[f"radius_{level}_mm"]) for level in (50, 90, 95)] for row in table])
    assert in_mm == pytest.approx(0.02 * radii, abs=2e-4)
    assert formats.load(tmp_path / "predictions.tps", lambda name: SIZE)[0].scale == pytest.approx(0.02)
    assert (np.diff(radii, axis=1) >= 0).all()
    flagged = {row["image"] for row in table if row["flags"]}
    assert {"blank.png", "turned.png"} <= flagged
    review = rows(tmp_path / "review.csv")
    assert {row["image"] for row in review[:2]} == {"blank.png", "turned.png"}
    assert {row["image"] for row in review} == flagged
    urgencies = [float(row["urgency"]) for row in review]
    assert urgencies == sorted(urgencies, reverse=True)
    assert (
        f"{5 - len(review)} accepted, {len(review)} to review (review.csv, most urgent first)"
        in capsys.readouterr().out
    )


def test_strict_leaves_out_of_the_landmark_file_what_is_to_be_reviewed(command, run, photographs, tmp_path, capsys):
    assert command("predict", run, photographs, "-o", tmp_path, "--strict", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    kept = {one.image for one in formats.load(tmp_path / "predictions.tps", lambda name: SIZE)}
    flagged = {one["image"] for one in said["to_review"]}
    assert kept | flagged == {path.name for path in photographs.iterdir()}
    assert not kept & flagged
    assert said["accepted"] == len(kept)
    assert len(rows(tmp_path / "predictions.csv")) == 5 * 8


def test_a_model_of_a_simple_training_knows_its_domain_but_promises_no_radii(photographs, tmp_path):
    data = demo.draw_beetles(tmp_path / "data", "pronotum", n=6, seed=1, size=SIZE)
    workflows.train(data, tmp_path / "run", workflows.TrainOptions(device="cpu", overrides={**BRIEF, **SMALL}))
    done = landmarking.predict(tmp_path / "run", sorted(photographs.iterdir()), tmp_path / "out", draw=False)
    assert done.judged
    assert "blank.png" in {one.image for one in done.to_review}
    assert {row["radius_90"] for row in rows(tmp_path / "out" / "predictions.csv")} == {""}


def test_a_damaged_calibration_is_refused(run):
    model = storage.load(run / "model.safetensors")
    model.card["calibration"] = {"levels": [0.9]}
    with pytest.raises(UserError, match="a damaged calibration"):
        landmarking.known(model)


def test_a_landmark_more_likely_missing_than_there_is_left_out():
    """Doubt of 2 and more means missing, by what a model is given to know here."""
    presence = Presence(np.zeros(3), np.zeros(2), np.ones(2), np.array([0, -4.0, 0]), 6.0, 10)
    known = landmarking.Known(None, None, presence)
    points = np.array([[1.0, 2], [3, 4], [5, 9]])
    confidence = np.exp([-0.1, -2.0, -0.5])
    answer = inference.Prediction(Path("a.jpg"), (10, 10), points, confidence, np.ones(3), np.zeros(22))
    row, urgency = known.row(answer, "a.jpg", "1", None)
    np.testing.assert_allclose(row.presence, 1 / (1 + np.exp(-(6 - 4 * np.array([0.1, 2.0, 0.5])))))
    np.testing.assert_array_equal(row.specimen.points, [[1, 2], [np.nan, np.nan], [5, 9]])
    assert urgency == 0


def test_presence_is_learnt_where_landmarks_are_missing(command, tmp_path, photographs):
    data = demo.draw_beetles(tmp_path / "data", "pronotum", n=12, seed=0, size=SIZE)
    specimens = []
    for number, one in enumerate(data.landmarks):
        points = one.points.copy()
        points[[number % 8, (number + 3) % 8]] = np.nan
        specimens.append(one.with_points(points))
    formats.save(tmp_path / "data" / "landmarks.tps", specimens, lambda name: SIZE)
    options = workflows.TrainOptions(device="cpu", overrides={**BRIEF, **SMALL})
    crossvalidation.crossvalidate(workflows.check(tmp_path / "data"), tmp_path / "run", options, n_folds=2)
    assert storage.load(tmp_path / "run" / "model.safetensors").card["presence"]["n_missing"] == 24
    command("predict", tmp_path / "run", photographs, "-o", tmp_path / "out")
    told = [float(row["presence"]) for row in rows(tmp_path / "out" / "predictions.csv")]
    assert len(told) == 5 * 8
    assert all(0 <= one <= 1 for one in told)
