"""Converting: what a user types, what is written, and that what gets lost is said."""

import json

import numpy as np
import pytest

from pronotum import formats
from pronotum.cli import main
from pronotum.landmarks import Landmarks

POINTS = [[10, 20.5], [30, 40], [50, 60]]


def run(*arguments):
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return 0 if stop.code is None else stop.code
    return 0


@pytest.fixture
def file(tmp_path):
    specimens = [Landmarks(POINTS, "a.jpg", "a", 0.01), Landmarks([[1, 2], [np.nan] * 2, [3, 4]], "b.jpg", "b", 0.01)]
    formats.save(tmp_path / "in.tps", specimens, lambda name: (100, 80))
    return tmp_path / "in.tps"


def test_missing_landmarks_as_the_other_program_writes_them(file, tmp_path, capsys):
    assert run("convert", file, tmp_path / "out.tps", "--missing", "geomorph") == 0
    assert "2 specimens of 3 landmarks, 1 missing" in capsys.readouterr().out
    assert "-1.00000 -1.00000" in file.read_text()
    assert "NA NA" in (tmp_path / "out.tps").read_text()


def test_what_the_other_format_cannot_hold_is_said(file, tmp_path, capsys):
    assert run("convert", file, tmp_path / "out.csv", "--to", "ebnet-csv", "--json") == 1
    captured = capsys.readouterr()
    assert "scales of 2 specimens: ebnet-csv cannot hold them" in captured.err
    assert json.loads(captured.out)["target"] == "ebnet-csv"


def test_no_file_is_replaced_unasked(file, tmp_path, capsys):
    before = file.read_bytes()
    assert run("convert", file, file) == 2
    assert "already there" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert run("convert", file, file, "--force") == 0
    assert file.read_bytes() == before


def test_mistakes_end_in_one_line(file, tmp_path, capsys):
    for arguments, said in [
        (["none.tps", "out.tps"], "no such file"),
        ([file, tmp_path / "x.docx"], "unknown kind of landmark file"),
        ([file, tmp_path / "x.tps", "--from", "tpz"], "did you mean 'tps'"),
        ([file, tmp_path / "x.tps", "--missing", "nan"], "expected keep, tpsdig, geomorph"),
    ]:
        assert run("convert", *arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.strip().splitlines()) == 1
        assert not (tmp_path / "x.tps").exists()


def test_formats_are_listed(capsys):
    assert run("formats", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["formats"]}
    assert listed["tps"]["keeps"] == ["curves", "id", "image", "scale"]
    assert run("formats") == 0
    assert "read, write" in capsys.readouterr().out
