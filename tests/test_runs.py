"""Run folders: what happened is read back as it counts."""

import json

import pytest

from pronotum.errors import UserError
from pronotum.runs import Run, claim


def test_an_epoch_done_again_after_an_interruption_counts_once(tmp_path):
    run = Run(tmp_path)
    for stage, epoch, loss in [("coarse", 1, 9.0), ("coarse", 2, 8.0), ("coarse", 2, 7.0), ("fine", 1, 5.0)]:
        run.note({"event": "epoch", "stage": stage, "epoch": epoch, "loss": loss})
    with run.events.open("a") as file:
        file.write('{"event": "epoch", "stage": "fine", "ep')  # killed while writing
    assert [(one["stage"], one["epoch"], one["loss"]) for one in run.epochs()] == [
        ("coarse", 1, 9.0),
        ("coarse", 2, 7.0),
        ("fine", 1, 5.0),
    ]


def test_a_folder_is_claimed_for_one_thing(tmp_path):
    path = tmp_path / "new" / "what.json"
    claim(path, {"folds": 3, "groups": ("a",)}, "a cross-validation")
    claim(path, {"folds": 3, "groups": ["a"]}, "a cross-validation")
    assert json.loads(path.read_text()) == {"folds": 3, "groups": ["a"]}
    with pytest.raises(UserError, match="a cross-validation with other folds and groups; expected the same command"):
        claim(path, {"folds": 4, "groups": []}, "a cross-validation")
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="not empty; expected a new folder"):
        claim(tmp_path / "what.json", {}, "a cross-validation")
