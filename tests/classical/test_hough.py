"""Hough transforms over pairs of lines: the mended one finds the pose, the published one its known mistakes."""

import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical import hough
from pronotum.classical.hough import LegacyVotes, Lines, Pairs, line_pairs, pose_legacy, vote, vote_legacy

SIZE = (400, 300)
MIDDLE = np.array([200.0, 150.0])


def polygon(seed: int = 4, n: int = 14) -> np.ndarray:
    """Segments of a closed polygon with sides of about 60 px."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = np.random.default_rng(seed).uniform(60, 130, n)
    points = np.stack([200 + radius * np.cos(angle), 150 + radius * np.sin(angle)], axis=1)
    return np.stack([points, np.roll(points, -1, axis=0)], axis=1)


def paired(segments: np.ndarray, touching: float = 5) -> Lines:
    return Lines(segments, line_pairs(segments, shortest=20, least_angle=15, touching=touching))


def test_pairs_pass_all_three_tests_and_no_other_does():
    lines = polygon()
    found = {(int(i), int(j)) for i, j in zip(paired(lines).pairs.first, paired(lines).pairs.second, strict=True)}
    expected = set()
    for i, (a, b) in enumerate(lines):
        for j, (c, d) in enumerate(lines):
            one, other = b - a, d - c
            lengths = np.hypot(*one), np.hypot(*other)
            angle = np.degrees(np.arccos(min(1, abs(one @ other) / np.prod(lengths))))
            away = min(abs(other[0] * (p - c)[1] - other[1] * (p - c)[0]) / lengths[1] for p in (a, b))
            if i != j and min(lengths) > 20 and angle >= 15 and away <= 5:
                expected.add((i, j))
    assert found == expected
    assert len(expected) > 10


def test_a_pair_knows_its_angle_ratio_and_distances():
    lines = np.array([[[0, 0], [100, 0]], [[100, 0], [100, 50.0]]])
    pairs = line_pairs(lines, shortest=20, least_angle=15, touching=5)
    at = list(zip(pairs.first, pairs.second, strict=True)).index((0, 1))
    assert (pairs.angle[at], pairs.ratio[at], pairs.distance[at]) == (90, 2, 50)


@pytest.mark.parametrize("degrees", [0, 35, 120, 200])
def test_the_mended_votes_peak_at_the_pose(degrees):
    model = polygon()
    pose = geometry.translation(25, -15) @ geometry.similarity(np.radians(degrees), 1.0, MIDDLE)
    scene = geometry.transform(pose, model.reshape(-1, 2)).reshape(model.shape)
    votes = vote(paired(model, 30), paired(scene, 30), reference=MIDDLE, size=SIZE, scale=1.0)
    (best, count), *others = votes.peaks(3)
    place = geometry.transform(pose, MIDDLE[None])[0]
    assert np.linalg.norm(geometry.transform(best, MIDDLE[None])[0] - place) < 1.5 * votes.cell
    turn = np.degrees(np.arctan2(best[1, 0], best[0, 0]) - np.arctan2(pose[1, 0], pose[0, 0]))
    assert abs((turn + 180) % 360 - 180) <= 5
    assert all(votes_ < count for _, votes_ in others)
    shown = votes.picture
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    assert shown.shape == (48, 64)
    assert np.abs((np.array([column, row]) + 0.5) * votes.cell - place).max() < 1.5 * votes.cell


def test_no_lines_no_peak():
    nothing = np.zeros((0, 2, 2))
    votes = vote(paired(nothing), paired(nothing), reference=MIDDLE, size=SIZE, scale=1.0)
    assert votes.peaks() == []


def legacy(model: np.ndarray, scene: np.ndarray) -> LegacyVotes:
    return vote_legacy(paired(model), paired(scene), reference=MIDDLE, length_tolerance=2, diagonal=500)


def test_legacy_votes_are_those_of_a_loop():
    model = polygon()
    scene = model + np.array([30, -20])
    votes, ours, theirs = legacy(model, scene), paired(model).pairs, paired(scene).pairs
    counts, best, winner = np.zeros_like(votes.counts), 0, (-1, -1)
    distance, angle = hough._polar(model, MIDDLE)
    for s in range(len(theirs.angle)):
        entry = -1
        for m in range(len(ours.angle)):
            close = abs(ours.angle[m] - theirs.angle[s]) < 1, abs(ours.ratio[m] - theirs.ratio[s]) < 1
            if all(close) and abs(ours.distance[m] - theirs.distance[s]) < 2:
                entry = m
        if entry < 0:
            continue
        for line in (ours.first[entry], ours.second[entry]):
            cell = round(distance[line]), round(angle[line])
            counts[cell] += 1
            if counts[cell] > best:
                best, winner = counts[cell], (entry, s)
    np.testing.assert_array_equal(votes.counts, counts)
    assert (votes.table_pair, votes.scene_pair) == winner


def test_legacy_takes_the_last_entry_that_fits():
    one = Pairs(*(np.array([0, 2]), np.array([1, 3])), *(np.array([v, v]) for v in (40.0, 1.0, 55.0)))
    assert hough._last_match(one, one, 2.0).tolist() == [1, 1]


def shifted(model: np.ndarray, shift: tuple[float, float], landmarks: np.ndarray) -> np.ndarray:
    """Where the published program puts landmarks on the model's own outline moved by a shift."""
    corner = Pairs(*(np.array([0]), np.array([1])), *(np.array([v]) for v in (1.0, 1.0, 1.0)))
    distance, _ = hough._polar(model, MIDDLE)
    votes = LegacyVotes(np.zeros((1, 1)), 0, 0, distance[:2])
    lines, moved = Lines(model, corner), Lines(model + shift, corner)
    pose = pose_legacy(lines, moved, votes=votes, reference=MIDDLE, landmarks=landmarks, size=SIZE)
    assert pose is not None
    return geometry.transform(pose, landmarks) - landmarks


def test_legacy_shifts_up_rightly_and_down_wrongly():
    # of the eight places only the right one leaves a landmark in each corner region inside the picture
    model = np.array([[[150, 80], [250, 90]], [[250, 90], [230, 220.0]]])
    spread = np.array([[45, 45], [380, 45], [45, 255], [380, 255.0]])
    np.testing.assert_allclose(shifted(model, (-15, -20), spread), np.broadcast_to((-15, -20), (4, 2)), atol=1e-6)
    down = shifted(model, (-15, 20), spread)
    np.testing.assert_allclose(down, np.broadcast_to((-15, -20), (4, 2)), atol=1e-6)


def test_legacy_without_a_match_has_no_pose():
    model = polygon()
    votes = legacy(model, polygon(5)[:2])
    assert votes.table_pair == -1
    lines = paired(model)
    assert pose_legacy(lines, lines, votes=votes, reference=MIDDLE, landmarks=MIDDLE[None], size=SIZE) is None
