"""A shard of a survey: some photographs, fetched, landmarked and written; a task."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pronotum import inference, provenance
from pronotum.errors import UserError
from pronotum.files import replacing_all, sweep
from pronotum.formats import predictions, tps
from pronotum.images import UnreadablePhotograph
from pronotum.landmarking import Known, known
from pronotum.models.storage import StoredModel
from pronotum.semilandmarks import to_curves
from pronotum.survey import fetching, listing, table
from pronotum.tasks import OnShare, Task
from pronotum.workflows import as_problem, not_placed, open_model

SPECIMENS, LANDMARKS, SHARDS = "specimens", "landmarks", "shards"
"""Folders: of Parquet files, of TPS files, and of tasks."""
DONE = "done.json"
TOLD = 20
"""Photographs between two words of progress."""


@dataclass(frozen=True)
class Settings:
    """How a survey is made.

    Attributes:
        model: the file.
        sha256: of it.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        strict: leave what is to be reviewed out of the TPS files.
        scale: mm per px; None = not known.
        missing: how the TPS files have a landmark that was not placed: tpsdig or geomorph.
    """

    model: Path
    sha256: str
    device: str = "auto"
    strict: bool = False
    scale: float | None = None
    missing: str = "tpsdig"


@dataclass(frozen=True)
class Shard:
    """Some photographs of a survey.

    Attributes:
        out: folder of the survey.
        number: of the shard, from 0.
        start: byte in the listing.
        first: number of its first photograph, from 1.
        size: number of photographs.
        settings: of the survey.
    """

    out: Path
    number: int
    start: int
    first: int
    size: int
    settings: Settings

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.number:06d}"

    @property
    def specimens(self) -> Path:
        """The Parquet file."""
        return self.out / SPECIMENS / f"{self.name}.parquet"

    @property
    def landmarks(self) -> Path:
        """The TPS file."""
        return self.out / LANDMARKS / f"{self.name}.tps"

    @property
    def done(self) -> Path:
        """What says that it is finished."""
        return self.out / SHARDS / self.name / DONE

    def task(self) -> Task:
        """The task of doing it."""
        return Task(f"shard {self.name}", predict, (self,), self.done.parent, self.done, float(self.size))


@dataclass
class Counts:
    """What came of photographs.

    Attributes:
        photographs: all.
        predicted: those of which at least one landmark came.
        specimens: on these.
        to_review: specimens that a person should look at.
        bad: photographs of which nothing came.
    """

    photographs: int = 0
    predicted: int = 0
    specimens: int = 0
    to_review: int = 0
    bad: int = 0

    @classmethod
    def read(cls, path: Path) -> Counts:
        """Of a shard that is done."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def add(self, other: Counts) -> None:
        """Count those too."""
        for name, n in asdict(other).items():
            setattr(self, name, getattr(self, name) + n)


def predict(shard: Shard, on_share: OnShare) -> None:
    """Landmark the photographs of a shard; its files take their places together, `DONE` as the last.

    Raises:
        UserError: the model is another one than when the survey began.
    """
    settings = shard.settings
    if provenance.sha256(settings.model) != settings.sha256:
        remedy = "put it back, or begin a new survey"
        raise UserError(settings.model, found="another model than when the survey began", remedy=remedy)
    for path in (shard.specimens, shard.landmarks):
        sweep(path.parent, path.stem)
    model, device = open_model(settings.model, settings.device)
    locations = listing.read(shard.out, shard.start, shard.size)
    about = {"landmarks": list(model.scheme.names), "versions": provenance.versions(), "device": device.type}
    style, counts, judged = predictions.missing_style(settings.missing), Counts(), known(model)
    with replacing_all(shard.done, shard.specimens, shard.landmarks) as (done, parquet, landmarks):
        with table.Writer(parquet, about) as writer, landmarks.open("w", encoding="utf-8", newline="") as tps_file:
            for number, (fetched, answer) in enumerate(_answers(locations, model, device)):
                rows, records = _rows(fetched, answer, shard.first + number, shard, model, judged)
                _count(counts, rows)
                for row in rows:
                    writer.add(row)
                for record in records:
                    tps_file.write(tps.render(to_curves(record.specimen, model.scheme), record.size[1], style))
                if number % TOLD == 0:
                    on_share(number / shard.size, f"{number} of {shard.size}")
        done.write_text(json.dumps(asdict(counts)) + "\n", encoding="utf-8")
        on_share(1.0, "written")


_Answer = tuple[inference.Prediction, ...] | UnreadablePhotograph | None


def _answers(locations: list[str], model: StoredModel, device: Any) -> Iterator[tuple[fetching.Fetched, _Answer]]:
    """Each photograph and what the model says of it, in order; None of those that could not be fetched."""
    waiting: deque[fetching.Fetched] = deque()

    def absent() -> Iterator[tuple[fetching.Fetched, None]]:
        while waiting and waiting[0].path is None:
            yield waiting.popleft(), None

    with closing(fetching.stream(locations)) as fetched:

        def readable() -> Iterator[Path]:
            for one in fetched:
                waiting.append(one)
                if one.path is not None:
                    yield one.path

        for answer in inference.predict_all(model.network, readable(), device=device):
            yield from absent()
            one = waiting.popleft()
            one.release()
            yield one, answer
        yield from absent()


def _rows(
    fetched: fetching.Fetched, answer: _Answer, number: int, shard: Shard, model: StoredModel, judged: Known
) -> tuple[list[dict[str, Any]], list[predictions.Row]]:
    """A photograph as rows of the table, and as records of the TPS file."""
    settings, name = shard.settings, printable(fetched.location)
    common = {"photograph": name, "sha256": fetched.sha256 or None, "model": settings.sha256}
    if answer is None:
        return [table.of_bad(common, str(number), fetched.reason)], []
    if isinstance(answer, UnreadablePhotograph):
        return [table.of_bad(common, str(number), as_problem(answer).what)], []
    found = [one for one in answer if one.placed.any()]
    if not found:
        reason = not_placed(answer[0], model.scheme).what if answer else "no specimen found"
        return [table.of_bad(common, str(number), reason)], []
    rows, records = list[dict[str, Any]](), list[predictions.Row]()
    for at, one in enumerate(found, start=1):
        identity = str(number) if len(found) == 1 else f"{number}.{at}"
        record, urgency = judged.row(one, name, identity, settings.scale)
        lacking = "" if one.placed.all() else not_placed(one, model.scheme).what
        rows.append(table.of_specimen(record, common, urgency, lacking))
        if not (settings.strict and rows[-1]["status"] == table.REVIEW):
            records.append(record)
    return rows, records


def _count(counts: Counts, rows: list[dict[str, Any]]) -> None:
    """Count the rows of a photograph."""
    counts.photographs += 1
    if rows[0]["status"] == table.BAD:
        counts.bad += 1
        return
    counts.predicted += 1
    counts.specimens += len(rows)
    counts.to_review += sum(row["status"] == table.REVIEW for row in rows)


def printable(location: str) -> str:
    """A location as text that every file can hold: what is no UTF-8 or ends a line is written as an escape."""
    text = location.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(repr(char)[1:-1] if ord(char) < 32 else char for char in text)
