"""Two processes that torchrun starts train as one does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pronotum import ranks
from pronotum.cli_parts import engine
from pronotum.errors import UserError
from pronotum.models import storage
from pronotum.models.unet import heatmap_loss

SETTINGS = {"coarse_steps": 4, "fine_steps": 4, "coarse_epochs": 1, "fine_epochs": 1, "batch": 4, "rate": 1e-4}
SMALL = {"model.coarse_widths": "[8,8,8,8]", "model.coarse_depth": 8, "model.fine_widths": "[8,8]"}


def train(data, folder, *launcher):
    """The losses of every epoch and the weights, of a command on its own."""
    settings = [f"--set={name}={value}" for name, value in {**SETTINGS, **SMALL}.items()]
    command = [*launcher, "-m", "pronotum", "train", str(data), "-o", str(folder), "--held-out=0.25"]
    command += ["--pose=upright", "--device=cpu", *settings]
    ended = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    network = storage.load(folder / "model.safetensors").network
    return ended.stdout, [one for one in events if one["event"] == "epoch"], network.state_dict()


def test_two_processes_have_the_loss_curve_of_one(beetles, tmp_path):
    """Nine beetles: seven to learn from in batches of 4 and 3, which two processes cannot share evenly."""
    data = beetles.source[0].parent
    _, alone, weights = train(data, tmp_path / "alone", sys.executable)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    said, both, shared = train(data, tmp_path / "both", *torchrun)
    assert [(one["stage"], one["epoch"]) for one in both] == [(one["stage"], one["epoch"]) for one in alone]
    assert len(alone) > 3
    np.testing.assert_allclose([one["loss"] for one in both], [one["loss"] for one in alone], atol=1e-4, rtol=0)
    errors = [[one["error"] for one in run if one["error"] is not None] for run in (both, alone)]
    np.testing.assert_allclose(*errors, rtol=1e-3)
    for name, value in weights.items():
        np.testing.assert_allclose(shared[name], value, atol=1e-3, err_msg=name)
    assert "device of each of 2 processes: cpu" in said
    assert said.count("trained on ") == 1


@pytest.fixture
def of_three(monkeypatch):
    """As if this were one of three processes: which one is what it returns."""

    def become(number):
        monkeypatch.setenv("WORLD_SIZE", "3")
        monkeypatch.setenv("RANK", str(number))

    return become


def test_shares_are_the_batch(of_three):
    pictures, wanted = torch.arange(7.0)[:, None], torch.arange(7.0)[:, None] + 10
    shares = []
    for number in range(3):
        of_three(number)
        shares.append(ranks.share(pictures, wanted))
    assert sorted(torch.cat([own for own, _ in shares]).flatten().tolist()) == list(range(7))
    assert all(torch.equal(own + 10, answer) for own, answer in shares)


def test_whoever_is_left_over_counts_nothing(of_three, monkeypatch):
    """The sum of the shares' gradients over three is that of the batch, also where one specimen has fewer landmarks."""
    torch.manual_seed(0)
    maps, targets = torch.randn(2, 2, 4, 4), torch.tensor([[[5.0, 6], [9, 9]], [[torch.nan, 1], [8, 3]]])

    def gradient(maps, targets):
        logits = maps.clone().requires_grad_()
        log_maps = torch.log_softmax(logits.flatten(2), -1).view_as(logits)
        heatmap_loss(log_maps, targets, stride=4, sigma=2.0).backward()
        return logits.grad

    whole = gradient(maps, targets)
    monkeypatch.setattr(ranks, "average", lambda total: torch.tensor(3.0) / 3)  # three landmarks in all
    shared = torch.zeros_like(whole)
    for number in range(3):
        of_three(number)
        own, wanted = ranks.share(maps, targets)
        found = gradient(own, wanted) / 3
        if number < 2:
            shared[number] = found[0]
        else:
            assert found.abs().sum() == 0
    torch.testing.assert_close(shared, whole)


def test_commands_of_many_trainings_are_not_shared_so(of_three):
    of_three(1)
    with pytest.raises(UserError, match="only pronotum train is shared so"), engine(None, None):
        pass


def test_alone_nothing_is_shared():
    pictures, wanted = torch.zeros(2, 3), torch.zeros(2, 1)
    assert ranks.share(pictures, wanted) == (pictures, wanted)
    assert ranks.first()
    network = torch.nn.Linear(1, 1)
    with ranks.spread(network):
        assert ranks.through(network) is network
