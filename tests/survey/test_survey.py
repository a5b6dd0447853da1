"""Surveys of folders: what is written, that they go on after kill -9, and that workers change nothing."""

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pronotum import formats, inference, landmarking

SIZE = (96, 72)


def rows(out):
    """Of all shards, in order."""
    return [row for path in sorted((out / "specimens").iterdir()) for row in pq.read_table(path).to_pylist()]


def files(out):
    """Content of all results by name."""
    names = ("specimens/*", "landmarks/*", "shards/*/*", "problems.csv", "summary.json")
    return {path.relative_to(out): path.read_bytes() for name in names for path in out.glob(name)}


def test_the_same_landmarks_as_predict_in_parquet_and_tps(model, beetles, tmp_path, command, capsys, one_thread):
    assert command(model, beetles, "-o", tmp_path / "out", "--shard", "4", "--scale", "0.02") == 0
    assert "13 of 13 photographs predicted" in capsys.readouterr().out
    found = rows(tmp_path / "out")
    photographs = landmarking.find_photographs([beetles])
    landmarking.predict(model, photographs, tmp_path / "predict", draw=False, scale=0.02)
    with (tmp_path / "predict" / "predictions.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["photograph"] for row in found] == [str(path) for path in photographs]
    assert [row["id"] for row in found] == [str(number) for number in range(1, 14)]
    for name in ("x", "y"):
        assert [f"{value:.3f}" for row in found for value in row[name]] == [row[name] for row in table]
    assert np.concatenate([row["confidence"] for row in found]) == pytest.approx(
        [float(row["confidence"]) for row in table], abs=1e-4
    )
    assert [row["flags"] for row in found] == [
        [flag for flag in row["flags"].split("; ") if flag] for row in table[::8]
    ]
    described = json.loads((tmp_path / "predict" / "predictions.json").read_text())
    assert [row["sha256"] for row in found] == [one["sha256"] for one in described["photographs"]]
    assert {row["model"] for row in found} == {described["model"]["sha256"]}
    assert {(row["width"], row["height"], row["scale"]) for row in found} == {(*SIZE, 0.02)}
    written = [
        one for path in sorted((tmp_path / "out" / "landmarks").iterdir()) for one in formats.load(path, lambda _: SIZE)
    ]
    expected = formats.load(tmp_path / "predict" / "predictions.tps", lambda _: SIZE)
    for mine, theirs in zip(written, expected, strict=True):
        np.testing.assert_array_equal(mine.points, theirs.points)
        assert (mine.id, mine.scale) == (theirs.id, theirs.scale)
    about = json.loads(pq.read_schema(tmp_path / "out" / "specimens" / "000000.parquet").metadata[b"pronotum"])
    assert about["landmarks"] == described["model"]["landmarks"]


def test_bad_files_end_nothing_and_are_named(model, beetles, tmp_path, command, capsys):
    shutil.copytree(beetles, tmp_path / "in")
    whole = (tmp_path / "in" / "drawer 1" / "beetle2.jpg").read_bytes()
    (tmp_path / "in" / "drawer 1" / "beetle2.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "drawer 1" / "beetle4.jpg").write_bytes(b"")
    (tmp_path / "in" / "drawer 3" / "beetle12.jpg").write_text("a text")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/in/drawer 1/gone.jpg\n")
    out = tmp_path / "out"
    assert command(model, tmp_path / "in", tmp_path / "list.txt", "-o", out, "--shard", "4") == 1
    assert "10 of 14 photographs predicted" in capsys.readouterr().out
    found = {os.path.basename(row["photograph"]): row for row in rows(out)}
    assert len(found) == len(rows(out)) == 14
    bad = {name: row["remark"] for name, row in found.items() if row["status"] == "bad"}
    reasons = {"beetle2": "damaged", "beetle4": "empty", "beetle12": "not an image", "gone": "no such file"}
    assert bad.keys() == {f"{name}.jpg" for name in reasons}
    assert all(reason in bad[f"{name}.jpg"] for name, reason in reasons.items())
    assert all(found[name]["x"] is None for name in bad)
    with (out / "problems.csv").open() as file:
        problems = list(csv.DictReader(file))
    assert {os.path.basename(row["photograph"]): row["reason"] for row in problems} == bad
    assert json.loads((out / "summary.json").read_text())["bad"] == 4
    # The list of what is bad can be surveyed again, once it has been mended.
    for row in problems:
        shutil.copy(beetles / "drawer 2" / "beetle6.jpg", row["photograph"])
    assert command(model, out / "problems.csv", "-o", tmp_path / "again") == 0
    assert len(rows(tmp_path / "again")) == 4


def test_killed_and_resumed_every_photograph_is_there_once(model, beetles, tmp_path, command, one_thread):
    for copy in range(8):
        shutil.copytree(beetles, tmp_path / "in" / str(copy))
    out, shard = tmp_path / "out", 8
    arguments = [str(model), str(tmp_path / "in"), "-o", str(out), "--shard", str(shard)]
    process = subprocess.Popen([sys.executable, "-c", f"from pronotum.cli import main; main(['survey', *{arguments}])"])
    until = time.monotonic() + 300
    while len(list(out.glob("shards/*/done.json"))) < 3:  # while a fourth is under way
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("shards/*/done.json")}
    assert 3 <= len(finished) < 13
    assert not (out / "summary.json").exists()
    (next(iter(finished)).parent / "owner.json").write_text('{"token": "of one that was killed right afterwards"}')
    assert command(*arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    found = rows(out)
    assert [row["id"] for row in found] == [str(number) for number in range(1, 8 * 13 + 1)]
    assert len({row["photograph"] for row in found}) == 8 * 13
    assert not list(out.rglob(".*"))
    assert command(model, tmp_path / "in", "-o", tmp_path / "straight", "--shard", shard) == 0
    assert files(out) == files(tmp_path / "straight")


@pytest.mark.filterwarnings("ignore")
def test_workers_change_nothing(model, beetles, tmp_path, command, one_thread):
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")
    assert command(model, beetles, "-o", tmp_path / "here", "--shard", "4") == 0
    assert command(model, beetles, "-o", tmp_path / "workers", "--shard", "4", "--workers", "2") == 0
    assert files(tmp_path / "here") == files(tmp_path / "workers")


def test_each_specimen_has_a_row_and_what_is_not_placed_is_said(model, tmp_path, command, monkeypatch):
    """With what a model that finds specimens would say: two on a photograph, none, one in part, none placed."""
    for name in "abcd":
        Image.new("RGB", SIZE, "white").save(tmp_path / f"{name}.png")

    def predict_all(network, photographs, *, device):
        whole, numbers = np.arange(16.0).reshape(8, 2), np.full(8, 0.5)
        part, none = whole.copy(), np.full((8, 2), np.nan)
        part[[1, 6]] = np.nan
        for path in photographs:
            said = {"a": (whole, whole + 1), "b": (), "c": (part,), "d": (none,)}[path.stem]
            yield tuple(
                inference.Prediction(path, SIZE, points, numbers, numbers, np.zeros(22), "too dark") for points in said
            )

    monkeypatch.setattr(inference, "predict_all", predict_all)
    asked = ("-o", tmp_path / "out", "--missing", "geomorph", "--json")
    assert command(model, tmp_path, *asked) == 1
    found = rows(tmp_path / "out")
    assert [row["id"] for row in found] == ["1.1", "1.2", "2", "3", "4"]
    assert [row["status"] for row in found[2:]] == ["bad", "review", "bad"]
    assert found[2]["remark"] == "no specimen found"
    assert found[3]["remark"] == "landmarks 2, 7 not placed: too dark"
    assert found[4]["remark"] == "no landmark placed: too dark"
    assert found[3]["x"] == [0, None, 4, 6, 8, 10, None, 14]
    assert (tmp_path / "out" / "landmarks" / "000000.tps").read_text().count("NA NA") == 2
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {name: counts[name] for name in ("photographs", "predicted", "specimens", "bad")} == {
        **{"photographs": 4, "predicted": 2},
        **{"specimens": 3, "bad": 2},
    }


def test_another_survey_in_the_folder_is_refused(model, beetles, tmp_path, command, capsys):
    assert command(model, beetles / "drawer 3", "-o", tmp_path / "out") == 0
    assert command(model, beetles / "drawer 3", "-o", tmp_path / "out", "--shard", "2") == 2
    assert "a survey with other shard" in capsys.readouterr().err


def test_packages_that_are_missing_are_named_in_one_line(model, beetles, tmp_path, command, capsys, monkeypatch):
    find = importlib.util.find_spec
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else find(name))
        assert command(model, beetles, "-o", tmp_path / "out") == 2
    assert capsys.readouterr().err.strip() == "error: survey: pyarrow is missing; pip install 'pronotum[survey]'"
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert command(model, "gs://museum/drawers", "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "pip install gcsfs" in error
    assert len(error.strip().splitlines()) == 1
