"""XML files that others made: elements with the lines they stand in, read without following anything.

A DOCTYPE is refused, so that no entity is ever expanded or fetched; none of the formats read here needs one. The
declared encoding is not looked at: dlib declares ISO-8859-1 and writes the bytes of the file system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from pronotum.errors import UserError
from pronotum.formats.encoding import decode
from pronotum.formats.tps_record import NUMBER

DEPTH = 50
"""Elements inside each other that are still read; the formats have at most seven."""

HEAD = 1 << 16
"""Bytes in which `root` looks for the first element."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


@dataclass(frozen=True, eq=False)
class Element:
    """An element of a file.

    Attributes:
        tag: its name.
        attributes: by name.
        children: the elements directly in it, in order.
        text: the text directly in it, joined.
        where: file and line it starts in, as messages call it.
    """

    tag: str
    attributes: Mapping[str, str]
    children: tuple[Element, ...]
    text: str
    where: str

    def named(self, tag: str) -> tuple[Element, ...]:
        """The children of this name, in order."""
        return tuple(child for child in self.children if child.tag == tag)

    def get(self, name: str) -> str:
        """The value of an attribute.

        Raises:
            UserError: there is none.
        """
        if name not in self.attributes:
            raise UserError(self.where, found=f"<{self.tag}> without {name}", expected=f'{name}="..."')
        return self.attributes[name]

    def number(self, text: str) -> float:
        """The number that an attribute of this element is to hold.

        Raises:
            UserError: it is none, or infinite.
        """
        value = float(text) if NUMBER.fullmatch(text.strip()) else float("inf")
        if abs(value) == float("inf"):
            raise UserError(
                self.where, found=f"'{text[:30]}' in <{self.tag}>", expected="a number", remedy="correct it"
            )
        return value


def read(path: Path, expected: str) -> Element:
    """Read a file.

    Args:
        path: XML file.
        expected: name of the outermost element.

    Raises:
        UserError: it cannot be opened, is no well-formed XML or another kind of it, has a DOCTYPE, or is nested
            deeper than `DEPTH`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", remedy="check its name") from None
    if b"\0" in content:
        raise UserError(path, found="binary data or UTF-16 text", expected="an XML file", remedy="save it as UTF-8")
    builder = _Builder(path)
    try:
        builder.parser.Parse(decode(content)[0], True)
    except expat.ExpatError as error:
        found = f"no well-formed XML ({expat.errors.messages[error.code]})"
        remedy = "export it again; a file that was cut off or edited by hand may lack its end"
        raise UserError(f"{path}:{error.lineno}", found=found, remedy=remedy) from None
    root = builder.done[0]
    if root.tag != expected:
        raise UserError(root.where, found=f"<{root.tag}>", expected=f"<{expected}>", remedy="name another file")
    return root


class _Builder:
    """What expat calls while it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: list[Element] = []
        self.open: list[tuple[str, dict[str, str], list[Element], list[str], int]] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.CharacterDataHandler = self._text
        self.parser.EndElementHandler = self._end

    def _doctype(self, *_: Any) -> None:
        where = f"{self.path}:{self.parser.CurrentLineNumber}"
        raise UserError(where, found="a DOCTYPE", expected="XML without one", remedy="remove it if you trust the file")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if len(self.open) == DEPTH:
            raise UserError(f"{self.path}:{line}", found=f"more than {DEPTH} elements inside each other")
        self.open.append((tag, attributes, [], [], line))

    def _text(self, text: str) -> None:
        self.open[-1][3].append(text)

    def _end(self, _: str) -> None:
        tag, attributes, children, texts, line = self.open.pop()
        element = Element(tag, attributes, tuple(children), "".join(texts), f"{self.path}:{line}")
        (self.open[-1][2] if self.open else self.done).append(element)


def root(path: Path) -> str:
    """Name of the outermost element, for a guess at what a file is; "" where there is none. Never raises."""
    found: list[str] = []
    parser = expat.ParserCreate()

    def start(tag: str, _: dict[str, str]) -> None:
        found.append(tag)
        raise StopIteration

    def doctype(*_: Any) -> None:
        raise StopIteration

    parser.StartElementHandler, parser.StartDoctypeDeclHandler = start, doctype
    try:
        with path.open("rb") as file:
            parser.Parse(decode(file.read(HEAD))[0], False)
    except (OSError, expat.ExpatError, StopIteration):
        pass
    return found[0] if found else ""


def escaped(text: str, where: object) -> str:
    """Text as it may stand in an element or, between double quotes, in an attribute.

    Raises:
        UserError: it has characters that XML cannot hold, or line breaks.
    """
    if any(one < " " or 0xD800 <= ord(one) < 0xE000 or ord(one) in (0xFFFE, 0xFFFF) for one in text):
        raise UserError(
            where,
            found=f"{ascii(text)[:60]}, which XML cannot hold",
            expected="names without line breaks and control characters",
            remedy="rename it",
        )
    return text.translate(_ESCAPES)
