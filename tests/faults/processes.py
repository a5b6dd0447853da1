"""The nursery from outside: jobs go in, what became of them comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        code: exit code; negative = the signal that ended it.
        operations: how often it has changed files below its folder.
        failures: how many of these were made to fail.
        readings: how often somebody has looked at its files meanwhile.
        unreadable: files that were not whole then.
        said: what it has printed.
        confirmed: how many edits it has confirmed.
    """

    code: int
    operations: int
    failures: int
    readings: int
    unreadable: list[str]
    said: str
    confirmed: int


class Nursery:
    """See `nursery`."""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def warm(self, *arguments: object) -> None:
        """Run a command in the nursery itself, so that its children find everything imported."""
        self._ask({"argv": [str(one) for one in arguments], "warm": True})

    def run(self, root: Path, *arguments: object, **faults: Any) -> Outcome:
        """Run a command in a child; see `nursery.Faults` for what may go wrong below `root`."""
        return Outcome(**self._ask({"argv": [str(one) for one in arguments], "root": str(root), **faults}))

    def edit(self, folder: Path, edits: list[tuple[str, dict[str, Any]]], **faults: Any) -> Outcome:
        """Change specimens of a desk in a child."""
        return Outcome(**self._ask({"edits": edits, "folder": str(folder), "root": str(folder), **faults}))

    def crossvalidate(self, data: Path, out: Path, settings: list[str], **faults: Any) -> Outcome:
        """Cross-validate with these settings in a child, without a report."""
        return Outcome(**self._ask({"settings": settings, "folder": str(data), "root": str(out), **faults}))

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))
