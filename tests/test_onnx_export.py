"""Models as ONNX files: onnxruntime answers as PyTorch does, and the file says what it is."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pronotum import inference, onnx_export, synthetic
from pronotum.errors import UserError
from pronotum.models.classical import ClassicalConfig, ClassicalModel
from pronotum.models.ebnet import Block, EBNet, EBNetConfig
from pronotum.models.heatmap import HeatmapConfig, HeatmapModel

onnx = pytest.importorskip("onnx", reason="pip install 'pronotum[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'pronotum[onnx]'")

PICTURE = (160, 128)
ABOUT = {"landmarks": ("a", "b", "c")}


def heatmap(k=3, *, finest=False, references=0, members=1):
    """Random weights, the last ones so large that maps have a peak as those of trained networks."""
    torch.manual_seed(k)
    config = HeatmapConfig(
        n_landmarks=k,
        frame=(64, 64),
        detail=(128, 96) if finest else PICTURE,
        finest=PICTURE if finest else None,
        window=32,
        finest_window=32,
        references=references,
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
    model.learn_shapes(torch.rand(1, k, 2, dtype=torch.float64) * 90 + 3 * torch.randn(9, k, 2, dtype=torch.float64))
    return model


def ebnet():
    torch.manual_seed(0)
    blocks = (Block(channels=4, kernel=3), Block(channels=8, kernel=2))
    return EBNet(EBNetConfig(n_landmarks=3, frame=(64, 48), blocks=blocks, hidden=16)).eval()


MODELS = {
    "heatmap": heatmap,
    "finest": lambda: heatmap(4, finest=True),
    "committee": lambda: heatmap(5, members=2),
    "ebnet": ebnet,
}


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "model.onnx"
    network = MODELS[request.param]()
    return network, path, onnx_export.write(network, path, ABOUT)


@pytest.mark.parametrize("n", [1, 3])
def test_onnxruntime_places_the_landmarks_of_any_number_of_pictures(exported, n):
    network, path, _ = exported
    width, height = network.config.picture
    generator = torch.Generator().manual_seed(10 + n)
    coarse = torch.rand(n, 3, 6, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    shown = (255 * (0.8 * smooth + 0.2 * torch.rand(smooth.shape, generator=generator))).to(torch.uint8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    points, confidence, spread = session.run(["points", "confidence", "spread"], {"pictures": shown.numpy()})
    wanted = network.answer(shown)
    assert points.shape == (n, network.config.n_landmarks, 2)
    assert points.dtype == confidence.dtype == spread.dtype == np.float32
    with torch.no_grad():
        steady = (onnx_export.graph_of(network)(shown).margin > onnx_export.EDGE).numpy()
    assert steady.mean() > 0.6
    assert np.abs(points - wanted.points.numpy())[steady].max() < onnx_export.TOLERANCE
    for found, expected in ((confidence, wanted.confidence), (spread, wanted.spread)):
        expected = wanted.confidence if expected is None else expected
        assert np.allclose(found[steady], expected.numpy()[steady], atol=1e-3, equal_nan=True)


def test_the_file_is_valid_and_says_what_goes_in_and_what_comes_out(exported):
    network, path, checked = exported
    width, height = network.config.picture
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(one.version, one.domain) for one in model.opset_import] == [(18, "")]
    described = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert {one.key: json.loads(one.value) for one in model.metadata_props} == {"pronotum": described}
    assert described["landmarks"] == ["a", "b", "c"]
    assert (described["input"]["width"], described["input"]["height"]) == (width, height)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("pictures", "tensor(uint8)", ["batch", 3, height, width])
    assert [one.name for one in session.get_outputs()] == list(described["outputs"])
    assert checked.pictures == 3
    assert checked.landmarks == 3 * network.config.n_landmarks
    assert checked.largest < onnx_export.TOLERANCE


def test_weights_keep_their_names(exported):
    network, path, _ = exported
    names = {one.name for one in onnx.load(path).graph.initializer}
    wanted = {name for name, _ in network.named_parameters()}
    found = {name.removeprefix("model.") for name in names}
    # Only what a layer multiplies by in its own shape; torch hands over the others transposed.
    assert {name for name in wanted if name.endswith(".bias") or "convolutions" in name} <= found


def test_photographs_are_compared_too_and_those_that_cannot_be_read_are_named(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    told = []
    photographs = [tmp_path / "a.png", tmp_path / "b.png"]
    checked = onnx_export.write(ebnet(), tmp_path / "m.onnx", ABOUT, photographs, lambda *n: told.append(n))
    assert checked.pictures == 4
    assert ["b.png" in str(one) for one in checked.unreadable] == [True]
    assert told[-1] == (5, 5)


class Shifted:
    """A session that answers as the network does, but for one landmark."""

    def __init__(self, network, shift):
        self.network, self.shift = network, shift

    def run(self, names, given):
        answer = self.network.answer(torch.from_numpy(given["pictures"]))
        points = answer.points.clone()
        points[0, 0, 0] += self.shift
        return points.numpy(), answer.confidence.numpy(), answer.confidence.numpy()


def test_answers_that_differ_are_an_error_unless_the_last_digit_decides(tmp_path):
    network, path = ebnet(), tmp_path / "m.onnx"
    graph = onnx_export.graph_of(network)
    assert onnx_export.check(network, graph, Shifted(network, 0.008), path).largest == pytest.approx(0.008, abs=1e-4)
    for shift in (0.02, np.nan):
        with pytest.raises(UserError, match=r"m\.onnx: landmarks of onnxruntime (0\.02|nan) px from those of PyTorch"):
            onnx_export.check(network, graph, Shifted(network, shift), path)

    def on_edge(pictures):
        look = graph(pictures)
        return look._replace(margin=torch.zeros_like(look.margin))

    checked = onnx_export.check(network, on_edge, Shifted(network, 0.5), path)
    assert (checked.on_edge, checked.landmarks) == (2, 9)
    assert checked.largest < 1e-4


def test_nothing_is_written_where_answers_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="nothing was written"):
        onnx_export.write(ebnet(), tmp_path / "m.onnx", ABOUT)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_a_graph_is_refused_in_one_line(tmp_path):
    classical = ClassicalModel(ClassicalConfig.read({"n_landmarks": 3, "picture": PICTURE, "references": 2}))
    for network in (classical, heatmap(references=2)):
        with pytest.raises(UserError, match=r"--onnx: .*expected a model 'heatmap' without references, or 'ebnet1'"):
            onnx_export.write(network, tmp_path / "m.onnx", ABOUT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (lambda x: x.float().cumsum(2), "uses cumsum"),
        (lambda x: x.float()[:1], "uses slice"),
        (lambda x: x.float().flatten()[:4], "takes single pictures out of several"),
        (lambda x: x.float().sum(0, keepdim=True), "uses sum"),
    ],
)
def test_a_network_with_an_operation_that_is_not_known_is_refused(operation, why):
    from pronotum.onnx_recorder import record

    class Network(torch.nn.Module):
        def forward(self, pictures):
            return (operation(pictures),)

    with pytest.raises(NotImplementedError, match=why):
        record(Network(), (8, 8), ("points",))


def test_the_example_of_the_documentation_gives_the_landmarks_of_the_photograph(tmp_path, monkeypatch, capsys):
    """A photograph of another size and shape than the picture, turned by its EXIF; decoded whole either way."""
    network = ebnet()
    onnx_export.write(network, tmp_path / "wings.onnx", ABOUT)
    drawn = Image.fromarray(synthetic.draw("pronotum", 1, size=(420, 300)).image)
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "wing.png", exif=exif)
    text = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("wing.jpg", "wing.png"), "docs/models.md", "exec"), {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["a", "b", "c"]
    (wanted,) = inference.predict(network, [tmp_path / "wing.png"], device=torch.device("cpu"))
    assert wanted.size == (420, 300)
    found = np.array([[float(x), float(y)] for _, x, y in lines])
    # 6.6 px of the photograph are one of the picture; turned before it is resized, some bytes differ by one level.
    assert np.allclose(found, wanted.points, atol=0.2)
