"""The state of a project: landmarks of every photograph, who changed them, and the files that hold them.

A project is a folder of photographs. The landmark file beside them holds what a person placed or accepted, and nothing
else. Every change is in the journal, on disk, before the landmark file is replaced; what a crash left between the two
is put into the landmark file when the project is opened again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from pronotum import schemes
from pronotum.data import Problem
from pronotum.desk import folder as folders
from pronotum.desk.folder import PRIVATE
from pronotum.desk.journal import Entry, Journal, sync_folder
from pronotum.desk.matching import another, beside, matched
from pronotum.desk.specimens import Conflict, Specimen, agree, state_of
from pronotum.desk.states import Edit, History, Refused, State, apply, same_points
from pronotum.errors import UserError, counted
from pronotum.formats import tps
from pronotum.landmarks import FloatArray, Landmarks, Scheme

_KEPT = "has landmarks here already; yours were kept"
_TWICE = "has the landmarks of another record of the photograph; they were taken once"
_BESIDE = "; if it is another specimen on the photograph, send one file with both"


@dataclass(frozen=True)
class BroughtIn:
    """What became of the records of another landmark file.

    Attributes:
        taken: keys of the specimens that got landmarks.
        left: the records that were left out, and why.
        sent: the records whose landmarks are in the project, as they came.
        here: the same as the project has them.
    """

    taken: tuple[str, ...]
    left: tuple[Problem, ...]
    sent: tuple[Landmarks, ...]
    here: tuple[Landmarks, ...]


class Store:
    """A project that is open. Its methods may be called from several threads.

    Attributes:
        folder: of the project.
        who: is at the desk.
        file: the landmark file.
        scheme: names, pairs, curves and reference.
        problems: what was left out.
        trouble: why the last change is not yet in the landmark file; "" = it is.
    """

    def __init__(self, folder: Path, who: str, *, clock: Callable[[], str] | None = None) -> None:
        if not folder.is_dir():
            raise UserError(folder, found="no such folder", remedy="name the folder of your photographs")
        self.folder, self.who = folder.resolve(), who
        self._clock = clock or (lambda: datetime.now(UTC).isoformat(timespec="seconds"))
        self._lock = RLock()
        self._claim()
        try:
            self.file = folders.landmark_file(self.folder)
            self._open()
        except UserError:
            self.close()
            raise

    def _open(self) -> None:
        self.journal = Journal(self.folder / PRIVATE / "journal.jsonl")
        self.trouble = ""
        self._n = 0
        self._pending: list[Entry] = []
        self._specimens: dict[str, Specimen] = {}
        self._order: list[str | Landmarks] = []
        self.problems: list[Problem] = []
        self.reload()

    def _claim(self) -> None:
        """Make the desk's own folder, and sure that it and nothing else is what we write to."""
        private = self.folder / PRIVATE
        if not folders.inside(self.folder, private):
            raise UserError(private, found="a link that leads out of the project", remedy="remove it")
        private.mkdir(exist_ok=True)
        try:
            import fcntl
        except ImportError:  # no such locks there
            return
        self._claimed = (private / "lock").open("w")
        try:
            fcntl.flock(self._claimed, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._claimed.close()
            found = "open in another desk"
            raise UserError(self.folder, found=found, remedy="use that one, or end it first") from None

    def close(self) -> None:
        """Let another desk open the project."""
        if hasattr(self, "_claimed"):
            self._claimed.close()

    # What there is

    def __iter__(self) -> Iterator[Specimen]:
        return iter(list(self._specimens.values()))

    def __len__(self) -> int:
        return len(self._specimens)

    def get(self, key: str) -> Specimen:
        """The specimen of this name.

        Raises:
            Refused: there is none.
        """
        try:
            return self._specimens[key]
        except KeyError:
            raise Refused(key, found="no such specimen", remedy="go back to the list") from None

    def by_name(self) -> dict[str, str]:
        """Keys by what commands call the specimens."""
        return {one.name: one.key for one in self}

    def dimensions(self, image: str) -> tuple[int, int] | None:
        """Width and height, px, of the photograph a landmark file names; None = not known."""
        return self._catalogue.dimensions(image)

    def match(self, record: Landmarks) -> str | Problem:
        """The key of the specimen that a record is of, the first one of its photograph, or why there is none."""
        found = self._catalogue.match(record.image, record.id)
        if isinstance(found, str):
            return Problem(record.name, found)
        key = self._keys.get(found, "")
        return key if key in self._specimens else Problem(record.name, "the photograph cannot be opened")

    @property
    def begun(self) -> bool:
        """Whether there are landmarks, or a file of them."""
        return self.file.exists() or any(one.state.touched for one in self)

    @property
    def declared(self) -> bool:
        """Whether there is a scheme file."""
        return (self.folder / schemes.NAME).exists()

    def records(self) -> list[Landmarks]:
        """What the landmark file is to hold, in its order."""
        with self._lock:
            known = {one.key: one.landmarks() for one in self if one.record is not None or one.state.touched}
            found = (item if isinstance(item, Landmarks) else known.get(item) for item in self._order)
            return [one for one in found if one is not None]

    @property
    def n_landmarks(self) -> int:
        """Number of landmarks that are digitised one by one; 0 = the scheme is not defined yet."""
        return self.scheme.n_fixed

    @property
    def accepted(self) -> list[Specimen]:
        """Specimens that are finished."""
        return [one for one in self if one.state.accepted]

    # Changes

    def edit(
        self,
        key: str,
        revision: int,
        edit: Edit,
        *,
        predicted: FloatArray | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Specimen:
        """Make a change, keep it, and give back the specimen as it is then.

        Args:
            key: the specimen.
            revision: that was on the screen.
            edit: the change.
            predicted: (K, 2) what was on the screen for landmarks without a place; of an acceptance.
            more: what the journal is to keep beside.

        Raises:
            Conflict: the specimen was changed meanwhile.
            Refused: the change cannot be made.
        """
        with self._lock:
            specimen = self._current(key, revision)
            after = apply(specimen.state, edit, specimen.size, predicted)
            if after.same(specimen.state):
                return specimen
            landmark = None if edit.landmark is None else edit.landmark + 1
            return self._keep(specimen, edit.what, after, landmark, more)

    def undo(self, key: str, revision: int, what: Literal["undo", "redo"] = "undo") -> Specimen:
        """Undo the last change of a specimen, or redo the last undone one; also after the desk was closed.

        Raises:
            Conflict: the specimen was changed meanwhile.
            Refused: there is nothing to undo.
        """
        with self._lock:
            specimen = self._current(key, revision)
            return self._keep(specimen, what, specimen.history.target(what).resized(self.n_landmarks))

    def begin(self, content: Path, scheme: Scheme | None = None) -> bool:
        """Make a TPS file in `PRIVATE` the landmark file of a project without landmarks; False where it has some.

        Args:
            content: the file; is moved.
            scheme: to be written beside it.
        """
        with self._lock:
            self._look_outside()
            if self.begun:
                return False
            if scheme is not None:
                schemes.write(self.folder / schemes.NAME, scheme)
            content.replace(self.file)
            self.reload()
            return True

    def bring_in(self, records: Sequence[Landmarks]) -> BroughtIn:
        """Take over records of another landmark file for specimens without landmarks, all of them or none.

        Where there are more records of a photograph than specimens on it, the others are new specimens.

        Raises:
            UserError: a record with more landmarks than the scheme has.
        """
        taken: dict[str, tuple[Specimen, Landmarks, State]] = {}
        left: list[Problem] = []
        there: list[tuple[Landmarks, str]] = []
        with self._lock:
            self._look_outside()
            for record, found in zip(records, self._matched(records), strict=True):
                if isinstance(found, Problem):
                    left.append(found)
                    continue
                specimen, state = found
                if not same_points(specimen.state.points, state.points):
                    if specimen.state.touched:
                        left.append(Problem(record.name, _KEPT + _BESIDE * beside(specimen.state, state)))
                        continue
                    taken[specimen.key] = specimen, record, state
                there.append((record, specimen.key))
            for specimen, record, state in taken.values():
                self._keep(self._with_record(specimen, record), "import", state, save=False)
            self._save()
            here = tuple(self._specimens[key].landmarks() for _, key in there)
        return BroughtIn(tuple(taken), tuple(left), tuple(record for record, _ in there), here)

    def _matched(self, records: Sequence[Landmarks]) -> list[tuple[Specimen, State] | Problem]:
        """The specimen that each record is of, a new one where there is none on its photograph, and what it says."""
        found: list[tuple[Specimen, State] | Problem] = []
        of_photograph: dict[str, list[int]] = {}
        for at, record in enumerate(records):
            key = self.match(record)
            if isinstance(key, Problem):
                found.append(key)
                continue
            state = state_of(record, self.n_landmarks)
            found.append((self._specimens[key], state))
            if state.touched:
                of_photograph.setdefault(key, []).append(at)
        for key, places in of_photograph.items():
            known = [one for one in self if one.photograph == self._specimens[key].photograph]
            sent = [(records[at].id, state_of(records[at], self.n_landmarks)) for at in places]
            for at, (_, state), one in zip(places, sent, matched(sent, known), strict=True):
                found[at] = (one, state) if one else Problem(records[at].name, _TWICE)
        return found

    def _with_record(self, specimen: Specimen, record: Landmarks) -> Specimen:
        """A specimen the landmark file has nothing of, with what a record from elsewhere holds beside landmarks."""
        if specimen.record is not None:
            return specimen
        taken = {item.id for item in self._order if isinstance(item, Landmarks)} | {one.id for one in self}
        own = record.id if record.id and record.id not in taken else self._free_id()
        return replace(specimen, record=replace(record, image=specimen.image, id=own), id=own)

    def set_scheme(self, scheme: Scheme) -> None:
        """Take another scheme: other names or pairs, or more landmarks; fewer only while nothing is digitised.

        Raises:
            Refused: fewer landmarks than specimens have.
        """
        with self._lock:
            self._look_outside()
            n_before, n = self.n_landmarks, scheme.n_fixed
            if n < n_before and any(one.state.touched for one in self):
                raise Refused(
                    "scheme",
                    found=f"{counted(n, 'landmark')}, and specimens with {n_before}",
                    expected=f"at least {n_before}",
                    remedy="keep the landmark, and mark it as missing where you do not want it",
                )
            schemes.write(self.folder / schemes.NAME, scheme)
            self.scheme = scheme
            for specimen in self:
                if specimen.state.touched and n != n_before:
                    self._keep(specimen, "scheme", specimen.state.resized(n), save=False)
                elif n != n_before:
                    state = State.empty(n) if n < n_before else specimen.state.resized(n)
                    self._specimens[specimen.key] = replace(specimen, history=replace(specimen.history, state=state))
            self._save()

    def _current(self, key: str, revision: int) -> Specimen:
        self._look_outside()
        specimen = self.get(key)
        if specimen.history.revision != revision:
            raise Conflict(specimen)
        return specimen

    def _keep(
        self,
        specimen: Specimen,
        what: str,
        after: State,
        landmark: int | None = None,
        more: Mapping[str, Any] | None = None,
        *,
        save: bool = True,
    ) -> Specimen:
        """Journal, memory, landmark file, in this order."""
        at, before = self._clock(), specimen.state.as_plain()
        by = "another program" if what == "outside" else self.who
        entry = Entry(
            self._n + 1, at, by, what, specimen.key, before, after.as_plain(), landmark, dict(more) if more else None
        )
        self.journal.append(entry)
        self._pending.append(entry)
        self._n += 1
        changed = replace(specimen, history=specimen.history.step(what, after, by, at))
        if changed.record is None and not changed.id and after.touched:
            changed = replace(changed, id=self._free_id())
        self._specimens[specimen.key] = changed
        if specimen.key not in self._order:
            self._order.append(specimen.key)
        if save:
            self._save()
        return changed

    def _free_id(self) -> str:
        """The number after the largest ID that is a number."""
        known = [item.id for item in self._order if isinstance(item, Landmarks)] + [one.id for one in self]
        return str(max((int(one) for one in known if one.isdecimal()), default=0) + 1)

    # Files

    def _save(self) -> None:
        """Put everything into the landmark file. Where that fails the journal has it: `trouble` says so."""
        written = self.records()
        sizes = {one.image: one.size for one in self}
        try:
            if written:
                tps.save(self.file, written, lambda name: sizes.get(name) or self._catalogue.dimensions(name))
                with self.file.open("rb") as file:
                    os.fsync(file.fileno())
            else:  # a landmark file without a record is none
                self.file.unlink(missing_ok=True)
            sync_folder(self.folder)
        except (OSError, UserError) as error:
            self.trouble = f"{self.file.name} could not be written ({error}). Your changes are safe in the journal."
            return
        self.trouble, self._pending = "", []
        self._seen = folders.signature(self.file)
        self.journal.confirm(self._n)

    def _look_outside(self) -> None:
        """Read the landmark file again if another program has changed it."""
        if folders.signature(self.file) != self._seen:
            histories = {key: one.history for key, one in self._specimens.items()}
            self._take_over(folders.look(self.folder, self.file), histories)

    def reload(self) -> None:
        """Read everything again: photographs, scheme, landmark file and journal."""
        with self._lock:
            for stale in self.folder.glob(f".{self.file.stem[:40]}-*{self.file.suffix}"):
                stale.unlink()  # what a killed writer left of a file it had not finished
            found = folders.look(self.folder, self.file)
            entries, saved = self.journal.read()
            self._n = max((entry.n for entry in entries), default=0)
            self._pending = [entry for entry in entries if entry.n > saved]
            self._take_over(found, _histories(entries))

    def _take_over(self, found: folders.Contents, histories: Mapping[str, History]) -> None:
        """Bring what the files say and histories together.

        A record that differs from its history was changed by another program, which is noted, or is as it was before
        the last changes, which a crash has kept from it: it gets them.
        """
        self.scheme, self._catalogue, self._keys = found.scheme, found.catalogue, found.keys
        self._specimens, self._order = found.specimens, found.order
        self.problems, self._seen = found.problems, found.signature
        if self._reconcile(histories):
            self._save()

    def _reconcile(self, histories: Mapping[str, History]) -> bool:
        """Give each specimen its history; True where the landmark file lacks something."""
        unsaved, pending = False, list(self._pending)
        for entry in pending:  # a crash may have kept a new specimen from the landmark file
            first = self._specimens.get(entry.specimen.rpartition("#")[0])
            if first is not None and entry.specimen not in self._specimens:
                self._specimens[entry.specimen] = another(first, entry.specimen, self.n_landmarks)
        for key, specimen in list(self._specimens.items()):
            known = histories.get(key)
            if known is None:
                continue
            in_file, told = specimen.state, known.state.resized(self.n_landmarks)
            known = replace(known, state=told)
            chain = [entry for entry in pending if entry.specimen == key]
            states = [State.from_plain(plain) for entry in chain for plain in (entry.before, entry.after)]
            if agree(specimen, in_file, told):
                self._specimens[key] = replace(specimen, history=known)
            elif any(agree(specimen, in_file, state.resized(self.n_landmarks)) for state in states):
                changed = replace(specimen, history=known)
                self._specimens[key] = replace(changed, id=changed.id or self._free_id())
                if key not in self._order:
                    self._order.append(key)
                unsaved = True
            else:
                self._keep(replace(specimen, history=known), "outside", in_file, save=False)
                unsaved = True
        return unsaved


def _histories(entries: Sequence[Entry]) -> dict[str, History]:
    """Every specimen's way through the journal."""
    found: dict[str, History] = {}
    for entry in entries:
        before = found.get(entry.specimen) or History(State.from_plain(entry.before))
        found[entry.specimen] = before.step(entry.what, State.from_plain(entry.after), entry.by, entry.at)
    return found
