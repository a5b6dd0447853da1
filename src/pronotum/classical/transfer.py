"""Landmarks of reference specimens carried over to a photograph: everything of the method in two functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pronotum import geometry
from pronotum.classical import clean, legacy
from pronotum.classical.answer import Answer
from pronotum.classical.features import Features, features
from pronotum.classical.histograms import bhattacharyya
from pronotum.classical.settings import Settings
from pronotum.landmarks import FloatArray, as_points

__all__ = ["Prepared", "Reference", "Settings", "Transfer", "prepare", "transfer"]

TRUSTED_SPREAD = 0.02
"""Disagreement of the references, as a share of the landmarks' size, at which confidence has fallen to 1/e."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A specimen with landmarks.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        points: (K, 2) px of the picture, y down; NaN = missing.
    """

    pixels: NDArray[np.uint8]
    points: FloatArray


@dataclass(frozen=True, eq=False)
class Prepared:
    """A reference and what has been worked out about it once for all photographs.

    Attributes:
        points: (K, 2) px of the reference's own picture; NaN = missing.
        features: of its picture.
    """

    points: FloatArray
    features: Features

    @property
    def failure(self) -> str:
        """Why the reference cannot be used; "" where it can."""
        return self.features.failure


@dataclass(frozen=True, eq=False)
class Transfer:
    """Landmarks placed on a photograph.

    Attributes:
        points: (K, 2) px of the photograph, y down; NaN where not placed.
        reasons: (K,) why a landmark was not placed; "" where it was.
        failure: why nothing could be placed on this photograph; "" where something was.
        confidence: (K,) on [0, 1], NaN where not placed. It orders landmarks, it is no probability: in clean mode the
            correlation (or likeness of descriptors) with the reference, times exp(-residual of the outlines / 5 %),
            times exp(-median distance of the references' answers from their median / 2 % of the specimen's size).
            In legacy mode, which judges nothing, only the last factor.
        similarity: (R,) Bhattacharyya coefficient with each reference, 1 = same outline; NaN where not compared.
        poses: (R, 3, 3) matrices from px of each reference to px of the photograph; NaN where none was found.
    """

    points: FloatArray
    reasons: tuple[str, ...]
    failure: str
    confidence: FloatArray
    similarity: FloatArray
    poses: FloatArray


def prepare(reference: Reference, settings: Settings) -> Prepared:
    """Work out once what every photograph is compared with.

    Args:
        reference: a specimen with landmarks.
        settings: the same that `transfer` is called with.
    """
    return Prepared(as_points(reference.points), features(reference.pixels, settings))


def transfer(references: Sequence[Prepared], pixels: NDArray[np.uint8], settings: Settings) -> Transfer:
    """Carry the landmarks of the references over to a photograph.

    References whose outline is less similar than the gate are left out (legacy: only by pht, as published). Of several
    that remain, each coordinate is the median of their answers.

    Args:
        references: one or more, with the same number of landmarks.
        pixels: (H, W, 3) uint8 RGB.
        settings: those the references were prepared with.

    Raises:
        ValueError: no reference, or references with different numbers of landmarks.
    """
    if not references or len({len(reference.points) for reference in references}) != 1:
        raise ValueError("needs references, all with the same number of landmarks")
    scene = features(pixels, settings)
    answers, similarity = [], []
    for reference in references:
        answer, coefficient = _answer(reference, scene, settings)
        answers.append(answer)
        similarity.append(coefficient)
    return _combine(answers, np.array(similarity), references)


def _answer(reference: Prepared, scene: Features, settings: Settings) -> tuple[Answer, float]:
    """Answer of one reference in px of the photograph, and its similarity."""
    n_landmarks = len(reference.points)
    if scene.failure:
        return Answer.none(n_landmarks, scene.failure), np.nan
    if reference.failure:
        return Answer.none(n_landmarks, f"the reference cannot be used: {reference.failure}"), np.nan
    similarity = bhattacharyya(reference.features.histogram, scene.histogram)
    if similarity < settings.gate and (settings.mode == "clean" or settings.pose == "pht"):
        failure = f"the outline is unlike the reference's (similarity {similarity:.2f}, needed {settings.gate:.2f})"
        return Answer.none(n_landmarks, failure), similarity
    landmarks = geometry.transform(reference.features.matrix, reference.points)
    method = clean if settings.mode == "clean" else legacy
    answer = method.carry_over(reference.features, scene, landmarks=landmarks, settings=settings)
    back = np.linalg.inv(scene.matrix)
    points, pose = geometry.transform(back, answer.points), back @ answer.pose @ reference.features.matrix
    return Answer(points, answer.reasons, answer.confidence, pose, answer.failure), similarity


def _combine(answers: Sequence[Answer], similarity: FloatArray, references: Sequence[Prepared]) -> Transfer:
    """Medians over the answers that there are."""
    every = np.stack([answer.points for answer in answers])
    known = ~np.isnan(every[..., 0])
    points = np.full(every.shape[1:], np.nan)
    confidence = np.full(len(points), np.nan)
    size = _size(references)
    for number in np.flatnonzero(known.any(axis=0)):
        given = every[known[:, number], number]
        points[number] = np.median(given, axis=0)
        spread = float(np.median(np.linalg.norm(given - points[number], axis=1)))
        trust = [answer.confidence[number] for answer in answers if not np.isnan(answer.confidence[number])]
        confidence[number] = float(np.median(trust)) * np.exp(-spread / (TRUSTED_SPREAD * size))
    best = int(np.nanargmax(similarity)) if np.isfinite(similarity).any() else 0
    reasons = tuple(
        "" if known[:, number].any() else answers[best].reasons[number] or answers[best].failure
        for number in range(len(points))
    )
    failure = "" if known.any() else answers[best].failure or reasons[0]
    return Transfer(points, reasons, failure, confidence, similarity, np.stack([answer.pose for answer in answers]))


def _size(references: Sequence[Prepared]) -> float:
    """Mean centroid size of the references' landmarks, px."""
    sizes = []
    for reference in references:
        known = reference.points[~np.isnan(reference.points[:, 0])]
        sizes.append(float(np.sqrt(((known - known.mean(axis=0)) ** 2).sum())) if len(known) > 1 else 1.0)
    return max(float(np.mean(sizes)), 1.0)
