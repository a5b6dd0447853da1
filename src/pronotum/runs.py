"""A run is a folder: what was asked, what happened, what came out.

``config.json`` (settings as resolved, versions, seed, data hash), ``events.jsonl`` (one line per event; the command
line, the desk and the report all read these), ``model.safetensors``, ``checkpoint.safetensors`` while training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pronotum.errors import UserError
from pronotum.files import sweep, write_text


@dataclass(frozen=True)
class Run:
    """The paths of a run folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """Settings as resolved."""
        return self.folder / "config.json"

    @property
    def events(self) -> Path:
        """What happened, one JSON object per line."""
        return self.folder / "events.jsonl"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.folder / "model.safetensors"

    @property
    def curve(self) -> Path:
        """The learning curve, where there were epochs."""
        return self.folder / "learning_curve.png"

    @property
    def checkpoint(self) -> Path:
        """State of a training under way."""
        return self.folder / "checkpoint.safetensors"

    def check_free(self, *, resume: bool) -> None:
        """Make sure that a run can begin, or go on, here.

        Raises:
            UserError: the folder holds a finished or begun run and `resume` was not asked for, or it is a file.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(self.folder, found="a file", expected="a folder", remedy="choose another name for -o")
        if not resume and (self.config.exists() or self.model.exists()):
            raise UserError(
                self.folder,
                found="a run is already there",
                expected="a new folder",
                remedy="choose another name, add --resume to go on with it, or delete it",
            )

    def begin(self, config: dict[str, Any], *, resume: bool) -> None:
        """Make the folder and write the settings; the events of an earlier attempt stay where it is resumed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        write_text(self.config, json.dumps(config, indent=2) + "\n")
        if not resume or not self.checkpoint.exists():
            write_text(self.events, "")

    def note(self, event: dict[str, Any]) -> None:
        """Append an event. A line that a crash has cut off stays alone: it must not swallow this one."""
        with self.events.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            cut_off = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * cut_off + json.dumps(event).encode() + b"\n")

    def read_events(self, kind: str) -> Iterator[dict[str, Any]]:
        """Events of a kind, in order; a last line that was cut off by a crash is left out."""
        if not self.events.exists():
            return
        for line in self.events.read_text(encoding="utf-8").splitlines():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if event.get("event") == kind:
                yield event

    def epochs(self) -> list[dict[str, Any]]:
        """Every epoch once, in order: one that was done again after an interruption counts as it was done last."""
        latest = {(event["stage"], event["epoch"]): event for event in self.read_events("epoch")}
        stages = list(dict.fromkeys(stage for stage, _ in latest))
        return [latest[key] for key in sorted(latest, key=lambda key: (stages.index(key[0]), key[1]))]


def claim(path: Path, described: dict[str, Any], what: str) -> None:
    """Say in a folder what runs there, so that it goes on where it was and nothing else is mixed into it.

    Args:
        path: the file that says so; its folder is made.
        described: all that must stay the same, as values that JSON can hold or `str` can write.
        what: what is run, with its article.

    Raises:
        UserError: the folder holds something else of this kind, or other files.
    """
    described = json.loads(json.dumps(described, default=str))
    sweep(path.parent)
    if path.exists():
        require_same(path.parent, json.loads(path.read_text(encoding="utf-8")), described, what)
        return
    if path.parent.exists() and any(path.parent.iterdir()):
        raise UserError(path.parent, found="not empty", expected="a new folder", remedy="choose another name for -o")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(described, indent=2) + "\n")


def require_same(
    folder: Path,
    earlier: Mapping[str, Any],
    described: Mapping[str, Any],
    what: str,
    expected: str = "the same command as before",
) -> None:
    """Refuse to go on in a folder with anything else than what was begun there.

    Args:
        folder: where it was begun.
        earlier: what was begun; it may say more.
        described: all that must be the same.
        what: what is run, with its article.
        expected: what may be asked for instead.

    Raises:
        UserError: a value differs; it names all that do.
    """
    changed = [name for name in described if earlier.get(name) != described[name]]
    if changed:
        raise UserError(
            folder,
            found=f"{what} with other {' and '.join(changed)}",
            expected=expected,
            remedy="choose another name for -o, or delete it",
        )
