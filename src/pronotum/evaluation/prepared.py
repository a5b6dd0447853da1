"""A folder prepared for the programs of Le et al.: ``train_v10.csv`` and ``test_v10.csv`` for round 1, and so on.

The test files hold each specimen once, as its original picture. The training files hold the augmented copies of the
others; those copies are made anew from the originals, so that here their rows are only checked. The rounds are those
of the files.

Source: spec E.1, A.2 and A.6: tags 10 11 12 14 15 16 17 18 19, for the mandibles 20 and 21 too. Any numbers will do,
their ascending order is that of the rounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from pronotum import images
from pronotum.data import Catalogue, Dataset
from pronotum.errors import UserError, counted
from pronotum.evaluation.rounds import Plan, key
from pronotum.formats import ebnet_csv
from pronotum.formats.ebnet_csv import Row
from pronotum.landmarks import FloatArray, LandmarkSet

Tests = tuple[tuple[str, ...], ...]
"""Identities of the test specimens of each round, in the order of the tags; `rounds.Plan` takes them as they are."""

_FILE = re.compile(r"(train|test)_v(\d+)\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """A training or test file."""

    path: Path
    rows: tuple[Row, ...]

    def where(self, row: Row) -> str:
        return f"{self.path}:{row.line}"


@dataclass(frozen=True)
class _Round:
    """Both files of a round."""

    train: _File
    test: _File


def is_prepared(folder: Path) -> bool:
    """Whether a folder has training or test files of the paper's programs."""
    return folder.is_dir() and any(_FILE.fullmatch(path.name) for path in folder.iterdir())


def open_prepared(folder: Path, pattern: str | None = None) -> tuple[Dataset, Tests]:
    """Open the files of all rounds of one part, with the pictures beside them or below.

    Args:
        folder: of the part.
        pattern: where the specimen stands in a picture's name; see `formats.naming.identity`.

    Returns:
        the original picture of every specimen, in the order of the test files, landmarks in px of that picture; and
        the identities that each round tests.

    Raises:
        UserError: a file of a round is missing or broken; a specimen is tested twice, or never though others train on
            it, or is trained on in the round that tests it; a picture has other landmarks for testing than for
            training; pictures are missing, or are not those that the coordinates are for.
    """
    rounds = _rounds(folder, pattern)
    tested = _tested(rounds)
    for this in rounds:
        _check_training(this, tested)
    _check_same_landmarks(rounds)
    data = _dataset(folder, [this.test for this in rounds])
    return data, tuple(tuple(row.specimen.id for row in this.test.rows) for this in rounds)


def plan_of(source: Path, names: Mapping[str, Sequence[str]], pattern: str | None = None) -> Plan | None:
    """The rounds that the prepared ones among several parts ask for; None where no part is prepared.

    Args:
        source: folder with a folder per part.
        names: identities of the specimens of each part that is used, by the name of its folder.
        pattern: as for `open_prepared`.

    Raises:
        UserError: as `open_prepared`; parts that test a specimen in different rounds; or a part with specimens that no
            round tests.
    """
    by_part = {name: open_prepared(source / name, pattern)[1] for name in names if is_prepared(source / name)}
    if not by_part:
        return None
    numbers: dict[str, int] = {}
    written: list[dict[str, str]] = [{} for _ in range(max(map(len, by_part.values())))]
    for name, tests in by_part.items():
        for number, specimen in ((number, one) for number, test in enumerate(tests) for one in test):
            other = numbers.setdefault(key(specimen), number)
            if other != number:
                raise UserError(
                    source / name,
                    found=f"specimen {specimen} tested in round {number + 1}, in another part in round {other + 1}",
                    expected="the same rounds in all parts that are run together",
                    remedy="run the parts one by one (--parts)",
                )
            written[number].setdefault(key(specimen), specimen)
    plan = Plan(tuple(tuple(test.values()) for test in written))
    for name, specimens in names.items():
        plan.rounds_of(specimens, name)
    return plan


def _rounds(folder: Path, pattern: str | None) -> list[_Round]:
    """The files of a folder, in ascending order of their tags."""
    paths: dict[tuple[int, str], Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found = _FILE.fullmatch(path.name)
        if found:
            twin = paths.setdefault((int(found[2]), found[1].lower()), path)
            if twin != path:
                raise UserError(folder, found=f"{twin.name} and {path.name}", expected="one", remedy="remove the other")
    tags = sorted({tag for tag, _ in paths})
    if not tags:
        expected = "train_v10.csv, test_v10.csv and so on"
        raise UserError(folder, found="no files of rounds", expected=expected, remedy="check the spelling")
    rounds = []
    for tag in tags:
        for kind in ("train", "test"):
            if (tag, kind) not in paths:
                remedy = "add it, or remove the other file of this round"
                raise UserError(folder / f"{kind}_v{tag}.csv", found="no such file", remedy=remedy)
        rounds.append(_Round(_file(paths[tag, "train"], pattern), _file(paths[tag, "test"], pattern)))
    _check_numbers([file for this in rounds for file in (this.test, this.train)])
    return rounds


def _file(path: Path, pattern: str | None) -> _File:
    rows = ebnet_csv.rows(path, pattern=pattern)
    if not rows:
        raise UserError(path, found="a header and no rows", expected="a row per picture", remedy="remove the round")
    return _File(path, rows)


def _check_numbers(files: Sequence[_File]) -> None:
    """All files have the same number of landmarks."""
    first = files[0]
    n_landmarks = first.rows[0].specimen.n_landmarks
    for file in files:
        own = file.rows[0].specimen.n_landmarks
        if own != n_landmarks:
            raise UserError(
                f"{file.path}:1",
                found=counted(own, "landmark"),
                expected=f"{n_landmarks} as in {first.path.name}",
                remedy="keep files of one part in a folder",
            )


def _tested(rounds: Sequence[_Round]) -> dict[str, tuple[_Round, Row]]:
    """Where each specimen is tested, by its key."""
    found: dict[str, tuple[_Round, Row]] = {}
    for this in rounds:
        for row in this.test.rows:
            other, before = found.setdefault(key(row.specimen.id), (this, row))
            if before is not row:
                raise UserError(
                    this.test.where(row),
                    found=f"specimen {row.specimen.id} ({row.specimen.image}) is tested already "
                    f"({other.test.path.name}:{before.line}, {before.specimen.image})",
                    expected="each specimen in one test file, once",
                    remedy="remove a row; if these are two specimens, rename the pictures so that their last numbers "
                    "differ",
                )
    return found


def _check_training(this: _Round, tested: Mapping[str, tuple[_Round, Row]]) -> None:
    """No specimen is trained on in the round that tests it, or in all of them."""
    for row in this.train.rows:
        where, specimen = this.train.where(row), f"specimen {row.specimen.id} ({row.specimen.image})"
        other, test_row = tested.get(key(row.specimen.id), (None, row))
        if other is this:
            raise UserError(
                where,
                found=f"{specimen} is tested in this round ({this.test.path.name}:{test_row.line})",
                expected="training pictures of other specimens only",
                remedy="remove the row, and all others of this specimen",
            )
        if other is None:
            raise UserError(
                where,
                found=f"{specimen} is in no test file",
                expected="every specimen tested in one of the rounds",
                remedy="add its test row, or the files of the round that tests it, or remove its training rows",
            )


def _check_same_landmarks(rounds: Sequence[_Round]) -> None:
    """A picture has the landmarks in test files that it has in training files: programs ignore those of test files."""
    tests = {_name(row): (this.test, row) for this in rounds for row in this.test.rows}
    for this in rounds:
        for row in this.train.rows:
            test, other = tests.get(_name(row), (this.train, row))
            if not np.array_equal(row.specimen.points, other.specimen.points, equal_nan=True):
                raise UserError(
                    test.where(other),
                    found=f"{other.specimen.image} has other landmarks than in {this.train.path.name}:{row.line}",
                    expected="its manual landmarks, though the paper's programs ignore them in test files",
                    remedy="copy them from the training file",
                )


def _name(row: Row) -> str:
    return PureWindowsPath(row.specimen.image).name.casefold()


def _dataset(folder: Path, tests: Sequence[_File]) -> Dataset:
    """The rows of the test files with their pictures."""
    catalogue = Catalogue(images.find(folder))
    specimens = [row.specimen for test in tests for row in test.rows]
    photographs: list[Path] = []
    sizes: list[tuple[int, int]] = []
    lacking: list[str] = []
    for specimen in specimens:
        found = catalogue.match(specimen.image)
        size = catalogue.size(found) if isinstance(found, Path) else found
        if isinstance(found, Path) and isinstance(size, tuple):
            photographs.append(found)
            sizes.append(size)
        else:
            lacking.append(str(size))
    if lacking:
        raise UserError(
            folder,
            found=f"{len(lacking)} of {len(specimens)} pictures cannot be used: "
            + "; ".join(lacking[:3])
            + ("; ..." if len(lacking) > 3 else ""),
            expected="the pictures of all test files, beside them or below",
        )
    landmarks = LandmarkSet.of(specimens)
    _check_frame(folder, landmarks.points, np.array(sizes), [specimen.image for specimen in specimens])
    return Dataset(landmarks, tuple(photographs), tuple(sizes), (), tuple(test.path for test in tests))


def _check_frame(folder: Path, points: FloatArray, sizes: FloatArray, names: Sequence[str]) -> None:
    """The coordinates are px of these pictures, not of larger or smaller ones."""
    share = points / sizes[:, None]
    remedy = "put the pictures here that the CSV files were made for (256x192 in the paper)"
    outside = np.flatnonzero(((share < -0.05) | (share > 1.05)).any((1, 2)))
    if outside.size:
        width, height = sizes[outside[0]]
        raise UserError(
            folder,
            found=f"{counted(outside.size, 'specimen')} with landmarks outside their picture, "
            f"the first on {names[outside[0]]} ({width}x{height})",
            expected="coordinates in px of that picture",
            remedy=remedy,
        )
    if (share <= 0.25).any() and not (share > 0.25).any():  # all specimens in that corner are no accident
        found = f"no landmark outside the top-left quarter of any picture, {names[0]} is {sizes[0][0]}x{sizes[0][1]}"
        raise UserError(folder, found=found, expected="coordinates in px of the pictures", remedy=remedy)
