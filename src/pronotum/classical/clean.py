"""The method mended: one reference carried over to a photograph."""

from __future__ import annotations

import numpy as np

from pronotum import geometry
from pronotum.classical import contours, generalised_hough, hough
from pronotum.classical.answer import Answer
from pronotum.classical.features import Features, lines
from pronotum.classical.principal_axes import axis_hypotheses
from pronotum.classical.refinement import CELLS, correlate, distance_to, match_turned_descriptor, snap
from pronotum.classical.registration import Fit, follow, lay_over
from pronotum.classical.settings import Settings
from pronotum.classical.voting import Votes
from pronotum.landmarks import FloatArray

MODEL_POINTS, SCENE_POINTS = 400, 1500
"""Points along the outlines of the reference and of the photograph."""
WORST_RESIDUAL = 0.05
"""Residual of the outlines, as a share of the specimen's size, beyond which they are not of one kind: specimens of one
part have 0.01 to 0.04, a mandible on a shell or on elytra 0.05 to 0.13."""
MOST_RIVAL = 0.7
"""How well the outline may fit another way round; 0.6 at most among specimens of one part."""
ON_OUTLINE = 0.006
"""Share of the width within which a landmark of the reference counts as on the outline: 20 px of 3264."""
TRUSTED_RESIDUAL = 0.05
"""Residual at which confidence has fallen to 1/e."""
_TURNED_OVER = np.diag([-1.0, 1.0, 1.0])


def carry_over(model: Features, scene: Features, *, landmarks: FloatArray, settings: Settings) -> Answer:
    """Landmarks of one reference on one photograph.

    Args:
        model: of the reference.
        scene: of the photograph.
        landmarks: (K, 2) px of the reference's features; NaN = missing.
        settings: in clean mode.

    Returns:
        in px of the scene's features.
    """
    fit = place(model, scene, landmarks=landmarks, settings=settings)
    if fit is None:
        return Answer.none(len(landmarks), "no pose: too few lines fit together")
    if fit.residual > WORST_RESIDUAL:
        return Answer.none(len(landmarks), f"the outline does not fit the reference (residual {fit.residual:.2f})")
    if fit.rival > MOST_RIVAL:
        return Answer.none(len(landmarks), "the outline fits either way round")
    if settings.flexible:
        points = follow(*_outlines(model, scene), fit.pose, landmarks)
    else:
        points = geometry.transform(fit.pose, landmarks)
    points, agreement = _refine(model, landmarks, scene, points, fit.pose, settings)
    if settings.snap:
        near = distance_to(model.points, landmarks) < ON_OUTLINE * model.size[0]
        points = np.where(near[:, None], snap(points, scene.points), points)
    reasons = ["the reference has no such landmark" if np.isnan(point).any() else "" for point in landmarks]
    for number, (x, y) in enumerate(points):
        if not reasons[number] and not (-0.5 <= x <= scene.size[0] - 0.5 and -0.5 <= y <= scene.size[1] - 0.5):
            points[number], reasons[number] = np.nan, "falls outside the picture"
    confidence = np.clip(agreement, 0, 1) * np.exp(-fit.residual / TRUSTED_RESIDUAL)
    return Answer(points, tuple(reasons), np.where(np.isnan(points[:, 0]), np.nan, confidence), fit.pose, "")


def place(model: Features, scene: Features, *, landmarks: FloatArray, settings: Settings) -> Fit | None:
    """The pose of the reference on the photograph, by the settings' method and closest points from its answers."""
    ours, theirs = _outlines(model, scene)
    return lay_over(ours, theirs, hypotheses(model, scene, settings), landmarks)


def hypotheses(model: Features, scene: Features, settings: Settings) -> list[FloatArray]:
    """Poses (3, 3) worth trying, from px of the model to px of the scene."""
    if settings.pose == "pcai":
        return axis_hypotheses(*_outlines(model, scene), mirror=settings.mirror)
    found = [pose for pose, _ in vote_map(model, scene, settings).peaks()]
    if settings.mirror:
        found += [pose @ _TURNED_OVER for pose, _ in vote_map(turned_over(model), scene, settings).peaks()]
    return found


def vote_map(model: Features, scene: Features, settings: Settings) -> Votes:
    """The votes of the probabilistic (pht) or generalised (ght) Hough transform for the place of the reference."""
    reference = model.points.mean(axis=0)
    scale = float(np.sqrt(scene.segmentation.mask.sum() / max(1, model.segmentation.mask.sum())))
    if settings.pose == "ght":
        return generalised_hough.vote(model.points, scene.points, reference=reference, size=scene.size, scale=scale)
    ours, theirs = lines(model, settings), lines(scene, settings)
    return hough.vote(ours, theirs, reference=reference, size=scene.size, scale=scale)


def turned_over(model: Features) -> Features:
    """The outline and segments as seen from behind, x -> -x, running in the same sense as before."""
    flip = np.array([-1.0, 1.0])
    return Features(
        model.grey,
        model.matrix,
        model.segmentation,
        model.points[::-1] * flip,
        model.segments[::-1, ::-1] * flip,
        model.histogram,
        model.failure,
    )


def _outlines(model: Features, scene: Features) -> tuple[FloatArray, FloatArray]:
    return contours.resample(model.points, MODEL_POINTS), contours.resample(scene.points, SCENE_POINTS)


def _refine(
    model: Features, landmarks: FloatArray, scene: Features, points: FloatArray, pose: FloatArray, settings: Settings
) -> tuple[FloatArray, FloatArray]:
    """Points moved by the settings' refinement, and their agreement on [0, 1] with the reference; 1 without one."""
    refined, agreement = points.copy(), np.ones(len(points))
    width = scene.size[0]
    for number in np.flatnonzero(~np.isnan(points[:, 0])):
        at = {"landmark": landmarks[number], "start": points[number], "pose": pose}
        if settings.refinement == "correlation":
            sides = settings.side("template", width), settings.side("search", width)
            refined[number], agreement[number] = correlate(model.grey, scene.grey, sides=sides, **at)
        elif settings.refinement == "descriptor":
            cell = max(1, round(settings.side("descriptor_patch", width) / CELLS))
            sides = cell, settings.side("descriptor_search", width)
            refined[number], agreement[number] = match_turned_descriptor(model.grey, scene.grey, sides=sides, **at)
    return refined, agreement
