"""What every reader promises of any bytes: specimens or a UserError of one line, soon, in little memory.

`SEEDS` has whole files of each format, and files that once broke a promise (``found-...``).
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pronotum.errors import UserError
from pronotum.formats import Format

SEEDS = Path(__file__).with_name("seeds")
HDF5 = frozenset({"deeplabcut-h5", "sleap"})
"""Read by a process of its own, which is given up after a minute; few files a second."""

LIMIT_S, LIMIT_HDF5_S = 20, 90
"""Seconds for a small file on a machine that is busy with other things."""

PIECES = [
    *(b"", b"\n", b"\r", b"\0", b" ", b"\t", b",", b";", b":", b"=", b'"', b"'", b"\\", b"/", b"#", b"<", b">", b"&"),
    *(b"{", b"}", b"[", b"]", b"-", b"nan", b"NA", b"inf", b"1e999", b"-1", b"0", b"1", b"9" * 30, b"1_0", b"0x1"),
    *(b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), "٣".encode(), b"\x80\x00\x00\x00"),
]
"""What mutations put in."""


class TooSlow(Exception):
    """A reader takes longer than it may."""


class SeveralLines(Exception):
    """A message that is not one line."""


def seeds(name: str) -> list[Path]:
    """The files of a format."""
    return sorted(path for path in (SEEDS / name).iterdir() if path.is_file())


def put(path: Path, content: bytes) -> None:
    """Write a file anew: one that is overwritten waits for the disk, thirty times as long."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def check(kind: Format, path: Path) -> bool:
    """Read a file as one of this format; whether it was accepted.

    Raises:
        SeveralLines: a message is no line.
        Exception: whatever a reader should not raise.
    """
    if kind.recognises is not None:
        kind.recognises(path)
    try:
        kind.read(path, None)
    except UserError as error:
        if set("\r\n") & set(str(error)):
            raise SeveralLines(str(error)) from error
        return False
    return True


@contextmanager
def limited(name: str) -> Iterator[None]:
    """Raise `TooSlow` where the block takes too long."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow(name)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_HDF5_S if name in HDF5 else LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def mutated(name: str, generator: random.Random) -> bytes:
    """A seed with pieces cut out, doubled, moved from another, or replaced, one to four times."""
    whole = [path.read_bytes() for path in seeds(name)]
    content = generator.choice(whole)
    for _ in range(generator.randint(1, 4)):
        start, end = sorted(generator.randrange(len(content) + 1) for _ in range(2))
        if generator.random() < 0.7:
            end = min(end, start + generator.randint(0, 8))
        other = generator.choice(whole)
        at = generator.randrange(len(other) + 1)
        piece = generator.choice(
            [
                generator.choice(PIECES),
                bytes([generator.randrange(256)]),
                content[start:end] * 2,
                other[at : at + generator.randint(0, 40)],
            ]
        )
        content = content[:start] + piece + content[end:]
    return content
