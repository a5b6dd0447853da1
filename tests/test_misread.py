"""Whole files that were read the wrong way: found and mended, nothing said of those that are right."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pronotum import demo, doctor, formats, geometry, landmarks, workflows
from pronotum.data import Dataset, open_data
from pronotum.doctor import Change, likeness, misread
from pronotum.doctor.readings import READINGS
from pronotum.runs import Run

SIZE = (320, 240)
SETS = (
    "beetle-elytra",
    "beetle-mandible-right",
    "beetle-mandible-left",
    "beetle-figures-256/pronotum",
    "beetle-figures-256/head",
    "beetle-figures-256/elytra",
    "drosophila-wing-mlmorph",
    "snail-shell",
)
STEPS = {"coarse_steps": 2, "fine_steps": 2, "coarse_epochs": 1, "fine_epochs": 1}


def looked(data: Dataset, most: int = 20):
    """Coordinates (N, K, 2) and small pictures of some specimens."""
    data = data.subset(range(min(len(data), most)))
    return data.points, [likeness.glance(data, i) for i in range(len(data))]


def spoilt(points, seen, name):
    """Coordinates that the reading of this name would put right."""
    wrong = np.stack([np.linalg.inv(READINGS[name].matrix(*one.size)) for one in seen])
    return geometry.transform(wrong, points)


@pytest.fixture(scope="module", params=["pronotum", "elytra", "mandible_left"])
def drawn(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return looked(demo.draw_beetles(folder, request.param, n=12, seed=4, size=SIZE))


def test_nothing_is_said_of_a_file_that_is_right(drawn):
    points, seen = drawn
    assert misread.judge(points, seen) is None
    assert misread.judge(points[:5], seen[:5]) is None


@pytest.mark.parametrize("name", READINGS)
def test_each_way_to_misread_a_file_is_found(drawn, name):
    points, seen = drawn
    found = misread.judge(spoilt(points, seen, name), seen)
    assert found is not None
    assert found.reading == name
    assert found.better == found.specimens == 12
    assert found.as_given < misread.WORSE * found.likeness


@pytest.mark.parametrize("name", ["flip y", "turn 90", "times 0.5"])
@pytest.mark.parametrize("misread_ones", [(1, 4, 6), (0, 1, 2, 3, 5, 8, 9, 10)])
def test_records_that_are_read_another_way_than_the_others_are_found(drawn, name, misread_ones):
    points, seen = drawn
    rows = list(misread_ones)
    mixed = np.array(points)
    mixed[rows] = spoilt(points, seen, name)[rows]
    found = misread.judge(mixed, seen)
    assert found is not None
    assert found.reading == name
    assert found.records == misread_ones
    assert found.as_given < misread.MUCH_WORSE * found.likeness


@pytest.mark.parametrize("folder", SETS)
def test_on_real_photographs(shared_data, folder):
    points, seen = looked(open_data(shared_data / folder))
    assert misread.judge(points, seen) is None
    for name in ("flip y", "exchange, y up"):
        found = misread.judge(spoilt(points, seen, name), seen)
        assert found is not None
        assert found.reading == name
        assert found.records is None
        half = np.where(np.arange(len(points))[:, None, None] % 2, points, spoilt(points, seen, name))
        assert misread.judge(half, seen).records == tuple(range(0, len(points), 2))


@pytest.mark.parametrize("name", ["flip x", "flip y", "turn 180"])
def test_photographs_that_really_are_mirrored_or_turned_are_no_mistake(drawn, name):
    """Left and right sides, or specimens laid the other way round: pictures and landmarks agree in every record."""
    points, seen = drawn
    there = spoilt(points, seen, name)
    axes = {"flip x": (1,), "flip y": (0,), "turn 180": (0, 1)}[name]
    looked = [replace(one, pixels=np.flip(one.pixels, axes)) if i % 2 else one for i, one in enumerate(seen)]
    assert misread.judge(np.where(np.arange(len(points))[:, None, None] % 2, there, points), looked) is None


def test_two_records_are_not_called_a_part_of_the_file(drawn):
    points, seen = drawn
    points = np.array(points)
    points[3:5] = spoilt(points, seen, "flip y")[3:5]
    assert misread.judge(points, seen) is None


def test_too_few_specimens_or_landmarks_say_nothing(drawn):
    points, seen = drawn
    wrong = spoilt(points, seen, "flip y")
    assert misread.judge(wrong[:4], seen[:4]) is None
    assert misread.judge(wrong[:, :2], seen) is None


def test_missing_landmarks_do_not_count(drawn):
    points, seen = drawn
    wrong = spoilt(points, seen, "flip y")
    wrong[np.random.default_rng(0).random(wrong.shape[:2]) < 0.2] = np.nan
    wrong[3, 1:] = np.nan
    assert misread.judge(wrong, seen).reading == "flip y"


def test_what_all_photographs_have_in_the_same_place_is_no_evidence():
    """Specimens too blurred to be alike, above a scale bar that their landmarks would hit upside down."""
    random = np.random.default_rng(5)
    bar = random.normal(128, 40, (120, 200))
    seen, points = [], []
    for _ in range(10):
        pixels = np.concatenate([random.normal(128, 40, (120, 200)), bar]).clip(0, 255).astype(np.uint8)
        seen.append(likeness.Seen(pixels, np.eye(3), (200, 240)))
        points.append([[40, 40], [150, 50], [160, 90], [50, 80]] + random.normal(0, 0.3, (4, 2)))
    points = np.array(points)
    upside_down = misread.reread(points, seen, "flip y")
    assert likeness.likenesses(upside_down, seen).min() > likeness.likenesses(points, seen).max()
    assert misread.judge(points, seen) is None


def test_a_specimen_that_is_its_own_mirror_image_says_nothing(drawn):
    points, seen = drawn
    half = [np.maximum(one.pixels, one.pixels[::-1]) for one in seen]
    same = [replace(one, pixels=pixels) for one, pixels in zip(seen, half, strict=True)]
    assert misread.judge(points, same) is None
    assert misread.judge(spoilt(points, seen, "flip y"), same) is None


def test_a_mended_record_keeps_its_curves_and_its_scale_with_its_landmarks():
    here = np.array([[10.0, 20], [30, 40], [np.nan, np.nan]])
    one = landmarks.Landmarks(here, image="a.png", scale=0.5, curves=(np.array([[1.0, 2], [3, 4]]),))
    for everywhere in (True, False):
        turned = doctor.mend(one, Change("flip y", everywhere=everywhere), SIZE)
        assert turned.points[:2].tolist() == [[10, 220], [30, 200]]
        assert np.isnan(turned.points[2]).all()
        assert turned.curves[0].tolist() == [[1, 238], [3, 236]]
        assert turned.scale == 0.5
    larger = doctor.mend(one, Change("times 2", everywhere=True), SIZE)
    assert larger.points[0].tolist() == [20.5, 40.5]
    assert larger.scale == 0.25
    with pytest.raises(ValueError, match=r"the size of the photograph of a\.png is not known"):
        doctor.mend(one, Change("flip y", everywhere=True), None)


@pytest.fixture
def upside_down(tmp_path):
    """A TPS file whose y was counted from the top, and the truth."""
    data = demo.draw_beetles(tmp_path / "data", "mandible_left", n=10, seed=2, size=SIZE)
    wrong = [one.with_points(geometry.flip_y(one.points, SIZE[1])) for one in data.landmarks]
    formats.save(tmp_path / "data" / "landmarks.tps", wrong, lambda name: SIZE)
    return tmp_path / "data", data.points


def test_check_says_it_and_the_doctor_mends_it(command, upside_down, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, truth = upside_down
    assert command("check", folder) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "read the wrong way" in line]
    assert line.startswith("WARNING: ")
    assert "with y counted from the other edge" in line
    assert f"pronotum doctor {folder} draws both" in line
    assert line.endswith(f"pronotum fix {folder} --findings doctor/findings.json --apply 1 -o fixed.tps")
    assert command("doctor", folder) == 0
    assert "1. all records: the file was read the wrong way" in capsys.readouterr().out
    assert command("fix", folder, "--findings", "doctor/findings.json", "--apply", 1, "-o", "fixed.tps") == 0
    assert capsys.readouterr().out.startswith("all records: flip y\n")
    mended = np.stack([one.points for one in formats.load(tmp_path / "fixed.tps", lambda name: SIZE)])
    assert mended == pytest.approx(truth, abs=1e-4)
    assert command("check", "fixed.tps", "--photographs", folder) == 0
    assert "read the wrong way" not in capsys.readouterr().out


def test_a_file_made_of_two_is_mended_in_part(command, tmp_path, capsys, monkeypatch):
    """More records than are looked at in a hurry; every third of another program that counts y from the top."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    data = demo.draw_beetles(folder, "mandible_left", n=36, seed=3, size=(160, 120))
    wrong = [
        one if i % 3 else one.with_points(geometry.flip_y(one.points, 120)) for i, one in enumerate(data.landmarks)
    ]
    formats.save(folder / "landmarks.tps", wrong, lambda name: (160, 120))
    looked_at = {i for i in np.linspace(0, 35, 30).round().astype(int) if i % 3 == 0}
    assert command("check", folder) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "read the wrong way" in line]
    assert line.startswith("WARNING: a part of the landmark file seems to be read the wrong way: ")
    assert (
        f"of {len(looked_at)} of 30 specimens looks like that of the others only with y counted from the other edge"
        in line
    )
    assert command("doctor", folder) == 0
    said = capsys.readouterr().out
    assert "1. some records: read another way than the others" in said
    assert "12 of 36 specimens" in said
    assert "mandible_left_001.jpg (ID=1)" in said
    assert command("fix", folder, "--findings", "doctor/findings.json", "--apply", 1, "-o", "fixed.tps") == 0
    assert capsys.readouterr().out.endswith(": flip y\nwritten: fixed.tps\n")
    mended = np.stack([one.points for one in formats.load(tmp_path / "fixed.tps", lambda name: (160, 120))])
    assert mended == pytest.approx(data.points, abs=1e-4)


def test_photographs_elsewhere_stand_in_the_commands(command, upside_down, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, _ = upside_down
    file = tmp_path / "alone" / "landmarks.tps"
    file.parent.mkdir()
    (folder / "landmarks.tps").rename(file)
    assert command("doctor", file, "--photographs", folder) == 0
    assert f"pronotum fix {file} --photographs {folder} --findings" in capsys.readouterr().out
    assert command("fix", file, "--findings", "doctor/findings.json", "--apply", 1, "-o", "fixed.tps") == 2
    assert "the size of the photograph of mandible_left_001.jpg (ID=1) is not known" in capsys.readouterr().err
    assert not (tmp_path / "fixed.tps").exists()


def test_a_training_warns_goes_on_and_notes_it(command, upside_down, tmp_path, capsys):
    folder, _ = upside_down
    steps = [word for name, value in STEPS.items() for word in ("--set", f"{name}={value}")]
    assert command("train", folder, "-o", tmp_path / "run", "--json", *steps) == 0
    said = capsys.readouterr()
    assert "WARNING: the landmark file seems to be read the wrong way" in said.err
    (warning,) = json.loads(said.out)["warnings"]
    assert [event["what"] for event in Run(tmp_path / "run").read_events("warning")] == [warning]
    assert command("model", "show", tmp_path / "run") == 0
    assert f"note: Of the data learnt from: {warning}." in capsys.readouterr().out


def test_a_reproduction_of_the_paper_says_it_of_each_part(command, upside_down, tmp_path, capsys):
    folder, _ = upside_down
    assert command("reproduce", folder.parent, "-o", tmp_path / "out", "--rounds", 99) == 2
    said = capsys.readouterr().err
    assert "WARNING: data: the landmark file seems to be read the wrong way: what is around" in said
    assert "99" in said.splitlines()[-1]


def test_a_report_says_it(upside_down):
    data = workflows.look(open_data(upside_down[0]))
    found = workflows.compare(data, data.points, data.points[0])
    assert workflows.remarks(found)[0].startswith("WARNING: the landmark file seems to be read the wrong way")


def test_a_photograph_that_cannot_be_read_is_left_out(upside_down):
    folder, _ = upside_down
    broken = next(folder.rglob("*_003.jpg"))
    broken.write_bytes(broken.read_bytes()[:2000])
    found = misread.examine(open_data(folder))
    assert (found.reading, found.specimens) == ("flip y", 9)
