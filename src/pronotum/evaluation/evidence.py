"""All that is known of whether predictions may stand for manual landmarks, for the verdict and the report.

Source: the questions and statistics that reviewers ask for; each is described, with its source, where it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pronotum.errors import UserError
from pronotum.evaluation.agreement import LandmarkAgreement, landmark_agreement
from pronotum.evaluation.distances import Scales, distances
from pronotum.evaluation.equivalence import (
    BiasEquivalence,
    Noninferiority,
    bias_equivalence,
    human_margin,
    noninferiority,
)
from pronotum.landmarks import FloatArray
from pronotum.morphometrics import statistic
from pronotum.morphometrics.allometry import Allometry, compare_allometry
from pronotum.morphometrics.anova import Anova, procrustes_anova
from pronotum.morphometrics.components import Components, principal_components
from pronotum.morphometrics.disparity import disparity_ratio
from pronotum.morphometrics.groups import GroupDifferences, group_differences
from pronotum.morphometrics.mantel import Mantel, mantel
from pronotum.morphometrics.mean_difference import MeanDifference, mean_difference
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import Estimate
from pronotum.morphometrics.size import SizeAgreement, size_agreement
from pronotum.morphometrics.sliding import Sliders, superimpose
from pronotum.morphometrics.twins import Twins, own_twins

LEAST_REPEATS = 10
"""Repeated specimens below which nothing is said about human error."""


@dataclass(frozen=True, eq=False)
class Sets:
    """The coordinates that are compared.

    Attributes:
        specimens: (N,) names.
        landmarks: (K,) names.
        manual: (N, K, 2) px; NaN = missing.
        predicted: (N, K, 2) px of the same specimens; NaN where there is no prediction.
        baseline: (N, K) px: errors of the mean shape placed perfectly.
        scales: what a px of each photograph is worth.
        repeat: (N, K, 2) a second manual digitisation, NaN for specimens that were not repeated; None = none at all.
        groups: (N,) a group of each specimen; empty = none.
        margin: error declared acceptable beforehand, % of centroid size; None = none declared.
        sliders: semilandmarks that slide when shapes are superimposed: (before, slider, after), 0-based.
    """

    specimens: tuple[str, ...]
    landmarks: tuple[str, ...]
    manual: FloatArray
    predicted: FloatArray
    baseline: FloatArray
    scales: Scales
    repeat: FloatArray | None = None
    groups: tuple[str, ...] = ()
    margin: float | None = None
    sliders: Sliders = ()

    @property
    def repeated(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(N,) True for specimens that were digitised twice, completely, and predicted."""
        if self.repeat is None:
            return np.zeros(len(self.specimens), dtype=np.bool_)
        both = np.concatenate([self.manual, self.predicted, self.repeat], axis=1)
        complete: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isfinite(both).all((1, 2))
        return complete


@dataclass(frozen=True, eq=False)
class Shape:
    """Agreement of superimposed shapes.

    Attributes:
        n: specimens that are complete in both sets.
        anova: individuals, methods, rest.
        disparity: of the predictions over that of the manual landmarks.
        difference: between the mean shapes.
        components: scores along the manual principal components.
        distances: correlation of the distances between specimens.
        twins: whether predictions find their own manual configuration.
        size_unit: ``mm`` where every complete specimen has a scale, else ``px`` of its photograph.
        size: agreement of centroid sizes in that unit.
        allometry: of both sets.
        groups: of both sets; None where no groups were given or fewer than two are left.
        groups_failed: why there is none.
        further: the statistics of `morphometrics.statistic`, by name.
    """

    n: int
    anova: Anova
    disparity: Estimate
    difference: MeanDifference
    components: Components
    distances: Mantel
    twins: Twins
    size_unit: str
    size: SizeAgreement
    allometry: Allometry
    groups: GroupDifferences | None
    groups_failed: str
    further: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Human:
    """What a second manual digitisation says, on the specimens that have one.

    Attributes:
        n: specimens repeated.
        errors: (n, K) px between the two digitisations.
        model_errors: (n, K) px between the first digitisation and the prediction, of the same specimens.
        anova: of the two digitisations.
        model_anova: of the first digitisation and the prediction, of the same specimens.
        disparity: of the second digitisation over that of the first.
        noninferiority: of the predictions of all specimens against the distance that 95 % of the repeats do not exceed.
    """

    n: int
    errors: FloatArray
    model_errors: FloatArray
    anova: Anova
    model_anova: Anova
    disparity: Estimate
    noninferiority: tuple[Noninferiority, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything.

    Attributes:
        sets: what was compared.
        errors: (N, K) px.
        agreement: per landmark.
        shape: of the complete specimens.
        human: from repeats; None where there are fewer than ten.
        noninferiority: per landmark against the declared margin, % of centroid size; empty without one.
        bias: equivalence of the bias per landmark with the same margin; empty without one.
    """

    sets: Sets
    errors: FloatArray
    agreement: tuple[LandmarkAgreement, ...]
    shape: Shape
    human: Human | None
    noninferiority: tuple[Noninferiority, ...]
    bias: tuple[BiasEquivalence, ...]

    @property
    def outlying(self) -> dict[str, tuple[str, ...]]:
        """Landmarks that stand out (`agreement.outliers`), by specimen, the one with the largest error first."""
        found: dict[str, list[str]] = {}
        for row in self.agreement:
            for specimen in row.outliers:
                found.setdefault(specimen, []).append(row.landmark)
        worst = dict(zip(self.sets.specimens, np.nanmax(_or_zero(self.errors), axis=1), strict=True))
        return {name: tuple(found[name]) for name in sorted(found, key=lambda one: -worst[one])}


def gather(sets: Sets, *, seed: int = 0, resamples: int = 2000, permutations: int = 999) -> Evidence:
    """Compute everything.

    Args:
        sets: what to compare.
        seed: of every resampling.
        resamples: of every bootstrap.
        permutations: of every permutation test.

    Raises:
        UserError: fewer than three specimens complete in both sets, or what any of the statistics refuses.
    """
    errors = distances(sets.predicted, sets.manual)
    agreement = landmark_agreement(
        sets.manual, sets.predicted, landmarks=sets.landmarks, specimens=sets.specimens, scales=sets.scales
    )
    percent = sets.scales.percent[:, None]
    tested: tuple[Noninferiority, ...] = ()
    bias: tuple[BiasEquivalence, ...] = ()
    if sets.margin is not None:
        tested = noninferiority(errors * percent, sets.margin, sets.landmarks)
        bias = bias_equivalence((sets.predicted - sets.manual) * percent[..., None], sets.margin, sets.landmarks)
    shape = _shape(sets, seed, resamples, permutations)
    human = _human(sets, errors, seed, resamples) if sets.repeated.sum() >= LEAST_REPEATS else None
    return Evidence(sets, errors, agreement, shape, human, tested, bias)


def _shape(sets: Sets, seed: int, resamples: int, permutations: int) -> Shape:
    pairs = complete_pairs(sets.manual, sets.predicted, "shape")
    n = pairs.n
    aligned = superimpose(np.concatenate([pairs.manual, pairs.predicted]), sets.sliders)
    manual, predicted = aligned.shapes[:n], aligned.shapes[n:]
    mm = sets.scales.mm[pairs.used]
    unit, factor = ("px", np.ones(n)) if np.isnan(mm).any() else ("mm", mm)
    sizes = aligned.sizes[:n] * factor, aligned.sizes[n:] * factor
    groups, failed = None, ""
    compared = statistic.Compared(manual, predicted, seed=seed, resamples=resamples, permutations=permutations)
    if sets.groups:
        names = [name for name, used in zip(sets.groups, pairs.used, strict=True) if used]
        compared = replace(compared, groups=tuple(names))
        try:
            groups = group_differences(
                manual, predicted, names, seed=seed, permutations=permutations, resamples=resamples
            )
        except UserError as error:
            failed = str(error)
    return Shape(
        n=n,
        anova=procrustes_anova(np.stack([manual, predicted], axis=1)),
        disparity=disparity_ratio(predicted, manual, seed=seed, resamples=resamples),
        difference=mean_difference(manual, predicted, seed=seed, permutations=permutations),
        components=principal_components(manual, predicted, seed=seed, resamples=resamples),
        distances=mantel(manual, predicted, seed=seed, permutations=permutations),
        twins=own_twins(manual, predicted),
        size_unit=unit,
        size=size_agreement(*sizes, seed=seed, resamples=resamples),
        allometry=compare_allometry(
            manual, predicted, *sizes, seed=seed, permutations=permutations, resamples=resamples
        ),
        groups=groups,
        groups_failed=failed,
        further={name: one.compute(compared) for name, one in statistic.table().items()},
    )


def _human(sets: Sets, errors: FloatArray, seed: int, resamples: int) -> Human:
    assert sets.repeat is not None
    rows = sets.repeated
    n = int(rows.sum())
    first, again, model = sets.manual[rows], sets.repeat[rows], sets.predicted[rows]
    repeats = distances(again, first)
    shapes = superimpose(np.concatenate([first, again, model]), sets.sliders).shapes
    a, b, c = shapes[:n], shapes[n : 2 * n], shapes[2 * n :]
    percent = sets.scales.percent[:, None]
    margin = human_margin(repeats * percent[rows])
    return Human(
        n=n,
        errors=repeats,
        model_errors=errors[rows],
        anova=procrustes_anova(np.stack([a, b], axis=1)),
        model_anova=procrustes_anova(np.stack([a, c], axis=1)),
        disparity=disparity_ratio(b, a, seed=seed, resamples=resamples),
        noninferiority=noninferiority(errors * percent, margin, sets.landmarks),
    )


def _or_zero(errors: FloatArray) -> FloatArray:
    return np.where(np.isnan(errors), 0.0, errors)
