"""Every script of reproduce/ runs: on a small protocol with photographs, and on the authors' published coordinates."""

import runpy
import subprocess
import sys
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pronotum import demo, formats, protocol, workflows
from pronotum.evaluation import published
from pronotum.evaluation.part import FINE_TUNED, SCRATCH
from pronotum.landmarks import Landmarks
from pronotum.runs import Run

FOLDER = Path(__file__).resolve().parents[1] / "reproduce"
MADE = {
    "figure_03_14_landmarks": {"landmarks.png"},
    "figure_04_05_channels": {"channels.png", "channels/head_001_grey.png", "channels/head_001_blue_added.png"},
    "figure_06_07_08_09_networks": {"model-1.png", "model-2.csv", "model-3.html", "elementary-block.png"},
    "figure_10_11_losses": {"losses-head-scratch.png", "losses-pronotum-fine_tuned.png"},
    "figure_12_landmark": {"landmark-head-1.png", "bands-pronotum.csv"},
    "figure_13_overlays": {"overlays-head-scratch.png", "sheet-pronotum-scratch.png"},
    "figure_15_mean_distances": {"mean-distances.png"},
    "figure_16_methods": {"methods.png"},
    "figure_17_one_image": set(),
    "leak": {"leak.csv", "rounds-head.html", "rounds-pronotum.png"},
    "shape": {"shape.csv", "shape.html"},
    "table_01_05_07_09_losses": {"losses-head-scratch.csv", "losses-pronotum-fine_tuned.html"},
    "table_02_correlation": {"correlation.csv", "correlation.html"},
    "table_03_04_distances": {"distances-head.csv", "distances-pronotum.html"},
    "table_06_08_10_11_12_comparison": {"comparison-head.csv", "improvement.html"},
}
"""A few of the files that each script of the paper makes from a finished protocol."""
SCRIPTS = sorted(MADE)
NEED_LOSSES = ("table_01_05_07_09_losses", "figure_10_11_losses")
NEED_PHOTOGRAPHS = ("figure_03_14_landmarks", "figure_04_05_channels", "figure_13_overlays", "figure_16_methods")
CUT_OFF = {("head", "4"), ("head", "5")}
"""Cells of table 4 that are printed with the last digit cut off; see test_paper_oracles."""


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory) -> Path:
    """A finished protocol of two parts, two rounds, trainings of a few steps, with losses as ebnet3 would note them."""
    parts, folder = tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("finished")
    for number, name in enumerate(("pronotum", "head")):
        demo.draw_beetles(parts / name, name, n=6, seed=number, size=(512, 384))
    options = workflows.TrainOptions(model="heatmap", overrides=tiny)
    small = protocol.Protocol(
        n_rounds=2, options=options, pretrain=("pronotum", "head"), dropped={"head": (5, 6)}, pretrain_round=2
    )
    protocol.Reproduction(parts, folder, small).execute()
    for run in folder.glob("rounds/*/*/*/run"):
        for epoch in (1, 2):
            measures = {"train_mse": 0.1 / epoch, "valid_mse": 0.2 / epoch}
            Run(run).note({"event": "epoch", "stage": "ebnet", "epoch": epoch, "measures": measures})
    return folder


@pytest.fixture(scope="module")
def coordinates(shared_data) -> Path:
    folder = shared_data / "beetle-founding-256"
    if not folder.is_dir():
        pytest.skip(f"needs the authors' coordinates in {folder}")
    return folder


@pytest.fixture
def script(monkeypatch):
    """Runs a script in this process; its exit code."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run(name, *arguments) -> int:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "inputs", raising=False)
        try:
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def made(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_makes_its_files_from_a_finished_protocol(name, finished, script, tmp_path, capsys):
    source = [] if "networks" in name else [finished]
    assert script(name, *source, "-o", tmp_path) == 0
    files = made(tmp_path)
    assert files >= MADE[name]
    assert files
    said = capsys.readouterr().out
    for file in files:
        if file.endswith(".png"):
            assert (tmp_path / file).stat().st_size > 1000
            with Image.open(tmp_path / file) as picture:
                picture.load()
        if file.endswith(".csv"):
            first = pd.read_csv(tmp_path / file).columns[0]
            assert first in said  # the table is printed too
    if name in ("leak", "table_06_08_10_11_12_comparison", "table_02_correlation"):
        assert "CONTAMINATED: 3 of the 6 test specimens of fine_tuned on head" in said


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_command_of_a_script_stands_in_it_and_in_the_readme(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"python reproduce/{name}.py" in text.split('"""')[1]
    assert f"{name}.py" in (FOLDER / "README.md").read_text()


def test_no_table_or_figure_is_forgotten_here():
    assert {path.stem for path in FOLDER.glob("*_[0-9]*.py")} == set(SCRIPTS) - {"leak", "shape"}


def test_numbers_are_those_of_the_protocol(finished, script, tmp_path):
    part = protocol.reopen(finished).part("pronotum")
    assert script("table_03_04_distances", finished, "-o", tmp_path, "--parts", "pronotum") == 0
    table = pd.read_csv(tmp_path / "distances-pronotum.csv")
    assert table["mean"].iloc[:-1].to_numpy() == pytest.approx(part.errors(SCRATCH).mean(0))
    assert not (tmp_path / "distances-head.csv").exists()
    assert script("table_01_05_07_09_losses", finished, "-o", tmp_path) == 0
    assert pd.read_csv(tmp_path / "losses-head-scratch.csv")["valid_loss"].tolist() == [0.1, 0.1]
    assert script("leak", finished, "-o", tmp_path) == 0
    leaks = pd.read_csv(tmp_path / "leak.csv").set_index(["part", "rounds"])
    assert leaks["n"].to_dict() == {(p, r): 3 for p in ("pronotum", "head") for r in ("clean", "contaminated")}


def test_mistakes_are_one_line_and_exit_code_2(finished, script, tmp_path, capsys):
    def refused(name, *arguments) -> str:
        assert script(name, *arguments, "-o", tmp_path / "x") == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "no protocol.json" in refused("leak", tmp_path)
    assert "did you mean 'head'" in refused("leak", finished, "--parts", "haed")
    assert "no such folder" in refused("leak", "--published", tmp_path / "nothing")
    assert "no specimen '99'" in refused("figure_13_overlays", finished, "--specimen", "99")
    (finished / "rounds/01/head/scratch/predictions.tps").rename(tmp_path / "kept.tps")
    try:
        assert "trainings done; repeat the command" in refused("leak", finished)
    finally:
        (tmp_path / "kept.tps").rename(finished / "rounds/01/head/scratch/predictions.tps")
    assert not (tmp_path / "x").exists()


def test_a_script_is_a_command(finished, tmp_path):
    command = [sys.executable, FOLDER / "table_03_04_distances.py", finished, "-o", tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "head, scratch: distances, px of 256x192" in done.stdout
    assert "distances-head.csv" in made(tmp_path)


# --- the authors' published coordinates ---


@pytest.mark.parametrize("name", [name for name in SCRIPTS if "networks" not in name])
def test_published_coordinates_are_enough_or_the_script_says_what_is_lacking(
    name, coordinates, script, tmp_path, capsys
):
    code = script(name, "--published", coordinates, "-o", tmp_path)
    captured = capsys.readouterr()
    if name in (*NEED_LOSSES, *NEED_PHOTOGRAPHS):
        assert code == 2
        (line,) = captured.err.splitlines()
        assert ("no losses in there" if name in NEED_LOSSES else "no photographs in there") in line
    else:
        assert code == 0
        assert made(tmp_path)


def test_published_coordinates_give_the_papers_tables(coordinates, script, tmp_path):
    tables = coordinates.parents[1] / "paper" / "tables"
    if not tables.is_dir():
        pytest.skip(f"needs the paper's tables in {tables}")
    assert script("table_03_04_distances", "--published", coordinates, "-o", tmp_path) == 0
    assert script("table_06_08_10_11_12_comparison", "--published", coordinates, "-o", tmp_path) == 0

    def ours(file) -> pd.DataFrame:
        return pd.read_csv(tmp_path / file, dtype={"landmark": str}).set_index("landmark").drop("all")

    def theirs(start) -> pd.DataFrame:
        (path,) = tables.glob(f"{start}_*.csv")
        return pd.read_csv(path, dtype={"landmark": str}).set_index("landmark")

    def printed(value, digits, cut=False) -> Decimal:
        return Decimal(repr(float(value))).quantize(Decimal(digits), ROUND_DOWN if cut else ROUND_HALF_UP)

    columns = {"pronotum": theirs("table03")["mean_distance_px"]}
    for name, column in theirs("table04").items():
        columns["_".join(reversed(str(name).split("_")))] = column.dropna()
    assert sorted(columns) == sorted(published.load(coordinates))
    for name, column in columns.items():
        table = ours(f"distances-{name}.csv")
        for landmark, value in column.items():
            mean = printed(table.loc[landmark, "mean"], "0.0001", (name, landmark) in CUT_OFF)
            assert mean == printed(value, "0.0001"), (name, landmark)
    for start, name, digits in (("table06", "pronotum", "0.01"), ("table11", "mandible_left", "0.0001")):
        table, printed_table = ours(f"comparison-{name}.csv"), theirs(start)
        for method, column in ((SCRATCH, "from_scratch_px"), (FINE_TUNED, "fine_tune_px")):
            for landmark, value in printed_table[column].items():
                assert printed(table.loc[landmark, method], digits) == printed(value, digits)


def test_published_coordinates_give_table_2_and_the_leak(coordinates, script, tmp_path):
    assert script("table_02_correlation", "--published", coordinates, "-o", tmp_path) == 0
    row = pd.read_csv(tmp_path / "correlation.csv").set_index(["part", "method"]).loc[("pronotum", SCRATCH)]
    assert [round(row[name], 4) for name in ("r2", "explained_variance", "pearson_x")] == [0.9952, 0.9953, 0.9974]
    assert script("leak", "--published", coordinates, "-o", tmp_path) == 0
    leak = pd.read_csv(tmp_path / "leak.csv").set_index(["part", "rounds"])["improvement_percent"].round(1)
    expected = {"pronotum": (44.4, 8.2), "elytra": (46.9, -2.6), "head": (51.2, -3.1)}
    assert {part: (leak[part, "contaminated"], leak[part, "clean"]) for part in expected} == expected
    assert (leak["mandible_left", "clean"], leak["mandible_right", "clean"]) == (22.8, 26.9)


def test_photographs_are_compared_with_the_published_landmarks(coordinates, script, tmp_path, capsys):
    head = published.load(coordinates)["head"]
    folder = tmp_path / "photos" / "head"
    folder.mkdir(parents=True)
    rows = []
    for number in (3, 200):
        Image.fromarray(np.full((384, 512, 3), 128, dtype=np.uint8)).save(folder / f"Tete_{number:03d}.png")
        points = (head.manual[head.position(str(number))] + 0.5) * 2 - 0.5
        rows.append(Landmarks(points, image=f"Tete_{number:03d}.png", id="0"))
    formats.save(folder / "landmarks.tps", rows, lambda _: (512, 384))
    given = ("--published", coordinates, "--photographs", tmp_path / "photos", "-o", tmp_path / "out")
    for name in NEED_PHOTOGRAPHS:
        assert script(name, *given) == 0
    assert {"landmarks.png", "methods.png", "sheet-head-scratch.png"} <= made(tmp_path / "out")
    swapped = [Landmarks(row.points, image=other.image) for row, other in zip(rows, reversed(rows), strict=True)]
    formats.save(folder / "landmarks.tps", swapped, lambda _: (512, 384))
    capsys.readouterr()
    assert script("figure_13_overlays", *given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "px from those published for specimen" in line
