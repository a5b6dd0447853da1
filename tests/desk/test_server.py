"""The desk over HTTP, without a browser."""

import contextlib
import csv
import io

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the desk needs pronotum[web]")
from starlette.testclient import TestClient

from pronotum import schemes
from pronotum.desk import answers
from pronotum.desk.security import Gate
from pronotum.desk.server import STATIC, Desk, application
from pronotum.project import Project

HOME = "http://127.0.0.1:8421"


@pytest.fixture
def desk(digitised, opened):
    desk = Desk(opened(digitised), Project())
    yield desk
    desk.close()


@pytest.fixture
def client(desk):
    gate = Gate(port=8421, token="secret")
    with contextlib.closing(TestClient(application(desk, gate), HOME, headers={"origin": HOME})) as client:
        client.get("/?token=secret")
        yield client


def predict(desk, key, training="0001"):
    """As if a training had placed all landmarks of a photograph at (50, 60)."""
    answer = answers.Answer(np.full((8, 2), [50.0, 60.0]), np.full(8, 2.5), np.full(8, 0.5), ("turned",), 1.2)
    desk.trainings.answers = answers.Answers(training, {key: answer})
    desk.trainings._image_of = {key: key}


def test_the_page_and_everything_it_asks_for_is_there(client):
    page = client.get("/").text
    assert 'src="/static/main.js"' in page
    for path in STATIC.rglob("*.*"):
        assert client.get(f"/static/{path.relative_to(STATIC)}").status_code == 200
        text = path.read_text()
        assert "https://" not in text  # nothing is fetched from elsewhere
        assert "innerHTML" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_project_and_specimens(client, desk):
    project = client.get("/api/project").json()
    assert project["counts"] == {"accepted": 2, "begun": 0, "predicted": 0, "new": 1}
    assert project["scheme"]["names"] == [str(number) for number in range(1, 9)]
    assert np.shape(project["mean"]) == (8, 2)
    predict(desk, "b3.jpg")
    listed = client.get("/api/specimens").json()
    assert [one["status"] for one in listed["specimens"]] == ["accepted", "accepted", "predicted"]
    assert listed["queue"] == [{"key": "b3.jpg", "random": False, "why": "turned"}]
    one = client.get("/api/specimen/b3.jpg").json()
    assert one["size"] == [240, 320]
    assert one["prediction"]["radii"] == [2.5] * 8


def test_a_conflict_tells_how_it_is_now(client):
    change = {"key": "b1.jpg", "revision": 0, "edit": {"what": "place", "landmark": 0, "x": 5, "y": 6}}
    first = client.post("/api/edit", json=change).json()
    assert (first["revision"], first["state"]["points"][0]) == (1, [5, 6])
    again = client.post("/api/edit", json=change)
    assert again.status_code == 409
    assert again.json()["specimen"]["revision"] == 1


def test_predictions_that_were_refreshed_meanwhile_are_not_accepted_unseen(client, desk):
    predict(desk, "b3.jpg", "0001")
    accept = {"key": "b3.jpg", "revision": 0, "edit": {"what": "accept", "training": "0001"}}
    predict(desk, "b3.jpg", "0002")
    assert client.post("/api/edit", json=accept).status_code == 409
    accept["edit"]["training"] = "0002"
    done = client.post("/api/edit", json={**accept, "random": True}).json()
    assert done["state"]["points"] == [[50, 60]] * 8
    (entry,) = desk.store.journal.read()[0]
    assert entry.more["training"] == "0002"
    assert entry.more["random"] is True
    assert entry.more["predicted"] == [[50, 60]] * 8


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"names": []}, "names"),
        ({"names": ["a", " a "]}, "the name 'a' twice"),
        ({"names": ["a", " "]}, "a landmark without a name"),
        ({"names": ["a\nb"]}, "a landmark without a name"),
        ({"names": list("abcdefgh"), "pairs": [[0, 8]]}, "a landmark that there is not"),
        ({"names": list("abcdefgh"), "pairs": [[0, 1], [1, 2]]}, "two mirror pairs"),
        ({"names": list("abcdefgh"), "mirror": True}, "neither in a pair nor on the midline"),
        ({"names": list("abcdefg")}, "7 landmarks, and specimens with 8"),
        ({"names": list("abcdefgh"), "reference": "../x"}, "no such specimen"),
    ],
)
def test_schemes_that_cannot_be_are_refused(client, desk, body, said):
    answer = client.post("/api/scheme", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert not (desk.store.folder / "scheme.toml").exists()


def test_a_scheme_is_written_for_every_command(client, desk):
    body = {"names": list("abcdefgh"), "pairs": [[0, 1]], "midline": [2], "reference": "b1.jpg"}
    assert client.post("/api/scheme", json=body).status_code == 200
    found = schemes.read(desk.store.folder / "scheme.toml")
    assert (found.names, found.pairs, found.midline) == (tuple("abcdefgh"), ((0, 1),), (2,))
    assert found.reference == "b1.jpg"


def test_curves_of_a_scheme_survive(client, desk):
    text = 'names = 8\npairs = [["left", "right"]]\n'
    text += "".join(f'[[curves]]\nname = "{side}"\npoints = 3\n' for side in ("left", "right"))
    (desk.store.folder / "scheme.toml").write_text(text)
    client.post("/api/rescan")
    before = desk.store.scheme
    assert client.post("/api/scheme", json={"names": [*"abcdefgh", "new"]}).status_code == 200
    found = schemes.read(desk.store.folder / "scheme.toml")
    assert found.curves == before.curves
    assert found.pairs == tuple((a + 1, b + 1) for a, b in before.pairs)
    assert len(found.names) == 15


def test_the_table_has_every_landmark(client):
    client.post("/api/edit", json={"key": "b1.jpg", "revision": 0, "edit": {"what": "missing", "landmark": 1}})
    rows = list(csv.DictReader(io.StringIO(client.get("/api/download/landmarks.csv").text)))
    assert len(rows) == 16
    expected = ["b1.jpg", "1", "2", "", "", "missing", "yes", "0.01"]
    assert list(rows[1]) == ["image", "id", "landmark", "x", "y", "status", "accepted", "scale"]
    assert list(rows[1].values()) == expected


def test_what_is_not_there_yet_is_told(client):
    for what in ("report.html", "predictions.csv", "journal.jsonl", "passwords"):
        answer = client.get(f"/api/download/{what}")
        assert answer.status_code == 422
        assert "not there yet" in answer.json()["error"]


def test_a_mistake_of_ours_is_told_in_words(desk, monkeypatch):
    monkeypatch.setattr(desk.store, "get", lambda key: 1 / 0)
    app = application(desk, Gate(port=8421, token="secret"))
    with contextlib.closing(TestClient(app, HOME, raise_server_exceptions=False)) as client:
        client.get("/?token=secret")
        answer = client.get("/api/specimen/b1.jpg")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.json()["error"]
