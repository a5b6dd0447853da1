"""Pictures bent to another shape: landmarks go where they are sent, and the picture goes with them."""

import pytest
import torch

from pronotum import bending
from pronotum.augment import paste, warp

SIZE = (128, 96)
POINTS = torch.tensor([[[30.0, 30], [90, 28], [60, 50], [34, 70], [92, 66]]])


def dots(points):
    """A picture with a bright dot at every landmark."""
    x, y = torch.arange(float(SIZE[0])), torch.arange(float(SIZE[1]))
    squares = (x - points[..., 0, None])[:, :, None, :] ** 2 + (y - points[..., 1, None])[:, :, :, None] ** 2
    return torch.exp(-squares / 8).sum(1, keepdim=True)


def centres(picture, points, radius=7):
    """Centres of brightness around points."""
    found = []
    for x, y in points.round().long():
        part = picture[0, 0, y - radius : y + radius + 1, x - radius : x + radius + 1]
        steps = torch.arange(-radius, radius + 1.0)
        found.append([x + (part.sum(0) * steps).sum() / part.sum(), y + (part.sum(1) * steps).sum() / part.sum()])
    return torch.tensor(found)


def test_landmarks_and_pixels_go_together_to_where_they_are_sent():
    target = POINTS + torch.tensor([[[3.0, -2], [-2, 3], [0, 4], [2, 2], [-3, -1]]])
    displacements = bending.spline(POINTS, target, SIZE)
    followed = bending.follow(POINTS, displacements, SIZE)
    assert (followed - target).norm(dim=-1).max() < 1.0  # the spline is soft
    still = torch.eye(2, 3)[None]
    bent = warp(dots(POINTS), still, SIZE, displacements)
    assert centres(bent, followed[0]).tolist() == [pytest.approx(place, abs=0.15) for place in followed[0].tolist()]


def test_nothing_sent_nothing_bent():
    displacements = bending.spline(POINTS, POINTS, SIZE)
    assert displacements.shape == (1, 2, 12, 16)
    assert displacements.abs().max() == pytest.approx(0, abs=1e-5)


def test_changes_have_the_covariance_of_the_training_shapes_in_the_pose_of_the_specimen():
    shape = POINTS[0] - POINTS[0].mean(0)
    root = torch.zeros(10, 10)
    root[2, 2] = 4.0  # landmark 2 varies along x, in the frame of the mean shape
    turned = 0.5 * shape @ torch.tensor([[0.0, 1], [-1, 0]])  # by 90 degrees, at half the size
    turned = (turned + torch.tensor([60.0, 50])).expand(4000, 5, 2)
    before, after = bending.bends(turned, shape, root, 1.0, torch.Generator().manual_seed(0))
    change = after - before
    assert torch.allclose(before, turned, atol=1e-4)
    assert change[:, 1, 1].std().item() == pytest.approx(2.0, rel=0.05)
    change[:, 1, 1] = 0
    assert change.abs().max() < 1e-4


def test_a_missing_landmark_stays_missing_and_does_no_harm():
    points = POINTS.clone()
    points[0, 3] = torch.nan
    shape = POINTS[0] - POINTS[0].mean(0)
    before, after = bending.bends(points, shape, torch.zeros(10, 10), 1.0, torch.Generator().manual_seed(0))
    assert torch.allclose(before, POINTS, atol=1e-3)
    followed = bending.follow(points, bending.spline(before, after, SIZE), SIZE)
    assert torch.isnan(followed[0, 3]).all()
    assert torch.allclose(followed[0, [0, 1, 2, 4]], points[0, [0, 1, 2, 4]], atol=1e-3)


def test_pieces_come_from_the_other_pictures():
    pictures = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 40, 60)
    covered = paste(pictures, 1.0, torch.Generator().manual_seed(0))
    assert set(covered.unique().tolist()) == {0.0, 1.0, 2.0}
    share = (covered != pictures).float().mean().item()
    assert 0.01 < share < 0.2
    assert torch.equal(paste(pictures, 0.0, torch.Generator().manual_seed(0)), pictures)
