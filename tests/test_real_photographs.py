"""The whole way on real photographs, through the commands. Slow: run with scripts/test --slow."""

import csv
import json
import shutil

import numpy as np
import pytest
from ktch.io import read_tps

from pronotum import formats
from pronotum.data import Dataset, open_data
from pronotum.evaluation.folds import hold_out

pytestmark = pytest.mark.slow


def write_part(data: Dataset, index, folder):
    """Some specimens of a collection as a folder of their own."""
    (folder / "images").mkdir(parents=True)
    part = data.subset(index)
    for path in part.photographs:
        shutil.copy(path, folder / "images" / path.name)
    formats.save(folder / "landmarks.tps", part.landmarks.specimens)


def test_drosophila_wings_40_to_train_18_to_test(command, shared_data, tmp_path, capsys):
    data = open_data(shared_data / "drosophila-wing-mlmorph")
    learn, test = hold_out(data.groups, 18 / 58, seed=0)
    assert (len(learn), len(test)) == (40, 18)
    write_part(data, learn, tmp_path / "train")
    write_part(data, test, tmp_path / "test")
    assert command("train", tmp_path / "train", "-o", tmp_path / "run") == 0
    capsys.readouterr()
    assert command("evaluate", tmp_path / "run", tmp_path / "test", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    mean = found["landmarks"][-1]["px_256x192"]["mean"]
    assert mean <= 0.85
    assert mean < found["mean_shape_baseline"][-1]["px_256x192"]["mean"]

    out = tmp_path / "out"
    assert command("predict", tmp_path / "run", tmp_path / "test", "-o", out) == 0
    assert (
        command("check", out / "predictions.tps", "--photographs", tmp_path / "test", "--sheet", tmp_path / "s.png")
        == 0
    )
    opened = open_data(out / "predictions.tps", photographs=tmp_path / "test")
    table = {}
    for row in csv.DictReader((out / "predictions.csv").read_text().splitlines()):
        table.setdefault(row["image"], []).append((float(row["x"]), float(row["y"])))
    theirs = read_tps(out / "predictions.tps")
    for number, path in enumerate(opened.photographs):
        independent = np.asarray(theirs[number].landmarks)
        assert np.column_stack([independent[:, 0], 480 - independent[:, 1]]) == pytest.approx(
            opened.points[number], abs=1e-4
        )
        assert opened.points[number] == pytest.approx(np.array(table[path.name]), abs=1e-3)
    near = np.linalg.norm(opened.points - data.subset(test).points, axis=-1)
    assert np.nanmean(near) * 256 / 640 <= 0.85
