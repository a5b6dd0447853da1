"""Landmark files of every format come in and go out, with the right y, and what gets lost is said."""

import contextlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the desk needs pronotum[web]")
from starlette.testclient import TestClient

from pronotum import cli_desk, formats, schemes
from pronotum.desk import intake
from pronotum.desk.security import Gate
from pronotum.desk.server import Desk, application
from pronotum.desk.states import Edit
from pronotum.errors import UserError
from pronotum.formats import one_each, tps
from pronotum.landmarks import Landmarks, Scheme
from pronotum.project import Project

HOME = "http://127.0.0.1:8421"
SIZES = {"a.png": (64, 48), "b.png": (30, 90)}
POINTS = {"a.png": [[10.25, 5.5], [60, 40], [33, 47]], "b.png": [[1, 80.5], [np.nan] * 2, [29, 2]]}
WRITABLE = [name for name in formats.names() if formats.named(name).write]
GIVEN = [Landmarks(points, image, str(n), 0.5) for n, (image, points) in enumerate(POINTS.items(), 1)]


@pytest.fixture
def folder(tmp_path):
    """Two photographs of different heights, the second turned until EXIF is obeyed."""
    folder = tmp_path / "wings"
    folder.mkdir()
    Image.new("RGB", SIZES["a.png"], "white").save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (90, 30), "white").save(folder / "b.png", exif=exif)
    return folder


@pytest.fixture
def open_desk(opened):
    """Open projects in a desk; gives what a browser with the link asks."""
    with contextlib.ExitStack() as stack:

        def new(folder):
            desk = Desk(opened(folder), Project())
            app = application(desk, Gate(port=8421, token="secret"))
            client = stack.enter_context(contextlib.closing(TestClient(app, HOME, headers={"origin": HOME})))
            client.get("/?token=secret")
            return client

        yield new


def upload(client, path, **fields):
    return client.post("/api/upload", files={"file": (path.name, path.read_bytes())}, data=fields)


def without_own_ids(kind, specimens):
    """Files of Le et al. have IDs in the names of photographs alone."""
    return [replace(one, id="") for one in specimens] if kind.name == "ebnet-csv" else specimens


def written(tmp_path, kind, specimens):
    """Files of a format, as somebody has them elsewhere."""
    place = tmp_path / "elsewhere" / ("files" if kind.file_name else f"mine{kind.suffixes[0]}")
    place.parent.mkdir(exist_ok=True)
    specimens = without_own_ids(kind, specimens)
    formats.save(place, specimens, SIZES, name=kind.name)
    return one_each.places(kind, place, specimens)


def landmarks(folder):
    return {one.image: one for one in tps.load(folder / "landmarks.tps", SIZES)}


def check_points(found, atol):
    assert set(found) == set(POINTS)
    for image, points in POINTS.items():
        np.testing.assert_allclose(found[image].points, points, rtol=0, atol=atol)


@pytest.mark.parametrize("name", WRITABLE)
def test_every_format_becomes_the_project_s_tps_file(name, folder, tmp_path, open_desk):
    client, kind = open_desk(folder), formats.named(name)
    for path in written(tmp_path, kind, GIVEN):
        answer = upload(client, path).json()
        assert answer["refused"] == []
        assert (answer["arrived"][0]["name"], answer["arrived"][0]["read_as"]) == (path.name, name)
    check_points(landmarks(folder), max(kind.precision, 2e-5))
    assert client.get("/api/project").json()["counts"]["accepted"] == 2
    assert sorted(one.name for one in folder.iterdir()) == [".desk", "a.png", "b.png", "landmarks.tps"]
    assert sorted(one.name for one in (folder / ".desk").iterdir() if one.is_dir()) == []


@pytest.mark.parametrize("name", WRITABLE)
def test_landmarks_go_out_in_every_format(name, folder, tmp_path, open_desk):
    tps.save(folder / "landmarks.tps", GIVEN, SIZES)
    client, kind = open_desk(folder), formats.named(name)
    told = client.get(f"/api/export/{name}").json()
    answer = client.get(f"/api/download/as/{name}")
    assert answer.headers["content-disposition"] == f"attachment; filename={told['file']}"
    out = tmp_path / "out"
    out.mkdir()
    if kind.file_name:
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(out)
    else:
        (out / told["file"]).write_bytes(answer.content)
    found = [one for path in sorted(out.iterdir()) for one in formats.load(path, SIZES, name=name)]
    check_points({f"{PurePosixPath(one.image).stem}.png": one for one in found}, max(kind.precision, 2e-5))
    assert any("scales of 2 specimens" in remark for remark in told["remarks"]) is ("scale" not in kind.keeps)


def test_names_of_landmarks_become_the_scheme(folder, tmp_path, open_desk):
    names = ("tip", "left", "right")
    (path,) = written(tmp_path, formats.named("tidy-csv"), [replace(one, names=names) for one in GIVEN])
    (arrived,) = upload(open_desk(folder), path).json()["arrived"]
    assert arrived["remarks"] == ["the names of the landmarks are the scheme now"]
    assert schemes.read(folder / "scheme.toml").names == names
    assert landmarks(folder)["a.png"].scale == 0.5


def test_landmarks_in_another_order_than_the_scheme_are_refused(folder, tmp_path, open_desk):
    schemes.write(folder / "scheme.toml", Scheme(("tip", "left", "right")))
    others = [replace(one, names=("left", "tip", "right")) for one in GIVEN]
    (path,) = written(tmp_path, formats.named("tidy-csv"), others)
    answer = upload(open_desk(folder), path)
    assert answer.status_code == 422
    assert answer.json()["refused"] == [
        "mine.csv, a.png (ID=1): landmarks named left, tip, right; expected tip, left, right as in the scheme; "
        "write the names into the scheme in the order of the file"
    ]
    assert not (folder / "landmarks.tps").exists()


def test_what_is_here_is_kept_and_the_rest_comes_with_all_it_has(folder, tmp_path, open_desk):
    mine = Landmarks(np.array(POINTS["a.png"]) / 2, "a.png", "2")
    tps.save(folder / "landmarks.tps", [mine], SIZES)
    before = (folder / "landmarks.tps").read_text()
    curve = np.array([[1, 2], [3.5, 4]])
    given = [replace(one, curves=(curve,)) for one in GIVEN]
    (path,) = written(tmp_path, formats.named("tps"), given)
    client = open_desk(folder)
    (arrived,) = upload(client, path).json()["arrived"]
    assert arrived["taken"] == 1
    assert arrived["remarks"] == [
        "a.png (ID=1): has landmarks here already; yours were kept",
        "IDs of 1 specimen (2, for example): the project keeps its own",  # which another specimen has
    ]
    assert (folder / "landmarks.tps").read_text().startswith(before)
    taken = landmarks(folder)["b.png"]
    assert (taken.id, taken.scale) == ("3", 0.5)
    np.testing.assert_allclose(taken.curves[0], curve, atol=1e-5)
    again = landmarks(folder)
    assert upload(client, path).json()["arrived"][0]["taken"] == 0
    assert set(again) == set(landmarks(folder))


def test_a_file_that_would_not_fit_as_a_whole_changes_nothing(folder, tmp_path, open_desk):
    tps.save(folder / "landmarks.tps", [GIVEN[0]], SIZES)
    before = (folder / "landmarks.tps").read_bytes()
    given = [replace(GIVEN[1], points=[[1, 1]] * 4), Landmarks([[1, 1]] * 3, "c.png", "7")]
    tps.save(tmp_path / "x.tps", given, lambda name: (64, 48))
    answer = upload(open_desk(folder), tmp_path / "x.tps")
    assert answer.status_code == 422
    assert "4 landmarks; expected 3 as in the scheme" in answer.json()["refused"][0]
    assert (folder / "landmarks.tps").read_bytes() == before
    assert not (folder / ".desk" / "journal.jsonl").exists()


def test_photographs_come_first(folder, tmp_path, open_desk):
    (path,) = written(tmp_path, formats.named("coco"), GIVEN)
    photograph = (folder / "b.png").read_bytes()
    for image in ("a.png", "b.png"):
        (folder / image).unlink()
    client = open_desk(folder)
    answer = upload(client, path)
    assert answer.status_code == 422
    assert "2 specimens, and not one photograph of them here" in answer.json()["refused"][0]
    assert "drop the photographs first" in answer.json()["refused"][0]
    (folder / "b.png").write_bytes(photograph)
    client.post("/api/rescan")
    (arrived,) = upload(client, path).json()["arrived"]
    assert (arrived["taken"], arrived["remarks"][0]) == (
        1,
        "a.png (ID=1): photograph 'a.png' not found; put it beside the landmark file or below",
    )
    np.testing.assert_allclose(landmarks(folder)["b.png"].points, POINTS["b.png"], atol=2e-5)


def test_a_file_that_does_not_tell_asks_for_its_format(folder, tmp_path, open_desk):
    path = tmp_path / "table.csv"
    path.write_text("image,id,apex.X,apex.Y\na.png,1,10,20\n")
    client = open_desk(folder)
    (said,) = upload(client, path).json()["refused"]
    assert said.startswith("table.csv: several formats end in .csv, and the content does not tell which; if it holds")
    (said,) = upload(client, path, format="csv").json()["refused"]
    assert said.startswith("table.csv:1: nothing that says from which edge y counts; expected a column origin")
    (said,) = upload(client, path, format="cvs").json()["refused"]
    assert "did you mean 'csv'" in said
    path.write_text("image,id,apex.X,apex.Y,origin\na.png,1,10,20,top-left\n")
    assert upload(client, path, format="csv").json()["arrived"][0]["taken"] == 1
    assert landmarks(folder)["a.png"].points.tolist() == [[10, 20]]


def test_a_landmark_file_may_not_be_longer_than_is_read_at_once(folder, tmp_path, open_desk, monkeypatch):
    monkeypatch.setattr(intake, "MAX_LANDMARK_BYTES", 100)
    (path,) = written(tmp_path, formats.named("tidy-csv"), GIVEN)
    assert "expected at most 0 MB" in upload(open_desk(folder), path).json()["refused"][0]
    assert not (folder / "landmarks.tps").exists()


def test_exports_say_what_they_leave_out(folder, open_desk):
    away = Landmarks([[1, -2], [3, -4], [5, -6]], "away.png", "9")  # its height is not known: counted from the bottom
    tps.save(folder / "landmarks.tps", [*GIVEN, away], SIZES)
    client = open_desk(folder)
    remarks = client.get("/api/export/coco").json()["remarks"]
    assert "left out: 1 specimen whose photographs are not here (away.png (ID=9))" in remarks
    assert not [one for one in client.get("/api/export/csv").json()["remarks"] if "left out" in one]
    for name, said in (("sleap", "can only be read"), ("x", "unknown format")):
        for path in ("export", "download/as"):
            answer = client.get(f"/api/{path}/{name}")
            assert (answer.status_code, said in answer.json()["error"]) == (422, True)


def test_names_of_the_scheme_go_out(folder, open_desk):
    tps.save(folder / "landmarks.tps", GIVEN, SIZES)
    schemes.write(folder / "scheme.toml", Scheme(("tip", "left", "right")))
    found = json.loads(open_desk(folder).get("/api/download/as/coco").content)
    assert found["categories"][0]["keypoints"] == ["tip", "left", "right"]


def test_nothing_to_export_is_said(folder, open_desk):
    answer = open_desk(folder).get("/api/export/csv")
    assert (answer.status_code, "none yet" in answer.json()["error"]) == (422, True)


def prepare(folder, **options):
    opened, _, listening = cli_desk.prepare(folder, **options)
    listening.close()
    opened.close()
    return opened


@pytest.mark.parametrize("name", [name for name in WRITABLE if name != "tps"])
def test_a_folder_with_another_landmark_file_opens_with_its_landmarks(name, folder):
    kind = formats.named(name)
    target = folder if kind.file_name else folder / f"mine{kind.suffixes[0]}"
    for path in one_each.places(kind, target, GIVEN):
        one = [specimen for specimen in GIVEN if not kind.file_name or kind.file_name(specimen) in path.name]
        formats.save(path, without_own_ids(kind, one), SIZES, name=name)
    opened = prepare(folder)
    check_points(landmarks(folder), max(kind.precision, 2e-5))
    (told,) = opened.taken_in
    assert (told.taken, told.read_as) == (2, name)
    before = (folder / "landmarks.tps").read_bytes()
    assert prepare(folder).taken_in == []  # from now on that is the landmark file
    assert (folder / "landmarks.tps").read_bytes() == before


def test_several_landmark_files_in_the_folder_need_a_choice(folder):
    for name in ("one.csv", "two.csv"):
        formats.save(folder / name, GIVEN, name="tidy-csv")
    expected = (
        r"2 landmark files \(one.csv, two.csv\); expected one; write .* \(pronotum convert one.csv landmarks.tps\)"
    )
    with pytest.raises(UserError, match=expected):
        cli_desk.prepare(folder)
    assert not (folder / "landmarks.tps").exists()


def test_a_broken_landmark_file_in_the_folder_is_named(folder):
    (folder / "mine.csv").write_text("image,id,landmark,x,y\na.png,1,1,zwei,3\n")
    with pytest.raises(UserError, match=r"mine\.csv:2: 'zwei'"):
        cli_desk.prepare(folder)
    assert not (folder / "landmarks.tps").exists()


def test_the_format_of_a_file_in_the_folder_can_be_named(folder):
    (folder / "mine.csv").write_text("Image,x,y\na.png,10,20\n")
    (folder / "other.json").write_text("{}")
    (told,) = prepare(folder, form="ebnet-csv").taken_in
    assert (told.name, told.taken, told.read_as) == ("mine.csv", 1, "ebnet-csv")
    assert landmarks(folder)["a.png"].points.tolist() == [[10, 20]]


def test_landmarks_of_other_photographs_and_predictions_are_not_taken(folder):
    formats.save(folder / "predictions.fcsv", GIVEN[:1])
    assert prepare(folder).taken_in == []
    formats.save(folder / "mine.csv", [replace(GIVEN[0], image="x.png")], name="tidy-csv")
    (told,) = prepare(folder).taken_in
    assert told.taken == 0
    assert told.remarks[0].startswith("none of its photographs (x.png ...) is in the folder")
    assert not (folder / "landmarks.tps").exists()


def test_looking_into_the_folder_again_finds_a_landmark_file(folder, open_desk):
    client = open_desk(folder)
    formats.save(folder / "mine.csv", GIVEN, SIZES, name="csv")
    told = client.post("/api/rescan").json()
    assert told["taken_in"][0]["taken"] == 2
    assert told["counts"]["accepted"] == 2


def test_landmarks_here_are_safe_from_a_file_that_is_put_beside_them(folder, open_desk, opened):
    client = open_desk(folder)
    client.post("/api/scheme", json={"names": ["a", "b", "c"]})
    place = {"key": "a.png", "revision": 0, "edit": Edit(what="place", landmark=0, x=1, y=2).model_dump()}
    assert client.post("/api/edit", json=place).status_code == 200
    before = (folder / "landmarks.tps").read_bytes()
    formats.save(folder / "mine.csv", GIVEN, SIZES, name="csv")
    assert client.post("/api/rescan").json()["taken_in"] == []
    assert (folder / "landmarks.tps").read_bytes() == before
