"""`pronotum check` and `pronotum doctor` on a project, in a process of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

from pronotum.desk.folder import PRIVATE
from pronotum.desk.retraining import PRONOTUM
from pronotum.desk.store import Store
from pronotum.doctor.finding import KINDS
from pronotum.files import write_text


@dataclass(frozen=True)
class Result:
    """What was found.

    Attributes:
        state: ``none``, ``running``, ``failed`` or ``done``.
        message: why it failed.
        summary: what ``check --json`` prints, less its names of files.
        findings: what ``doctor --json`` prints of findings, with the key of their specimen.
        problems: what was left out.
    """

    state: str = "none"
    message: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()


class Checkup:
    """The last look at a project; kept in ``.desk/checkup.json``."""

    def __init__(self, store: Store) -> None:
        self.store, self._lock = store, Lock()
        self.folder = store.folder / PRIVATE
        self._kept = self.folder / "checkup.json"
        self.result = Result()
        if self._kept.exists():
            plain = json.loads(self._kept.read_text(encoding="utf-8"))
            self.result = Result(
                **{**plain, "findings": tuple(plain["findings"]), "problems": tuple(plain["problems"])}
            )

    def start(self) -> None:
        """Look again, in the background; nothing happens where that is under way."""
        with self._lock:
            if self.result.state == "running":
                return
            self.result = Result("running")
            Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        data = [str(self.store.file), "--photographs", str(self.store.folder), "--json"]
        checked, said = self._run("check", *data, "--sheet", str(self.folder / "check.png"))
        if checked is None:
            self.result = Result("failed", said)
            return
        summary = {name: value for name, value in checked.items() if name not in ("files", "sheet", "problems")}
        examined, said = self._run("doctor", *data, "-o", str(self.folder / "doctor"))
        keys = self.store.by_name()
        found = [
            {**one, "key": keys.get(one["name"]), "says": KINDS[one["kind"]]}
            for one in (examined or {}).get("findings", [])
        ]
        problems = dict.fromkeys([*checked["problems"], *(examined or {}).get("problems", [])])
        self.result = Result("done" if examined else "failed", said, summary, tuple(found), tuple(problems))
        write_text(self._kept, json.dumps(vars(self.result)))

    def _run(self, *command: str) -> tuple[dict[str, Any] | None, str]:
        """What a command prints as JSON, or None and why not."""
        done = subprocess.run(
            [*PRONOTUM, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        try:
            return json.loads(done.stdout), ""
        except ValueError:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            return None, (lines or [f"ended with code {done.returncode}"])[-1].removeprefix("error: ")
