"""The doctor at work: landmark files and photographs in, findings and pictures out, changes into a new file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from pronotum import doctor, fitting, formats, geometry, images, pictures
from pronotum.crossvalidation import OUT_OF_FOLD
from pronotum.data import Catalogue, Problem, landmark_files, open_data
from pronotum.doctor import KINDS, Change, Finding, Patient, misread
from pronotum.doctor.photographs import SIDE
from pronotum.doctor.surroundings import describe as look_around
from pronotum.errors import UserError, counted, few
from pronotum.files import replacing, write_text
from pronotum.geometry import PAPER_FRAME
from pronotum.landmarks import FloatArray, Landmarks
from pronotum.report import overlays

COLUMNS = ("number", "kind", "specimen", "landmarks", "severity", "evidence", "change", "command")
DRAWN = 24


@dataclass(frozen=True, eq=False)
class Examined:
    """What the doctor found.

    Attributes:
        patient: what was examined.
        findings: most severe first.
        photographs: (N,) files; None where a record has none.
        problems: what could not be examined.
    """

    patient: Patient
    findings: tuple[Finding, ...]
    photographs: tuple[Path | None, ...]
    problems: tuple[Problem, ...]


def examine(
    data: Path,
    *,
    photographs: Path | None = None,
    form: str | None = None,
    run: Path | None = None,
    on_photograph: Callable[[int, int], None] = lambda done, total: None,
) -> Examined:
    """Look for label errors.

    Args:
        data: a landmark file, or a folder with one; photographs are looked at where there are any.
        photographs: folder of the photographs, where it is another one.
        form: name of the format of the landmark file, where it does not tell.
        run: folder of a cross-validation of the same data, for its out-of-fold predictions.
        on_photograph: called with the number looked at and the total.

    Raises:
        UserError: no landmark file, records with different numbers of landmarks, or a run without predictions.
    """
    folder = photographs or (data if data.is_dir() else data.parent)
    if not images.find(folder):
        return _without_photographs(data, run, form)
    found = open_data(data, photographs=photographs, form=form)
    # Only what the file has as landmarks can be mended in it; semilandmarks follow from its curves.
    landmarks = found.points[:, : found.scheme.n_fixed]
    described, thumbnails, surroundings = [], [], []
    problems = list(found.problems)
    readable = []
    for number, (path, answer) in enumerate(fitting.stream(found.photographs, PAPER_FRAME)):
        if isinstance(answer, fitting.Picture):
            batch = pictures.as_batch([answer], torch.device("cpu"))
            described.append(pictures.describe(batch)[0])
            grey = F.adaptive_avg_pool2d(batch.float().mean(1, keepdim=True), SIDE)
            thumbnails.append(grey[0, 0].double().numpy())
            surroundings.append(look_around(answer.pixels, geometry.transform(answer.matrix, landmarks[number])))
            readable.append(number)
        else:
            problems.append(Problem(str(path), str(answer)))
        on_photograph(number + 1, len(found))
    found, landmarks = found.subset(readable), landmarks[readable]
    sizes = {one.image: size for one, size in zip(found.landmarks, found.sizes, strict=True)}
    patient = Patient(
        landmarks,
        found.names,
        [path.name for path in found.photographs],
        [one.scale for one in found.landmarks],
        found.sizes,
        found.groups,
        np.stack(thumbnails),
        np.stack(described),
        np.stack(surroundings),
        _predictions(run, found.names, landmarks.shape[1], sizes),
    )
    whole = misread.finding(found)
    findings = (*([whole] if whole else []), *doctor.diagnose(patient))
    return Examined(patient, findings, found.photographs, tuple(problems))


def _without_photographs(data: Path, run: Path | None, form: str | None) -> Examined:
    files = landmark_files(data, form)
    specimens = [one for file in files for one in formats.load(file, lambda name: None, name=form)]
    if len({one.n_landmarks for one in specimens}) != 1:
        counts = sorted({one.n_landmarks for one in specimens})
        raise UserError(data, found=f"records of {counts} landmarks", expected="the same number in all")
    n = len(specimens)
    names = [one.name for one in specimens]
    predicted = _predictions(run, names, specimens[0].n_landmarks, {})
    patient = Patient(
        np.stack([one.points for one in specimens]),
        names,
        [one.image for one in specimens],
        [one.scale for one in specimens],
        [None] * n,
        predicted=predicted,
    )
    said = Problem(str(data), "no photographs beside it: they were not examined; name their folder with --photographs")
    return Examined(patient, tuple(doctor.diagnose(patient)), (None,) * n, (said,))


def _predictions(
    run: Path | None, names: Sequence[str], n_landmarks: int, sizes: dict[str, tuple[int, int]]
) -> FloatArray | None:
    """(N, K, 2) out-of-fold predictions of a cross-validation, NaN where it has none."""
    if run is None:
        return None
    file = run / OUT_OF_FOLD
    if not file.is_file():
        raise UserError(run, found=f"no {OUT_OF_FOLD}", expected="the folder of a pronotum crossvalidate")
    known = {one.name: one.points for one in formats.load(file, sizes.get)}
    missing = np.full((n_landmarks, 2), np.nan)
    return np.stack([known.get(name, missing) for name in names])


def write(
    found: Examined, data: Path, out: Path, form: str | None = None, photographs: Path | None = None
) -> list[Path]:
    """Write ``findings.csv``, ``findings.json`` and, where there are photographs, ``findings.png``."""
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "findings.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number, one in enumerate(found.findings, start=1):
            which = " ".join(str(k + 1) for k in one.landmarks)
            change = one.change.what if one.change else ""
            command = fix_command(data, out, [number], form, photographs) if one.change else ""
            rows.writerow(
                [number, KINDS[one.kind], one.name, which, f"{one.severity:.2f}", one.evidence, change, command]
            )
    write_text(out / "findings.json", json.dumps([one.as_plain() for one in found.findings], indent=1) + "\n")
    made = [out / "findings.csv", out / "findings.json"]
    tiles = list(_tiles(found))
    if tiles:
        with replacing(out / "findings.png") as part:
            overlays.contact_sheet(tiles, columns=3).save(part, format="PNG", compress_level=3)
        made.append(out / "findings.png")
    return made


def _tiles(found: Examined) -> Iterator[tuple[str, Image.Image]]:
    """The worst findings: the record as it is (crosses) and as it would be after the change (circles)."""
    for number, one in enumerate(found.findings[:DRAWN], start=1):
        photograph, size = found.photographs[one.specimen], found.patient.sizes[one.specimen]
        if photograph is None:
            continue
        points = found.patient.points[one.specimen]
        changed = None
        if one.change and one.change.what not in ("remove", "scale"):
            mended = doctor.mend(Landmarks(points), one.change, size)
            changed = None if mended is None else mended.points
        tile = overlays.overlay(photograph, points, manual=changed, width=480)
        whose = "" if one.change and one.change.of_file else f"{one.name}: "
        yield f"{number}. {whose}{KINDS[one.kind]}", tile


def fix_command(
    data: Path, out: Path, numbers: Sequence[int], form: str | None = None, photographs: Path | None = None
) -> str:
    """What to type to apply changes."""
    chosen = " ".join(f"--apply {number}" for number in numbers)
    known = f" --photographs {photographs}" * (photographs is not None) + (f" --format {form}" if form else "")
    return f"pronotum fix {data}{known} --findings {out / 'findings.json'} {chosen} -o fixed.tps"


def fix(
    data: Path,
    findings: Path,
    numbers: Sequence[int],
    out: Path,
    *,
    photographs: Path | None = None,
    form: str | None = None,
) -> list[tuple[str, str]]:
    """Write a new landmark file with the changes of some findings; records without a change stay as they are.

    Args:
        data: the file examined, or its folder.
        findings: ``findings.json`` of it.
        numbers: of the findings to apply, as listed.
        out: the new file; must not be there. It has the format of the old one where its suffix allows that.
        photographs: folder of the photographs, where it is another one.
        form: name of the format of the old file, where it does not tell.

    Returns:
        name of the record and what was done to it, for each change.

    Raises:
        UserError: the new file is there already, a finding that does not exist, has no change or belongs to other
            data, or several landmark files.
    """
    sources = landmark_files(data, form)
    if out.exists():
        raise UserError(out, found="already there", expected="a new file", remedy="choose another name for -o")
    if len(sources) != 1:
        raise UserError(data, found=f"{len(sources)} landmark files", expected="one", remedy="name the one you mean")
    catalogue = Catalogue(images.find(photographs or sources[0].parent))
    kind = formats.named(form) if form else formats.of(sources[0])
    specimens: list[Landmarks | None] = list(kind.read(sources[0], catalogue.dimensions))
    done = []
    for number, name, change in _chosen(findings, numbers):
        meant = set(change.records) or {name}
        at = [i for i, one in enumerate(specimens) if one is not None and (change.everywhere or one.name in meant)]
        if len(at) != len(meant) and not change.everywhere:
            found = f"{counted(len(at), 'record')} '{name}'" if len(meant) == 1 else f"{len(at)} of the records"
            raise UserError(
                sources[0], found=found, expected=f"{len(meant)}, as when it was examined", remedy="examine it again"
            )
        for i in at:
            specimens[i] = _mended(specimens[i], change, catalogue, f"{findings}: finding {number}")
        whose = "all records" if change.everywhere else few(change.records) if change.records else name
        done.append((whose, change.what))
    kept = [one for one in specimens if one is not None]
    formats.save(out, kept, catalogue.dimensions, name=kind.name if kind.suffix(out) else None)
    return done


def _mended(record: Landmarks | None, change: Change, catalogue: Catalogue, where: str) -> Landmarks | None:
    assert record is not None
    path = catalogue.match(record.image, record.id)
    size = catalogue.size(path) if isinstance(path, Path) else None
    try:
        return doctor.mend(record, change, size if isinstance(size, tuple) else None)
    except ValueError as error:
        raise UserError(where, found=str(error), remedy="examine the data again, with their photographs") from None


def _chosen(findings: Path, numbers: Sequence[int]) -> Iterator[tuple[int, str, Change]]:
    try:
        listed = json.loads(findings.read_text(encoding="utf-8"))
        known = [(one["name"], None if one["change"] is None else Change.from_plain(one["change"])) for one in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(findings, found=f"no findings ({error})", expected="findings.json of pronotum doctor") from None
    for number in numbers:
        if not 1 <= number <= len(known):
            raise UserError(findings, found=f"no finding {number}", expected=f"1 to {len(known)}")
        name, change = known[number - 1]
        if change is None:
            raise UserError(
                findings, found=f"finding {number} has no change", remedy="look at the photograph and mend it by hand"
            )
        yield number, name, change
