"""Photographs on a web server and in an object store, both on this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pronotum.errors import UserError
from pronotum.survey import fetching, remote

SIZE = (96, 72)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """As real, but short."""
    monkeypatch.setattr(remote, "WAITS", (0.01, 0.5))
    monkeypatch.setattr(remote, "SILENCE_SECONDS", 20.0)
    monkeypatch.setattr(remote, "FILE_SECONDS", 60.0)


def table(out):
    return [row for path in sorted((out / "specimens").iterdir()) for row in pq.read_table(path).to_pylist()]


def landmarks(out):
    return {Path(row["photograph"]).name: row["x"] for row in table(out)}


def test_a_list_of_addresses(model, beetles, tmp_path, command, serve):
    shutil.copytree(beetles / "drawer 1", tmp_path / "in")
    (tmp_path / "in" / "beetle3.jpg").rename(tmp_path / "in" / "busy.jpg")
    (tmp_path / "in" / "beetle4.jpg").write_text("no photograph")
    address = serve(tmp_path / "in")
    names = ["beetle1.jpg", "gone.jpg", "busy.jpg", "beetle4.jpg", "cut.jpg", "beetle5.jpg"]
    (tmp_path / "in" / "list.csv").write_text("url\n" + "".join(f"{name}\n" for name in names))
    assert command(model, f"{address}/list.csv", "-o", tmp_path / "out") == 1
    found = table(tmp_path / "out")
    assert [row["photograph"] for row in found] == [f"{address}/{name}" for name in names]
    remarks = {Path(row["photograph"]).stem: row["remark"] for row in found if row["status"] == "bad"}
    assert remarks.keys() == {"gone", "beetle4", "cut"}
    assert remarks["gone"] == "not fetched: no such file"
    assert "not an image" in remarks["beetle4"]
    assert remarks["cut"].startswith("not fetched: ")
    assert command(model, tmp_path / "in" / "busy.jpg", "-o", tmp_path / "local") == 0
    assert landmarks(tmp_path / "out")["busy.jpg"] == landmarks(tmp_path / "local")["busy.jpg"]


def test_the_folders_of_a_web_server(model, beetles, tmp_path, command, serve):
    ended = command(model, f"{serve(beetles)}/", "-o", tmp_path / "out")
    assert {row["photograph"]: row["remark"] for row in table(tmp_path / "out") if row["status"] == "bad"} == {}
    assert ended == 0
    assert command(model, beetles, "-o", tmp_path / "local") == 0
    assert landmarks(tmp_path / "out") == landmarks(tmp_path / "local")


def test_a_server_that_does_not_answer_is_said_in_one_line(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(UserError, match="cannot be listed"):
        list(remote.walk(f"{address}/photographs/"))
    (one,) = fetching.stream([f"{address}/a.jpg"])
    assert one.path is None
    assert one.reason.startswith("not fetched: ")


def test_a_server_that_falls_silent_costs_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(remote, "WAITS", ())
    monkeypatch.setattr(remote, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (one,) = fetching.stream([f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg"])
    assert one.reason.startswith("not fetched: ")


def test_copies_vanish_as_they_are_released(beetles, serve):
    address = serve(beetles / "drawer 1")
    for one in fetching.stream([f"{address}/beetle{number}.jpg" for number in range(1, 6)] * 5):
        folder = one.path.parent
        assert len(list(folder.iterdir())) <= fetching.AT_ONCE + 2
        one.release()
    assert not folder.exists()


@pytest.fixture(scope="module")
def store():
    """An object store: the address of a moto server, which speaks S3."""
    if not os.environ.get("CI"):
        pytest.importorskip("moto", reason="needs moto[s3]")
        pytest.importorskip("s3fs", reason="needs s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert server.poll() is None
            assert time.monotonic() < until, "moto does not start"
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


@pytest.mark.filterwarnings("ignore")
def test_a_bucket(model, beetles, tmp_path, command, store, monkeypatch):
    import fsspec

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": store, "key": "nobody", "secret": "nothing"})
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("museum")
    for path in sorted(beetles.rglob("beetle*.jpg")):
        system.put_file(str(path), f"museum/{path.relative_to(beetles)}")
    system.pipe_file("museum/notes.txt", b"nothing to see")
    (tmp_path / "list.txt").write_text("s3://museum/gone.jpg\n")
    out = tmp_path / "out"
    ended = command(model, "s3://museum/", tmp_path / "list.txt", "-o", out, "--shard", "6")
    found = table(out)
    assert [row["photograph"] for row in found[:2]] == [f"s3://museum/drawer 1/beetle{n}.jpg" for n in (1, 2)]
    assert [row["remark"] for row in found if row["status"] == "bad"] == ["not fetched: no such file"]
    assert ended == 1
    assert command(model, beetles, "-o", tmp_path / "local") == 0
    assert landmarks(out) == {**landmarks(tmp_path / "local"), "gone.jpg": None}
