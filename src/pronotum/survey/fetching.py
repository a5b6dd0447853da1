"""Photographs on this machine's disk, a few ahead of whoever looks at them, as a stream in constant memory."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pronotum.provenance import sha256
from pronotum.survey import remote

AT_ONCE = 8
"""Files asked for at the same time: a store answers each after some tenths of a second, whatever its size."""


@dataclass(frozen=True)
class Fetched:
    """A photograph that can be opened, or why it cannot.

    Attributes:
        location: as listed.
        path: the file; None = it did not come.
        sha256: of its content; "" = it could not be read.
        reason: why it did not come.
        borrowed: whether the file is a copy to be removed.
    """

    location: str
    path: Path | None
    sha256: str = ""
    reason: str = ""
    borrowed: bool = False

    def release(self) -> None:
        """Remove the copy."""
        if self.borrowed and self.path is not None:
            self.path.unlink(missing_ok=True)


def stream(locations: Iterable[str]) -> Generator[Fetched]:
    """Photographs in order; copies vanish when released, at the latest with the stream."""
    with tempfile.TemporaryDirectory(prefix="pronotum-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: deque[Future[Fetched]] = deque()
        for number, location in enumerate(locations):
            waiting.append(pool.submit(_fetch, location, Path(folder) / str(number)))
            if len(waiting) > AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _fetch(location: str, target: Path) -> Fetched:
    if not remote.is_remote(location):
        return Fetched(location, Path(location), sha256(Path(location)))
    try:
        remote.fetch(location, target)
    except remote.NotFetched as error:
        return Fetched(location, None, reason=error.found)
    return Fetched(location, target, sha256(target), borrowed=True)
