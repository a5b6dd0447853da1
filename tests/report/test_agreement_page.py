"""What the page says is what the evidence is; how it looks was judged by eye, wide, narrow, dark and printed."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from pronotum.demo import draw_beetles
from pronotum.evaluation.evidence import gather
from pronotum.evaluation.verdict import Rules
from pronotum.morphometrics.superimposition import centroid_size
from pronotum.report import agreement_page as page
from pronotum.report import wording
from pronotum.report.agreement_plates import plates

N = 40
GRADES = {"ready": "grade-ready", "after_review": "grade-review", "not_ready": "grade-not"}


@pytest.fixture(scope="session")
def pages(ready, after_review, not_ready):
    made = {"ready": ready, "after_review": after_review, "not_ready": not_ready}
    return {name: page.render(one, plates(one.evidence)) for name, one in made.items()}


def text_of(source: str) -> str:
    """The words of a page, without markup and with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source.split("<body>")[1])).split())


class Nesting(HTMLParser):
    """Finds elements that are closed in another order than they were opened, and ids that occur twice."""

    VOID = frozenset({"meta", "img", "input", "br", "circle", "path"})

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.targets = [], [], [], []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.targets += [known["href"][1:]] if known.get("href", "").startswith("#") else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in {"p", "li", "td"} and self.open[-1:] != [tag]:
            self.wrong.append((tag, self.getpos()))
        if tag in self.open:
            while self.open.pop() != tag:
                pass


@pytest.mark.parametrize("name", list(GRADES))
def test_every_grade_is_told_in_words_and_colour(pages, name, request):
    verdict = request.getfixturevalue(name).verdict
    text = text_of(pages[name])
    assert verdict.grade == name.replace("_", " ").replace(
        "after", "ready after" if name == "after_review" else "after"
    )
    assert f'class="verdict {GRADES[name]}"' in pages[name]
    assert verdict.grade.capitalize() in text
    assert verdict.sentence in text


@pytest.mark.parametrize("name", list(GRADES))
def test_the_page_is_whole_and_stands_alone(pages, name):
    found = Nesting()
    found.feed(pages[name])
    assert not found.wrong
    assert len(found.ids) == len(set(found.ids))
    assert set(found.targets) <= set(found.ids)
    assert not re.search(r"https?:|src=\"(?!data:)|@import|<script|<link", pages[name])
    assert "nan" not in text_of(pages[name]).split()


@pytest.mark.parametrize("name", list(GRADES))
def test_every_rule_and_every_limit_is_printed(pages, name, request):
    made = request.getfixturevalue(name)
    text = text_of(pages[name])
    for check in made.verdict.checks:
        assert check.question in text
        assert check.found in text
        assert check.wanted in text
    for limit, value in made.rules.model_dump().items():
        assert f"{limit} = {value}" in text


def test_numbers_are_those_of_the_evidence(pages, after_review):
    evidence = after_review.evidence
    text, shape = text_of(pages["after_review"]), evidence.shape
    assert f"Repeatability {shape.anova.repeatability:.3f}" in text
    assert f"Disparity ratio {wording.interval(shape.disparity)}" in text
    assert f"Procrustes distance of {shape.difference.distance:.4f} apart" in text
    assert f"between specimens {shape.distances.r:.3f}" in text
    assert f"{100 * shape.twins.share_first:.1f} % of the predictions are nearest" in text
    assert f"Concordance of centroid sizes {wording.interval(shape.size.concordance, 4)}" in text
    assert wording.interval(shape.allometry.angle, 1) in text
    for component in shape.components.components:
        row = [wording.interval(getattr(component, key), 2) for key in ("slope", "r", "rma_slope")]
        assert f"PC{component.number} {100 * component.share:.1f} % {' '.join(row)}" in text
    digits = page.decimals(evidence)["px"]
    for row in evidence.agreement:
        errors = row.errors["px"]
        for key in ("median", "p90", "p95", "max"):
            assert f'<span class="u u-px">{errors[key]:.{digits}f}</span>' in pages["after_review"]


def test_both_baselines_are_named_on_every_page(pages):
    for source in pages.values():
        text = text_of(source)
        assert "mean shape, placed perfectly" in text
        assert "The human repeat is how far" in text
    assert "repeatability of" in text_of(pages["ready"])
    assert "It is not known here" in text_of(pages["not_ready"])


def test_without_a_repeat_the_page_says_which_specimens_to_digitise_again(pages, not_ready):
    assert 'id="repeat"' in pages["not_ready"]
    assert 'id="repeat"' not in pages["ready"]
    listed = re.search(r'<ol class="names">(.*?)</ol>', pages["not_ready"], re.S).group(1)
    names = re.findall(r"<li>(.*?)</li>", listed)
    assert len(names) == len(set(names)) == 25
    assert set(names) <= set(not_ready.evidence.sets.specimens)


def test_too_few_repeats_are_no_repeat(compare):
    text = text_of(page.render(made := compare(repeat=6), plates(made.evidence)))
    assert "Only 6 specimens have a complete second digitisation" in text


def test_review_is_told_honestly(pages, after_review):
    text = text_of(pages["after_review"])
    assert "count as corrected by hand" in text
    assert "on new photographs there is nothing to compare with" in text
    assert all(check.found in text for check in after_review.verdict.reviewed)
    assert {"beetle_7", "beetle_31", "beetle_12"} <= set(after_review.verdict.review)
    for name in after_review.verdict.review:
        assert name in text
    assert "Found after review" not in text_of(pages["ready"])


def test_missing_landmarks_are_counted_for_every_statistic(pages):
    text = text_of(pages["after_review"])
    assert "leave out 1 of 40 specimens" in text
    assert f"39 to {N}, by landmark" in text
    assert "beetle_12: 5 (predicted)" in text


def test_groups_are_tested_on_both_sets_and_what_is_left_out_has_a_reason(pages, after_review, compare):
    text, groups = text_of(pages["after_review"]), after_review.evidence.shape.groups
    assert "Procrustes ANOVA of shape on group" in text
    assert f"c (1): {groups.left_out[0].reason}" in text
    assert "Do groups differ" not in text_of(pages["ready"])
    failed = compare(groups=("one",) * N)
    text = text_of(page.render(failed, plates(failed.evidence)))
    assert f"could not be tested: {failed.evidence.shape.groups_failed}" in text


def test_units_are_those_that_are_known(pages):
    assert 'id="unit-mm"' in pages["ready"]
    assert 'id="unit-mm"' not in pages["not_ready"]
    assert "No scale is known" in text_of(pages["not_ready"])


def test_sizes_are_in_mm_where_every_scale_is_known_and_warned_of_where_some_are_not(ready):
    sets = ready.evidence.sets
    mm = np.linspace(0.01, 0.03, N)
    scaled = gather(replace(sets, scales=replace(sets.scales, mm=mm)), resamples=20, permutations=19)
    assert scaled.shape.size_unit == "mm"
    assert page.size_remark(scaled) == "Sizes are in mm, by the scale of each photograph."
    bias = (centroid_size(sets.predicted) - centroid_size(sets.manual)) * mm
    assert scaled.shape.size.units.bias.value == pytest.approx(bias.mean())
    mm[3] = np.nan
    some = gather(replace(sets, scales=replace(sets.scales, mm=mm)), resamples=20, permutations=19)
    assert some.shape.size_unit == "px"
    assert "allometry is mixed with magnification" in page.size_remark(some)


def test_names_are_text_not_markup(ready, compare):
    names = ("<script>alert(1)</script>", *ready.evidence.sets.specimens[1:])
    made = compare(gross=(0,), names=names, shown={"title": "<b>x</b>", "remarks": ["a < b"]})
    source = page.render(made, plates(made.evidence))
    assert "<script>" not in source
    assert "&lt;script&gt;alert(1)" in source
    assert "&lt;b&gt;x" in source


def test_overlays_of_the_worst_specimens_are_linked(tmp_path, compare):
    data = draw_beetles(tmp_path / "beetles", "pronotum", n=6, seed=1, size=(256, 192))
    made = compare(gross=(2, 4))
    photographs = [data.photographs[0] if number in (2, 31) else None for number in range(N)]
    photographs[4] = tmp_path / "gone.jpg"
    source = page.render(replace(made, photographs=photographs), plates(made.evidence))
    assert '<a href="#specimen-2">beetle_2</a>' in source
    assert 'id="specimen-2"' in source
    assert source.count("data:image/jpeg") == 1
    assert "could not be read: beetle_4" in text_of(source)


def test_at_most_twelve_pictures(tmp_path, compare):
    data = draw_beetles(tmp_path / "beetles", "pronotum", n=1, seed=1, size=(256, 192))
    made = compare(missing=range(15))
    pictures, _ = page._pictures(replace(made, photographs=[data.photographs[0]] * N), made.verdict.review)
    assert len(pictures) == page.MOST_PICTURES


def test_perfect_predictions_break_nothing(compare):
    made = compare(error=0.0, repeat=12, rules=Rules(slopes=1))
    assert made.verdict.grade == "ready"
    assert "No specimen stands out" in text_of(page.render(made, plates(made.evidence)))
