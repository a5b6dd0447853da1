"""From photographs on disk to landmarks, as a stream in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pronotum import geometry, pictures
from pronotum.errors import UserError
from pronotum.images import UnreadablePhotograph
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Landmarker

DEVICES = ("auto", "cpu", "cuda", "mps")
BATCH_BYTES = 48 * 1024**2
"""Bytes of pictures that are looked at together at most, or one picture."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of one photograph.

    Attributes:
        photograph: the file.
        size: (width, height) px.
        points: (K, 2) px of the photograph, y down; NaN = the model could not place this landmark.
        confidence: (K,) on [0, 1], the share of the networks' probability close to the answer; not calibrated. NaN
            where the network has none.
        spread: (K,) px of the photograph, how widely the networks' probability is spread about the answer (standard
            deviation along one axis), not calibrated. NaN where the network has none.
        described: (D,) what the photograph looks like (`pictures.describe`).
        remark: why landmarks have no place, or whatever else the model says; "" = nothing.
    """

    photograph: Path
    size: tuple[int, int]
    points: FloatArray
    confidence: FloatArray
    spread: FloatArray
    described: FloatArray
    remark: str = ""

    @property
    def placed(self) -> NDArray[np.bool_]:
        """(K,) True where the model has placed the landmark."""
        return ~np.isnan(self.points[:, 0])


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: a device that this machine does not have.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind = name.split(":")[0]
    if not available.get(kind, False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise UserError(f"--device {name}", found="this machine has none", remedy=f"use auto or one of: {usable}")
    return torch.device(name)


def predict(
    model: Landmarker, photographs: Iterable[Path], *, device: torch.device, batch: int = 4
) -> Iterator[Prediction | UnreadablePhotograph]:
    """Landmark photographs, in order.

    Args:
        model: trained, in evaluation mode, on the device.
        photographs: files; decoded in background threads while the networks work.
        device: where to put the pictures.
        batch: photographs per step, fewer where they are large.

    Yields:
        for each photograph the prediction, or the error that says why it cannot be opened.
    """
    wanted = model.config.picture
    batch = max(1, min(batch, BATCH_BYTES // (3 * wanted[0] * wanted[1])))
    groups = _groups(pictures.stream(photographs, wanted), batch)
    if device.type != "cpu":
        for group in groups:
            yield from _answer(model, group, device)
        return
    # Small networks use several cores better side by side, each on one, than together.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[Future[list[Prediction | UnreadablePhotograph]]] = deque()
            for group in groups:
                waiting.append(pool.submit(_answer, model, group, device))
                if len(waiting) > threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
    finally:
        torch.set_num_threads(threads)


Item = tuple[Path, pictures.Picture | UnreadablePhotograph]


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of this length; the last may be shorter."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _answer(model: Landmarker, items: list[Item], device: torch.device) -> list[Prediction | UnreadablePhotograph]:
    readable = [picture for _, picture in items if isinstance(picture, pictures.Picture)]
    answers: Iterator[tuple[FloatArray, FloatArray, FloatArray, FloatArray, str]] = iter(())
    if readable:
        batch = pictures.as_batch(readable, device)
        said = model.answer(batch)
        described = pictures.describe(pictures.to_frames(batch, model.config.detail, model.config.frame))
        widths = torch.full_like(said.confidence, torch.nan) if said.spread is None else said.spread
        points, confidence, spread = (value.cpu().double().numpy() for value in (said.points, said.confidence, widths))
        remarks = said.remarks or [""] * len(points)
        answers = zip(points, confidence, spread, described, remarks, strict=True)
    result: list[Prediction | UnreadablePhotograph] = []
    for path, picture in items:
        if isinstance(picture, pictures.Picture):
            place, trust, width, look, remark = next(answers)
            back = geometry.transform(np.linalg.inv(picture.matrix), place)
            result.append(Prediction(path, picture.size, back, trust, width / picture.matrix[0, 0], look, remark))
        else:
            result.append(picture)
    return result
