"""What lies in the folder of a project: photographs, the landmark file, the scheme, and what each record is of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pronotum import images, schemes
from pronotum.data import Catalogue, Problem, unique
from pronotum.desk.matching import free_key
from pronotum.desk.specimens import Specimen, state_of
from pronotum.desk.states import History, State
from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme

LANDMARKS = "landmarks.tps"
PRIVATE = ".desk"
"""Folder of the desk's own files; hidden, so that no command takes what lies in it for photographs."""
_NOT_MANUAL = ("predictions.tps",)

Signature = tuple[int, int, int] | None
"""What changes when another program writes a file; None = it is not there."""


@dataclass(frozen=True, eq=False)
class Contents:
    """A project as its files have it.

    Attributes:
        catalogue: the photographs.
        keys: the key of the first specimen of each photograph.
        scheme: of the scheme file; without one as many landmarks as the longest record has.
        specimens: by key, in the order of the photographs; without what the journal knows of them.
        order: of the landmark file: keys, and records that are of no specimen.
        problems: what was left out.
        signature: of the landmark file, before it was read.
    """

    catalogue: Catalogue
    keys: dict[Path, str]
    scheme: Scheme
    specimens: dict[str, Specimen]
    order: list[str | Landmarks]
    problems: list[Problem]
    signature: Signature


def look(folder: Path, file: Path) -> Contents:
    """Read the photographs, the scheme and the landmark file of a project.

    Raises:
        UserError: a landmark file or a scheme that cannot be read.
    """
    photographs, problems = _photographs(folder)
    before, catalogue = signature(file), Catalogue(list(photographs.values()))
    records = tps.load(file, catalogue.dimensions) if file.exists() else ()
    numbered = Scheme.numbered(max((record.n_landmarks for record in records), default=0))
    scheme = schemes.find(folder) or numbered
    names = _image_names(photographs)
    keys = {path: key for key, path in photographs.items()}
    specimens: dict[str, Specimen] = {}
    order: list[str | Landmarks] = []
    for record in records:
        path = catalogue.match(record.image, record.id)
        size = catalogue.size(path) if isinstance(path, Path) else Problem(record.name, path)
        if isinstance(path, str) or isinstance(size, Problem):
            problems.append(size if isinstance(size, Problem) else Problem(record.name, str(path)))
            order.append(record)
            continue
        key = free_key(keys[path], specimens)
        state = state_of(record, scheme.n_fixed, f"{file.name}, {record.name}")
        specimens[key] = Specimen(key, path, record.image, size, History(state), record, record.id)
        order.append(key)
    for key, path in photographs.items():
        size = catalogue.size(path)
        if isinstance(size, Problem):
            problems.append(size)
        elif key not in specimens:
            specimens[key] = Specimen(key, path, names[key], size, History(State.empty(scheme.n_fixed)))
    positions = {path: at for at, path in enumerate(photographs.values())}
    ordered = dict(sorted(specimens.items(), key=lambda item: positions[item[1].photograph]))
    here = f"{folder}{os.sep}"
    shown = [replace(problem, where=problem.where.removeprefix(here)) for problem in problems]
    return Contents(catalogue, keys, scheme, ordered, order, unique(shown), before)


def _photographs(folder: Path) -> tuple[dict[str, Path], list[Problem]]:
    """Photographs by their paths in the folder, and links that lead out of it."""
    photographs: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in images.find(folder):
        if inside(folder, path):
            photographs[path.relative_to(folder).as_posix()] = path
        else:
            problems.append(Problem(str(path.relative_to(folder)), "a link that leads out of the project"))
    return photographs, problems


def landmark_file(folder: Path) -> Path:
    """The landmark file of a project: ``landmarks.tps``, or the only other TPS file beside the photographs.

    Raises:
        UserError: several to choose from, or a link that leads out of the project.
    """
    path = folder / LANDMARKS
    if not path.exists():
        found = sorted(
            one
            for one in folder.iterdir()
            if one.suffix.lower() == ".tps" and not one.name.startswith(".") and one.name not in _NOT_MANUAL
        )
        if len(found) > 1:
            listed = ", ".join(one.name for one in found[:5])
            remedy = f"call the one with your landmarks {LANDMARKS}"
            raise UserError(folder, found=f"{len(found)} TPS files ({listed})", expected="one", remedy=remedy)
        path = found[0] if found else path
    if not inside(folder, path):
        raise UserError(path, found="a link that leads out of the project", remedy="put the file itself there")
    return path


def inside(folder: Path, path: Path) -> bool:
    """Whether a path, all links followed, lies in a folder."""
    return path.resolve().is_relative_to(folder.resolve())


def signature(path: Path) -> Signature:
    """What tells that another program has written a file since."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _image_names(photographs: Mapping[str, Path]) -> dict[str, str]:
    """What the landmark file calls each photograph: its name, with its folder where names repeat."""
    count = Counter(path.name.casefold() for path in photographs.values())
    return {
        key: path.name if count[path.name.casefold()] == 1 else f"{path.parent.name}/{path.name}"
        for key, path in photographs.items()
    }
