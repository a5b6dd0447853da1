"""Finding specimens: what scenes say is in them, what maps should be, and that maps are read back exactly."""

import math

import numpy as np
import pytest
import torch

from pronotum import geometry, poses
from pronotum.models.finder import BINS, Finder, FinderConfig, finder_loss, modes, targets
from pronotum.models.scenes import compose
from pronotum.pictures import Wholes

SHAPE = np.array([[-0.5, 0.1], [-0.3, -0.4], [0.2, -0.5], [0.6, 0.0], [0.0, 0.5], [0.0, 0.3]])
SHAPE = (SHAPE - SHAPE.mean(0)) / np.linalg.norm(SHAPE - SHAPE.mean(0))
CONFIG = FinderConfig(frame=(256, 192), sides=2)


def ideal_maps(config, scene):
    """Maps that say exactly what the targets ask for."""
    heat, size, direction, _ = targets(config, scene)
    odds = torch.logit(heat.clamp(1e-4, 0.99))
    return torch.cat([odds[None], size[None], torch.log(direction + 1e-6)])[None]


@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_are_read_back(mirrored, monkeypatch):
    scene = np.stack(
        [
            poses.pose(np.array([60.0, 70.0]), 50.0, 33.0, mirrored=mirrored),
            poses.pose(np.array([190.3, 120.9]), 90.0, -170.0, mirrored=not mirrored),
        ]
    )
    finder = Finder(CONFIG)
    monkeypatch.setattr(Finder, "forward", lambda self, images: ideal_maps(CONFIG, scene))
    found = sorted(finder.find(torch.zeros(1, 3, 192, 256, dtype=torch.uint8))[0], key=lambda one: one.pose[0, 2])
    assert len(found) == 2
    for one, true in zip(found, scene, strict=True):
        assert np.linalg.norm(one.pose[:2, 2] - true[:2, 2]) < 1.5
        assert poses.sizes(one.pose) == pytest.approx(float(poses.sizes(true)), rel=0.01)
        assert (np.linalg.det(one.pose[:2, :2]) < 0) == (np.linalg.det(true[:2, :2]) < 0)
        assert abs((poses.angles(one.pose) - poses.angles(true) + 180) % 360 - 180) < 3
        assert one.others == ()


def test_a_second_direction_is_told_apart():
    probability = np.full((1, BINS), 0.001)
    probability[0, [2, 3, 14]] = 0.3, 0.3, 0.35
    (_, first, how), (_, second, other) = modes(probability)
    assert first == pytest.approx(37.5, abs=1)
    assert second == pytest.approx(210, abs=1)
    assert how > other > 0.3


def test_all_directions_and_sides_that_are_not_unlikely_are_told():
    probability = np.full((2, BINS), 1e-4)
    probability[0, [4, 16]] = 0.3, 0.2
    probability[1, [4, 16]] = 0.25, 0.02
    assert [(side, round(degrees)) for side, degrees, _ in modes(probability)] == [(0, 60), (1, 60), (0, 240)]
    flat = modes(np.full((2, BINS), 1 / (2 * BINS)))
    assert len(flat) == 1  # nothing is likely: one is told all the same


def test_directions_go_round():
    probability = np.full((1, BINS), 1e-6)
    probability[0, [0, 23]] = 0.5
    assert modes(probability)[0][1] % 360 == pytest.approx(352.5, abs=0.1)


def test_the_loss_is_least_where_maps_are_right():
    scene = poses.pose(np.array([100.0, 80.0]), 60.0, 10.0)[None]
    wanted = [one[None] for one in targets(CONFIG, scene)]
    right = float(finder_loss(ideal_maps(CONFIG, scene), *wanted))
    for other in (
        poses.pose(np.array([140.0, 80.0]), 60.0, 10.0),
        poses.pose(np.array([100.0, 80.0]), 90.0, 10.0),
        poses.pose(np.array([100.0, 80.0]), 60.0, 100.0),
        poses.pose(np.array([100.0, 80.0]), 60.0, 10.0, mirrored=True),
    ):
        assert float(finder_loss(ideal_maps(CONFIG, other[None]), *wanted)) > right + 0.2


def wholes():
    """Two dark photographs with a white dot at each landmark, of a brightness of its own."""
    pixels, placed = torch.full((2, 3, 192, 256), 40, dtype=torch.uint8), []
    for number, pose in enumerate([poses.pose(np.array([120.0, 90.0]), 120.0, 10.0)] * 2):
        for k, (x, y) in enumerate(geometry.transform(pose, SHAPE)):
            pixels[number, :, round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 130 + 20 * k
        placed.append(pose[None])
    covers = np.tile([-0.5, -0.5, 255.5, 191.5], (2, 1))
    return Wholes(pixels, covers, tuple(placed), ((0,), (1,)), SHAPE, tuple(range(len(SHAPE))))


@pytest.mark.parametrize("mirrored", [False, True])
def test_scenes_show_what_they_say(mirrored):
    """Where a scene says that a landmark is, its dot is."""
    generator, data = torch.Generator().manual_seed(3), wholes()
    seen = sides = 0
    for _ in range(120):
        picture, scene = compose(data, generator, mirrored=mirrored)
        assert picture.shape == (3, 192, 256)
        assert 0 <= picture.min() <= picture.max() <= 1
        for pose in scene:
            sides += np.linalg.det(pose[:2, :2]) < 0
            if poses.sizes(pose) < 60:
                continue
            for k, (x, y) in enumerate(np.rint(geometry.transform(pose, SHAPE)).astype(int)):
                if 1 <= x < 255 and 1 <= y < 191:
                    seen += 1
                    assert math.isclose(float(picture[0, y, x]), (130 + 20 * k) / 255, abs_tol=0.12)
    assert seen > 60
    assert (sides > 0) == mirrored


def test_only_photographs_of_chosen_specimens_are_laid():
    assert wholes().of_specimens([1]).specimens == ((1,),)
