"""From photographs on disk to landmarks, as a stream in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pronotum import fitting, geometry, pictures, searching
from pronotum.errors import UserError
from pronotum.images import UnreadablePhotograph
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Landmarker, describe
from pronotum.models.free import FreeModel
from pronotum.morphometrics.superimposition import centroid_size

In = TypeVar("In")
Out = TypeVar("Out")
BATCH = 4
"""Photographs that are looked at together at most."""
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
        upright: 3x3 from px of the photograph to px of the upright picture the specimen was landmarked in, and
            (width, height) of that; None where it was landmarked on the photograph as it is.
        order: (K,) of each landmark the place it has in that picture, where that mirrors; () = its own.
    """

    photograph: Path
    size: tuple[int, int]
    points: FloatArray
    confidence: FloatArray
    spread: FloatArray
    described: FloatArray
    remark: str = ""
    upright: tuple[FloatArray, tuple[int, int]] | None = None
    order: tuple[int, ...] = ()

    @property
    def as_seen(self) -> tuple[FloatArray, tuple[int, int]]:
        """The landmarks as the networks saw them, and (width, height) of what they saw."""
        if self.upright is None:
            return self.points, self.size
        matrix, size = self.upright
        return geometry.transform(matrix, self.points[list(self.order)] if self.order else self.points), size

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


def batch_size(model: Landmarker, most: int = BATCH) -> int:
    """Photographs per step, fewer where they are large."""
    wanted: tuple[int, int] = model.config.picture
    return max(1, min(most, BATCH_BYTES // (3 * wanted[0] * wanted[1])))


def predict_all(
    model: Landmarker, photographs: Iterable[Path], *, device: torch.device
) -> Iterator[tuple[Prediction, ...] | UnreadablePhotograph]:
    """Landmark every specimen of photographs, in order; arguments as of `predict`.

    Yields:
        for each photograph its specimens, from the top left to the bottom right - one, unless the model finds specimens
        itself - or the error that says why it cannot be opened.
    """
    if isinstance(model, FreeModel):
        yield from _in_threads(lambda path: _search(model, path, device), photographs, device)
        return
    for answer in predict(model, photographs, device=device):
        yield (answer,) if isinstance(answer, Prediction) else answer


def _search(model: FreeModel, path: Path, device: torch.device) -> tuple[Prediction, ...] | UnreadablePhotograph:
    try:
        size, found = searching.search(model, path, device)
    except UnreadablePhotograph as error:
        return error
    picture = model.config.picture
    return tuple(
        Prediction(
            *(path, size, one.points, one.confidence, one.spread, one.described, one.remark),
            upright=(one.picture, picture),
            order=one.order,
        )
        for one in found
    )


BELONGS = 1.0
"""Root mean square radii of a specimen within which the centre of a prediction of it must lie."""


def assign(
    found: Sequence[Prediction],
    specimens: Sequence[int],
    points: FloatArray,
    sizes: Sequence[tuple[int, int]],
    path: Path,
) -> Iterator[tuple[int, Prediction]]:
    """Which predictions of a photograph are of which of its specimens.

    Args:
        found: predictions.
        specimens: positions in the data of those on the photograph.
        points: (N, K, 2) manual landmarks of the data, px of the photographs.
        sizes: (N,) of the photographs, px.
        path: of the photograph.

    Yields:
        position and prediction. Where a model landmarks photographs as they are, its one prediction is of every
        specimen. Else each prediction is of the specimen it lies nearest to; a specimen that was not found has a
        prediction without landmarks.
    """
    if found and found[0].upright is None:
        yield from ((number, found[0]) for number in specimens)
        return
    centres = np.nanmean(points[list(specimens)], axis=1)
    radii = centroid_size(points[list(specimens)]) / np.sqrt(points.shape[1])
    away = [np.linalg.norm(centres - np.nanmean(one.points, 0), axis=1) / radii for one in found]
    distances = np.array(away).reshape(len(found), len(specimens))
    rows, columns = (one.tolist() for one in linear_sum_assignment(np.minimum(distances, 2 * BELONGS)))
    of = {column: found[row] for row, column in zip(rows, columns, strict=True) if distances[row, column] <= BELONGS}
    nothing = np.full(points.shape[1], np.nan)
    for column, number in enumerate(specimens):
        missed = Prediction(
            *(path, sizes[number], np.full(points.shape[1:], np.nan), nothing, nothing),
            *(np.full(pictures.DESCRIBED, np.nan), "not found"),
        )
        yield number, of.get(column, missed)


def predict(
    model: Landmarker, photographs: Iterable[Path], *, device: torch.device, batch: int = BATCH
) -> Iterator[Prediction | UnreadablePhotograph]:
    """Landmark photographs, in order.

    Args:
        model: trained, in evaluation mode, on the device.
        photographs: files; decoded in background threads while the networks work, unless torch may use one core only.
        device: where to put the pictures.
        batch: photographs per step, fewer where they are large.

    Yields:
        for each photograph the prediction, or the error that says why it cannot be opened.
    """
    threads = 0 if _alone(device) else fitting.THREADS
    groups = _groups(fitting.stream(photographs, model.config.picture, threads=threads), batch_size(model, batch))
    for answers in _in_threads(lambda group: _answer(model, group, device), groups, device):
        yield from answers


def _in_threads(task: Callable[[In], Out], items: Iterable[In], device: torch.device) -> Iterator[Out]:
    """A task for every item, in order: on a CPU several side by side, each on one core."""
    if device.type != "cpu" or _alone(device):
        yield from map(task, items)
        return
    # Small networks use several cores better side by side, each on one, than together.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[Future[Out]] = deque()
            for item in items:
                waiting.append(pool.submit(task, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(threads)


def _alone(device: torch.device) -> bool:
    """Whether one core has to do: that of a worker among others, which would be in their way on theirs."""
    return device.type == "cpu" and torch.get_num_threads() == 1


Item = tuple[Path, fitting.Picture | UnreadablePhotograph]


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
    readable = [picture for _, picture in items if isinstance(picture, fitting.Picture)]
    answers: Iterator[tuple[FloatArray, FloatArray, FloatArray, FloatArray, str]] = iter(())
    if readable:
        batch = pictures.as_batch(readable, device)
        said = model.answer(batch)
        described = describe(model, batch, said)
        widths = torch.full_like(said.confidence, torch.nan) if said.spread is None else said.spread
        points, confidence, spread = (value.cpu().double().numpy() for value in (said.points, said.confidence, widths))
        remarks = said.remarks or [""] * len(points)
        answers = zip(points, confidence, spread, described, remarks, strict=True)
    result: list[Prediction | UnreadablePhotograph] = []
    for path, picture in items:
        if isinstance(picture, fitting.Picture):
            place, trust, width, look, remark = next(answers)
            back = geometry.transform(np.linalg.inv(picture.matrix), place)
            result.append(Prediction(path, picture.size, back, trust, width / picture.matrix[0, 0], look, remark))
        else:
            result.append(picture)
    return result
