"""Converting: what a user types, what is written, and that what gets lost is said."""

import json

import numpy as np
import pytest
from PIL import Image

from pronotum import formats
from pronotum.landmarks import Landmarks

POINTS = [[10, 20.5], [30, 40], [50, 60]]


@pytest.fixture
def file(tmp_path):
    specimens = [Landmarks(POINTS, "a.jpg", "a", 0.01), Landmarks([[1, 2], [np.nan] * 2, [3, 4]], "b.jpg", "b", 0.01)]
    formats.save(tmp_path / "in.tps", specimens, lambda name: (100, 80))
    for name in "abc":
        Image.new("L", (100, 80)).save(tmp_path / f"{name}.jpg")
    return tmp_path / "in.tps"


def test_missing_landmarks_as_the_other_program_writes_them(command, file, tmp_path, capsys):
    assert command("convert", file, tmp_path / "out.tps", "--missing", "geomorph") == 0
    assert "2 specimens of 3 landmarks, 1 missing" in capsys.readouterr().out
    assert "-1.00000 -1.00000" in file.read_text()
    assert "NA NA" in (tmp_path / "out.tps").read_text()


def test_what_the_other_format_cannot_hold_is_said(command, file, tmp_path, capsys):
    assert command("convert", file, tmp_path / "out.csv", "--to", "ebnet-csv", "--json") == 1
    captured = capsys.readouterr()
    assert "scales of 2 specimens: ebnet-csv cannot hold them" in captured.err
    assert json.loads(captured.out)["target"] == "ebnet-csv"


def test_no_file_is_replaced_unasked(command, file, tmp_path, capsys):
    before = file.read_bytes()
    assert command("convert", file, file) == 2
    assert "already there" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert command("convert", file, file, "--force") == 0
    assert file.read_bytes() == before


def test_mistakes_end_in_one_line(command, file, tmp_path, capsys):
    for arguments, said in [
        (["none.tps", "out.tps"], "no such file"),
        ([file, tmp_path / "x.docx"], "unknown kind of landmark file"),
        ([file, tmp_path / "x.tps", "--from", "tpz"], "did you mean 'tps'"),
        ([file, tmp_path / "x.tps", "--missing", "nan"], "expected keep, tpsdig, geomorph"),
    ]:
        assert command("convert", *arguments) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.strip().splitlines()) == 1
        assert not (tmp_path / "x.tps").exists()


def test_a_file_for_each_specimen_and_back(command, file, tmp_path, capsys):
    out = tmp_path / "shapes"
    assert command("convert", file, out, "--to", "stereomorph") == 1
    assert "IDs of 2 specimens (a, for example): stereomorph cannot hold them" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["a.txt", "b.txt"]
    assert command("convert", file, out, "--to", "stereomorph") == 2
    assert f"{out / 'a.txt'}: already there" in capsys.readouterr().err
    assert command("convert", out, tmp_path / "back.csv", "--to", "tidy-csv") == 0
    before, after = formats.load(file, lambda name: (100, 80)), formats.load(tmp_path / "back.csv")
    for one, other in zip(before, after, strict=True):
        assert (other.image, other.scale) == (one.image, one.scale)
        np.testing.assert_allclose(other.points, one.points, atol=1e-5)


def test_without_photographs_nothing_is_turned_upside_down_in_silence(command, file, tmp_path, capsys):
    (tmp_path / "alone").mkdir()
    alone = file.rename(tmp_path / "alone" / "in.tps")
    assert command("convert", alone, tmp_path / "out.json", "--to", "coco") == 2
    assert "expected its height, because coco counts from the top edge" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
    assert command("convert", alone, tmp_path / "out.json", "--to", "coco", "--photographs", tmp_path) == 1
    assert formats.load(tmp_path / "out.json", name="coco")[0].points == pytest.approx(np.array(POINTS))
    assert command("convert", alone, tmp_path / "out.nts") == 1  # counts up, too: the numbers stay


def test_photographs_are_not_asked_for_between_formats_that_count_alike(command, tmp_path, capsys):
    given = [Landmarks(POINTS, "x.jpg", "1"), Landmarks(POINTS, "y.jpg", "2")]
    formats.save(tmp_path / "in.csv", given, name="tidy-csv")
    assert command("convert", tmp_path / "in.csv", tmp_path / "out.csv", "--to", "csv") == 0
    assert "y counts from the top edge, as the file says" in capsys.readouterr().out
    assert command("convert", tmp_path / "out.csv", tmp_path / "back.csv", "--to", "tidy-csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["from_top"] is False
    for one, again in zip(given, formats.load(tmp_path / "back.csv"), strict=True):
        np.testing.assert_allclose(again.points, one.points)


def test_of_photograph_and_id_what_gets_lost_is_said(command, file, tmp_path, capsys):
    """NTS files have one name per specimen: the photograph where these tell the specimens apart, else the ID."""
    given, out = tmp_path / "in.csv", tmp_path / "out.nts"
    for images, lost in ((["a.jpg", "b.jpg"], "IDs of 2"), (["a.jpg", "a.jpg"], "names of photographs of 2")):
        named = [Landmarks(POINTS, image, identity) for image, identity in zip(images, ("a", "b"), strict=True)]
        formats.save(given, named, name="tidy-csv")
        assert command("convert", given, out, "--force") == 1
        said = capsys.readouterr().err
        assert f"left out: {lost} specimens" in said
        assert "1 left out" in said
    formats.save(given, [Landmarks(POINTS, "", one) for one in "ab"], name="tidy-csv")
    assert command("convert", given, out, "--force") == 0


def test_specimens_without_landmarks_are_left_out_where_asked_and_named(command, file, tmp_path, capsys):
    file.write_text(file.read_text() + "LM=0\nIMAGE=c.jpg\nID=c\n")
    assert command("convert", file, tmp_path / "out.csv", "--to", "tidy-csv") == 2
    assert "c.jpg (ID=c) with 0 landmarks" in capsys.readouterr().err
    asked = ("convert", file, tmp_path / "out.csv", "--to", "tidy-csv", "--leave-out-empty")
    assert command(*asked) == 0
    said = capsys.readouterr().out
    assert "2 specimens of 3 landmarks" in said
    assert "left out, as asked: 1 specimen without landmarks (c.jpg (ID=c))" in said
    assert len(formats.load(tmp_path / "out.csv")) == 2
    assert command(*asked, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == ["c.jpg (ID=c)"]
    (tmp_path / "empty.tps").write_text("LM=0\nIMAGE=c.jpg\n")
    assert command("convert", tmp_path / "empty.tps", tmp_path / "x.tps", "--leave-out-empty") == 2
    assert "no specimen with landmarks" in capsys.readouterr().err
    curves = "LM=0\nCURVES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=c.jpg\n"
    (tmp_path / "empty.tps").write_text(curves)
    assert command("convert", tmp_path / "empty.tps", tmp_path / "x.tps", "--leave-out-empty") == 0
    assert (tmp_path / "x.tps").read_text() == curves


def test_formats_are_listed(command, capsys):
    assert command("formats", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["formats"]}
    assert listed["tps"]["keeps"] == ["curves", "id", "image", "scale"]
    assert command("formats") == 0
    assert "read, write" in capsys.readouterr().out
