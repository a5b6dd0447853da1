"""Commands killed (SIGKILL) at any moment: the same command then finishes, with the result of one left alone.

Moments are operations on files - right before one, or in the middle of the first line that is written - and, since a
kill may come anywhere, times drawn at random.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from pronotum import training, unfinished
from pronotum.desk.store import Store
from pronotum.errors import UserError
from pronotum.files import PART
from pronotum.formats import tps
from pronotum.models import weights
from pronotum.runs import Run, claim

from .conftest import FULL, SIZE, TINY

MOMENTS = 200 if FULL else 6
REPORTS = 20 if FULL else 1


def moments(operations: int, seconds: float, seed: int) -> list[dict[str, Any]]:
    """Of `MOMENTS` kills a half at operations, evenly over all of them, and a half at random times."""
    drawn = random.Random(seed)
    at = np.linspace(1, operations, MOMENTS // 2).round().astype(int).tolist()
    chosen: list[dict[str, Any]] = [{"stop": n, "torn": bool(i % 2)} for i, n in enumerate(at)]
    return chosen + [{"seconds": drawn.uniform(0, seconds)} for _ in range(MOMENTS - len(chosen))]


def model_of(run: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights and card, without the time it took."""
    with safetensors.safe_open(run / "model.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["pronotum-model"])
    card = {name: value for name, value in header["card"].items() if name != "training_seconds"}
    return safetensors.torch.load_file(run / "model.safetensors"), {**header, "card": card}


def same_model(one: Path, other: Path) -> bool:
    (mine, said), (theirs, told) = model_of(one), model_of(other)
    return said == told and mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def epochs(run: Path) -> Counter[tuple[str, int]]:
    return Counter((event["stage"], event["epoch"]) for event in Run(run).read_events("epoch"))


def ended(process: Any) -> bool:
    return process.code in (-9, 0)


def test_training(beetles, trained, nursery, note, tmp_path):
    whole = nursery.run(tmp_path, "train", beetles, "-o", tmp_path / "whole", "--resume", *TINY)
    assert (whole.code, whole.unreadable) == (0, []), whole.said
    assert same_model(tmp_path / "whole", trained)
    seconds, killed = 0.012 * whole.readings, 0
    for number, moment in enumerate(moments(whole.operations, seconds, 1)):
        run = tmp_path / str(number)
        job = ("train", beetles, "-o", run, "--resume", *TINY)
        first = nursery.run(run, *job, **moment)
        assert ended(first), first.said
        killed += first.code == -9
        had, finished = epochs(run), Run(run).model.exists()
        second = nursery.run(run, *job)
        assert second.code == 0, (moment, second.said)
        assert first.unreadable + second.unreadable == [], moment
        assert same_model(run, trained), moment
        done = epochs(run)
        assert sum(done.values()) - len(done) <= 1, (moment, done)  # at most the epoch that was not kept yet
        assert set(done) == set(epochs(trained)), moment
        assert not finished or done == had, f"a finished training was repeated: {moment}"
        assert Run(run).curve.exists()
        assert [one.name for one in run.iterdir() if one.name.startswith(".")] == [], moment
    assert killed >= MOMENTS / 2
    note(MOMENTS, "trainings killed")


def test_prediction(beetles, trained, nursery, note, tmp_path):
    whole = nursery.run(tmp_path, "predict", trained, beetles, "-o", tmp_path / "whole")
    assert (whole.code, whole.unreadable) == (0, []), whole.said
    expected = {one.name: one.read_bytes() for one in (tmp_path / "whole").glob("*.[tc]s*")}
    pictures = sorted(one.name for one in (tmp_path / "whole" / "overlays").iterdir())
    for number, moment in enumerate(moments(whole.operations, 0.012 * whole.readings, 2)):
        out = tmp_path / str(number)
        first = nursery.run(out, "predict", trained, beetles, "-o", out, **moment)
        assert ended(first), first.said
        seen = {one: one.stat().st_mtime_ns for one in out.glob("overlays/b*.png")}
        finished = (out / "predictions.json").exists() and not (out / unfinished.NAME).exists()
        second = nursery.run(out, "predict", trained, beetles, "-o", out)
        assert second.code == 0, (moment, second.said)
        assert first.unreadable + second.unreadable == [], moment
        assert {one.name: one.read_bytes() for one in out.glob("*.[tc]s*")} == expected, moment
        assert sorted(one.name for one in (out / "overlays").iterdir()) == pictures
        kept = sum(one.stat().st_mtime_ns == when for one, when in seen.items())
        assert finished or kept >= len(seen) - 4, f"work was repeated: {moment}"  # four are looked at together
        assert not list(out.rglob(".*")), moment
    note(MOMENTS, "predictions killed")


def test_cross_validation(beetles, trained, nursery, note, tmp_path):
    settings = TINY[TINY.index("--set") + 1 :: 2]
    whole = nursery.crossvalidate(beetles, tmp_path / "whole", settings)
    assert (whole.code, whole.unreadable) == (0, []), whole.said
    expected = found(tmp_path / "whole")
    for number, moment in enumerate(moments(whole.operations, 0.012 * whole.readings, 3)):
        out = tmp_path / str(number)
        first = nursery.crossvalidate(beetles, out, settings, **moment)
        assert ended(first), first.said
        models = {one.parent: epochs(one.parent) for one in out.rglob("model.safetensors")}
        second = nursery.crossvalidate(beetles, out, settings)
        assert second.code == 0, (moment, second.said)
        assert first.unreadable + second.unreadable == [], moment
        assert found(out) == expected, moment
        for run, done in models.items():
            assert epochs(run) == done, f"a finished training was repeated: {moment}"
            assert same_model(run, tmp_path / "whole" / run.relative_to(out)), moment
        assert not list(out.rglob(".*")), moment
    note(MOMENTS, "cross-validations killed")


def found(out: Path) -> dict[str, bytes]:
    """What a cross-validation found: all files that do not tell the time."""
    names = ("out_of_fold.tps", "folds/01/predictions.tps", "folds/02/predictions.tps", "folds/02/certainty.json")
    return {name: (out / name).read_bytes() for name in names}


def test_report(beetles, trained, nursery, note, tmp_path):
    """While the report of a cross-validation is written."""
    job, out = ("crossvalidate", beetles, "--folds", "2", *TINY, "-o", tmp_path / "run"), tmp_path / "run"
    whole = nursery.run(out, *job)
    assert (whole.code, whole.unreadable) == (0, []), whole.said
    written = [*out.glob("tables/*"), *out.glob("figures/*.png"), out / "report.json", out / "methods.txt"]
    expected = {path: path.read_bytes() for path in written}
    assert len(expected) > 10
    report = nursery.run(out, *job).operations  # all else is finished: only this is written anew
    for number in np.linspace(1, report, 2 + REPORTS)[1:-1].round().astype(int).tolist():
        first = nursery.run(out, *job, stop=number)
        assert first.code == -9
        second = nursery.run(out, *job)
        assert second.code == 0, second.said
        assert first.unreadable + second.unreadable == []
        assert {path: path.read_bytes() for path in written} == expected
        assert not list(out.rglob(".*"))
    note(REPORTS, "reports killed")


@pytest.fixture
def project(beetles, tmp_path):
    """Make desks with six specimens, two of them digitised."""

    def new(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for photograph in beetles.glob("*.jpg"):
            shutil.copyfile(photograph, folder / photograph.name)
        two = tps.load(beetles / "landmarks.tps", lambda name: SIZE)[:2]
        tps.save(folder / "landmarks.tps", two, lambda name: SIZE)
        return folder

    return new


def changes(seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Landmarks placed, hidden and accepted, as a person does, much faster."""
    drawn = random.Random(seed)
    chosen: list[tuple[str, dict[str, Any]]] = []
    for specimen in range(3, 7):
        for k in (*range(8), *range(4)):
            place = {"what": "place", "landmark": k, "x": drawn.uniform(0, 150), "y": drawn.uniform(0, 110)}
            chosen.append((f"b{specimen}.jpg", place))
        chosen.append((f"b{specimen}.jpg", {"what": "missing", "landmark": drawn.randrange(8)}))
        chosen.append((f"b{specimen}.jpg", {"what": "accept"}))
    return chosen


def test_saving_in_the_desk(project, trained, nursery, note, tmp_path):
    todo = changes(0)
    folder = project("whole")
    whole = nursery.edit(folder, todo)
    assert (whole.code, whole.unreadable, whole.confirmed) == (0, [], len(todo)), whole.said
    expected = (folder / "landmarks.tps").read_bytes()
    for number, moment in enumerate(moments(whole.operations, 0.012 * whole.readings, 4)):
        folder = project(str(number))
        first = nursery.edit(folder, todo, **moment)
        assert ended(first), first.said
        done = revisions(folder)
        assert first.confirmed <= done <= first.confirmed + 1, moment  # the last may be kept without having been told
        second = nursery.edit(folder, todo[done:])
        assert second.code == 0, (moment, second.said)
        assert first.unreadable + second.unreadable == [], moment
        assert (folder / "landmarks.tps").read_bytes() == expected, moment
        assert revisions(folder) == len(todo)
        assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == [".desk"], moment
    note(MOMENTS, "savings of the desk killed")


def revisions(folder: Path) -> int:
    """How many changes a project remembers."""
    store = Store(folder, "me")
    total = sum(one.history.revision for one in store)
    store.close()
    return total


@pytest.mark.finding("The first event after a kill was lost: it was appended to the line that the kill had cut off.")
def test_an_event_after_a_line_that_was_cut_off_is_kept(tmp_path):
    run = Run(tmp_path)
    for rest in ("", '{"event": "epo', '{"event": "epoch", "stage": "coarse"'):
        run.events.write_text('{"event": "first"}\n' + rest)
        run.note({"event": "next"})
        run.note({"event": "next"})
        assert len(list(run.read_events("first"))) == 1
        assert len(list(run.read_events("next"))) == 2


@pytest.mark.finding("Killed in its first moment, a cross-validation would not begin again: its folder was not empty.")
def test_what_is_half_written_keeps_nobody_from_beginning_again(tmp_path):
    (tmp_path / ".crossvalidation-part-x1.json").write_text("{")
    claim(tmp_path / "crossvalidation.json", {"folds": 3}, "a cross-validation")
    assert [one.name for one in tmp_path.iterdir()] == ["crossvalidation.json"]


@pytest.mark.finding("--resume trained a finished model again, and with other settings overwrote it without a word.")
def test_a_finished_training_is_not_repeated(beetles, trained, nursery, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = {path: path.read_bytes() for path in run.iterdir()}
    again = nursery.run(run, "train", beetles, "-o", run, "--resume", *TINY, "--json")
    assert again.code == 0, again.said
    assert json.loads(again.said)["n_train"] == 6
    other = nursery.run(run, "train", beetles, "-o", run, "--resume", *TINY, "--seed", 3)
    assert other.code == 2
    assert "a finished training with other seed" in other.said
    assert {path: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.finding("A resumption that was refused had already replaced the settings of the earlier training.")
def test_a_refused_resumption_changes_nothing(tmp_path):
    checkpoint, begun = tmp_path / "checkpoint.safetensors", []
    training.fit([], seed=0, identity="these data", on_begin=lambda: begun.append("first"))
    weights.save(checkpoint, {}, {"training": json.dumps({"plan": "other", "stage": 0, "epoch": 0, "best_error": 1.0})})
    with pytest.raises(UserError, match="other settings or other data"):
        training.fit([], seed=0, checkpoint=checkpoint, resume=True, on_begin=lambda: begun.append("second"))
    assert begun == ["first"]


@pytest.mark.finding("A training killed while weights were written left a temporary file that nothing removed.")
def test_whatever_is_half_written_of_weights_is_swept_away(tmp_path):
    """A reader looks all the while: temporary files are those that `files.sweep` knows."""
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            seen.update(os.listdir(tmp_path))

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(3):
        weights.save(tmp_path / "model.safetensors", {"x": torch.zeros(20_000_000)}, {"said": "x"})
    done.set()
    looking.join()
    seen.discard("model.safetensors")
    assert seen
    assert all(PART in name for name in seen), seen


@pytest.mark.finding("A prediction of thousands of photographs that was killed began with the first one again.")
def test_a_prediction_goes_on_where_it_was(beetles, trained, nursery, tmp_path):
    whole = nursery.run(tmp_path / "whole", "predict", trained, beetles, "-o", tmp_path / "whole", watch=False)
    out = tmp_path / "out"
    nursery.run(out, "predict", trained, beetles, "-o", out, stop=whole.operations - 8, watch=False)
    kept = (out / ".predicting.jsonl").read_text().splitlines()
    assert len(kept) >= 5
    (out / ".predicting.jsonl").write_text("\n".join(kept[:5]) + "\n" + kept[5][:40])  # four photographs, and a part
    for picture in (out / "overlays").iterdir():
        os.utime(picture, (1, 1))
    again = nursery.run(out, "predict", trained, beetles, "-o", out, watch=False)
    assert again.code == 0, again.said
    for name in ("predictions.tps", "predictions.csv", "review.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    old = {picture.name for picture in (out / "overlays").iterdir() if picture.stat().st_mtime == 1}
    assert old == {f"b{number}.jpg.png" for number in (1, 2, 3, 4)}
    (out / ".predicting.jsonl").write_text("\n".join([kept[0], *kept[1:5]]) + "\n")
    changed = tmp_path / "changed"
    shutil.copytree(beetles, changed)
    shutil.copyfile(beetles / "b1.jpg", changed / "b2.jpg")
    fresh = nursery.run(out, "predict", trained, changed, "-o", out, watch=False)
    assert fresh.code == 0
    rows = (out / "predictions.csv").read_text().splitlines()
    assert [row.split(",")[3:5] for row in rows[1:9]] == [row.split(",")[3:5] for row in rows[9:17]]
