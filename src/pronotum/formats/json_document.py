"""JSON files that others made: values with the place they stand in, each asked for what it should be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pronotum.errors import UserError
from pronotum.formats.encoding import decode

HEAD = 1 << 16
"""Bytes that `head` reads."""


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a file.

    Attributes:
        value: what `json` made of it.
        path: of the file.
        place: of the value in the file, e.g. ``annotations[3].bbox``; "" is the whole.
    """

    value: Any
    path: Path
    place: str = ""

    @property
    def where(self) -> str:
        """The file and the place in it, as messages call it."""
        return f"{self.path}: {self.place}" if self.place else str(self.path)

    def _refuse(self, expected: str) -> UserError:
        if isinstance(self.value, dict | list):
            found = "an object" if isinstance(self.value, dict) else "a list"
        else:
            found = json.dumps(self.value)
        found = found if len(found) <= 40 else found[:37] + "..."
        return UserError(self.where, found=found, expected=expected, remedy="export it again, or correct it")

    def has(self, key: str) -> bool:
        """Whether it is an object with this key, and not null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def get(self, key: str) -> Node:
        """The value of a key.

        Raises:
            UserError: it is no object, or has no such key.
        """
        if not isinstance(self.value, dict):
            raise self._refuse(f"an object with the key {key}")
        if key not in self.value:
            raise UserError(self.where, found=f"no {key}", expected=f'"{key}": ...')
        return Node(self.value[key], self.path, f"{self.place}.{key}" if self.place else key)

    def items(self) -> tuple[Node, ...]:
        """The values of a list.

        Raises:
            UserError: it is none.
        """
        if not isinstance(self.value, list):
            raise self._refuse("a list")
        return tuple(Node(one, self.path, f"{self.place}[{index}]") for index, one in enumerate(self.value))

    def text(self) -> str:
        """A string.

        Raises:
            UserError: it is none.
        """
        if not isinstance(self.value, str):
            raise self._refuse("a text")
        return self.value

    def number(self) -> float:
        """A finite number.

        Raises:
            UserError: it is none.
        """
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            try:
                number = float(self.value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise self._refuse("a finite number")

    def key(self) -> int | str:
        """A number or text by which other values refer to this one.

        Raises:
            UserError: it is neither.
        """
        if isinstance(self.value, int | str) and not isinstance(self.value, bool):
            return self.value
        raise self._refuse("a whole number or a text")


def read(path: Path) -> Node:
    """Read a file.

    Raises:
        UserError: it cannot be opened or is no JSON.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="a JSON file", remedy="save it as UTF-8")
    try:
        return Node(json.loads(decode(content)[0]), path)
    except json.JSONDecodeError as error:
        remedy = "export it again; a file that was cut off or edited by hand may lack its end"
        raise UserError(f"{path}:{error.lineno}", found=f"no JSON ({error.msg})", remedy=remedy) from None
    except (RecursionError, ValueError):
        found = "values nested too deep, or a number of thousands of digits"
        raise UserError(path, found=found, remedy="name another file") from None


def head(path: Path) -> str:
    """The beginning of a file without blanks around it, for a guess at what it is; "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return decode(file.read(HEAD))[0].strip()
    except OSError:
        return ""


def render(document: Mapping[str, Any] | Iterable[Any]) -> str:
    """JSON text in ASCII, lists of records with a record a line, so that people and version control can read it."""
    if not isinstance(document, Mapping):
        return _lines(document) + "\n"
    members = (
        f"{json.dumps(key)}: {_lines(value) if isinstance(value, list) else json.dumps(value)}"
        for key, value in document.items()
    )
    return "{\n" + ",\n".join(members) + "\n}\n"


def _lines(records: Iterable[Any]) -> str:
    lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    return f"[\n{lines}\n]" if lines else "[]"
