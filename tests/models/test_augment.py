import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum.augment import Augmentation, about, move, relight, sample_linear, uniform, warp, windows


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blob(x, y, size=(80, 60)):
    columns, rows = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="xy")
    return 200 * torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))


def centre_of(picture):
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in picture.shape), indexing="ij")
    total = picture.sum()
    return torch.stack([(columns * picture).sum() / total, (rows * picture).sum() / total])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), x=st.floats(35, 45), y=st.floats(25, 35))
def test_points_and_pixels_move_together(seed, x, y):
    random = generator(seed)
    linear = sample_linear(1, Augmentation(rotation=180, scale=0.3), random)
    matrices = about(linear, torch.tensor([[39.5, 29.5]]), torch.tensor([[44.5, 31.5]]))
    moved = warp(blob(x, y)[None, None], matrices, (90, 64))[0, 0]
    expected = move(matrices, torch.tensor([[[x, y]]]))[0, 0]
    assert (centre_of(moved) - expected).abs().max() < 0.05


def test_nothing_changes_under_the_identity():
    picture = torch.rand(2, 3, 20, 30, generator=generator())
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).repeat(2, 1, 1)
    assert torch.allclose(warp(picture, identity, (30, 20)), picture, atol=1e-5)


def test_windows_equal_slow_slicing_and_repeat_the_border():
    pictures = torch.arange(2 * 3 * 20 * 30).reshape(2, 3, 20, 30).to(torch.float32)
    cut, corner = windows(pictures, torch.tensor([1, 0]), torch.tensor([[12.4, 9.0], [0.0, 0.0]]), 8)
    assert corner.tolist() == [[8, 5], [-4, -4]]
    assert torch.equal(cut[0], pictures[1, :, 5:13, 8:16])
    padded = np.pad(pictures[0].numpy(), ((0, 0), (4, 4), (4, 4)), mode="edge")
    assert torch.equal(cut[1], torch.from_numpy(padded[:, :8, :8].copy()))


def test_the_same_generator_gives_the_same_light():
    picture = torch.rand(4, 3, 16, 16, generator=generator())
    first, second = (relight(picture, Augmentation(), generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, relight(picture, Augmentation(), generator(8)))
    assert first.min() >= 0
    assert first.max() <= 1


def test_ranges_are_kept():
    values = uniform((10_000,), generator())
    assert values.min() >= -1
    assert values.max() <= 1
    linear = sample_linear(1000, Augmentation(rotation=30, scale=0.25), generator())
    factor = torch.linalg.det(linear).sqrt()
    assert factor.max() <= 1.25 + 1e-5
    assert factor.min() >= 0.8 - 1e-5
    angle = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0])).abs()
    assert angle.max() <= 30 + 1e-4
    assert angle.max() > 25


def test_missing_points_stay_missing():
    matrices = torch.tensor([[[1.0, 0, 5], [0, 1, 5]]])
    assert torch.isnan(move(matrices, torch.tensor([[[float("nan")] * 2]]))).all()


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="rotaton"):
        Augmentation(rotaton=3)
