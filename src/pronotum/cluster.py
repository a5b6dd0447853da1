"""Tasks done by the workers of a Dask cluster: processes on this machine, or those of a scheduler that runs elsewhere.

Dask decides which worker does what, and gives the tasks of a worker that is gone to others. What is added here: one
thread per task, the way back of progress and errors, and the end when whoever waits has had enough.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import queue
import signal
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, Self

from pronotum import __version__
from pronotum.errors import UserError
from pronotum.tasks import Task, Told, attempt, revoke

POLL_SECONDS = 0.2
QUIET_SECONDS = 5.0
"""Without a word for so long, somebody asks whether there are workers at all."""
TOLD_SECONDS = 0.5
"""Time between two messages of a worker, at least."""
ATTEMPTS = 10
"""How often a task is handed in that Dask gives up; it does so when four workers have died that had it."""
VISIBLE_SECONDS = 120.0
"""How long a file may need from another machine to this one: NFS remembers for a minute that it was not there."""
CONNECT_SECONDS = 60


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that begin here, now or later, do not hear Ctrl-C: whoever waits for them does, and ends them.

    A terminal sends it to all of them. They inherit what the thread that starts them has blocked.
    """
    resource_tracker.ensure_running()  # would unblock it when it is begun with the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class _Caller:
    """What a worker must know of the process that waits for it.

    Attributes:
        name: a different one for each call.
        folder: the working directory, from which relative paths are meant.
        version: of pronotum.
    """

    name: str
    folder: str
    version: str


class Cluster:
    """An engine for `tasks.run`. The cluster begins with the first task and ends with the ``with`` block.

    Args:
        workers: number of processes on this machine; or
        address: of a scheduler: ``tcp://host:8786``, or ``tls://`` with the certificates in Dask's configuration.

    Raises:
        UserError: Dask is not installed.
    """

    def __init__(self, *, workers: int = 0, address: str = "") -> None:
        self.option = f"--cluster {address}" if address else f"--workers {workers}"
        if importlib.util.find_spec("distributed") is None:
            raise UserError(self.option, found="Dask is missing", remedy="pip install 'pronotum[cluster]'")
        self.workers, self.address = workers, address
        self._opened: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._opened:
            self._opened.pop().close()

    def __call__(self, tasks: Sequence[Task], told: Told) -> None:
        """Do all tasks.

        Raises:
            UserError: what a task raises; the scheduler or too many workers are gone; a worker that lacks the folder,
                has another version or several threads.
        """
        work = _Work(self._connect(), self.option, tasks, told)
        try:
            work.finish()
        except BaseException:
            work.stop()
            raise
        finally:
            work.close()

    def _connect(self) -> Any:
        import dask

        if self._opened:
            return self._opened[-1]
        distributed: Any = importlib.import_module("distributed")
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a worker that dies is no news here
        dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"})
        where: Any = self.address
        if not self.address:
            # Certificates made for this cluster only: without them everybody on this machine could send it work.
            with _deaf_to_ctrl_c():
                where = distributed.LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                    security=True,
                )
            self._opened.append(where)
        try:
            self._opened.append(distributed.Client(where, set_as_default=False))
        except (OSError, ValueError) as error:
            remedy = "start it with: dask scheduler"
            raise UserError(self.option, found=f"no scheduler answers ({error})", remedy=remedy) from None
        return self._connect()


class _Work:
    """Tasks under way."""

    def __init__(self, client: Any, option: str, tasks: Sequence[Task], told: Told) -> None:
        self.client, self.option, self.tasks, self.told = client, option, tasks, told
        self.caller = _Caller(f"pronotum-{uuid.uuid4().hex}", os.getcwd(), __version__)
        self.said: queue.SimpleQueue[tuple[int, float, str]] = queue.SimpleQueue()
        self.client.subscribe_topic(self.caller.name, lambda event: self.said.put(event[1]))
        self.handed_in: Counter[int] = Counter()
        self.under_way: dict[int, Any] = {}
        for number in range(len(tasks)):
            self.hand_in(number)

    def hand_in(self, number: int) -> None:
        """Give a task to the cluster, once more if need be."""
        self.handed_in[number] += 1
        key = f"{self.caller.name}-{number}-{self.handed_in[number]}"
        task = self.tasks[number]
        self.under_way[number] = self.client.submit(_on_worker, number, task, self.caller, key=key, pure=False)

    def finish(self) -> None:
        """Wait until all is done."""
        heard = time.monotonic()
        while self.under_way:
            time.sleep(POLL_SECONDS)
            while not self.said.empty():
                number, share, text = self.said.get()
                heard = time.monotonic()
                if number in self.under_way:
                    self.told(self.tasks[number], share, text)
            for number, future in list(self.under_way.items()):
                if future.status != "pending":
                    self.look_at(number, future)
            if time.monotonic() - heard > QUIET_SECONDS:
                heard = time.monotonic()
                self.ask_for_workers()

    def look_at(self, number: int, future: Any) -> None:
        """See how a task has ended."""
        from distributed import KilledWorker

        task, error = self.tasks[number], future.exception() if future.status == "error" else None
        if future.status == "finished":
            self.require_visible(task)
            del self.under_way[number]
            self.told(task, 1.0, "")
        elif error is not None and not isinstance(error, KilledWorker):
            raise error
        elif self.client.status in ("closing", "closed"):
            remedy = "repeat the command: it goes on where it was"
            raise UserError(self.option, found="the scheduler is gone", remedy=remedy)
        elif self.handed_in[number] == ATTEMPTS:
            found = f"{ATTEMPTS} times workers have died, the last of them with {task.name}"
            remedy = "see what they say; perhaps they need more memory"
            raise UserError(self.option, found=found, remedy=remedy)
        else:  # the workers that had it have died, or a scheduler that was started again knows nothing of it
            self.hand_in(number)

    def require_visible(self, task: Task) -> None:
        """Wait until what a worker has written can be seen from here."""
        until = time.monotonic() + VISIBLE_SECONDS
        while not task.finished:
            if time.monotonic() > until:
                found = "a worker has done this task, but here nothing of it is to be seen"
                raise UserError(task.done, found=found, expected="a folder that all machines share")
            time.sleep(POLL_SECONDS)
            if task.folder.exists():
                list(task.folder.iterdir())  # makes NFS look again

    def ask_for_workers(self) -> None:
        """Say so where there is none."""
        try:
            if not self.client.nthreads():
                number = min(self.under_way)
                self.told(self.tasks[number], 0.0, "waiting for a worker")
        except OSError:
            pass  # of a scheduler that is gone we hear by the tasks

    def stop(self) -> None:
        """Let go of what is under way: whoever works on it stops at the next step, and it can be gone on with."""
        for number in self.under_way:
            revoke(self.tasks[number].folder, self.caller.name)
        if self.client.status == "running":
            self.client.cancel(list(self.under_way.values()), force=True)

    def close(self) -> None:
        """Hear nothing more."""
        if self.client.status == "running":
            self.client.unsubscribe_topic(self.caller.name)


def _on_worker(number: int, task: Task, caller: _Caller) -> None:
    """Do a task in a worker of Dask."""
    import torch
    from distributed import get_worker
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    worker, latest = get_worker(), 0.0
    _require_fit(worker.state.nthreads, caller)

    def on_share(share: float, text: str) -> None:
        nonlocal latest
        if time.monotonic() - latest > TOLD_SECONDS:
            latest = time.monotonic()
            worker.log_event(caller.name, [number, share, text])

    # Sums over several threads come out otherwise in their last digits: with one, each machine gives the same.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        attempt(task, on_share, caller.name)


def _require_fit(n_threads: int, caller: _Caller) -> None:
    """Make sure that a worker is as tasks need it.

    Raises:
        UserError: it is not.
    """
    where = f"worker on {socket.gethostname()}"
    if caller.version != __version__:
        raise UserError(
            where, found=f"pronotum {__version__}", expected=caller.version, remedy="install the same there"
        )
    if n_threads != 1:
        remedy = "start it with: dask worker --nthreads 1 --nworkers N"
        raise UserError(where, found=f"{n_threads} threads", expected="one per worker", remedy=remedy)
    try:
        os.chdir(caller.folder)
    except OSError:
        expected = "a folder that all machines share"
        raise UserError(where, found=f"no folder {caller.folder}", expected=expected) from None
