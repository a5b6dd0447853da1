"""The scheme of a study as a file, ``scheme.toml`` beside its data: names, mirror pairs, curves."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from pronotum.errors import UserError, counted, did_you_mean
from pronotum.files import write_text
from pronotum.landmarks import Curve, Scheme

NAME = "scheme.toml"
Named = StrictStr | StrictInt
"""A landmark or a curve by its name, or a landmark by its number from 1."""
EXPECTED = {
    "names": 'names = ["base", "apex"], or how many landmarks there are',
    "pairs": 'pairs = [["left eye", "right eye"]], by names or numbers from 1',
    "midline": 'midline = ["base"], by names or numbers from 1',
    "mirror": "true or false",
    "reference": 'reference = "images/001.jpg"',
    "curves": '[[curves]] with name = "margin", points = 20 and perhaps closed = true or ends = ["base", "apex"]',
}


class _Curve(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    points: Annotated[StrictInt, Field(ge=1)]
    closed: bool = False
    ends: tuple[Named, Named] | None = None


class _File(BaseModel):
    """What a scheme file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: Annotated[StrictInt, Field(ge=0)] | tuple[Annotated[StrictStr, Field(min_length=1)], ...]
    pairs: tuple[tuple[Named, Named], ...] = ()
    midline: tuple[Named, ...] = ()
    mirror: bool = False
    reference: str = ""
    curves: tuple[_Curve, ...] = ()


def find(data: Path, asked: Path | None = None) -> Scheme | None:
    """The scheme file that was asked for, else that beside the data; None where there is none.

    Args:
        data: folder or landmark file.
        asked: a file; must be there.

    Raises:
        UserError: see `read`.
    """
    path = asked or (data if data.is_dir() else data.parent) / NAME
    return read(path) if asked or path.exists() else None


def read(path: Path) -> Scheme:
    """Read a scheme file.

    Raises:
        UserError: no such file, no TOML, a setting that there is not or that cannot have this value, or a name that is
            none of the landmarks'.
    """
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
        return _Reader(path, found).scheme()
    except FileNotFoundError:
        raise UserError(path, found="no such file", remedy="check the spelling") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(path, found=f"not TOML ({error})", expected=EXPECTED["names"]) from None
    except UnicodeDecodeError:
        raise UserError(path, found="not UTF-8 text", remedy="save it as UTF-8") from None
    except ValidationError as error:
        raise _refused(path, error) from None
    except ValueError as error:
        raise UserError(path, found=str(error), remedy="see docs/scheme.md") from None


def write(path: Path, scheme: Scheme) -> None:
    """Write a scheme file; `read` gives the scheme back. Comments of an earlier file are lost."""
    write_text(path, render(scheme))


def render(scheme: Scheme) -> str:
    """A scheme as the text of its file."""
    names, n, curves = scheme.names, scheme.n_fixed, scheme.curves
    pairs = [[names[left], names[right]] for left, right in scheme.pairs if max(left, right) < n]
    midline = [names[index] for index in scheme.midline if index < n]
    for number, (other, backwards) in enumerate(scheme.curve_partners):
        if other > number or (other == number and backwards):
            pairs.append([curves[number].name, curves[other].name])
        elif other == number and scheme.runs[number][0] in scheme.midline:
            midline.append(curves[number].name)
    lines = [f"names = {_toml(names[:n])}"]
    lines += [f"pairs = {_toml(pairs)}"] if pairs else []
    lines += [f"midline = {_toml(midline)}"] if midline else []
    lines += ["mirror = true"] if scheme.mirror else []
    lines += [f"reference = {_toml(scheme.reference)}"] if scheme.reference else []
    for curve in curves:
        lines += ["", "[[curves]]", f"name = {_toml(curve.name)}", f"points = {curve.points}"]
        lines += ["closed = true"] if curve.closed else []
        lines += [f"ends = {_toml([names[end] for end in curve.ends])}"] if curve.ends else []
    return "\n".join(lines) + "\n"


class _Reader:
    """From what a file says to indices."""

    def __init__(self, path: Path, file: _File) -> None:
        self.path, self.file = path, file
        names = file.names
        self.names = tuple(map(str, range(1, names + 1))) if isinstance(names, int) else names
        self.curves = tuple(self.curve(one) for one in file.curves)
        self.of_curves = [one.name for one in self.curves]

    def scheme(self) -> Scheme:
        names = (*self.names, *(name for curve in self.curves for name in curve.names))
        called = (*names, *self.of_curves)
        repeated = [name for name in called if called.count(name) > 1]
        if repeated or not names:
            found = f"the name '{repeated[0]}' twice" if repeated else "not one landmark"
            raise UserError(self.path, found=found, expected=f"{EXPECTED['names']}; all different")
        plain = Scheme(names, curves=self.curves)
        pairs, midline = list[tuple[int, int]](), list[int]()
        for left, right in self.file.pairs:
            for a, b in self.pairs_of(left, right, plain.runs):
                (midline.append(a) if a == b else pairs.append((a, b)))
        for one in self.file.midline:
            midline += self.indices(one, "midline", plain.runs)
        return Scheme(names, tuple(pairs), tuple(midline), self.curves, self.file.mirror, self.file.reference)

    def curve(self, one: _Curve) -> Curve:
        ends = None
        least = 3 if one.closed else 2 if one.ends is None else 1
        if one.points < least or (one.closed and one.ends is not None):
            found = counted(one.points, "point") if one.points < least else "closed and between two landmarks"
            expected = f"at least {least}" if one.points < least else "either closed = true or ends"
            raise UserError(self.path, found=f"curve '{one.name}': {found}", expected=expected)
        if one.ends is not None:
            ends = (self.landmark(one.ends[0], "ends"), self.landmark(one.ends[1], "ends"))
        return Curve(one.name, one.points, one.closed, ends)

    def landmark(self, one: str | int, where: str) -> int:
        if isinstance(one, int):
            if not 1 <= one <= len(self.names):
                expected = f"a number from 1 to {len(self.names)}"
                raise UserError(self.path, found=f"landmark {one} in {where}", expected=expected)
            return one - 1
        if one not in self.names:
            remedy = did_you_mean(one, [*self.names, *(self.of_curves if where != "ends" else ())])
            raise UserError(self.path, found=f"{where} names '{one}', which is no landmark", remedy=remedy)
        return self.names.index(one)

    def indices(self, one: str | int, where: str, runs: Sequence[range]) -> list[int]:
        """A landmark, or the semilandmarks of a curve."""
        if isinstance(one, str) and one in self.of_curves:
            return list(runs[self.of_curves.index(one)])
        return [self.landmark(one, where)]

    def pairs_of(self, left: str | int, right: str | int, runs: Sequence[range]) -> Iterable[tuple[int, int]]:
        """Pairs of landmarks, or of the semilandmarks of curves; equal ones are on the midline.

        A curve that is paired with itself crosses the midline: its mirror image runs the other way.
        """
        a, b = self.indices(left, "pairs", runs), self.indices(right, "pairs", runs)
        if (left in self.of_curves) != (right in self.of_curves) or len(a) != len(b):
            found = f"the pair '{left}' and '{right}'"
            raise UserError(self.path, found=found, expected="two landmarks, or two curves with as many points")
        if a != b:
            return zip(a, b, strict=True)
        if left not in self.of_curves:
            remedy = f"write it into {EXPECTED['midline']}"
            raise UserError(self.path, found=f"'{left}' paired with itself", remedy=remedy)
        other = [a[0], *a[:0:-1]] if self.curves[self.of_curves.index(str(left))].closed else a[::-1]
        return [(i, j) for i, j in zip(a, other, strict=True) if i <= j]


def _refused(path: Path, error: ValidationError) -> UserError:
    """The first mistake, in one line."""
    first = error.errors()[0]
    place: tuple[Any, ...] = first["loc"]
    setting = str(place[0])
    if first["type"] == "extra_forbidden":
        known = _Curve.model_fields if setting == "curves" else _File.model_fields
        return UserError(path, found=f"unknown setting '{place[-1]}'", remedy=did_you_mean(str(place[-1]), known))
    if first["type"] == "missing":
        inside = "" if len(place) == 1 else f" of curve {place[1] + 1}"
        return UserError(path, found=f"no {place[-1]}{inside}", expected=EXPECTED[setting])
    found = f"{setting} = {json.dumps(first['input'], default=str, ensure_ascii=False)}"
    if setting == "curves" and len(place) > 2:
        found = f"curve {place[1] + 1}: {place[2]} = {json.dumps(first['input'], default=str, ensure_ascii=False)}"
    return UserError(path, found=found, expected=EXPECTED[setting])


def _toml(value: object) -> str:
    """Text or lists of text as TOML writes them."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
