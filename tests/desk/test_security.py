"""Who may talk to the desk. Each attack is tried against the real application."""

import contextlib
import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the desk needs pronotum[web]")
from starlette.testclient import TestClient

from pronotum.desk import intake, security
from pronotum.desk.security import Gate
from pronotum.desk.server import Desk, application
from pronotum.errors import UserError
from pronotum.project import Project

HOME = "http://127.0.0.1:8421"
OWN = {"origin": HOME}


@pytest.fixture
def gate():
    return Gate(port=8421, token="secret", max_bytes=200_000)


@pytest.fixture
def desk(digitised, opened):
    desk = Desk(opened(digitised), Project())
    yield desk
    desk.close()


@pytest.fixture
def client(desk, gate):
    with contextlib.closing(TestClient(application(desk, gate), HOME, follow_redirects=False)) as client:
        yield client


@pytest.fixture
def inside(client):
    """A browser that was given the link."""
    assert client.get("/?token=secret").status_code == 303
    return client


def edit(client, **headers):
    body = {"key": "b1.jpg", "revision": 0, "edit": {"what": "place", "landmark": 0, "x": 5, "y": 6}}
    return client.post("/api/edit", json=body, headers=headers)


def test_nothing_is_shown_without_the_token(client):
    for path in (
        "/",
        "/api/project",
        "/static/main.js",
        "/api/tile/0-0-0/b1.jpg",
        "/api/download/landmarks.tps",
        "/api/formats",
        "/api/export/csv",
        "/api/download/as/csv",
    ):
        assert client.get(path).status_code == 403
        assert client.get(path, params={"token": "guess"}).status_code == 403
    assert edit(client, **OWN).status_code == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(client):
    answer = client.get("/?token=secret")
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie == "pronotum-desk-8421=secret; Path=/; HttpOnly; SameSite=Strict"
    assert client.get("/").status_code == 200


def test_the_token_is_long_and_never_the_same():
    tokens = {Gate(port=1).token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize(
    "host", ["evil.example:8421", "127.0.0.1", "127.0.0.1:80", "localhost:8422", "127.0.0.1:8421@evil"]
)
def test_a_name_that_was_made_to_point_here_gets_no_answer(inside, host):
    assert inside.get("/api/project", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    ("told", "header", "known"),
    [
        ("127.0.0.1", "localhost:8421", True),
        ("127.0.0.1", "[::1]:8421", True),
        ("127.0.0.1", "192.168.1.5:8421", False),
        ("0.0.0.0", "192.168.1.5:8421", True),
        ("0.0.0.0", "evil.example:8421", False),
        ("lab.example", "lab.example:8421", True),
    ],
)
def test_which_hosts_are_ours(told, header, known):
    assert Gate(port=8421, host=told).knows_host(header) is known


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:8422", "https://127.0.0.1:8421"]
)
def test_another_page_can_change_nothing(inside, desk, origin):
    headers = {} if origin is None else {"origin": origin}
    assert edit(inside, **headers).status_code == 403
    for path in ("/api/undo", "/api/scheme", "/api/training/start", "/api/upload", "/api/examine"):
        assert inside.post(path, headers=headers).status_code == 403
    assert desk.store.get("b1.jpg").history.revision == 0
    assert edit(inside, **OWN).status_code == 200


def test_another_page_can_read_and_embed_nothing(inside):
    assert inside.get("/api/project", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert inside.get("/api/small/thumbnail/b1.jpg", headers={"sec-fetch-site": "same-site"}).status_code == 403
    assert inside.get("/api/project", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_every_answer_carries_the_headers(inside, client):
    for answer in (inside.get("/"), inside.get("/api/project"), client.get("/none"), inside.get("/api/specimen/none")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "key",
    [
        "../secret.txt",
        "..%2Fsecret.txt",
        "%2e%2e/secret.txt",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "landmarks.tps",
        ".desk/journal.jsonl",
    ],
)
def test_no_path_leaves_the_project(inside, desk, key):
    (desk.store.folder.parent / "secret.txt").write_text("secret")
    for path in (f"/api/specimen/{key}", f"/api/small/thumbnail/{key}", f"/api/tile/0-0-0/{key}"):
        assert inside.get(path).status_code in (404, 422)
    for path in (f"/static/{key}", f"/api/download/{key}"):
        answer = inside.get(path)
        assert answer.status_code in (404, 422) or key == "landmarks.tps"
        assert "secret" not in answer.text.replace(key, "")


def test_a_body_may_not_be_long_whatever_it_announces(inside, monkeypatch):
    long = b" " * (security.PLAIN_BYTES + 1)
    assert inside.post("/api/edit", content=long, headers=OWN).status_code == 413

    def in_pieces():
        for _ in range(10):
            yield b" " * 60_000

    answer = inside.post("/api/edit", content=in_pieces(), headers=OWN)
    assert answer.status_code == 413
    assert inside.post("/api/edit", content=b"{}", headers={**OWN, "content-length": "x"}).status_code in (400, 422)


def upload(client, name, content):
    return client.post("/api/upload", files={"file": (name, content)}, headers=OWN)


def test_an_upload_may_not_be_larger_than_allowed(inside, desk):
    assert upload(inside, "big.jpg", b"x" * 250_000).status_code == 413
    assert not (desk.store.folder / "big.jpg").exists()


def bomb(width, height):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(60_000, 30_000), (100_000, 100_000), (16_000, 16_000)])
def test_a_picture_that_would_fill_the_memory_is_refused_unread(inside, desk, width, height):
    answer = upload(inside, "bomb.png", bomb(width, height))
    assert answer.status_code == 422
    assert f"{width} x {height} px" in answer.json()["refused"][0]
    assert not list(desk.store.folder.glob("*bomb*"))
    assert not [one for one in (desk.store.folder / ".desk").iterdir() if one.suffix == ".png"]


def test_damaged_and_foreign_files_are_refused(inside, desk):
    before = sorted(one.name for one in desk.store.folder.iterdir())
    for name, content, why in [
        ("a.exe", b"MZ", "a file of another kind"),
        ("a.jpg", b"<html>", "not an image"),
        ("a.html", b"<script>", "a file of another kind"),
        ("a.tps", b"LM=2\n1 1\n", "a.tps"),
        ("a.json", b"{" * 100_000, "a.json: several formats end in .json, and the content does not tell which"),
        ("a.zip", zipped(), "a.zip"),
        ("a.slp", b"\x89HDF\r\n\x1a\n" + bytes(500), "a.slp"),
        ("a.pts", b"version: 1\nn_points: 9\n{\n1 1\n}\n", "a.pts"),
        (".desk", b"", "a file of another kind"),
        ("b1.jpg", picture(), "another photograph of this name"),
    ]:
        answer = upload(inside, name, content)
        assert answer.status_code == 422, name
        assert why in answer.json()["refused"][0]
    assert sorted(one.name for one in desk.store.folder.iterdir()) == before


def zipped():
    """A zip of a few bytes of which one entry claims to be huge."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.roi", bytes(50_000_000))
    return buffer.getvalue()


def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/evil.jpg", "evil.jpg"),
        (r"C:\Users\anna\wing 1.JPG", "wing 1.JPG"),
        ("a\0b<c>.png", "a_b_c_.png"),
        ("..hidden.jpg", "hidden.jpg"),
        ("con.jpg", "con_.jpg"),
        ("Käfer (links).tif", "Käfer (links).tif"),
        ("x" * 300 + ".jpg", "x" * 100 + ".jpg"),
        ("y" * 300 + ".MRK.json", "y" * 100 + ".MRK.json"),
        ("../b1.csv", "b1.csv"),
    ],
)
def test_names_are_made_safe(sent, kept):
    assert intake.safe_name(sent) == kept


@pytest.mark.parametrize("sent", ["", ".jpg", "..", "a", "a.svg", "...jpg"])
def test_names_of_which_nothing_is_left_are_refused(sent):
    with pytest.raises(UserError, match="a file of another kind"):
        intake.safe_name(sent)


def test_an_upload_stays_in_the_project(inside, desk):
    answer = upload(inside, "../../new.jpg", picture())
    assert answer.json() == {
        "arrived": [{"name": "new.jpg", "kind": "photograph", "remarks": [], "taken": 0, "read_as": ""}],
        "refused": [],
    }
    assert (desk.store.folder / "new.jpg").exists()
    assert desk.store.get("new.jpg").size == (40, 30)


def test_two_desks_do_not_share_a_cookie():
    assert Gate(port=8421).cookie != Gate(port=8422).cookie


def test_it_listens_on_this_computer_alone_unless_told(digitised):
    from pronotum import cli_desk

    opened, gate, listening = cli_desk.prepare(digitised)
    with contextlib.closing(listening), contextlib.closing(opened):
        assert listening.getsockname()[0] == "127.0.0.1"
        assert gate.url.startswith(f"http://127.0.0.1:{listening.getsockname()[1]}/?token=")
