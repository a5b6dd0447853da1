"""One suspicion about a record, with its evidence and the change that would mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = {
    "misread": "all records: the file was read the wrong way",
    "misread in part": "some records: read another way than the others",
    "mirrored": "mirrored digitisation",
    "y flipped": "y axis flipped",
    "swapped": "two landmarks swapped",
    "order": "order of landmarks shifted or reversed",
    "landmark": "single landmark off",
    "configuration": "unlike all other configurations",
    "outside": "landmark outside the photograph",
    "scale": "scale in another unit",
    "duplicate photograph": "the same photograph under two names",
    "digitised twice": "the same specimen digitised twice",
    "photograph": "photograph unlike all others",
    "off the specimen": "landmarks off the specimen",
    "residual": "far from the out-of-fold prediction",
}


@dataclass(frozen=True)
class Change:
    """What a proposed change does to a record.

    Attributes:
        what: ``permute`` (landmark k becomes the one that was at order[k]), ``flip x``, ``flip y`` (within the
            photograph, or about the configuration's own centre where its size is unknown), ``scale`` (times the
            factor), ``missing`` (these landmarks), ``remove`` (the record). One of several: see below.
        order: for ``permute``, 0-based.
        landmarks: for ``missing``, 0-based.
        factor: for ``scale``.
        everywhere: whether it is one of all records of the file; `what` is then the name of one of `READINGS`.
        records: names of the records it is one of, where it is one of several; `what` likewise.
    """

    what: str
    order: tuple[int, ...] = ()
    landmarks: tuple[int, ...] = ()
    factor: float = 1.0
    everywhere: bool = False
    records: tuple[str, ...] = ()

    @property
    def of_file(self) -> bool:
        """Whether it is about how the file is read, not about one record."""
        return self.everywhere or bool(self.records)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Change:
        """Back from values of a JSON file; raises KeyError, TypeError or ValueError where it is something else."""
        order, landmarks = (tuple(int(k) for k in plain[name]) for name in ("order", "landmarks"))
        everywhere = bool(plain.get("everywhere", False))
        records = tuple(map(str, plain.get("records", ())))
        return cls(str(plain["what"]), order, landmarks, float(plain["factor"]), everywhere, records)


@dataclass(frozen=True)
class Finding:
    """A suspicion.

    Attributes:
        kind: one of `KINDS`.
        specimen: position of the record in the data.
        name: of the specimen.
        severity: how sure it is; the larger, the sooner to look at. Comparable across kinds.
        evidence: one sentence with the figures.
        landmarks: 0-based, those it is about; empty = all or none in particular.
        change: what would mend it, where that is known.
        other: position of the other record, where it is about two.
    """

    kind: str
    specimen: int
    name: str
    severity: float
    evidence: str
    landmarks: tuple[int, ...] = ()
    change: Change | None = None
    other: int | None = None

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold; landmarks stay 0-based."""
        return asdict(self)
