"""What a user can cause and mend, said in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class UserError(Exception):
    """A mistake in the user's data or command, with its place and its remedy.

    The command line prints it as one line and exits with code 2.

    Args:
        where: a file, ``file:line``, a folder, an option or a specimen.
        found: what was found there.
        expected: what would have been right.
        remedy: what to do about it.
    """

    def __init__(self, where: object, *, found: str, expected: str = "", remedy: str = "") -> None:
        self.where, self.found, self.expected, self.remedy = str(where), found, expected, remedy
        expectation = f"expected {expected}" if expected else ""
        super().__init__(f"{self.where}: " + "; ".join(part for part in (found, expectation, remedy) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are else rebuilt from their text alone, which does not make one: another process has to hear it.
        return _rebuilt, (type(self), str(self), self.__dict__)


def _rebuilt(kind: type[UserError], text: str, known: dict[str, Any]) -> UserError:
    error = kind.__new__(kind, text)
    error.__dict__.update(known)
    return error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to a mistyped one, or list them all.

    Returns:
        ``did you mean 'standard'?``, or ``choose one of: ...`` where none is near.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else "choose one of: " + ", ".join(names)
