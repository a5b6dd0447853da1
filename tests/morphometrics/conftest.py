"""Sets of shapes with known truth, what R printed, and real repeats."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pronotum.morphometrics.procrustes import generalized_procrustes
from pronotum.morphometrics.superimposition import centroid_size


def together(manual, predicted):
    """Both sets superimposed at once."""
    shapes = generalized_procrustes(np.concatenate([manual, predicted])).shapes
    return shapes[: len(manual)], shapes[len(manual) :]


@pytest.fixture(scope="session")
def superimposed():
    return together


@pytest.fixture(scope="session")
def draw():
    """Configurations of n specimens and predictions of them: shrunken, biased and noisy, in the specimens' poses."""

    def drawn(seed, n=25, n_landmarks=7, *, spread=0.05, noise=0.01, keep=1.0, bias=0.0):
        generator = np.random.default_rng(seed)
        mean = generator.normal(size=(n_landmarks, 2))
        deviation = spread * generator.normal(size=(n, n_landmarks, 2))
        shift = bias * generator.normal(size=(n_landmarks, 2))
        manual = mean + deviation
        predicted = mean + keep * deviation + shift + noise * generator.normal(size=manual.shape)
        angle = generator.uniform(-np.pi, np.pi, n)
        turn = np.exp(1j * angle) * generator.uniform(50, 900, n)
        centre = generator.normal(0, 1000, (n, 1, 2))

        def posed(points):
            z = (points[..., 0] + 1j * points[..., 1]) * turn[:, None]
            return np.stack([z.real, z.imag], -1) + centre

        return posed(manual), posed(predicted)

    return drawn


@pytest.fixture(scope="session")
def reference():
    """What R printed, by name; see reference/procgpa.R."""
    with (Path(__file__).parent / "reference" / "procgpa.csv").open() as file:
        return {name: np.array(values, dtype=float) for name, *values in csv.reader(file)}


@pytest.fixture(scope="session")
def reference_sets(reference):
    """The (18, 6, 2) manual and predicted configurations R was given; 8 of group a, 10 of group b."""
    return tuple(reference[name].reshape(18, 2, 6).swapaxes(1, 2) for name in ("manual", "predicted"))


@pytest.fixture(scope="session")
def reference_shapes(reference_sets):
    return together(*reference_sets)


@pytest.fixture(scope="session")
def sticklebacks(shared_data):
    """Configurations by set and fish: 1,287 manual and predicted, 30 digitised again."""
    folder = shared_data / "stickleback-coordinates"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    files = {"manual": "manual", "predicted": "mlmorph", "again": "30_relandmarked_ml_format"}
    sets = {}
    for kind, name in files.items():
        with (folder / f"{name}.csv").open() as file:
            sets[kind] = {
                row["id"]: np.array([[float(row[f"{axis}{k}"]) for axis in "XY"] for k in range(40)])
                for row in csv.DictReader(file)
            }
    return sets


@pytest.fixture(scope="session")
def fish(sticklebacks):
    """(1287, 40, 2) manual and predicted shapes, and their centroid sizes."""
    names = list(sticklebacks["manual"])
    points = [np.stack([sticklebacks[kind][name] for name in names]) for kind in ("manual", "predicted")]
    return (*together(*points), *map(centroid_size, points))
