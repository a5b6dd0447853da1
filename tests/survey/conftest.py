import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from pronotum import demo, workflows

pytest.importorskip("pyarrow", reason="needs pip install 'pronotum[survey]'")
pytest.importorskip("fsspec", reason="needs pip install 'pronotum[survey]'")

SIZE = (96, 72)
QUICK = {f"{stage}_{unit}": 2 if unit == "steps" else 1 for stage in ("coarse", "fine") for unit in ("steps", "epochs")}
TINY = {
    **{"model.frame": "[64,48]", "model.detail": "[96,72]", "model.window": "32"},
    **{
        "model.coarse_widths": "[8,8]",
        "model.coarse_depth": "8",
        "model.fine_widths": "[8,8]",
        "model.fine_depth": "8",
    },
}


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model file; on one thread, so that workers give the same to the last bit."""
    folder = tmp_path_factory.mktemp("survey")
    data = demo.draw_beetles(folder / "data", "pronotum", n=8, seed=0, size=SIZE)
    workflows.train(data, folder / "run", workflows.TrainOptions(device="cpu", overrides={**QUICK, **TINY}))
    return folder / "run" / "model.safetensors"


@pytest.fixture(scope="session")
def beetles(tmp_path_factory):
    """Thirteen photographs in folders, beside what is none."""
    folder = tmp_path_factory.mktemp("museum")
    drawn = demo.draw_beetles(folder / "drawn", "pronotum", n=13, seed=4, size=SIZE).photographs
    for number, path in enumerate(drawn):
        drawer = folder / "museum" / f"drawer {number // 5 + 1}"
        drawer.mkdir(parents=True, exist_ok=True)
        path.rename(drawer / f"beetle{number + 1}{path.suffix}")
    (folder / "museum" / "notes.md").write_text("nothing to see")
    (folder / "museum" / "drawer 1" / "._beetle1.jpg").write_text("left by macOS")
    return folder / "museum"


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def command(command):
    """The command `survey` as people type it: its exit code."""
    return partial(command, "survey")


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what has "busy" in its name at the second time only, and of "cut" half."""

    asked: set[str]

    def do_GET(self):
        if "busy" in self.path and self.path not in self.asked:
            self.asked.add(self.path)
            self.send_error(503)
        elif "cut" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"\xff\xd8\xff half of it")
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Serves a folder on this machine: its address."""
    servers = []

    def begin(folder):
        handler = partial(type("Fresh", (Handler,), {"asked": set()}), directory=str(folder))
        server = type("Patient", (ThreadingHTTPServer,), {"request_queue_size": 64})(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()
