"""May the predictions stand for manual landmarks? Three grades, from rules that everybody can read and change.

The default limits are those this project proposes; no paper has set them. They are printed in every report, and a study
may declare others before it looks at its results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pronotum.evaluation.evidence import Evidence, Sets, gather

Grade = Literal["ready", "ready after review", "not ready"]


class Rules(BaseModel):
    """What is asked of predictions; the table ``[verdict]`` of a project file.

    Attributes:
        repeatability: least repeatability of shape between manual landmarks and predictions.
        repeatability_of_human: least share of the repeatability of two manual digitisations, where there are two.
        disparity_low: least ratio of disparities; the whole 95 % interval must lie above.
        disparity_high: largest ratio; the whole interval must lie below.
        mean_difference: largest share of the shape variation that may lie between the two mean shapes.
        slope_low: least slope of predicted on manual scores along the first principal components.
        slope_high: largest slope.
        slopes: how many principal components are looked at.
        size_concordance: least concordance correlation of centroid sizes.
        noninferior: least share of landmarks that are non-inferior to the human repeat or the declared margin.
        review: largest share of specimens that a person can be asked to look at again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeatability: float = Field(default=0.9, ge=0, le=1)
    repeatability_of_human: float = Field(default=0.95, ge=0)
    disparity_low: float = Field(default=0.9, gt=0)
    disparity_high: float = Field(default=1.1, gt=0)
    mean_difference: float = Field(default=0.01, ge=0, le=1)
    slope_low: float = 0.9
    slope_high: float = 1.1
    slopes: int = Field(default=3, ge=1)
    size_concordance: float = Field(default=0.99, ge=0, le=1)
    noninferior: float = Field(default=0.9, ge=0, le=1)
    review: float = Field(default=0.1, ge=0, le=1)


@dataclass(frozen=True)
class Check:
    """One rule and what was found.

    Attributes:
        name: of the rule, see `Rules`.
        question: in words.
        found: what was found, in words and figures.
        wanted: the rule's limit in words.
        passed: None where it could not be assessed.
    """

    name: str
    question: str
    found: str
    wanted: str
    passed: bool | None


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        grade: of all landmarks together.
        checks: rule by rule, with the predictions as they are.
        reviewed: the same after the specimens of `review` were put right by hand; empty where that was not needed or
            too many would have to be looked at.
        review: specimens to look at, worst first.
        landmarks: a grade for each.
        against_humans: False where no repeated digitisation was given, so that nothing is known of human error.
    """

    grade: Grade
    checks: tuple[Check, ...]
    reviewed: tuple[Check, ...]
    review: tuple[str, ...]
    landmarks: dict[str, Grade]
    against_humans: bool

    @property
    def sentence(self) -> str:
        """The answer in one sentence, with what it does not say."""
        said = {
            "ready": "The predictions may stand for manual landmarks by the rules below",
            "ready after review": "The predictions may stand for manual landmarks after a person has corrected "
            + (f"{len(self.review)} specimens" if len(self.review) > 1 else "one specimen"),
            "not ready": "The predictions may not stand for manual landmarks by the rules below",
        }[self.grade]
        if self.against_humans:
            return said + "."
        return said + "; whether they are as good as a second look by a person is not known: too few were repeated."


def judge(evidence: Evidence, rules: Rules | None = None, *, seed: int = 0) -> Verdict:
    """Apply the rules.

    "Ready after review": the rules hold once the specimens that stand out (and those without a complete prediction)
    have their manual landmarks, and they are few enough.
    """
    rules = rules or Rules()
    checks = tuple(check(evidence, rules) for check in CHECKS)
    review = _to_review(evidence)
    grade: Grade = "ready"
    reviewed: tuple[Check, ...] = ()
    after: Evidence | None = None
    if any(check.passed is False for check in checks) or _incomplete(evidence.sets):
        grade = "not ready"
        if review and len(review) <= rules.review * len(evidence.sets.specimens):
            after = gather(_corrected(evidence.sets, review), seed=seed, resamples=500, permutations=99)
            reviewed = tuple(check(after, rules) for check in CHECKS)
            if all(check.passed is not False for check in reviewed):
                grade = "ready after review"
    landmarks: dict[str, Grade] = {
        name: _landmark_grade(evidence, after, k) for k, name in enumerate(evidence.sets.landmarks)
    }
    return Verdict(grade, checks, reviewed, review, landmarks, evidence.human is not None)


def _incomplete(sets: Sets) -> list[str]:
    lacking = np.isnan(sets.predicted[..., 0]) & ~np.isnan(sets.manual[..., 0])
    return [name for name, row in zip(sets.specimens, lacking, strict=True) if row.any()]


def _to_review(evidence: Evidence) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*_incomplete(evidence.sets), *evidence.outlying]))


def _corrected(sets: Sets, review: tuple[str, ...]) -> Sets:
    again = np.isin(np.array(sets.specimens), review)
    return replace(sets, predicted=np.where(again[:, None, None], sets.manual, sets.predicted))


def _landmark_grade(evidence: Evidence, after: Evidence | None, k: int) -> Grade:
    """A landmark is ready where its error is below the mean shape's and, if that is known, non-inferior."""
    if _landmark_passes(evidence, k):
        return "ready"
    return "ready after review" if after is not None and _landmark_passes(after, k) else "not ready"


def _landmark_passes(evidence: Evidence, k: int) -> bool:
    error, baseline = np.nanmean(evidence.errors[:, k]), np.nanmean(evidence.sets.baseline[:, k])
    tested = evidence.human.noninferiority if evidence.human else evidence.noninferiority
    return bool(error < baseline) and (not tested or tested[k].passed)


def _repeatability(evidence: Evidence, rules: Rules) -> Check:
    value = evidence.shape.anova.repeatability
    return Check(
        "repeatability",
        "Do manual landmarks and predictions of a specimen have the same shape, compared with other specimens?",
        f"repeatability {value:.3f}",
        f"at least {rules.repeatability:g}",
        value >= rules.repeatability,
    )


def _repeatability_of_human(evidence: Evidence, rules: Rules) -> Check:
    question = "Is that as good as a second look by a person?"
    wanted = f"at least {rules.repeatability_of_human:g} of the repeatability of two manual digitisations"
    human = evidence.human
    if human is None:
        return Check("repeatability_of_human", question, "no repeated manual landmarks", wanted, None)
    model, manual = human.model_anova.repeatability, human.anova.repeatability
    found = f"{model:.3f} beside {manual:.3f} on the {human.n} repeated specimens"
    passed = model >= rules.repeatability_of_human * manual
    return Check("repeatability_of_human", question, found, wanted, passed)


def _disparity(evidence: Evidence, rules: Rules) -> Check:
    ratio = evidence.shape.disparity
    return Check(
        "disparity",
        "Do predicted shapes vary as much as manual ones?",
        f"disparity ratio {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})",
        f"the interval within {rules.disparity_low:g} to {rules.disparity_high:g}",
        rules.disparity_low <= ratio.low and ratio.high <= rules.disparity_high,
    )


def _mean_difference(evidence: Evidence, rules: Rules) -> Check:
    difference = evidence.shape.difference
    return Check(
        "mean_difference",
        "Is the mean shape the same?",
        f"{100 * difference.share:.2f} % of the shape variation lies between the means (p = {difference.p:.3g})",
        f"at most {100 * rules.mean_difference:g} %",
        difference.share <= rules.mean_difference,
    )


def _slopes(evidence: Evidence, rules: Rules) -> Check:
    slopes = [component.slope.value for component in evidence.shape.components.components[: rules.slopes]]
    return Check(
        "slopes",
        f"Are differences along the first {len(slopes)} principal components kept at their size?",
        "slopes " + ", ".join(f"{slope:.2f}" for slope in slopes),
        f"each within {rules.slope_low:g} to {rules.slope_high:g}",
        all(rules.slope_low <= slope <= rules.slope_high for slope in slopes),
    )


def _size(evidence: Evidence, rules: Rules) -> Check:
    concordance = evidence.shape.size.concordance
    return Check(
        "size_concordance",
        "Are centroid sizes the same?",
        f"concordance {concordance.value:.4f} ({concordance.low:.4f} to {concordance.high:.4f})",
        f"at least {rules.size_concordance:g}",
        concordance.value >= rules.size_concordance,
    )


def _mean_shape(evidence: Evidence, rules: Rules) -> Check:
    percent = evidence.sets.scales.percent[:, None]
    error, baseline = (float(np.nanmean(values * percent)) for values in (evidence.errors, evidence.sets.baseline))
    return Check(
        "mean_shape",
        "Are the predictions better than the mean shape, placed perfectly on each specimen?",
        f"mean error {error:.2f} % of centroid size beside {baseline:.2f} %",
        "below it",
        error < baseline,
    )


def _noninferior(evidence: Evidence, rules: Rules) -> Check:
    question, wanted = "Is each landmark good enough?", f"at least {100 * rules.noninferior:g} % of landmarks"
    human = evidence.human
    tested = human.noninferiority if human else evidence.noninferiority
    if not tested:
        found = "no repeated manual landmarks, and no margin declared beforehand"
        return Check("noninferior", question, found, wanted, None)
    against = "the distance that 95 % of manual repeats do not exceed" if human else "the margin declared beforehand"
    passed = sum(row.passed for row in tested)
    found = f"{passed} of {len(tested)} landmarks non-inferior to {against} (Holm-corrected)"
    return Check("noninferior", question, found, wanted, passed >= rules.noninferior * len(tested))


CHECKS: tuple[Callable[[Evidence, Rules], Check], ...] = (
    _mean_shape,
    _repeatability,
    _repeatability_of_human,
    _disparity,
    _mean_difference,
    _slopes,
    _size,
    _noninferior,
)
