"""A process that has imported everything and forks a child per job: commands that are killed, starved or slowed.

Run as a program. Reads one job per line from standard input, as JSON, and answers each with one line. A child of its
own per job makes hundreds of killed commands affordable, and a process that computes on one thread may be forked.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.copyfile")
TORN = b'{"event": "epo'


class Faults:
    """What goes wrong in a child, and when: at the n-th operation that changes files below a folder.

    Python tells its audit hooks of every such operation before it happens; the hook can end the process there, or have
    the operation fail. ``os.fsync`` counts too.
    """

    def __init__(self, job: dict[str, Any], counter: mmap.mmap) -> None:
        self.root, self.counter, self.busy = os.path.abspath(job["root"]), counter, False
        self.stop, self.torn = job.get("stop"), job.get("torn", False)
        self.fail, self.errno, self.once = job.get("fail"), job.get("errno", 0), job.get("once", False)
        self.slow = job.get("slow", 0.0)

    def install(self) -> None:
        fsync = os.fsync

        def watched(handle: int) -> None:
            self.happens("fsync", self.root, 0)
            fsync(handle)

        os.fsync = watched
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.busy or not (event == "open" or event in CHANGES):
            return
        path = arguments[0]
        flags = arguments[2] if event == "open" else 0
        if not isinstance(path, (str, bytes, os.PathLike)) or (event == "open" and not flags & WRITING):
            return
        name = os.path.abspath(os.fsdecode(path))
        if name == self.root or name.startswith(self.root + os.sep):
            self.happens(event, name, flags)

    def happens(self, event: str, path: str, flags: int) -> None:
        number = counted(self.counter, 0)
        if event == "os.rename" and self.slow:
            time.sleep(self.slow)
        if self.stop is not None and number == self.stop:
            if self.torn and event == "open":
                self.busy = True
                handle = os.open(path, flags, 0o600)
                os.write(handle, TORN)
            os.kill(os.getpid(), signal.SIGKILL)
        due = self.fail is not None and (number == self.fail or (number > self.fail and not self.once))
        if due and event != "os.remove":  # a full disk can still be emptied
            counted(self.counter, 1)
            raise OSError(self.errno, os.strerror(self.errno), path)


def counted(counter: mmap.mmap, which: int) -> int:
    """One more of what the counter counts: operations (0) and those that were made to fail (1)."""
    number = count(counter, which) + 1
    counter[8 * which : 8 * which + 8] = number.to_bytes(8, "little")
    return number


def count(counter: mmap.mmap, which: int) -> int:
    return int.from_bytes(counter[8 * which : 8 * which + 8], "little")


def command(argv: list[str]) -> None:
    from pronotum.cli import main

    main(argv)


def edits(job: dict[str, Any]) -> None:
    """Change specimens of a desk as fast as it goes; every change that is confirmed is told."""
    from pronotum.desk.states import Edit
    from pronotum.desk.store import Store

    store = Store(Path(job["folder"]), "me")
    for number, (key, plain) in enumerate(job["edits"]):
        store.edit(key, store.get(key).history.revision, Edit.model_validate(plain))
        os.write(job["confirm"], f"{number}\n".encode())
    store.close()


def crossvalidate(job: dict[str, Any]) -> None:
    """A cross-validation without its report, which takes longer to draw than small networks to train."""
    from pronotum import cli_parts, crossvalidation, workflows

    data = workflows.check(Path(job["folder"]))
    options = workflows.TrainOptions(
        "fast", device="cpu", overrides=cli_parts.overrides(job["settings"]), pose="upright"
    )
    crossvalidation.crossvalidate(data, Path(job["root"]), options, n_folds=2)


def run(job: dict[str, Any], counter: mmap.mmap) -> None:
    """In the child."""
    # torch makes its pool of threads anew after a fork: in the main thread, since two threads that ask for it at once
    # meet a half-made one ("Invalid thread pool!").
    torch.set_num_threads(torch.get_num_threads())
    if "limit" in job:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    Faults(job, counter).install()
    if "edits" in job:
        edits(job)
    elif "settings" in job:
        crossvalidate(job)
    else:
        command(job["argv"])


def fork(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a child, with a reader that looks at its files all the while."""
    counter = mmap.mmap(-1, 16)
    said, told = os.memfd_create("said"), os.memfd_create("told")
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 70
        os.dup2(said, 1)
        os.dup2(said, 2)
        try:
            run({**job, "confirm": told}, counter)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:  # noqa: BLE001 - everything is to be told
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    problems, readings = [], 0
    ends = time.monotonic() + job["seconds"] if "seconds" in job else None
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if ends is not None and time.monotonic() >= ends:
            os.killpg(child, signal.SIGKILL)
            ends = None
        if job.get("watch", True):
            readings += 1
            problems += unreadable(Path(job["root"]))
        time.sleep(0.01)
    problems += unreadable(Path(job["root"]))
    answer = {
        "code": os.waitstatus_to_exitcode(status),
        "operations": count(counter, 0),
        "failures": count(counter, 1),
        "readings": readings + 1,
        "unreadable": sorted(set(problems)),
        "said": content(said),
        "confirmed": len(content(told).split()),
    }
    os.close(said)
    os.close(told)
    return answer


def content(handle: int) -> str:
    size = os.lseek(handle, 0, os.SEEK_END)
    return os.pread(handle, size, 0).decode(errors="replace")


def unreadable(root: Path) -> list[str]:
    """Files that have a name of their own and are not whole."""
    found = []
    for path in shown(root):
        try:
            READERS[path.suffix](path)
        except FileNotFoundError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever a reader stumbles over is what is looked for
            found.append(f"{path.relative_to(root)}: {type(error).__name__}: {error}")
    return found


def shown(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(".")]
        yield from (Path(folder, one) for one in names if not one.startswith(".") and Path(one).suffix in READERS)


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> None:
    """What is appended to has whole lines; one that a kill has cut off is the last, or stays alone."""
    *whole, _ = path.read_bytes().split(b"\n")
    for line in whole:
        if line != TORN:
            json.loads(line)


def _weights(path: Path) -> None:
    import safetensors.torch

    safetensors.torch.load(path.read_bytes())


def _picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()


def _landmarks(path: Path) -> None:
    from pronotum.formats import tps

    assert path.read_bytes().endswith(b"\n")
    tps.read(path)


def _table(path: Path) -> None:
    assert path.read_bytes().endswith(b"\n"), "cut off"


def _page(path: Path) -> None:
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), "cut off"


READERS: dict[str, Callable[[Path], None]] = {
    ".json": _json,
    ".jsonl": _lines,
    ".safetensors": _weights,
    ".png": _picture,
    ".tps": _landmarks,
    ".csv": _table,
    ".html": _page,
}


def main() -> None:
    """Warm up with the first jobs in this process itself, then fork."""
    import torch

    from pronotum import cli, training  # noqa: F401

    torch.set_num_threads(1)
    training.CHECKPOINT_SECONDS, training.SAVING_SHARE = -1.0, 0
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("warm"):
            with contextlib.suppress(SystemExit):
                command(job["argv"])
            answer = {}
        else:
            answer = fork(job)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
