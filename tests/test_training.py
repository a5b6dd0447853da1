import pytest
import torch
from torch import nn

from pronotum import training
from pronotum.errors import UserError
from pronotum.models.stage import Stage


def line_stage(name="line", *, epochs=12, watch=True, scale=1.0, averaging=0.9):
    """Fit y = 2x + 1 with noise, so that every step depends on the epoch's random numbers."""
    network = nn.Linear(1, 1)

    def losses(generator):
        for _ in range(3):
            x = torch.randn(8, 1, generator=generator)
            noise = torch.randn(8, 1, generator=generator)
            yield ((network(x) - (2 * x + 1 + 0.1 * noise)) ** 2).mean() * scale

    def validate(candidate):
        with torch.no_grad():
            return float((candidate(torch.ones(1, 1)) - 3).abs())

    return Stage(
        name=name,
        network=network,
        epochs=epochs,
        batches=3,
        losses=losses,
        validate=validate if watch else None,
        optimiser=lambda net: torch.optim.AdamW(net.parameters(), 0.1),
        rates=lambda share: {"lr": 0.1 * (1 - share)},
        averaging=averaging,
    )


def stages(**options):
    torch.manual_seed(1)
    return [line_stage("first", **options), line_stage("second", **options)]


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_after", [1, 5, 11, 12, 13, 20])
def test_a_killed_training_resumes_to_the_same_bits(tmp_path, monkeypatch, killed_after):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr(training, "SAVING_SHARE", 0)
    whole = stages()
    training.fit(whole, seed=3)

    seen = []

    def die(epoch):
        seen.append(epoch)
        if len(seen) == killed_after:
            raise Killed

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        training.fit(stages(), seed=3, checkpoint=path, on_epoch=die)
    resumed, again = stages(), []
    training.fit(resumed, seed=3, checkpoint=path, resume=True, on_epoch=again.append)
    assert len(again) < 24 or killed_after == 1
    for mine, theirs in zip(resumed, whole, strict=True):
        assert torch.equal(mine.network.weight, theirs.network.weight)
        assert torch.equal(mine.network.bias, theirs.network.bias)


def test_the_best_weights_are_kept():
    (stage,) = [line_stage(epochs=30)]
    errors = []
    training.fit([stage], seed=0, on_epoch=lambda epoch: errors.append(epoch.error))
    measured = [error for error in errors if error is not None]
    assert stage.validate(stage.network) == pytest.approx(min(measured), abs=1e-7)


def test_without_held_out_specimens_the_last_averaged_weights_are_kept():
    torch.manual_seed(0)
    stage = line_stage(epochs=60, watch=False)
    epochs = []
    training.fit([stage], seed=0, on_epoch=epochs.append)
    assert all(epoch.error is None for epoch in epochs)
    assert stage.network(torch.ones(1, 1)).item() == pytest.approx(3, abs=0.15)


def test_another_seed_trains_otherwise():
    results = []
    for seed in (0, 0, 1):
        trained = stages()
        training.fit(trained, seed=seed)
        results.append(trained[0].network.weight.item())
    assert results[0] == results[1] != results[2]


def test_a_loss_that_is_no_number_ends_the_training_with_one_line():
    with pytest.raises(UserError, match=r"line stage, epoch 1: the loss is (nan|inf).*lower learning rate"):
        training.fit([line_stage(scale=float("inf"))], seed=0)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    training.fit(stages(), seed=0, checkpoint=path, identity="these data")
    with pytest.raises(UserError, match="other settings or other data"):
        training.fit(stages(), seed=0, checkpoint=path, identity="others", resume=True)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        training.fit(stages(), seed=0, checkpoint=path, identity="these data", resume=True)


def test_progress_rises_to_one():
    shares = []
    training.fit(stages(), seed=0, on_epoch=lambda epoch: shares.append(epoch.progress))
    assert shares == sorted(shares)
    assert shares[-1] == 1
