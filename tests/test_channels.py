import math

import numpy as np
import pytest
import torch
from PIL import Image

from pronotum.channels import OFFSET, VERSIONS, all_versions, grey, recolour, sample_offsets


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow(red, green, blue, version, offset):
    """One pixel of one version, in levels."""
    colour = [int(red), int(green), int(blue)]
    if version in (4, 5, 6):
        return float(colour[version - 4])
    if version:
        colour[version - 1] = min(255, colour[version - 1] + offset)
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def test_every_version_equals_a_slow_loop_over_pixels():
    pictures = torch.randint(0, 256, (7, 3, 5, 6), dtype=torch.uint8, generator=generator())
    pictures[:, :, 0, 0] = 250  # saturates
    version = torch.tensor([6, 2, 0, 1, 5, 3, 4])
    offset = torch.tensor([10, 40, 7, 3, 9, 25, 1])
    answer = recolour(pictures, version, offset)
    assert answer.shape == (7, 1, 5, 6)
    for b in range(7):
        for y in range(5):
            for x in range(6):
                expected = slow(*pictures[b, :, y, x], int(version[b]), int(offset[b]))
                assert answer[b, 0, y, x].item() * 255 == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("version", "levels"), [(1, 2.99), (2, 5.87), (3, 1.14)])
def test_adding_ten_moves_the_grey_as_the_paper_s_constant_does(version, levels):
    pictures = torch.randint(0, 246, (1, 3, 8, 8), dtype=torch.uint8, generator=generator())
    moved = recolour(pictures, torch.tensor([version]), torch.tensor([10])) - grey(pictures)
    assert torch.allclose(moved * 255, torch.full_like(moved, levels), atol=1e-3)


def test_adding_stops_at_white():
    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    for version in range(len(VERSIONS)):
        assert torch.allclose(recolour(white, torch.tensor([version]), torch.tensor([10])), torch.ones(1, 1, 2, 2))


def test_grey_is_pillow_s_to_a_level():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(pixels).convert("L"), dtype=float)
    ours = grey(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0, 0].numpy() * 255
    assert np.abs(ours - theirs).max() <= 0.51
    assert grey(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)).item() == pytest.approx(1)


def test_all_versions_of_a_picture_are_the_seven_in_order_rounded():
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    written = all_versions(pixels)
    assert (written.shape, written.dtype) == ((7, 4, 5), np.uint8)
    for version, y, x in np.ndindex(written.shape):
        assert abs(written[version, y, x] - slow(*pixels[y, x], version, OFFSET)) <= 0.501
    assert np.array_equal(written[4:], pixels.transpose(2, 0, 1))
    assert not np.array_equal(all_versions(pixels, offset=60)[1], written[1])


def test_drawn_offsets_are_even_over_one_to_n_and_repeat():
    drawn = sample_offsets(10_000, 10, generator(3))
    counts = torch.bincount(drawn, minlength=11)
    assert counts[0] == 0
    assert len(counts) == 11
    assert (counts[1:] - 1000).abs().max() < 5 * math.sqrt(900)
    assert torch.equal(drawn, sample_offsets(10_000, 10, generator(3)))
    assert not torch.equal(drawn, sample_offsets(10_000, 10, generator(4)))
