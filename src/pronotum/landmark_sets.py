"""Two or three files of coordinates of the same specimens, brought together by specimen.

They may come from any program: manual landmarks, predictions, a second digitisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from pronotum import formats, images
from pronotum.data import Catalogue
from pronotum.errors import UserError, counted, few
from pronotum.landmarks import FloatArray, Landmarks, Scheme
from pronotum.semilandmarks import from_curves
from pronotum.units import Unit, in_mm

FEWEST = 3


@dataclass(frozen=True, eq=False)
class LandmarkSets:
    """Coordinates of the same specimens from several sources.

    Attributes:
        specimens: (N,) as the first source writes them.
        landmarks: (K,) names.
        points: (N, K, 2) by source, in the order of `specimens`; px, y down, NaN = missing. A source may lack
            specimens: their rows are NaN.
        scales: (N,) mm per px, or None.
        sizes: (N,) width and height of the photographs, or None where they are not at hand.
        photographs: (N,) files, or None.
        remarks: specimens that only some sources have, in sentences.
        sliders: semilandmarks, see `Scheme.sliders`.
    """

    specimens: tuple[Landmarks, ...]
    landmarks: tuple[str, ...]
    points: Mapping[str, FloatArray]
    scales: tuple[float | None, ...]
    sizes: tuple[tuple[int, int] | None, ...]
    photographs: tuple[Path | None, ...]
    remarks: tuple[str, ...] = ()
    sliders: tuple[tuple[int, int, int], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """(N,) what to call each specimen."""
        return tuple(specimen.name for specimen in self.specimens)


def open_sets(
    sources: Mapping[str, Path],
    *,
    photographs: Path | None = None,
    partial: Sequence[str] = (),
    forms: Mapping[str, str | None] | None = None,
    unit: Unit = "mm",
    scheme: Scheme | None = None,
) -> LandmarkSets:
    """Read files of coordinates and join them by photograph, or by ID where no photograph is named.

    Args:
        sources: file by name; the first gives specimens and order.
        photographs: folder of the photographs; needed where one file counts y up and another down, and for pictures.
        partial: sources that may lack specimens (a second digitisation of some of them).
        forms: name of the format, by source, where a file does not tell its own.
        unit: of length in the first file, whose scales count.
        scheme: of all files; their curves become its semilandmarks. None = curves do not count.

    Raises:
        UserError: a broken file, other numbers of landmarks, a specimen twice, specimens that do not match, fewer than
            three of them, or files whose y run in opposite directions without photographs to tell their heights.
    """
    catalogue = Catalogue(images.find(photographs)) if photographs else None
    known = catalogue.dimensions if catalogue else None
    loaded = {name: _load(path, known, scheme, (forms or {}).get(name)) for name, path in sources.items()}
    first = next(iter(loaded))
    _require_same_landmarks(sources, loaded)
    _require_same_direction(sources, loaded)
    by_key = key_of(loaded.values())
    tables = {name: _by_key(sources[name], rows, by_key) for name, rows in loaded.items()}
    order = [one for one in tables[first] if all(one in tables[name] for name in tables if name not in partial)]
    if len(order) < FEWEST:
        listed = ", ".join(specimen.name for specimen in loaded[first][:3])
        other = ", ".join(specimen.name for name in list(loaded)[1:2] for specimen in loaded[name][:3])
        raise UserError(
            " and ".join(str(path) for path in sources.values()),
            found=f"{counted(len(order), 'specimen')} in common ({listed} ... beside {other} ...)",
            expected=f"at least {FEWEST}, matched by IMAGE (or by ID where there is none)",
            remedy="name the specimens alike",
        )
    rows = [tables[first][one] for one in order]
    missing = np.full(rows[0].points.shape, np.nan)
    points = {
        name: np.stack([table[one].points if one in table else missing for one in order])
        for name, table in tables.items()
    }
    files = [catalogue.match(row.image, row.id) if catalogue else "" for row in rows]
    found = tuple(file if isinstance(file, Path) else None for file in files)
    sizes = [catalogue.size(file) if catalogue and file else None for file in found]
    return LandmarkSets(
        tuple(rows),
        (scheme or Scheme.numbered(rows[0].n_landmarks)).names,
        points,
        tuple(in_mm(row.scale, unit) for row in rows),
        tuple(size if isinstance(size, tuple) else None for size in sizes),
        found,
        _remarks(sources, tables, set(order)),
        scheme.sliders if scheme else (),
    )


def _load(path: Path, sizes: formats.Sizes, scheme: Scheme | None, form: str | None) -> tuple[Landmarks, ...]:
    found = formats.load(path, sizes, name=form)
    return found if scheme is None else tuple(from_curves(one, scheme) for one in found)


def key_of(sets: Iterable[Sequence[Landmarks]]) -> Callable[[Landmarks], str]:
    """How specimens are told apart: by the name of their photograph if all have one, else by ID."""
    specimens = [specimen for rows in sets for specimen in rows]
    if all(specimen.image for specimen in specimens):
        return lambda specimen: PureWindowsPath(specimen.image.strip()).stem.casefold()
    return lambda specimen: specimen.id.strip().casefold()


def _by_key(path: Path, specimens: Sequence[Landmarks], key: Callable[[Landmarks], str]) -> dict[str, Landmarks]:
    found: dict[str, Landmarks] = {}
    for specimen in specimens:
        one = key(specimen)
        if not one:
            raise UserError(path, found=f"{specimen.name} has neither IMAGE nor ID", remedy="name it")
        if one in found:
            raise UserError(path, found=f"{specimen.name} for the second time", expected="each specimen once")
        found[one] = specimen
    return found


def _require_same_landmarks(sources: Mapping[str, Path], loaded: Mapping[str, Sequence[Landmarks]]) -> None:
    counts = {name: {specimen.n_landmarks for specimen in rows} for name, rows in loaded.items()}
    for name, found in counts.items():
        if len(found) != 1:
            said = " and ".join(map(str, sorted(found))) or "no"
            raise UserError(sources[name], found=f"specimens with {said} landmarks", expected="the same number in all")
    first = next(iter(counts))
    for name, found in counts.items():
        if found != counts[first]:
            raise UserError(
                sources[name],
                found=f"{counted(found.pop(), 'landmark')} per specimen",
                expected=f"{counts[first].pop()} as in {sources[first].name}",
                remedy="compare files of one scheme",
            )


def _require_same_direction(sources: Mapping[str, Path], loaded: Mapping[str, Sequence[Landmarks]]) -> None:
    """Where a photograph's height is not known, y of a format that counts up is negative (see `Landmarks`)."""
    up = {}
    for name, rows in loaded.items():
        y = np.concatenate([specimen.points[:, 1] for specimen in rows])
        known = y[~np.isnan(y)]
        if known.size == 0:
            raise UserError(sources[name], found="not one landmark", expected="coordinates", remedy="check the file")
        up[name] = bool(np.median(known) < 0)
    if len(set(up.values())) > 1:
        upward = next(name for name, is_up in up.items() if is_up)
        downward = next(name for name, is_up in up.items() if not is_up)
        raise UserError(
            sources[upward],
            found=f"y counted from the bottom, in {sources[downward].name} from the top",
            expected="the heights of the photographs, to bring them together",
            remedy="add --photographs FOLDER",
        )


def _remarks(
    sources: Mapping[str, Path], tables: Mapping[str, Mapping[str, Landmarks]], common: set[str]
) -> tuple[str, ...]:
    said = []
    for name, table in tables.items():
        extra = [specimen.name for one, specimen in table.items() if one not in common]
        if extra:
            said.append(
                f"{counted(len(extra), 'specimen')} of {sources[name].name} left out, without counterpart: {few(extra)}"
            )
    return tuple(said)
