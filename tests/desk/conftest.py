"""Projects to open: synthetic beetles with exactly known landmarks, photographs turned by the camera included."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pronotum.desk.store import Store
from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.synthetic import draw

SIZE = (320, 240)
N_LANDMARKS = 8


def photograph(path: Path, seed: int = 0, *, size=SIZE, orientation: int = 1) -> np.ndarray:
    """Draw a beetle into a file that, turned as EXIF says, has this size; gives its landmarks, (8, 2) px."""
    specimen = draw("pronotum", seed, size=size)
    picture = Image.fromarray(specimen.image)
    exif = Image.Exif()
    if orientation != 1:
        picture = picture.transpose({6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}[orientation])
        exif[0x0112] = orientation
    picture.save(path, quality=95, exif=exif)
    return specimen.points


@pytest.fixture
def photographs(tmp_path):
    """A folder with three photographs; the last lies on its side until EXIF is obeyed."""
    folder = tmp_path / "wings"
    folder.mkdir()
    for number in (1, 2):
        photograph(folder / f"b{number}.jpg", number)
    photograph(folder / "b3.jpg", 3, size=(240, 320), orientation=6)
    return folder


@pytest.fixture
def digitised(photographs):
    """The same with landmarks of the first two, as another program wrote them."""
    points = [draw("pronotum", number, size=SIZE).points for number in (1, 2)]
    specimens = [Landmarks(p, image=f"b{n}.jpg", id=str(n), scale=0.01) for n, p in enumerate(points, 1)]
    tps.save(photographs / "landmarks.tps", specimens, {f"b{n}.jpg": SIZE for n in (1, 2)})
    return photographs


@pytest.fixture
def opened():
    """Open projects; they are closed at the end."""
    stores: list[Store] = []

    def open_project(folder: Path, who: str = "me") -> Store:
        for store in stores:
            store.close()
        stores.append(Store(folder, who))
        return stores[-1]

    yield open_project
    for store in stores:
        store.close()
