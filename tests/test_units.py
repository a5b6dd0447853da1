"""Scales in mm, cm and um: results are in mm, and scales that cannot be right are refused by name."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pronotum import project, scale_check, workflows
from pronotum.data import open_data
from pronotum.doctor.scales import impossible_scales, mixed_scales
from pronotum.errors import UserError
from pronotum.landmark_sets import open_sets
from pronotum.report import text
from pronotum.units import in_mm

SIZE = (200, 150)
SQUARE = np.array([[40.0, 30.0], [140, 30], [140, 100], [40, 100]])
EXTENT = np.hypot(100, 70)


def write(folder, scales, name="landmarks.tps", shift=0.0):
    """A file of squares, a little different from each other; a scale of None is left out."""
    rng = np.random.default_rng(0)
    records = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, scale in enumerate(scales):
        points = SQUARE + rng.normal(0, 2, SQUARE.shape) + shift
        lines = [f"LM={len(points)}", *(f"{x:.5f} {SIZE[1] - y:.5f}" for x, y in points), f"IMAGE=s{number}.png"]
        records += [*lines, *([f"SCALE={scale}"] if scale is not None else [])]
        photograph = folder / f"s{number}.png"
        if not photograph.exists():
            Image.new("RGB", SIZE, (number, 0, 0)).save(photograph)
    (folder / name).write_text("\n".join(records) + "\n")
    return folder


def squares(n, factor=1.0):
    return np.stack([SQUARE * factor] * n)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("cm", 10), ("um", 0.001)])
def test_a_scale_of_any_unit_is_in_mm(unit, factor):
    assert in_mm(0.02, unit) == pytest.approx(0.02 * factor)
    assert in_mm(None, unit) is None


@pytest.mark.parametrize(("declared", "expected"), [("", 0.02), ('units = "cm"\n', 0.2), ('units = "um"\n', 0.00002)])
def test_errors_are_in_mm_whatever_unit_the_project_declares(tmp_path, declared, expected):
    write(tmp_path, [0.02] * 4)
    (tmp_path / "pronotum.toml").write_text(declared)
    data = workflows.check(tmp_path)
    assert data.scales == pytest.approx([expected] * 4)
    assert [one.scale for one in data.landmarks] == [0.02] * 4  # a file is written back as it is
    assert data.subset([2, 0]).scales == pytest.approx([expected] * 2)
    found = workflows.compare(data, data.points + [3, 4], SQUARE)
    assert found.mean_error("mm") == pytest.approx(5 * expected)


def test_another_project_file_counts_where_it_is_named(tmp_path):
    write(tmp_path / "data", [0.02] * 3)
    (tmp_path / "other.toml").write_text('units = "cm"\n')
    declared = project.find(tmp_path / "data", tmp_path / "other.toml")
    assert workflows.check(tmp_path / "data", declared=declared).scales == pytest.approx([0.2] * 3)


def test_an_unknown_unit_is_refused(tmp_path):
    write(tmp_path, [1])
    (tmp_path / "pronotum.toml").write_text('units = "inch"\n')
    with pytest.raises(UserError, match=r"units = 'inch': Input should be 'mm', 'cm' or 'um'; settings are: .*units"):
        workflows.check(tmp_path)


def test_mm_are_of_the_specimens_with_a_scale_and_their_number_is_said(tmp_path):
    write(tmp_path, [0.02, None, 0.02, 0.02])
    data = workflows.check(tmp_path)
    found = workflows.compare(data, data.points + [3, 4], SQUARE)
    assert found.table[-1]["mm"]["n"] == 12
    assert found.table[-1]["px"]["n"] == 16
    assert found.mean_error("mm") == pytest.approx(0.1)
    assert found.summary()["with_scale"] == 3
    assert "The scale of 1 of 4 specimens is not known: mm are of the other 3." in workflows.remarks(found)
    without = workflows.compare(
        replace(
            data, landmarks=replace(data.landmarks, specimens=tuple(replace(one, scale=None) for one in data.specimens))
        ),
        data.points,
        SQUARE,
    )
    assert not any("scale" in remark for remark in workflows.remarks(without))
    assert without.summary()["with_scale"] == 0


def test_files_that_are_compared_have_the_unit_of_the_first(tmp_path):
    write(tmp_path, [0.02] * 3, "manual.tps")
    write(tmp_path, [7] * 3, "predicted.tps", shift=1)
    sources = {"manual": tmp_path / "manual.tps", "predicted": tmp_path / "predicted.tps"}
    assert open_sets(sources, unit="cm").scales == pytest.approx((0.2,) * 3)
    assert open_sets(sources).scales == (0.02,) * 3


@given(
    n=st.integers(3, 12),
    factor=st.sampled_from([10, 25.4, 100, 1000]),
    few=st.integers(1, 5),
    noise=st.floats(1, 1.3),
    smaller=st.booleans(),
)
def test_units_that_are_mixed_are_found_and_no_others(n, factor, few, noise, smaller):
    few = min(few, (n - 1) // 2)
    scales = np.linspace(0.01, 0.01 * noise, n)
    assert mixed_scales(squares(n), list(scales)) == {}
    scales[:few] *= 1 / factor if smaller else factor
    found = mixed_scales(squares(n), list(scales))
    assert sorted(found) == list(range(few))
    assert all(f"times as {'small' if smaller else 'large'} as most, as between" in what for what in found.values())


def test_half_of_all_in_another_unit_are_found():
    found = mixed_scales(squares(6), [0.01, 0.1, 0.01, 0.1, 0.01, 0.1])
    assert len(found) == 3
    assert {what.split(", ")[1] for what in found.values()} == {"as between mm and cm"}


def test_small_specimens_among_large_ones_are_right_and_so_are_sizes_that_run_on():
    small = np.concatenate([squares(4), squares(4, 0.1)])
    assert mixed_scales(small, [0.01] * 8) == {}
    assert mixed_scales(squares(12), list(np.geomspace(0.001, 0.1, 12))) == {}
    assert mixed_scales(squares(6), [0.01] * 3 + [0.07] * 3)  # 7 times is near 10
    assert mixed_scales(squares(6), [0.01] * 3 + [0.05] * 3) == {}  # 5 times is of no unit
    assert mixed_scales(squares(4), [0.01, None, None, 0.1]) == {}  # two are too few to tell
    missing = squares(4)
    missing[1] = np.nan
    assert mixed_scales(missing, [0.01, 5, 0.01, 0.01]) == {}


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (0.0, "a scale of 0"),
        (-0.02, "a scale of -0.02"),
        (float("inf"), "a scale of inf"),
        (float("nan"), "a scale of nan"),
        (1.01e4 / EXTENT, "its landmarks are 1.01e+04 mm apart"),
        (0.9e-3 / EXTENT, "its landmarks are 0.0009 mm apart"),
        (0.99e4 / EXTENT, None),
        (1.1e-3 / EXTENT, None),
        (None, None),
    ],
)
def test_scales_that_no_specimen_has(scale, message):
    assert impossible_scales(squares(1), [scale]) == ({} if message is None else {0: message})


def test_a_specimen_with_too_few_landmarks_has_no_extent():
    points = squares(2)
    points[0, 1:] = np.nan
    points[1] = np.nan
    assert impossible_scales(points, [1e9, 1e9]) == {}


def test_mixed_scales_are_refused_by_name_unless_the_study_says_that_they_are_right(tmp_path):
    write(tmp_path, [0.02, 0.02, 0.2, 0.02])
    data = workflows.check(tmp_path)
    message = (
        r"landmarks.tps: scales that cannot all be right: s2.png: [\d.]+ times as large as most, as between mm and cm; "
        r"expected mm per px in every SCALE; .*mixed_scales = true"
    )
    with pytest.raises(UserError, match=message):
        scale_check.require_scales(data, data.points, project.find(tmp_path), data.source[0])
    (tmp_path / "pronotum.toml").write_text("mixed_scales = true\n")
    scale_check.require_scales(data, data.points, project.find(tmp_path), data.source[0])


def test_a_scale_that_is_not_positive_is_never_right(tmp_path):
    write(tmp_path, [0.02] * 3)
    data = workflows.check(tmp_path)
    zero = replace(data.specimens[0], scale=0.0)
    data = replace(data, landmarks=replace(data.landmarks, specimens=(zero, *data.specimens[1:])))
    declared = project.Project(mixed_scales=True)
    assert [str(one) for one in scale_check.scale_problems(data, data.points, declared)] == ["s0.png: a scale of 0"]


def test_check_names_them_and_ends_with_1(command, tmp_path, capsys):
    write(tmp_path, [0.02, 0.02, 0.2, 0.02])
    sheet = tmp_path / "sheet.jpg"
    assert command("check", tmp_path, "--sheet", sheet) == 1
    said = capsys.readouterr()
    assert "WARNING: scale: s2.png: " in said.out
    assert "the scales cannot all be right" in said.err
    assert "left out" not in said.err
    assert command("check", tmp_path, "--sheet", sheet, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [problem.split(":")[0] for problem in found["scale_problems"]] == ["s2.png"]
    assert found["problems"] == []
    (tmp_path / "right.toml").write_text("mixed_scales = true\n")
    assert command("check", tmp_path, "--sheet", sheet, "--project", tmp_path / "right.toml") == 0


def test_crossvalidate_evaluate_and_agree_refuse_before_they_begin(command, tmp_path, capsys):
    write(tmp_path, [0.02, 0.02, 0.2, 0.02])
    write(tmp_path, [None] * 4, "predicted.tps", shift=1)
    for arguments in (
        ["crossvalidate", tmp_path / "landmarks.tps", "-o", tmp_path / "run"],
        ["evaluate", tmp_path / "no-run", tmp_path / "landmarks.tps"],
        ["agree", tmp_path / "landmarks.tps", tmp_path / "predicted.tps", "-o", tmp_path / "report"],
    ):
        assert command(*arguments) == 2
        assert "scales that cannot all be right: s2.png" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "report").exists()


def test_agree_gives_mm_of_a_file_in_cm_and_says_of_how_many(command, tmp_path, capsys):
    folder = write(tmp_path, [0.002] * 11 + [None], "manual.tps")
    write(tmp_path, [None] * 12, "predicted.tps", shift=np.array([3.0, 4.0]))
    (tmp_path / "pronotum.toml").write_text('units = "cm"\n')
    out = tmp_path / "report"
    assert command("agree", folder / "manual.tps", folder / "predicted.tps", "-o", out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_with_scale"] == 11
    assert found["overall"]["errors"]["mm"]["mean"] == pytest.approx(5 * 0.02, abs=1e-5)
    assert found["overall"]["errors"]["mm"]["n"] == 44
    assert "How large errors are in mm on 1 of the 12 specimens" in (out / "report.html").read_text()


def test_the_summary_of_data_lists_scales_in_mm(tmp_path):
    write(tmp_path, [0.02, 0.02, None])
    data = replace(open_data(tmp_path), unit="cm")
    summary = text.data_summary(data, ())
    assert (summary["with_scale"], summary["scales"], summary["scale_problems"]) == (2, [pytest.approx(0.2)], [])
    assert "scale: in 2 of 3 records" in text.data_text(summary)
