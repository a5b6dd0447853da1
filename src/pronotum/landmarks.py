"""The values everything else speaks: landmarks of a specimen, a set of specimens, and their scheme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pronotum.errors import UserError

FloatArray = NDArray[np.float64]


def as_points(values: ArrayLike) -> FloatArray:
    """Copy coordinates into a read-only float64 array of shape (K, 2).

    Raises:
        ValueError: the shape is not (K, 2), or a landmark has one coordinate but not the other.
    """
    points = np.array(values, dtype=np.float64)
    if points.size == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"landmarks must have shape (K, 2), got {points.shape}")
    if (np.isnan(points[:, 0]) != np.isnan(points[:, 1])).any():
        raise ValueError("a landmark is missing in one coordinate only; set both to NaN")
    points.setflags(write=False)
    return points


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks of one specimen on one photograph.

    Attributes:
        points: (K, 2) float64, columns (x, y), px of the photograph after EXIF orientation, y down,
            (0, 0) is the centre of the top-left pixel, NaN = missing. Where the height of the photograph is
            not known, y is counted down from the bottom edge and is negative (see `geometry.flip_y`).
        image: name of the photograph as the landmark file writes it; may be empty.
        id: identifier of the specimen as the landmark file writes it; may be empty.
        scale: length units per px, or None where the file gives none.
        names: (K,) of the landmarks where the file gives them; empty = it does not.
        curves: (m, 2) points along each curve as it was digitised, same frame. They are no landmarks; a scheme says how
            many semilandmarks to make of them.
        source: what a reader keeps of the file so that its writer can give an unmodified record back byte
            for byte. Nothing else looks at it.
    """

    points: FloatArray
    image: str = ""
    id: str = ""
    scale: float | None = None
    names: tuple[str, ...] = ()
    curves: tuple[FloatArray, ...] = ()
    source: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", as_points(self.points))
        object.__setattr__(self, "curves", tuple(as_points(curve) for curve in self.curves))
        if self.names and len(self.names) != len(self.points):
            raise ValueError(f"{len(self.names)} names for {len(self.points)} landmarks")

    @property
    def n_landmarks(self) -> int:
        """Number of landmarks, the missing ones included."""
        return len(self.points)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(K,) True where the landmark is not missing."""
        return ~np.isnan(self.points[:, 0])

    @property
    def name(self) -> str:
        """What to call this specimen in a message: its photograph, its ID, or both."""
        if self.image and self.id:
            return f"{self.image} (ID={self.id})"
        return self.image or (f"ID={self.id}" if self.id else "unnamed specimen")

    def with_points(self, points: ArrayLike) -> Landmarks:
        """The same specimen with other coordinates; `source` is kept for the writer to compare with."""
        return replace(self, points=as_points(points))


@dataclass(frozen=True)
class Scheme:
    """Which landmarks a study uses, and in what order.

    Attributes:
        names: one name per landmark, in file order.
        pairs: mirror pairs as 0-based indices (left, right). Without pairs nothing is ever mirrored.
        curves: open or closed curves as 0-based indices of their semilandmarks, in order along the curve.
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    curves: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError("landmark names must differ from each other")
        used = [index for group in (*self.pairs, *self.curves) for index in group]
        if any(not 0 <= index < len(self.names) for index in used):
            raise ValueError(f"pairs and curves must use indices 0 to {len(self.names) - 1}")

    @classmethod
    def numbered(cls, n_landmarks: int) -> Scheme:
        """The scheme of a file that names nothing: landmarks are called "1", "2", ... as in tpsDig."""
        return cls(tuple(str(number) for number in range(1, n_landmarks + 1)))

    @property
    def n_landmarks(self) -> int:
        """Number of landmarks of every specimen of the study."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class LandmarkSet:
    """Specimens that share one scheme.

    Raises:
        UserError: a specimen has another number of landmarks than the scheme.
    """

    specimens: tuple[Landmarks, ...]
    scheme: Scheme

    def __post_init__(self) -> None:
        for number, specimen in enumerate(self.specimens, start=1):
            if specimen.n_landmarks != self.scheme.n_landmarks:
                raise UserError(
                    f"specimen {number} {specimen.name}",
                    found=f"{specimen.n_landmarks} landmarks",
                    expected=f"{self.scheme.n_landmarks} as in the others",
                    remedy="digitise the rest, mark landmarks that cannot be seen as missing (-1 -1), "
                    "or move the specimen to another file",
                )

    @classmethod
    def of(cls, specimens: tuple[Landmarks, ...] | list[Landmarks], scheme: Scheme | None = None) -> LandmarkSet:
        """Gather specimens; without a scheme it is the names they share, or the commonest number of landmarks."""
        if scheme is None:
            counts = [specimen.n_landmarks for specimen in specimens]
            named = {specimen.names for specimen in specimens}
            scheme = Scheme.numbered(max(set(counts), key=lambda count: (counts.count(count), count), default=0))
            scheme = Scheme(named.pop()) if len(named) == 1 and () not in named else scheme
        return cls(tuple(specimens), scheme)

    @property
    def points(self) -> FloatArray:
        """(N, K, 2) coordinates of all specimens, each in the frame of its own photograph; NaN = missing."""
        if not self.specimens:
            return np.empty((0, self.scheme.n_landmarks, 2))
        return np.stack([specimen.points for specimen in self.specimens])

    def __len__(self) -> int:
        return len(self.specimens)

    def __iter__(self) -> Iterator[Landmarks]:
        return iter(self.specimens)
