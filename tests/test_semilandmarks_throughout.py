"""Beetles with a digitised margin: from CURVES= of the data to CURVES= of the predictions, and through the reports."""

from dataclasses import replace

import numpy as np
import pytest

from pronotum import crossvalidation, demo, formats, workflows
from pronotum.data import open_data
from pronotum.evaluation.evidence import gather
from pronotum.formats import tps

SIZE = (192, 144)
QUICK = {
    f"{stage}_{unit}": 12 if unit == "steps" else 1 for stage in ("coarse", "fine") for unit in ("steps", "epochs")
}
SMALL = {
    "model.coarse_widths": "[8,16,16,16]",
    "model.coarse_depth": 16,
    "model.fine_widths": "[8,8,16]",
    "model.fine_depth": 8,
}
SCHEME = """\
names = ["front", "left", "right", "back"]
pairs = [["left", "right"]]
midline = ["front", "back", "margin"]
mirror = true

[[curves]]
name = "margin"
points = 4
ends = ["front", "back"]
"""


@pytest.fixture(scope="module")
def beetles(tmp_path_factory):
    """12 beetles whose landmarks 5 to 8 are four clicks along a curve."""
    folder = tmp_path_factory.mktemp("margins") / "data"
    data = demo.draw_beetles(folder, "pronotum", n=12, seed=0, size=SIZE)
    specimens = [
        replace(one, points=one.points[:4], curves=(one.points[4:],), id=str(number), source=None)
        for number, one in enumerate(data.landmarks)
    ]
    formats.save(folder / "landmarks.tps", specimens, lambda name: SIZE)
    (folder / "scheme.toml").write_text(SCHEME)
    return folder


@pytest.fixture(scope="module")
def run(beetles):
    options = workflows.TrainOptions(device="cpu", overrides={**QUICK, **SMALL})
    crossvalidation.crossvalidate(open_data(beetles), beetles.parent / "run", options, n_folds=2)
    return beetles.parent / "run"


def test_the_model_places_landmarks_and_semilandmarks_of_its_scheme(beetles, run):
    model = workflows.open_model(run, "cpu")[0]
    data = open_data(beetles)
    assert model.scheme == data.scheme
    assert model.scheme.names[3:] == ("back", "margin 1", "margin 2", "margin 3", "margin 4")
    evaluation = workflows.evaluate(run, data, device="cpu")
    assert [row["landmark"] for row in evaluation.table] == [*data.scheme.names, "all"]
    assert any("margin 1 to margin 4 are semilandmarks" in said for said in workflows.remarks(evaluation))


def test_predictions_have_the_curve_again_and_can_be_verified_and_compared(command, beetles, run, tmp_path, capsys):
    assert command("predict", run, beetles / "images", "-o", tmp_path, "--no-overlays", "--device", "cpu") == 0
    records = tps.read(tmp_path / "predictions.tps").records
    assert [(len(one.points), [len(curve) for curve in one.curves]) for one in records] == [(4, [4])] * 12
    assert command("verify", tmp_path, "--all") == 0
    capsys.readouterr()
    out = tmp_path / "report"
    agree = ("agree", beetles / "landmarks.tps", tmp_path / "predictions.tps", "-o", out, "--photographs", beetles)
    assert command(*agree) == 0
    assert "margin 4" in (out / "report.html").read_text()


def test_out_of_fold_predictions_hold_what_was_predicted_and_nothing_that_was_digitised(beetles, run):
    out, data = tps.read(run / crossvalidation.OUT_OF_FOLD).records, open_data(beetles)
    digitised = tps.read(beetles / "landmarks.tps").records
    assert len(out) == len(data)
    for one, other in zip(out, digitised, strict=True):
        assert (len(one.points), len(one.curves[0])) == (4, 4)
        assert not np.allclose(one.curves[0], other.curves[0])


def test_the_doctor_looks_at_what_can_be_mended_in_the_file(command, beetles, run, tmp_path):
    assert command("doctor", beetles, "--run", run, "-o", tmp_path) == 0
    assert (tmp_path / "findings.csv").exists()


def test_shapes_do_not_differ_by_where_along_its_curve_a_semilandmark_lies():
    """Predictions are the manual landmarks, their semilandmarks moved along a straight margin."""
    from pronotum.evaluation.distances import Scales
    from pronotum.evaluation.evidence import Sets

    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0], [100, 0], [100, 60], [0, 60]]) + rng.normal(scale=4, size=(15, 4, 2))
    share = np.array([0.25, 0.5, 0.75])[:, None] * np.ones((15, 1, 1))
    moved = share + rng.uniform(-0.08, 0.08, (15, 3, 1))
    sets = [
        np.concatenate([corners, corners[:, :1] + along * (corners[:, 1:2] - corners[:, :1])], 1)
        for along in (share, moved)
    ]
    names = tuple(f"s{i}" for i in range(15))
    landmarks = tuple("abcdefg")
    scales = Scales.of(sets[0], [(200, 200)] * 15, [None] * 15)
    sliders = ((0, 4, 5), (4, 5, 6), (5, 6, 1))

    def evidence(sliders):
        given = Sets(names, landmarks, *sets, np.ones((15, 7)), scales, sliders=sliders)
        return gather(given, resamples=50, permutations=19).shape.anova

    assert evidence(sliders).repeatability > 0.99
    assert evidence(()).repeatability < 0.95
