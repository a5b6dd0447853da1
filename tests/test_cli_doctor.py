"""The doctor from the command line: what it finds, what it writes, and that the old file stays as it is."""

import csv
import json

import numpy as np
import pytest

from pronotum import demo, formats

HEIGHT = 144


@pytest.fixture
def spoilt(tmp_path):
    """Ten beetles, of which one is digitised upside down."""
    data = demo.draw_beetles(tmp_path / "data", "pronotum", n=10, seed=2, size=(192, HEIGHT))
    specimens = list(data.landmarks)
    flipped = specimens[3].points * [1, -1] + [0, HEIGHT]
    specimens[3] = specimens[3].with_points(flipped)
    formats.save(tmp_path / "data" / "landmarks.tps", specimens, lambda name: (192, HEIGHT))
    return tmp_path / "data"


def test_found_shown_and_mended_into_a_new_file(command, spoilt, tmp_path, capsys):
    out, before = tmp_path / "doctor", (spoilt / "landmarks.tps").read_bytes()
    assert command("doctor", spoilt, "-o", out) == 0
    said = capsys.readouterr().out
    assert "y axis flipped" in said
    assert f"pronotum fix {spoilt} --findings {out / 'findings.json'} --apply 1 -o fixed.tps" in said
    assert (out / "findings.png").exists()
    with (out / "findings.csv").open() as file:
        rows = list(csv.DictReader(file))
    name = rows[0]["specimen"]
    assert rows[0]["kind"] == "y axis flipped"
    assert (spoilt / "landmarks.tps").read_bytes() == before
    fixed = tmp_path / "fixed.tps"
    asked = ("fix", spoilt, "--findings", out / "findings.json", "--apply", 1, "-o", fixed)
    assert command(*asked) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{name}: flip y"
    truth = demo.draw_beetles(tmp_path / "again", "pronotum", n=10, seed=2, size=(192, HEIGHT)).points
    mended = np.stack([one.points for one in formats.load(fixed, lambda name: (192, HEIGHT))])
    assert mended == pytest.approx(truth, abs=1e-3)
    assert (spoilt / "landmarks.tps").read_bytes() == before
    assert command(*asked) == 2
    assert "already there; expected a new file; choose another name for -o" in capsys.readouterr().err


def test_mistakes_end_in_one_line(command, spoilt, tmp_path, capsys):
    command("doctor", spoilt, "-o", tmp_path / "doctor", "--json")
    listed = json.loads(capsys.readouterr().out)
    assert listed["specimens"] == 10
    fixed = tmp_path / "fixed.tps"
    for arguments, message in (
        (("--findings", tmp_path / "doctor/findings.json", "--apply", 99), "no finding 99"),
        (("--findings", spoilt / "landmarks.tps", "--apply", 1), "expected findings.json of pronotum doctor"),
    ):
        assert command("fix", spoilt, *arguments, "-o", fixed) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not fixed.exists()
    assert command("doctor", spoilt, "--run", tmp_path, "-o", tmp_path / "d") == 2
    assert "no out_of_fold.tps; expected the folder of a pronotum crossvalidate" in capsys.readouterr().err


def test_a_landmark_file_alone_is_examined_too(command, spoilt, tmp_path, capsys):
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "landmarks.tps").write_bytes((spoilt / "landmarks.tps").read_bytes())
    assert command("doctor", tmp_path / "alone" / "landmarks.tps", "-o", tmp_path / "doctor") == 1
    said = capsys.readouterr()
    assert "y axis flipped" in said.out
    assert "no photographs beside it" in said.err


def test_a_file_that_does_not_tell_its_format(command, spoilt, tmp_path, capsys):
    source, out, fixed = spoilt / "landmarks.dat", tmp_path / "doctor", tmp_path / "fixed.csv"
    specimens = formats.load(spoilt / "landmarks.tps", lambda name: (192, HEIGHT))
    formats.save(source, specimens, name="tidy-csv")
    assert command("doctor", source, "-o", out) == 2
    assert "unknown kind of landmark file '.dat'" in capsys.readouterr().err
    assert command("doctor", source, "--format", "tidy-csv", "-o", out) == 0
    assert f"pronotum fix {source} --format tidy-csv --findings" in capsys.readouterr().out
    chosen = ("--findings", out / "findings.json", "--apply", 1)
    assert command("fix", source, "--format", "tidy-csv", *chosen, "-o", fixed) == 0
    assert formats.of(fixed).name == "tidy-csv"
    mended = formats.load(fixed)[3].points
    assert mended == pytest.approx(specimens[3].points * [1, -1] + [0, HEIGHT], abs=1e-3)
    (tmp_path / "alone").mkdir()
    source.rename(tmp_path / "alone" / "landmarks.dat")
    assert command("doctor", tmp_path / "alone" / "landmarks.dat", "--format", "tidy-csv", "-o", out) == 1
    assert "y axis flipped" in capsys.readouterr().out
