"""What stands in for the reader's photographs: small synthetic beetles, under the names that the pages use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel

from pronotum import demo, preparation
from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.models import architecture
from pronotum.synthetic import draw

SIZE = (320, 240)
N = 12


def collection(folder: Path, n: int, seed: int, *, part: str = "pronotum", series: str = "") -> list[Landmarks]:
    """Photographs of n beetles, and their landmarks."""
    folder.mkdir(parents=True)
    found = []
    for number in range(1, n + 1):
        beetle = draw(part, [seed, number], size=SIZE)
        name = f"wing_{series or seed}{number:02d}.jpg"
        Image.fromarray(beetle.image).save(folder / name, quality=90)
        found.append(Landmarks(beetle.points, image=name, id=str(number), scale=0.005))
    return found


def save(path: Path, specimens: list[Landmarks], scatter: float = 0.0, swapped: int = 0) -> None:
    """Write a TPS file of them, as a hand that scatters (px) and exchanges two landmarks of the first few specimens."""
    generator = np.random.default_rng(0)
    written = []
    for number, one in enumerate(specimens):
        points = one.points + generator.normal(0, scatter, one.points.shape)
        points = points[[3, 1, 2, 0, *range(4, len(points))]] if number < swapped else points
        written.append(Landmarks(points, one.image, one.id, one.scale))
    tps.save(path, written, lambda name: SIZE)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that pages take for granted; each page gets a copy."""
    folder = tmp_path_factory.mktemp("reader") / "table"
    wings = collection(folder / "wings", N, 1)
    save(folder / "wings" / "landmarks.tps", wings, swapped=3)  # the doctor has something to find
    for name, scatter in (("manual", 0.0), ("second-look", 0.6), ("predicted", 0.9)):
        save(folder / f"{name}.tps", wings, scatter)
    old = [draw("pronotum", [6, number], size=SIZE).points for number in range(10)]
    save(folder / "old-study.tps", [Landmarks(points, f"old_{at}.jpg", str(at)) for at, points in enumerate(old)])
    rows = [f"{one.image},{'AB'[at % 2]},{('left', 'right')[at % 2]}" for at, one in enumerate(wings)]
    (folder / "wings" / "covariates.csv").write_text("image,population,side\n" + "\n".join(rows) + "\n")
    save(folder / "test-wings" / "landmarks.tps", collection(folder / "test-wings", 4, 2))
    collection(folder / "new-wings", 4, 3)
    for part, seed in (("pronotum", 4), ("head", 5)):
        place = folder / "beetles" / part
        save(place / "landmarks.tps", collection(place, 6, seed, part=part, series="9"))
    for other in ("their-wings", "drawers"):
        shutil.copytree(folder / "new-wings", folder / other)
    shutil.copy(folder / "new-wings" / "wing_301.jpg", folder / "wing.jpg")
    return folder


def slim(config: BaseModel) -> BaseModel:
    """A config with a few channels on every level of its networks, and everything else as it is."""
    changes: dict[str, object] = {}
    for name, value in config:
        if isinstance(value, BaseModel):
            changes[name] = slim(value)
        elif name.endswith("widths"):
            changes[name] = (8,) * len(value)
        elif name.endswith("depth"):
            changes[name] = 8
    return config.model_copy(update=changes)


@pytest.fixture
def short() -> Iterator[None]:
    """Trainings of a single step of slim networks and a demo of a few beetles: commands do as the pages say."""
    configure = preparation.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "configure", lambda *asked: slim(configure(*asked)))
        for kind in architecture.table().values():
            for name, settings in kind.presets.items():
                less = {field: 1 for field in type(settings).model_fields if field.endswith(("steps", "epochs"))}
                patch.setitem(kind.presets, name, settings.model_copy(update=less))
        patch.setattr(demo, "N_TRAIN", 6)
        patch.setattr(demo, "N_TEST", 5)
        yield
