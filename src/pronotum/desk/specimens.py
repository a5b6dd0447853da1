"""One specimen of a project, and what its record in the landmark file says of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pronotum.desk.states import History, State, same_points
from pronotum.errors import UserError, counted
from pronotum.landmarks import Landmarks


@dataclass(frozen=True, eq=False)
class Specimen:
    """A photograph, or one of several specimens on it.

    Attributes:
        key: its name in the desk: the photograph's path in the project; ``#2`` and so on for further records of it.
        photograph: the file.
        image: what the landmark file calls the photograph.
        size: width and height, px, after EXIF orientation.
        history: what a person has said of it.
        record: what the landmark file had; None = nothing.
        id: its ID in the landmark file.
    """

    key: str
    photograph: Path
    image: str
    size: tuple[int, int]
    history: History = field(repr=False)
    record: Landmarks | None = field(default=None, repr=False)
    id: str = ""

    @property
    def state(self) -> State:
        """What is said of it now."""
        return self.history.state

    @property
    def name(self) -> str:
        """What the landmark file's other readers call it (`landmarks.Landmarks.name`)."""
        return Landmarks(self.state.points, image=self.image, id=self.id).name

    def landmarks(self) -> Landmarks:
        """What the landmark file is to hold."""
        state = self.state
        if self.record is None:
            return Landmarks(state.points, image=self.image, id=self.id, scale=state.scale)
        # A record without a single landmark of ours keeps its own number of lines (tpsUtil writes LM=0).
        points = state.points if state.touched or len(self.record.points) > 0 else self.record.points
        return replace(self.record, points=points, scale=state.scale, names=())


class Conflict(UserError):
    """Another window, or another program, has changed the specimen meanwhile.

    Attributes:
        specimen: as it is now.
    """

    def __init__(self, specimen: Specimen) -> None:
        history = specimen.history
        by = f" by {history.by}" if history.by else ""
        super().__init__(specimen.key, found=f"changed meanwhile{by}", remedy="keep that, or put yours on top")
        self.specimen = specimen


def state_of(record: Landmarks, n_landmarks: int, where: str = "") -> State:
    """What a landmark file says: landmarks that a person placed elsewhere are accepted.

    Raises:
        UserError: more landmarks than the scheme has.
    """
    n = record.n_landmarks
    if n > n_landmarks:
        raise UserError(
            where or record.name,
            found=counted(n, "landmark"),
            expected=f"{n_landmarks} as in the scheme",
            remedy="name the others in scheme.toml, or mend the record",
        )
    missing = frozenset(int(k) for k in np.flatnonzero(~record.present))
    return State(record.points, missing, bool(record.present.any()), record.scale).resized(n_landmarks)


def agree(specimen: Specimen, in_file: State, told: State) -> bool:
    """Whether a landmark file holds a state; a specimen without record has an untouched one."""
    if specimen.record is None:
        return not told.touched
    return same_points(in_file.points, told.points) and in_file.scale == told.scale
