"""Which specimen a photograph shows, where only its file name says so.

Photographs of a specimen are named with its number, padded or not, after a prefix that differs between parts and even
between the files of one part: ``p_001``, ``Md 054.JPG``, ``Mg_12`` and a bare ``12``. Augmented copies carry the
channel or the constant behind the number: ``p_001_r``, ``p_001_red10``, ``p_001+10``.

Source: the file names of the authors of Le et al.; spec A.2, E.1 and E.4. How they named the augmented copies is not
published; the marks here are those that can be told from a number with some certainty.
"""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

_SUFFIX = re.compile(r"\.[a-z]\w{0,4}$", re.IGNORECASE)
_WORDS = "red|green|blue|gr[ae]y|rgb|orig|original|aug|add|plus|plane|channel|copy"
_MARK = rf"(?:[ _.+-]+|(?<=\d))(?:(?:{_WORDS})(?:[ _.+-]*\d+)?|[rgb]\+?\d*)|[ _.-]*\+\d+[rgb]?"
_MARKS = re.compile(rf"(?:{_MARK})+$", re.IGNORECASE)


def identity(image: str, pattern: str | None = None) -> str:
    """The specimen that the name of a photograph tells; compare it with `evaluation.rounds.key`.

    Args:
        image: Windows or Unix path, with or without extension.
        pattern: regular expression for the name without folders and extension; its last match, or the first group of
            that, is the identity. Default: the last number before the marks of an augmented copy (red, green, blue,
            r, g, b, grey, orig, add, plus, plane, channel, copy ..., each with a number or without, or + and a number);
            without such a number the last one anywhere; without any the name without its marks.

    Returns:
        the identity as the name writes it, padding included; empty where the pattern finds nothing.
    """
    stem = _SUFFIX.sub("", PureWindowsPath(image.strip()).name)
    if pattern is not None:
        found = list(re.finditer(pattern, stem))
        if not found:
            return ""
        return (found[-1][1] if found[-1].re.groups else found[-1][0]) or ""
    bare = _MARKS.sub("", stem)
    numbers = re.findall(r"\d+", bare) or re.findall(r"\d+", stem)
    return numbers[-1] if numbers else bare or stem
