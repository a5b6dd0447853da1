"""More and more specimens to learn from, the same ones tested."""

import json

import numpy as np
import pytest

from pronotum import demo, learning_curve
from pronotum.errors import UserError
from pronotum.models import storage
from pronotum.workflows import TrainOptions, fingerprints


@pytest.fixture(scope="session")
def options(tiny):
    return TrainOptions(overrides=tiny)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=8, seed=0, size=(256, 192))


def test_small_sets_are_inside_large_ones_and_never_tested(data, options, tmp_path):
    folder = tmp_path / "curve"
    found = learning_curve.run(data, folder, options, sizes=(3, 6), n_folds=4, run_folds=1)
    assert found.predicted.shape == (2, 2, 8, 2)
    assert np.isfinite(found.predicted).all()
    small, large = (
        set(storage.load(folder / "fold01" / f"{size:04d}" / "model.safetensors").card["photographs"])
        for size in (3, 6)
    )
    tested = {fingerprints(data)[i] for i in found.tested}
    assert small < large
    assert (len(small), len(large)) == (3, 6)
    assert not large & tested
    told = []
    learning_curve.run(data, folder, options, sizes=(3, 6), n_folds=4, run_folds=1, on_share=lambda *a: told.append(a))
    assert told == []
    with pytest.raises(UserError, match="a learning curve with other sizes"):
        learning_curve.run(data, folder, options, sizes=(4, 6), n_folds=4, run_folds=1)
    assert json.loads((folder / "learning_curve.json").read_text())["sizes"] == [3, 6]


def test_sizes_that_cannot_be_are_refused(data, options, tmp_path):
    with pytest.raises(UserError, match="3 to 7 specimens to learn from; expected 3 to 6"):
        learning_curve.run(data, tmp_path / "x", options, sizes=(3, 7))
    with pytest.raises(UserError, match="2 to 6 specimens to learn from"):
        learning_curve.run(data, tmp_path / "x", options, sizes=(2, 6))
    assert not (tmp_path / "x").exists()
    assert learning_curve.default_sizes(60) == (12, 21, 35, 60)
    assert learning_curve.default_sizes(4) == (3, 4)
