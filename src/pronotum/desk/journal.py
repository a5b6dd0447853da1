"""Who changed what and when: one JSON object per line, on disk before the landmark file is touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pronotum.errors import UserError


@dataclass(frozen=True)
class Entry:
    """One change of one specimen.

    Attributes:
        n: number of the entry, from 1.
        at: when, ISO 8601 in UTC.
        by: who.
        what: which change; see `states.Edit`, and ``undo``, ``redo``, ``import`` and ``outside`` (another program
            changed the landmark file).
        specimen: its key.
        before: its state before, as `states.State.as_plain` says.
        after: its state after.
        landmark: 1-based, where the change is about one.
        more: what else is worth keeping: of ``accept`` the ``training`` and its ``predicted`` points, and whether the
            specimen was chosen at ``random``.
    """

    n: int
    at: str
    by: str
    what: str
    specimen: str
    before: dict[str, Any]
    after: dict[str, Any]
    landmark: int | None = None
    more: dict[str, Any] | None = None


@dataclass(frozen=True)
class Journal:
    """The file."""

    path: Path

    def read(self) -> tuple[list[Entry], int]:
        """All entries, and the number of the last one that is in the landmark file for certain.

        A last line that was cut off by a crash was never confirmed to anybody and is left out.

        Raises:
            UserError: another line cannot be read.
        """
        entries: list[Entry] = []
        saved = 0
        for place, line, is_last in self._lines():
            try:
                plain = json.loads(line)
                if "saved" in plain:
                    saved = int(plain["saved"])
                else:
                    entries.append(Entry(**plain))
            except (ValueError, TypeError, KeyError) as error:
                if is_last:
                    break
                raise UserError(
                    f"{self.path}:{place}",
                    found=f"not a line of the journal ({error})",
                    remedy="mend the line, or move the journal away: the landmark file is not affected",
                ) from None
        return entries, saved

    def _lines(self) -> Iterator[tuple[int, str, bool]]:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().decode("utf-8", errors="replace").split("\n")
        for place, line in enumerate(lines, start=1):
            if line.strip():
                yield place, line, place == len(lines)

    def append(self, entry: Entry) -> None:
        """Write an entry and wait until the disk has it."""
        plain = {name: value for name, value in vars(entry).items() if value is not None}
        self._write(json.dumps(plain, allow_nan=False), sync=True)

    def confirm(self, n: int) -> None:
        """Note that entries up to this one are in the landmark file. Not waited for: without it they are replayed."""
        self._write(json.dumps({"saved": n}), sync=False)

    def _write(self, line: str, *, sync: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self.path.exists()
        with self.path.open("ab+") as file:
            file.truncate(_end_of_last_line(file))
            file.write(line.encode() + b"\n")
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if fresh and sync:
            sync_folder(self.path.parent)


def _end_of_last_line(file: BinaryIO) -> int:
    """Where the next line begins: what a crash has cut off was confirmed to nobody and must not swallow it."""
    end = file.seek(0, os.SEEK_END)
    reach = 4096
    while end:
        start = max(0, end - reach)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0 or start == 0:
            return start + found + 1
        reach *= 4
    return 0


def sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
