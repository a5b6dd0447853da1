"""Which specimens to review next: the uncertain ones, unlike each other and what is known, and some at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum.desk.answers import Answer
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, superimpose

POOL = 3
"""Diversity is sought among this many times as many of the most uncertain as are asked for."""


@dataclass(frozen=True)
class Place:
    """A place in the queue.

    Attributes:
        index: position of the specimen.
        random: drawn at random, as a control: only such specimens tell how good the model is on all.
    """

    index: int
    random: bool


def plan(
    uncertainty: NDArray[np.float64],
    features: FloatArray,
    known: FloatArray,
    *,
    n: int,
    every: int,
    seed: Sequence[int],
) -> list[Place]:
    """Choose specimens to review.

    Args:
        uncertainty: (N,) the larger, the sooner; NaN = nothing is known of it, as uncertain as can be.
        features: (N, D) what the specimens are like; NaN = not known.
        known: (M, D) the same of specimens that were reviewed already.
        n: how many to choose.
        every: each so-many-th place is drawn at random from all; 0 = none.
        seed: of the random places; the same seed draws the same order, whatever was reviewed meanwhile.

    Returns:
        up to n places. The uncertain ones begin with the most uncertain; each next is, of the `POOL` times n most
        uncertain, farthest from all chosen and known (greedy farthest-point, k-centre).

    Source:
        Sener & Savarese (2018), Active learning for convolutional neural networks: a core-set approach, algorithm 1.
    """
    total = len(uncertainty)
    n = min(n, total)
    n_random = n // every if every else 0
    lottery = np.random.default_rng(list(seed)).permutation(total)
    filled = np.where(np.isnan(features), 0.0, features)
    ranked = sorted(range(total), key=lambda i: -(np.inf if np.isnan(uncertainty[i]) else uncertainty[i]))
    pool = ranked[: POOL * n]
    distance = _distance_to(filled, np.where(np.isnan(known), 0.0, known))
    chosen: list[int] = []
    while pool and len(chosen) < n - n_random:
        best = pool[0] if not chosen else max(pool, key=lambda i: distance[i])
        chosen.append(best)
        pool.remove(best)
        distance = np.minimum(distance, np.linalg.norm(filled - filled[best], axis=1))
    drawn = [int(i) for i in lottery if i not in chosen][:n_random]
    places = [Place(i, False) for i in chosen]
    for number, i in enumerate(drawn, start=1):
        places.insert(number * every - 1, Place(i, True))
    return places


def _distance_to(features: FloatArray, known: FloatArray) -> NDArray[np.float64]:
    """(N,) distance to the nearest known one; infinite where there is none."""
    if not len(known):
        return np.full(len(features), np.inf)
    return np.array([float(np.linalg.norm(known - one, axis=1).min()) for one in features])


def uncertainty_of(answer: Answer | None) -> float:
    """One number for how little a model knows of a photograph; NaN without a prediction.

    The mean radius in % of centroid size where radii are known, else the mean lack of confidence in %; how far it is
    beyond the limit of a flag comes on top, so that flagged ones are in front.
    """
    if answer is None:
        return float("nan")
    size = float(centroid_size(answer.points))
    placed = ~np.isnan(answer.points[:, 0])
    if not placed.all() or not size > 0:
        return float("inf")
    if not np.isnan(answer.radii).all():
        doubt = 100 * float(np.nanmean(answer.radii)) / size
    elif not np.isnan(answer.confidence).all():
        doubt = 100 * (1 - float(np.nanmean(answer.confidence)))
    else:
        doubt = 0.0
    return doubt + 100 * answer.urgency


def shape_features(points: FloatArray, mean: FloatArray) -> FloatArray:
    """(N, 2 K) shapes superimposed on a mean shape, in units of its centroid size; NaN = missing."""
    if not len(points):
        return np.empty((0, mean.size))
    moved = superimpose(points, np.broadcast_to(mean, points.shape)) / float(centroid_size(mean))
    return np.asarray(moved.reshape(len(points), -1), dtype=np.float64)
