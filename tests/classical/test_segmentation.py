"""What is a specimen is found; what is none is said to be none, and why."""

import cv2
import numpy as np
import pytest

from pronotum.classical.segmentation import (
    compactness,
    fill_rows,
    histogram_threshold,
    largest,
    otsu_threshold,
    segment,
    segment_legacy,
    to_grey,
)


def scene(ground=200, size=(300, 400)) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 4, size)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)


def with_disc(picture: np.ndarray, centre=(200, 150), radius=80, level=40) -> np.ndarray:
    return cv2.circle(picture.copy(), centre, radius, level, -1)


def test_grey_is_the_published_mixture():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [100, 150, 200]]], dtype=np.uint8)
    assert to_grey(pixels).tolist() == [[76, 150, 29, round(0.299 * 100 + 0.587 * 150 + 0.114 * 200)]]


def test_histogram_threshold_follows_the_published_steps():
    # 3 dark at 40, 1 at 60, 1 at 100, 5 bright at 200: mean 132 < median 200; limit1 107, p1 40, limit2 200,
    # valley 41 (the first empty bin), p2 200; (40 + 120) / 2
    grey = np.array([[40, 40, 40, 60, 100, 200, 200, 200, 200, 200]], dtype=np.uint8)
    assert histogram_threshold(grey) == ((41 + 40) // 2 + (41 + 200) // 2) // 2 == 80


@pytest.mark.parametrize("rule", [histogram_threshold, otsu_threshold])
def test_both_rules_part_a_dark_disc_from_its_ground(rule):
    assert 40 <= rule(with_disc(scene())) < 180


@pytest.mark.parametrize(("ground", "level", "polarity"), [(200, 40, "dark"), (30, 190, "bright")])
def test_either_polarity_is_found_by_itself(ground, level, polarity):
    found = segment(with_disc(scene(ground), level=level))
    assert (found.polarity, found.failure) == (polarity, "")
    assert found.mask.sum() == pytest.approx(np.pi * 80**2, rel=0.02)


def test_holes_are_filled_and_specks_left_out():
    picture = with_disc(with_disc(scene()), radius=30, level=210)
    picture = cv2.circle(picture, (40, 40), 10, 30, -1)
    mask = segment(picture).mask
    assert mask[150, 200]
    assert not mask[40, 40]


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (scene(), "differ by only"),
        (np.full((300, 400), 90, np.uint8), "differ by only"),
        (np.random.default_rng(1).integers(0, 256, (300, 400)).astype(np.uint8), "object"),
        (with_disc(scene(), radius=10), "no object"),
        (with_disc(scene(), (0, 150), 140), "cut off"),
        (with_disc(with_disc(scene(), (100, 150), 60), (300, 150), 60), "several objects"),
        (cv2.rectangle(scene(), (15, 15), (385, 285), 40, -1), "fills"),
    ],
)
def test_what_is_no_single_whole_specimen_is_reported(picture, why):
    assert why in segment(picture).failure


def test_grid_paper_is_reported():
    picture = scene(size=(600, 800))
    for at in range(40, 780, 40):
        cv2.line(picture, (at, 30), (at, 570), 60, 5)
    for at in range(40, 570, 40):
        cv2.line(picture, (30, at), (770, at), 60, 5)
    # the squares are holes, so what is left is the ragged rim, or a block that fills the picture
    assert segment(picture).failure
    for at in range(40, 780, 40):
        cv2.line(picture, (at, 0), (at, 599), 60, 5)
    assert segment(picture).failure


def test_legacy_says_nothing_and_merges_everything():
    picture = with_disc(with_disc(scene(), (100, 150), 60), (300, 150), 60)
    found = segment_legacy(picture)
    assert found.failure == ""
    assert found.mask.sum() == pytest.approx(2 * np.pi * 60**2, rel=0.02)
    bright = segment_legacy(with_disc(scene(30), level=190))
    assert not bright.mask[150, 200], "bright objects are taken for ground"


def test_rows_are_filled_from_flat_tops_and_followed_down():
    rows = ["########", "###..###", "###...##", "########", "#.#####.", "##.#####"]
    objects = np.array([[cell == "#" for cell in row] for row in rows])
    filled = fill_rows(objects)
    expected = ["########", "########", "########", "########", "#######.", "########"]
    assert ["".join(".#"[int(cell)] for cell in row) for row in filled] == expected


def test_rows_stop_where_a_bay_widens_fast():
    objects = np.ones((4, 60), dtype=bool)
    objects[1, 25:30] = objects[2, 10:50] = objects[3, 10:50] = False
    filled = fill_rows(objects)
    assert filled[1].all()
    assert not filled[2, 10:50].any()
    # a bay open at the bottom is painted as long as it stays as wide: a defect
    objects[2:] = objects[1]
    assert fill_rows(objects).all()


def test_largest_cuts_hairs_off():
    objects = with_disc(np.full((600, 800), 255, np.uint8)) < 128
    objects[150, 200:700] = True
    mask, second = largest(objects)
    assert not mask[150, 400:].any()
    assert second == 0


def test_compactness_tells_a_disc_from_a_comb():
    disc = with_disc(np.full((300, 400), 255, np.uint8)) < 128
    comb = np.zeros((300, 400), dtype=bool)
    comb[20:30, 20:380] = True
    comb[20:280, 20:380:20] = True
    assert compactness(disc) > 0.85
    assert compactness(comb) < 0.05
