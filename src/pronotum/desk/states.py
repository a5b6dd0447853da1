"""What a person has said of one specimen, and the changes that a person can make. Values and pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pronotum.errors import UserError
from pronotum.landmarks import FloatArray, as_points

DIGITS = 5
"""Decimals of a px that are kept: those that a TPS file holds."""
SAME_PX = 2e-5
"""Coordinates that differ by less are the same: they have been through a TPS file."""
What = Literal["place", "missing", "clear", "accept", "reopen", "scale"]


class Refused(UserError):
    """A change that cannot be made as things are."""


class Edit(BaseModel):
    """A change that a person asks for.

    Attributes:
        what: ``place`` a landmark (also: move it), mark it ``missing``, ``clear`` what a person said of it, ``accept``
            the specimen (with the predictions shown for what is not placed), ``reopen`` it, or set its ``scale``.
        landmark: 0-based; of ``place``, ``missing`` and ``clear``.
        x: px of the photograph, our frame.
        y: the same, down.
        scale: units of the study (``pronotum.toml``; mm by default) per px; None removes it.
        training: of ``accept``: the training whose predictions were on the screen; "" = none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    what: What
    landmark: int | None = Field(default=None, ge=0)
    x: float | None = None
    y: float | None = None
    scale: float | None = Field(default=None, gt=0)
    training: str = ""


@dataclass(frozen=True, eq=False)
class State:
    """What a person has said of a specimen.

    Attributes:
        points: (K, 2) placed or accepted by a person, our frame; NaN = not.
        missing: 0-based landmarks that a person says cannot be seen.
        accepted: whether the specimen is finished; training learns from these.
        scale: units of the study per px, or None.
    """

    points: FloatArray
    missing: frozenset[int] = frozenset()
    accepted: bool = False
    scale: float | None = None

    @classmethod
    def empty(cls, n_landmarks: int) -> State:
        """Nothing said yet."""
        return cls(as_points(np.full((n_landmarks, 2), np.nan)))

    @property
    def placed(self) -> list[bool]:
        """(K,) whether a person has placed the landmark."""
        return [not bool(np.isnan(x)) for x in self.points[:, 0]]

    @property
    def touched(self) -> bool:
        """Whether it belongs in the landmark file."""
        return self.accepted or any(self.placed)

    def same(self, other: State) -> bool:
        """Whether all is equal, coordinates within what a TPS file keeps."""
        return (
            (self.missing, self.accepted) == (other.missing, other.accepted)
            and self.scale == other.scale
            and same_points(self.points, other.points)
        )

    def resized(self, n_landmarks: int) -> State:
        """The same for a scheme with more landmarks: it is no longer finished."""
        if n_landmarks == len(self.points):
            return self
        more = np.full((n_landmarks - len(self.points), 2), np.nan)
        return replace(self, points=as_points(np.vstack([self.points, more])), accepted=False)

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold; a landmark without place is null."""
        points = [None if np.isnan(x) else [float(x), float(y)] for x, y in self.points]
        return {
            "points": points,
            "missing": sorted(self.missing),
            "accepted": self.accepted,
            "scale": self.scale,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> State:
        """Back from `as_plain`."""
        points = [(np.nan, np.nan) if point is None else point for point in plain["points"]]
        return cls(as_points(points), frozenset(plain["missing"]), bool(plain["accepted"]), plain["scale"])


def same_points(one: FloatArray, other: FloatArray) -> bool:
    """Whether two configurations are the same within what a TPS file keeps."""
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0, atol=SAME_PX, equal_nan=True))


@dataclass(frozen=True, eq=False)
class History:
    """A specimen's state with the way there.

    Attributes:
        state: as it is now.
        past: earlier states, the last is undone first.
        future: undone states, the last is redone first.
        revision: how many changes there were, undoing included; two windows tell by it whether they see the same.
        by: who made the last change.
        at: when (ISO 8601, UTC).
        what: which change it was.
    """

    state: State
    past: tuple[State, ...] = field(default=(), repr=False)
    future: tuple[State, ...] = field(default=(), repr=False)
    revision: int = 0
    by: str = ""
    at: str = ""
    what: str = ""

    def step(self, what: str, after: State, by: str, at: str) -> History:
        """The history after a change, undoing and redoing included."""
        past, future = (*self.past, self.state), tuple[State, ...]()
        if what == "undo" and self.past:
            past, future = self.past[:-1], (*self.future, self.state)
        elif what == "redo" and self.future:
            future = self.future[:-1]
        return History(after, past, future, self.revision + 1, by, at, what)

    def target(self, what: Literal["undo", "redo"]) -> State:
        """What undoing or redoing leads to.

        Raises:
            Refused: there is nothing to undo or redo.
        """
        states = self.past if what == "undo" else self.future
        if not states:
            raise Refused("specimen", found=f"nothing to {what}")
        return states[-1]


def apply(state: State, edit: Edit, size: tuple[int, int], predicted: FloatArray | None = None) -> State:
    """The state after a change.

    Args:
        state: before.
        edit: the change.
        size: width and height of the photograph, px.
        predicted: (K, 2) what is shown for landmarks without a place, px; NaN or None = nothing.

    Raises:
        Refused: no such landmark, a place outside the photograph, or an acceptance with landmarks still open.
    """
    if edit.what in ("place", "missing", "clear"):
        return _of_landmark(state, edit, size)
    if edit.what == "scale":
        return replace(state, scale=edit.scale)
    if edit.what == "reopen":
        return replace(state, accepted=False)
    return _accept(state, predicted)


def _of_landmark(state: State, edit: Edit, size: tuple[int, int]) -> State:
    k = edit.landmark
    if k is None or k >= len(state.points):
        raise Refused("landmark", found="no such landmark", expected=f"0 to {len(state.points) - 1}")
    points, missing = np.array(state.points), state.missing - {k}
    points[k] = np.nan
    if edit.what == "missing":
        missing |= {k}
    elif edit.what == "place":
        if edit.x is None or edit.y is None:
            raise Refused(f"landmark {k + 1}", found="no place", expected="x and y in px")
        if not (-0.5 <= edit.x <= size[0] - 0.5 and -0.5 <= edit.y <= size[1] - 0.5):
            found = f"a place outside the photograph ({edit.x:g}, {edit.y:g})"
            raise Refused(f"landmark {k + 1}", found=found, remedy="mark it as missing if it cannot be seen")
        points[k] = round(edit.x, DIGITS), round(edit.y, DIGITS)
    # Clearing or hiding a landmark of a finished specimen leaves something to look at again; moving one does not.
    accepted = state.accepted and edit.what != "clear"
    return replace(state, points=as_points(points), missing=missing, accepted=accepted)


def _accept(state: State, predicted: FloatArray | None) -> State:
    points = np.array(state.points)
    for k in np.flatnonzero(np.isnan(points[:, 0])):
        if int(k) not in state.missing and predicted is not None:
            points[k] = np.round(predicted[k], DIGITS)
    open_ones = [int(k) + 1 for k in np.flatnonzero(np.isnan(points[:, 0])) if int(k) not in state.missing]
    if open_ones:
        which = ", ".join(map(str, open_ones))
        raise Refused(
            f"landmark{'s' if len(open_ones) > 1 else ''} {which}",
            found="not placed yet",
            remedy="place them, or mark as missing what cannot be seen",
        )
    if np.isnan(points[:, 0]).all():
        raise Refused("specimen", found="not one landmark is placed", remedy="place some, or leave the specimen alone")
    return replace(state, points=as_points(points), accepted=True)
