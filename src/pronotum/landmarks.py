"""The values everything else speaks: landmarks of a specimen, a set of specimens, and their scheme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pronotum.errors import UserError, counted

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
class Curve:
    """A curve of a scheme, along which there are semilandmarks.

    Attributes:
        name: of the curve; its semilandmarks are called "<name> 1", "<name> 2", ...
        points: how many semilandmarks it has.
        closed: whether it goes back to where it began; its first semilandmark is there.
        ends: 0-based, the landmarks between which it runs and its semilandmarks lie; None = it begins with its first
            semilandmark and ends with its last.
    """

    name: str
    points: int
    closed: bool = False
    ends: tuple[int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of its semilandmarks."""
        return tuple(f"{self.name} {number}" for number in range(1, self.points + 1))


@dataclass(frozen=True)
class Scheme:
    """Which landmarks a study uses, and in what order: those that are digitised, then the semilandmarks of its curves.

    Attributes:
        names: one name per landmark, in file order, then those of the semilandmarks, curve by curve.
        pairs: mirror pairs as 0-based indices (left, right). Without pairs nothing is ever mirrored.
        midline: 0-based, what is its own mirror image.
        curves: in the order in which files have them.
        mirror: whether the mirror image of a specimen could be one as well, so that networks may learn from it. Every
            landmark is then in a pair or on the midline.
        reference: a picture that shows the landmarks, as the scheme file names it; "" = none.
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    midline: tuple[int, ...] = ()
    curves: tuple[Curve, ...] = ()
    mirror: bool = False
    reference: str = ""

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError("landmark names must differ from each other")
        used = [*(index for pair in self.pairs for index in pair), *self.midline]
        if any(not 0 <= index < len(self.names) for index in used):
            raise ValueError(f"pairs and midline must use indices 0 to {len(self.names) - 1}")
        if len(set(used)) != len(used):
            raise ValueError("a landmark in two mirror pairs, or in one and on the midline")
        left = [name for index, name in enumerate(self.names) if index not in set(used)]
        if self.mirror and left:
            raise ValueError(f"mirror, but {', '.join(left[:5])} neither in a pair nor on the midline")
        if self.n_fixed < 0 or any(curve.points < 1 for curve in self.curves):
            raise ValueError(f"{len(self.names)} names do not fit the semilandmarks of the curves")
        if any(not 0 <= end < self.n_fixed for curve in self.curves for end in curve.ends or ()):
            raise ValueError(f"ends of curves must be landmarks, indices 0 to {self.n_fixed - 1}")

    @classmethod
    def numbered(cls, n_landmarks: int) -> Scheme:
        """The scheme of a file that names nothing: landmarks are called "1", "2", ... as in tpsDig."""
        return cls(tuple(str(number) for number in range(1, n_landmarks + 1)))

    @property
    def n_landmarks(self) -> int:
        """Number of landmarks of every specimen of the study, semilandmarks included."""
        return len(self.names)

    @property
    def n_fixed(self) -> int:
        """Number of landmarks that are digitised one by one; the semilandmarks come after them."""
        return len(self.names) - sum(curve.points for curve in self.curves)

    @property
    def runs(self) -> tuple[range, ...]:
        """Of each curve the indices of its semilandmarks, in order along it."""
        starts = accumulate((curve.points for curve in self.curves), initial=self.n_fixed)
        return tuple(range(start, start + curve.points) for start, curve in zip(starts, self.curves, strict=False))

    @property
    def partners(self) -> tuple[int, ...]:
        """(K,) of each landmark the one that takes its place in the mirror image; itself where it is in no pair."""
        other = {a: b for left, right in self.pairs for a, b in ((left, right), (right, left))}
        return tuple(other.get(index, index) for index in range(len(self.names)))

    @property
    def curve_partners(self) -> tuple[tuple[int, bool], ...]:
        """Of each curve the one that takes its place in the mirror image, and whether that one runs the other way."""
        partners, runs, found = self.partners, self.runs, []
        for number, run in enumerate(runs):
            other = next((k for k, one in enumerate(runs) if partners[run[0]] in one), number)
            found.append((other, len(run) > 1 and partners[run[1]] != partners[run[0]] + 1))
        return tuple(found)

    @property
    def sliders(self) -> tuple[tuple[int, int, int], ...]:
        """Semilandmarks that may slide, each between the landmarks before and after it: (before, slider, after).

        The ends of an open curve stay, and so does the place where a closed one begins.
        """
        found = list[tuple[int, int, int]]()
        for curve, run in zip(self.curves, self.runs, strict=True):
            way = [*run, run[0]] if curve.closed else [*run]
            way = [curve.ends[0], *run, curve.ends[1]] if curve.ends else way
            found += zip(way, way[1:], way[2:], strict=False)
        return tuple(found)

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Scheme:
        """Back from values of a JSON file; raises KeyError, TypeError or ValueError where it is something else."""
        curves = (
            Curve(
                str(one["name"]),
                int(one["points"]),
                bool(one["closed"]),
                None if one["ends"] is None else (int(one["ends"][0]), int(one["ends"][1])),
            )
            for one in plain["curves"]
        )
        return cls(
            tuple(map(str, plain["names"])),
            tuple((int(left), int(right)) for left, right in plain["pairs"]),
            tuple(map(int, plain.get("midline", ()))),
            tuple(curves),
            bool(plain.get("mirror", False)),
            str(plain.get("reference", "")),
        )


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
                    found=counted(specimen.n_landmarks, "landmark"),
                    expected=f"{self.scheme.n_landmarks} as in the others",
                    remedy="digitise the rest, mark landmarks that cannot be seen as missing (-1 -1), "
                    "or move the specimen to another file",
                )

    @classmethod
    def of(cls, specimens: tuple[Landmarks, ...] | list[Landmarks], scheme: Scheme | None = None) -> LandmarkSet:
        """Gather specimens; without a scheme it is the names they share, or the commonest number of landmarks.

        Raises:
            UserError: without a scheme, specimens with as many landmarks call them otherwise.
        """
        if scheme is None:
            counts = [specimen.n_landmarks for specimen in specimens]
            named = {specimen.names for specimen in specimens}
            _same_names([specimen for specimen in specimens if specimen.names])
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


def _same_names(specimens: list[Landmarks]) -> None:
    """Refuse two with equally many landmarks of different names: the k-th of one is not the k-th of the other."""
    first: dict[int, Landmarks] = {}
    for one in specimens:
        other = first.setdefault(one.n_landmarks, one)
        for k, (own, its) in enumerate(zip(one.names, other.names, strict=True), start=1):
            if own != its:
                raise UserError(
                    one.name,
                    found=f"landmark {k} is called {own}",
                    expected=f"{its}, as in {other.name}",
                    remedy="give all specimens the same landmarks in the same order; mark those not seen as missing",
                )
