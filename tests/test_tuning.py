"""A search on nine small beetles with networks that learn next to nothing: what counts is who saw what, and when."""

import csv
import json

import numpy as np
import pytest

from pronotum import demo, formats, tasks, tuning_tasks
from pronotum.cli_parts import overrides
from pronotum.errors import UserError
from pronotum.models import architecture
from pronotum.settings import resolve
from pronotum.training import Diverged
from pronotum.workflows import TrainOptions

tuning = pytest.importorskip("pronotum.tuning", reason="optuna is not installed (pip install 'pronotum[tune]')")
SHORT = {"coarse_steps": "2", "fine_steps": "2", "coarse_epochs": "1", "fine_epochs": "1", "bend": "0"}
SMALL = {"model.coarse_widths": "[8,8,8,8]", "model.coarse_depth": "8", "model.fine_widths": "[8,8]"}
OPTIONS = TrainOptions(device="cpu", pose="upright", overrides={**SHORT, **SMALL})
ASKED = {"n_trials": 6, "n_folds": 2, "test": 0.2}


class Spy:
    """The engine of this process, which remembers its tasks and may break off."""

    def __init__(self, breaks_after=None):
        self.done, self.left = [], breaks_after

    def __call__(self, asked, told):
        for task in asked:
            if self.left is not None and len(self.done) == self.left:
                raise KeyboardInterrupt
            tasks.here([task], told)
            self.done.append(task)


@pytest.fixture(scope="module")
def beetles(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=9, seed=0, size=(192, 144))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("search") / "tuned"


@pytest.fixture(scope="module")
def searched(beetles, folder):
    """The search, who did what, and the trials; the command line goes on with it."""
    search, spy = tuning.prepare(beetles, folder, OPTIONS, **ASKED), Spy()
    return search, spy, tuning.run(search, spy)


def test_the_first_trial_is_the_defaults_and_its_error_that_of_its_predictions(searched):
    search, _, trials = searched
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert trials[0].settings == {}
    errors = []
    for number, test in enumerate(search.folds, start=1):
        place = search.folder / "trials" / "001" / f"{number:02d}"
        known = dict(zip(search.data.names, search.data.points, strict=True))
        sizes = {one.image: size for one, size in zip(search.data.landmarks, search.data.sizes, strict=True)}
        for one, name in zip(
            formats.load(place / "predictions.tps", sizes), search.data.subset(test).names, strict=True
        ):
            manual = known[name]
            size = np.sqrt(((manual - manual.mean(0)) ** 2).sum())
            errors.append(100 * np.linalg.norm(one.points - manual, axis=1).mean() / size)
    assert trials[0].error == pytest.approx(np.mean(errors), abs=1e-3)


def test_no_task_of_the_search_sees_a_specimen_that_was_set_aside(searched):
    search, spy, _ = searched
    aside = set(search.aside.names)
    assert aside
    assert not aside & set(search.data.names)
    assert len(search.data) + len(aside) == 9
    assert spy.done
    for task in spy.done:
        assert not aside & set(task.arguments[0].names)
    assert sorted(np.concatenate(search.folds)) == list(range(len(search.data)))


def test_broken_off_it_goes_on_without_doing_anything_twice(beetles, searched, tmp_path):
    first, _, trials = searched
    broken = Spy(breaks_after=5)
    with pytest.raises(KeyboardInterrupt):
        tuning.run(tuning.prepare(beetles, tmp_path / "tuned", OPTIONS, **ASKED), broken)
    after = Spy()
    assert tuning.run(tuning.prepare(beetles, tmp_path / "tuned", OPTIONS, **ASKED), after) == trials
    done = [task.folder for task in (*broken.done, *after.done)]
    assert len(done) == len(set(done))
    assert (tmp_path / "tuned" / "trials.csv").read_bytes() == (first.folder / "trials.csv").read_bytes()


def test_the_command_line_goes_on_says_the_budget_first_and_looks_once(command, beetles, folder, searched, capsys):
    _, _, trials = searched
    settings = [f"--set={name}={value}" for name, value in OPTIONS.overrides.items()]
    data = beetles.source[0].parent
    words = ["tune", str(data), "-o", str(folder), "--folds=2", "--pose=upright", "--device=cpu", *settings]
    assert command(*words, "--trials=6") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("7 specimens to search with; 2 set aside, never seen by the search: ")
    assert said[2].startswith("6 trials of 2 folds: 12 trainings, about ")
    assert said[3].startswith("trial 1 of 6: ")
    assert said[3].endswith("; as at the start")
    assert said[-2].startswith("on the 2 specimens set aside: ")
    assert said[-1] == f"pronotum train {data} -o RUN --pose upright --set @{folder / 'best.toml'}"

    best = min(trials, key=lambda trial: trial.error)
    kind = architecture.named("heatmap")
    found = resolve(kind, beetles, overrides([f"@{folder / 'best.toml'}"]), None)
    assert found == resolve(kind, beetles, {**OPTIONS.overrides, **best.settings}, None)

    rows = list(csv.DictReader((folder / "trials.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["error_percent_centroid_size"]) for row in rows] == [trial.error for trial in trials]

    assert command(*words, "--trials=8") == 2
    assert "have been looked at after 6 trials" in capsys.readouterr().err


def test_the_same_settings_are_tried_once(beetles, tmp_path):
    spy = Spy()
    search = tuning.prepare(beetles, tmp_path / "tuned", OPTIONS, **{**ASKED, "n_trials": 5}, vary=["epochs"])
    trials = tuning.run(search, spy)
    different = {json.dumps(trial.settings): trial.error for trial in trials}
    assert len(spy.done) == 2 * len(different) < 2 * len(trials)
    assert all(trial.error == different[json.dumps(trial.settings)] for trial in trials)


def test_a_training_that_diverges_is_a_finding(beetles, tmp_path, monkeypatch):
    def diverge(data, learnt, test, place, options, on_share):
        raise Diverged("coarse stage", found="the loss is nan")

    monkeypatch.setattr(tuning_tasks, "train_and_predict", diverge)
    search = tuning.prepare(beetles, tmp_path / "tuned", OPTIONS, **{**ASKED, "n_trials": 2})
    trials = tuning.run(search)
    assert [trial.error for trial in trials] == [None, None]
    with pytest.raises(UserError, match="every training diverged"):
        tuning.best(trials)


def test_a_landmark_that_is_not_placed_counts_and_one_without_manual_landmark_does_not():
    manual = np.array([[[0.0, 0], [2, 0], [1, 1]], [[0.0, 0], [2, 0], [np.nan, np.nan]]])
    predicted = manual + [0.0, 0.5]
    predicted[0, 1] = np.nan
    size = np.sqrt(((manual[0] - manual[0].mean(0)) ** 2).sum())
    first, second = tuning_tasks.relative_errors(predicted, manual)
    assert first == pytest.approx((50 / size + 100 + 50 / size) / 3)
    assert second == pytest.approx(50 / np.sqrt(2))


def test_another_search_is_not_mixed_into_a_folder(beetles, folder, searched):
    with pytest.raises(UserError, match="a search with other search"):
        tuning.prepare(beetles, folder, OPTIONS, **ASKED, vary=["rate"])
    with pytest.raises(UserError, match="other set aside"):
        tuning.prepare(beetles, folder, OPTIONS, **{**ASKED, "test": 0.4})
