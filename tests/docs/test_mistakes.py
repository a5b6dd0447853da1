"""Mistakes that people make in their first hour: each ends in one line that says what to do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from .blocks import call


def mistake(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """What is said of a mistake: a line, and exit code 2."""
    assert call(list(words), folder) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    return said


@pytest.fixture
def here(table: Path, tmp_path: Path) -> Path:
    """A folder with wings in it, to be spoilt."""
    shutil.copytree(table / "wings", tmp_path / "wings")
    return tmp_path


def records(path: Path) -> list[str]:
    """The records of a TPS file as text."""
    return re.split(r"(?=LM=)", path.read_text())[1:]


def test_a_wrong_folder(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert "no such file or folder; check the spelling" in mistake(capsys, here, "check", "wing")
    (here / "empty").mkdir()
    assert "neither landmarks nor photographs" in mistake(capsys, here, "check", "empty")
    (here / "wings" / "landmarks.tps").unlink()
    (here / "wings" / "covariates.csv").unlink()
    said = mistake(capsys, here, "train", "wings", "-o", "run")
    assert "photographs, but no landmark file" in said
    assert "pronotum desk wings" in said
    assert not (here / "run").exists()


def test_a_table_with_semicolons_and_decimal_commas(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "wings" / "landmarks.tps").unlink()
    table = here / "wings" / "landmarks.csv"
    table.write_text("image;id;X1;Y1;X2;Y2\nwing_101.jpg;1;10,5;20,5;30,0;40,0\n")
    assert "landmarks.csv:1: nothing that says from which edge y counts" in mistake(capsys, here, "check", "wings")
    table.write_text("image;id;origin;X1;Y1;X2;Y2\nwing_101.jpg;1;top-left;10,5;20.5;30,0;40,0\n")
    assert "'20.5' in column Y1; expected a number with a decimal comma" in mistake(capsys, here, "check", "wings")
    table.write_text("image;id;origin;X1;Y1;X2;Y2\nwing_101.jpg;1;top-left;10,5;20,5;30,0;40,0\n")
    assert call(["check", "wings"], here) == 0
    assert "1 specimen on 1 photograph" in capsys.readouterr().out


def test_y_flipped_in_a_record(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    path = here / "wings" / "landmarks.tps"
    found = records(path)
    found[7] = re.sub(r"(?m)^([\d.]+) ([\d.]+)$", lambda m: f"{m[1]} {240 - float(m[2]):.5f}", found[7])
    path.write_text("".join(found))
    assert call(["check", "wings"], here) == 0
    said = capsys.readouterr().out
    # A pronotum is its own mirror image, so that one upside down may be called mirrored.
    assert re.search(
        r"WARNING: wing_108\.jpg \(ID=8\): (y axis flipped|mirrored digitisation) - see pronotum doctor", said
    )
    assert "if all are upside down, the file counts y from the other edge" in said


def test_three_landmarks_fewer_in_a_record(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    path = here / "wings" / "landmarks.tps"
    found = records(path)
    lines = found[4].splitlines(keepends=True)
    path.write_text("".join([*found[:4], *lines[:1], *lines[4:], *found[5:]]))
    assert re.search(r"landmarks\.tps:\d+: LM=8 but only 5 coordinate lines", mistake(capsys, here, "check", "wings"))
    path.write_text("".join([*found[:4], "LM=5\n", *lines[4:], *found[5:]]))
    said = mistake(capsys, here, "train", "wings", "-o", "run")
    assert "5 landmarks; expected 8 as in the others; digitise the rest" in said


def test_a_gpu_that_is_not_there(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said = mistake(capsys, here, "train", "wings", "-o", "run", "--device", "cuda")
    assert "--device cuda: this machine has none; use auto or one of: cpu" in said
