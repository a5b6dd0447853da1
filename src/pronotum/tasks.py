"""Independent tasks, and how they are done one after another in this process; `cluster` does them on others.

A task has a folder to itself, in which a file appears when it is done. What is done is never done again.

Two processes may come to work on one task: a cluster gives the task of a worker it has lost to another one, and the
lost one may be alive. So whoever begins a task takes its folder over (`Hold`), and whoever finds that another one has
taken it over since stops. What could still cross in the moment between is harmless: files take their places whole, and
every attempt at a task writes the same content.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pronotum.errors import UserError
from pronotum.files import sweep, write_text

OWNER = "owner.json"
SHOWN = 3
"""How many of the tasks under way are named at most."""

OnShare = Callable[[float, str], None]
"""Called with the share of the work that is done (0 to 1), and what is being done."""


@dataclass(frozen=True, eq=False)
class Task:
    """A piece of work that does not depend on others that are done at the same time.

    Attributes:
        name: what people read.
        function: of a module, so that other processes find it; called with the arguments and an `OnShare`, which it
            calls before it writes. Goes on where an earlier attempt was, and writes `done` last.
        arguments: values that can be pickled.
        folder: nothing else writes into it meanwhile.
        done: the file in it that means that the task is done.
        weight: how much work it is beside the others.
    """

    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    folder: Path
    done: Path
    weight: float = 1.0

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.done.exists()


Told = Callable[[Task, float, str], None]
"""Called with a task, the share of it that is done, and what it is doing."""
Engine = Callable[[Sequence[Task], Told], None]
"""Does all tasks; may be interrupted at any time."""


class TakenOver(UserError):
    """Another process goes on with this task."""


@dataclass(frozen=True)
class Hold:
    """The right to write into the folder of a task, until another process takes it over.

    Neither a clock nor a lock of the file system is asked: who came last is right.
    """

    path: Path
    token: str

    @classmethod
    def take(cls, folder: Path, caller: str = "") -> Self:
        """Take a folder over from whoever has it, on behalf of a caller, and remove what was half written."""
        token = uuid.uuid4().hex
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "caller": caller, "token": token}
        write_text(folder / OWNER, json.dumps(owner) + "\n")
        sweep(folder)
        return cls(folder / OWNER, token)

    @property
    def valid(self) -> bool:
        """Whether nobody has taken it over since."""
        return _owner(self.path).get("token") == self.token

    def check(self) -> None:
        """Make sure that it is still ours.

        Raises:
            TakenOver: it is not.
        """
        if not self.valid:
            remedy = "let that one finish; the same command then goes on from there"
            raise TakenOver(self.path.parent, found="another process has taken this task over", remedy=remedy)

    def release(self) -> None:
        """Give it back."""
        if self.valid:
            self.path.unlink(missing_ok=True)


def revoke(folder: Path, caller: str) -> None:
    """Take the right to write into a folder from whoever has it on behalf of this caller."""
    if _owner(folder / OWNER).get("caller") == caller:
        (folder / OWNER).unlink(missing_ok=True)


def _owner(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def attempt(task: Task, on_share: OnShare, caller: str = "") -> None:
    """Do a task, or go on with it.

    Args:
        task: what to do.
        on_share: called whenever the task says how far it is.
        caller: on whose behalf; see `revoke`.

    Raises:
        TakenOver: another process has begun it meanwhile; nothing has been written since.
    """
    if task.finished:
        return
    on_share(0.0, "")
    hold = Hold.take(task.folder, caller)

    def checked(share: float, text: str) -> None:
        hold.check()
        on_share(share, text)

    try:
        task.function(*task.arguments, checked)
    finally:
        hold.release()


def here(tasks: Sequence[Task], told: Told) -> None:
    """Do tasks one after another in this process."""
    for task in tasks:
        attempt(task, lambda share, text, task=task: told(task, share, text))  # type: ignore[misc]


def run(*waves: Sequence[Task], engine: Engine = here, on_share: OnShare = lambda share, text: None) -> None:
    """Do all tasks that are not done yet.

    Args:
        *waves: tasks that may rest on those of the waves before, but on none of their own wave. All of them, also those
            that are done: they count in the share.
        engine: where to do them.
        on_share: called now and then.

    Raises:
        UserError: whatever a task raises.
    """
    shares = _Shares([task for wave in waves for task in wave], on_share)
    for wave in waves:
        left = [task for task in wave if not task.finished]
        for task in wave:
            if task.finished:  # killed right afterwards, it has not given its folder back
                (task.folder / OWNER).unlink(missing_ok=True)
        if left:
            engine(left, shares.told)


class _Shares:
    """The share of all tasks that is done, from those of each."""

    def __init__(self, tasks: Sequence[Task], on_share: OnShare) -> None:
        self._on_share = on_share
        self._total = sum(task.weight for task in tasks)
        self._done = {task.folder: task.weight * task.finished for task in tasks}
        self._doing: dict[Path, str] = {}

    def told(self, task: Task, share: float, text: str) -> None:
        self._done[task.folder] = task.weight * share
        self._doing[task.folder] = f"{task.name}: {text}" if text else task.name
        shown = list(self._doing.values())
        if share >= 1:
            del self._doing[task.folder]
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        self._on_share(sum(self._done.values()) / self._total, " | ".join(shown[:SHOWN]) + more)
