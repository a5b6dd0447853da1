import json

import pytest
import safetensors.torch
import torch

from pronotum.augment import about, move
from pronotum.errors import UserError
from pronotum.landmarks import Curve, Scheme
from pronotum.models import heatmap, storage, weights
from pronotum.models.heatmap import HeatmapConfig, HeatmapModel, on_cells, refine, rescale, turn, with_hints
from pronotum.models.unet import expectation


def tiny(n_landmarks=4):
    torch.manual_seed(0)
    config = HeatmapConfig(
        n_landmarks=n_landmarks,
        frame=(64, 64),
        detail=(160, 128),
        window=32,
        coarse_widths=(8, 8, 8),
        coarse_depth=8,
        fine_widths=(8, 8),
        fine_depth=8,
    )
    return HeatmapModel(config).eval()


@pytest.mark.parametrize(
    ("size", "frame"),
    [((3264, 2448), (256, 192)), ((1000, 1319), (192, 256)), ((2000, 2000), (192, 192)), ((4000, 700), (384, 128))],
)
def test_the_frame_suits_the_photographs(size, frame):
    config = HeatmapConfig.for_photographs(5, [size] * 3)
    assert config.frame == frame


def test_the_detail_is_not_much_finer_than_the_photographs():
    assert HeatmapConfig.for_photographs(5, [(3264, 2448)]).detail == (1024, 768)
    assert HeatmapConfig.for_photographs(5, [(632, 480)]).detail == (640, 480)
    assert HeatmapConfig.for_photographs(5, [(256, 192)]).detail == (512, 384)


def test_the_last_look_is_at_the_photographs_resolution_or_at_a_half_that_is_fine_enough():
    large = HeatmapConfig.for_photographs(5, [(3264, 2448)])
    assert (large.finest, large.picture, large.finest_window) == ((1632, 1224), (1632, 1224), 64)
    assert HeatmapConfig.for_photographs(5, [(1632, 1224)]).finest == (1632, 1224)
    assert HeatmapConfig.for_photographs(5, [(6000, 4500)]).finest == (3000, 2250)
    assert HeatmapConfig.for_photographs(5, [(12000, 9000)]).finest == (3000, 2250)
    for size in [(1000, 1319), (632, 480), (256, 192)]:
        small = HeatmapConfig.for_photographs(5, [size])
        assert small.finest is None
        assert (small.picture, small.patch) == (small.detail, 0)


def test_the_last_network_corrects_in_px_of_the_photograph(monkeypatch):
    """Each stage is replaced by one that knows the truth to its own resolution only."""
    config = tiny().config.model_copy(update={"finest": (640, 512), "finest_window": 32})
    model = HeatmapModel(config).eval()
    truth = torch.tensor([[100.3, 200.6], [333.25, 40.75], [500.5, 470.2], [90.0, 90.0]])

    def known(network, pictures, index, channel, points, *, window):
        size = pictures.shape[3], pictures.shape[2]
        own = rescale(truth, config.picture, size)[channel]
        sure = torch.full((len(points),), 0.5)
        return heatmap.Located(own if network is model.finest else own.round(), sure, 2 * sure)

    monkeypatch.setattr(heatmap, "refine", known)
    answer = model.answer(torch.zeros(2, 3, 512, 640, dtype=torch.uint8))
    assert torch.allclose(answer.points, truth.expand(2, -1, -1), atol=1e-4)
    assert (answer.confidence <= 0.25).all()
    assert (answer.spread == 1).all()


def test_refinement_finds_what_the_window_shows():
    """With a network that answers with the brightest place, a dot off the guess is found to a fraction of a px."""

    class Brightest(torch.nn.Module):
        stride = 1

        def of_one(self, images, channel):
            maps = (images[:, :1] + 1e-4).log()
            return maps.flatten(1).log_softmax(-1).view_as(maps)

    rows, columns = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    places = torch.tensor([[40.3, 50.7], [100.0, 20.0]])
    dots = [255 * torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2) for x, y in places]
    pictures = torch.stack(dots)[:, None].repeat(1, 3, 1, 1).round().to(torch.uint8)
    guesses = places + torch.tensor([[9.0, -11.0], [-12.0, 10.0]])
    index, channel = torch.tensor([0, 1]), torch.tensor([0, 0])
    points, *_ = refine(Brightest(), pictures, index, channel, guesses, window=32)
    assert torch.allclose(points, places, atol=0.05)


def test_frame_and_detail_points_convert_both_ways():
    model = tiny()
    points = torch.rand(3, 4, 2, dtype=torch.float64) * 60
    assert torch.allclose(model.to_frame(model.to_detail(points)), points)
    corner = torch.tensor([-0.5, -0.5], dtype=torch.float64)
    assert torch.allclose(model.to_detail(corner), corner)
    assert model.to_detail(torch.tensor([63.5, 63.5])).tolist() == pytest.approx([159.5, 127.5])


def test_answers_do_not_depend_on_the_company():
    model = tiny()
    generator = torch.Generator().manual_seed(1)
    details = torch.randint(0, 255, (3, 3, 128, 160), dtype=torch.uint8, generator=generator)
    frames = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8, generator=generator)
    together = model.locate(frames, details)[0]
    alone = torch.cat([model.locate(frames[i : i + 1], details[i : i + 1])[0] for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-3)


def test_a_model_file_gives_the_same_answers(tmp_path):
    model, path = tiny(), tmp_path / "m.safetensors"
    curve = Curve("margin", 2, ends=(0, 1))
    scheme = Scheme(("a", "b", "c", "d"), ((0, 1),), (2, 3), (curve,), mirror=True, reference="images/1.jpg")
    storage.save(path, storage.StoredModel("heatmap", model, scheme, {"seed": 3}))
    stored = storage.load(path)
    assert stored.scheme == scheme
    assert stored.card == {"seed": 3}
    for name, value in model.state_dict().items():
        assert torch.equal(stored.network.state_dict()[name], value)


def test_a_config_of_an_earlier_version_is_read():
    config = tiny().config
    earlier = {**config.model_dump(mode="json"), "passes": 2}
    assert HeatmapConfig.model_validate(earlier) == config
    assert earlier["passes"] == 2
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        HeatmapConfig.model_validate({**earlier, "pauses": 2})


def test_files_that_are_no_models_are_refused_in_one_line(tmp_path):
    missing, text, foreign, newer, damaged = (tmp_path / f"{n}.safetensors" for n in "abcde")
    with pytest.raises(UserError, match="no such model file; train one"):
        storage.load(missing)
    text.write_text("hello")
    with pytest.raises(UserError, match="not a pronotum model"):
        storage.load(text)
    safetensors.torch.save_file({"x": torch.zeros(2)}, foreign)
    with pytest.raises(UserError, match="not a pronotum model"):
        storage.load(foreign)
    header = {"format": storage.FORMAT, "format_version": 99, "architecture": "heatmap"}
    weights.save(newer, {"x": torch.zeros(2)}, {storage.FORMAT: json.dumps(header)})
    with pytest.raises(UserError, match=r"model format 99.*install a newer pronotum"):
        storage.load(newer)
    config = tiny().config.model_dump(mode="json")
    header |= {"format_version": 1, "config": config, "scheme": {"names": list("abcd"), "pairs": [], "curves": []}}
    weights.save(damaged, {"x": torch.zeros(2)}, {storage.FORMAT: json.dumps({**header, "card": {}})})
    with pytest.raises(UserError, match="damaged model"):
        storage.load(damaged)


def test_a_hint_settles_what_the_map_leaves_open_and_no_more():
    """Two equal modes: the hinted one wins. One clear mode far from the hint: it stays. No hint: nothing changes."""
    maps = torch.full((1, 3, 16, 16), -30.0)
    maps[0, :, 4, 3] = 0.0
    maps[0, 0, 10, 12] = 0.0
    maps = torch.log_softmax(maps.flatten(2), -1).view_as(maps)
    hints = torch.tensor([[[49.5, 41.5], [60.0, 60.0], [torch.nan, torch.nan]]])
    hinted = with_hints(maps, hints, 4)
    assert hinted.flatten(2).argmax(-1).tolist() == [[10 * 16 + 12, 4 * 16 + 3, 4 * 16 + 3]]
    assert torch.allclose(hinted.exp().flatten(2).sum(-1), torch.ones(1, 3), atol=1e-5)
    assert torch.equal(hinted[0, 2], maps[0, 2])
    ratio = (hinted[0, 0, 10, 12] - hinted[0, 0, 4, 3]).exp()
    assert ratio.item() == pytest.approx((1 + 1e-3) / 1e-3, rel=0.02)


def test_maps_of_moved_pictures_are_laid_back_where_they_belong():
    """A bump made in the moved picture lies, laid back, where the movement came from."""
    x = torch.arange(24.0) * 4 + 1.5
    here = torch.tensor([[40.0, 52.0]])
    centre = torch.tensor([[47.5, 47.5]])
    pose = about(turn(10, 1.12)[None], centre, centre)
    there = move(pose, here[None])[0, 0]
    bump = -((x - there[0]) ** 2 + (x[:, None] - there[1]) ** 2)[None, None] / 50
    laid = on_cells(bump, pose, 4)
    assert torch.allclose(expectation(torch.log_softmax(laid.flatten(2), -1).view_as(laid), 4)[0], here, atol=0.3)


def test_only_pictures_that_leave_a_doubt_are_looked_at_again(monkeypatch):
    model, generator = tiny(), torch.Generator().manual_seed(1)
    frames = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8, generator=generator)
    monkeypatch.setattr(heatmap, "DOUBT", 0.0)
    once, trust = model.locate_coarse(frames)
    order = trust.amin(1).argsort()
    monkeypatch.setattr(heatmap, "DOUBT", float(trust.amin(1)[order[1]]))
    shown = []
    monkeypatch.setattr(model, "_look_again", lambda frames, maps: shown.append(frames) or maps.flip(1))
    again = model.locate_coarse(frames)[0]
    assert torch.equal(torch.cat(shown), frames[order[:1]])
    assert torch.equal(again[order[1:]], once[order[1:]])
    assert not torch.equal(again[order[0]], once[order[0]])
