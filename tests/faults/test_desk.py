"""The desk under attack, under load and after any sequence of requests."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from PIL import Image

pytest.importorskip("starlette", reason="the desk needs pronotum[web]")
from starlette.testclient import TestClient

from pronotum.desk import security
from pronotum.desk.security import Gate
from pronotum.desk.server import Desk, application
from pronotum.desk.serving import server
from pronotum.desk.store import Store
from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.project import Project

from .conftest import FULL

SIZE, K = (64, 48), 3
HOME = "http://127.0.0.1:8421"


def project(folder: Path, n: int = 3) -> Path:
    """Photographs, of which the first has landmarks."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, n + 1):
        Image.new("RGB", SIZE, (number, 90, 60)).save(folder / f"b{number}.png")
    first = Landmarks(np.array([[10.0, 10.0], [20.0, 30.0], [40.0, 20.0]]), image="b1.png", id="1")
    tps.save(folder / "landmarks.tps", [first], lambda name: SIZE)
    return folder


class Served:
    """A desk on a port of its own, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(Store(folder, "me"), Project())
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen(256)  # who asks before the server is ready waits for it
        self.port = self.listening.getsockname()[1]
        self.gate = Gate(port=self.port, token="secret", max_bytes=2_000_000)
        self.server = server(application(self.desk, self.gate))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        self.thread.start()
        self.headers = {
            "host": f"127.0.0.1:{self.port}",
            "origin": f"http://127.0.0.1:{self.port}",
            "cookie": f"{self.gate.cookie}=secret",
        }

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            sent = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, sent, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def raw(self, *parts: bytes, wait: float = 60.0) -> bytes:
        """Send these bytes as they are, and read until the desk has nothing more to say."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            with contextlib.suppress(OSError):
                for part in parts:
                    connection.sendall(part)
            found = b""
            with contextlib.suppress(OSError):
                while b"\r\n\r\n" not in found and (piece := connection.recv(65_536)):
                    found += piece
            return found

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        self.listening.close()


@pytest.fixture
def served(tmp_path) -> Iterator[Served]:
    (tmp_path / "secret.txt").write_text("the secret")
    desk = Served(project(tmp_path / "wings"))
    yield desk
    desk.close()


TRAVERSALS = (
    *("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "..%5csecret.txt"),
    *("..%252fsecret.txt", "....//secret.txt", "%c0%ae%c0%ae/secret.txt", "..;/secret.txt", "/etc/passwd"),
    *("%00", "b1.png%00.txt", "b1.png/../../secret.txt", "~/secret.txt", "file:///etc/passwd", "\\..\\secret.txt"),
    *(".desk/journal.jsonl", ".desk/../../secret.txt", "a" * 5000),
)


def test_no_path_leaves_the_project(served, note):
    places = ("/", "/static/", "/api/specimen/", "/api/tile/0-0-0/", "/api/small/thumbnail/", "/api/download/")
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers.items())
    for place in places:
        for path in TRAVERSALS:
            answer = served.raw(f"GET {place}{path} HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode())
            assert answer.split(b" ")[1] in (b"400", b"404", b"405", b"414", b"422", b"431"), (
                place,
                path,
                answer[:300],
            )
            assert b"the secret" not in answer
            assert b"root:" not in answer
    assert served.ask("GET", "/api/project")[0] == 200
    note(len(places) * len(TRAVERSALS), "paths that lead out of the project")


def test_what_is_no_request_at_all_is_survived(served, note):
    garbage = [bytes([n]) * 300 for n in (0, 10, 65, 255)]
    garbage += [b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n"]
    garbage += [b"GET / HTTP/1.1\r\nhost: " + b"a" * 200_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
    garbage += [b"POST /api/edit HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nzzz\r\n"]
    for content in garbage:
        answer = served.raw(content + b"\r\n\r\n")
        assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 421", b"HTTP/1.1 431"), answer[:100]
    assert served.ask("GET", "/api/project")[0] == 200
    note(len(garbage), "requests that are none")


def test_strangers_change_nothing(served, note):
    edit = {"key": "b1.png", "revision": 0, "edit": {"what": "place", "landmark": 0, "x": 5, "y": 6}}
    strange = [
        {"host": "evil.example"},
        {"host": f"evil.example:{served.port}"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost.evil.example:{served.port}"},
        {"cookie": ""},
        {"cookie": f"{served.gate.cookie}=guess"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ]
    paths = (
        "/api/edit",
        "/api/undo",
        "/api/scheme",
        "/api/rescan",
        "/api/upload",
        "/api/examine",
        "/api/training/start",
    )
    for headers in strange:
        for path in paths:
            assert served.ask("POST", path, edit, **headers)[0] in (403, 421), (headers, path)
    assert served.desk.store.get("b1.png").history.revision == 0
    note(len(strange) * len(paths), "requests of strangers: cross-site, wrong Host, no token")


def test_uploads_without_end_are_cut_off(served, note):
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers.items())
    kind = "content-type: multipart/form-data; boundary=x\r\n"
    part = b"--x\r\ncontent-disposition: form-data; name=file; filename=a.png\r\n\r\n"
    chunk = b"%x\r\n" % 65_536 + bytes(65_536) + b"\r\n"
    announced = f"POST /api/upload HTTP/1.1\r\n{head}{kind}content-length: 99999999999\r\n\r\n".encode()
    endless = f"POST /api/upload HTTP/1.1\r\n{head}{kind}transfer-encoding: chunked\r\n\r\n".encode()
    first = b"%x\r\n%s\r\n" % (len(part), part)
    assert b" 413 " in served.raw(announced, part)[:20]
    assert served.raw(endless, first, *[chunk] * 200)[:13] in (b"", b"HTTP/1.1 413 ")
    assert served.raw(endless.replace(b"upload", b"edit"), *[chunk] * 200)[:13] in (b"", b"HTTP/1.1 413 ")
    fields = (
        b"".join(b"--x\r\ncontent-disposition: form-data; name=f%d\r\n\r\nv\r\n" % n for n in range(5000)) + b"--x--"
    )
    many = f"POST /api/upload HTTP/1.1\r\n{head}{kind}content-length: {len(fields)}\r\n\r\n".encode()
    assert b" 4" in served.raw(many, fields)[:12]
    assert sorted(one.name for one in served.desk.store.folder.iterdir() if one.name[0] != ".") == [
        *("b1.png", "b2.png", "b3.png", "landmarks.tps")
    ]
    assert not list((served.desk.store.folder / ".desk").glob("*.png"))
    assert served.ask("GET", "/api/project")[0] == 200
    note(4, "uploads without end")


@pytest.mark.finding("A client that began a request and never ended it kept its place in the desk for ever.")
def test_slow_clients_keep_nobody_waiting_and_lose_their_place(served, note, monkeypatch):
    monkeypatch.setattr(security, "PATIENCE_SECONDS", 1.0)
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers.items())
    in_body = f"POST /api/edit HTTP/1.1\r\n{head}content-length: 100\r\n\r\n{{".encode()
    answered = f"GET /api/project HTTP/1.1\r\n{head}\r\n".encode()
    beginnings = {
        "in the body": in_body,
        "in the head": b"GET / HTTP/1.1\r\nho",
        "in the head of the second request": answered,
        "before the first byte": b"",
        "a byte at a time": b"GET / HT",
    }
    with contextlib.ExitStack() as stack:
        slow = {
            kind: [
                stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=120))
                for _ in range(10)
            ]
            for kind in beginnings
        }
        for kind, connections in slow.items():
            for connection in connections:
                connection.sendall(beginnings[kind])
        for connection in slow["in the head of the second request"]:
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET / HTTP/1.1\r\nho")
        assert served.ask("GET", "/api/project")[0] == 200
        for connection in slow["a byte at a time"]:
            stack.callback(drip(connection).join, 60)
        for kind, connections in slow.items():
            for connection in connections:
                answer = everything(connection)
                assert answer.startswith(b"HTTP/1.1 408") if kind == "in the body" else b"HTTP/1.1 2" not in answer
        assert served.ask("GET", "/api/project")[0] == 200
    note(sum(map(len, slow.values())), "clients that do not end their requests")


def everything(connection: socket.socket) -> bytes:
    """What comes until the desk hangs up."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            found += piece
    return found


def drip(connection: socket.socket) -> threading.Thread:
    """Send a letter of a head every tenth of a second, until the desk hangs up."""

    def run() -> None:
        with contextlib.suppress(OSError):
            for _ in range(600):
                connection.sendall(b"h")
                time.sleep(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_200_requests_at_once(served, note):
    """Of changes that are based on the same state one is kept; the others are told, and nothing is lost or mixed."""
    keys = ("b1.png", "b2.png", "b3.png")

    def change(number: int) -> tuple[str, int]:
        key, edit = keys[number % 3], {"what": "place", "landmark": number % K, "x": number / 8 + 0.25, "y": 7}
        return key, served.ask("POST", "/api/edit", {"key": key, "revision": 0, "edit": edit})[0]

    with ThreadPoolExecutor(200) as pool:
        answers = Counter(pool.map(change, range(200)))
    assert sum(answers.values()) == 200
    assert [answers[key, 200] for key in keys] == [1, 1, 1]
    assert {status for _, status in answers} == {200, 409}
    entries, _ = served.desk.store.journal.read()
    assert sorted(entry.specimen for entry in entries) == list(keys)
    assert [entry.n for entry in entries] == [1, 2, 3]
    found = {one.image: one for one in tps.load(served.desk.store.file, lambda name: SIZE)}
    for key in keys:
        specimen = served.desk.store.get(key)
        assert specimen.history.revision == 1
        np.testing.assert_allclose(found[key].points, specimen.state.points, atol=1e-4)
    note(200, "requests at once")


coordinate = st.integers(0, 4 * (min(SIZE) - 1)).map(lambda n: n / 4)
specimens = st.sampled_from(["b1.png", "b2.png", "b3.png"])
landmarks = st.integers(0, K - 1)


class Requests(RuleBasedStateMachine):
    """What the desk must know after any sequence of requests, said in a few lines of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = project(Path(tempfile.mkdtemp()) / "wings")
        self.open()
        one = {"points": [[10, 10], [20, 30], [40, 20]], "missing": [], "accepted": True, "scale": None}
        none = {"points": [None] * K, "missing": [], "accepted": False, "scale": None}
        self.now = {"b1.png": one, "b2.png": none, "b3.png": none}
        self.past: dict[str, list[dict[str, Any]]] = {key: [] for key in self.now}
        self.future: dict[str, list[dict[str, Any]]] = {key: [] for key in self.now}
        self.revision = Counter(dict.fromkeys(self.now, 0))

    def open(self) -> None:
        self.desk = Desk(Store(self.folder, "me"), Project())
        app = application(self.desk, Gate(port=8421, token="secret"))
        self.client = TestClient(app, HOME, headers={"origin": HOME})
        self.client.__enter__()  # one event loop for all requests
        self.client.get("/?token=secret")

    def shut(self) -> None:
        self.client.__exit__(None, None, None)
        self.client.close()

    def teardown(self) -> None:
        self.shut()
        shutil.rmtree(self.folder.parent)

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body)

    def becomes(self, key: str, state: dict[str, Any]) -> None:
        self.past[key].append(self.now[key])
        self.future[key] = []
        self.now[key] = state
        self.revision[key] += 1

    def edit(self, key: str, wanted: dict[str, Any] | None, **edit: Any) -> None:
        """Send an edit that leads to a state; None = it must be refused."""
        answer = self.post("/api/edit", key=key, revision=self.revision[key], edit=edit)
        assert answer.status_code == (200 if wanted else 422), answer.text
        if wanted and wanted != self.now[key]:
            self.becomes(key, wanted)

    @rule(key=specimens, k=landmarks, x=coordinate, y=coordinate)
    def place(self, key: str, k: int, x: float, y: float) -> None:
        now = self.now[key]
        points = [*now["points"][:k], [x, y], *now["points"][k + 1 :]]
        missing = [one for one in now["missing"] if one != k]
        self.edit(key, {**now, "points": points, "missing": missing}, what="place", landmark=k, x=x, y=y)

    @rule(key=specimens, k=landmarks)
    def hide(self, key: str, k: int) -> None:
        now = self.now[key]
        points = [*now["points"][:k], None, *now["points"][k + 1 :]]
        self.edit(key, {**now, "points": points, "missing": sorted({*now["missing"], k})}, what="missing", landmark=k)

    @rule(key=specimens, k=landmarks)
    def clear(self, key: str, k: int) -> None:
        now = self.now[key]
        points = [*now["points"][:k], None, *now["points"][k + 1 :]]
        missing = [one for one in now["missing"] if one != k]
        wanted = {**now, "points": points, "missing": missing, "accepted": False}
        self.edit(key, wanted, what="clear", landmark=k)

    @rule(key=specimens)
    def accept(self, key: str) -> None:
        now = self.now[key]
        said = all(point or k in now["missing"] for k, point in enumerate(now["points"])) and any(now["points"])
        self.edit(key, {**now, "accepted": True} if said else None, what="accept")

    @rule(key=specimens)
    def reopen(self, key: str) -> None:
        self.edit(key, {**self.now[key], "accepted": False}, what="reopen")

    @rule(key=specimens, scale=st.sampled_from([None, 0.01, 0.123456789012345, 1 / 3, 2e-7, 12345.678]))
    def measure(self, key: str, scale: float | None) -> None:
        self.edit(key, {**self.now[key], "scale": scale}, what="scale", scale=scale)

    @rule(key=specimens, redo=st.booleans())
    def undo(self, key: str, redo: bool) -> None:
        source, other = (self.future, self.past) if redo else (self.past, self.future)
        answer = self.post("/api/undo", key=key, revision=self.revision[key], redo=redo)
        assert answer.status_code == (200 if source[key] else 422), answer.text
        if source[key]:
            other[key].append(self.now[key])
            self.now[key] = source[key].pop()
            self.revision[key] += 1

    @rule(key=specimens, off=st.sampled_from([-1, 1, 1000]))
    def stale(self, key: str, off: int) -> None:
        edit = {"what": "clear", "landmark": 0}
        answer = self.post("/api/edit", key=key, revision=self.revision[key] + off, edit=edit)
        assert answer.status_code == 409

    @rule(key=specimens, edit=st.sampled_from([{"what": "place", "landmark": 9, "x": 1, "y": 1}, {"what": "drop"}, {}]))
    def wrong(self, key: str, edit: dict[str, Any]) -> None:
        assert self.post("/api/edit", key=key, revision=self.revision[key], edit=edit).status_code == 422

    @rule(key=specimens, x=st.sampled_from([-1e9, 64.0, 1e300]))
    def outside_the_photograph(self, key: str, x: float) -> None:
        self.edit(key, None, what="place", landmark=0, x=x, y=1)

    @rule(names=st.sampled_from([["a"], ["a", "b"], [], ["a", "a", "b"]]))
    def fewer_landmarks(self, names: list[str]) -> None:
        """Refused while any specimen has landmarks."""
        if any(any(one["points"]) for one in self.now.values()):
            assert self.post("/api/scheme", names=names).status_code == 422

    @rule()
    def look_again(self) -> None:
        assert self.post("/api/rescan").status_code == 200

    @rule()
    def close_and_open(self) -> None:
        self.shut()
        self.open()

    @rule(key=specimens, x=coordinate)
    def crash_before_the_landmark_file(self, key: str, x: float) -> None:
        """The journal has the change, the landmark file has not: the disk fails there, and the desk dies."""
        now, save = self.now[key], tps.save
        tps.save = self.fails
        try:
            points = [[x, 1.25], *now["points"][1:]]
            missing = [one for one in now["missing"] if one != 0]
            self.edit(key, {**now, "points": points, "missing": missing}, what="place", landmark=0, x=x, y=1.25)
        finally:
            tps.save = save
        self.close_and_open()

    @staticmethod
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(5, "gone")

    @rule(name=st.sampled_from(["b1.png", "../b1.png", "x.exe", "landmarks.tps"]))
    def upload(self, name: str) -> None:
        """A file that is no photograph, or another of this name, changes nothing."""
        answer = self.client.post("/api/upload", files={"file": (name, io.BytesIO(b"not what it says"))})
        assert answer.status_code == 422

    @invariant()
    def nothing_is_lost(self) -> None:
        for key, wanted in self.now.items():
            specimen = self.desk.store.get(key)
            assert specimen.history.revision == self.revision[key]
            assert specimen.state.as_plain() == wanted
        file = self.folder / "landmarks.tps"
        records = tps.load(file, lambda name: SIZE) if file.exists() else ()
        found = {one.image: one for one in records}
        for key, wanted in self.now.items():
            if wanted["accepted"] or any(wanted["points"]):
                expected = [point or [np.nan, np.nan] for point in wanted["points"]]
                np.testing.assert_allclose(found[key].points, expected, atol=1e-4)
        journal, _ = self.desk.store.journal.read()
        assert len(journal) == sum(self.revision.values())


def test_no_sequence_of_requests_loses_a_landmark(note):
    examples, steps = (300, 60) if FULL else (6, 20)
    run_state_machine_as_test(
        Requests,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    note(examples * steps, "requests in random sequences")
