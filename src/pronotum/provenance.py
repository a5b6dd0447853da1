"""Where predictions come from: ``predictions.json`` beside predictions.tps, with which anyone can do them again.

It names by SHA-256 the model, every photograph and the files that were written, and says with what versions and
settings they were made. It is written as the predictions come, one photograph a line, so that memory does not grow.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from pronotum import __version__
from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.formats.predictions import Row
from pronotum.geometry import flip_y
from pronotum.landmarks import FloatArray

NAME = "predictions.json"
LIBRARIES = ("torch", "numpy", "pillow")
"""What else decides about results: the networks' arithmetic, and how a JPEG is decoded."""
AHEAD = 8
"""Photographs hashed ahead at most: about those that are being decoded, so that each is read from disk once."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Model(_Plain):
    """The model that made predictions.

    Attributes:
        path: from the folder of the predictions, with slashes.
        sha256: of the file.
        architecture: its name.
        landmarks: names of what it places.
        trained_on: digest of coordinates and photographs it was trained on (`data.Dataset.digest`); "" = not known.
    """

    path: str
    sha256: str
    architecture: str
    landmarks: tuple[str, ...]
    trained_on: str = ""


class Settings(_Plain):
    """With what predictions were made.

    Attributes:
        device: "cpu", "cuda" or "mps".
        strict: what is to be reviewed was left out of the TPS file.
        scale: mm per px; None = not known.
        missing: how the TPS file has a landmark that was not placed: tpsdig or geomorph.
        batch: photographs that went through the networks together.
    """

    device: str
    strict: bool
    scale: float | None
    missing: str
    batch: int


class Specimen(_Plain):
    """The landmarks of a specimen.

    Attributes:
        id: ID in the TPS file.
        coordinates: `digest_of` its landmarks.
        in_tps: whether the TPS file has it; ``--strict`` leaves out what is to be reviewed.
    """

    id: str
    coordinates: str
    in_tps: bool


class Photograph(_Plain):
    """A photograph and what came of it.

    Attributes:
        name: IMAGE in the TPS file.
        path: from the folder of the predictions, with slashes.
        sha256: of the file; "" = it could not be read.
        size: width and height in px; None = nothing came of it.
        specimens: on it; none where it could not be opened.
    """

    name: str
    path: str
    sha256: str
    size: tuple[int, int] | None = None
    specimens: tuple[Specimen, ...] = ()

    @property
    def in_tps(self) -> tuple[Specimen, ...]:
        """Its specimens that the TPS file has."""
        return tuple(one for one in self.specimens if one.in_tps)


class Head(_Plain):
    """What is true of all predictions of a folder.

    Attributes:
        made: when, UTC.
        versions: of pronotum, Python, `LIBRARIES` and the platform.
        model: that made them.
        settings: with which.
    """

    format: Literal["pronotum-predictions"] = "pronotum-predictions"
    format_version: Literal[1] = 1
    made: str
    versions: dict[str, str]
    model: Model
    settings: Settings


class Provenance(Head):
    """Where the predictions of a folder come from.

    Attributes:
        photographs: in order.
        files: SHA-256 of what was written, by name.
    """

    photographs: tuple[Photograph, ...]
    files: dict[str, str]


def head(model: Model, settings: Settings) -> Head:
    """What is true of predictions made now."""
    return Head(
        made=datetime.now(UTC).isoformat(timespec="seconds"), versions=versions(), model=model, settings=settings
    )


def photograph(name: str, path: str, digest: str, rows: Sequence[Row], *, strict: bool) -> Photograph:
    """What is noted of a photograph.

    Args:
        name: what the TPS file calls it.
        path: see `Photograph`.
        digest: SHA-256 of the file.
        rows: what the model says of the specimens on it.
        strict: what is to be reviewed was left out of the TPS file.
    """
    specimens = [
        Specimen(
            id=row.specimen.id,
            coordinates=digest_of(flip_y(row.specimen.points, row.size[1])),
            in_tps=not (strict and row.flags),
        )
        for row in rows
    ]
    size = rows[0].size if rows else None
    return Photograph(name=name, path=path, sha256=digest, size=size, specimens=tuple(specimens))


def versions() -> dict[str, str]:
    """Versions of all that decides about predictions, here and now."""
    known = {"pronotum": __version__, "python": platform.python_version()}
    return {**known, **{name: version(name) for name in LIBRARIES}, "platform": platform.platform()}


class Record:
    """Writes a `Provenance` photograph by photograph; it is complete after `finish`."""

    def __init__(self, file: TextIO, head: Head) -> None:
        self._file, self._between = file, "\n"
        about = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.model_dump().items())
        file.write(f'{{\n{about},\n "photographs": [')

    def add(self, photograph: Photograph) -> None:
        """Note a photograph."""
        self._file.write(f"{self._between}  {json.dumps(photograph.model_dump())}")
        self._between = ",\n"

    def finish(self, files: Mapping[str, Path]) -> None:
        """Note the files that were written, by the names they will have."""
        written = {name: sha256(path) for name, path in files.items()}
        self._file.write(f'\n ],\n "files": {json.dumps(written)}\n}}\n')
        self._file.flush()


def read(folder: Path) -> Provenance:
    """Read where the predictions of a folder come from.

    Raises:
        UserError: there is no such file, or it is another or damaged.
    """
    path = folder / NAME
    try:
        return Provenance.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            path,
            found=f"cannot be opened ({error.strerror})",
            expected="the folder of a pronotum predict",
            remedy="without it nobody can tell where predictions come from; predict again",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, first['loc'])) or 'no JSON'}: {first['msg']}"
        raise UserError(path, found=found, expected="the file as pronotum predict wrote it") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file; "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def all_sha256(paths: Iterable[Path]) -> Iterator[str]:
    """`sha256` of files, in order, by background threads that are a few files ahead."""
    with ThreadPoolExecutor(2) as pool:
        waiting: deque[Future[str]] = deque()
        for path in paths:
            waiting.append(pool.submit(sha256, path))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def digest_of(points: FloatArray) -> str:
    """SHA-256 of coordinates as a TPS file has them: another program may save it again without changing this.

    Args:
        points: (K, 2) px, y up (`TpsRecord.points`); NaN = missing.
    """
    lines = "\n".join(tps.render_point(point, "geomorph") for point in points)
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def path_from(folder: Path, path: Path) -> str:
    """How to write where a file is: from a folder, so that both can be moved together; whole if on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def path_to(folder: Path, written: str) -> Path:
    """Where a file is that `path_from` has written."""
    return Path(os.path.normpath(folder / written))
