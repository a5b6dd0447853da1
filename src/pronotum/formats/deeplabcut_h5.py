"""HDF5 files of DeepLabCut (``CollectedData_<scorer>.h5``), which is what it trains from. See `deeplabcut` for the CSV.

They are pandas data frames under the key ``df_with_missing``. pandas and PyTables unpickle what they find in a file,
so they are not used: names and numbers of a frame in pandas' "fixed" layout are plain arrays, which h5py reads and
writes (see `hdf5`). Frames in its "table" layout (predictions on videos) keep the names of their columns as pickles and
are refused, as is every name or number kept as one.

Source: pandas 1.5 to 3.1, `io.pytables` (`FrameFixed`); DeepLabCut 3.0.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum import files
from pronotum.errors import UserError, counted
from pronotum.formats import Format, Sizes
from pronotum.formats.deeplabcut import LEVELS
from pronotum.formats.hdf5 import Contents, library, mentions, read
from pronotum.formats.pose_table import Table, specimens, tabulate
from pronotum.landmarks import FloatArray, Landmarks

KEY = "df_with_missing"
CSV = "name the CSV file beside it, which holds the same"


def load(path: Path, sizes: Sizes = None) -> tuple[Landmarks, ...]:
    """Read an HDF5 file of DeepLabCut; specimens as `deeplabcut.load` gives them.

    Args:
        path: HDF5 file.
        sizes: not needed; y is down in the file.

    Raises:
        UserError: h5py is missing, no data frame or several, one that holds pickles, names of columns that are not
            DeepLabCut's, several scorers, or as `pose_table.specimens`; says file and place inside.
    """
    contents = read(path, "[^/]+|[^/]+/[^/]+")
    key = _key(contents)
    columns = _index(contents, f"{key}/axis0")
    photographs = _index(contents, f"{key}/axis1")
    values = _values(contents, key, columns, len(photographs))
    levels = next((known for known in LEVELS if all(len(column) == len(known) for column in columns)), None)
    scorers = dict.fromkeys(column[0] for column in columns)
    if levels is None or len(scorers) != 1:
        found = counted(len(scorers), "scorer") if levels else "columns of other names"
        expected = f"columns named by {', '.join(LEVELS[0])}, and one scorer"
        raise UserError(contents.where(key), found=found, expected=expected)
    named = tuple((column[-3] if len(column) == 4 else "", column[-2], column[-1]) for column in columns)
    table = Table(photographs, named, values, next(iter(scorers)), lambda row: f"{contents.where(key)}: row {row + 1}")
    return specimens(table, path)


def _key(contents: Contents) -> str:
    """Where the data frame is."""
    kinds = {name: told["pandas_type"] for name, told in contents.attributes.items() if "pandas_type" in told}
    frames = [name for name, kind in kinds.items() if kind == "frame"]
    if KEY in frames or len(frames) == 1:
        return KEY if KEY in frames else frames[0]
    if "frame_table" in kinds.values():
        found = "a data frame in table layout, whose names of columns are pickled Python objects"
        raise UserError(contents.path, found=found, expected="one that can be read without running them", remedy=CSV)
    expected = f"one, {KEY}, as DeepLabCut writes it"
    raise UserError(contents.path, found=f"{len(frames)} data frames", expected=expected, remedy="name another file")


def _index(contents: Contents, name: str) -> tuple[tuple[str, ...], ...]:
    """Names of rows or columns, each in its levels."""
    group, _, axis = name.rpartition("/")
    if contents.attribute(group, f"{axis}_variety") != "multi":
        return tuple((text,) for text in _texts(contents, name))
    n_levels = contents.attribute(group, f"{axis}_nlevels")
    if not isinstance(n_levels, int) or not 1 <= n_levels <= 4:
        raise UserError(contents.where(name), found=f"{n_levels} levels of names", expected="1 to 4")
    levels = [_level(contents, name, level) for level in range(n_levels)]
    if len({len(level) for level in levels}) != 1:
        raise UserError(contents.where(name), found="levels of names that differ in length", expected="the same length")
    return tuple(zip(*levels, strict=True))


def _level(contents: Contents, name: str, level: int) -> list[str]:
    texts = _texts(contents, f"{name}_level{level}")
    codes = _array(contents, f"{name}_label{level}", "iu")
    if codes.ndim != 1 or (codes.size and not 0 <= codes.min() <= codes.max() < len(texts)):
        found = "numbers that stand for no name"
        raise UserError(contents.where(f"{name}_label{level}"), found=found, expected=f"0 to {len(texts) - 1}")
    return [texts[code] for code in codes.tolist()]


def _texts(contents: Contents, name: str) -> list[str]:
    texts = _array(contents, name, "Siu")
    if texts.ndim != 1:
        raise UserError(contents.where(name), found=f"names in {texts.ndim} dimensions", expected="a list of names")
    try:
        return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in texts.tolist()]
    except UnicodeDecodeError:
        raise UserError(contents.where(name), found="a name that is not UTF-8", expected="UTF-8", remedy=CSV) from None


def _array(contents: Contents, name: str, kinds: str) -> NDArray[Any]:
    """An array of one of these kinds of numpy."""
    if name in contents.objects:
        raise UserError(contents.where(name), found="pickled Python objects, which are never read", remedy=CSV)
    found = contents.arrays.get(name)
    if found is None:
        raise UserError(contents.where(name), found="nothing there", expected="an array", remedy=CSV)
    if found.dtype.kind not in kinds:
        raise UserError(contents.where(name), found=f"values of type {found.dtype}", expected="names or numbers")
    return found


def _values(contents: Contents, key: str, columns: Sequence[tuple[str, ...]], n_rows: int) -> FloatArray:
    """Numbers of the frame, (rows, columns); pandas keeps the columns of each type together."""
    n_blocks = contents.attribute(key, "nblocks")
    if not isinstance(n_blocks, int) or not 0 <= n_blocks <= len(columns):
        raise UserError(contents.where(key), found=f"{n_blocks} blocks of numbers", expected="one or more")
    places = {column: number for number, column in enumerate(columns)}
    n_values = sum(_array(contents, f"{key}/block{block}_values", "fiu").size for block in range(n_blocks))
    if n_values != n_rows * len(columns) or len(places) != len(columns):
        table = f"{counted(n_rows, 'photograph')} and {counted(len(places), 'different column')}"
        found = f"{counted(n_values, 'number')} for {table}"
        raise UserError(contents.where(key), found=found, expected="one for each of both")
    values = np.full((n_rows, len(columns)), np.nan)
    unfilled = set(places)
    for block in range(n_blocks):
        name = f"{key}/block{block}_values"
        items = _index(contents, f"{key}/block{block}_items")
        numbers = _array(contents, name, "fiu")
        numbers = numbers if contents.attribute(name, "transposed") else numbers.T
        if numbers.shape != (n_rows, len(set(items))) or not unfilled.issuperset(items):
            found = f"numbers of shape {numbers.shape}"
            expected = f"({n_rows}, {len(items)}), for columns of the frame"
            raise UserError(contents.where(name), found=found, expected=expected)
        unfilled -= set(items)
        values[:, [places[item] for item in items]] = numbers
    return values


def save(path: Path, found: Sequence[Landmarks], sizes: Sizes = None) -> None:
    """Write an HDF5 file that DeepLabCut reads, in one step; `load` gives the same numbers back, to the last bit.

    Args:
        path: HDF5 file, best ``labeled-data/<folder>/CollectedData_<scorer>.h5``; see `pose_table.tabulate`.
        found: specimens, those of a photograph become neighbours; px, y down, NaN = missing.
        sizes: not needed.

    Raises:
        UserError: h5py is missing, or as `pose_table.tabulate`.
    """
    table = tabulate(found, path)
    h5py = library(path)
    individuals = any(individual for individual, _, _ in table.columns)
    columns = [(table.scorer, *(column if individuals else column[1:])) for column in table.columns]
    names = LEVELS[1] if individuals else LEVELS[0]
    with files.replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _describe(h5py, file, {"CLASS": "GROUP", "PYTABLES_FORMAT_VERSION": "2.1", "TITLE": "", "VERSION": "1.0"})
        frame = file.create_group(KEY)
        _describe(h5py, frame, {"CLASS": "GROUP", "TITLE": "", "VERSION": "1.0", "encoding": "UTF-8"})
        _describe(h5py, frame, {"errors": "strict", "pandas_type": "frame", "pandas_version": "0.15.2"})
        _describe(h5py, frame, {"ndim": 2, "nblocks": 1})
        _write_index(h5py, frame, "axis0", columns, names)
        _write_index(h5py, frame, "axis1", table.photographs)
        _write_index(h5py, frame, "block0_items", columns, names)
        _write_array(h5py, frame, "block0_values", table.values)


def _describe(h5py: Any, node: Any, attributes: Mapping[str, str | int]) -> None:
    """Give a group or array attributes as PyTables does; its reader and pandas' go by them."""
    for key, value in attributes.items():
        if isinstance(value, int):
            node.attrs[key] = np.int64(value)
        else:
            content = value.encode("utf-8")
            kind = h5py.string_dtype("utf-8", max(len(content), 1))
            node.attrs.create(key, np.array(content, kind) if content else h5py.Empty(kind))


def _write_array(h5py: Any, group: Any, name: str, values: NDArray[Any]) -> Any:
    """Write an array, rows first, which pandas calls transposed."""
    array = group.create_dataset(name, data=values, track_times=False)
    _describe(h5py, array, {"CLASS": "ARRAY", "FLAVOR": "numpy", "TITLE": "", "VERSION": "2.4"})
    array.attrs["transposed"] = np.uint8(1)
    return array


def _write_index(
    h5py: Any, group: Any, name: str, entries: Sequence[tuple[str, ...]], level_names: Sequence[str] = ()
) -> None:
    """Write names of rows or columns as pandas does: the different ones of each level, and which of them is where."""
    levels = list(zip(*entries, strict=True))
    _describe(h5py, group, {f"{name}_variety": "multi", f"{name}_nlevels": len(levels)})
    for number, level in enumerate(levels):
        texts = sorted(set(level))
        array = _write_array(h5py, group, f"{name}_level{number}", np.array([text.encode("utf-8") for text in texts]))
        _describe(h5py, array, {"kind": "string", **({"name": level_names[number]} if level_names else {})})
        codes = {text: code for code, text in enumerate(texts)}
        small = next(kind for kind in (np.int8, np.int16, np.int32) if len(texts) <= np.iinfo(kind).max)
        _write_array(h5py, group, f"{name}_label{number}", np.array([codes[text] for text in level], small))


def recognises(path: Path) -> bool:
    """Whether a file is of this kind: an HDF5 file with a data frame of pandas."""
    return mentions(path, b"pandas_type")


KEEPS = frozenset({"image", "names"})
FORMAT = Format(name="deeplabcut-h5", suffixes=(".h5",), read=load, write=save, keeps=KEEPS, recognises=recognises)
