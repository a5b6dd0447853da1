"""Where predictions come from, and whether they come out the same again."""

import hashlib
import io
import json
import re
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pronotum import __version__, demo, formats, inference, landmarking, provenance, unfinished, verification, workflows
from pronotum.errors import UserError
from pronotum.formats import predictions, tps
from pronotum.geometry import flip_y
from pronotum.landmarks import Landmarks, Scheme

SIZE = (160, 120)
TINY = {
    **{f"{stage}_steps": 2 for stage in ("coarse", "fine")},
    **{f"{stage}_epochs": 1 for stage in ("coarse", "fine")},
    **{"model.coarse_widths": "[8,8,8]", "model.coarse_depth": 8, "model.fine_widths": "[8,8]", "model.fine_depth": 8},
}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with six photographs, a model of them and predictions; tests work on copies."""
    folder = tmp_path_factory.mktemp("provenance") / "study"
    data = demo.draw_beetles(folder / "data", "pronotum", n=6, seed=0, size=SIZE)
    workflows.train(data, folder / "run", workflows.TrainOptions(device="cpu", overrides=TINY))
    landmarking.predict(folder / "run", data.photographs, folder / "out", device="cpu", draw=False, scale=0.02)
    return folder


@pytest.fixture
def copy(study, tmp_path):
    """A copy of the study in another place: everything is named from the folder of the predictions."""
    shutil.copytree(study, tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_the_sidecar_names_model_photographs_files_versions_and_settings(study):
    said = json.loads((study / "out" / "predictions.json").read_text())
    config = json.loads((study / "run" / "config.json").read_text())
    model = study / "run" / "model.safetensors"
    assert said["model"] == {
        "path": "../run/model.safetensors",
        "sha256": digest(model),
        "architecture": "heatmap",
        "landmarks": [str(number) for number in range(1, 9)],
        "trained_on": config["data"]["sha256"],
    }
    assert said["settings"] == {"device": "cpu", "strict": False, "scale": 0.02, "missing": "tpsdig", "batch": 4}
    assert said["versions"]["pronotum"] == __version__
    assert {"python", "torch", "numpy", "pillow", "platform"} <= said["versions"].keys()
    assert said["files"] == {name: digest(study / "out" / name) for name in ("predictions.tps", "predictions.csv")}
    assert [one["name"] for one in said["photographs"]] == [f"pronotum_{n:03d}.jpg" for n in range(1, 7)]
    for one in said["photographs"]:
        assert one["sha256"] == digest(study / "data" / "images" / one["name"])
        assert one["path"] == f"../data/images/{one['name']}"
        assert one["size"] == list(SIZE)
        assert [specimen["in_tps"] for specimen in one["specimens"]] == [True]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", said["made"])


def test_a_photograph_that_cannot_be_opened_is_noted_and_one_left_out_too(study, tmp_path, monkeypatch):
    def judge(self, answer):
        return (("strange",), 2.0) if answer.photograph.name == "blank.png" else ((), 0.0)

    monkeypatch.setattr(landmarking.Known, "judge", judge)
    images = tmp_path / "images"
    shutil.copytree(study / "data" / "images", images)
    (images / "broken.jpg").write_bytes(b"no photograph")
    Image.new("RGB", SIZE, "white").save(images / "blank.png")
    landmarking.predict(
        study / "run", sorted(images.iterdir()), tmp_path / "out", device="cpu", draw=False, strict=True
    )
    said = {one.name: one for one in provenance.read(tmp_path / "out").photographs}
    broken = said["broken.jpg"]
    assert (broken.size, broken.specimens) == (None, ())
    assert broken.sha256 == hashlib.sha256(b"no photograph").hexdigest()
    assert [one.in_tps for one in said["blank.png"].specimens] == [False]
    written = {one.image for one in formats.load(tmp_path / "out" / "predictions.tps", lambda name: SIZE)}
    assert written == {name for name, one in said.items() if one.in_tps}
    assert verification.verify(tmp_path / "out", n=None).same


def test_verify_finds_nothing_different(command, copy, capsys):
    assert command("verify", copy / "out", "--all", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["same"]
    assert said["photographs"] == 6
    assert [one["image"] for one in said["predicted_again"]] == [f"pronotum_{n:03d}.jpg" for n in range(1, 7)]
    assert max(one["moved_px"] for one in said["predicted_again"]) < 0.01
    assert command("verify", copy / "out") == 0
    text = capsys.readouterr().out
    assert "photographs: 6 of 6 same" in text
    assert "predicted again on cpu: 1 of 6 photographs" in text
    assert "SAME as far as looked at" in text


def test_a_landmark_moved_by_hand_is_named_with_its_distance(command, copy, capsys):
    file = copy / "out" / "predictions.tps"
    first, *others = formats.load(file, lambda name: SIZE)
    last = others.pop()
    points = last.points.copy()
    points[2] += [3, 4]
    formats.save(file, [first, *others, last.with_points(points)], lambda name: SIZE)
    assert command("verify", copy / "out", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["changed_files"] == ["predictions.tps"]
    assert said["changed_records"] == ["pronotum_006.jpg"]
    (again,) = said["predicted_again"]
    assert (again["image"], again["landmark"]) == ("pronotum_006.jpg", "3")
    assert again["moved_px"] == pytest.approx(5, abs=0.01)
    assert command("verify", copy / "out") == 1
    text = capsys.readouterr().out
    assert "CHANGED landmarks in predictions.tps: pronotum_006.jpg" in text
    assert "DIFFERENT pronotum_006.jpg: landmark 3 by 5 px" in text


def test_of_several_specimens_on_a_photograph_each_is_compared(copy):
    """As a model that finds specimens itself would leave them: the second record of a photograph is one of nobody."""
    file, sidecar = copy / "out" / "predictions.tps", copy / "out" / "predictions.json"
    first, *others = formats.load(file, lambda name: SIZE)
    second = replace(first, id="1b", source=None)
    formats.save(file, [first, second, *others], lambda name: SIZE)
    said = json.loads(sidecar.read_text())
    said["photographs"][0]["specimens"].append({**said["photographs"][0]["specimens"][0], "id": "1b"})
    said["files"]["predictions.tps"] = digest(file)
    sidecar.write_text(json.dumps(said))
    found = verification.verify(copy / "out", n=None)
    assert (found.changed_files, found.changed_records) == ((), ())
    assert [(one.name, one.moved, one.landmark) for one in found.moved] == [("pronotum_001.jpg", np.inf, "")]


def test_a_file_saved_again_by_another_program_has_the_same_landmarks(copy):
    file = copy / "out" / "predictions.tps"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    found = verification.verify(copy / "out", n=None)
    assert (found.changed_files, found.changed_records, found.moved) == (("predictions.tps",), (), ())
    assert not found.same


def test_records_that_went_or_came_are_named(copy):
    file = copy / "out" / "predictions.tps"
    first, *others = formats.load(file, lambda name: SIZE)
    new = replace(first, image="new.jpg", id="7", source=None)
    formats.save(file, [*others, new], {"new.jpg": SIZE})
    found = verification.verify(copy / "out", n=0)
    assert found.changed_records == ("pronotum_001.jpg", "new.jpg")
    assert found.again == ()


def test_a_landmark_deleted_by_hand_is_infinitely_far(command, copy, capsys):
    file = copy / "out" / "predictions.tps"
    first, *others = formats.load(file, lambda name: SIZE)
    points = first.points.copy()
    points[4] = np.nan
    formats.save(file, [first.with_points(points), *others], lambda name: SIZE)
    assert command("verify", copy / "out", "--json") == 1
    (again,) = json.loads(capsys.readouterr().out)["predicted_again"]
    assert again == {"image": "pronotum_001.jpg", "moved_px": None, "landmark": "5"}
    assert command("verify", copy / "out") == 1
    assert "landmark 5 is there in one of the two only" in capsys.readouterr().out


def test_a_photograph_that_changed_is_named(command, copy, capsys):
    photograph = copy / "data" / "images" / "pronotum_002.jpg"
    photograph.write_bytes((copy / "data" / "images" / "pronotum_001.jpg").read_bytes())
    assert command("verify", copy / "out", "--all") == 1
    text = capsys.readouterr().out
    assert "photographs: 5 of 6 same" in text
    assert "CHANGED photographs: pronotum_002.jpg" in text
    assert "5 of 6 photographs" in text


def test_photographs_that_are_not_there_give_2_and_are_found_elsewhere(command, copy, capsys):
    (copy / "data" / "images").rename(copy / "archive")
    assert command("verify", copy / "out") == 2
    text = capsys.readouterr().out
    assert "MISSING photographs: pronotum_001.jpg, " in text
    assert "but not everything is there" in text
    shutil.copytree(copy / "archive", copy / "deeper" / "images")
    assert command("verify", copy / "out", "--photographs", copy, "--all") == 0
    (copy / "archive" / "pronotum_003.jpg").unlink()
    (copy / "deeper" / "images" / "pronotum_003.jpg").unlink()
    assert command("verify", copy / "out", "--photographs", copy) == 2
    assert "MISSING photographs: pronotum_003.jpg\n" in capsys.readouterr().out


def test_another_model_is_told(command, copy, capsys):
    model = copy / "run" / "model.safetensors"
    model.rename(copy / "moved.safetensors")
    assert command("verify", copy / "out") == 2
    assert "name its folder or its file with --run" in capsys.readouterr().err
    assert command("verify", copy / "out", "--run", copy / "moved.safetensors") == 0
    data = workflows.check(copy / "data")
    workflows.train(data, copy / "other", workflows.TrainOptions(device="cpu", seed=5, overrides=TINY))
    assert command("verify", copy / "out", "--run", copy / "other") == 1
    assert "NOT the one that made these predictions" in capsys.readouterr().out


def test_a_model_of_other_landmarks_is_refused(copy, study):
    said = json.loads((copy / "out" / "predictions.json").read_text())
    said["model"]["landmarks"] = ["a", "b"]
    (copy / "out" / "predictions.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match="a model of 8 landmarks; expected 2 as in the predictions"):
        verification.verify(copy / "out")


def test_files_that_are_not_there(command, copy, capsys):
    (copy / "out" / "predictions.csv").unlink()
    assert command("verify", copy / "out") == 2
    assert "MISSING files: predictions.csv" in capsys.readouterr().out
    (copy / "out" / "predictions.tps").unlink()
    assert command("verify", copy / "out") == 2
    assert "predictions.tps: cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be opened .*; expected the folder of a pronotum predict"),
        ("{", "no JSON: Invalid JSON"),
        ("{}", "made: Field required"),
        ('{"format_version": 2}', "format_version: Input should be 1"),
    ],
)
def test_a_missing_or_damaged_sidecar_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "predictions.json").write_text(content)
    with pytest.raises(UserError, match=message):
        verification.verify(tmp_path)


def test_on_another_kind_of_device_more_may_differ_and_versions_are_told(copy, monkeypatch):
    said = json.loads((copy / "out" / "predictions.json").read_text())
    said["settings"]["device"] = "cuda"
    said["versions"]["torch"] = "1.0"
    (copy / "out" / "predictions.json").write_text(json.dumps(said))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = verification.verify(copy / "out")
    assert (found.device, found.tolerance) == ("cpu", 0.5)
    assert found.versions["torch"][0] == "1.0"
    assert found.same


def test_a_prediction_that_fails_leaves_everything_as_it_was(copy, monkeypatch):
    before = {path.name: path.read_bytes() for path in (copy / "out").iterdir()}

    def fail(*args, **options):
        yield next(predict(*args, **options))
        raise RuntimeError

    predict = inference.predict
    monkeypatch.setattr(inference, "predict", fail)
    photographs = sorted((copy / "data" / "images").iterdir())
    with pytest.raises(RuntimeError):
        landmarking.predict(copy / "run", photographs, copy / "out", device="cpu", draw=False)
    after = {path.name: path.read_bytes() for path in (copy / "out").iterdir()}
    assert after.pop(unfinished.NAME)  # from where the same command goes on
    assert after == before


@pytest.mark.parametrize(("style", "line"), [("tpsdig", "-1.00000 -1.00000"), ("geomorph", "NA NA")])
def test_a_landmark_without_a_place_is_written_as_asked(command, copy, monkeypatch, style, line):
    def blind(*args, **options):
        for answer in predict(*args, **options):
            points = answer.points.copy()
            points[3] = np.nan
            yield replace(answer, points=points)

    predict = inference.predict
    monkeypatch.setattr(inference, "predict", blind)
    out, images = copy / "again", copy / "data" / "images"
    command("predict", copy / "run", images, "-o", out, "--no-overlays", "--device", "cpu", "--missing", style)
    text = (out / "predictions.tps").read_text()
    assert text.count(line) == 6
    assert text.splitlines()[4] == line
    assert provenance.read(out).settings.missing == style
    assert verification.verify(out, n=None).same


def test_another_style_is_refused(command, copy, capsys):
    images = copy / "data" / "images"
    assert command("predict", copy / "run", images, "-o", copy / "again", "--missing", "geomorf") == 2
    assert "error: --missing: 'geomorf'; did you mean 'geomorph'?" in capsys.readouterr().err
    assert not (copy / "again").exists()


@given(
    st.lists(
        st.one_of(
            st.just((np.nan, np.nan)), st.just((-1.0, -1.0)), st.tuples(*[st.floats(-20, 5000, allow_nan=False)] * 2)
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["tpsdig", "geomorph"]),
)
def test_coordinates_are_the_same_after_a_tps_file(up, style):
    specimen = Landmarks(flip_y(np.array(up), None), image="a.jpg", id="1")
    record = tps.parse_file(tps.render(specimen, None, style).encode()).records[0]
    assert provenance.digest_of(record.points) == provenance.digest_of(flip_y(specimen.points, None))


def test_digests_come_in_order_and_those_of_missing_files_are_empty(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(30)]
    for path in paths:
        path.write_bytes(path.name.encode() * 1000)
    paths[7].unlink()
    expected = ["" if path == paths[7] else digest(path) for path in paths]
    assert list(provenance.all_sha256(paths)) == expected


def test_memory_does_not_grow_with_the_photographs(tmp_path):
    model = provenance.Model(path="m", sha256="0" * 64, architecture="heatmap", landmarks=("1",))
    settings = provenance.Settings(device="cpu", strict=False, scale=None, missing="tpsdig", batch=4)
    answer = predictions.Row(Landmarks([[1, 2]], image="a.jpg", id="1"), SIZE, np.ones(1), np.ones(1), np.ones((1, 3)))
    n = 5000
    with (tmp_path / "predictions.json").open("w") as file:
        record = provenance.Record(file, provenance.head(model, settings))
        tracemalloc.start()
        for number in range(n):
            record.add(provenance.photograph(f"{number}.jpg", f"{number}.jpg", "0" * 64, [answer], strict=False))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        record.finish({})
    found = provenance.read(tmp_path)
    assert [one.name for one in found.photographs] == [f"{number}.jpg" for number in range(n)]
    assert peak < 300_000  # 60 bytes per photograph; each is 300 in the file


def test_a_record_without_photographs_can_be_read():
    model = provenance.Model(path="m", sha256="0" * 64, architecture="heatmap", landmarks=("1",))
    settings = provenance.Settings(device="cpu", strict=False, scale=None, missing="tpsdig", batch=4)
    file = io.StringIO()
    provenance.Record(file, provenance.head(model, settings)).finish({})
    assert provenance.Provenance.model_validate_json(file.getvalue()).photographs == ()


def test_the_csv_has_mm_only_with_a_scale(tmp_path):
    for scale, expected in ((0.5, "1.00000"), (None, "")):
        specimen = Landmarks([[1, 2]], image="a.jpg", id="1", scale=scale)
        row = predictions.Row(specimen, SIZE, np.ones(1), np.ones(1), np.full((1, 3), 2.0))
        predictions.write(tmp_path / "a.tps", tmp_path / "a.csv", [row], Scheme(("1",)))
        head, line = (tmp_path / "a.csv").read_text().splitlines()
        assert dict(zip(head.split(","), line.split(","), strict=True))["radius_90_mm"] == expected
