"""Figures show the numbers of the evidence; how they look was judged by eye."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from pronotum.report import agreement_figures as landmark_figures
from pronotum.report import shape_figures
from pronotum.report.agreement_plates import plates
from pronotum.report.superimposed import superimpose_sets, upright

K = 7


def curve(axis, label):
    (found,) = [one for one in axis.get_lines() if one.get_label() == label]
    return np.stack(found.get_data(), axis=-1).astype(float)


def test_every_plate_says_what_it_shows_and_what_to_look_for(after_review):
    found = plates(after_review.evidence)
    assert len({plate.name for plate in found}) == len(found) == 8
    for plate in found:
        assert plate.title
        assert "ook for" in plate.caption or "elow 1" in plate.caption


def test_shapes_lie_as_on_the_photographs_whatever_the_first_specimen_does():
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(6, 2))
    shape -= shape.mean(0)
    turned = np.array([[0, 1], [-1, 0]])
    photographed = 100 * shape + 500 + rng.normal(size=(9, 6, 2))
    photographed[0, 2] = np.nan
    np.testing.assert_allclose(shape @ turned @ upright(shape @ turned, photographed), shape, atol=0.1)


def test_superimposed_shapes_are_those_of_the_evidence(after_review):
    evidence = after_review.evidence
    shapes = superimpose_sets(evidence)
    assert "beetle_12" not in shapes.specimens
    np.testing.assert_allclose(shapes.manual.mean(0), evidence.shape.difference.manual_mean @ shapes.turn, atol=1e-9)
    difference = (shapes.predicted - shapes.manual).mean(0)
    np.testing.assert_allclose(difference, evidence.shape.difference.vectors @ shapes.turn, atol=1e-9)


def test_scatter_is_an_ellipse_around_every_landmark(not_ready):
    drawing, factor = landmark_figures.on_mean_shape(not_ready.evidence)
    (axis,) = drawing.axes
    assert factor in landmark_figures.ENLARGEMENTS
    assert len([patch for patch in axis.patches if isinstance(patch, Ellipse)]) == K
    assert axis.yaxis_inverted()
    assert [text.get_text() for text in axis.texts if text.get_text()] == [str(k) for k in range(1, K + 1)]


def test_means_and_baseline_stand_in_the_distribution(ready):
    evidence = ready.evidence
    (axis,) = landmark_figures.distribution(evidence).axes
    percent = evidence.sets.scales.percent[:, None]
    np.testing.assert_allclose(curve(axis, "predictions, mean")[:, 0], (evidence.errors * percent).mean(0))
    np.testing.assert_allclose(curve(axis, "mean shape, mean")[:, 0], (evidence.sets.baseline * percent).mean(0))
    assert axis.get_legend_handles_labels()[1][-1] == "human repeat"


def test_gross_errors_make_the_axis_logarithmic(ready, after_review):
    (plain,), (gross,) = (landmark_figures.distribution(one.evidence).axes for one in (ready, after_review))
    assert plain.get_xscale() == "linear"
    assert gross.get_xscale() == "log"


@pytest.mark.parametrize(("lengths", "factor"), [([0.0, 0.0], 50), ([0.04, 0.04], 2), ([1.0, 2.0], 1), ([], 50)])
def test_enlargement_never_makes_chance_look_large(lengths, factor):
    assert landmark_figures.enlargement(np.array(lengths), 0.1) == factor


def test_long_names_become_numbers():
    assert landmark_figures.labels(["a", "left_eye"]) == ("1", "2")
    assert landmark_figures.labels(["a", "b7"]) == ("a", "b7")


def test_scores_of_both_sets_are_drawn(not_ready):
    found = not_ready.evidence.shape.components
    (axis,) = shape_figures.scores(not_ready.evidence).axes
    np.testing.assert_array_equal(curve(axis, "manual"), found.manual_scores[:, :2])
    np.testing.assert_array_equal(curve(axis, "predicted"), found.predicted_scores[:, :2])


def test_limits_of_agreement_are_written_at_their_lines(ready):
    (axis,) = shape_figures.bland_altman(ready.evidence, superimpose_sets(ready.evidence)).axes
    limits = ready.evidence.shape.size.percent
    written = [text.get_text() for text in axis.texts]
    assert written == [f"{value:+.2f} %" for value in (limits.bias.value, limits.lower.value, limits.upper.value)]


def test_slopes_of_allometry_are_those_of_the_models(ready):
    evidence = ready.evidence
    shapes = superimpose_sets(evidence)
    (axis,) = shape_figures.allometry(evidence, shapes).axes
    model = evidence.shape.allometry.manual
    line = curve(axis, f"manual, r² = {model.r2:.3f}")
    slope = (line[1, 1] - line[0, 1]) / (line[1, 0] - line[0, 0])
    assert slope == pytest.approx(float(np.linalg.norm(model.coefficients[0])))
