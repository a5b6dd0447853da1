"""A project and the pages of the desk, to be looked at. Beetles and predictions are made up; the desk is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pronotum import schemes
from pronotum.desk.retraining import Training
from pronotum.desk.states import Edit
from pronotum.desk.store import Store
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, Scheme
from pronotum.synthetic import draw

SIZE = (1600, 1200)
NAMES = (
    *("front, middle", "right shoulder", "right front corner", "right hind corner"),
    *("hind, middle", "left hind corner", "left front corner", "left shoulder"),
)
PAIRS = ((1, 7), (2, 6), (3, 5))
N, DIGITISED = 24, 4
PLAN = {"0001": (4, range(5, 10), 14.0), "0002": (9, range(10, 15), 6.0)}
"""By training: specimens learnt from, those reviewed afterwards, and how far off predictions were (px)."""


def project(folder: Path) -> Path:
    """Draw beetles, digitise some, and review the predictions of two trainings; a third has just ended."""
    folder.mkdir()
    truth = {}
    for number in range(1, N + 1):
        beetle = draw("pronotum", [11, number], size=SIZE)
        name = f"Carabus {number:02d}.jpg"
        Image.fromarray(beetle.image).save(folder / name, quality=88)
        truth[name] = beetle.points
    digitised = list(truth)[:DIGITISED]
    records = [Landmarks(truth[name], image=name, id=str(n), scale=0.0052) for n, name in enumerate(digitised, 1)]
    tps.save(folder / "landmarks.tps", records, lambda name: SIZE)
    schemes.write(folder / "scheme.toml", Scheme(NAMES, PAIRS, (0, 4), reference=digitised[0]))
    generator = np.random.default_rng(5)
    with closing(Store(folder, "me")) as store:
        for training, (learnt, reviewed, off) in PLAN.items():
            _end_training(store, training, learnt, {})
            for number in reviewed:
                key = f"Carabus {number:02d}.jpg"
                _review(store, key, truth[key], generator.normal(0, off / (1 + number % 3), (8, 2)), training)
        waiting = {key: points + generator.normal(0, 3, (8, 2)) for key, points in list(truth.items())[14:]}
        begun = waiting.pop("Carabus 24.jpg")
        _end_training(store, "0003", 14, waiting)
        for k, (x, y) in enumerate(begun[:5]):
            store.edit("Carabus 24.jpg", k, Edit(what="place", landmark=k, x=float(x), y=float(y)))
    return folder


def _review(store: Store, key: str, truth: Any, off: Any, training: str) -> None:
    predicted = truth + off
    for k, (x, y) in enumerate(truth[:3]):
        store.edit(key, k, Edit(what="place", landmark=k, x=float(x), y=float(y)))
    plain = [[float(x), float(y)] for x, y in predicted]
    more = {"training": training, "predicted": plain, "random": int(key[8:10]) % 4 == 0}
    store.edit(key, 3, Edit(what="accept"), predicted=truth, more=more)


def _end_training(store: Store, name: str, learnt: int, predicted: dict[str, Any]) -> None:
    place = store.folder / ".desk" / "trainings" / name
    (place / "predictions").mkdir(parents=True)
    images = {key: key for key in predicted}
    revisions = {one.key: one.history.revision for one in store.accepted}
    began = f"2026-05-{10 + int(name):02d}T09:30:00+00:00"
    done = Training(
        int(name), "crossvalidate", learnt, revisions, images, began, "finished", "predicting", seconds=1340
    )
    (place / "training.json").write_text(json.dumps(asdict(done)))
    head = "image,id,landmark,x,y,confidence,radius_50,radius_90,radius_95,flags,remark\n"
    flags = {"Carabus 17.jpg": "turned", "Carabus 21.jpg": "landmark hidden 4"}
    rows = [
        f'{key},{n},"{landmark}",{x:.3f},{y:.3f},0.61,6,{11 + 5 * ((n + k) % 4)},18,{flags.get(key, "")},\n'
        for n, (key, points) in enumerate(predicted.items(), 1)
        for k, (landmark, (x, y)) in enumerate(zip(NAMES, points, strict=True))
    ]
    (place / "predictions" / "predictions.csv").write_text(head + "".join(rows))
    listed = "".join(f"{n},{key},{n},{1.8 - n / 3:.2f},{flag}\n" for n, (key, flag) in enumerate(flags.items(), 1))
    (place / "predictions" / "review.csv").write_text("rank,image,id,urgency,flags\n" + listed)


def _go(page: Any, desk: Any, where: str) -> None:
    page.goto("about:blank")  # nothing of the page before is taken for this one
    page.goto(f"{desk.home}#/{where}")
    page.wait_for_selector(".viewer[data-zoom]" if where.startswith("specimen/") else "h1")
    page.wait_for_load_state("networkidle")


def _specimens(page: Any, desk: Any) -> None:
    _go(page, desk, "specimens")


def _review_one(page: Any, desk: Any) -> None:
    _go(page, desk, "specimen/Carabus 17.jpg")


def _correct(page: Any, desk: Any) -> None:
    """In the middle of a drag."""
    _go(page, desk, "specimen/Carabus 19.jpg")
    box = page.locator('.mark[data-landmark="3"] .rim').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 3, steps=3)


def _annotate(page: Any, desk: Any) -> None:
    page.mouse.up()
    page.get_by_text("Saved in").wait_for()
    page.keyboard.press("Control+z")
    page.get_by_text("Undone").wait_for()
    _go(page, desk, "specimen/Carabus 24.jpg")


def _view(page: Any, desk: Any) -> None:
    _go(page, desk, "specimen/Carabus 07.jpg")
    page.keyboard.press("g")
    page.locator("summary", has_text="View").click()


def _scheme(page: Any, desk: Any) -> None:
    page.keyboard.press("g")
    _go(page, desk, "scheme")


def _training(page: Any, desk: Any) -> None:
    _go(page, desk, "training")


def _files(page: Any, desk: Any) -> None:
    _go(page, desk, "files")
    if page.get_by_role("button", name="Look for errors").count():
        page.get_by_role("button", name="Look for errors").click()
    page.get_by_role("button", name="Look again").wait_for(timeout=120_000)


SCENES: dict[str, Callable[[Any, Any], None]] = {
    "specimens": _specimens,
    "review": _review_one,
    "correct": _correct,
    "annotate": _annotate,
    "view": _view,
    "scheme": _scheme,
    "training": _training,
    "files": _files,
}
"""Each page, and what brings it before one's eyes; in this order."""
