"""The benchmark of presence takes landmarks away from photographs and labels alike, and judges as it says."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from pronotum import demo, images

_PATH = Path(__file__).parents[1] / "benchmarks" / "presence.py"
_SPEC = importlib.util.spec_from_file_location("presence_benchmark", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
benchmark = sys.modules["presence_benchmark"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(benchmark)


def test_what_is_missing_in_the_labels_is_covered_or_cut_off(tmp_path):
    whole = demo.draw_beetles(tmp_path / "whole", "pronotum", n=9, seed=0, size=(256, 192))
    (tmp_path / "spoilt").mkdir()
    spoilt = benchmark.spoil(whole, tmp_path / "spoilt", 3)
    before = {path.stem: points for path, points in zip(whole.photographs, whole.points, strict=True)}
    incomplete, cut = 0, 0
    for path, points, size in zip(spoilt.photographs, spoilt.points, spoilt.sizes, strict=True):
        there = np.isfinite(points[:, 0])
        incomplete += not there.all()
        cut += size != (256, 192)
        assert (points[there] >= -0.5).all()
        assert (points[there] <= np.array(size) - 0.5).all()
        if size == (256, 192):
            pixels = images.read(path)
            assert points[there] == pytest.approx(before[path.stem][there], abs=1e-4)
            for x, y in np.rint(before[path.stem][~there]).astype(int):
                assert np.unique(pixels[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3), axis=0).shape == (1, 3)
    assert incomplete == 3
    assert 0 < cut < 3


def test_probabilities_are_judged():
    there = np.array([True] * 8 + [False] * 2)
    found = benchmark.judge(np.where(there, 0.9, 0.3), there)
    assert found["brier"] == pytest.approx(0.8 * 0.01 + 0.2 * 0.09)
    assert found["brier_of_base_rate"] == pytest.approx(0.16)
    assert (found["area_under_curve"], found["missing_called_missing"], found["present_called_missing"]) == (1, 1, 0)
    assert [row["n"] for row in found["reliability"]] == [0, 2, 0, 0, 8]
    assert benchmark.judge(np.full(10, 0.5), there)["area_under_curve"] == 0.5
