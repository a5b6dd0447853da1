import math

import pytest
import torch

from pronotum.models.unet import Committee, UNet, cell_centres, decode, deviation, expectation, heatmap_loss, together


def peak_maps(x, y, *, stride=4, size=(16, 12), sigma=3.0):
    xs = cell_centres(size[0], stride, torch.device("cpu"))
    ys = cell_centres(size[1], stride, torch.device("cpu"))
    scores = -((xs - x) ** 2 + (ys[:, None] - y) ** 2) / (2 * sigma**2)
    return torch.log_softmax(scores.flatten(), 0).view(1, 1, size[1], size[0])


@pytest.mark.parametrize(("x", "y"), [(20.0, 15.0), (33.3, 27.7), (12.1, 30.9)])
def test_a_gaussian_is_decoded_to_its_centre(x, y):
    place, mass = decode(peak_maps(x, y), 4)
    assert place[0, 0].tolist() == pytest.approx([x, y], abs=0.05)
    assert mass.item() > 0.95


def test_decoding_stays_at_a_mode_where_the_mean_lies_between_two():
    two = torch.logsumexp(
        torch.stack([peak_maps(12.0, 24.0) + math.log(0.55), peak_maps(50.0, 24.0) + math.log(0.45)]), 0
    )
    assert abs(expectation(two, 4)[0, 0, 0].item() - 12) > 10
    place, mass = decode(two, 4)
    assert place[0, 0].tolist() == pytest.approx([12, 24], abs=0.2)
    assert mass.item() == pytest.approx(0.55, abs=0.03)
    guided, _ = decode(two, 4, guide=peak_maps(50.0, 24.0))
    assert guided[0, 0].tolist() == pytest.approx([50, 24], abs=0.2)


def test_the_loss_is_least_at_the_landmark():
    maps = peak_maps(30.0, 20.0, sigma=3.0)
    at = [heatmap_loss(maps, torch.tensor([[[x, 20.0]]]), stride=4, sigma=3.0).item() for x in (22.0, 30.0, 38.0)]
    assert at[1] < at[0]
    assert at[1] < at[2]


def test_missing_and_outside_landmarks_do_not_count():
    torch.manual_seed(0)
    maps = torch.log_softmax(torch.randn(1, 3, 12 * 16), -1).view(1, 3, 12, 16).requires_grad_()
    targets = torch.tensor([[[20.0, 20.0], [float("nan"), float("nan")], [200.0, 20.0]]])
    loss = heatmap_loss(maps, targets, stride=4, sigma=3.0)
    alone = heatmap_loss(maps[:, :1], targets[:, :1], stride=4, sigma=3.0)
    assert loss.item() == pytest.approx(alone.item())
    loss.backward()
    assert maps.grad[:, 1:].abs().max() == 0
    assert maps.grad[:, 0].abs().max() > 0


def test_no_landmark_at_all_gives_no_loss():
    maps = peak_maps(30.0, 20.0)
    assert heatmap_loss(maps, torch.full((1, 1, 2), float("nan")), stride=4, sigma=3.0).item() == 0


def test_maps_are_distributions_and_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    network = UNet(5, widths=(8, 16, 24), stride=2, depth=16)
    log_maps = network(torch.rand(2, 3, 32, 48))
    assert log_maps.shape == (2, 5, 16, 24)
    assert torch.allclose(log_maps.exp().sum((2, 3)), torch.ones(2, 5), atol=1e-4)
    heatmap_loss(log_maps, torch.rand(2, 5, 2) * 30, stride=2, sigma=2.0).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_deviation_sees_the_width_of_a_mode_and_a_second_one():
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    one = torch.exp(-((x - 20) ** 2 + (y - 12) ** 2) / (2 * 3**2))
    two = one + 0.25 * torch.exp(-((x - 32) ** 2 + (y - 12) ** 2) / (2 * 3**2))
    maps = torch.stack([one, two])[None]
    maps = (maps / maps.sum((-2, -1), keepdim=True) + 1e-12).log()
    points = torch.tensor([20.0, 12.0]) * 2 + 0.5  # centre of a cell, px at stride 2
    alone, both = deviation(maps, points.expand(1, 2, 2), 2)[0]
    assert alone.item() == pytest.approx(6, rel=0.01)
    assert both.item() == pytest.approx((6**2 + 0.2 * 24**2 / 2) ** 0.5, rel=0.01)


def test_a_committee_answers_with_the_mean_of_probabilities():
    torch.manual_seed(2)
    members = [UNet(3, widths=(8, 8), stride=4, depth=8) for _ in range(3)]
    for member in members:
        member.head.weight.data *= 12
    images = torch.rand(4, 3, 32, 48)
    wanted = sum(member(images).exp() for member in members) / 3
    answer = Committee(members)(images)
    assert torch.allclose(answer.exp(), wanted, atol=1e-6)
    assert torch.allclose(answer.exp().sum((2, 3)), torch.ones(4, 3), atol=1e-5)
    assert (answer - members[0](images)).abs().max() > 0.1


@pytest.mark.parametrize("n", [1, 2])
def test_one_map_of_each_picture_is_that_of_its_landmark(n):
    torch.manual_seed(3)
    network = together([UNet(3, widths=(8, 8), stride=4, depth=8) for _ in range(n)])
    images, channel = torch.rand(4, 3, 32, 48), torch.tensor([2, 0, 1, 2])
    everything = network(images)
    wanted = torch.stack([everything[i, k] for i, k in enumerate(channel)])[:, None]
    assert torch.allclose(network.of_one(images, channel), wanted, atol=1e-5)
