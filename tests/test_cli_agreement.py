"""crossvalidate, agree and learning-curve through the command line."""

import json

import numpy as np
import pytest

from pronotum import demo, formats
from pronotum.landmarks import Landmarks


@pytest.fixture(scope="session")
def quick(tiny):
    return [f"--set={name}={value}" for name, value in tiny.items()]


@pytest.fixture
def run(command, capsys):
    """A command: its exit code, standard output and standard error."""

    def answer(*arguments):
        code = command(*arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return answer


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beetles")
    demo.draw_beetles(folder, "pronotum", n=12, seed=0, size=(256, 192))
    rows = "".join(f"{n},{'north' if n % 2 else 'south'}\n" for n in range(1, 13))
    (folder / "covariates.csv").write_text("id,population\n" + rows)
    return folder


def write(path, specimens, noise=0.0, n=None):
    generator = np.random.default_rng(1)
    rows = [Landmarks(one.points + noise * generator.normal(size=(8, 2)), image=one.image) for one in specimens]
    formats.save(path, rows[:n], lambda name: (256, 192))
    return path


def test_crossvalidate_leaves_a_report_and_a_model(run, quick, data, tmp_path):
    specimens = formats.load(data / "landmarks.tps", lambda name: (256, 192))
    repeat = write(tmp_path / "again.tps", specimens, 0.3, n=11).rename(tmp_path / "again.dat")
    out = tmp_path / "run"
    second = ["--repeat", repeat, "--repeat-format", "tps"]
    arguments = ["crossvalidate", data, "-o", out, "--folds", 2, *second, *quick, "--json"]
    code, text, _ = run(*arguments)
    assert code == 0
    found = json.loads(text)
    assert found["verdict"]["grade"] == "not ready"  # two steps of training
    assert found["human"]["n"] == 11
    assert {path.name for path in out.iterdir()} >= {
        "report.html",
        "report.json",
        "model.safetensors",
        "out_of_fold.tps",
    }
    page = (out / "report.html").read_text()
    assert "2-fold cross-validation" in page
    assert "pronotum_001.jpg" in page
    again, text, _ = run(*arguments[:-1])  # nothing is trained again
    assert again == 0
    assert "NOT READY" in text
    stranger = Landmarks(specimens[0].points, image="stranger.jpg")
    write(tmp_path / "again.tps", [*specimens[1:], stranger], 0.3).replace(repeat)
    code, _, err = run(*arguments[:-1])
    assert code == 1
    assert "1 specimen of again.dat not in the data: stranger.jpg" in err


def test_groups_are_not_divided(run, quick, data, tmp_path):
    arguments = ["crossvalidate", data, "-o", tmp_path / "run", "--folds", 2, "--group", "population", *quick]
    code, _, _ = run(*arguments)
    assert code == 0
    described = json.loads((tmp_path / "run" / "crossvalidation.json").read_text())
    assert described["groups"][:3] == ["north", "south", "north"]
    tested = formats.load(tmp_path / "run" / "folds" / "01" / "predictions.tps", lambda name: (256, 192))
    assert len({int(one.id) % 2 for one in tested}) == 1
    assert "population" in (tmp_path / "run" / "report.html").read_text()
    code, _, err = run(*arguments[: -len(quick)], "--covariates", tmp_path / "none.csv", "-o", tmp_path / "x")
    assert code == 2
    assert "no such file" in err


def test_the_report_says_what_all_models_started_from(command, run, quick, data, tmp_path):
    demo.draw_beetles(tmp_path / "others", "head", n=5, seed=1, size=(256, 192))
    assert command("train", tmp_path / "others", "-o", tmp_path / "heads", *quick) == 0
    code, _, _ = run("crossvalidate", data, "-o", tmp_path / "run", "--folds", 2, "--from", tmp_path / "heads", *quick)
    assert code == 0
    assert f"started from {tmp_path / 'heads'}" in (tmp_path / "run" / "report.html").read_text()
    for made, more in (("crossvalidate", ()), ("learning-curve", ("--sizes", "3"))):
        code, _, err = run(made, data, "-o", tmp_path / made, *more, "--from", tmp_path / "run", *quick)
        assert (code, err.strip().count("\n")) == (2, 0)
        assert "has learnt from 12 photographs of these (pronotum_001.jpg" in err


def test_agree_judges_files_of_any_program(run, data, tmp_path):
    specimens = formats.load(data / "landmarks.tps", lambda name: (256, 192))
    manual = write(tmp_path / "manual.tps", specimens)
    good = write(tmp_path / "good.tps", specimens, 0.02)
    bad = write(tmp_path / "bad.tps", specimens, 3.0)
    again = write(tmp_path / "again.tps", specimens, 0.03)
    code, text, _ = run("agree", manual, good, "-o", tmp_path / "a", "--repeat", again, "--json")
    assert code == 0
    assert json.loads(text)["verdict"]["grade"] == "ready"
    code, text, _ = run("agree", manual, bad, "-o", tmp_path / "b", "--photographs", data)
    assert code == 0
    assert "NOT READY" in text
    assert "data:image/jpeg" in (tmp_path / "b" / "report.html").read_text()
    (tmp_path / "pronotum.toml").write_text("[verdict]\nrepeatability = 2\n")
    code, _, err = run("agree", manual, bad, "-o", tmp_path / "c")
    assert (code, err.count("\n")) == (2, 1)
    assert "verdict.repeatability = 2" in err


def test_files_that_do_not_tell_their_format(run, data, tmp_path):
    specimens = formats.load(data / "landmarks.tps", lambda name: (256, 192))
    for name, form in (("manual", "tidy-csv"), ("predicted", "csv"), ("again", "tps")):
        formats.save(tmp_path / f"{name}.txt", specimens, lambda name: (256, 192), name=form)
    asked = ("agree", tmp_path / "manual.txt", tmp_path / "predicted.txt", "-o", tmp_path / "out")
    code, _, err = run(*asked, "--format", "tidy-csv")
    assert (code, err.count("\n")) == (2, 1)
    told = ("--format", "tidy-csv", "--predicted-format", "csv", "--repeat-format", "tps")
    code, text, _ = run(*asked, *told, "--repeat", tmp_path / "again.txt", "--photographs", data, "--json")
    assert code == 0
    assert json.loads(text)["n_specimens"] == 12


def test_what_has_no_counterpart_is_named(run, data, tmp_path):
    specimens = formats.load(data / "landmarks.tps", lambda name: (256, 192))
    manual = write(tmp_path / "manual.tps", specimens)
    some = write(tmp_path / "some.tps", specimens, 0.1, n=9)
    code, _, err = run("agree", manual, some, "-o", tmp_path / "out")
    assert code == 1
    assert "3 specimens of manual.tps left out, without counterpart: pronotum_010.jpg" in err


def test_learning_curve(run, quick, data, tmp_path):
    arguments = ["learning-curve", data, "-o", tmp_path / "curve", "--sizes", "3,6", "--folds", 2, "--run", 1, *quick]
    code, text, _ = run(*arguments, "--json")
    assert code == 0
    found = json.loads(text)
    assert found["sizes"] == [3, 6]
    assert found["forecast"]["mean"]["n_then"] == 12
    assert (tmp_path / "curve" / "learning_curve.svg").exists()
    code, text, _ = run(*arguments)
    assert "6 more specimens would bring the mean error" in text
    code, _, err = run("learning-curve", data, "-o", tmp_path / "x", "--sizes", "3;6")
    assert (code, err.count("\n")) == (2, 1)
