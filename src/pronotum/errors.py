"""What a user can cause and mend, said in one line."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_CONTROLS = frozenset(map(chr, [*range(32), 127, *range(128, 160), 0x2028, 0x2029]))
"""What ends a line or makes a terminal do something."""


class UserError(Exception):
    """A mistake in the user's data or command, with its place and its remedy.

    The command line prints it as one line and exits with code 2; what would break the line, as a name inside a broken
    archive may, is written as its escape.

    Args:
        where: a file, ``file:line``, a folder, an option or a specimen.
        found: what was found there.
        expected: what would have been right.
        remedy: what to do about it.
    """

    def __init__(self, where: object, *, found: str, expected: str = "", remedy: str = "") -> None:
        self.where, self.found, self.expected, self.remedy = map(_in_a_line, (str(where), found, expected, remedy))
        expectation = f"expected {self.expected}" if expected else ""
        said = "; ".join(part for part in (self.found, expectation, self.remedy) if part)
        super().__init__(f"{self.where}: {said}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are else rebuilt from their text alone, which does not make one: another process has to hear it.
        return _rebuilt, (type(self), str(self), self.__dict__)


def _in_a_line(text: str) -> str:
    return "".join(c.encode("unicode_escape").decode() if c in _CONTROLS else c for c in text)


def _rebuilt(kind: type[UserError], text: str, known: dict[str, Any]) -> UserError:
    error = kind.__new__(kind, text)
    error.__dict__.update(known)
    return error


_CHANGE = "choose another folder, or ask for the right to write there"
_AGAIN = "then repeat the command; what is finished is not done again"
_OF_DISK = {
    errno.ENOSPC: f"free some space, {_AGAIN}",
    errno.EDQUOT: f"free some space, {_AGAIN}",
    errno.EFBIG: f"ask for a larger limit of file sizes, {_AGAIN}",
    errno.EROFS: _CHANGE,
    errno.EACCES: _CHANGE,
    errno.EPERM: _CHANGE,
    errno.ENOTDIR: "choose another name for the results",
    errno.EISDIR: "choose another name for the results",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: f"see whether the drive is still there, {_AGAIN}",
    errno.EIO: f"see whether the drive is sound, {_AGAIN}",
    errno.ESTALE: f"see whether the network drive is still there, {_AGAIN}",
    errno.ETIMEDOUT: f"see whether the network drive is still there, {_AGAIN}",
    errno.ENODEV: f"see whether the drive is still there, {_AGAIN}",
    errno.EMFILE: "close other programs, or raise the limit of open files (ulimit -n)",
}
"""What a user can do about errors of the operating system, by their numbers."""


def of_disk(error: OSError) -> UserError | None:
    """What the operating system says of a file or a disk, as a user's error; None where it is a mistake of ours."""
    remedy = _OF_DISK.get(error.errno or 0)
    if remedy is None:
        return None
    path = Path(str(error.filename or "disk"))
    where = path.parent if path.name.startswith(".") else path  # hidden ones are ours: the folder says more
    return UserError(where, found=os.strerror(error.errno or 0).lower(), remedy=remedy)


def counted(n: int, what: str) -> str:
    """How many there are, in words for one and for several: 1 specimen, 2 specimens."""
    return f"{n} {what}{'s' * (n != 1)}"


def few(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, separated by commas; ``...`` stands for the others."""
    return ", ".join(names[:most]) + " ..." * (len(names) > most)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to a mistyped one, or list them all.

    Returns:
        ``did you mean 'standard'?``, or ``choose one of: ...`` where none is near.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else "choose one of: " + ", ".join(names)
