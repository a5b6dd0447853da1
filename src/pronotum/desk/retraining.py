"""Training from the desk: the same commands in a process of their own, followed by the events of their run folder.

``.desk/trainings/NNNN/`` has ``learnt.tps`` (the accepted specimens, as they were), ``run/``, ``predictions/``,
``output.txt`` (what the commands printed) and ``training.json`` (what was asked, and how far it is).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from pronotum import project as projects
from pronotum import schemes
from pronotum.desk import answers
from pronotum.desk.answers import Answers
from pronotum.desk.folder import PRIVATE
from pronotum.desk.specimens import Specimen
from pronotum.desk.store import Store
from pronotum.errors import UserError
from pronotum.files import write_text
from pronotum.formats import tps
from pronotum.project import DeskSettings
from pronotum.runs import Run

LEAST = 3
"""Specimens that a training needs."""
GRACE_SECONDS = 10.0
"""Between asking a process to end and ending it."""
PRONOTUM = (sys.executable, "-c", "from pronotum.cli import main; main()")


@dataclass(frozen=True)
class Training:
    """One training, as ``training.json`` has it.

    Attributes:
        number: from 1.
        how: ``train`` or ``crossvalidate``, which also finds the radii and takes about six times as long.
        n_specimens: learnt from.
        learnt: their keys and revisions.
        images: what ``predict`` calls each photograph, and the key of its specimen.
        started: when, ISO 8601.
        state: ``running``, ``stopped`` (it can go on), ``failed`` or ``finished``.
        step: what is being done: ``learning`` or ``predicting``.
        pid: of the process.
        message: why it failed or stopped.
        seconds: that it took so far.
    """

    number: int
    how: str
    n_specimens: int
    learnt: dict[str, int]
    images: dict[str, str]
    started: str
    state: str = "running"
    step: str = "learning"
    pid: int = 0
    message: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.number:04d}"


@dataclass
class _Attempt:
    """A training under way in this desk."""

    begun: float = field(default_factory=time.monotonic)
    share: float = 0.0
    cancelled: bool = False


class Trainings:
    """All trainings of a project; at most one runs.

    Args:
        store: the project.
        settings: of ``pronotum.toml``.
    """

    def __init__(self, store: Store, settings: DeskSettings) -> None:
        self.store, self.settings = store, settings
        self.folder = store.folder / PRIVATE / "trainings"
        self._lock, self._attempt = Lock(), _Attempt()
        self._thread: Thread | None = None
        self._known = {one.number: one for one in self._read()}
        self.answers = self._newest_answers()
        self._adopt()

    def _read(self) -> Iterator[Training]:
        for path in sorted(self.folder.glob("*/training.json")):
            yield Training(**json.loads(path.read_text(encoding="utf-8")))

    def all(self) -> list[Training]:
        """Every training, the oldest first."""
        return [self._known[number] for number in sorted(self._known)]

    @property
    def latest(self) -> Training | None:
        """The training that was begun last."""
        return self._known[max(self._known)] if self._known else None

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self.latest is not None and self.latest.state == "running"

    def place(self, training: Training) -> Path:
        """Its folder."""
        return self.folder / training.name

    # What a person asks for

    def start(self, how: str = "") -> Training:
        """Learn from the accepted specimens, then predict all others.

        Raises:
            UserError: one is running, too few specimens are accepted, or a way there is not.
        """
        with self._lock:
            if self.running:
                raise UserError("training", found="one is running", remedy="wait, or stop it")
            how = how or self.settings.retrain
            if how not in ("train", "crossvalidate"):
                raise UserError("training", found=f"'{how}'", expected="train or crossvalidate")
            least = max(LEAST, self.settings.folds) if how == "crossvalidate" else LEAST
            learnt = self.store.accepted
            if len(learnt) < least:
                found = f"{len(learnt)} accepted specimen{'s' if len(learnt) != 1 else ''}"
                raise UserError("training", found=found, expected=f"at least {least}", remedy="accept more first")
            number = max(self._known, default=0) + 1
            asked = [one.photograph for one in self.store if not one.state.accepted]
            names, keys = called(asked), {one.photograph: one.key for one in reversed(list(self.store))}
            images = {name: keys[path] for path, name in names.items()}
            revisions = {one.key: one.history.revision for one in learnt}
            now = datetime.now(UTC).isoformat(timespec="seconds")
            training = Training(number, how, len(learnt), revisions, images, now)
            self._snapshot(self.place(training), learnt)
            return self._launch(training, resume=False)

    def go_on(self) -> Training:
        """Go on with a training that was stopped.

        Raises:
            UserError: the last one was not stopped.
        """
        with self._lock:
            training = self.latest
            if training is None or training.state not in ("stopped", "failed"):
                raise UserError("training", found="none was stopped", remedy="start one")
            return self._launch(replace(training, state="running", message=""), resume=True)

    def cancel(self) -> None:
        """Stop the training under way; it can go on later.

        Raises:
            UserError: none is running.
        """
        training = self.latest
        if training is None or training.state != "running":
            raise UserError("training", found="none is running", remedy="start one")
        self._attempt.cancelled = True
        _end(training.pid)

    def close(self) -> None:
        """Stop what is under way and wait for it."""
        with suppress(UserError):
            self.cancel()
        if self._thread is not None:
            self._thread.join(GRACE_SECONDS)

    # What there is to see

    def status(self) -> dict[str, Any]:
        """How far the last training is, as values for the page."""
        training = self.latest
        if training is None:
            return {"state": "none"}
        share = share_of(self.place(training) / "run", training, self.settings.folds)
        left = None
        if training.state == "running":
            elapsed, gained = time.monotonic() - self._attempt.begun, share - self._attempt.share
            left = elapsed / gained * (1 - share) if gained > 0.02 and training.step == "learning" else None
        last = None
        for event in Run(self.place(training) / "run").read_events("epoch"):
            last = {name: event.get(name) for name in ("stage", "epoch", "epochs", "loss", "error")}
        return {**_shown(training), "share": share, "seconds_left": left, "epoch": last}

    def of(self, specimen: Specimen) -> answers.Answer | None:
        """What the newest model says of a specimen; None = nothing, or not with this number of landmarks."""
        image = self._image_of.get(specimen.key)
        found = self.answers.by_image.get(image) if image else None
        if found is None or len(found.points) != self.store.scheme.n_landmarks:
            return None
        return answers.first(found, self.store.n_landmarks)

    def shown(self) -> list[dict[str, Any]]:
        """Every training, as values for the page."""
        return [_shown(one) for one in self.all()]

    def report(self) -> Path | None:
        """The report of the newest cross-validation; None = there is none."""
        paths = [self.place(one) / "run" / "report.html" for one in reversed(self.all())]
        return next((path for path in paths if path.exists()), None)

    def predictions(self) -> Path | None:
        """Folder of the newest predictions; None = there are none."""
        return self.folder / self.answers.training / "predictions" if self.answers.training else None

    def _newest_answers(self) -> Answers:
        self._image_of: dict[str, str] = {}
        for training in reversed(self.all()):
            folder = self.place(training) / "predictions"
            if training.state == "finished" and (folder / "predictions.csv").exists():
                self._image_of = {key: image for image, key in training.images.items()}
                return answers.read(folder, training.name)
        return Answers()

    # The process

    def _adopt(self) -> None:
        """Take up a training that a desk which was killed has left behind."""
        training = self.latest
        if training is None or training.state != "running":
            return
        if not _is_ours(training.pid, self.place(training)):
            self._note(replace(training, state="stopped", message="the desk was ended"))
            return
        self._attempt = _Attempt(share=share_of(self.place(training) / "run", training, self.settings.folds))
        self._follow(training, lambda: _wait_for(training.pid, self.place(training)))

    def _launch(self, training: Training, *, resume: bool) -> Training:
        share = share_of(self.place(training) / "run", training, self.settings.folds)
        self._attempt = _Attempt(share=share)
        process = self._begin(training, resume=resume)
        training = self._note(replace(training, pid=process.pid))
        self._follow(training, process.wait)
        return training

    def _follow(self, training: Training, wait: Callable[[], int | None]) -> None:
        self._thread = Thread(target=self._attend, args=(training, wait), daemon=True)
        self._thread.start()

    def _attend(self, training: Training, wait: Callable[[], int | None]) -> None:
        """Wait for a step, begin the next, and note how it ended."""
        while True:
            code = wait()
            training = replace(training, seconds=training.seconds + time.monotonic() - self._attempt.begun)
            if self._attempt.cancelled:
                self._note(replace(training, state="stopped", message="stopped"))
                return
            if not self._made(training):
                message = _last_error(self.place(training) / "output.txt") or f"ended with code {code}"
                self._note(replace(training, state="failed", message=message))
                return
            if training.step == "predicting" or not training.images:
                break
            training = replace(training, step="predicting")
            process = self._begin(training, resume=False)
            training, wait = self._note(replace(training, pid=process.pid)), process.wait
        self._note(replace(training, state="finished", pid=0))
        self.answers = self._newest_answers()

    def _made(self, training: Training) -> bool:
        """Whether a step has left what it is for; commands also end with 1 where a photograph was left out."""
        place = self.place(training)
        if training.step == "predicting":
            return (place / "predictions" / "review.csv").exists()
        report = training.how == "train" or (place / "run" / "report.html").exists()
        return (place / "run" / "model.safetensors").exists() and report

    def _begin(self, training: Training, *, resume: bool) -> subprocess.Popen[bytes]:
        place = self.place(training)
        if training.step == "predicting":
            keys = training.images.values()
            photographs = [str(one.photograph) for one in self.store if one.key in keys]
            command = ["predict", str(place / "run"), *photographs, "-o", str(place / "predictions"), "--no-overlays"]
        else:
            command = [training.how, str(place / "learnt.tps"), "--photographs", str(self.store.folder)]
            command += ["-o", str(place / "run")]
            command += ["--preset", self.settings.preset] if self.settings.preset else []
            command += [part for name, value in self.settings.settings.items() for part in ("--set", f"{name}={value}")]
            if training.how == "crossvalidate":
                command += ["--folds", str(self.settings.folds)]
            elif resume and Run(place / "run").config.exists():
                command += ["--resume"]
        place.mkdir(parents=True, exist_ok=True)
        with (place / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [*PRONOTUM, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.store.folder,
            )

    def _snapshot(self, place: Path, specimens: Sequence[Specimen]) -> None:
        """Put aside what is learnt from, with what is declared of it: what changes meanwhile does not disturb."""
        sizes = {one.image: one.size for one in specimens}
        tps.save(place / "learnt.tps", [one.landmarks() for one in specimens], sizes.get)
        for name in (schemes.NAME, projects.NAME):
            if (self.store.folder / name).exists():
                shutil.copyfile(self.store.folder / name, place / name)

    def _note(self, training: Training) -> Training:
        write_text(self.place(training) / "training.json", json.dumps(asdict(training), indent=1) + "\n")
        self._known[training.number] = training
        return training


def called(photographs: Sequence[Path]) -> dict[Path, str]:
    """What ``predict`` calls each photograph: `landmarking.unique_names`, without loading torch."""
    count = Counter(path.name for path in dict.fromkeys(photographs))
    return {path: path.name if count[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in photographs}


def share_of(run: Path, training: Training, folds: int) -> float:
    """Share of the learning that is done, from the events of the run folder."""
    if training.step == "predicting" or training.state == "finished":
        return 1.0
    if training.how == "train":
        return _progress(run)
    done = [run / "folds" / f"{number:02d}" for number in range(1, folds + 1)]
    parts = [1.0 if (one / "predictions.tps").exists() else _progress(one) for one in done]
    return (sum(parts) + _progress(run)) / (folds + 1)


def _progress(folder: Path) -> float:
    latest = 0.0
    for event in Run(folder).read_events("epoch"):
        latest = float(event.get("progress", latest))
    return latest


def _shown(training: Training) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(training).items() if name not in ("learnt", "images", "pid")}
    return {**plain, "name": training.name, "n_photographs": len(training.images)}


def _last_error(path: Path) -> str:
    """The line in which a command has said what is wrong, or the last one."""
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (said or lines or [""])[-1]


def _end(pid: int) -> None:
    """Ask a process and its children to end, and end them where they do not."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)

    def insist() -> None:
        time.sleep(GRACE_SECONDS)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)

    Thread(target=insist, daemon=True).start()


def _is_ours(pid: int, place: Path) -> bool:
    """Whether a process of that number works in this folder: numbers are used again."""
    if not pid:
        return False
    found = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return str(place) in found.stdout


def _wait_for(pid: int, place: Path) -> None:
    """Wait for a process that is not our child."""
    while _is_ours(pid, place):
        time.sleep(0.5)
