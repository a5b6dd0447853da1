"""From a folder or a landmark file to specimens with their photographs; nothing is left out in silence."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

import numpy as np

from pronotum import formats, images, schemes
from pronotum.errors import UserError, few
from pronotum.files import walk
from pronotum.landmarks import FloatArray, Landmarks, LandmarkSet, Scheme
from pronotum.semilandmarks import from_curves
from pronotum.units import Unit, in_mm


@dataclass(frozen=True)
class Problem:
    """Something of the user's data that had to be left out.

    Attributes:
        where: the record or the photograph.
        what: what is wrong with it, and what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Specimens that have landmarks and a readable photograph.

    Attributes:
        landmarks: one per specimen, px of its photograph, y down.
        photographs: (N,) the file of each specimen; one file may show several specimens.
        sizes: (N,) width and height in px, after EXIF orientation.
        problems: what was left out, and why.
        source: the landmark files.
        unit: of length in them.
        shapes: (M, K, 2) landmarks of more specimens, without photographs, in any pose, size and unit; NaN = missing.
            None = there are none (`more_shapes`).
        warnings: what looks wrong with all of it, though all of it is used; sentences for people.
    """

    landmarks: LandmarkSet
    photographs: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    problems: tuple[Problem, ...]
    source: tuple[Path, ...]
    unit: Unit = "mm"
    shapes: FloatArray | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photographs)

    @property
    def scheme(self) -> Scheme:
        """The scheme all specimens share."""
        return self.landmarks.scheme

    @property
    def specimens(self) -> tuple[Landmarks, ...]:
        """(N,) the landmarks of each specimen."""
        return self.landmarks.specimens

    @property
    def points(self) -> FloatArray:
        """(N, K, 2) px of each photograph; NaN = missing."""
        return self.landmarks.points

    @property
    def names(self) -> list[str]:
        """(N,) what to call each specimen."""
        return [specimen.name for specimen in self.landmarks]

    @property
    def scales(self) -> list[float | None]:
        """(N,) mm per px of each photograph; None = not known."""
        return [in_mm(specimen.scale, self.unit) for specimen in self.landmarks]

    @property
    def groups(self) -> list[str]:
        """(N,) what must not be split between training and testing: photographs with the same content."""
        digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in set(self.photographs)}
        return [digests[path] for path in self.photographs]

    def subset(self, index: Iterable[int]) -> Dataset:
        """The specimens at these positions, in this order."""
        chosen = [int(i) for i in index]
        specimens = self.landmarks.specimens
        return replace(
            self,
            landmarks=LandmarkSet(tuple(specimens[i] for i in chosen), self.scheme),
            photographs=tuple(self.photographs[i] for i in chosen),
            sizes=tuple(self.sizes[i] for i in chosen),
            problems=(),
        )

    def digest(self) -> str:
        """SHA-256 over what is learnt from: coordinates, photographs, more shapes, what may be mirrored."""
        total = hashlib.sha256()
        for group, points in zip(self.groups, self.points, strict=True):
            total.update(group.encode())
            total.update(np.ascontiguousarray(points).tobytes())
        if self.scheme.mirror:
            total.update(str(self.scheme.partners).encode())
        if self.shapes is not None:
            total.update(np.ascontiguousarray(self.shapes).tobytes())
        return total.hexdigest()


def open_data(
    path: Path, *, photographs: Path | None = None, scheme: Path | None = None, form: str | None = None
) -> Dataset:
    """Open a landmark file, or a folder with one and its photographs beside or below.

    Args:
        path: landmark file or folder.
        photographs: folder to look for photographs in, where it is another one.
        scheme: scheme file; default ``scheme.toml`` beside the data, where there is one.
        form: name of the format of the landmark file, where its suffix and content do not tell.

    Raises:
        UserError: nothing there, several landmark files to choose from, a broken landmark or scheme file, specimens
            with different numbers of landmarks, or not one specimen with a readable photograph.
    """
    sources = landmark_files(path, form)
    folder = photographs or (path if path.is_dir() else path.parent)
    return open_files(sources, images.find(folder), folder, schemes.find(path, scheme), form)


def open_files(
    sources: Sequence[Path],
    photographs: Sequence[Path],
    folder: Path,
    scheme: Scheme | None = None,
    form: str | None = None,
) -> Dataset:
    """Open landmark files and match each specimen with one of these photographs.

    With a scheme the curves of each specimen become semilandmarks; one that has other numbers of landmarks or curves is
    left out.
    """
    catalogue = Catalogue(photographs)
    problems, refused = list[Problem](), list[UserError]()
    kept: list[tuple[Landmarks, Path, tuple[int, int]]] = []
    for source in sources:
        for specimen in formats.load(source, catalogue.dimensions, name=form):
            found = catalogue.match(specimen.image, specimen.id)
            if isinstance(found, Path):
                size = catalogue.size(found)
                if isinstance(size, Problem):
                    problems.append(size)
                elif specimen.n_landmarks == 0 and (scheme is None or scheme.n_fixed):
                    problems.append(Problem(specimen.name, "has no landmarks (LM=0); digitise it or remove it"))
                else:
                    fitted = specimen if scheme is None else _fit(specimen, scheme, source)
                    if isinstance(fitted, UserError):
                        refused.append(fitted)
                    else:
                        kept.append((fitted, found, size))
            else:
                problems.append(Problem(f"{source.name}, {specimen.name}", found))
    if refused and not kept:
        raise refused[0]
    problems += [Problem(error.where, str(error).removeprefix(f"{error.where}: ")) for error in refused]
    if not kept:
        reasons = f" ({problems[0]})" if problems else ""
        raise UserError(
            folder,
            found=f"no specimen has both landmarks and a readable photograph{reasons}",
            expected="photographs named as in the landmark file, beside it or below",
            remedy="put them there, or name their folder with --photographs",
        )
    specimens, files, sizes = zip(*kept, strict=True)
    landmarks = LandmarkSet.of(specimens, scheme)
    return Dataset(landmarks, files, sizes, tuple(unique(problems)), tuple(sources))


def _fit(specimen: Landmarks, scheme: Scheme, source: Path) -> Landmarks | UserError:
    """A specimen with the landmarks and semilandmarks of a scheme, or why it does not fit.

    Raises:
        UserError: the file names its landmarks otherwise.
    """
    check_names(specimen, scheme, source)
    try:
        return from_curves(specimen, scheme)
    except UserError as error:
        return error


def check_names(specimen: Landmarks, scheme: Scheme, source: object) -> None:
    """Refuse landmarks of other names than those of a scheme, or of these in another order.

    Raises:
        UserError: the file, which messages call `source`, names its landmarks otherwise.
    """
    fixed = scheme.names[: scheme.n_fixed]
    numbers = Scheme.numbered(specimen.n_landmarks).names
    if specimen.names not in ((), scheme.names, fixed, numbers):
        raise UserError(
            f"{source}, {specimen.name}",
            found=f"landmarks named {few(specimen.names, 8)}",
            expected=f"{few(fixed, 8)} as in the scheme",
            remedy="write the names into the scheme in the order of the file",
        )


def landmark_files(path: Path, form: str | None = None) -> list[Path]:
    """The landmark file, or those of a folder: one, or many that hold one specimen each (as MAELab writes them).

    Where a format is named, only files with its suffix count.

    Files whose suffix other programs use too, as .csv, count only where there is no other landmark file, in the folder
    or below, and only where their content says that they are one.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(path, found="no such file or folder", remedy="check the spelling")
    found = _files_in(path, [formats.named(form)] if form else None)
    if not found:
        raise _no_landmarks_in(path)
    if len(found) > 1 and any(len(formats.load(file, name=form)) > 1 for file in found):
        listed = few([file.name for file in found])
        raise UserError(
            path,
            found=f"{len(found)} landmark files ({listed})",
            expected="one",
            remedy="name the one you mean",
        )
    return found


def _no_landmarks_in(folder: Path) -> UserError:
    """What to do with a folder without a landmark file: perhaps there is one that is not understood."""
    shown = sorted(_below(folder))
    alike = [path for path in shown if path.is_file() and path.name.lower().endswith(formats.suffixes())]
    expected = f"one ending in {', '.join(formats.suffixes())}"
    if alike:
        listed = few([str(path.relative_to(folder)) for path in alike], 3)
        remedy = "name the file instead of the folder: what is wrong with it is then said, or --format takes its format"
        return UserError(folder, found=f"no landmark file that is understood (there are {listed})", remedy=remedy)
    if images.find(folder):
        remedy = f"put it there, name it, or place landmarks with: pronotum desk {folder}"
        return UserError(folder, found="photographs, but no landmark file", expected=expected, remedy=remedy)
    return UserError(folder, found="neither landmarks nor photographs", expected=expected, remedy="check the spelling")


def _files_in(folder: Path, named: Sequence[formats.Format] | None = None) -> list[Path]:
    """Landmark files in a folder, else below it; those known by their suffix before those known by their content."""
    kinds = [replace(kind, recognises=None) for kind in named] if named else list(formats.table().values())
    for group in (
        [kind for kind in kinds if kind.recognises is None],
        [kind for kind in kinds if kind.recognises is not None],
    ):
        for paths in (folder.iterdir(), _below(folder)):
            shown = sorted(path for path in paths if not path.name.startswith("."))
            found = [path for path in shown if any(kind.fits(path) for kind in group)]
            if found:
                return found
    return []


def _below(folder: Path) -> Iterator[Path]:
    """Files in and below a folder, without hidden ones."""
    return (Path(place) / name for place, names in walk(str(folder)) for name in names)


class Catalogue:
    """Photographs by name, whatever the case, extension or folder a landmark file writes."""

    def __init__(self, photographs: Sequence[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        self._sizes: dict[Path, tuple[int, int] | Problem] = {}
        for path in photographs:
            self._by_name[path.name.casefold()].append(path)
            self._by_stem[path.stem.casefold()].append(path)

    def match(self, image: str, identity: str = "") -> Path | str:
        """The photograph a record means, or what is wrong: none, or several it could be.

        Args:
            image: the record's IMAGE; a Windows or Unix path is reduced to its name. Its folders only decide
                between photographs of the same name.
            identity: the record's ID, used as a name where IMAGE is empty.
        """
        written = PureWindowsPath((image or identity).strip().strip('"'))
        name = written.name.casefold()
        if not name:
            return "has neither IMAGE nor ID; add IMAGE=<name of the photograph>"
        found = (
            self._by_name.get(name) or self._by_stem.get(name) or self._by_stem.get(PureWindowsPath(name).stem) or []
        )
        if len(found) > 1:
            parents = [part.casefold() for part in written.parts[:-1]]
            same = [path for path in found if parents and path.parent.name.casefold() == parents[-1]]
            found = same if len(same) == 1 else found
        if not found:
            return f"photograph '{written.name}' not found; put it beside the landmark file or below"
        if len(found) > 1:
            listed = ", ".join(str(path) for path in found[:4])
            return f"'{written.name}' could be {len(found)} photographs ({listed}); remove or rename all but one"
        return found[0]

    def size(self, path: Path) -> tuple[int, int] | Problem:
        """Width and height of a photograph, or why it cannot be opened."""
        if path not in self._sizes:
            try:
                self._sizes[path] = images.size(path)
            except images.UnreadablePhotograph as error:
                self._sizes[path] = Problem(error.where, str(error).removeprefix(f"{error.where}: "))
        return self._sizes[path]

    def dimensions(self, name: str) -> tuple[int, int] | None:
        """Width and height in px of the photograph a record names; None where they are not known."""
        found = self.match(name)
        size = self.size(found) if isinstance(found, Path) else None
        return size if isinstance(size, tuple) else None


def unique(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in order, each once."""
    return list(dict.fromkeys(problems))
