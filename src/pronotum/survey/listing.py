"""Which photographs a survey is of: folders, lists and stores, written down once, so that resuming finds the same.

``photographs.jsonl`` has a location in each line, as JSON because names of files may hold anything. Nothing here holds
more than a folder's names in memory.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from pronotum.errors import UserError, did_you_mean
from pronotum.files import replacing_all, walk
from pronotum.images import PHOTOGRAPH_SUFFIXES, natural_key
from pronotum.survey import remote

LIST_SUFFIXES = (".csv", ".tsv", ".txt")
COLUMNS = ("photograph", "path", "url", "file", "image", "identifier", "accessuri")
"""Names by which a list's column of photographs is known; the last two are those of GBIF and Audubon Core."""
PHOTOGRAPHS, COUNTS = "photographs.jsonl", "listing.json"
SAID_EVERY = 1000


@dataclass(frozen=True)
class Listed:
    """What was listed.

    Attributes:
        photographs: how many, each once.
        repeated: further mentions of the same, left out.
        empty: lines of lists that name no photograph.
    """

    photographs: int
    repeated: int
    empty: int


def write(
    sources: Sequence[str],
    folder: Path,
    *,
    column: str | None = None,
    on_photographs: Callable[[int], None] = lambda n: None,
) -> Listed:
    """Write down all photographs, or read what was written at an earlier time.

    Args:
        sources: folders, photographs, and lists of paths or URLs (`LIST_SUFFIXES`), all of them paths or URLs.
        folder: for `PHOTOGRAPHS` and `COUNTS`.
        column: of tables that are lists; default one of `COLUMNS`.
        on_photographs: called now and then with the number found so far.

    Raises:
        UserError: a source that is not there or holds no photograph, or a list that is not understood.
    """
    if (folder / COUNTS).exists():
        return Listed(**json.loads((folder / COUNTS).read_text(encoding="utf-8")))
    n = repeated = empty = 0
    kinds = set[str]()
    with (
        replacing_all(folder / COUNTS, folder / PHOTOGRAPHS) as (counts, listing),
        listing.open("w", encoding="ascii", newline="\n") as file,
        _Seen() as seen,
    ):
        for source in sources:
            before = n + repeated
            for location in _of(source, column):
                if not location:
                    empty += 1
                elif seen.before(location):
                    repeated += 1
                else:
                    if remote.is_remote(location) and remote.protocol(location) not in kinds:
                        remote.require(location)
                        kinds.add(remote.protocol(location))
                    file.write(json.dumps(location) + "\n")
                    n += 1
                    if n % SAID_EVERY == 0:
                        on_photographs(n)
            if n + repeated == before:
                raise UserError(source, found="no photographs", expected="JPEG, PNG, TIFF, BMP or WebP files")
        found = Listed(n, repeated, empty)
        counts.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
    return found


def starts(folder: Path, size: int) -> list[int]:
    """Bytes of `PHOTOGRAPHS` at which each shard of so many photographs begins."""
    found, at = list[int](), 0
    with (folder / PHOTOGRAPHS).open("rb") as file:
        for number, line in enumerate(file):
            if number % size == 0:
                found.append(at)
            at += len(line)
    return found


def read(folder: Path, start: int, size: int) -> list[str]:
    """The locations of a shard."""
    with (folder / PHOTOGRAPHS).open("rb") as file:
        file.seek(start)
        return [json.loads(line) for line in islice(file, size)]


def _of(source: str, column: str | None) -> Iterator[str]:
    """Locations that a source stands for; "" for a line that names none."""
    suffix = os.path.splitext(source)[1].lower()
    if remote.is_remote(source):
        if suffix in LIST_SUFFIXES:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / f"list{suffix}"
                remote.fetch(source, copy)
                yield from _listed(copy, source, source.rpartition("/")[0], column)
        elif suffix in PHOTOGRAPH_SUFFIXES:
            yield source
        else:
            yield from (url for url in remote.walk(source) if url.lower().endswith(PHOTOGRAPH_SUFFIXES))
    elif os.path.isdir(source):
        yield from _below(source)
    elif not os.path.exists(source):
        raise UserError(source, found="no such file or folder", remedy="check the spelling")
    elif suffix in LIST_SUFFIXES:
        yield from _listed(Path(source), source, os.path.dirname(source), column)
    else:
        yield source


def _below(folder: str) -> Iterator[str]:
    """Photographs in and below a folder, each folder's in natural order, without hidden ones, as `images.find`."""

    def refused(error: OSError) -> None:
        raise UserError(error.filename, found=f"cannot be listed ({error.strerror})")

    for place, names in walk(folder, key=natural_key, onerror=refused):
        yield from (os.path.join(place, name) for name in names if name.lower().endswith(PHOTOGRAPH_SUFFIXES))


def _listed(path: Path, source: str, beside: str, column: str | None) -> Iterator[str]:
    """Locations in a list: one a line, or a column of a table. Paths that are not absolute lie beside the list.

    Args:
        path: the list.
        source: what the user calls it.
        beside: folder or URL it lies in.
        column: of the table.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for written in _column(file, source, column):
                name = written.strip()
                absolute = not name or not beside or remote.is_remote(name) or os.path.isabs(name)
                yield name if absolute else f"{beside}/{name}"
    except csv.Error as error:
        raise UserError(source, found=f"a table that cannot be read ({error})") from None


def _column(file: TextIO, source: str, column: str | None) -> Iterator[str]:
    first = file.readline()
    delimiter = next((mark for mark in "\t;," if mark in first), None)
    csv.field_size_limit(2**24)
    lines = chain([first], file)
    if delimiter in (None, "\t"):  # tables with tabs, as GBIF's, have no quotes: a quotation mark in them is one
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(lines, delimiter=delimiter)
    head = [name.strip() for name in next(rows, [])]
    lower = [name.lower() for name in head]
    wanted = next((name for name in COLUMNS if name in lower), None) if column is None else column.lower()
    if wanted in lower:
        at = lower.index(wanted)
        yield from (row[at] if at < len(row) else "" for row in rows)
    elif column is not None:
        raise UserError(source, found=f"no column '{column}'", remedy=did_you_mean(column, head))
    elif len(head) == 1:
        yield from (row[0] if row else "" for row in chain([head], rows))
    else:
        found = f"columns {', '.join(head[:8])}"
        raise UserError(source, found=found, expected=f"one of {', '.join(COLUMNS)}", remedy="name it with --column")


class _Seen:
    """Which locations there have been, on disk: a million of them would else be most of the memory."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> _Seen:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pronotum-"))
        self._table = sqlite3.connect(Path(folder) / "seen", isolation_level=None)
        self._stack.callback(self._table.close)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("PRAGMA synchronous = OFF")
        self._table.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._table.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def before(self, location: str) -> bool:
        """Whether this location was asked for before."""
        digest = blake2b(location.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        return self._table.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 0
