"""Every specimen is predicted by a model that has never seen it; what is done is not done again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pronotum import crossvalidation, demo, formats, landmarking, learning_curve
from pronotum.errors import UserError
from pronotum.landmarks import LandmarkSet
from pronotum.models import storage
from pronotum.workflows import TrainOptions, fingerprints

OPTIONS = TrainOptions(overrides={"coarse_steps": 2, "fine_steps": 2, "coarse_epochs": 1, "fine_epochs": 1})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=7, seed=0, size=(256, 192))


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cv") / "run"
    return folder, crossvalidation.crossvalidate(data, folder, OPTIONS, n_folds=2)


def test_each_specimen_is_tested_once_by_a_model_that_has_not_seen_it(data, done):
    folder, found = done
    assert np.isfinite(found.predicted).all()
    assert sorted(np.bincount(found.folds)[1:]) == [3, 4]
    marks = np.array(fingerprints(data))
    for number in (1, 2):
        card = storage.load(folder / "folds" / f"{number:02d}" / "model.safetensors").card
        assert set(card["photographs"]) == set(marks[found.folds != number])
    final = storage.load(folder / "model.safetensors").card
    assert set(final["photographs"]) == set(marks)
    saved = formats.load(folder / "out_of_fold.tps", lambda name: (256, 192))
    assert np.stack([one.points for one in saved]) == pytest.approx(found.predicted, abs=1e-4)


def test_the_final_model_predicts(data, done, tmp_path):
    found = landmarking.predict(done[0], list(data.photographs[:2]), tmp_path, draw=False)
    assert (found.placed, found.problems, found.judged) == (2, (), True)


def test_an_interrupted_one_goes_on_where_it_was(data, done):
    folder, found = done
    (folder / "folds" / "02" / "predictions.tps").unlink()
    before = (folder / "folds" / "01" / "model.safetensors").stat().st_mtime_ns
    told = []
    again = crossvalidation.crossvalidate(data, folder, OPTIONS, n_folds=2, on_share=lambda s, text: told.append(text))
    assert told == ["fold 2 of 2"]  # its model is there, only the predictions were missing
    assert again.predicted == pytest.approx(found.predicted, abs=1e-4)
    assert (folder / "folds" / "01" / "model.safetensors").stat().st_mtime_ns == before


def test_another_one_is_not_mixed_into_the_folder(data, done, tmp_path):
    with pytest.raises(UserError, match="a cross-validation with other folds; expected the same command"):
        crossvalidation.crossvalidate(data, done[0], OPTIONS, n_folds=3)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty; expected a new folder"):
        crossvalidation.crossvalidate(data, tmp_path, OPTIONS, n_folds=2)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_start_that_knows_a_photograph_is_refused(data, done, tmp_path):
    options = replace(OPTIONS, start=done[0] / "folds" / "01")
    for run, more in ((crossvalidation.crossvalidate, {}), (learning_curve.run, {"sizes": (3,)})):
        with pytest.raises(UserError, match=r"--from .*01: has learnt from [34] photographs of these \(pronotum_00"):
            run(data, tmp_path / "cv", options, n_folds=2, **more)
    assert not (tmp_path / "cv").exists()


def test_a_start_that_does_not_say_what_it_knows_is_refused(data, done, tmp_path):
    model = storage.load(done[0] / "model.safetensors")
    del model.card["photographs"]
    storage.save(tmp_path / "silent.safetensors", model)
    options = replace(OPTIONS, start=tmp_path / "silent.safetensors")
    with pytest.raises(UserError, match="a model whose card lacks the photographs it has learnt from; train it again"):
        crossvalidation.crossvalidate(data, tmp_path / "cv", options, n_folds=2)
    assert not (tmp_path / "cv").exists()


def test_every_model_starts_from_one_of_other_specimens(done, tmp_path):
    others = demo.draw_beetles(tmp_path / "others", "pronotum", n=6, seed=1, size=(256, 192))
    options = replace(OPTIONS, start=done[0])
    found = crossvalidation.crossvalidate(others, tmp_path / "cv", options, n_folds=2)
    assert np.isfinite(found.predicted).all()
    start = storage.load(done[0] / "model.safetensors").card
    for place in ("folds/01", "folds/02", "."):
        card = storage.load(tmp_path / "cv" / place / "model.safetensors").card
        assert card["started_from"]["data"] == start["data"]
        assert set(start["photographs"]) < set(card["photographs"])


def test_groups_stay_together(data):
    groups = ["north", "south", "north", "south", "east", "east", "north"]
    for test in crossvalidation.plan(data, 3, 0, groups):
        inside = {groups[i] for i in test}
        assert not inside & {groups[i] for i in range(7) if i not in test}
    with pytest.raises(UserError, match="4 folds of 3 separate specimens"):
        crossvalidation.plan(data, 4, 0, groups)


def test_groups_that_share_a_photograph_stay_together():
    joined = crossvalidation._joined(["p", "q", "q", "r"], ["a", "a", "b", "c"])
    assert joined[0] == joined[1] == joined[2] != joined[3]


def test_the_description_says_what_ran(done):
    described = json.loads((done[0] / "crossvalidation.json").read_text())
    assert described["folds"] == 2
    assert described["options"]["seed"] == 0


def test_radii_of_a_fold_are_learnt_from_the_others_only(done):
    found = done[1]
    radii = found.radii()
    assert radii.shape == (*found.predicted.shape[:2], 3)
    assert np.isfinite(radii).all()
    worse = found.data.points.copy()
    first = found.folds == 1
    worse[first] += 50
    moved = [one.with_points(points) for one, points in zip(found.data.landmarks, worse, strict=True)]
    data = replace(found.data, landmarks=LandmarkSet(tuple(moved), found.data.scheme))
    spoilt = replace(found, data=data).radii()
    assert spoilt[first] == pytest.approx(radii[first])
    assert (spoilt[~first] > radii[~first])[..., 0].all()
