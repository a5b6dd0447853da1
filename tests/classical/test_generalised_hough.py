"""The generalised Hough transform finds the reference point, the published one where nothing is turned."""

import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.contours import edge_points, edges, outline
from pronotum.classical.generalised_hough import gradient_directions, gradients, peak_legacy, vote, vote_legacy
from pronotum.classical.segmentation import segment, to_grey


def test_gradients_point_from_the_object_to_the_ground():
    mask = np.zeros((50, 60), dtype=bool)
    mask[10:40, 15:45] = True
    places = np.array([[15.0, 25], [44, 25], [30, 10], [30, 39]])
    assert gradient_directions(mask, places).tolist() == [180, 0, 270, 90]


def test_legacy_finds_a_shifted_centroid_exactly(mandible):
    mask = segment(to_grey(mandible.pixels)).mask
    moved = np.zeros_like(mask)
    moved[:-20, 35:] = mask[20:, :-35]
    points = [edge_points(edges(one, 100)) for one in (mask, moved)]
    points[1] = points[1][points[1][:, 1] < 560]
    found = [gradients(one, at) for one, at in zip((mask, moved), points, strict=True)]
    centre = np.floor(points[0].mean(axis=0))
    votes = vote_legacy(*found, centre=centre, size=(816, 612))
    assert votes.shape == (612, 816)
    assert peak_legacy(votes).tolist() == (centre + np.array([35, -20])).tolist()


@pytest.mark.parametrize("degrees", [0, 100, 180])
def test_the_mended_votes_find_turn_and_place(mandible, moved, degrees):
    scene = moved(mandible, degrees)
    outlines = [outline(segment(to_grey(one.pixels)).mask) for one in (mandible, scene)]
    reference = mandible.points.mean(axis=0)
    votes = vote(*outlines, reference=reference, size=(816, 612), scale=0.9)
    pose = votes.peaks(1)[0][0]
    off = geometry.transform(pose, mandible.points) - scene.points
    assert np.linalg.norm(off, axis=1).max() < 3 * votes.cell
