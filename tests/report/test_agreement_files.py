"""Files of the report: JSON that any program reads, tables, figures."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pronotum.evaluation import published
from pronotum.evaluation.distances import Scales, mean_shape_distances
from pronotum.evaluation.evidence import Sets
from pronotum.morphometrics.superimposition import centroid_size, mean_shape
from pronotum.report import agreement_files as files

N = 40
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "json.md"


def as_json(made):
    return files.as_json(made.evidence, made.verdict, made.rules)


def keys(value) -> set[str]:
    """Every key of an object, at any depth."""
    if isinstance(value, dict):
        return set(value) | {inner for one in value.values() for inner in keys(one)}
    return {inner for one in value for inner in keys(one)} if isinstance(value, list) else set()


@pytest.fixture(params=["ready", "after_review", "not_ready"])
def made(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def folder(after_review, tmp_path_factory):
    where = tmp_path_factory.mktemp("report")
    files.write_files(after_review, where)
    return where


def test_json_is_the_same_after_a_round_trip(made):
    found = as_json(made)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_every_key_is_documented(made):
    described = set(re.findall(r"[a-z0-9_]+", DOCUMENT.read_text(encoding="utf-8")))
    units = {f"mean_error_{unit}" for unit in ("px", "percent_centroid_size", "px_256x192", "mm")}
    assert keys(as_json(made)) - units <= described


def test_json_has_the_numbers_of_the_evidence(after_review):
    found, evidence = as_json(after_review), after_review.evidence
    assert found["verdict"]["grade"] == after_review.verdict.grade
    assert found["shape"]["anova"]["repeatability"] == evidence.shape.anova.repeatability
    assert found["shape"]["anova"]["individual"]["f"] == evidence.shape.anova.f_individual
    assert found["shape"]["disparity_ratio"]["low"] == evidence.shape.disparity.low
    assert found["landmarks"][2]["errors"] == evidence.agreement[2].errors
    assert found["landmarks"][2]["bias_within_margin"]["p_holm"] == evidence.bias[2].p_holm
    assert found["human"]["anova"]["repeatability"] == evidence.human.anova.repeatability
    assert found["rules"]["review"] == after_review.rules.review
    assert found["shape"]["groups"]["counts"] == [{"group": "a", "n": 20}, {"group": "b", "n": 18}]
    assert found["incomplete_specimens"] == [{"specimen": "beetle_12", "missing": ["5 (predicted)"]}]


def test_specimens_know_their_errors_and_their_twins(after_review):
    evidence, rows = after_review.evidence, as_json(after_review)["specimens"]
    assert len(rows) == N
    assert rows[7]["review"]
    assert rows[7]["outlying"] == ["2"]
    assert rows[7]["worst_landmark"] == "2"
    assert rows[3]["mean_error_px"] == pytest.approx(evidence.errors[3].mean())
    assert rows[12]["missing_predicted"] == ["5"]
    assert rows[12]["twin_rank"] is None
    # the 13th specimen is left out, so that the 14th is the 13th of the shapes
    assert rows[13]["twin_rank"] == evidence.shape.twins.ranks[12]
    assert rows[13]["manual_size_px"] == pytest.approx(centroid_size(evidence.sets.manual)[13])


def test_a_folder_has_everything(folder):
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"report.html", "report.json", "methods.txt"} <= found
    assert {f"tables/{name}.csv" for name in ("landmarks", "shape", "specimens")} <= found
    pictures = {path.removesuffix(".png") for path in found if path.endswith(".png")}
    assert {f"{path}.svg" for path in pictures} <= found
    assert len(pictures) == 8
    assert len(found) == 6 + 2 * 8


def test_pictures_can_be_opened(folder):
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width > 900
    for path in (folder / "figures").glob("*.svg"):
        assert path.read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_tables_have_the_numbers(folder, after_review):
    evidence = after_review.evidence
    with (folder / "tables" / "landmarks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["landmark"] for row in rows] == list(evidence.sets.landmarks)
    assert float(rows[1]["errors_px_p90"]) == pytest.approx(evidence.agreement[1].errors["px"]["p90"])
    assert rows[1]["outliers"] == "beetle_7; beetle_31"
    with (folder / "tables" / "shape.csv").open(encoding="utf-8", newline="") as file:
        shape = {row["statistic"]: row for row in csv.DictReader(file)}
    assert float(shape["repeatability"]["value"]) == pytest.approx(evidence.shape.anova.repeatability)
    assert float(shape["pc1_slope"]["high"]) == pytest.approx(evidence.shape.components.components[0].slope.high)
    assert shape["mantel_r"]["n"] == str(evidence.shape.n)


def test_without_a_repeat_there_is_a_table_of_whom_to_repeat(not_ready):
    found = files.csv_tables(not_ready.evidence, not_ready.verdict)
    rows = list(csv.DictReader(io.StringIO(files.as_csv(found["specimens_to_repeat.csv"]))))
    assert [row["specimen"] for row in rows] == as_json(not_ready)["specimens_to_repeat"]
    assert [row["order"] for row in rows[:2]] == ["1", "2"]


def test_cells_without_a_value_are_empty():
    rows = [{"a": np.nan, "b": None, "c": np.float64(0.1), "d": True}, {"a": 1, "e": np.inf}]
    assert files.as_csv(rows) == "a,b,c,d,e\n,,0.1,True,\n1,,,,\n"


def test_predictions_of_the_paper_hide_most_of_the_variation(shared_data, compare):
    """Pronota of Le et al.: the repeatability 0.37 that the coordinates of the paper have, in the report."""
    part = published.load(shared_data / "beetle-founding-256")["pronotum"]
    n = len(part.specimens)
    made = Sets(
        part.specimens,
        part.landmarks,
        part.manual,
        part.points("fine_tuned"),
        mean_shape_distances(mean_shape(part.manual), part.manual),
        Scales.of(part.manual, [(256, 192)] * n, [None] * n),
    )
    found = as_json(compare(made))
    assert found["verdict"]["grade"] == "not ready"
    assert round(found["shape"]["anova"]["repeatability"], 2) == 0.37
    assert found["n_specimens"] == 293
