"""Disks that are full, read-only, broken or slow: one line, exit code 2, and what was there before stays whole."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pronotum import errors
from pronotum.desk.states import Edit
from pronotum.desk.store import Store
from pronotum.formats import tps

from .conftest import FULL, SIZE, TINY

ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO)
PLACES = 40 if FULL else 3
"""Operations at which each error begins."""


def commands(beetles: Path, trained: Path) -> dict[str, tuple[object, ...]]:
    return {
        "train": ("train", beetles, "-o", "OUT/run", "--resume", *TINY),
        "predict": ("predict", trained, beetles, "-o", "OUT/out"),
        "evaluate": ("evaluate", trained, beetles, "--report", "OUT/report.html"),
        "check": ("check", beetles, "--sheet", "OUT/check.png"),
        "convert": ("convert", beetles / "landmarks.tps", "OUT/landmarks.csv", "--to", "tidy-csv", "--force"),
        "export": ("export", trained, "OUT/shared.pronotum"),
    }


def into(place: Path, command: tuple[object, ...]) -> list[str]:
    return [str(part).replace("OUT", str(place)) for part in command]


def is_told(outcome) -> bool:
    """Whether a command has ended with one line that names the disk's trouble, or has had none."""
    if not outcome.failures and outcome.code in (0, 1):
        return True  # all that was left to do was to remove a file, which a full disk allows
    told = [line for line in outcome.said.splitlines() if line.startswith("error: ")]
    return outcome.code == 2 and len(told) == 1 and "Traceback" not in outcome.said


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["train", "predict", "evaluate", "check", "convert", "export"])
def test_operations_fail_from_some_point_on(name, beetles, trained, nursery, note, tmp_path):
    command, cases = commands(beetles, trained)[name], 0
    (tmp_path / "whole").mkdir()
    whole = nursery.run(tmp_path / "whole", *into(tmp_path / "whole", command), watch=False)
    assert whole.code in (0, 1), whole.said
    for number in ERRORS if FULL else ERRORS[:2]:
        for start in np.unique(np.linspace(1, whole.operations, PLACES).round().astype(int)).tolist():
            place = tmp_path / f"{number}-{start}"
            place.mkdir()
            (place / "earlier.txt").write_text("mine")
            failed = nursery.run(place, *into(place, command), fail=start, errno=number, watch=False)
            assert is_told(failed), (number, start, failed.said)
            assert failed.failures or start > 1
            assert failed.unreadable == []
            assert (place / "earlier.txt").read_text() == "mine"
            again = nursery.run(place, *into(place, command), watch=False)
            assert again.code == whole.code, again.said
            cases += 1
    note(cases, f"errors of the disk during {name}")


def test_earlier_results_stay_whole(beetles, trained, nursery, note, tmp_path):
    """Of a prediction that is made again, and fails at any point: the old files, or the new ones."""
    out = tmp_path / "out"
    command = ("predict", trained, beetles, "-o", out)
    assert nursery.run(out, *command).code == 0
    earlier, n = contents(out), nursery.run(out, *command, watch=False).operations
    assert contents(out).keys() == earlier.keys()
    starts = np.unique(np.linspace(1, n, 40 if FULL else 3).round().astype(int)).tolist()
    for start in starts:
        failed = nursery.run(out, *command, fail=start, errno=errno.ENOSPC)
        assert is_told(failed), failed.said
        assert failed.unreadable == []
        assert (out / "predictions.tps").read_bytes() == earlier[out / "predictions.tps"]
    assert nursery.run(out, *command).code == 0
    assert [one.name for one in out.rglob(".*")] == []
    note(len(starts), "predictions made again on a disk that was full")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk, beetles, trained, nursery, note):
    n = 0
    for name, command in commands(beetles, trained).items():
        for left in (0, 4, 60):
            filler = small_disk / "filler"
            stat = os.statvfs(small_disk)
            filler.write_bytes(bytes(max(0, stat.f_bavail * stat.f_frsize - left * 1024)))
            outcome = nursery.run(small_disk, *into(small_disk, command), watch=False)
            assert outcome.code in (0, 1) or is_told(outcome), (name, left, outcome.said)
            assert "no space" in outcome.said.lower() or outcome.code in (0, 1)
            assert outcome.unreadable == []
            assert left or outcome.code == 2, name
            filler.unlink()
            n += 1
    note(n, "commands on a disk of 300 kB")


@pytest.mark.parametrize("limit", [1000, 30_000])
def test_files_that_cannot_grow(limit, beetles, trained, nursery, note, tmp_path):
    """As a quota: writing itself fails, in the middle, also where it is not Python that writes."""
    n = 0
    for name, command in commands(beetles, trained).items():
        place = tmp_path / name
        outcome = nursery.run(place, *into(place, command), limit=limit, watch=False)
        assert outcome.code in (0, 1) or is_told(outcome), (name, outcome.said)
        assert outcome.unreadable == []
        assert name not in ("train", "export") or outcome.code == 2
        n += 1
    note(n, "commands that may write small files only")


def test_a_slow_network_drive_gives_the_same(beetles, trained, nursery, note, tmp_path):
    quick, slow = tmp_path / "quick", tmp_path / "slow"
    for place, delay in ((quick, 0.0), (slow, 0.1)):
        outcome = nursery.run(place, "predict", trained, beetles, "-o", place, slow=delay)
        assert (outcome.code, outcome.unreadable) == (0, [])
    assert (quick / "predictions.csv").read_bytes() == (slow / "predictions.csv").read_bytes()
    note(1, "predictions onto a drive that renames slowly")


@pytest.mark.parametrize("what", ["journal", "landmarks"])
def test_a_desk_on_a_full_disk_keeps_what_it_has_confirmed(what, beetles, nursery, note, tmp_path):
    folder = tmp_path / "desk"
    folder.mkdir()
    for path in beetles.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    places = [("b1.jpg", {"what": "place", "landmark": k, "x": 10.0 + k, "y": 20.0}) for k in range(8)]
    n = nursery.edit(folder, places[:1]).operations
    first = 2 if what == "journal" else n - 2
    failed = nursery.edit(folder, places[1:], fail=first, errno=errno.ENOSPC, watch=False)
    assert failed.unreadable == []
    store = Store(folder, "me")
    try:
        history = store.get("b1.jpg").history
        assert 1 + failed.confirmed <= history.revision <= 2 + failed.confirmed
        store.edit("b1.jpg", history.revision, Edit(what="place", landmark=7, x=90, y=90))
        assert store.trouble == ""
    finally:
        store.close()
    found = {one.image: one for one in tps.load(folder / "landmarks.tps", lambda name: SIZE)}
    np.testing.assert_allclose(found["b1.jpg"].points[0], [10, 20], atol=1e-4)
    note(1, "savings of the desk on a full disk")


@pytest.mark.finding("A full or read-only disk ended commands with a Python traceback.")
def test_errors_of_the_disk_are_told_in_one_line():
    for number, said in ((errno.ENOSPC, "free some space"), (errno.EROFS, "choose another folder"), (errno.EACCES, "")):
        told = errors.of_disk(OSError(number, os.strerror(number), "/data/.model-part-x1.safetensors"))
        assert str(told).startswith("/data: ")
        assert said in str(told)
    assert errors.of_disk(OSError("no number")) is None
    assert errors.of_disk(OSError(errno.EBADF, "a mistake of ours")) is None
