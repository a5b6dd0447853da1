"""The Parquet file of a shard: one row per specimen, and one per photograph of which nothing came.

Landmarks are lists in the order of the scheme. Coordinates are px of the photograph, y down, (0, 0) the centre of the
top-left pixel, as in predictions.csv; null = not placed or not known.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError
from pronotum.formats.predictions import RADII, Row

PREDICTED, REVIEW, BAD = "predicted", "review", "bad"
"""Of a specimen: nothing speaks against it, or a person should look at it. Of a photograph: no specimen came of it."""
ROWS = 1000
"""Rows written together."""
_TEXT = ("photograph", "id", "sha256", "model", "status", "remark")
_LISTS = {"x": "float64", "y": "float64", **dict.fromkeys(("confidence", "presence", *RADII), "float32")}
_DIGITS = {"x": 3, "y": 3}


def require() -> None:
    """Make sure that Parquet can be written.

    Raises:
        UserError: it cannot.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UserError("survey", found="pyarrow is missing", remedy="pip install 'pronotum[survey]'")


def of_specimen(row: Row, common: Mapping[str, Any], urgency: float, lacking: str = "") -> dict[str, Any]:
    """A row of the table.

    Args:
        row: what the model says of a specimen.
        common: photograph, sha256 and model.
        urgency: how urgently a person should look at it.
        lacking: which landmarks could not be placed; it is then to be reviewed too.
    """
    points = row.specimen.points
    numbers = {"x": points[:, 0], "y": points[:, 1], "confidence": row.confidence, "presence": row.presence}
    numbers |= {name: row.radii[:, at] for at, name in enumerate(RADII)}
    return {
        **common,
        "id": row.specimen.id,
        "status": REVIEW if row.flags or lacking else PREDICTED,
        "remark": lacking or row.remark,
        "flags": list(row.flags),
        "urgency": urgency,
        "width": row.size[0],
        "height": row.size[1],
        "scale": row.specimen.scale,
        **{name: _plain(values, _DIGITS.get(name)) for name, values in numbers.items()},
    }


def of_bad(common: Mapping[str, Any], identity: str, reason: str) -> dict[str, Any]:
    """The row of a photograph of which nothing came."""
    return {**common, "id": identity, "status": BAD, "remark": reason, "flags": []}


def _plain(values: NDArray[np.float64], digits: int | None) -> list[float | None]:
    rounded = values if digits is None else values.round(digits)
    return [value if np.isfinite(value) else None for value in rounded.tolist()]


class Writer:
    """Writes rows to a file, some at a time; whole when the ``with`` block has ended well."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Begin a file.

        Args:
            path: where.
            about: what is true of all rows; goes into the file's metadata as JSON under the key ``pronotum``.
        """
        self._arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
        kinds = {name: self._arrow.string() for name in _TEXT}
        kinds |= {"flags": self._arrow.list_(self._arrow.string()), "urgency": self._arrow.float32()}
        kinds |= {"width": self._arrow.int32(), "height": self._arrow.int32(), "scale": self._arrow.float64()}
        kinds |= {name: self._arrow.list_(getattr(self._arrow, kind)()) for name, kind in _LISTS.items()}
        self._schema = self._arrow.schema(kinds.items()).with_metadata({"pronotum": json.dumps(about)})
        self._file = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row."""
        self._waiting.append(dict(row))
        if len(self._waiting) == ROWS:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            self._file.write_table(self._arrow.Table.from_pylist(self._waiting, schema=self._schema))
            self._waiting.clear()


def bad(path: Path) -> Sequence[tuple[str, str]]:
    """Photographs of which nothing came, and why."""
    parquet: Any = importlib.import_module("pyarrow.parquet")
    found = parquet.read_table(path, columns=["photograph", "remark"], filters=[("status", "=", BAD)])
    return [(row["photograph"], row["remark"]) for row in found.to_pylist()]
