"""Nine small beetles, their cross-validation done in this process on one thread, and a Dask cluster of commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from pronotum import crossvalidation, demo
from pronotum.workflows import TrainOptions

STEPS = {"coarse_steps": 25, "fine_steps": 25, "coarse_epochs": 1, "fine_epochs": 1}
SMALL = {"model.coarse_widths": "[8,8,8,8]", "model.coarse_depth": 8, "model.fine_widths": "[8,8]"}
OPTIONS = TrainOptions(device="cpu", pose="upright", overrides={**STEPS, **SMALL})
N_FOLDS = 3


@pytest.fixture(scope="session")
def beetles(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=9, seed=0, size=(192, 144))


@pytest.fixture(scope="session")
def serial(beetles, tmp_path_factory):
    """The folder of the cross-validation, and what it found."""
    threads, folder = torch.get_num_threads(), tmp_path_factory.mktemp("serial") / "run"
    torch.set_num_threads(1)
    try:
        return folder, crossvalidation.crossvalidate(beetles, folder, OPTIONS, n_folds=N_FOLDS)
    finally:
        torch.set_num_threads(threads)


def until(true: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} has not happened in {seconds:g} s"
        time.sleep(0.05)


class Commands:
    """``dask scheduler`` and some ``dask worker``, each a process of its own on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers, self.all = folder, dict[int, subprocess.Popen[bytes]](), list[subprocess.Popen]()
        self.file = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until(self.file.exists, "the scheduler")
        self.address = json.loads(self.file.read_text())["address"]

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
        with (self.folder / f"{len(self.all)}.log").open("wb") as log:
            started = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.all.append(started)
        return started

    def add_worker(self) -> None:
        """One more, on one thread."""
        where = ("--local-directory", str(self.folder), "--nthreads", "1", "--no-nanny")
        worker = self._start("worker", self.address, *where)
        self.workers[worker.pid] = worker

    def working(self, run: Path) -> list[int]:
        """Those that have taken over a task of a run, by their process."""
        found = []
        for path in [*run.glob("owner.json"), *run.glob("*/*/owner.json")]:
            try:
                found.append(json.loads(path.read_text())["pid"])
            except FileNotFoundError:
                continue
        return sorted(set(found) & set(self.workers))

    def kill(self, pid: int) -> None:
        """As the kernel kills what takes too much memory."""
        os.kill(pid, signal.SIGKILL)
        self.workers.pop(pid).wait()

    def close(self) -> None:
        """End them all."""
        for process in self.all:
            process.kill()
        for process in self.all:
            process.wait()


@contextmanager
def commands(folder: Path, n_workers: int) -> Iterator[Commands]:
    """A scheduler and workers."""
    opened = Commands(folder)
    try:
        for _ in range(n_workers):
            opened.add_worker()
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    with commands(tmp_path_factory.mktemp("cluster"), 3) as opened:
        yield opened
