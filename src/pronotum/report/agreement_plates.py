"""The figures of a report, each with the words under it: what is drawn, and what to look for."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from pronotum.evaluation.evidence import Evidence
from pronotum.report import agreement_figures, shape_figures
from pronotum.report.superimposed import Superimposed, superimpose_sets
from pronotum.report.wording import interval, number, p_value, percent


@dataclass(frozen=True, eq=False)
class Plate:
    """A figure with its caption.

    Attributes:
        name: of its files.
        drawing: the figure.
        title: what it shows, in a few words; read aloud in place of the picture.
        caption: how to read it.
    """

    name: str
    drawing: Figure
    title: str
    caption: str


def plates(evidence: Evidence) -> tuple[Plate, ...]:
    """All figures, in the order of the report."""
    shapes = superimpose_sets(evidence)
    return (
        _on_mean_shape(evidence),
        _distribution(evidence),
        _scores(evidence),
        _slopes(evidence),
        _distances(evidence, shapes),
        _mean_shapes(evidence, shapes),
        _bland_altman(evidence, shapes),
        _allometry(evidence, shapes),
    )


def _on_mean_shape(evidence: Evidence) -> Plate:
    drawing, factor = agreement_figures.on_mean_shape(evidence)
    return Plate(
        "landmarks_on_mean_shape",
        drawing,
        "Bias and scatter of every landmark on the mean manual shape",
        f"Arrow: mean difference of the predictions from the manual landmark. Ellipse: where 95 % of the predictions "
        f"lie, if they scatter normally. Both are enlarged {factor} times and drawn in the specimens' own axes. Look "
        f"for arrows that leave their landmark (an error that more specimens do not average out) and for long ellipses "
        f"(a landmark that slides along an edge, or a few gross errors). Landmarks are numbered as in the table.",
    )


def _distribution(evidence: Evidence) -> Plate:
    human = evidence.human
    beside = (
        f" Green: distance between two manual digitisations of {human.n} specimens; predictions whose box lies no "
        f"further right are as near as a second look by a person."
        if human
        else " No repeated manual landmarks were given, so human error cannot be drawn beside them."
    )
    return Plate(
        "error_distribution",
        agreement_figures.distribution(evidence),
        "Distribution of the errors of each landmark",
        "Box: the middle half of the specimens, with the median; whiskers: up to 1.5 times the box beyond it; dots: "
        "single specimens; circle: mean. Black diamond: the mean shape placed perfectly. Look for circles to the right "
        "of their diamond: there the predictions know less than the mean shape." + beside,
    )


def _scores(evidence: Evidence) -> Plate:
    return Plate(
        "principal_component_scores",
        shape_figures.scores(evidence),
        "Scores on the principal components of the manual shapes",
        "Every specimen twice, joined by a line. Look for lines that all point inwards: the predictions draw unusual "
        "specimens to the mean and hide variation. Long single lines are specimens to look at.",
    )


def _slopes(evidence: Evidence) -> Plate:
    return Plate(
        "principal_component_slopes",
        shape_figures.slopes(evidence),
        "Slope and correlation of predicted with manual scores",
        "With 95 % intervals. At the dashed line differences between specimens are kept in full. Slope below 1: "
        "predictions hide variation along that component; r well below 1: they order specimens otherwise. Small, late "
        "components are mostly digitising error, and low values there are no surprise.",
    )


def _distances(evidence: Evidence, shapes: Superimposed) -> Plate:
    found = evidence.shape.distances
    return Plate(
        "pairwise_distances",
        shape_figures.distances(evidence, shapes),
        "Distances between every two specimens, predicted against manual",
        f"Mantel correlation r = {number(found.r, 3)} ({p_value(found.p)}). Look for a cloud along the dashed line: "
        f"who is alike by hand is alike by prediction. A cloud below it: predicted specimens are too much alike. A "
        f"cloud apart from the rest: a few specimens with gross errors.",
    )


def _mean_shapes(evidence: Evidence, shapes: Superimposed) -> Plate:
    drawing, factor = agreement_figures.mean_shapes(evidence, shapes)
    found = evidence.shape.difference
    return Plate(
        "mean_shapes",
        drawing,
        "Mean shapes of both sets",
        f"Arrows: difference of the predicted from the manual mean, enlarged {factor} times. The means are a "
        f"Procrustes distance of {number(found.distance, 4)} apart ({p_value(found.p)}), which is "
        f"{percent(found.share, 2)} of all variation. Look for neighbouring arrows in one direction: a systematic "
        f"difference between the two ways of digitising.",
    )


def _bland_altman(evidence: Evidence, shapes: Superimposed) -> Plate:
    size = evidence.shape.size
    return Plate(
        "centroid_size",
        shape_figures.bland_altman(evidence, shapes),
        "Bland-Altman plot of centroid size",
        f"Difference of the sizes against their mean; full line: bias; dashed: limits within which 95 % of the "
        f"differences lie; grey: their 95 % intervals. Look for a cloud that falls to the right: small specimens are "
        f"measured too large and large ones too small. The slope of the difference on the mean is "
        f"{interval(size.difference_slope)}.",
    )


def _allometry(evidence: Evidence, shapes: Superimposed) -> Plate:
    found = evidence.shape.allometry
    return Plate(
        "allometry",
        shape_figures.allometry(evidence, shapes),
        "Change of shape with size in both sets",
        f"Every specimen's shape along the direction in which manual shapes change with size. Look for lines with the "
        f"same slope. Over all landmarks the two changes differ by {number(found.angle.value, 0)} degrees, and the "
        f"predicted one is {number(found.length_ratio.value, 2)} times as long; where size explains little (r²), the "
        f"angle is large by chance alone.",
    )
