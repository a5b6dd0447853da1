"""Landmarks that are missing here and there are learnt all the same; one that nobody has is refused."""

from dataclasses import replace

import numpy as np
import pytest

from pronotum import crossvalidation, demo, formats, landmarking, workflows
from pronotum.data import open_data
from pronotum.errors import UserError

SIZE = (192, 144)
QUICK = {
    f"{stage}_{unit}": 12 if unit == "steps" else 1 for stage in ("coarse", "fine") for unit in ("steps", "epochs")
}
SMALL = {
    "model.coarse_widths": "[8,16,16,16]",
    "model.coarse_depth": 16,
    "model.fine_widths": "[8,8,16]",
    "model.fine_depth": 8,
}
OPTIONS = workflows.TrainOptions(device="cpu", overrides={**QUICK, **SMALL})


def beetles(folder, hidden):
    """12 beetles; hidden (12, 8) says which landmarks are missing."""
    data = demo.draw_beetles(folder, "pronotum", n=12, seed=0, size=SIZE)
    points = np.where(hidden[..., None], np.nan, data.points)
    specimens = [replace(one, points=own, source=None) for one, own in zip(data.landmarks, points, strict=True)]
    formats.save(folder / "landmarks.tps", specimens, lambda name: SIZE)
    return open_data(folder)


def fifth(rng):
    """A fifth of the landmarks of 12 specimens; of every specimen and of every landmark some are left."""
    hidden = rng.random((12, 8)) < 0.2
    hidden[:2] = False
    assert 0.1 < hidden.mean() < 0.3
    return hidden


def test_a_model_learns_from_specimens_that_lack_a_fifth_of_their_landmarks(tmp_path):
    hidden = fifth(np.random.default_rng(5))
    data = beetles(tmp_path / "data", hidden)
    assert np.isnan(data.points[..., 0]).sum() == hidden.sum()
    done = crossvalidation.crossvalidate(data, tmp_path / "run", OPTIONS, n_folds=2)
    assert np.isfinite(done.predicted).all()
    errors = np.linalg.norm(done.predicted - data.points, axis=-1)
    shape = workflows.compare(data, done.predicted, done.mean_shapes[0])
    assert np.isfinite(errors[~hidden]).all()
    assert shape.table[-1]["px"]["n"] == (~hidden).sum()
    # The first networks see 6 beetles for a moment: better than chance is enough.
    assert np.median(errors[~hidden]) < 0.25 * SIZE[0]
    found = landmarking.predict(tmp_path / "run", data.photographs[:2], tmp_path / "out", draw=False)
    assert (found.opened, found.placed) == (2, 2)


def test_a_landmark_that_no_specimen_has_is_refused(tmp_path):
    hidden = np.zeros((12, 8), dtype=bool)
    hidden[:, 2] = True
    data = beetles(tmp_path / "data", hidden)
    said = (
        r"landmarks.tps: landmark 3 missing in all 12 specimens to learn from; expected some specimens that have each"
    )
    for model in ("heatmap", "ebnet1"):
        with pytest.raises(UserError, match=said):
            workflows.train(data, tmp_path / model, workflows.TrainOptions(device="cpu", model=model))
    assert not (tmp_path / "heatmap").exists()


def test_a_landmark_that_only_the_watched_specimens_have_is_refused(tmp_path):
    hidden = np.zeros((12, 8), dtype=bool)
    data = beetles(tmp_path / "data", hidden)
    options = replace(OPTIONS, held_out=0.3)
    from pronotum.evaluation.folds import hold_out

    _, watch = hold_out(data.groups, 0.3, 0)
    hidden[:, [0, 5]] = True
    hidden[watch] = False
    data = beetles(tmp_path / "data", hidden)
    with pytest.raises(UserError, match=rf"landmarks 1, 6 missing in all {12 - len(watch)} specimens to learn from"):
        workflows.train(data, tmp_path / "run", options)


def test_mirroring_is_refused_where_no_scheme_says_what_changes_places(tmp_path):
    data = beetles(tmp_path / "data", np.zeros((12, 8), dtype=bool))
    options = replace(OPTIONS, overrides={**OPTIONS.overrides, "augmentation.mirror": "0.5"})
    with pytest.raises(UserError, match=r"--set augmentation.mirror: nothing says which landmarks change places"):
        workflows.train(data, tmp_path / "run", options)
    (tmp_path / "data" / "scheme.toml").write_text(
        "names = 8\npairs = [[8, 2], [7, 3], [6, 4]]\nmidline = [1, 5]\nmirror = true\n"
    )
    symmetric = open_data(tmp_path / "data")
    assert symmetric.digest() != data.digest()
    result = workflows.train(symmetric, tmp_path / "run", options)
    assert result.n_train == 12
    assert workflows.open_model(tmp_path / "run")[0].scheme == symmetric.scheme
