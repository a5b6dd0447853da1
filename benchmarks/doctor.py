"""Errors planted into real sets: how many the doctor finds, and how many of its findings are planted.

python benchmarks/doctor.py DATA [DATA ...] --seeds 20

Each error kind is planted into one record of each set, once per seed. Recall: planted records found under the right
kind; a landmark on the ground also where its configuration gives it away. Precision: of the findings of that kind in
planted sets, those about the planted record; what the doctor says of the set as it was (50.jpg = 55.jpg of the snail
shells) is left out of both.

Whole files: all records of 5 to 30 specimens, drawn anew for each seed, misread alike; parts of files: 20 to 80 % of
them. Found: said with the right reading, and of exactly the records that it is. Rows of files that
are right, also with specimens of two sides or laid the other way round, count false alarms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import doctor, examination, fitting, geometry
from pronotum.data import Dataset, open_data
from pronotum.doctor import Patient, likeness, misread
from pronotum.doctor.readings import READINGS
from pronotum.doctor.shapes import own_flip
from pronotum.doctor.surroundings import describe
from pronotum.geometry import PAPER_FRAME
from pronotum.morphometrics.superimposition import centroid_size

Plant = Callable[[Patient, int, np.random.Generator, list[Patient]], Patient]


def with_points(patient: Patient, i: int, change: Callable[[np.ndarray], np.ndarray]) -> Patient:
    """The set with the configuration of one record changed."""
    points = patient.points.copy()
    points[i] = change(points[i])
    return replace(patient, points=points)


def flipped(axis: int) -> Plant:
    """Mirrored within the photograph."""
    return lambda p, i, random, others: with_points(p, i, lambda own: own_flip(own, p.sizes[i], axis))


def swapped(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """Two landmarks exchanged."""
    order = np.arange(p.points.shape[1])
    a, b = random.choice(len(order), 2, replace=False)
    order[[a, b]] = b, a
    return with_points(p, i, lambda own: own[order])


def reordered(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """Begun at another landmark, or the other way round."""
    step = int(random.integers(1, p.points.shape[1]))
    if random.random() < 0.5:
        return with_points(p, i, lambda own: np.roll(own, step, axis=0))
    return with_points(p, i, lambda own: np.roll(own, step, axis=0)[::-1])


def misplaced(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """One landmark 5 to 15 % of centroid size away."""
    k, angle = int(random.integers(p.points.shape[1])), random.uniform(0, 2 * np.pi)
    away = random.uniform(0.05, 0.15) * centroid_size(p.points[i]) * np.array([np.cos(angle), np.sin(angle)])
    return with_points(p, i, lambda own: own + away * (np.arange(len(own)) == k)[:, None])


def mis_scaled(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The scale of another unit; sets without a scale are given one."""
    scales = [0.01 * 1000 / max(size or (1000, 1)) for size in p.sizes]
    scales[i] *= float(random.choice([10, 0.1, 25.4, 1000, 0.001]))
    return replace(p, scales=scales)


def saved_again(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The photograph of another record, saved again a little lighter."""
    assert p.thumbnails is not None
    j = int((i + random.integers(1, len(p.names))) % len(p.names))
    thumbnails = p.thumbnails.copy()
    thumbnails[i] = p.thumbnails[j] * random.uniform(0.9, 1.1) + random.normal(0, 0.5, p.thumbnails[j].shape)
    return replace(p, thumbnails=thumbnails)


def copied(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The coordinates of another record."""
    j = int((i + random.integers(1, len(p.names))) % len(p.names))
    return with_points(p, i, lambda own: p.points[j])


def digitised_again(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The photograph of another record, digitised a second time: every landmark 1 % of centroid size off."""
    j = int((i + random.integers(1, len(p.names))) % len(p.names))
    noise = random.normal(0, 0.01 / np.sqrt(2) * centroid_size(p.points[j]), p.points[j].shape)
    assert p.thumbnails is not None
    assert p.described is not None
    assert p.surroundings is not None
    order = [j if at == i else at for at in range(len(p.names))]
    again = replace(
        p,
        files=[p.files[at] for at in order],
        digests=[p.digests[at] for at in order],
        sizes=[p.sizes[at] for at in order],
        thumbnails=p.thumbnails[order],
        described=p.described[order],
        surroundings=p.surroundings[order],
    )
    return with_points(again, i, lambda own: p.points[j] + noise)


@cache
def picture(path: Path) -> fitting.Picture:
    """A photograph as the doctor looks at it."""
    return fitting.fit(path, PAPER_FRAME)


def moved(p: Patient, i: int, change: Callable[[np.ndarray], np.ndarray]) -> Patient:
    """The set with the configuration of one record changed, and looked at there."""
    changed, seen = with_points(p, i, change), picture(PHOTOGRAPHS[p.files[i]])
    assert p.surroundings is not None
    around = p.surroundings.copy()
    around[i] = describe(seen.pixels, geometry.transform(seen.matrix, changed.points[i]))
    return replace(changed, surroundings=around)


def on_the_ground(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """One landmark 15 to 30 % of centroid size further out from the middle, but on the photograph."""
    assert p.sizes[i] is not None
    k, away = int(random.integers(p.points.shape[1])), random.uniform(0.15, 0.3) * centroid_size(p.points[i])
    out = p.points[i, k] - p.points[i].mean(0)
    there = np.clip(p.points[i, k] + away * out / np.linalg.norm(out), 0, np.array(p.sizes[i]) - 1)
    return moved(p, i, lambda own: np.where((np.arange(len(own)) == k)[:, None], there, own))


def shifted(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The whole configuration shifted by 15 to 40 % of centroid size, as where a photograph was cropped afterwards."""
    angle = random.uniform(0, 2 * np.pi)
    away = random.uniform(0.15, 0.4) * centroid_size(p.points[i])
    return moved(p, i, lambda own: own + away * np.array([np.cos(angle), np.sin(angle)]))


def of_another(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The landmarks of another specimen, with the scatter of a hand."""
    j = int((i + random.integers(1, len(p.names))) % len(p.names))
    noise = random.normal(0, 0.005 * centroid_size(p.points[j]), p.points[j].shape)
    return moved(p, i, lambda own: p.points[j] + noise)


def wrong_picture(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
    """The photograph of a specimen of another set."""
    assert p.described is not None
    other = others[int(random.integers(len(others)))].described
    assert other is not None
    described = p.described.copy()
    described[i] = other[int(random.integers(len(other)))]
    return replace(p, described=described)


def contradicted(plant: Plant) -> Plant:
    """The same error beside predictions that are off by 0.5 % of centroid size."""

    def planted(p: Patient, i: int, random: np.random.Generator, others: list[Patient]) -> Patient:
        noise = 0.005 * centroid_size(p.points)[:, None, None]
        return replace(plant(p, i, random, others), predicted=p.points + random.normal(0, noise, p.points.shape))

    return planted


PHOTOGRAPHS: dict[str, Path] = {}
"""By the names of files in `Patient.files`."""

PLANTS: dict[str, tuple[str, Plant]] = {
    "mirrored": ("mirrored", flipped(0)),
    "y flipped": ("y flipped", flipped(1)),
    "two landmarks swapped": ("swapped", swapped),
    "order shifted or reversed": ("order", reordered),
    "landmark off by 5 to 15 % of centroid size": ("landmark", misplaced),
    "landmark on the ground beside the specimen": ("off the specimen", on_the_ground),
    "configuration shifted by 15 to 40 %": ("off the specimen", shifted),
    "landmarks of another specimen of the set": ("off the specimen", of_another),
    "scale in another unit": ("scale", mis_scaled),
    "the same photograph, saved again under another name": ("duplicate photograph", saved_again),
    "the same photograph digitised a second time": ("digitised twice", digitised_again),
    "the same coordinates twice": ("digitised twice", copied),
    "photograph of another set": ("photograph", wrong_picture),
    "landmark off by 5 to 15 %, with out-of-fold predictions": ("residual", contradicted(misplaced)),
    "landmarks of another specimen of the set, with out-of-fold predictions": ("residual", contradicted(of_another)),
}

TURNS = ("flip y", "flip x", "turn 180", "exchange, y up", "exchange", "turn 90, y up")
WHOLE = ("", *TURNS, "times 2, y up", "times 0.5")
"""Readings that would put planted whole files right; "" = nothing is planted."""
REALLY = {"flip x": (1,), "flip y": (0,), "turn 180": (0, 1)}
"""Ways in which specimens lie, as left and right sides, with the axes of the picture that are turned about."""


def turned(seen: likeness.Seen, way: str) -> likeness.Seen:
    """A photograph of a specimen that lies another way."""
    return replace(seen, pixels=np.ascontiguousarray(np.flip(seen.pixels, REALLY[way])))


def main() -> None:
    """Plant, examine, count, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--limit", type=int, default=60, help="only so many records of a set, evenly chosen")
    parser.add_argument("--missed", action="store_true", help="also print what was missed")
    parser.add_argument("--whole", action="store_true", help="only whole files")
    asked = parser.parse_args()
    if not asked.whole:
        single_records(asked)
    whole_files([open_data(path) for path in asked.data], asked.seeds, asked.limit)


HEAD = "| kind | planted | found | recall | precision | per set |\n|---|---|---|---|---|---|"


def whole_files(sets: list[Dataset], seeds: int, limit: int) -> None:
    """Misread whole files, look, count, print a table."""
    thinner = [data.subset(np.unique(np.linspace(0, len(data) - 1, limit).round().astype(int))) for data in sets]
    seen = [[likeness.glance(data, i) for i in range(len(data))] for data in thinner]
    print(HEAD)
    rows = [(plant, "whole") for plant in WHOLE] + [(plant, "part") for plant in WHOLE if plant]
    for plant, share in rows + [(plant, "really") for plant in REALLY]:
        by_set, said = [], 0
        for number, (data, pictures) in enumerate(zip(thinner, seen, strict=True)):
            here = 0
            for seed in range(seeds):
                random = np.random.default_rng([seed, number])
                n = int(random.integers(5 if share == "whole" else 6, min(30, len(data)) + 1))
                chosen = np.sort(random.choice(len(data), n, replace=False))
                looked = [pictures[i] for i in chosen]
                points = data.points[chosen]
                planted_at = np.arange(n)
                if share != "whole":
                    m = max(3, round(n * random.uniform(0.2, 0.8)))
                    planted_at = np.sort(random.choice(n, m, replace=False))
                if plant:
                    wrong = [np.linalg.inv(READINGS[plant].matrix(*looked[i].size)) for i in planted_at]
                    points[planted_at] = geometry.transform(np.stack(wrong), points[planted_at])
                if share == "really":
                    looked = [turned(one, plant) if i in planted_at else one for i, one in enumerate(looked)]
                found = misread.judge(points, looked)
                expected = None if share == "whole" else tuple(planted_at)
                here += found is not None and found.reading == plant and found.records == expected
                said += found is not None
            by_set.append(here)
        right, planted = sum(by_set), seeds * len(sets)
        wrong_file = plant and share != "really"
        title = (
            f"{share} of a file misread: {plant}" if wrong_file else f"nothing misread; really so: {plant or 'none'}"
        )
        rates = f"{right / planted:.3f} | {right / max(said, 1):.3f}" if wrong_file else f" | {said} false alarms"
        print(f"| {title} | {planted if wrong_file else 0} | {right} | {rates} | {by_set} |", flush=True)


def single_records(asked: argparse.Namespace) -> None:
    """Plant into a record, examine, count, print a table."""
    examined = [examination.examine(path) for path in asked.data]
    for one in examined:
        PHOTOGRAPHS.update({path.name: path for path in one.photographs if path is not None})
    if len(PHOTOGRAPHS) < sum(len(one.photographs) for one in examined):
        print("photographs of the same name in several sets: only the last is used")
    patients = [one.patient for one in examined]
    patients = [thinned(patient, asked.limit) for patient in patients]
    known = [
        {(one.kind, one.specimen, one.landmarks, one.other) for one in doctor.diagnose(patient)} for patient in patients
    ]
    print(HEAD)
    for title, (kind, plant) in PLANTS.items():
        right = wrong = planted = 0
        by_set = []
        for number, patient in enumerate(patients):
            here = 0
            others = [other for other in patients if other is not patient]
            if kind == "photograph" and not others:
                continue
            for seed in range(asked.seeds):
                random = np.random.default_rng([seed, number])
                i = int(random.integers(len(patient.names)))
                findings = doctor.diagnose(plant(patient, i, random, others))
                fresh = [
                    one for one in findings if (one.kind, one.specimen, one.landmarks, one.other) not in known[number]
                ]
                about = [
                    i in (one.specimen, one.other)
                    for one in fresh
                    if one.kind == kind or (plant is on_the_ground and one.kind == "landmark")
                ]
                here, planted = here + any(about), planted + 1
                wrong += len(about) - sum(about)
                if asked.missed and not any(about):
                    print(
                        title,
                        asked.data[number].name,
                        seed,
                        [(one.kind, one.evidence) for one in findings if one.specimen == i],
                    )
            right += here
            by_set.append(here)
        recall, precision = right / max(planted, 1), right / max(right + wrong, 1)
        print(f"| {title} | {planted} | {right} | {recall:.3f} | {precision:.3f} | {by_set} |", flush=True)


def thinned(patient: Patient, limit: int) -> Patient:
    """At most so many records, evenly chosen."""
    n = len(patient.names)
    chosen = np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(int))

    def pick(values: Any) -> Any:
        return values[chosen] if isinstance(values, np.ndarray) else [values[i] for i in chosen]

    known: dict[str, Any] = {field.name: getattr(patient, field.name) for field in fields(Patient)}
    picked: dict[str, Any] = {name: None if values is None else pick(values) for name, values in known.items()}
    return Patient(**picked)


if __name__ == "__main__":
    main()
