"""What a study knows of its specimens beside landmarks: population, species, sex, camera, operator.

A CSV file (comma, semicolon or tab) with a column ``image`` or ``id`` and any others; one row per specimen.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from pronotum.errors import UserError, counted, did_you_mean
from pronotum.landmarks import Landmarks

KEYS = ("image", "id")


@dataclass(frozen=True)
class Covariates:
    """A table of specimens.

    Attributes:
        path: where it was read.
        key: the column that names specimens, ``image`` or ``id``.
        columns: names of the others.
        rows: column -> value, by specimen.
    """

    path: Path
    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]

    def of(self, specimens: Iterable[Landmarks], column: str) -> tuple[str, ...]:
        """(N,) values of one column.

        Raises:
            UserError: no such column, a specimen without a row, or an empty value.
        """
        if column not in self.columns:
            raise UserError(
                self.path, found=f"there is no column '{column}'", remedy=did_you_mean(column, self.columns)
            )
        values, lacking = [], []
        for specimen in specimens:
            value = self.rows.get(self._name(specimen), {}).get(column, "")
            values.append(value)
            if not value:
                lacking.append(specimen.name)
        if lacking:
            raise UserError(
                self.path,
                found=f"no {column} for {counted(len(lacking), 'specimen')}, the first is {lacking[0]}",
                expected=f"a row with {self.key} and {column} for each",
                remedy="add them",
            )
        return tuple(values)

    def _name(self, specimen: Landmarks) -> str:
        return specimen.id.strip() if self.key == "id" else _stem(specimen.image)


def read(path: Path) -> Covariates:
    """Read a table of specimens.

    Raises:
        UserError: no such file, no column that names specimens, or a specimen in two rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(path, found="no such file", remedy="check the spelling") from None
    except UnicodeDecodeError:
        text = path.read_text(encoding="cp1252")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.DictReader(text.splitlines(), delimiter=delimiter)
    heads = {name.strip().casefold(): name for name in lines.fieldnames or () if name}
    key = next((name for name in KEYS if name in heads), None)
    if key is None:
        found = f"the columns {', '.join(heads) or 'none'}"
        raise UserError(f"{path}:1", found=found, expected="one named image or id", remedy="name it so")
    rows: dict[str, Mapping[str, str]] = {}
    for line in lines:
        name = (line[heads[key]] or "").strip()
        specimen = _stem(name) if key == "image" else name
        if specimen in rows:
            raise UserError(f"{path}:{lines.line_num}", found=f"{name} for the second time", expected="one row each")
        rows[specimen] = {head.strip(): (value or "").strip() for head, value in line.items() if head}
    columns = tuple(head.strip() for head in lines.fieldnames or () if head and head != heads[key])
    return Covariates(path, key, columns, rows)


def _stem(image: str) -> str:
    return PureWindowsPath(image.strip()).stem.casefold()
