"""The peer that most landmarking tools of the field are built on: dlib's regression trees, as their users set them.

Source: Kazemi & Sullivan (2014); options as in dlib's `shape_predictor_training_options`.
"""

from __future__ import annotations

from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from pronotum import images
from pronotum.data import Dataset
from pronotum.landmarks import FloatArray

MARGIN = 0.1
"""By how much the box of the landmarks is widened, as a share of its sides."""
TUNED = {
    "tree_depth": 3,
    "cascade_depth": 20,
    "nu": 0.08,
    "oversampling_amount": 200,
    "feature_pool_size": 700,
}
"""What users of dlib for landmarks publish."""


def box(points: FloatArray, size: tuple[int, int]) -> Any:
    """The specimen's box as a perfect detector would give it: that of its manual landmarks, wider by the margin."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    last = np.array(size) - 1
    return dlib.rectangle(*(int(v) for v in (*np.clip(np.rint(low), 0, last), *np.clip(np.rint(high), 0, last))))


def grey(data: Dataset, at: int) -> NDArray[np.uint8]:
    """A photograph as dlib's own training program reads it."""
    pixels = images.read(data.photographs[at]).astype(np.float64)
    return np.rint(pixels @ [0.299, 0.587, 0.114]).astype(np.uint8)


def fit(data: Dataset, settings: dict[str, float], threads: int) -> Any:
    """Train on complete specimens; whole px, as dlib keeps them."""
    options = dlib.shape_predictor_training_options()
    options.num_threads, options.be_verbose = threads, False
    for name, value in settings.items():
        setattr(options, name, value)
    pictures, boxes = [], []
    for at, points in enumerate(data.points):
        parts = dlib.points([dlib.point(round(x), round(y)) for x, y in points])
        boxes.append([dlib.full_object_detection(box(points, data.sizes[at]), parts)])
        pictures.append(grey(data, at))
    return dlib.train_shape_predictor(pictures, boxes, options)


def predict(predictor: Any, data: Dataset) -> FloatArray:
    """(N, K, 2) px of the photographs."""
    answers = []
    for at, points in enumerate(data.points):
        found = predictor(grey(data, at), box(points, data.sizes[at]))
        answers.append([[part.x, part.y] for part in found.parts()])
    return np.array(answers, dtype=np.float64)
