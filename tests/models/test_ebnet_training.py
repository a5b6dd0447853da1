import copy
import math

import numpy as np
import pytest
import sklearn.model_selection
import sklearn.utils
import torch
from pydantic import ValidationError
from torch import nn

from pronotum import training
from pronotum.augment import Augmentation
from pronotum.channels import grey, recolour
from pronotum.models.ebnet import Block, EBNet, EBNetConfig, denormalise, normalise
from pronotum.models.ebnet_training import (
    PRESETS,
    EBNetTrainer,
    EBNetTraining,
    coordinate_loss,
    losses_of,
    split_rows,
)
from pronotum.models.nesterov import LasagneNesterov
from pronotum.pictures import Examples

FRAME = (32, 24)


def spots(n=24, seed=0, magnification=2, px=3.0):
    """Pictures with one bright spot at landmark 1, and landmark 2 always 6 px to its right."""
    random = np.random.default_rng(seed)
    centres = random.uniform((8, 7), (17, 16), (n, 2))
    y, x = np.mgrid[: FRAME[1], : FRAME[0]]
    light = np.exp(-((x - centres[:, :1, None]) ** 2 + (y - centres[:, 1:, None]) ** 2) / 8)
    frames = torch.from_numpy((20 + 200 * light).astype(np.uint8))[:, None].expand(-1, 3, -1, -1).contiguous()
    points = np.stack([centres, centres + np.array([6, 0])], 1)
    details = torch.zeros(n, 3, FRAME[1] * magnification, FRAME[0] * magnification, dtype=torch.uint8)
    inside = (points + 0.5) * magnification - 0.5
    return Examples(details, frames, torch.from_numpy(inside).float(), torch.full((n,), px))


def trainer(settings, *, examples=None, held_out=6, dropout=0.0, **options):
    examples = spots() if examples is None else examples
    torch.manual_seed(0)
    blocks = (Block(channels=6, kernel=3, dropout=dropout), Block(channels=8, kernel=2, dropout=dropout))
    model = EBNet(EBNetConfig(n_landmarks=2, frame=FRAME, blocks=blocks, hidden=32, hidden_dropout=dropout))
    index = torch.arange(len(examples))
    learn, watch = index[held_out:], index[:held_out]
    return EBNetTrainer(model, examples, settings, learn, watch, torch.device("cpu"), **options)


# --- Nesterov's momentum


def test_two_steps_by_hand_with_both_rates_moving():
    p = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimiser = LasagneNesterov([p], lr=0.1, momentum=0.9)
    p.grad = torch.tensor([2.0], dtype=torch.float64)
    optimiser.step()
    # v = 0.9 * 0 - 0.1 * 2 = -0.2 ; p = 1 + 0.9 * -0.2 - 0.2 = 0.62
    assert p.item() == pytest.approx(0.62, abs=1e-12)
    optimiser.param_groups[0].update(lr=0.05, momentum=0.5)
    p.grad = torch.tensor([-1.0], dtype=torch.float64)
    optimiser.step()
    # v = 0.5 * -0.2 + 0.05 = -0.05 ; p = 0.62 + 0.5 * -0.05 + 0.05 = 0.645
    assert p.item() == pytest.approx(0.645, abs=1e-12)
    assert optimiser.state[p]["velocity"].item() == pytest.approx(-0.05, abs=1e-12)


@pytest.mark.parametrize(("falling", "same"), [(False, True), (True, False)])
def test_it_is_torch_s_form_only_while_the_rate_is_constant(falling, same):
    start = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = LasagneNesterov([ours], lr=0.1, momentum=0.8)
    sgd = torch.optim.SGD([theirs], lr=0.1, momentum=0.8, nesterov=True)
    for step in range(10):
        for parameter, optimiser in ((ours, mine), (theirs, sgd)):
            optimiser.param_groups[0]["momentum"] = 0.8 + 0.01 * step
            optimiser.param_groups[0]["lr"] = 0.1 * (0.7**step if falling else 1)
            optimiser.zero_grad()
            (parameter.square() / 2 + parameter.cos()).sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12) is same


def test_parameters_without_gradient_rest_and_the_state_can_be_kept():
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimiser = LasagneNesterov([used, unused], lr=0.1, momentum=0.9)
    assert optimiser.step(lambda: float(used.sum().backward() or 7.0)) == 7.0
    assert unused.tolist() == [1, 1]
    assert used.tolist() != [1, 1]
    kept, state = copy.deepcopy(used), copy.deepcopy(optimiser.state_dict())
    again = LasagneNesterov([kept, nn.Parameter(torch.ones(2))], lr=1.0, momentum=0.0)
    again.load_state_dict(state)
    for parameter, one in ((used, optimiser), (kept, again)):
        parameter.grad = torch.tensor([0.5, -0.5])
        one.step()
    assert torch.equal(used, kept)


# --- Rates


def test_the_paper_s_rates_at_its_epochs():
    paper = PRESETS["paper"]
    lr, momentum = np.linspace(0.03, 0.00001, 5000), np.linspace(0.9, 0.9999, 5000)
    for epoch, index in ((1, 0), (2, 0), (3, 1), (2500, 2498), (4999, 4997), (5000, 4998)):
        rates = paper.rates(epoch)
        assert rates["lr"] == pytest.approx(lr[index], rel=1e-12)
        assert rates["momentum"] == pytest.approx(momentum[index], rel=1e-12)
    assert paper.rates(5000)["lr"] > 1e-5
    assert paper.rates(5000)["momentum"] < 0.9999


@pytest.mark.parametrize("n", [7, 24])
@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 5000])
def test_a_stage_finds_the_epoch_from_the_share_exactly(epochs, n):
    settings = EBNetTraining(epochs=epochs, batch=9)
    (stage,) = trainer(settings, examples=spots(n)).stages()
    steps = epochs * stage.batches
    for step in range(steps):
        assert stage.rates(step / steps) == settings.rates(step // stage.batches + 1)


def test_the_stage_starts_with_the_optimiser_and_network_of_the_paper():
    (stage,) = trainer(EBNetTraining(epochs=50)).stages()
    optimiser = stage.optimiser(stage.network)
    assert isinstance(optimiser, LasagneNesterov)
    assert stage.rates(0.0) == {"lr": 0.03, "momentum": 0.9}
    assert set(stage.rates(0.5)) <= set(optimiser.param_groups[0])
    assert stage.averaging == 0


def test_presets():
    paper, tuned, short = (PRESETS[name] for name in ("paper", "paper-finetune", "compressed"))
    assert (paper.epochs, paper.batch, paper.reshuffle, paper.channels) == (5000, 128, False, True)
    assert (paper.channel_offset, paper.random_offset, paper.geometric) == (10, False, False)
    assert tuned.epochs == 10_000
    assert {tuple(tuned.rates(e).values()) for e in (1, 2, 5000, 10_000)} == {(0.01, 0.9)}
    assert short.split == "grouped"
    for preset in PRESETS.values():
        assert EBNetTraining.model_validate(preset.model_dump()) == preset


def test_the_compressed_schedule_keeps_the_effective_step_and_ends_in_time():
    """Of spec A.5: rate / (1 - momentum) stays near 0.3, and more steps are left than are averaged over."""
    preset, batches = PRESETS["compressed"], math.ceil(260 * 7 / 128)
    for share, least in ((0.25, 0.28), (0.5, 0.27), (0.75, 0.25), (0.9, 0.2)):
        rates = preset.rates(round(share * preset.epochs))
        assert least < rates["lr"] / (1 - rates["momentum"]) <= 0.3
    steps_left = 0.06 * preset.epochs * batches
    assert 1 / (1 - preset.rates(round(0.94 * preset.epochs))["momentum"]) < steps_left


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"momentum_stop": 1.0}, {"split": "60/40"}, {"rate": 0.1}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        EBNetTraining(**wrong)


# --- Rows


@pytest.mark.parametrize(("split", "n_learn", "n_watch"), [("rows-60/40", 1092, 728), ("rows-nolearn", 1213, 607)])
def test_row_splits_have_the_sizes_of_the_paper_and_share_no_row(split, n_learn, n_watch):
    train = torch.arange(100, 360)
    learn, watch = split_rows(train, torch.arange(100), EBNetTraining(split=split))
    assert (len(learn), len(watch)) == (n_learn, n_watch)
    everything = {(int(s), int(v)) for s, v in torch.cat([learn, watch])}
    assert everything == {(s, v) for s in range(100, 360) for v in range(7)}
    siblings = set(watch[:, 0].tolist()) & set(learn[:, 0].tolist())
    assert len(siblings) > 0.95 * len(set(watch[:, 0].tolist()))  # the leak of spec 0.3


def test_the_legacy_split_is_scikit_learn_s_shuffle_and_first_fold():
    rows = np.array([(s, v) for s in range(41) for v in range(7)])
    shuffled = sklearn.utils.shuffle(rows, random_state=42)
    learn, watch = next(iter(sklearn.model_selection.KFold(3).split(shuffled)))
    ours = split_rows(torch.arange(41), torch.arange(0), EBNetTraining(split="rows-nolearn"))
    assert np.array_equal(ours[0].numpy(), shuffled[learn])
    assert np.array_equal(ours[1].numpy(), shuffled[watch])


def test_the_grouped_split_watches_originals_of_other_specimens():
    learn, watch = split_rows(torch.tensor([4, 9, 2]), torch.tensor([7, 0]), EBNetTraining())
    assert watch.tolist() == [[7, 0], [0, 0]]
    assert sorted(learn.tolist()) == [[s, v] for s in (2, 4, 9) for v in range(7)]
    alone, _ = split_rows(torch.tensor([4, 9, 2]), torch.tensor([7, 0]), EBNetTraining(channels=False))
    assert sorted(alone.tolist()) == [[2, 0], [4, 0], [9, 0]]


@pytest.mark.parametrize("split", ["grouped", "rows-60/40", "rows-nolearn"])
def test_another_split_seed_shuffles_otherwise(split):
    train = torch.arange(20)
    first, again, other = (
        split_rows(train, train[:0], EBNetTraining(split=split, split_seed=seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def batches_of(subject, seed=0):
    """The rows' first pictures' brightness in the order they were shown in an epoch."""
    seen = []
    hook = subject.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((1, 2, 3)).detach()))
    losses = list(subject.stages()[0].losses(torch.Generator().manual_seed(seed)))
    hook.remove()
    return seen, losses


def test_an_epoch_shows_every_row_once_in_whole_batches():
    subject = trainer(EBNetTraining(batch=20), held_out=0)
    (stage,) = subject.stages()
    seen, losses = batches_of(subject)
    assert stage.batches == len(losses) == 9
    assert [len(batch) for batch in seen] == [20] * 8 + [8]
    rows, _ = split_rows(subject.train, subject.held_out, subject.settings)
    shown = recolour(subject.examples.frames[rows[:, 0]], rows[:, 1], torch.full((len(rows),), 10)).mean((1, 2, 3))
    assert torch.allclose(torch.cat(seen).sort().values, shown.sort().values, atol=1e-6)


def test_the_paper_s_order_is_fixed_and_the_default_is_not():
    fixed, shuffled = (trainer(EBNetTraining(batch=20, reshuffle=r), held_out=0) for r in (False, True))
    rows, _ = split_rows(fixed.train, fixed.held_out, fixed.settings)
    shown = recolour(fixed.examples.frames[rows[:, 0]], rows[:, 1], torch.full((len(rows),), 10)).mean((1, 2, 3))
    for seed in (1, 2):
        assert torch.allclose(torch.cat(batches_of(fixed, seed)[0]), shown, atol=1e-6)
    first, again, other = (torch.cat(batches_of(shuffled, seed)[0]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_drawn_offsets_change_the_pictures():
    settings = EBNetTraining(reshuffle=False, channel_offset=60)
    fixed = trainer(settings, held_out=0)
    drawn = trainer(settings.model_copy(update={"random_offset": True}), held_out=0)
    changed = (torch.cat(batches_of(fixed)[0]) - torch.cat(batches_of(drawn)[0])).abs() > 1e-6
    rows, _ = split_rows(fixed.train, fixed.held_out, settings)
    added = (rows[:, 1] >= 1) & (rows[:, 1] <= 3)
    assert not changed[~added].any()
    assert changed[added].double().mean() > 0.9


def test_geometry_moves_points_with_pixels():
    settings = EBNetTraining(channels=False, geometric=True, augmentation=Augmentation(rotation=25, shift=0.1))
    subject = trainer(settings, held_out=0)
    rows = torch.stack([subject.train, torch.zeros_like(subject.train)], 1)
    pictures, points = subject._batch(rows, torch.Generator().manual_seed(5))
    light = (pictures[:, 0] - 20 / 255).clamp(min=0)
    y, x = torch.meshgrid(torch.arange(FRAME[1]), torch.arange(FRAME[0]), indexing="ij")
    mass = light.sum((1, 2))
    centres = torch.stack([(light * x).sum((1, 2)) / mass, (light * y).sum((1, 2)) / mass], 1)
    inside = ((points[:, 0] > 7) & (points[:, 0] < torch.tensor([24, 16]))).all(1)
    assert inside.sum() > 8
    assert (centres - points[:, 0])[inside].abs().max() < 0.35
    original = subject.examples.points[:, 0] / 2 - 0.25
    assert (points[:, 0] - original).abs().max() > 2


# --- Losses


def test_the_loss_is_the_slow_mean_over_what_is_there():
    random = torch.Generator().manual_seed(0)
    outputs = torch.randn(5, 8, generator=random, dtype=torch.float64, requires_grad=True)
    wanted = torch.randn(5, 8, generator=random, dtype=torch.float64)
    wanted[1, 2:4] = wanted[4, 6:8] = torch.nan
    squares = [(float(o) - float(w)) ** 2 for o, w in zip(outputs.detach().flatten(), wanted.flatten(), strict=True)]
    there = [square for square in squares if not math.isnan(square)]
    loss = coordinate_loss(outputs, wanted)
    assert loss.item() == pytest.approx(sum(there) / 36)
    loss.backward()
    assert torch.equal(outputs.grad == 0, wanted.isnan())
    assert coordinate_loss(outputs, torch.full((5, 8), torch.nan)).item() == 0


def test_pixel_errors_come_from_coordinates_not_from_the_loss():
    frame = (256, 192)
    truth = torch.rand(6, 4, 2, generator=torch.Generator().manual_seed(1)) * 150
    found = truth + torch.tensor([3.0, 4.0])
    losses = losses_of(normalise(found, frame), normalise(truth, frame), frame)
    assert losses.rmse == pytest.approx(math.sqrt((9 + 16) / 2), abs=1e-4)
    assert losses.mse == pytest.approx(((3 / 128) ** 2 + (4 / 96) ** 2) / 2, rel=1e-4)
    truth[2, 1] = torch.nan
    assert losses_of(normalise(found, frame), normalise(truth, frame), frame).rmse == pytest.approx(losses.rmse)


def test_missing_landmarks_teach_nothing():
    examples = spots()
    examples.points[:, 1] = torch.nan
    subject = trainer(EBNetTraining(), examples=examples)
    for loss in subject.stages()[0].losses(torch.Generator().manual_seed(0)):
        loss.backward()
    gradient = subject.model.fc3.weight.grad
    assert gradient[:2].abs().sum() > 0
    assert gradient[2:].abs().sum() == 0


def test_validation_is_the_slow_mean_distance_in_the_photograph():
    subject = trainer(EBNetTraining(), dropout=0.4)
    subject.examples.points[1, 0] = torch.nan
    network = subject.model.train()
    error = subject.stages()[0].validate(network)
    assert network.training
    network.eval()
    distances = []
    for specimen in subject.held_out.tolist():
        outputs = network(grey(subject.examples.frames[specimen : specimen + 1]))
        points = denormalise(outputs, FRAME)[0].detach().numpy()
        for found, true in zip(points, subject.examples.points[specimen].numpy(), strict=True):
            x, y = 2 * found[0] + 0.5, 2 * found[1] + 0.5
            distances.append(3.0 * math.hypot(x - true[0], y - true[1]))
    there = [d for d in distances if not math.isnan(d)]
    assert len(there) == 11
    assert error == pytest.approx(sum(there) / 11, rel=1e-5)
    assert trainer(EBNetTraining(), held_out=0).stages()[0].validate is None


def test_watched_rows_are_judged_without_dropout_and_the_network_goes_on_as_it_was():
    subject = trainer(EBNetTraining(), dropout=0.4)
    rows = torch.tensor([[0, 0], [1, 5], [2, 1]])
    for mode in (True, False):
        subject.model.train(mode)
        assert subject.losses_of_rows(rows) == subject.losses_of_rows(rows)
        assert subject.model.training is mode
    frames = subject.examples.frames[rows[:, 0]]
    outputs = subject.model.eval()(recolour(frames, rows[:, 1], torch.tensor([10, 10, 10]))).detach()
    points = subject.examples.points[rows[:, 0]] / 2 - 0.25
    slow = math.sqrt(float((denormalise(outputs, FRAME) - points).double().square().mean()))
    assert subject.losses_of_rows(rows).rmse == pytest.approx(slow, rel=1e-5)


# --- Whole trainings


def test_a_short_training_learns_and_says_how_it_goes():
    heard = []
    subject = trainer(EBNetTraining(epochs=60, batch=32, momentum_stop=0.98), dropout=0.05, heard=heard)
    (stage,) = subject.stages()
    before = stage.validate(stage.network)
    training.fit([stage], seed=0)
    mean = subject.examples.points[6:].mean(0)
    baseline = 3 * (subject.examples.points[:6] - mean).norm(dim=-1).mean()
    assert before > baseline
    assert stage.validate(stage.network) < 0.5 * baseline
    assert len(heard) == 60
    assert heard[-1].watched.rmse < 0.5 * heard[0].watched.rmse
    assert heard[-1].learnt.rmse < 0.5 * heard[0].learnt.rmse
    # 3 px of the photograph * 2 px of the detail per px of the frame; sqrt(2) from coordinates to distances
    distance = math.sqrt(2) * 6 * heard[-1].watched.rmse
    assert 0.7 * distance < stage.validate(stage.network) < 1.1 * distance


def test_a_killed_training_resumes_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr(training, "SAVING_SHARE", 0)
    settings = EBNetTraining(epochs=6, random_offset=True, geometric=True)

    class Killed(Exception):
        pass

    def die(epoch):
        if epoch.epoch == 4:
            raise Killed

    whole = trainer(settings, dropout=0.2)
    training.fit(whole.stages(), seed=3)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        training.fit(trainer(settings, dropout=0.2).stages(), seed=3, checkpoint=path, on_epoch=die)
    resumed, again = trainer(settings, dropout=0.2), []
    training.fit(resumed.stages(), seed=3, checkpoint=path, resume=True, on_epoch=again.append)
    assert [epoch.epoch for epoch in again] == [4, 5, 6]
    for mine, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_without_specimens_to_watch_only_what_was_learnt_is_said():
    heard = []
    training.fit(trainer(EBNetTraining(epochs=1), held_out=0, heard=heard).stages(), seed=0)
    assert heard[0].watched is None
    assert heard[0].learnt.mse > 0
    heard.clear()
    training.fit(trainer(EBNetTraining(epochs=1, split="rows-nolearn"), held_out=0, heard=heard).stages(), seed=0)
    assert heard[0].watched.mse > 0


def test_the_loss_said_weighs_rows_alike():
    heard = []
    subject = trainer(EBNetTraining(batch=70, reshuffle=False), held_out=0, heard=heard)
    losses = [loss.item() for loss in subject.stages()[0].losses(torch.Generator())]
    weights = [70, 70, 28]
    assert heard[0].learnt.mse == pytest.approx(np.average(losses, weights=weights), rel=1e-5)
