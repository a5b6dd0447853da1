"""Several specimens on a ground, turned and resized: are they all found, once each, and how good are their landmarks?

python benchmarks/plates.py DATA -o OUT --plates 20 --preset fast [--dlib]

A fold of specimens is tested, the others are learnt from: by the model that finds specimens (`free`), by the default
model on photographs as they are (`heatmap`), and by dlib's detector and shape predictor, which is what ml-morph runs.
Every test photograph is turned by any angle, resized 0.5 to 2 times and laid with others on a larger ground of the
colour of their borders, so that none covers another; 1 to 12 of them, or as many as asked for. With --mirrored every
second one is mirrored, and the model is trained with --mirror on photographs as they are. Errors are in px of the
256x192 frame of the upright photograph each comes from, so that they compare with those on upright photographs: as they
are, and as laid, with 640 px along the longer side.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlib
import dlib_trees
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pronotum import formats, geometry, images, inference, workflows
from pronotum.data import Dataset
from pronotum.evaluation.folds import grouped_folds
from pronotum.landmarks import FloatArray, Landmarks
from pronotum.morphometrics.superimposition import centroid_size

MOST = 12
WORKING = 640
"""Longer side in px that photographs are brought to first, so that plates do not fill the memory."""
BELONGS = 0.5
"""A prediction is of the specimen whose centre it is nearest to, within this share of its root mean square radius."""


@dataclass(frozen=True, eq=False)
class Plate:
    """Specimens on a ground.

    Attributes:
        pixels: (H, W, 3) uint8.
        points: (M, K, 2) px, the true landmarks.
        units: (M,) px of the 256x192 frame of the upright photograph per px of the plate.
    """

    pixels: NDArray[np.uint8]
    points: FloatArray
    units: FloatArray


def lay(data: Dataset, chosen: list[int], random: np.random.Generator, *, mirrored: bool = False) -> Plate:
    """Photographs of these specimens, turned and resized, in rows, without covering each other."""
    pieces = [turned(data, at, random, over=mirrored and n % 2 == 1) for n, at in enumerate(chosen)]
    columns = int(np.ceil(np.sqrt(len(pieces))))
    rows = [pieces[begin : begin + columns] for begin in range(0, len(pieces), columns)]
    gap = 20
    width = max(sum(piece[0].shape[1] + gap for piece in row) for row in rows) + gap
    height = sum(max(piece[0].shape[0] for piece in row) + gap for row in rows) + gap
    colour = np.median([piece[4] for piece in pieces], axis=0)
    grain = random.normal(0, 2, (height, width, 1))
    pixels = np.clip(colour + grain, 0, 255).astype(np.uint8)
    points, units, y = [], [], gap
    for row in rows:
        x, tall = gap, max(piece[0].shape[0] for piece in row)
        for picture, mask, own, unit, _ in row:
            top = y + int(random.integers(0, tall - picture.shape[0] + 1))
            region = pixels[top : top + picture.shape[0], x : x + picture.shape[1]]
            region[mask] = picture[mask]
            points.append(own + [x, top])
            units.append(unit)
            x += picture.shape[1] + gap
        y += tall + gap
    return Plate(pixels, np.stack(points), np.array(units))


def turned(
    data: Dataset, at: int, random: np.random.Generator, *, over: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], FloatArray, float, FloatArray]:
    """One photograph, turned and resized: pixels, where they are, landmarks, its unit and the colour of its border.

    Mirrored first where it is turned over; its landmarks are then named as the scheme's pairs say.
    """
    size = data.sizes[at]
    first = WORKING / max(size)
    pixels, matrix = images.read_scaled(data.photographs[at], first)
    manual = data.points[at]
    if over:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        matrix = np.array([[-1.0, 0, pixels.shape[1] - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        manual = manual[list(data.scheme.partners)]
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    factor, angle = float(np.exp(random.uniform(np.log(0.5), np.log(2.0)))), random.uniform(-180, 180)
    picture = Image.fromarray(pixels)
    wanted = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    resized = picture.resize(wanted, Image.Resampling.LANCZOS)
    matrix = geometry.scaling(wanted[0] / picture.width, wanted[1] / picture.height) @ matrix
    spun = resized.convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
    radians = np.radians(-angle)
    centre, new_centre = (np.array(wanted) - 1) / 2, (np.array(spun.size) - 1) / 2
    spin = (
        geometry.translation(*new_centre) @ geometry.similarity(radians, 1.0, (0, 0)) @ geometry.translation(*-centre)
    )
    points = geometry.transform(spin @ matrix, manual)
    frame = geometry.letterbox(size, geometry.PAPER_FRAME)[0, 0]
    values = np.asarray(spun)
    return values[..., :3], values[..., 3] > 127, points, float(frame / (first * factor)), np.median(border, axis=0)


def matched(plate: Plate, found: list[FloatArray]) -> tuple[list[FloatArray], int, int]:
    """Errors (K,) of each specimen that was found, how many were missed, and how many are too many."""
    centres, radii = plate.points.mean(1), centroid_size(plate.points) / np.sqrt(plate.points.shape[1])
    errors: dict[int, FloatArray] = {}
    spare = 0
    for points in found:
        away = np.linalg.norm(centres - np.nanmean(points, axis=0), axis=1) / radii
        nearest = int(away.argmin())
        if away[nearest] > BELONGS or nearest in errors:
            spare += 1
        else:
            errors[nearest] = np.linalg.norm(points - plate.points[nearest], axis=1) * plate.units[nearest]
    return list(errors.values()), len(centres) - len(errors), spare


def summed(results: list[tuple[list[FloatArray], int, int]], plates: list[Plate], seconds: float) -> dict[str, Any]:
    """What one method did on all plates."""
    errors = np.array([error for found, _, _ in results for error in found])
    perfect = sum(missed == spare == 0 for _, missed, spare in results)
    n = sum(len(plate.points) for plate in plates)
    known = errors[np.isfinite(errors)]
    return {
        "plates": len(plates),
        "specimens": n,
        "missed": sum(missed for _, missed, _ in results),
        "too many": sum(spare for _, _, spare in results),
        "plates without a mistake": round(perfect / len(plates), 3),
        "mean": round(float(known.mean()), 3) if len(known) else None,
        "median": round(float(np.median(known)), 3) if len(known) else None,
        "p95": round(float(np.percentile(known, 95)), 3) if len(known) else None,
        "seconds per specimen": round(seconds / n, 3),
    }


def of_model(run: Path, plates: list[Plate], folder: Path) -> dict[str, Any]:
    """Our model on plates."""
    model, device = workflows.open_model(run, "cpu")
    results = []
    begun = time.perf_counter()
    for number, _ in enumerate(plates):
        answers = next(iter(inference.predict_all(model.network, [folder / f"{number}.png"], device=device)))
        assert not isinstance(answers, images.UnreadablePhotograph)
        results.append([answer.points for answer in answers])
    seconds = time.perf_counter() - begun
    pairs = [matched(plate, found) for plate, found in zip(plates, results, strict=True)]
    return summed(pairs, plates, seconds)


def of_dlib(train: Dataset, plates: list[Plate]) -> dict[str, Any]:
    """dlib's detector (HOG, upright) and shape predictor, trained on the same upright photographs."""
    options = dlib.simple_object_detector_training_options()
    options.num_threads, options.be_verbose, options.C = torch.get_num_threads(), False, 5
    pictures, boxes = [], []
    for at in range(len(train)):
        pixels, matrix = images.read_scaled(train.photographs[at], 320 / max(train.sizes[at]))
        own = geometry.transform(matrix, train.points[at])
        pictures.append(np.ascontiguousarray(pixels))
        boxes.append([dlib_trees.box(own, (pixels.shape[1], pixels.shape[0]))])
    begun = time.perf_counter()
    try:
        detector = dlib.train_simple_object_detector(pictures, boxes, options)
        predictor = dlib_trees.fit(train, dlib_trees.TUNED, torch.get_num_threads())
    except RuntimeError as error:
        return {"failed": str(error).splitlines()[0]}
    training = time.perf_counter() - begun
    results = []
    begun = time.perf_counter()
    for plate in plates:
        found = []
        grey = np.rint(plate.pixels @ [0.299, 0.587, 0.114]).astype(np.uint8)
        for box in detector(plate.pixels):
            shape = predictor(grey, box)
            found.append(np.array([[shape.part(k).x, shape.part(k).y] for k in range(shape.num_parts)], dtype=float))
        results.append(found)
    seconds = time.perf_counter() - begun
    pairs = [matched(plate, found) for plate, found in zip(plates, results, strict=True)]
    return {**summed(pairs, plates, seconds), "training seconds": round(training)}


def as_laid(data: Dataset, folder: Path) -> Dataset:
    """The upright photographs at the size from which plates are laid."""
    folder.mkdir(parents=True, exist_ok=True)
    copies, sizes = [], {}
    for at, one in enumerate(data.landmarks):
        pixels, matrix = images.read_scaled(data.photographs[at], WORKING / max(data.sizes[at]))
        name = f"{at}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        sizes[name] = (pixels.shape[1], pixels.shape[0])
        copies.append(Landmarks(geometry.transform(matrix, one.points), image=name, id=str(at)))
    formats.save(folder / "landmarks.tps", copies, sizes)
    return workflows.check(folder)


def upright_error(run: Path, test: Dataset) -> float:
    """Mean error of a model on the upright photographs as they are, px of 256x192."""
    return workflows.evaluate(run, test, device="cpu").mean_error("px_256x192")


def main() -> None:
    """Train, lay, find, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--plates", type=int, default=20)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--least", type=int, default=1, help="specimens of a plate")
    parser.add_argument("--most", type=int, default=MOST, help="specimens of a plate")
    parser.add_argument("--mirrored", action="store_true")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--upright", action="store_true", help="also train the default model, for upright photographs")
    parser.add_argument("--dlib", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    data = workflows.check(asked.data)
    test_at = grouped_folds(data.groups, asked.folds, asked.seed)[0]
    train, test = data.subset(np.setdiff1d(np.arange(len(data)), test_at)), data.subset(test_at)
    plates, folder = [], asked.out / "plates"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(asked.plates):
        random = np.random.default_rng([asked.seed, number])
        n = int(random.integers(asked.least, max(asked.least, min(asked.most, 2 * len(test))) + 1))
        chosen = random.choice(len(test), n, replace=n > len(test)).tolist()
        plates.append(lay(test, chosen, random, mirrored=asked.mirrored))
        Image.fromarray(plates[-1].pixels).save(folder / f"{number}.png", compress_level=1)
    result: dict[str, Any] = {"data": asked.data.name, "trained on": len(train)}
    for kind in ["free", *(["heatmap"] if asked.upright else [])]:
        run = asked.out / kind
        if not (run / "model.safetensors").exists():
            sides = {"model.finder.sides": "2"} if asked.mirrored and kind == "free" else {}
            options = workflows.TrainOptions(asked.preset, asked.seed, "cpu", 0.0, sides, kind)
            done = workflows.train(train, run, options, resume=(run / "config.json").exists())
            print(f"{kind}: trained in {done.seconds:.0f} s", flush=True)
        result[f"{kind}, upright photographs"] = round(upright_error(run, test), 3)
    small = as_laid(test, asked.out / "upright")
    result["free, upright photographs as laid"] = round(upright_error(asked.out / "free", small), 3)
    result["free, plates"] = of_model(asked.out / "free", plates, folder)
    if asked.dlib:
        result["dlib's detector and predictor, plates"] = of_dlib(train, plates)
    text = json.dumps(result, indent=1)
    (asked.out / "result.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
