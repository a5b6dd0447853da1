"""Find the specimens on a photograph, and landmark each in its own upright picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pronotum import fitting, geometry, images, poses
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import describe
from pronotum.models.finder import Found
from pronotum.models.free import FreeModel
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity

BATCH = 4
TURNED, RESIZED, SHIFTED = 6.0, 0.08, 0.04
"""Degrees, relative size and share of centroid size by which landmarks may disagree with the picture they were read in;
beyond, the picture is cut again around them."""
LOOKS = 3
FURTHER = 0.6
LARGE = 0.3
"""How large a look from further away shows the photograph, and the least centroid size that is believed there."""
PART = 0.55
"""Share of the photograph's sides that a closer look shows: a little more than half, so that looks overlap."""
SMALL = 0.35
"""Centroid size as a share of the frame's shorter side up to which a closer look is believed."""
SAME = 0.12
"""Share of centroid size within which the centres of two are one specimen."""
BESIDE = 0.35
"""How far from the box of its landmarks, as a share of that, what is much less sure is a part of the same specimen."""
CROWDED = 0.5
"""Overlap of two specimens' outlines, as a share of the smaller, from which it is worth a remark."""
DOUBT, CLEAR, AROUND = 0.8, 0.5, 45.0
"""Mean confidence below which landmarks are not sure of a direction; what is found as clearly as this share of the
clearest is then looked at in all directions, so many degrees apart."""
LIKELY = 2
"""Of several directions, those in which landmarks are read at full size: the coarse network chooses them."""
LEAST_SURE = 0.2
"""What is less sure than this share of the surest on its photograph is no specimen."""
CUT, OVERLAPPED = "cut by the border of the photograph", "overlaps another specimen"


@dataclass(frozen=True, eq=False)
class Specimen:
    """A specimen on a photograph.

    Attributes:
        points: (K, 2) px of the photograph; NaN = it lies beyond the border.
        confidence: (K,) of the landmarks.
        spread: (K,) px of the photograph.
        picture: 3x3 from px of the photograph to px of the upright picture the landmarks were read in.
        described: (D,) what that picture looks like.
        sure: on [0, 1], that it is a specimen, in this direction.
        order: (K,) of each landmark the place it has in that picture, where that mirrors; () = its own.
        remark: what is to be said of it; "" = nothing.
    """

    points: FloatArray
    confidence: FloatArray
    spread: FloatArray
    picture: FloatArray
    described: FloatArray
    sure: float
    remark: str = ""
    order: tuple[int, ...] = ()


def search(model: FreeModel, path: Path, device: torch.device) -> tuple[tuple[int, int], tuple[Specimen, ...]]:
    """The specimens of a photograph, by rows from the top left to the bottom right, and its (width, height).

    Raises:
        UnreadablePhotograph: the file is truncated or no image.
    """
    pixels = images.read(path)
    size = (pixels.shape[1], pixels.shape[0])
    frame = model.config.finder.frame
    looks = _looks(size, frame)
    frames = torch.from_numpy(np.stack([fitting.cut(pixels, matrix, frame) for matrix in looks])).permute(0, 3, 1, 2)
    found = _agreed(model.finder.find(frames.to(device)), looks, frame)
    seen = _landmarked(model, pixels, found, device)
    kept = [
        _named(one, model.swapped) for one in _each_once(seen, poses.Upright(model.mean_shape), model.config.picture)
    ]
    marked = [(one, _at_the_border(one, size)) for one in _crowded(kept)]
    there = [(one, cut) for one, cut in marked if np.isfinite(cut.points).any()]
    if not there:
        return size, ()
    centres = np.stack([_centre(one) for one, _ in there])
    lengths = centroid_size(np.stack([one.points for one, _ in there])) / 2
    order = poses.reading_order(centres, float(np.median(lengths)))
    return size, tuple(there[at][1] for at in order)


def _looks(size: tuple[int, int], frame: tuple[int, int]) -> list[FloatArray]:
    """What of a photograph is shown to the finder: all of it, the same from further away, and four parts of it closer.

    3x3 matrices from px of the photograph to px of the frame.
    """
    whole = geometry.letterbox(size, frame)
    across = [1 - PART, 0.0]
    corners = [np.array([x * (frame[0] - 1), y * (frame[1] - 1)]) for y in across for x in across]
    larger = [
        geometry.translation(*(-corner / PART)) @ geometry.similarity(0.0, 1 / PART, (0, 0)) @ whole
        for corner in corners
    ]
    middle = (np.array(frame) - 1) / 2
    return [whole, geometry.similarity(0.0, FURTHER, middle) @ whole, *larger]


def _agreed(said: Sequence[Sequence[Found]], looks: Sequence[FloatArray], frame: tuple[int, int]) -> list[Found]:
    """What was found at all looks, each once, px of the photograph.

    A closer look counts for what is small in it and well inside: of large specimens it shows parts only. A look from
    further away counts for what is large: a network sees best what has the size of most that it has learnt from.
    """
    candidates = []
    for level, (found, matrix) in enumerate(zip(said, looks, strict=True)):
        back = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        for one in found:
            size, centre = float(poses.sizes(one.pose)), one.pose[:2, 2]
            radius = size / 3
            inside = (centre > radius).all() and (centre < np.array(frame) - 1 - radius).all()
            believed = (True, size > LARGE * min(frame), size < SMALL * min(frame) and inside)[min(level, 2)]
            if believed:
                candidates.append(replace_pose(one, back))
    kept: list[Found] = []
    for one in sorted(candidates, key=lambda one: -one.sure):
        size = float(poses.sizes(one.pose))
        apart = [
            np.linalg.norm(one.pose[:2, 2] - other.pose[:2, 2]) / min(size, float(poses.sizes(other.pose)))
            for other in kept
        ]
        if all(distance > SAME for distance in apart):
            kept.append(one)
    return kept


def replace_pose(found: Found, matrix: FloatArray) -> Found:
    """The same specimen in another frame."""
    return found._replace(pose=matrix @ found.pose, others=tuple(matrix @ other for other in found.others))


def _centre(specimen: Specimen) -> FloatArray:
    centre: FloatArray = np.nanmean(specimen.points, axis=0)
    return centre


def _landmarked(
    model: FreeModel, pixels: NDArray[np.uint8], found: Sequence[Found], device: torch.device
) -> list[Specimen]:
    """What was found, landmarked: of the directions that come into question the one the landmarks are surer of.

    Where they are sure of none, of what was found most clearly all directions come into question.
    """
    best: dict[int, Specimen] = {}
    starts = [(at, one.pose) for at, one in enumerate(found)]
    starts += [(at, other) for at, one in enumerate(found) for other in one.others]
    _try(model, pixels, found, _likeliest(model, pixels, starts, device), device, best)
    clear = CLEAR * max((one.sure for one in found), default=0.0)
    unsure = [at for at in best if found[at].sure >= clear and best[at].sure < DOUBT * found[at].sure]
    around = [
        (at, poses.pose(found[at].pose[:2, 2], float(poses.sizes(found[at].pose)), degrees, mirrored=bool(side)))
        for at in unsure
        for side in range(model.config.finder.sides)
        for degrees in np.arange(0.0, 360.0, AROUND)
    ]
    _try(model, pixels, found, _likeliest(model, pixels, around, device), device, best)
    least = LEAST_SURE * max((one.sure for one in best.values()), default=0.0)
    return [best[at] for at in sorted(best) if best[at].sure >= least]


def _likeliest(
    model: FreeModel, pixels: NDArray[np.uint8], starts: Sequence[tuple[int, FloatArray]], device: torch.device
) -> list[tuple[int, FloatArray]]:
    """Of these poses (of which specimen, and 3x3) the few of each specimen that the coarse network is surest of."""
    upright, frame = poses.Upright(model.mean_shape), model.config.frame
    usable = [(start, upright.from_photograph(start[1], frame)) for start in starts]
    usable = [(start, matrix) for start, matrix in usable if np.isfinite(matrix).all()]
    sure = list[float]()
    for begin in range(0, len(usable), BATCH):
        cuts = np.stack([fitting.cut(pixels, matrix, frame) for _, matrix in usable[begin : begin + BATCH]])
        confidence = model.upright.locate_coarse(torch.from_numpy(cuts).permute(0, 3, 1, 2).to(device))[1]
        sure += confidence.clamp(min=1e-6).log().mean(1).tolist()
    ranked = sorted(range(len(usable)), key=lambda i: -sure[i])
    of_each: dict[int, list[int]] = {}
    for i in ranked:
        of_each.setdefault(usable[i][0][0], []).append(i)
    return [usable[i][0] for several in of_each.values() for i in several[:LIKELY]]


def _try(
    model: FreeModel,
    pixels: NDArray[np.uint8],
    found: Sequence[Found],
    starts: Sequence[tuple[int, FloatArray]],
    device: torch.device,
    best: dict[int, Specimen],
) -> None:
    """Landmark what was found from these poses (which it is, and 3x3), and keep what is better than `best`."""
    upright, picture = poses.Upright(model.mean_shape), model.config.picture
    cut = [(at, upright.from_photograph(pose, picture)) for at, pose in starts]
    waiting = [(at, matrix) for at, matrix in cut if np.isfinite(matrix).all()]
    for look in range(LOOKS):
        again = []
        for (at, _), one in zip(waiting, _read(model, pixels, [m for _, m in waiting], device), strict=True):
            seen = replace(one, sure=one.sure * found[at].sure)
            if at not in best or seen.sure > best[at].sure:
                best[at] = seen
            settled = _settled(model.mean_shape, one, upright, picture)
            if settled is not None and look + 1 < LOOKS and np.isfinite(settled).all():
                again.append((at, settled))
        waiting = again
        if not waiting:
            break


def _settled(shape: FloatArray, seen: Specimen, upright: poses.Upright, picture: tuple[int, int]) -> FloatArray | None:
    """The picture that the landmarks themselves ask for; None where it is nearly the one they were read in."""
    own = geometry.transform(seen.picture, seen.points)
    pose = fit_similarity(shape, own)
    wanted = upright.to_picture(picture)
    change = pose @ np.linalg.inv(wanted)
    factor = geometry.enlargement(change)
    if not 0.4 < factor < 2.5:
        return None
    turned = abs(float(poses.angles(change)))
    size = float(centroid_size(own))
    middle = geometry.transform(pose, np.zeros((1, 2)))[0] - geometry.transform(wanted, np.zeros((1, 2)))[0]
    shifted = float(np.linalg.norm(middle)) / max(size, 1e-9)
    if turned < TURNED and abs(np.log(factor)) < RESIZED and shifted < SHIFTED:
        return None
    result: FloatArray = np.linalg.inv(change) @ seen.picture
    return result


def _read(
    model: FreeModel, pixels: NDArray[np.uint8], matrices: Sequence[FloatArray], device: torch.device
) -> list[Specimen]:
    """Landmarks in upright pictures of a photograph."""
    config, seen = model.config, []
    for begin in range(0, len(matrices), BATCH):
        own = matrices[begin : begin + BATCH]
        cuts = np.stack([fitting.cut(pixels, matrix, config.picture) for matrix in own])
        batch = torch.from_numpy(cuts).permute(0, 3, 1, 2).to(device)
        said = model.answer(batch)
        described = describe(model, batch, said)
        widths = torch.zeros_like(said.confidence) if said.spread is None else said.spread
        values = [one.cpu().double().numpy() for one in (said.points, said.confidence, widths)]
        for matrix, place, trust, width, look in zip(own, *values, described, strict=True):
            factor = geometry.enlargement(matrix)
            points = geometry.transform(np.linalg.inv(matrix), place)
            sure = float(np.exp(np.log(np.maximum(trust, 1e-6)).mean()))
            seen.append(Specimen(points, trust, width / factor, matrix, look, sure))
    return seen


def _each_once(seen: Sequence[Specimen], upright: poses.Upright, picture: tuple[int, int]) -> list[Specimen]:
    """The surest of those that are the same specimen: the middle of no other lies within its box.

    Specimens lie close together, too, and a specimen is more than its landmarks: what has its middle beside the box is
    another one if it is nearly as sure, and a part of the same, a head beside a pronotum, if it is much less so.
    """
    low, high = upright.shape.min(0), upright.shape.max(0)
    to_shape = np.linalg.inv(upright.to_picture(picture))
    kept: list[Specimen] = []
    for one in sorted(seen, key=lambda one: -one.sure):
        for other in kept:
            middle = geometry.transform(to_shape @ other.picture, _centre(one))
            margin = min(1 - one.sure / other.sure, BESIDE) * (high - low)
            if ((middle > low - margin) & (middle < high + margin)).all():
                break
        else:
            kept.append(one)
    return kept


def _named(seen: Specimen, partners: list[int]) -> Specimen:
    """What was read in a picture that mirrors, under the names of the specimen as it is: left is right there."""
    if np.linalg.det(seen.picture[:2, :2]) > 0:
        return seen
    points, confidence, spread = (one[partners] for one in (seen.points, seen.confidence, seen.spread))
    return replace(seen, points=points, confidence=confidence, spread=spread, order=tuple(partners))


def _crowded(seen: Sequence[Specimen]) -> list[Specimen]:
    """The same, with a remark where the boxes of two overlap by half of the smaller."""
    boxes = [(np.nanmin(one.points, 0), np.nanmax(one.points, 0)) for one in seen]
    result = []
    for at, (low, high) in enumerate(boxes):
        overlaps = False
        for other, (other_low, other_high) in enumerate(boxes):
            shared = np.prod(np.maximum(np.minimum(high, other_high) - np.maximum(low, other_low), 0))
            smaller = min(np.prod(high - low), np.prod(other_high - other_low))
            overlaps |= other != at and shared > CROWDED * smaller
        result.append(replace(seen[at], remark=OVERLAPPED) if overlaps else seen[at])
    return result


def _at_the_border(specimen: Specimen, size: tuple[int, int]) -> Specimen:
    """Landmarks beyond the border are not there."""
    outside = (specimen.points < -0.5) | (specimen.points > np.array(size) - 0.5)
    beyond = np.asarray(outside.any(axis=1))
    if not beyond.any():
        return specimen
    points = np.where(beyond[:, None], np.nan, specimen.points)
    remark = "; ".join(part for part in (specimen.remark, CUT) if part)
    return replace(specimen, points=points, remark=remark)
