"""Pairwise geometric histograms against a loop that follows the description word by word."""

import math

import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.contours import outline, segments
from pronotum.classical.histograms import bhattacharyya, pairwise_histogram, smoothed
from pronotum.classical.segmentation import segment, to_grey


def random_segments(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 300, (n, 2, 2))


def by_loop(lines: np.ndarray, rows_per_degree: float, columns: int) -> np.ndarray:
    found = []
    for i, (start, end) in enumerate(lines):
        for j, other in enumerate(lines):
            if i == j:
                continue
            ours, theirs = end - start, other[1] - other[0]
            cosine = abs(ours @ theirs) / math.hypot(*ours) / math.hypot(*theirs)
            away = [abs(ours[0] * (p - start)[1] - ours[1] * (p - start)[0]) / math.hypot(*ours) for p in other]
            found.append((math.degrees(math.acos(min(1, cosine))), min(away), max(away)))
    width = max(high for _, _, high in found) / columns
    table = np.zeros((round(180 * rows_per_degree), columns))

    def column(distance: float) -> int:
        bin_ = math.floor(distance / width + 0.5)
        return bin_ - 1 if bin_ > 0 else 0

    for angle, low, high in found:
        table[int(angle * rows_per_degree), column(low) : column(high) + 1] += 1
    return table


@pytest.mark.parametrize(("rows_per_degree", "columns"), [(1.0, 500), (0.5, 500), (1.0, 37)])
def test_the_fast_histogram_is_the_slow_one(rows_per_degree, columns):
    lines = random_segments(12)
    fast = pairwise_histogram(lines, rows_per_degree=rows_per_degree, columns=columns)
    slow = by_loop(lines, rows_per_degree, columns)
    assert fast.shape == (round(180 * rows_per_degree), columns)
    assert np.abs(fast - slow).sum() <= 2, "at most a rounding at a bin's edge"
    assert not fast[round(90 * rows_per_degree) + 1 :].any(), "angles stop at 90 degrees"


def test_a_shape_is_like_itself_and_a_coefficient_is_symmetric():
    one, other = (pairwise_histogram(random_segments(30, seed)) for seed in (1, 2))
    assert bhattacharyya(one, one) == pytest.approx(1)
    assert bhattacharyya(one, 7 * one) == pytest.approx(1)
    assert 0 < bhattacharyya(one, other) < 0.9
    assert bhattacharyya(one, other) == pytest.approx(bhattacharyya(other, one))


def test_nothing_is_like_nothing():
    empty = pairwise_histogram(np.zeros((0, 2, 2)))
    assert bhattacharyya(empty, empty) == 0
    assert bhattacharyya(pairwise_histogram(random_segments(1)), pairwise_histogram(random_segments(9))) == 0


@pytest.mark.parametrize("pose", [geometry.translation(40, -13), geometry.similarity(0.7, 1.0, (100, 50)),
                                  geometry.similarity(2.9, 1.6, (0, 0))])  # fmt: skip
def test_position_turn_and_size_hardly_matter(mandible, pose):
    lines = segments([outline(segment(to_grey(mandible.pixels)).mask)], 1.0)
    moved = geometry.transform(pose, lines.reshape(-1, 2)).reshape(lines.shape)
    assert 1 - bhattacharyya(pairwise_histogram(lines), pairwise_histogram(moved)) < 0.002


def test_blurring_keeps_the_entries_and_forgives_small_differences(mandibles):
    one, other = (
        pairwise_histogram(segments([outline(segment(to_grey(specimen.pixels)).mask)], 1.0))
        for specimen in mandibles[:2]
    )
    assert smoothed(one).sum() == pytest.approx(one.sum(), rel=0.02)
    assert bhattacharyya(smoothed(one), smoothed(other)) > bhattacharyya(one, other) + 0.01
