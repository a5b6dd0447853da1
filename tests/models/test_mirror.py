"""Mirrored training pictures: exact pixels, exact points, and every label under its partner's."""

import pytest
import torch

from pronotum.augment import Augmentation, about, mirror, move, relabel, sample_mirrored, warp
from pronotum.models import architecture, heatmap_training
from pronotum.models.heatmap import HeatmapConfig, rescale
from pronotum.pictures import Examples, Patches

WIDTH, HEIGHT, K = 128, 128, 4
PARTNERS = (1, 0, 2, 3)
STILL = Augmentation(rotation=0, scale=0, shift=0, gain=0, offset=0, noise=0, blur=0, mirror=1)


def test_mirroring_is_exact_and_twice_is_nothing():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 3, 20, 31, generator=generator)
    points = torch.rand(2, K, 2, generator=generator) * torch.tensor([31.0, 20])
    centre = torch.tensor([[15.0, 9.5]]).expand(2, 2)
    yes = torch.tensor([True, True])
    matrices = about(mirror(torch.eye(2).expand(2, 2, 2), yes), centre, centre)
    once = warp(pictures, matrices, (31, 20))
    assert torch.allclose(once, pictures.flip(-1), atol=1e-5)
    assert torch.allclose(warp(once, matrices, (31, 20)), pictures, atol=1e-5)
    moved = relabel(move(matrices, points), yes, PARTNERS)
    assert torch.allclose(moved[:, 0], torch.stack([30 - points[:, 1, 0], points[:, 1, 1]], -1), atol=1e-5)
    assert torch.allclose(relabel(move(matrices, moved), yes, PARTNERS), points, atol=1e-5)


def test_only_the_chosen_pictures_are_mirrored():
    chosen = torch.tensor([False, True])
    linear = mirror(torch.eye(2).expand(2, 2, 2), chosen)
    assert linear.tolist() == [[[1, 0], [0, 1]], [[-1, 0], [0, 1]]]
    points = torch.arange(2.0 * K * 2).view(2, K, 2)
    moved = relabel(points, chosen, PARTNERS)
    assert torch.equal(moved[0], points[0])
    assert torch.equal(moved[1], points[1, [1, 0, 2, 3]])


def test_without_partners_nothing_is_mirrored_and_chance_goes_on_as_it_would():
    random, other = (torch.Generator().manual_seed(3) for _ in range(2))
    assert not sample_mirrored(50, Augmentation(mirror=1), (), random).any()
    assert not sample_mirrored(50, Augmentation(mirror=0), PARTNERS, random).any()
    assert torch.equal(torch.rand(4, generator=random), torch.rand(4, generator=other))
    share = sample_mirrored(4000, Augmentation(mirror=0.25), PARTNERS, random).float().mean()
    assert share == pytest.approx(0.25, abs=0.03)


def examples(config):
    """Specimens unlike their mirror images; around each landmark the picture has the grey of its number."""
    generator = torch.Generator().manual_seed(1)
    points = torch.tensor([[30.0, 40], [90, 50], [60, 80], [40, 100]]) + 4 * torch.rand(6, K, 2, generator=generator)
    columns, rows = torch.meshgrid(torch.arange(WIDTH), torch.arange(HEIGHT), indexing="xy")

    def drawn(places, width, height, size):
        grey = torch.zeros(height, width)
        for number, (x, y) in enumerate(places.tolist(), start=1):
            near = ((columns[:height, :width] - x).abs() <= size) & ((rows[:height, :width] - y).abs() <= size)
            grey[near] = 50.0 * number
        return grey.expand(3, height, width).to(torch.uint8)

    details = torch.stack([drawn(one, WIDTH, HEIGHT, 8) for one in points])
    frame = config.frame
    frames = torch.stack([drawn(rescale(one, config.detail, frame), *frame, 4) for one in points])
    corners = torch.floor(2 * points) - config.patch // 2
    there = rescale(points, config.detail, config.picture) - corners
    pixels = torch.empty(6, K, 3, config.patch, config.patch, dtype=torch.uint8)
    for k in range(K):
        pixels[:, k] = 50 * (k + 1)
    return Examples(details, frames, points, torch.ones(6), Patches(pixels, there, corners), partners=PARTNERS)


@pytest.mark.parametrize("stage", ["coarse", "fine", "finest"])
def test_a_network_learns_each_mirrored_landmark_under_the_label_of_its_partner(stage, monkeypatch):
    config = HeatmapConfig(
        n_landmarks=K,
        frame=(64, 64),
        detail=(WIDTH, HEIGHT),
        window=32,
        finest=(256, 256),
        finest_window=32,
        coarse_widths=(8, 8, 8),
        coarse_depth=8,
        fine_widths=(8, 8),
        fine_depth=8,
    )
    kind = architecture.named("heatmap")
    model = kind.build(config)
    settings = kind.preset(None).model_copy(
        update={"augmentation": STILL, "bend": 0, "paste": 0, "jitter": 0, "finest_jitter": 0}
    )
    seen = []

    class Numbered(torch.nn.Module):
        """Its map of landmark k says k everywhere."""

        stride = 4

        def forward(self, pictures):
            seen.append(pictures)
            return torch.arange(float(K))[None, :, None, None].expand(len(pictures), K, 8, 8).requires_grad_()

    def compare(log_maps, targets, *, stride, sigma):
        channels = log_maps[:, :, 0, 0].long()
        for picture, labels, places in zip(seen[-1], channels, targets, strict=True):
            for label, (x, y) in zip(labels.tolist(), places.tolist(), strict=True):
                grey = 255 * float(picture[0, round(y), round(x)])
                assert grey == pytest.approx(50 * (PARTNERS[label] + 1), abs=1)
                compared.append(label)
        return log_maps.sum()

    compared = []
    monkeypatch.setattr(heatmap_training, "heatmap_loss", compare)
    none = torch.arange(0)
    trainer = kind.trainer(model, examples(config), settings, torch.arange(6), none, torch.device("cpu"))
    setattr(model, stage, Numbered())
    chosen = next(one for one in trainer.stages() if one.name == stage)
    for _ in chosen.losses(torch.Generator().manual_seed(0)):
        pass
    assert sorted(compared) == sorted([0, 1, 2, 3] * 6)


def test_shapes_that_are_possible_are_those_of_mirror_images_too():
    config = HeatmapConfig(n_landmarks=K, frame=(64, 64), detail=(WIDTH, HEIGHT), finest=(256, 256), finest_window=32)
    kind = architecture.named("heatmap")
    model = kind.build(config)
    kind.trainer(
        model, examples(config), kind.preset(None), torch.arange(6), torch.arange(0), torch.device("cpu")
    ).stages()
    shape = model.prior_mean[list(PARTNERS)] * torch.tensor([-1.0, 1])
    own, other = (one[:, 0] + 1j * one[:, 1] for one in (model.prior_mean, shape))
    turn = (own * other.conj()).sum()
    assert torch.allclose(own, other * turn / turn.abs(), atol=0.05)
