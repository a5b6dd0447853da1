"""Training from the desk, its events, and whether it pays. The training itself runs in test_end_to_end."""

import json
import time

import numpy as np
import pytest

from pronotum.desk import answers, corrections, retraining
from pronotum.desk.retraining import Training, Trainings, called, share_of
from pronotum.desk.states import Edit
from pronotum.errors import UserError
from pronotum.project import DeskSettings
from pronotum.runs import Run
from pronotum.synthetic import draw

from .conftest import SIZE

WAITING = ("python", "-c", "import time; time.sleep(60)")


def training(how="train", step="learning"):
    return Training(1, how, 3, {}, {}, "2026-01-01T00:00:00+00:00", step=step)


def note(folder, progress):
    folder.mkdir(parents=True, exist_ok=True)
    Run(folder).note({"event": "epoch", "progress": progress})


def test_the_share_follows_the_events_of_the_run(tmp_path):
    assert share_of(tmp_path, training(), 5) == 0
    note(tmp_path, 0.25)
    note(tmp_path, 0.5)
    with Run(tmp_path).events.open("a") as file:
        file.write('{"event": "epo')  # being written
    assert share_of(tmp_path, training(), 5) == 0.5
    assert share_of(tmp_path, training(step="predicting"), 5) == 1


def test_the_share_of_a_cross_validation_counts_its_folds(tmp_path):
    for number, progress in ((1, 1), (2, 1), (3, 0.5)):
        note(tmp_path / "folds" / f"{number:02d}", progress)
    (tmp_path / "folds" / "01" / "predictions.tps").touch()
    assert share_of(tmp_path, training("crossvalidate"), 4) == pytest.approx(2.5 / 5)
    for number in range(1, 5):
        (tmp_path / "folds" / f"{number:02d}").mkdir(exist_ok=True)
        (tmp_path / "folds" / f"{number:02d}" / "predictions.tps").touch()
    note(tmp_path, 0.5)
    assert share_of(tmp_path, training("crossvalidate"), 4) == pytest.approx(4.5 / 5)


def test_photographs_are_called_as_predict_calls_them(tmp_path):
    from pronotum.landmarking import unique_names

    paths = [tmp_path / name for name in ("a/1.jpg", "b/1.jpg", "2.jpg", "a/3.JPG")]
    assert called(paths) == unique_names(paths)


@pytest.fixture
def trainings(digitised, opened, monkeypatch):
    monkeypatch.setattr(retraining, "PRONOTUM", WAITING)
    found = Trainings(opened(digitised), DeskSettings())
    yield found
    found.close()


def until(condition):
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def accept_a_third(store):
    points = draw("pronotum", 3, size=(240, 320)).points
    revision = store.get("b3.jpg").history.revision
    store.edit("b3.jpg", revision, Edit(what="accept"), predicted=points)


def test_three_are_needed(trainings):
    with pytest.raises(UserError, match="2 accepted specimens; expected at least 3; accept more first"):
        trainings.start()
    accept_a_third(trainings.store)
    with pytest.raises(UserError, match="3 accepted specimens; expected at least 5"):
        trainings.start("crossvalidate")


def test_stopping_ends_the_process_and_leaves_something_to_go_on_with(trainings):
    accept_a_third(trainings.store)
    begun = trainings.start()
    place = trainings.place(begun)
    assert (place / "learnt.tps").read_text().count("LM=8") == 3
    with pytest.raises(UserError, match="one is running"):
        trainings.start()
    pid = trainings.latest.pid
    trainings.cancel()
    until(lambda: trainings.latest.state == "stopped")
    assert not retraining._is_ours(pid, place)
    assert json.loads((place / "training.json").read_text())["state"] == "stopped"
    trainings.go_on()
    assert trainings.running
    assert trainings.latest.number == 1


def test_what_a_command_says_is_told(trainings, monkeypatch):
    accept_a_third(trainings.store)
    monkeypatch.setattr(
        retraining, "PRONOTUM", ("python", "-c", "import sys; sys.exit('error: wings: no fly; find one')")
    )
    trainings.start()
    until(lambda: trainings.latest.state == "failed")
    assert trainings.status()["message"] == "wings: no fly; find one"


def test_a_training_whose_process_is_gone_is_stopped_not_running(trainings):
    accept_a_third(trainings.store)
    trainings.start()
    path = trainings.place(trainings.latest) / "training.json"
    trainings.cancel()
    until(lambda: trainings.latest.state == "stopped")
    plain = {**json.loads(path.read_text()), "state": "running", "pid": 1}
    path.write_text(json.dumps(plain))
    again = Trainings(trainings.store, DeskSettings())
    assert (again.latest.state, again.latest.message) == ("stopped", "the desk was ended")


HEAD = "image,id,landmark,x,y,confidence,radius_50,radius_90,radius_95,flags,remark\n"


def test_predictions_are_read_by_the_names_of_their_columns(tmp_path):
    rows = "b1.jpg,1,1,5.5,6,0.5,1,2.5,3,turned; low confidence,\nb1.jpg,1,2,,,,,,,turned; low confidence,hidden\n"
    (tmp_path / "predictions.csv").write_text(HEAD + rows)
    (tmp_path / "review.csv").write_text("rank,image,id,urgency,flags\n1,b1.jpg,1,1.75,turned\n")
    found = answers.read(tmp_path, "0001").by_image["b1.jpg"]
    np.testing.assert_array_equal(found.points, [[5.5, 6], [np.nan, np.nan]])
    assert found.radii[0] == 2.5
    assert found.flags == ("turned", "low confidence")
    assert found.urgency == 1.75


def test_corrections_tell_how_far_predictions_were_moved(digitised, opened):
    store = opened(digitised)
    points = np.array(store.get("b1.jpg").state.points)
    size = np.sqrt(((points - points.mean(0)) ** 2).sum())
    predicted = points + [3, 4]
    for key, random in (("b1.jpg", False), ("b2.jpg", True)):
        store.edit(key, 0, Edit(what="reopen"))
        plain = [[float(x), float(y)] for x, y in predicted]
        if key == "b2.jpg":
            plain = [[float(x), float(y)] for x, y in store.get(key).state.points]
        store.edit(key, 1, Edit(what="accept"), more={"training": "0002", "predicted": plain, "random": random})
    found = corrections.of(store.journal.read()[0])
    assert [(one.specimen, one.moved, one.random) for one in found] == [("b1.jpg", 8, False), ("b2.jpg", 0, True)]
    assert found[0].percent == pytest.approx(500 / size)
    (row,) = corrections.curve(found, {"0001": 3, "0002": 6})
    assert (row["learnt"], row["n"], row["random_n"], row["random_median"]) == (6, 2, 1, 0)
    assert row["median"] == pytest.approx(250 / size)


def test_the_photograph_stays_in_its_own_frame(digitised, opened):
    assert opened(digitised).get("b3.jpg").size == (240, 320)
    assert opened(digitised).get("b1.jpg").size == SIZE
