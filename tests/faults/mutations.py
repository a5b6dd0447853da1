"""How files come to harm: copied in part, on a broken disk, on purpose."""

from __future__ import annotations

import random


def truncated(content: bytes, drawn: random.Random) -> bytes:
    return content[: drawn.randrange(len(content))]


def flipped(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(drawn.choice((1, 1, 4, 32))):
        changed[drawn.randrange(len(changed))] ^= 1 << drawn.randrange(8)
    return bytes(changed)


def header_flipped(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(drawn.choice((1, 2, 4))):
        changed[drawn.randrange(min(400, len(changed)))] = drawn.choice((0, 255, drawn.randrange(256)))
    return bytes(changed)


def overwritten(content: bytes, drawn: random.Random) -> bytes:
    """A block of zeros, as a broken disk or memory card leaves it."""
    start = drawn.randrange(len(content))
    length = drawn.choice((16, 512, 4096))
    return content[:start] + bytes(min(length, len(content) - start)) + content[start + length :]


def spliced(content: bytes, drawn: random.Random) -> bytes:
    """A piece of it twice, as a copy that was interrupted and resumed wrongly."""
    start, end = sorted((drawn.randrange(len(content)), drawn.randrange(len(content))))
    return content[:end] + content[start:]


def longer(content: bytes, drawn: random.Random) -> bytes:
    """With something behind its end."""
    return content + drawn.randbytes(drawn.randrange(1, 5000))
