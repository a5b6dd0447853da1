"""The benchmark against other programs runs, goes on where it was, and says what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pronotum import demo, workflows

pytest.importorskip("dlib", reason="needs dlib-bin")
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def compare(shared, out, *arguments):
    command = [sys.executable, str(BENCHMARKS / "compare.py"), str(shared), "-o", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_dlib_and_image_processing_on_the_same_folds(tmp_path):
    demo.draw_beetles(tmp_path / "drosophila-wing-mlmorph", "mandible_left", n=10, seed=0, size=(256, 192))
    asked = ("--sets", "drosophila", "--methods", "dlib", "dlib-tuned", "image processing", "--run", "1")
    done = compare(tmp_path, tmp_path / "out", *asked, "--threads", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "results.json").read_text())["sets"]["drosophila"]
    assert found["trained on"] == 8
    for method in ("dlib", "dlib-tuned", "image processing"):
        assert found[method]["specimens"] == 2
        assert 0 < found[method]["px_256x192"]["mean"] < 40
        assert found[method]["training_seconds"] > 0
    kept = tmp_path / "out" / "drosophila" / "dlib" / "0.npz"
    before = kept.stat().st_mtime_ns
    assert compare(tmp_path, tmp_path / "out", *asked).returncode == 0
    assert kept.stat().st_mtime_ns == before
    assert "| drosophila | dlib-tuned |" in (tmp_path / "out" / "results.md").read_text()


def test_the_papers_model_is_pre_trained_without_the_specimens_it_tests(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    paper_model = __import__("paper_model")
    monkeypatch.setattr(paper_model, "SETTINGS", {"model.frame": [64, 48], "batch": 16, "epochs": 1})
    for part in paper_model.TOGETHER:
        demo.draw_beetles(tmp_path / part, part, n=4, seed=0, size=(128, 96))
    data = workflows.check(tmp_path / "head")
    test, train = data.subset([1]), data.subset([0, 2, 3])
    points, training, prediction = paper_model.fine_tuned(tmp_path, tmp_path / "kept", train, test)
    assert points.shape == (1, 10, 2)
    assert min(training, prediction) > 0
    (kept,) = (tmp_path / "kept").iterdir()
    assert json.loads((kept / "config.json").read_text())["data"]["specimens"] == 9
