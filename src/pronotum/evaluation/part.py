"""What every table and figure of a comparison is made from: one part, its manual landmarks, several methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted, did_you_mean
from pronotum.evaluation.bootstrap import column_means
from pronotum.evaluation.correlation import mean_position
from pronotum.evaluation.distances import distances
from pronotum.evaluation.rounds import Plan, keys
from pronotum.landmarks import FloatArray, Landmarks

SCRATCH, FINE_TUNED, CLASSICAL, MEAN_POSITION = "scratch", "fine_tuned", "classical", "mean_position"


@dataclass(frozen=True, eq=False)
class Part:
    """Manual landmarks of one anatomical part beside what methods predicted for specimens they had not seen.

    Attributes:
        name: of the part.
        specimens: (N,) identities, in order of acquisition.
        landmarks: (K,) names.
        manual: (N, K, 2), NaN = missing.
        predicted: (N, K, 2) by method, in the frame of `manual`.
        unit: of the coordinates, as figures write it.
        contaminated: by method, the specimens which a model had seen in pre-training and was then tested on; every
            table and figure says so. See `rounds.contaminated`.

    Raises:
        ValueError: the shapes do not fit each other, or a contaminated method or specimen is not there.
    """

    name: str
    specimens: tuple[str, ...]
    landmarks: tuple[str, ...]
    manual: FloatArray
    predicted: Mapping[str, FloatArray]
    unit: str = "px"
    contaminated: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.specimens), len(self.landmarks), 2)
        for name, points in {"manual": self.manual, **self.predicted}.items():
            if points.shape != shape:
                raise ValueError(f"{self.name}: {name} must have shape {shape}, got {points.shape}")
        strange = set(self.contaminated) - set(self.predicted)
        if strange or not set().union(*self.contaminated.values()) <= set(self.specimens):
            raise ValueError(f"{self.name}: contaminated names a method or a specimen that is not there")

    @classmethod
    def join(
        cls,
        name: str,
        manual: Sequence[Landmarks],
        predicted: Mapping[str, Sequence[Landmarks]],
        *,
        landmarks: Sequence[str] = (),
        unit: str = "px",
        contaminated: Mapping[str, frozenset[str]] | None = None,
    ) -> Part:
        """Bring files together by identity; the manual one gives the order.

        Args:
            name: of the part.
            manual: specimens with the manual landmarks, one row each.
            predicted: specimens by method, in any order.
            landmarks: names; default "1", "2", ...
            unit: of the coordinates.
            contaminated: see the attribute.

        Raises:
            UserError: a row without identity, two rows of a specimen, specimens that do not match, or another number
                of landmarks.
        """
        order, truth = _by_key(f"{name}: manual", manual)
        n_landmarks = manual[0].n_landmarks
        names = tuple(landmarks) or tuple(str(number) for number in range(1, n_landmarks + 1))
        stacks = {"manual": _stack(f"{name}: manual", order, truth, len(names))}
        for method, rows in predicted.items():
            found = _by_key(f"{name}: {method}", rows)[1]
            stacks[method] = _stack(f"{name}: {method}", order, found, len(names))
        points = stacks.pop("manual")
        identities = tuple(specimen.id.strip() for specimen in manual)
        return cls(name, identities, names, points, stacks, unit, contaminated or {})

    @property
    def title(self) -> str:
        """The name as figures write it."""
        return self.name.replace("_", " ")

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in order."""
        return tuple(self.predicted)

    def points(self, method: str) -> FloatArray:
        """(N, K, 2) predictions of a method.

        Raises:
            UserError: there is no such method.
        """
        if method not in self.predicted:
            raise UserError(
                self.name, found=f"no predictions of '{method}'", remedy=did_you_mean(method, self.predicted)
            )
        return self.predicted[method]

    def errors(self, method: str) -> FloatArray:
        """(N, K) distances of a method from the manual landmarks, NaN where either is missing."""
        return distances(self.points(method), self.manual)

    def position(self, specimen: str) -> int:
        """Row of a specimen.

        Raises:
            UserError: there is no such specimen.
        """
        if specimen not in self.specimens:
            raise UserError(
                self.name, found=f"no specimen '{specimen}'", remedy=did_you_mean(specimen, self.specimens[:1000])
            )
        return self.specimens.index(specimen)

    def landmark_position(self, landmark: str) -> int:
        """Column of a landmark.

        Raises:
            UserError: there is no such landmark.
        """
        if landmark not in self.landmarks:
            remedy = did_you_mean(landmark, self.landmarks)
            raise UserError(self.name, found=f"no landmark '{landmark}'", remedy=remedy)
        return self.landmarks.index(landmark)

    def representatives(self, method: str) -> dict[str, str]:
        """The specimens with the least, the median and the largest mean error: ``best``, ``median``, ``worst``.

        Raises:
            UserError: the method placed no landmark at all.
        """
        means = column_means(self.errors(method).T)
        order = np.argsort(means)[: int((~np.isnan(means)).sum())]
        if not order.size:
            raise UserError(self.name, found=f"no predictions of '{method}' beside manual landmarks")
        picks = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
        return {kind: self.specimens[row] for kind, row in picks.items()}

    def seen(self, *methods: str) -> frozenset[str]:
        """Specimens that any of these methods had been trained on before it was tested on them."""
        return frozenset[str]().union(*(self.contaminated.get(method, frozenset()) for method in methods))

    def n_contaminated(self, *methods: str) -> int:
        """Number of the specimens of `seen`."""
        return len(self.seen(*methods))

    def n_not_placed(self, method: str) -> int:
        """Number of manual landmarks that a method has no prediction of.

        Raises:
            UserError: there is no such method.
        """
        return int((np.isnan(self.points(method)).any(-1) & ~np.isnan(self.manual).any(-1)).sum())

    def select(self, rows: NDArray[np.intp]) -> Part:
        """The same part with some of its specimens.

        Args:
            rows: (M,) positions, in the order wanted.
        """
        kept = tuple(self.specimens[row] for row in rows)
        return replace(
            self,
            specimens=kept,
            manual=self.manual[rows],
            predicted={method: points[rows] for method, points in self.predicted.items()},
            contaminated={method: seen.intersection(kept) for method, seen in self.contaminated.items()},
        )

    def label(self, method: str) -> str:
        """What figures call a method; says so where it is contaminated, or did not place every landmark."""
        lacking, total = self.n_not_placed(method), int((~np.isnan(self.manual).any(-1)).sum())
        said = ["CONTAMINATED"] if self.seen(method) else []
        said += [f"{lacking} of {total} not placed"] if lacking else []
        return method.replace("_", " ") + (f" ({', '.join(said)})" if said else "")

    def remarks(self) -> list[str]:
        """A sentence per method that is contaminated or did not place every landmark, to stand under every table."""
        n_landmarks = int((~np.isnan(self.manual).any(-1)).sum())
        lacking = [
            f"{self.n_not_placed(method)} of {n_landmarks} landmarks were not placed by {method} on {self.name}, among "
            f"them all of {int(np.isnan(points).any(-1).all(-1).sum())} of the {len(self.specimens)} specimens; its "
            "figures are those of the others."
            for method, points in self.predicted.items()
            if self.n_not_placed(method)
        ]
        return lacking + [
            f"CONTAMINATED: {len(seen)} of the {len(self.specimens)} test specimens of {method} on {self.name} "
            "were in its pre-training; its errors there are not those of new specimens."
            for method, seen in self.contaminated.items()
            if seen
        ]

    def with_mean_position(self, plan: Plan) -> Part:
        """The same with one more method, `MEAN_POSITION`: what a predictor scores that never looks at the image."""
        baseline = mean_position(self.manual, plan.folds(self.specimens, self.name))
        return replace(self, predicted={**self.predicted, MEAN_POSITION: baseline})


def _by_key(where: str, rows: Sequence[Landmarks]) -> tuple[list[str], dict[str, Landmarks]]:
    if not rows:
        raise UserError(where, found="no specimens", expected="at least one", remedy="check the file")
    order = keys([specimen.id for specimen in rows], where)
    found: dict[str, Landmarks] = {}
    for one, specimen in zip(order, rows, strict=True):
        if one in found:
            raise UserError(
                where,
                found=f"two rows of one specimen: {found[one].name} and {specimen.name}",
                expected="one row per specimen",
                remedy="remove one, or give them different identities",
            )
        found[one] = specimen
    return order, found


def _stack(where: str, order: Sequence[str], found: Mapping[str, Landmarks], n_landmarks: int) -> FloatArray:
    lacking, extra = [one for one in order if one not in found], [one for one in found if one not in set(order)]
    if lacking or extra:
        raise UserError(
            where,
            found=f"{counted(len(lacking), 'specimen')} missing, {len(extra)} too many: "
            + ", ".join([*lacking, *extra][:5]),
            expected="the specimens of the manual file",
            remedy="compare the identities of both files",
        )
    other = next((found[one] for one in order if found[one].n_landmarks != n_landmarks), None)
    if other is not None:
        raise UserError(
            f"{where}: {other.name}",
            found=counted(other.n_landmarks, "landmark"),
            expected=str(n_landmarks),
            remedy="compare files of one scheme",
        )
    return np.stack([found[one].points for one in order])
