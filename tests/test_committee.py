"""Several networks that answer together: the preset `best`."""

import numpy as np
import pytest
import torch

from pronotum import demo, workflows
from pronotum.evaluation.folds import hold_out
from pronotum.models import architecture, storage
from pronotum.runs import Run
from pronotum.settings import OF_MODEL, resolve


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=10, seed=0, size=(192, 144))


def options(tiny, preset="best", held_out=0.0, start=None, **more):
    return workflows.TrainOptions(preset, 0, "cpu", held_out, {**tiny, **more}, pose="upright", start=start)


def stages(run):
    return list(dict.fromkeys(event["stage"] for event in Run(run).read_events("epoch")))


def weights_of(run):
    return storage.load(Run(run).model).network.state_dict()


def test_best_trains_three_networks_of_each_kind_and_says_the_error_of_all(data, tiny, tmp_path):
    result = workflows.train(data, tmp_path / "run", options(tiny, held_out=0.3))
    assert stages(tmp_path / "run") == [f"{part} {number}" for part in ("coarse", "fine") for number in (1, 2, 3)]
    tensors = weights_of(tmp_path / "run")
    for part in ("coarse", "fine"):
        first, second, third = (tensors[f"{part}.members.{number}.head.weight"] for number in range(3))
        assert not torch.equal(first, second)
        assert not torch.equal(second, third)
    (watched,) = (one["held_out_error_px"] for one in Run(tmp_path / "run").read_events("finished"))
    _, held_out = hold_out(data.groups, 0.3, 0)
    assert len(held_out) == result.n_held_out
    said = workflows.evaluate(tmp_path / "run", data.subset(held_out), device="cpu")
    assert watched == pytest.approx(np.linalg.norm(said.predicted - data.points[held_out], axis=-1).mean(), rel=1e-3)


def test_a_setting_overrules_the_preset_and_other_presets_ask_one(data, tiny, tmp_path):
    workflows.train(data, tmp_path / "two", options(tiny, **{OF_MODEL + "members": 2}))
    assert stages(tmp_path / "two") == ["coarse 1", "coarse 2", "fine 1", "fine 2"]
    workflows.train(data, tmp_path / "one", options(tiny, "standard"))
    assert stages(tmp_path / "one") == ["coarse", "fine"]
    assert not [name for name in weights_of(tmp_path / "one") if "members" in name]


@pytest.mark.parametrize(("name", "upright"), [("heatmap", False), ("free", True)])
def test_specimens_in_any_pose_are_landmarked_by_three_too(data, name, upright):
    kind = architecture.named(name)
    for preset, n in (("fast", 1), (None, 1), ("best", 3)):
        config = resolve(kind, data, {}, preset)[1]
        assert (config.upright if upright else config).members == n


def test_every_network_starts_from_one_of_an_earlier_model_however_many_that_has(data, tiny, tmp_path):
    still = {"rate": 1e-12, "decay": 0}
    workflows.train(data, tmp_path / "one", options(tiny, "standard"))
    workflows.train(data, tmp_path / "three", options(tiny, "best", start=tmp_path / "one", **still))
    workflows.train(
        data, tmp_path / "two", options(tiny, start=tmp_path / "three", **still, **{OF_MODEL + "members": 2})
    )
    one, three, two = (weights_of(tmp_path / name) for name in ("one", "three", "two"))
    for name, value in three.items():
        if "members" in name:
            part, _, number, rest = name.split(".", 3)
            assert torch.allclose(value, one[f"{part}.{rest}"], atol=1e-6)
            assert int(number) > 1 or torch.allclose(value, two[name], atol=1e-6)
    assert not [
        name for name in storage.load(Run(tmp_path / "three").model).card["started_from"]["fresh"] if "members" in name
    ]


def test_an_interrupted_training_ends_as_one_that_was_not(data, tiny, tmp_path):
    workflows.train(data, tmp_path / "whole", options(tiny))

    class Stop(Exception):
        pass

    def stop(epoch):
        if epoch.stage == "fine 2":
            raise Stop

    with pytest.raises(Stop):
        workflows.train(data, tmp_path / "again", options(tiny), on_epoch=stop)
    workflows.train(data, tmp_path / "again", options(tiny), resume=True)
    before, after = weights_of(tmp_path / "whole"), weights_of(tmp_path / "again")
    assert all(torch.equal(before[name], after[name]) for name in before)
