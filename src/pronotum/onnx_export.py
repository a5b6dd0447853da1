"""A model as an ONNX file, for programs without Python or torch: one graph from a picture to its landmarks.

A photograph has to be brought to the size of the pictures first, as `fitting.fit` does it; docs/models.md says how.
The file, and a JSON file beside it, say what the landmarks are called and what is known of the model.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pronotum import fitting, synthetic
from pronotum.errors import UserError
from pronotum.files import replacing
from pronotum.images import UnreadablePhotograph
from pronotum.models.ebnet import EBNet
from pronotum.models.graph import EBNetGraph, HeatmapGraph, Look
from pronotum.models.heatmap import HeatmapModel

PROPERTY = "pronotum"
"""Under this name the file holds what the JSON file beside it holds."""
TOLERANCE = 0.01
"""Px by which landmarks of the two programs may differ."""
EDGE = 0.002
"""Px. Where an answer on the way is so near the edge between two windows, the last digits of the arithmetic decide
which one is cut, in PyTorch too: with another number of threads, or on another device."""
SYNTHETIC = ("pronotum", "head", "elytra")
DRAWN = 1024
"""Longest side of a synthetic picture, px; it is enlarged where a model wants larger ones."""
TOGETHER = 2
"""Pictures handed over together when checking: a graph must take several, and one."""
OUTPUTS = {
    "points": "(B, K, 2) float32: x right, y down, px of the picture; (0, 0) is the centre of its top-left pixel",
    "confidence": "(B, K) float32 on [0, 1], not calibrated; NaN = the model has none",
    "spread": "(B, K) float32, px of the picture, standard deviation of the probability; NaN = the model has none",
}


@dataclass(frozen=True)
class Checked:
    """How the two programs agree.

    Attributes:
        pictures: that were looked at.
        landmarks: on them.
        largest: px between the landmarks of the two, the largest of those not `on_edge`.
        on_edge: landmarks that differ by more than is allowed because they lie on the edge between two windows.
        unreadable: photographs that could not be opened.
    """

    pictures: int
    landmarks: int
    largest: float
    on_edge: int
    unreadable: tuple[UnreadablePhotograph, ...] = ()


def write(
    network: Any,
    path: Path,
    about: Mapping[str, Any],
    photographs: Sequence[Path] = (),
    on_picture: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Write a model as an ONNX file, with a JSON file of the same name beside it, if it answers as PyTorch does.

    Args:
        network: of a stored model, on the CPU.
        path: of the file.
        about: what both files say of the model, plain values.
        photographs: on which the answers are compared too, beside some synthetic pictures.
        on_picture: called with the number compared and the total.

    Raises:
        UserError: an architecture that cannot be exported, libraries that are not installed, or answers that differ.
    """
    graph = graph_of(network)
    onnx, runtime = _library("onnx"), _library("onnxruntime")
    record = importlib.import_module("pronotum.onnx_recorder").record
    beside = path.with_suffix(".json")
    described = json.dumps(describe(network, about), indent=1, allow_nan=False, ensure_ascii=False)
    with replacing(path) as part, replacing(beside) as note:
        model = record(graph, network.config.picture, tuple(OUTPUTS))
        onnx.helper.set_model_props(model, {PROPERTY: described})
        onnx.save(model, part)
        note.write_text(described + "\n", encoding="utf-8")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = runtime.InferenceSession(part, options, providers=["CPUExecutionProvider"])
        return check(network, graph, session, path, photographs, on_picture)


def graph_of(network: Any) -> nn.Module:
    """The network without choices that depend on the data.

    Raises:
        UserError: there is none for this architecture.
    """
    if isinstance(network, EBNet):
        return EBNetGraph(network).eval()
    if isinstance(network, HeatmapModel) and network.guide is None:
        return HeatmapGraph(network).eval()
    found = "a heatmap model with references" if isinstance(network, HeatmapModel) else type(network).__name__
    raise UserError(
        "--onnx",
        found=f"{found}, which works outside its networks too",
        expected="a model 'heatmap' without references, or 'ebnet1' to 'ebnet3'",
        remedy="train one with: pronotum train DATA -o RUN --model heatmap --pose upright",
    )


def describe(network: Any, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a model beside its graph."""
    width, height = network.config.picture
    given = {
        "name": "pictures",
        "width": width,
        "height": height,
        "what": f"(B, 3, {height}, {width}) uint8, RGB: the photograph upright as its EXIF says, resized with "
        "antialiasing and its aspect ratio kept, centred; what it does not cover repeats its border",
    }
    return {"format": "pronotum-onnx", "format_version": 1, "input": given, "outputs": OUTPUTS, **about}


def check(
    network: Any,
    graph: nn.Module,
    session: Any,
    path: Path,
    photographs: Sequence[Path] = (),
    on_picture: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Compare what onnxruntime answers with what PyTorch answers.

    Args:
        network: of the stored model.
        graph: `graph_of` it.
        session: of onnxruntime, with the file.
        path: of the file, for messages.
        photographs: beside some synthetic pictures.
        on_picture: called with the number compared and the total.

    Raises:
        UserError: landmarks differ by more than `TOLERANCE`, or confidences by more than a hundredth.
    """
    seen, landmarks, largest, on_edge = 0, 0, 0.0, 0
    unreadable = list[UnreadablePhotograph]()
    total = len(SYNTHETIC) + len(photographs)
    for batch in _batches(_shown(network.config.picture, photographs, unreadable)):
        points, confidence, _ = (torch.from_numpy(v) for v in session.run(list(OUTPUTS), {"pictures": batch.numpy()}))
        answer = network.answer(batch)
        apart = (answer.points - points).norm(dim=-1)
        unsure = (answer.confidence - confidence).abs().nan_to_num()
        wrong = ~(apart <= TOLERANCE) | (unsure > TOLERANCE)
        if wrong.any():
            with torch.no_grad():
                look: Look = graph(batch)
            edge = wrong & (look.margin < EDGE)
            if (wrong & ~edge).any():
                worst = float(apart[wrong & ~edge].max())
                raise UserError(
                    path,
                    found=f"landmarks of onnxruntime {worst:.3g} px from those of PyTorch",
                    expected=f"at most {TOLERANCE:g} px",
                    remedy="nothing was written; please report this with the output of pronotum info",
                )
            on_edge += int(edge.sum())
            apart = apart[~edge]
        seen, landmarks = seen + len(batch), landmarks + confidence.numel()
        largest = max(largest, float(apart.max()) if apart.numel() else 0.0)
        on_picture(seen + len(unreadable), total)
    on_picture(total, total)
    return Checked(seen, landmarks, largest, on_edge, tuple(unreadable))


def _library(name: str) -> Any:
    """A library that only an export needs."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError("--onnx", found=f"{name} is not installed", remedy="pip install 'pronotum[onnx]'") from None


def _shown(
    size: tuple[int, int], photographs: Sequence[Path], unreadable: list[UnreadablePhotograph]
) -> Iterator[Tensor]:
    """Pictures (3, H, W) uint8: synthetic ones, then the photographs."""
    factor = min(1.0, DRAWN / max(size))
    drawn = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    for number, part in enumerate(SYNTHETIC):
        picture = Image.fromarray(synthetic.draw(part, number, size=drawn).image).resize(size)
        yield torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    for _, found in fitting.stream(photographs, size):
        if isinstance(found, fitting.Picture):
            yield torch.from_numpy(found.pixels).permute(2, 0, 1)
        else:
            unreadable.append(found)


def _batches(shown: Iterator[Tensor]) -> Iterator[Tensor]:
    waiting = list[Tensor]()
    for picture in shown:
        waiting.append(picture)
        if len(waiting) == TOGETHER:
            yield torch.stack(waiting)
            waiting = []
    if waiting:
        yield torch.stack(waiting)
