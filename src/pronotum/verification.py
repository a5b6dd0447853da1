"""Predictions checked against what is said of them: same model, same photographs, same files, same landmarks again."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pronotum import images, inference, landmarking, provenance
from pronotum.errors import UserError, counted
from pronotum.formats import tps
from pronotum.formats.tps_record import TpsRecord
from pronotum.landmarks import FloatArray
from pronotum.provenance import Photograph, Provenance, Specimen
from pronotum.workflows import model_file

TOLERANCE = 0.01
"""Px of the photograph. Sums in another order, by more or fewer threads, move landmarks by far less."""
ELSEWHERE = 0.5
"""The same on another kind of device: a GPU multiplies with fewer digits than a CPU."""
CHANGED = 20
"""Of the records that were changed, so many at most are predicted again even where fewer were asked for."""

Records = dict[tuple[str, str], TpsRecord]
"""Of a TPS file, by IMAGE and ID."""


@dataclass(frozen=True)
class Again:
    """A photograph that was predicted again.

    Attributes:
        name: of the photograph.
        moved: px between the landmarks of the file and those of now, the largest; infinite where one of the two is
            missing.
        landmark: name of the landmark that moved so far; "" = a whole specimen is missing in one of the two.
    """

    name: str
    moved: float
    landmark: str


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        n_photographs: that the predictions name.
        model: the model file.
        other_model: whether it is another than the one that made the predictions.
        changed_files: files of the folder that changed since.
        changed_records: photographs whose landmarks in predictions.tps are others, gone or new.
        missing_files: files of the folder that are not there.
        changed_photographs: names of those whose content changed since.
        missing_photographs: names of those that are not there.
        again: those that were predicted again.
        tolerance: px, how far landmarks may be.
        device: with which they were predicted again.
        versions: of what has another version now: name -> then and now.
    """

    n_photographs: int
    model: Path
    other_model: bool
    changed_files: tuple[str, ...]
    changed_records: tuple[str, ...]
    missing_files: tuple[str, ...]
    changed_photographs: tuple[str, ...]
    missing_photographs: tuple[str, ...]
    again: tuple[Again, ...]
    tolerance: float
    device: str
    versions: dict[str, tuple[str, str]]

    @property
    def moved(self) -> tuple[Again, ...]:
        """Those predicted again whose landmarks are further away than may be, furthest first."""
        return tuple(sorted((one for one in self.again if one.moved > self.tolerance), key=lambda one: -one.moved))

    @property
    def same(self) -> bool:
        """Whether nothing differs of what could be looked at."""
        return not (self.other_model or self.changed_files or self.changed_photographs or self.moved)

    @property
    def complete(self) -> bool:
        """Whether everything was there to be looked at."""
        return not (self.missing_files or self.missing_photographs)

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "same": self.same,
            "photographs": self.n_photographs,
            "model": str(self.model),
            "other_model": self.other_model,
            "changed_files": list(self.changed_files),
            "changed_records": list(self.changed_records),
            "missing_files": list(self.missing_files),
            "changed_photographs": list(self.changed_photographs),
            "missing_photographs": list(self.missing_photographs),
            "predicted_again": [
                {"image": one.name, "moved_px": one.moved if np.isfinite(one.moved) else None, "landmark": one.landmark}
                for one in self.again
            ],
            "tolerance_px": self.tolerance,
            "device": self.device,
            "versions": {name: list(pair) for name, pair in self.versions.items()},
        }


def verify(
    folder: Path,
    *,
    run: Path | None = None,
    photographs: Path | None = None,
    n: int | None = 1,
    on_photograph: Callable[[int, int], None] = lambda done, total: None,
) -> Verified:
    """Check a folder of predictions.

    Args:
        folder: of `landmarking.predict`.
        run: folder of the model, or its file; None = where it was.
        photographs: folder of the photographs; None = where they were.
        n: how many photographs to predict again: those whose landmarks were changed first, then others, spread evenly;
            None = all.
        on_photograph: called with the number hashed and the total.

    Raises:
        UserError: the folder is not one of predictions, or their model or TPS file is not there.
    """
    made = provenance.read(folder)
    model = model_file(run) if run else provenance.path_to(folder, made.model.path)
    if not model.is_file():
        found = f"the model of these predictions is not there (SHA-256 {made.model.sha256[:16]}...)"
        raise UserError(model, found=found, remedy="name its folder or its file with --run")
    records = _records(folder / landmarking.WRITTEN[0]) if any(one.in_tps for one in made.photographs) else {}
    edited = _edited(made.photographs, records)
    digests = {name: provenance.sha256(folder / name) for name in made.files}
    changed, missing, asked = list[str](), list[str](), list[tuple[Photograph, Path]]()
    places = list(_places(made.photographs, folder, photographs))
    for number, (one, digest) in enumerate(zip(made.photographs, provenance.all_sha256(places), strict=True)):
        if one.sha256 and not digest:
            missing.append(one.name)
        elif digest != one.sha256:
            changed.append(one.name)
        elif any((one.name, specimen.id) in records for specimen in one.in_tps):
            asked.append((one, places[number]))
        on_photograph(number + 1, len(places))
    device = _device(made.settings.device)
    again = _again(made, model, _choose(asked, set(edited), n), records, device)
    return Verified(
        len(made.photographs),
        model,
        provenance.sha256(model) != made.model.sha256,
        tuple(name for name, digest in digests.items() if digest not in ("", made.files[name])),
        edited,
        tuple(name for name, digest in digests.items() if not digest),
        tuple(changed),
        tuple(missing),
        tuple(again),
        TOLERANCE if device == made.settings.device else ELSEWHERE,
        device,
        _other_versions(made.versions),
    )


def _records(path: Path) -> Records:
    return {(record.image, record.id): record for record in tps.read(path).records}


def _edited(photographs: Sequence[Photograph], records: Records) -> tuple[str, ...]:
    """Names of photographs whose landmarks in the TPS file are not those that were predicted."""
    then = {(one.name, specimen.id): specimen.coordinates for one in photographs for specimen in one.in_tps}
    now = {key: provenance.digest_of(_all_points(record)) for key, record in records.items()}
    return tuple(
        name or f"ID={number}"
        for name, number in {**then, **now}
        if then.get((name, number)) != now.get((name, number))
    )


def _places(photographs: Sequence[Photograph], folder: Path, beneath: Path | None) -> Iterator[Path]:
    """Where each photograph is: where it was, or below another folder, by name and as many folders as agree."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in images.find(beneath) if beneath else ():
        by_name[path.name.casefold()].append(path)
    for one in photographs:
        if beneath is None:
            yield provenance.path_to(folder, one.path)
            continue
        then = PurePosixPath(one.path)
        found = by_name.get(then.name.casefold(), [beneath / then.name])
        yield max(found, key=lambda path: _shared_end(path.parts, then.parts))


def _shared_end(first: Sequence[str], second: Sequence[str]) -> int:
    """How many last parts of two paths are the same."""
    same = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one.casefold() != other.casefold():
            break
        same += 1
    return same


def _device(then: str) -> str:
    """The kind of device with which predictions were made if this machine has one, else the best it has."""
    try:
        return inference.choose_device(then).type
    except UserError:
        return inference.choose_device("auto").type


def _choose(asked: Sequence[tuple[Photograph, Path]], edited: set[str], n: int | None) -> list[tuple[Photograph, Path]]:
    """Those to predict again."""
    if n is None:
        return list(asked)
    first = [one for one in asked if one[0].name in edited][: max(n, CHANGED)]
    rest = [one for one in asked if one[0].name not in edited]
    left = min(max(n - len(first), 0), len(rest))
    return [*first, *(rest[i * len(rest) // left] for i in range(left))]


def _again(
    made: Provenance, model: Path, chosen: Sequence[tuple[Photograph, Path]], records: Records, device: str
) -> Iterator[Again]:
    """Predict photographs again, and compare each specimen with the TPS file, in order."""
    if not chosen:
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        landmarking.predict(model, [path for _, path in chosen], place, device=device, draw=False)
        again = provenance.read(place)
        if len(again.model.landmarks) != len(made.model.landmarks):
            found = f"a model of {counted(len(again.model.landmarks), 'landmark')}"
            raise UserError(model, found=found, expected=f"{len(made.model.landmarks)} as in the predictions")
        now = again.photographs
        said = _records(place / landmarking.WRITTEN[0]) if any(one.in_tps for one in now) else {}
    for (then, _), one in zip(chosen, now, strict=True):
        pairs = [pair for pair in zip_longest(then.specimens, one.specimens) if pair[0] is None or pair[0].in_tps]
        moved = [_distances(_points(records, then, first), _points(said, one, second)) for first, second in pairs]
        worst = max(moved, key=np.max)
        whole = len(worst) != len(made.model.landmarks)
        yield Again(then.name, float(worst.max()), "" if whole else made.model.landmarks[int(worst.argmax())])


def _points(records: Records, photograph: Photograph, specimen: Specimen | None) -> FloatArray | None:
    """(K, 2) landmarks of a specimen in a TPS file; None where it has none."""
    record = records.get((photograph.name, specimen.id)) if specimen else None
    return _all_points(record) if record else None


def _all_points(record: tps.TpsRecord) -> FloatArray:
    """(K, 2) landmarks, then the semilandmarks of each curve."""
    return np.concatenate([record.points, *record.curves])


def _distances(then: FloatArray | None, now: FloatArray | None) -> FloatArray:
    """(K,) px between landmarks: 0 where both are missing, infinite where one is; (1,) infinite without a partner."""
    if then is None or now is None or then.shape != now.shape:
        return np.array([np.inf])
    distances: FloatArray = np.linalg.norm(then - now, axis=1)
    absent = np.isnan(then[:, 0]), np.isnan(now[:, 0])
    return np.select([absent[0] & absent[1], absent[0] | absent[1]], [0.0, np.inf], distances)


def _other_versions(then: dict[str, str]) -> dict[str, tuple[str, str]]:
    now = provenance.versions()
    return {name: (then[name], now[name]) for name in then if now.get(name, then[name]) != then[name]}
