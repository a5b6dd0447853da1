"""The pictures of the image-processing method show what they are given."""

import io

import numpy as np
import pytest

from pronotum.report import classical_figures


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (30, 40, 3)).astype(np.uint8)


def test_outline_and_segments_lie_on_the_picture(picture):
    box = np.array([[5, 5], [30, 5], [30, 20], [5, 20.0]])
    segments = np.stack([box, np.roll(box, -1, axis=0)], axis=1)
    drawing = classical_figures.outline(picture, box, segments)
    left, right = drawing.axes
    assert left.get_lines()[0].get_xydata().tolist() == [*box.tolist(), box[0].tolist()]
    assert len(right.collections[0].get_segments()) == 4
    assert "4" in right.get_title()
    assert len(classical_figures.outline(picture[..., 0], box).axes) == 1


def test_histograms_show_shares_up_to_90_degrees():
    counts = np.zeros((180, 50))
    counts[30, 10] = 3
    counts[60, 20] = 1
    drawing = classical_figures.histogram(counts, other=counts, similarity=0.97)
    shown = np.asarray(drawing.axes[0].images[0].get_array())
    assert shown.shape == (91, 50)
    assert shown[30, 10] == pytest.approx(0.75)
    assert "0.970" in drawing.axes[1].get_title()
    classical_figures.histogram(np.zeros((180, 50))).savefig(io.BytesIO())


def test_votes_are_stretched_over_the_picture(picture):
    votes = np.zeros((6, 8))
    votes[2, 3] = 5
    drawing = classical_figures.vote_map(votes, picture, peak=np.array([17.0, 12.0]))
    image = drawing.axes[0].images[1]
    assert image.get_extent() == [-0.5, 39.5, 29.5, -0.5]
    assert image.get_clim() == (0, 5)
    assert drawing.axes[0].get_lines()[0].get_xydata().tolist() == [[17, 12]]
    drawing.savefig(io.BytesIO())
    assert len(classical_figures.vote_map(np.zeros((6, 8))).axes[0].images) == 1


def test_landmarks_are_joined_to_manual_ones_and_missing_ones_counted(picture):
    points = np.array([[5.0, 6], [np.nan, np.nan], [20, 20]])
    manual = points + 1
    manual[1] = 9
    drawing = classical_figures.carried_over(picture, points, manual=manual, contour=manual[[0, 1, 2]])
    axis = drawing.axes[0]
    assert len(axis.collections[0].get_segments()) == 2
    assert "1 not placed" in axis.get_title()
    assert [text.get_text() for text in axis.texts] == ["1", "3"]
    drawing.savefig(io.BytesIO())
