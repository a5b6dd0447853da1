"""The diagrams and tables of networks have the layers and numbers of the paper."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

from pronotum.evaluation import table_files
from pronotum.models.ebnet import Block, EBNetConfig, layer_table
from pronotum.report import network_figures as figures

TOTALS = {1: "45,932,488", 2: "92,323,488", 3: "92,323,488"}


def texts(drawing) -> list[str]:
    return [text.get_text() for text in drawing.axes[0].texts if text.get_text()]


def layers(number=3, n_landmarks=8):
    return layer_table(EBNetConfig.variant(number, n_landmarks))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_diagram_names_layers_shapes_parameters_and_dropout(number):
    said = texts(figures.architecture(layers(number), f"Model {number}"))
    assert any(line.startswith(f"Model {number}: {TOTALS[number]} parameters") for line in said)
    for wanted in ("conv1  3 × 3 + ReLU", "conv2  2 × 2 + ReLU", "32 × 190 × 254", "128 × 23 × 31", "8,256 parameters"):
        assert wanted in said
    hidden = "500" if number == 1 else "1,000"
    assert {f"91,264 → {hidden}", f"{hidden} → 16", "fc3"} <= set(said)
    dropouts = [line for line in said if line.startswith("dropout")]
    assert dropouts == (["dropout 0.1", "dropout 0.2", "dropout 0.3", "dropout 0.5"] if number == 3 else [])


@pytest.mark.parametrize("blocks", [1, 2, 5, 6])
def test_any_number_of_blocks_fits_its_canvas(blocks):
    chosen = tuple(Block(channels=4 * (n + 1), kernel=2 + n % 2, dropout=0.1) for n in range(blocks))
    drawing = figures.architecture(layer_table(EBNetConfig(n_landmarks=18, blocks=chosen)), "A network, 18 landmarks")
    said = texts(drawing)
    assert [line for line in said if line.startswith("block")] == [f"block {n + 1}" for n in range(blocks)]
    for number, block in enumerate(chosen, start=1):
        assert f"conv{number}  {block.kernel} × {block.kernel} + ReLU" in said
    everything_inside(drawing)


def everything_inside(drawing) -> None:
    """No text beyond the figure, and each line of a box inside it; boxes do not overlap."""
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    width, height = canvas.get_width_height()
    boxes = [one.get_window_extent() for one in drawing.axes[0].patches if isinstance(one, FancyBboxPatch)]
    for text in drawing.axes[0].texts:
        if text.get_text():
            extent = text.get_window_extent()
            assert extent.x0 >= 0
            assert extent.x1 <= width
            assert extent.y0 >= 0
            assert extent.y1 <= height
            around = [box for box in boxes if box.contains(*((extent.p0 + extent.p1) / 2))]
            assert all(box.x0 <= extent.x0 and extent.x1 <= box.x1 for box in around)
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_the_papers_networks_and_the_block_fit_too():
    for number in (1, 2, 3):
        everything_inside(figures.architecture(layers(number, 18), f"Model {number}, 18 landmarks"))
    block = figures.elementary_block()
    everything_inside(block)
    assert [re.sub(r"\W", "", line)[0] for line in texts(block) if "$" in line] == ["C", "P", "D"]


def test_the_table_has_every_layer_and_the_sums(tmp_path):
    table = figures.layer_frame(layers()).set_index("layer")
    assert table.loc["all", "parameters"] == 92_323_488
    assert table["dropout"].dropna().to_dict() == {
        **dict.fromkeys(("input", "conv1", "conv2", "conv3", "fc2", "fc3"), 0),
        **{"pool1": 0.1, "pool2": 0.2, "pool3": 0.3, "fc1": 0.5},
    }
    assert figures.layer_frame(layers(1)).iloc[-1]["parameters"] == 45_932_488
    for suffix in ("csv", "html"):
        table_files.write(table.reset_index(), tmp_path / f"a.{suffix}", title="Model 3")
        assert "92323488" in (tmp_path / f"a.{suffix}").read_text()


def test_tables_agree_with_an_independent_count(shared_data):
    path = shared_data.parent / "paper" / "tables" / "model_shapes.csv"
    if not path.is_file():
        pytest.skip(f"needs the independent count in {path}")
    theirs = pd.read_csv(path)
    groups = theirs.groupby(["model", "landmarks"])
    assert len(groups) == 15
    for (number, n_landmarks), group in groups:
        ours = figures.layer_frame(layers(number, n_landmarks)).iloc[1:]  # theirs do not list the input
        assert ours["parameters"].tolist() == group["params"].tolist()
        assert ours["macs"].tolist() == group["macs_forward"].tolist()
        convolutional = group["output_shape"].str.count("x") == 2
        assert ours["output"].to_numpy()[convolutional].tolist() == group["output_shape"][convolutional].tolist()
        assert np.isnan(ours["dropout"].iloc[-1])
