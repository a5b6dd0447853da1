"""The networks without choices that depend on the data, beside the networks that choose."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pronotum import pictures
from pronotum.models import graph, heatmap
from pronotum.models.agreement import Reconcile, Steady, inverse
from pronotum.models.ebnet import Block, EBNet, EBNetConfig
from pronotum.models.heatmap import HeatmapConfig, HeatmapModel
from pronotum.morphometrics.shape_prior import ShapePrior, reconcile

PICTURE = (160, 128)


def heatmap_model(k=4, *, finest=False, members=1):
    """Random weights, the last ones so large that maps have a peak as those of trained networks."""
    torch.manual_seed(k)
    config = HeatmapConfig(
        n_landmarks=k,
        frame=(64, 64),
        detail=(128, 96) if finest else PICTURE,
        finest=PICTURE if finest else None,
        window=32,
        finest_window=32,
        members=members,
        coarse_widths=(8, 8, 8),
        coarse_depth=8,
        fine_widths=(8, 8),
        fine_depth=8,
    )
    model = HeatmapModel(config).eval()
    for name, weight in model.named_parameters():
        if name.endswith("head.weight"):
            weight.data *= 12
    if k > 1:
        spread = torch.randn(12, k, 2, dtype=torch.float64)
        model.learn_shapes(torch.rand(1, k, 2, dtype=torch.float64) * 90 + 10 + 3 * spread)
    return model


def ebnet_model():
    torch.manual_seed(0)
    blocks = (Block(channels=4, kernel=3), Block(channels=8, kernel=2))
    return EBNet(EBNetConfig(n_landmarks=3, frame=(64, 48), blocks=blocks, hidden=16)).eval()


def noise(n, size, seed=0):
    """Pictures with something in them at every scale."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 6, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(size[1], size[0]), mode="bicubic")
    fine = torch.rand(n, 3, size[1], size[0], generator=generator)
    return ((0.7 * smooth + 0.3 * fine) * 255).clamp(0, 255).to(torch.uint8)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(16, 300), st.integers(16, 200)), st.floats(1, 9), st.booleans(), st.integers(0, 99))
def test_pictures_are_shrunken_to_the_same_bytes(size, factor, harsh, seed):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (1, 3, size[1], size[0]), dtype=torch.uint8, generator=generator)
    picture = (picture > 127).to(torch.uint8) * 255 if harsh else picture
    smaller = max(1, round(size[0] / factor)), max(1, round(size[1] / factor))
    found = graph.Shrink(size, smaller)(picture.int())
    assert torch.equal(found.to(torch.uint8), pictures.shrink(picture, smaller))


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_landmarks_agree_as_in_the_shape_prior(k):
    """Maps with a right and a wrong mode for every landmark, in six specimens at once."""
    generator = np.random.default_rng(k)
    width, height, stride = 24, 20, 4
    base = generator.uniform([8, 8], [80, 70], (k, 2))
    specimens = base + generator.normal(0, 3, (10, k, 2))
    prior = ShapePrior.fit(specimens, 0.5) if k > 1 else ShapePrior(np.zeros((1, 2)), np.eye(2))
    rows, columns = np.mgrid[:height, :width] * stride + (stride - 1) / 2
    maps = generator.normal(0, 1, (6, k, height, width))
    for specimen in range(6):
        for landmark in range(k):
            right, wrong = specimens[specimen, landmark], generator.uniform([0, 0], [96, 80])
            for place, top in ((right, 9), (wrong, generator.uniform(3, 14))):
                maps[specimen, landmark] += top * np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / 50)
    maps -= np.log(np.exp(maps).sum((2, 3), keepdims=True))
    wanted = np.stack([reconcile(one, prior, stride) for one in maps])
    found = Reconcile(prior, (width, height), stride)(torch.from_numpy(maps)).numpy()
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-7)
    if k > 2:
        changed = wanted.reshape(6, k, -1).argmax(-1) != maps.reshape(6, k, -1).argmax(-1)
        assert changed.any(), "nothing was chosen by the other landmarks: the test shows nothing"


@pytest.mark.parametrize("k", [3, 6])
def test_expectations_weigh_doubts_as_the_shape_prior_does(k):
    generator = np.random.default_rng(k)
    base = generator.uniform(0, 90, (k, 2))
    prior = ShapePrior.fit(base + generator.normal(0, 3, (10, k, 2)), 0.5)
    points, doubts = base + generator.normal(0, 9, (8, k, 2)), np.exp(generator.uniform(1, 7, (8, k)))
    found = Reconcile(prior, (24, 24), 4).expected(torch.from_numpy(points), torch.from_numpy(doubts))
    for specimen in range(8):
        for mine, wanted in zip(found, prior.expected(points[specimen], doubts[specimen]), strict=True):
            assert np.allclose(mine[specimen].numpy(), wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_configurations_are_steadied_as_by_the_shape_prior(k):
    generator = np.random.default_rng(k)
    base = generator.uniform(0, 90, (k, 2))
    prior = ShapePrior.fit(base + generator.normal(0, 3, (10, k, 2)), 0.5)
    points, doubts = base + generator.normal(0, 9, (8, k, 2)), generator.uniform(0, 7, (8, k)).clip(min=1.0) - 1
    points[-1] = 40.0  # at one place
    found = Steady(prior)(torch.from_numpy(points), torch.from_numpy(doubts)).numpy()
    for specimen in range(8):
        wanted = prior.steadied(points[specimen], doubts[specimen])
        assert np.allclose(found[specimen], wanted, rtol=1e-8, atol=1e-8)


def test_matrices_are_inverted_although_their_entries_are_far_apart():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(4, 20, 20, dtype=torch.float64, generator=generator)
    matrices = root @ root.mT + 1e-2 * torch.eye(20)
    matrices[1] += torch.diag(10.0 ** torch.arange(20))
    wanted = torch.linalg.inv(matrices)
    assert torch.allclose(inverse(matrices), wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("doubt", [-1.0, 2.0, heatmap.DOUBT], ids=["never", "always", "as it is"])
@pytest.mark.parametrize(("k", "finest", "members"), [(4, False, 1), (3, True, 1), (1, False, 1), (3, True, 3)])
def test_a_graph_answers_as_the_model_that_looks_again_where_it_must(monkeypatch, doubt, k, finest, members):
    monkeypatch.setattr(heatmap, "DOUBT", doubt)
    monkeypatch.setattr(graph, "DOUBT", doubt)
    model = heatmap_model(k, finest=finest, members=members)
    shown = noise(3, PICTURE)
    wanted = model.answer(shown)
    with torch.no_grad():
        found = graph.HeatmapGraph(model).eval()(shown)
    steady = found.margin > 1e-3
    assert steady.float().mean() > 0.6
    assert torch.allclose(found.points[steady], wanted.points[steady], atol=1e-3)
    assert torch.allclose(found.confidence[steady], wanted.confidence[steady], atol=1e-4)
    assert torch.allclose(found.spread[steady], wanted.spread[steady], atol=1e-3)


def test_margins_say_where_the_last_digit_decides():
    """A guess at half a pixel between two windows."""
    model = heatmap_model()
    guesses = torch.tensor([[[40.5, 60.0], [40.501, 60.2], [40.4, 60.0], [41.0, 60.0]]])
    with torch.no_grad():
        found = graph.refine(model.fine, noise(1, PICTURE).int(), guesses, window=32)
    edge = torch.tensor([0.0, 0.001, 0.1, 0.5])
    assert (found.margin[0] <= edge + 1e-4).all()
    assert found.margin[0, 0] == 0


def test_a_network_of_the_paper_answers_as_it_does():
    model = ebnet_model()
    shown = noise(2, (64, 48))
    found = graph.EBNetGraph(model)(shown)
    assert torch.equal(found.points, model.answer(shown).points)
    assert torch.isnan(found.confidence).all()
    assert torch.isinf(found.margin).all()
