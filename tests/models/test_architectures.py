"""What every architecture must keep: forward, gradient, file, repetition, masks. Small versions of each."""

import numpy as np
import pytest
import torch

from pronotum import poses, training
from pronotum.errors import UserError
from pronotum.landmarks import Scheme
from pronotum.models import architecture, storage
from pronotum.models.classical import ClassicalConfig
from pronotum.models.ebnet import Block, EBNetConfig
from pronotum.models.finder import FinderConfig
from pronotum.models.free import FreeConfig
from pronotum.models.heatmap import HeatmapConfig, rescale
from pronotum.pictures import Examples, Patches, Wholes

N, K = 8, 3
UPRIGHT = HeatmapConfig(
    n_landmarks=K,
    frame=(64, 64),
    detail=(128, 128),
    window=32,
    finest=(256, 256),
    finest_window=32,
    coarse_widths=(8, 8, 8),
    coarse_depth=8,
    fine_widths=(8, 8),
    fine_depth=8,
)
SMALL = {
    "heatmap": UPRIGHT,
    "free": FreeConfig(upright=UPRIGHT, finder=FinderConfig(frame=(64, 64), sides=2, widths=(8, 8, 8), depth=8)),
    **{
        f"ebnet{number}": EBNetConfig(
            n_landmarks=K,
            frame=(64, 48),
            blocks=(Block(channels=4, kernel=3, dropout=0.1 * (number == 3)), Block(channels=8, kernel=2)),
            hidden=16,
        )
        for number in (1, 2, 3)
    },
    "classical": ClassicalConfig(n_landmarks=K, picture=(128, 96), references=2),
}
SHORT = {f"{stage}_{unit}": 3 for stage in ("coarse", "fine", "finest") for unit in ("steps", "epochs")}
QUICK = {
    "heatmap": SHORT,
    "free": {**SHORT, "finder_steps": 10, "finder_batch": 1},
    **{f"ebnet{number}": {"epochs": 3, "batch": 16} for number in (1, 2, 3)},
    "classical": {},
}
PAPERS = ("ebnet1", "ebnet2", "ebnet3")
LEARNING = sorted(name for name, kind in architecture.table().items() if kind.choose is None)
"""Those that learn; the others keep some specimens as they are, draw no random numbers and may have no answer."""


@pytest.fixture(params=sorted(architecture.table()))
def kind(request):
    return architecture.named(request.param)


@pytest.fixture(params=LEARNING)
def learning(request):
    return architecture.named(request.param)


@pytest.fixture(params=sorted(set(architecture.table()) - set(LEARNING)))
def keeping(request):
    return architecture.named(request.param)


def examples(config):
    generator = torch.Generator().manual_seed(0)

    def pictures(size):
        return torch.randint(0, 255, (N, 3, size[1], size[0]), dtype=torch.uint8, generator=generator)

    points = torch.rand(N, K, 2, generator=generator) * (torch.tensor(config.detail) - 1)
    points[2, 1] = torch.nan
    patches = None
    if config.patch:
        corners = torch.floor(torch.nan_to_num(points) * 2) - config.patch // 2
        there = rescale(points, config.detail, config.picture) - corners
        pixels = torch.randint(0, 255, (N, K, 3, config.patch, config.patch), dtype=torch.uint8, generator=generator)
        patches = Patches(pixels, there, corners)
    seen = wholes(pictures(config.finder.frame)) if hasattr(config, "finder") else None
    return Examples(pictures(config.detail), pictures(config.frame), points, torch.ones(N), patches, seen)


def wholes(pixels):
    """One specimen on each photograph."""
    shape = np.array([[-0.6, 0.2], [0.1, -0.5], [0.5, 0.3]])
    covers = np.tile([-0.5, -0.5, 63.5, 63.5], (N, 1))
    pose = poses.pose(np.array([30.0, 33.0]), 40.0, 20.0)[None]
    return Wholes(pixels, covers, (pose,) * N, tuple((i,) for i in range(N)), shape, tuple(range(len(shape))))


def photographs(config):
    shape = (N, 3, config.picture[1], config.picture[0])
    return torch.randint(0, 255, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def trained(kind, seed=0, held_out=2):
    config = SMALL[kind.name]
    torch.manual_seed(seed)
    network = kind.build(config)
    settings = kind.preset(None).model_copy(update=QUICK[kind.name])
    positions = torch.arange(N)
    trainer = kind.trainer(
        network, examples(config), settings, positions[held_out:], positions[:held_out], torch.device("cpu")
    )
    stages = trainer.stages()
    training.fit(stages, seed=seed)
    return network, stages


def test_every_small_version_is_tested():
    assert set(SMALL) == set(QUICK) == set(architecture.table())


def test_answers_are_points_for_each_picture_or_remarks_that_say_why_not(kind):
    network, _ = trained(kind)
    answer = network.eval().answer(photographs(network.config))
    assert answer.points.shape == (N, K, 2)
    assert answer.confidence.shape == (N, K)
    missing = torch.isnan(answer.points).any(-1).any(-1).tolist()
    remarks = answer.remarks or ("",) * N
    assert len(remarks) == N
    assert [bool(remark) for remark, lost in zip(remarks, missing, strict=True) if lost] == [True] * sum(missing)
    assert kind.choose or not any(missing)


def test_held_out_specimens_are_watched(learning):
    stages = trained(learning)[1]
    assert np.isfinite(stages[-1].validate(stages[-1].network))


def test_what_is_kept_instead_of_learnt_are_the_specimens_it_was_given(keeping):
    kind = keeping
    network, stages = trained(kind)
    given = examples(SMALL[kind.name])
    assert stages == []
    assert list(network.parameters()) == []
    kept = list(network.buffers())
    for wanted in (given.details[2:], given.points[2:]):
        same = [value for value in kept if value.shape == wanted.shape]
        assert any(torch.allclose(value.double(), wanted.double(), equal_nan=True) for value in same)
    chosen = kind.choose(network.config, np.random.default_rng(0).normal(size=(20, K, 2)))
    assert len(set(chosen.tolist())) == network.config.references == N - 2


def test_every_parameter_learns_although_a_landmark_is_missing(learning):
    kind = learning
    config = SMALL[kind.name]
    torch.manual_seed(0)
    network = kind.build(config)
    settings = kind.preset(None).model_copy(update=QUICK[kind.name])
    positions = torch.arange(N)
    trainer = kind.trainer(network, examples(config), settings, positions, positions[:0], torch.device("cpu"))
    for stage in trainer.stages():
        assert stage.validate is None
        for loss in stage.losses(torch.Generator().manual_seed(0)):
            loss.backward()
        for name, parameter in stage.network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_the_same_seed_gives_the_same_bits(kind):
    first, second = trained(kind)[0].state_dict(), trained(kind)[0].state_dict()
    assert all(torch.allclose(first[name], second[name], rtol=0, atol=0, equal_nan=True) for name in first)


def test_another_seed_gives_other_weights(learning):
    first, other = trained(learning)[0].state_dict(), trained(learning, seed=1)[0].state_dict()
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_file_gives_the_same_network(kind, tmp_path):
    network, _ = trained(kind)
    path = tmp_path / "model.safetensors"
    storage.save(path, storage.StoredModel(kind.name, network, Scheme.numbered(K), {}))
    stored = storage.load(path)
    assert stored.architecture == kind.name
    pictures = photographs(network.config)
    mine, own = stored.network.answer(pictures), network.eval().answer(pictures)
    assert torch.allclose(mine.points, own.points, atol=1e-4, equal_nan=True)
    assert mine.remarks == own.remarks


def test_configurations_suit_the_papers_photographs(kind):
    config = kind.configure(5, [(3264, 2448)])
    assert config.frame[0] / config.frame[1] == pytest.approx(4 / 3)
    assert config.frame == (256, 192) or kind.name not in ("heatmap", "free", "classical", *PAPERS)
    assert kind.read_config(config.model_dump(mode="json")) == config


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UserError, match="there is no model 'ebnet4'; did you mean 'ebnet"):
        architecture.named("ebnet4")
    with pytest.raises(UserError, match="no preset 'fast' for --model ebnet3; choose one of: paper"):
        architecture.named("ebnet3").preset("fast")


def test_weights_are_taken_over_onto_another_scheme(kind):
    earlier, _ = trained(kind)
    torch.manual_seed(5)
    wider = kind.configure(K + 2, [(64, 48)])
    more = {"n_landmarks": K + 2}
    if kind.name == "free":
        more = {"upright": UPRIGHT.model_copy(update=more)}
    small = SMALL[kind.name].model_copy(update=more)
    config = small if kind.name in ("heatmap", "classical", "free") else kind.adapt(wider, earlier.config)
    network = kind.build(config)
    fresh = architecture.take_over(kind, network, earlier)
    own, other = network.state_dict(), earlier.state_dict()
    of_heatmap = {"coarse.head.weight", "fine.head.weight", "finest.head.weight", "prior_mean", "prior_covariance"}
    expected = {
        "heatmap": of_heatmap,
        "free": {"shape", "partners", *(f"upright.{name}" for name in of_heatmap)},
        "classical": {"pixels", "places"},
        **{name: {"fc3.weight", "fc3.bias"} for name in PAPERS},
    }.get(kind.name, {name for name in own if own[name].shape != other[name].shape})
    assert set(fresh) == expected
    assert all(torch.equal(own[name], other[name]) for name in own if name not in expected)


def test_the_output_layer_of_the_papers_networks_is_fresh_even_for_the_same_scheme():
    kind = architecture.named("ebnet3")
    earlier, _ = trained(kind)
    torch.manual_seed(6)
    network = kind.build(SMALL["ebnet3"])
    assert architecture.take_over(kind, network, earlier) == ["fc3.weight", "fc3.bias"]


@pytest.mark.parametrize(
    ("freeze", "moving"),
    [
        ("none", {"convolutions", "fc1", "fc2", "fc3"}),
        ("conv", {"fc1", "fc2", "fc3"}),
        ("all-but-last-two", {"fc2", "fc3"}),
    ],
)
def test_frozen_layers_stay_and_the_others_learn(freeze, moving):
    kind, config = architecture.named("ebnet3"), SMALL["ebnet3"]
    torch.manual_seed(0)
    network = kind.build(config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = kind.preset(None).model_copy(update={**QUICK["ebnet3"], "freeze": freeze})
    none = torch.arange(0)
    training.fit(
        kind.trainer(network, examples(config), settings, torch.arange(N), none, torch.device("cpu")).stages(), seed=0
    )
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == moving
