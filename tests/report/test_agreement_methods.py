"""The Methods name what was done, with the numbers, and no reference that they do not use."""

import re

import numpy as np
import pytest

from pronotum import __version__
from pronotum.morphometrics.resampling import Estimate
from pronotum.report import methods, wording
from pronotum.report.repeat_plan import to_repeat


def described(made):
    return methods.describe(made.evidence, made.verdict, made.origin)


def test_numbers_and_version_are_in_the_text(after_review):
    text, shape = described(after_review).plain, after_review.evidence.shape
    assert f"the repeatability was {shape.anova.repeatability:.3f}" in text
    assert f"was {wording.interval(shape.disparity)} times" in text
    assert f"pronotum {__version__}" in text
    assert "By a model of other specimens." in text
    assert "graded 'ready after review'" in text
    assert "39 complete specimens (1 with a missing landmark left out)" in text


@pytest.mark.parametrize("name", ["ready", "after_review", "not_ready"])
def test_references_are_those_of_the_text(name, request):
    found = described(request.getfixturevalue(name))
    text = " ".join(found.paragraphs)
    years = set(re.findall(r"[A-Z]\w+(?: & \w+| et al\.)? \d{4}", text))
    assert years <= set(methods.REFERENCES)
    assert len(found.references) == len(years)
    assert list(found.references) == sorted(found.references)


def test_tests_that_were_not_made_are_not_cited(not_ready, after_review):
    alone, full = (" ".join(described(made).references) for made in (not_ready, after_review))
    for name in ("Schuirmann", "Holm", "Collyer", "Walker"):
        assert name not in alone
        assert name in full
    assert "No specimens were digitised twice" in described(not_ready).plain


def test_specimens_to_repeat_span_the_variation(not_ready):
    evidence = not_ready.evidence
    names, first = np.array(evidence.sets.specimens), evidence.shape.components.manual_scores[:, 0]
    chosen = to_repeat(evidence)
    assert chosen == to_repeat(evidence)
    assert {names[first.argmin()], names[first.argmax()]} <= set(chosen)
    assert list(chosen) != sorted(chosen, key=lambda name: first[list(names).index(name)])
    assert len(to_repeat(evidence, n=1000)) == len(names)


def test_numbers_in_words():
    assert wording.number(float("nan")) == wording.number(None) == "–"
    assert wording.number(-0.001) == "0.00"
    assert wording.number(float("inf")) == "∞"
    assert [wording.short(value) for value in (0.00123, 0.12, 12.34, 1234.5, 0.0)] == [
        "0.00123",
        "0.120",
        "12.3",
        "1234",
        "0",
    ]
    assert wording.signed(0.2, 1) == "+0.2"
    assert wording.signed(0.001, 1) == "0.0"
    assert wording.interval(Estimate(1.0, 0.5, 1.5), 1) == "1.0 (0.5 to 1.5)"
    assert wording.interval(Estimate(1.0, float("nan"), float("nan")), 1) == "1.0"
    assert wording.p_value(0.0004) == "p < 0.001"
    assert wording.p_value(float("nan")) == "p not known"
    assert wording.listed(["a", "b", "c"], 2) == "a, b and 1 more"
