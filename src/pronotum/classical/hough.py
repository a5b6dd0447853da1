"""Probabilistic Hough transform over pairs of lines: where the reference lies on the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.classical.histograms import pair_geometry
from pronotum.classical.voting import Votes, count_votes
from pronotum.landmarks import FloatArray

ANGLE_TOLERANCE = 1.0
"""Degrees by which the angles of two pairs may differ, as published."""
RATIO_TOLERANCE = 1.0
"""By which their ratios of lengths may differ, as published."""
TURN_TOLERANCE = np.radians(6.0)
"""The same for the directed angles of the mended version, radians: two specimens are not alike to a degree."""
_CHUNK = 2_000_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered pairs of line segments that say something about the pose.

    Attributes:
        first, second: (N,) numbers of the segments.
        angle: (N,) acute angle between the lines, degrees.
        ratio: (N,) length of the first / length of the second.
        distance: (N,) px, sum of the distances of the second's end points from the first's line.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    angle: FloatArray
    ratio: FloatArray
    distance: FloatArray


@dataclass(frozen=True, eq=False)
class Lines:
    """Line segments of a picture and the pairs of them that are used.

    Attributes:
        segments: (S, 2, 2) px.
        pairs: of `line_pairs`.
    """

    segments: FloatArray
    pairs: Pairs


@dataclass(frozen=True, eq=False)
class LegacyVotes:
    """The published accumulator and the pair of lines behind its maximum.

    Attributes:
        counts: (diagonal + 1, 361) votes by distance in px and angle in degrees of the reference point from a line.
        table_pair, scene_pair: numbers in the pairs of model and scene behind the maximum; -1 where nothing matched.
        distances: (2,) px of the reference point from the two lines of the model's pair.
    """

    counts: FloatArray
    table_pair: int
    scene_pair: int
    distances: FloatArray


def paired(segments: FloatArray, *, shortest: float, least_angle: float, touching: float) -> Lines:
    """Segments with the pairs that `line_pairs` finds among them."""
    return Lines(segments, line_pairs(segments, shortest=shortest, least_angle=least_angle, touching=touching))


def line_pairs(segments: FloatArray, *, shortest: float, least_angle: float, touching: float) -> Pairs:
    """Pairs of long segments at an angle, the first of which ends close to the line of the second.

    Args:
        segments: (S, 2, 2) px.
        shortest: px that both have to exceed.
        least_angle: degrees between the lines.
        touching: px from an end point of the first to the line of the second.

    Source:
        Spec C.3: more than 60 px, at least 15 degrees, within 5 px.
    """
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    long = np.flatnonzero(length > shortest)
    angle, near, far = pair_geometry(segments[long])
    fits = (angle >= least_angle) & (touching >= near.T)
    np.fill_diagonal(fits, False)
    i, j = np.nonzero(fits)
    first, second = long[i], long[j]
    return Pairs(first, second, angle[i, j], length[first] / length[second], near[i, j] + far[i, j])


def vote_legacy(
    model: Lines, scene: Lines, *, reference: FloatArray, length_tolerance: float, diagonal: int
) -> LegacyVotes:
    """Votes as published: cells are distance and angle of the reference point from the model's lines.

    Every scene pair takes the last entry of the table that it fits and adds 1 for either line at the *model's* values,
    so the maximum says which lines of the model were found often, not where.

    Args:
        model, scene: lines of the reference and of the photograph.
        reference: (2,) px, the middle of the model's picture.
        length_tolerance: px by which the sums of distances may differ.
        diagonal: px of the picture.

    Source:
        Spec C.3.
    """
    counts = np.zeros((diagonal + 1, 361))
    entry = _last_match(model.pairs, scene.pairs, length_tolerance)
    matched = np.flatnonzero(entry >= 0)
    if len(matched) == 0:
        return LegacyVotes(counts, -1, -1, np.zeros(2))
    distance, angle = _polar(model.segments, reference)
    lines = np.stack([model.pairs.first[entry[matched]], model.pairs.second[entry[matched]]], axis=1).ravel()
    row = np.clip(np.rint(distance[lines]), 0, diagonal).astype(np.int64)
    cell = row * 361 + np.clip(np.rint(angle[lines]), 0, 360).astype(np.int64)
    counts += np.bincount(cell, minlength=counts.size).reshape(counts.shape)
    # the running maximum changes for the last time where a cell first reaches the final one
    latest = np.zeros(counts.size, dtype=np.int64)
    np.maximum.at(latest, cell, np.arange(len(cell)))
    winner = int(matched[int(latest[counts.ravel() == counts.max()].min()) // 2])
    pair = int(entry[winner])
    return LegacyVotes(counts, pair, winner, distance[[model.pairs.first[pair], model.pairs.second[pair]]])


def pose_legacy(
    model: Lines,
    scene: Lines,
    *,
    votes: LegacyVotes,
    reference: FloatArray,
    landmarks: FloatArray,
    size: tuple[int, int],
) -> FloatArray | None:
    """The published pose, a shift, from the one pair of lines behind the maximum.

    The reference point lies on parallels of the two scene lines at the stored distances, on either side and with
    either assignment: up to eight places. The one that leaves most landmarks inside the picture is taken, of equals
    the one with the smallest turn, though nothing is turned.

    Args:
        model, scene: lines of the reference and of the photograph.
        votes: of `vote_legacy`.
        reference: (2,) px, the middle of the model's picture.
        landmarks: (K, 2) px of the model; NaN = missing.
        size: (width, height) px of the scene.

    Returns:
        (3, 3) shift, or None where no pair matched or the lines do not meet.

    Source:
        Spec C.3. Landmarks always move up by |y|: where they should move down the published sign is wrong.
    """
    if votes.table_pair < 0:
        return None
    ours = scene.segments[[scene.pairs.first[votes.scene_pair], scene.pairs.second[votes.scene_pair]]]
    theirs = model.segments[[model.pairs.first[votes.table_pair], model.pairs.second[votes.table_pair]]]
    best: tuple[int, float] | None = None
    chosen = None
    for assignment in ([0, 1], [1, 0]):
        turn = _acute(theirs[assignment[0]], ours[0])
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            place = _meeting(ours, votes.distances[assignment] * signs)
            if place is None:
                continue
            shift = reference - place
            move = np.array([-shift[0], -shift[1] if shift[1] > 0 else shift[1]])
            moved = landmarks + move
            inside = int(((moved >= 0) & (moved <= np.array(size) - 1)).all(axis=1).sum())
            if best is None or (inside, -turn) > (best[0], -best[1]):
                best, chosen = (inside, turn), move
    return None if chosen is None else np.array([[1, 0, chosen[0]], [0, 1, chosen[1]], [0, 0, 1.0]])


def vote(model: Lines, scene: Lines, *, reference: FloatArray, size: tuple[int, int], scale: float) -> Votes:
    """Votes for the place of the reference point and the turn: every pair of lines that fits says where it would be.

    Args:
        model, scene: lines of outlines that run in the same sense.
        reference: (2,) px of the model.
        size: (width, height) px of the scene.
        scale: size of the scene / size of the model, roughly.

    Source:
        Palaniswamy, Thacker & Klingenberg (2010), as spec C.3 understands its intent.
    """
    model_turn, model_place, model_direction = _corners(model)
    scene_turn, scene_place, scene_direction = _corners(scene)
    difference = np.abs(np.angle(np.exp(1j * (model_turn[:, None] - scene_turn[None]))))
    m, s = np.nonzero(difference < TURN_TOLERANCE)
    turn = np.angle(scene_direction[s] * np.conj(model_direction[m]))
    return count_votes(turn, model=model_place[m], scene=scene_place[s], reference=reference, size=size, scale=scale)


def _last_match(model: Pairs, scene: Pairs, tolerance: float) -> NDArray[np.int64]:
    """For every pair of the scene the last one of the model that it fits, or -1."""
    n = len(model.angle)
    found = np.full(len(scene.angle), -1, dtype=np.int64)
    if n == 0:
        return found
    step = max(1, _CHUNK // n)
    for start in range(0, len(found), step):
        part = slice(start, start + step)
        fits = np.abs(model.angle - scene.angle[part, None]) < ANGLE_TOLERANCE
        fits &= np.abs(model.ratio - scene.ratio[part, None]) < RATIO_TOLERANCE
        fits &= np.abs(model.distance - scene.distance[part, None]) < tolerance
        last = n - 1 - np.argmax(fits[:, ::-1], axis=1)
        found[part] = np.where(fits.any(axis=1), last, -1)
    return found


def _polar(segments: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance in px of the reference point from each line, and the direction there in degrees on [0, 360].

    The foot of the perpendicular is rounded, and only its y decides on the half of the circle.
    """
    start, step = segments[:, 0], segments[:, 1] - segments[:, 0]
    along = ((reference - start) * step).sum(1) / np.maximum((step**2).sum(1), 1e-12)
    foot = start + along[:, None] * step
    distance = np.linalg.norm(foot - reference, axis=1)
    offset = np.rint(foot) - reference
    length = np.maximum(np.linalg.norm(offset, axis=1), 1e-12)
    angle = np.degrees(np.arccos(np.clip(offset[:, 0] / length, -1, 1)))
    return distance, np.where(offset[:, 1] < 0, 360 - angle, angle)


def _meeting(lines: FloatArray, offsets: FloatArray) -> FloatArray | None:
    """Where parallels of two lines (2, 2, 2) at signed distances meet."""
    step = lines[:, 1] - lines[:, 0]
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(
        np.linalg.norm(step, axis=1, keepdims=True), 1e-12
    )
    if abs(np.linalg.det(normal)) < 1e-9:
        return None
    return np.asarray(np.linalg.solve(normal, (normal * lines[:, 0]).sum(1) + offsets))


def _acute(one: FloatArray, other: FloatArray) -> float:
    """Acute angle in degrees between two lines (2, 2)."""
    return float(pair_geometry(np.stack([one, other]))[0][0, 1])


def _corners(lines: Lines) -> tuple[FloatArray, FloatArray, NDArray[np.complex128]]:
    """Directed turn from first to second, where their lines meet, and their mean direction as complex numbers."""
    segments, pairs = lines.segments, lines.pairs
    step = (segments[:, 1] - segments[:, 0]) @ np.array([1, 1j])
    unit = step / np.maximum(np.abs(step), 1e-12)
    a, b = unit[pairs.first], unit[pairs.second]
    turn = np.angle(b * np.conj(a))
    origin = segments[:, 0] @ np.array([1, 1j])
    between = origin[pairs.second] - origin[pairs.first]
    sine = (np.conj(a) * b).imag
    along = (np.conj(between) * b).imag / np.where(np.abs(sine) < 1e-9, 1.0, sine)
    meeting = origin[pairs.first] + along * a
    # the direction halfway from first to second, the turn taken as is: half of it from the first on
    return turn, np.stack([meeting.real, meeting.imag], axis=1), a * np.exp(0.5j * turn)
