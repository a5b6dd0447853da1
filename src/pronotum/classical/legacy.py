"""The method as published, known defects included: one reference carried over to a photograph."""

from __future__ import annotations

import math

import numpy as np

from pronotum import geometry
from pronotum.classical import generalised_hough, hough
from pronotum.classical.answer import Answer
from pronotum.classical.features import Features, lines
from pronotum.classical.principal_axes import bounding_box_scale, centroid, register_legacy, turn_back
from pronotum.classical.refinement import (
    CELLS,
    contour_image,
    correlate_legacy,
    match_descriptor,
    snap_legacy,
)
from pronotum.classical.settings import Settings
from pronotum.landmarks import FloatArray

OUTSIDE = "falls outside the picture (the published program drops such a landmark and shifts all later ones)"


def carry_over(model: Features, scene: Features, *, landmarks: FloatArray, settings: Settings) -> Answer:
    """Landmarks of one reference on one photograph.

    Args:
        model: of the reference.
        scene: of the photograph.
        landmarks: (K, 2) px of the reference; NaN = missing.
        settings: in legacy mode.

    Returns:
        in px of the photograph. Confidence says nothing here: 1 where a landmark was placed.

    Source:
        Spec C.3 to C.6.
    """
    if settings.pose == "pht":
        return _by_lines(model, landmarks, scene, settings)
    centre = None
    if settings.pose == "ght":
        votes = vote_map_ght(model, scene)
        centre = generalised_hough.peak_legacy(votes)
    registered = register_legacy(model.points, scene.points, centre).points
    boxes = bounding_box_scale(model.points, registered)
    scaled = np.rint(geometry.transform(boxes, registered))
    home = turn_back(registered, scene.points) @ np.linalg.inv(boxes)
    # drawn before the scaling, though the places to search are those after it: a defect of the published program
    drawn = contour_image(model.points, model.size), contour_image(registered, model.size)
    points = np.full(landmarks.shape, np.nan)
    for number in np.flatnonzero(~np.isnan(landmarks[:, 0])):
        nearest = scaled[int(np.argmin(((scaled - landmarks[number]) ** 2).sum(1)))]
        if settings.refinement == "descriptor":
            nearest = _by_descriptor(drawn, landmarks[number], nearest, settings)
        place = geometry.transform(home, nearest[None])[0]
        if settings.refinement == "correlation" and _inside(place, scene.size):
            place = _by_correlation(model, scene, landmarks[number], place, settings)
        points[number] = np.rint(snap_legacy(place, scene.points)) if np.isfinite(place).all() else np.nan
    return _answer(points, landmarks, scene.size, home)


def vote_map_ght(model: Features, scene: Features) -> FloatArray:
    """(H, W) votes of the published generalised Hough transform for the place of the reference's centroid."""
    ours, theirs = (generalised_hough.gradients(one.segmentation.mask, one.points) for one in (model, scene))
    return generalised_hough.vote_legacy(ours, theirs, centre=centroid(model.points), size=scene.size)


def vote_map_pht(model: Features, scene: Features, settings: Settings) -> hough.LegacyVotes:
    """The published accumulator of the probabilistic Hough transform."""
    return hough.vote_legacy(
        lines(model, settings),
        lines(scene, settings),
        reference=_middle(model),
        length_tolerance=settings.px("length_tolerance", model.size[0]),
        diagonal=math.ceil(math.hypot(*model.size)),
    )


def _by_lines(model: Features, landmarks: FloatArray, scene: Features, settings: Settings) -> Answer:
    pose = hough.pose_legacy(
        lines(model, settings),
        lines(scene, settings),
        votes=vote_map_pht(model, scene, settings),
        reference=_middle(model),
        landmarks=landmarks,
        size=scene.size,
    )
    if pose is None:
        return Answer.none(len(landmarks), "no pair of lines of the reference was found")
    points = geometry.transform(pose, landmarks)
    drawn = contour_image(model.points, model.size), contour_image(scene.points, scene.size)
    for number in np.flatnonzero(~np.isnan(landmarks[:, 0])):
        if not _inside(points[number], scene.size):
            continue
        if settings.refinement == "correlation":
            points[number] = _by_correlation(model, scene, landmarks[number], points[number], settings)
        elif settings.refinement == "descriptor":
            points[number] = _by_descriptor(drawn, landmarks[number], points[number], settings)
    return _answer(points, landmarks, scene.size, pose)


def _by_descriptor(
    drawn: tuple[FloatArray, FloatArray], landmark: FloatArray, start: FloatArray, settings: Settings
) -> FloatArray:
    width = drawn[0].shape[1]
    sides = max(1, round(settings.side("descriptor_patch", width) / CELLS)), settings.side("descriptor_search", width)
    return match_descriptor(*drawn, landmark=landmark, start=start, sides=sides)


def _by_correlation(
    model: Features, scene: Features, landmark: FloatArray, start: FloatArray, settings: Settings
) -> FloatArray:
    sides = settings.side("template", scene.size[0]), settings.side("search", scene.size[0])
    return correlate_legacy(model.grey, scene.grey, landmark=landmark, start=start, sides=sides)


def _answer(points: FloatArray, landmarks: FloatArray, size: tuple[int, int], pose: FloatArray) -> Answer:
    reasons = []
    for number, landmark in enumerate(landmarks):
        if np.isnan(landmark).any():
            reasons.append("the reference has no such landmark")
        elif not np.isfinite(points[number]).all():
            reasons.append("the square around it does not fit into the picture")
        else:
            reasons.append("" if _inside(points[number], size) else OUTSIDE)
        if reasons[-1]:
            points[number] = np.nan
    confidence = np.where(np.isnan(points[:, 0]), np.nan, 1.0)
    failure = "" if np.isfinite(points).any() else "every landmark falls outside the picture"
    return Answer(points, tuple(reasons), confidence, pose, failure)


def _inside(point: FloatArray, size: tuple[int, int]) -> bool:
    return bool((point >= 0).all() and (point <= np.array(size) - 1).all())


def _middle(features: Features) -> FloatArray:
    return np.array(features.size) // 2 * 1.0
