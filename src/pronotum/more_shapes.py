"""Specimens of which only the landmarks are at hand: their shapes are learnt from too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
from scipy.spatial.distance import cdist

from pronotum import formats
from pronotum.data import Dataset, check_names
from pronotum.errors import UserError
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, mean_shape, superimpose
from pronotum.semilandmarks import from_curves

SAME = 0.003
"""How far apart landmarks are in the mean (root of squares), as a share of centroid size, up to which two
configurations are taken for those of one specimen."""
ANY_SIZE = (1, 1)
"""Of a photograph that is not there: a file that counts y from the bottom is turned over, whatever the height."""
LEAST = 3
"""Landmarks without which a configuration has no shape."""


def add(data: Dataset, files: Sequence[Path]) -> tuple[Dataset, int]:
    """The data with the shapes of more specimens, which are kept by `Dataset.subset`.

    What is of a specimen of the data, by the name of its photograph or because its landmarks are the same, is left out:
    each of these is learnt from with its photograph, or else tested, and then its shape must not be known either.

    Args:
        data: specimens with photographs.
        files: landmark files with the same landmarks in the same order; no photographs are needed.

    Returns:
        the data with `Dataset.shapes`, and how many records were left out.

    Raises:
        UserError: a file that cannot be read, other landmarks, no shape left, or shapes that are the mirror images of
            those of the data.
    """
    names = {_stem(path.name) for path in data.photographs}
    records = [(path, specimen) for path in files for specimen in formats.load(path, lambda _: ANY_SIZE)]
    found = list[FloatArray]()
    for path, specimen in records:
        check_names(specimen, data.scheme, path.name)
        points = from_curves(specimen, data.scheme).points
        if _stem(specimen.image or specimen.id) not in names and np.isfinite(points).all(-1).sum() >= LEAST:
            found.append(points)
    shapes = np.stack(found) if found else np.empty((0, *data.points.shape[1:]))
    shapes = shapes[_distances(shapes, data.points).min(1, initial=np.inf) > SAME]
    if len(shapes) == 0:
        remedy = "name a file of other specimens, or leave --shapes out"
        raise UserError(files[0], found="no specimen that is not among the photographs", remedy=remedy)
    _require_same_side(shapes, data, files[0])
    return replace(data, shapes=shapes), len(records) - len(shapes)


def _stem(name: str) -> str:
    return PureWindowsPath(name.strip()).stem.casefold()


def _distances(shapes: FloatArray, points: FloatArray) -> FloatArray:
    """(M, N) between configurations of centroid size 1, superimposed on the mean shape; what is missing lies there."""
    mean = mean_shape(points)
    mean = np.where(np.isnan(mean), 0, mean) / max(float(centroid_size(mean)), 1e-12)

    def flat(each: FloatArray) -> FloatArray:
        moved = superimpose(each, np.broadcast_to(mean, each.shape))
        return np.where(np.isnan(moved), mean, moved).reshape(len(each), mean.size)

    return np.asarray(cdist(flat(shapes), flat(points)) / np.sqrt(len(mean)), dtype=np.float64)


def _require_same_side(shapes: FloatArray, data: Dataset, where: Path) -> None:
    """Refuse shapes that are nearer to the data when turned over: their file counts y from the other edge, or they are
    of the other side.

    Raises:
        UserError: most of them are.
    """
    as_they_are, turned = (_distances(each, data.points).min(1) for each in (shapes, shapes * [1, -1]))
    if np.mean(turned < as_they_are) > 0.5:
        raise UserError(
            where,
            found="shapes that are the mirror images of those with photographs",
            expected="y counted from the same edge, and specimens of the same side",
            remedy="read it in another format with pronotum convert, or leave --shapes out",
        )
