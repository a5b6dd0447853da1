"""Text whose bytes must survive: UTF-8 where a file is valid UTF-8, else Windows-1252, BOM or not."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

# cp1252 leaves five bytes undefined. As in the WHATWG Encoding Standard they become the control characters
# of the same number, so that every byte string decodes, and encodes to itself.
_UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_AFTER_DECODING = {0xDC00 + byte: byte for byte in _UNDEFINED}
_BEFORE_ENCODING = {byte: 0xDC00 + byte for byte in _UNDEFINED}

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True)
class Encoding:
    """How a text file is stored.

    Attributes:
        codec: ``utf-8`` (of which ASCII is a part) or ``cp1252``.
        bom: whether the file starts with the UTF-8 byte order mark.
    """

    codec: str = "utf-8"
    bom: bool = False

    def encode(self, text: str) -> bytes:
        """Turn text into the bytes of a file.

        Raises:
            UnicodeEncodeError: a character this encoding does not have.
        """
        if self.codec == "cp1252":
            content = text.translate(_BEFORE_ENCODING).encode("cp1252", "surrogateescape")
        else:
            content = text.encode(self.codec)
        return codecs.BOM_UTF8 + content if self.bom else content

    def can_hold(self, text: str) -> bool:
        """Whether `encode` succeeds."""
        try:
            self.encode(text)
        except UnicodeEncodeError:
            return False
        return True


UTF8 = Encoding()
"""What new files are written in."""


def decode(content: bytes) -> tuple[str, Encoding]:
    """Turn the bytes of a file into text without BOM; never fails, and `Encoding.encode` undoes it."""
    bom = content.startswith(codecs.BOM_UTF8)
    body = content.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8"), Encoding("utf-8", bom)
    except UnicodeDecodeError:
        return body.decode("cp1252", "surrogateescape").translate(_AFTER_DECODING), Encoding("cp1252", bom)


def shared(encodings: Iterable[Encoding], text: str) -> Encoding:
    """The encoding all of these are, where it can hold the text; UTF-8 without BOM otherwise."""
    different = set(encodings)
    only = different.pop() if len(different) == 1 else UTF8
    return only if only.can_hold(text) else UTF8


def split_lines(text: str) -> list[str]:
    """Lines with their ends: LF, CRLF or CR, and nothing else Unicode might take for one."""
    return _LINE.findall(text)


def line_end(line: str) -> str:
    """How a line ends: LF, CRLF, CR or not at all."""
    return line[len(line.rstrip("\r\n")) :]
