import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pronotum import geometry
from pronotum.errors import UserError, counted
from pronotum.models.ebnet import Block, EBNet, EBNetConfig, denormalise, layer_table, normalise

PUBLISHED_LAYERS = [  # spec A.4, models 2 and 3, L = 8: name, shape, parameters, multiplications
    ("input", (1, 192, 256), 0, 0),
    ("conv1", (32, 190, 254), 320, 13_898_880),
    ("pool1", (32, 95, 127), 0, 0),
    ("conv2", (64, 94, 126), 8_256, 97_026_048),
    ("pool2", (64, 47, 63), 0, 0),
    ("conv3", (128, 46, 62), 32_896, 93_454_336),
    ("pool3", (128, 23, 31), 0, 0),
    ("fc1", (1000,), 91_265_000, 91_264_000),
    ("fc2", (1000,), 1_001_000, 1_000_000),
    ("fc3", (16,), 16_016, 16_000),
]
PUBLISHED_TOTALS = {  # spec A.4: L -> parameters of model 1, of models 2 and 3
    8: (45_932_488, 92_323_488),
    10: (45_934_492, 92_327_492),
    11: (45_935_494, 92_329_494),
    16: (45_940_504, 92_339_504),
    18: (45_942_508, 92_343_508),
}


def tiny(seed=0, **changes):
    torch.manual_seed(seed)
    blocks = (Block(channels=4, kernel=3), Block(channels=6, kernel=2))
    settings = {"n_landmarks": 3, "frame": (20, 16), "blocks": blocks, "hidden": 16, "hidden_dropout": 0.0}
    return EBNet(EBNetConfig(**{**settings, **changes}))


def on_meta(config):
    with torch.device("meta"):
        return EBNet(config).eval()


@pytest.mark.parametrize("n_landmarks", PUBLISHED_TOTALS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_parameter_counts_are_the_published_ones(number, n_landmarks):
    config = EBNetConfig.variant(number, n_landmarks)
    published = PUBLISHED_TOTALS[n_landmarks][0 if number == 1 else 1]
    assert sum(p.numel() for p in on_meta(config).parameters()) == published
    assert sum(layer.parameters for layer in layer_table(config)) == published


@pytest.mark.parametrize("number", [2, 3])
def test_the_layers_are_the_published_ones(number):
    layers = layer_table(EBNetConfig.variant(number, 8))
    assert [(layer.name, layer.shape, layer.parameters, layer.macs) for layer in layers] == PUBLISHED_LAYERS
    dropouts = {layer.name: layer.dropout for layer in layers if layer.dropout}
    assert dropouts == ({"pool1": 0.1, "pool2": 0.2, "pool3": 0.3, "fc1": 0.5} if number == 3 else {})


def test_model_1_has_half_the_hidden_units():
    layers = {layer.name: layer for layer in layer_table(EBNetConfig.variant(1, 8))}
    assert [layers[f"fc{i}"].parameters for i in (1, 2, 3)] == [45_632_500, 250_500, 16 * 501]
    assert [layers[f"fc{i}"].macs for i in (1, 2, 3)] == [45_632_000, 250_000, 16 * 500]
    assert sum(layer.macs for layer in layers.values()) == 250_269_264
    assert not any(layer.dropout for layer in layers.values())


def test_the_network_has_the_shapes_and_parameters_of_its_table():
    config = EBNetConfig.variant(3, 8)
    network, seen = on_meta(config), []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(
                lambda layer, _, output: seen.append((output.shape[1:], sum(p.numel() for p in layer.parameters())))
            )
    assert network(torch.empty(2, 1, 192, 256, device="meta")).shape == (2, 16)
    expected = [(layer.shape, layer.parameters) for layer in layer_table(config) if layer.parameters]
    assert [(tuple(shape), parameters) for shape, parameters in seen] == expected


def slow_answer(network, picture):
    """The network on one picture in loops, and how often two numbers were multiplied."""
    products = 0
    for convolution in network.convolutions:
        weight, bias = convolution.weight.tolist(), convolution.bias.tolist()
        k, (channels, height, width) = len(weight[0][0]), picture.shape
        result = np.zeros((len(weight), height - k + 1, width - k + 1))
        for o, y, x in np.ndindex(result.shape):
            total = bias[o]
            for i, dy, dx in np.ndindex(channels, k, k):
                total += weight[o][i][dy][dx] * picture[i, y + dy, x + dx]
                products += 1
            result[o, y, x] = max(total, 0)
        picture = np.zeros((len(weight), result.shape[1] // 2, result.shape[2] // 2))
        for o, y, x in np.ndindex(picture.shape):
            picture[o, y, x] = result[o, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max()
    values = picture.reshape(-1)
    for dense in (network.fc1, network.fc2, network.fc3):
        weight = dense.weight.detach().double().numpy()
        products += weight.size
        values = weight @ values + dense.bias.detach().double().numpy()
        values = values if dense is network.fc3 else np.maximum(values, 0)
    return values, products


def test_the_network_equals_loops_and_its_table_counts_their_products():
    network = tiny().eval()
    for bias in (p for name, p in network.named_parameters() if name.endswith("bias")):
        nn.init.normal_(bias, std=0.1)
    picture = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(1))
    expected, products = slow_answer(network, picture[0].double().numpy())
    assert network(picture)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert sum(layer.macs for layer in layer_table(network.config)) == products


def test_weights_start_as_lasagne_s():
    torch.manual_seed(0)
    network = EBNet(EBNetConfig(n_landmarks=50, frame=(40, 30), hidden=200))
    limits = {
        "convolutions.0": math.sqrt(6 / ((1 + 32) * 9)),
        "convolutions.1": math.sqrt(6 / ((32 + 64) * 4)),
        "convolutions.2": math.sqrt(6 / ((64 + 128) * 4)),
        "fc1": math.sqrt(6 / (network.fc1.in_features + 200)),
        "fc2": math.sqrt(6 / (200 + 200)),
        "fc3": math.sqrt(6 / (200 + 100)),
    }
    for name, limit in limits.items():
        layer = network.get_submodule(name)
        assert layer.bias.abs().max() == 0
        assert 0.97 * limit < layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.08)


def test_dropout_is_elementwise_scaled_and_off_when_used():
    config = tiny().config.model_dump() | {"blocks": ({"channels": 50, "kernel": 3, "dropout": 0.3},)}
    network = EBNet(EBNetConfig(**config))
    seen = []
    network.fc1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network.convolutions[0].weight.zero_()
        network.convolutions[0].bias.fill_(2)
        network(torch.zeros(8, 1, 16, 20))
        network.eval()(torch.zeros(8, 1, 16, 20))
    assert (seen[1] == 2).all()
    dropped = seen[0] == 0
    assert dropped.double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.allclose(seen[0][~dropped], torch.tensor(2 / 0.7))
    whole_channels = dropped.view(8, 50, -1).double().mean(-1)
    assert whole_channels.max() < 0.7


def test_the_second_hidden_layer_sees_dropout():
    network, seen = tiny(hidden=400, hidden_dropout=0.5), []
    network.fc2.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network.fc1.weight.zero_()
        network.fc1.bias.fill_(3)
        network(torch.zeros(20, 1, 16, 20))
    assert sorted(seen[0].unique().tolist()) == [0, 6]
    assert (seen[0] == 0).double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_every_parameter_learns():
    network = tiny()
    pictures = torch.rand(8, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    network(pictures).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_coordinates_are_scaled_as_the_paper_does():
    points = torch.tensor([[0.0, 0], [128, 96], [256, 192], [64, 144]])
    assert normalise(points, (256, 192)).tolist() == [-1, -1, 0, 0, 1, 1, -0.5, 0.5]
    corners = torch.tensor([[-0.5, -0.5], [255.5, 191.5]], dtype=torch.float64)
    edges = [-1 - 1 / 256, -1 - 1 / 192, 1 - 1 / 256, 1 - 1 / 192]
    assert normalise(corners, (256, 192)).tolist() == pytest.approx(edges)


def test_scaling_makes_a_round_trip_and_keeps_missing_landmarks_missing():
    points = torch.rand(5, 7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 300 - 20
    points[2, 3] = torch.nan
    back = denormalise(normalise(points, (256, 192)), (256, 192))
    assert torch.allclose(back, points, atol=1e-12, equal_nan=True)
    assert torch.isnan(back[2, 3]).all()


def test_the_paper_s_whole_number_labels_are_our_coordinates_without_bias():
    """Its labels are floor(position / 12.75), positions counted from the photograph's edge (spec 0.8)."""
    positions = np.random.default_rng(0).uniform(0, (3264, 2448), (20_000, 2))
    theirs = np.floor(positions / 12.75)
    ours = geometry.transform(geometry.scaling(1 / 12.75), positions - 0.5)
    assert np.abs(theirs - ours).max() <= 0.5 + 1e-9
    assert np.abs((theirs - ours).mean(0)).max() < 0.01


def test_pictures_are_located_in_px_of_the_frame_whatever_their_company():
    network = tiny().eval()
    frames = torch.randint(0, 256, (4, 3, 16, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    points = network.locate(frames)
    assert points.shape == (4, 3, 2)
    alone = torch.cat([network.locate(frames[i : i + 1]) for i in range(4)])
    assert torch.allclose(points, alone, atol=1e-4)
    with torch.no_grad():
        network.fc3.weight.zero_()
        network.fc3.bias.copy_(torch.tensor([-1.0, -1, 0, 0, 1, 0.5]))
    assert network.locate(frames)[0].tolist() == [[0, 0], [10, 8], [20, 12]]


@pytest.mark.parametrize("kernels", [(3, 2, 2), (3,), (5, 3), (2, 2, 2, 4), (1,)])
def test_the_least_frame_is_just_large_enough(kernels):
    blocks = tuple(Block(channels=2, kernel=k) for k in kernels)
    least = EBNetConfig(n_landmarks=1, frame=(999, 999), blocks=blocks).least_side

    def left(side):
        for k in kernels:
            side = (side - k + 1) // 2
        return side

    assert left(least) == 1
    assert left(least - 1) < 1
    config = EBNetConfig(n_landmarks=1, frame=(least, least + 3), blocks=blocks, hidden=4)
    assert on_meta(config)(torch.empty(1, 1, least + 3, least, device="meta")).shape == (1, 2)
    said = rf"too small for a network of {counted(len(kernels), 'block')};.*{least}x{least} px"
    with pytest.raises(UserError, match=said):
        EBNetConfig(n_landmarks=1, frame=(500, least - 1), blocks=blocks)


def test_what_is_no_model_is_refused_in_one_line():
    with pytest.raises(UserError, match="frame 15x40: too small for a network of 3 blocks; expected at least 16x16 px"):
        EBNetConfig.variant(3, 8, frame=(15, 40))
    with pytest.raises(UserError, match="model 4: the paper has no such model; choose 1, 2 or 3"):
        EBNetConfig.variant(4, 8)
    with pytest.raises(ValidationError, match="kernal"):
        Block(channels=3, kernal=2)
    with pytest.raises(ValidationError, match="hiden"):
        EBNetConfig(n_landmarks=3, hiden=5)


def test_a_configuration_survives_json():
    config = EBNetConfig.variant(3, 11, frame=(128, 96))
    assert EBNetConfig.model_validate_json(config.model_dump_json()) == config
