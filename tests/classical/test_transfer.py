"""The whole method on drawn mandibles: poses recovered, failures told, nothing dropped."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pronotum import geometry
from pronotum.classical.transfer import Reference, Settings, prepare, transfer

WIDTH = 816


def run(references, scene, **given):
    settings = Settings(**given)
    return transfer([prepare(reference, settings) for reference in references], scene.pixels, settings)


def errors(found, scene) -> np.ndarray:
    return np.linalg.norm(found.points - scene.points, axis=1)


@pytest.mark.parametrize("pose", ["pcai", "pht", "ght"])
@pytest.mark.parametrize(("degrees", "mirror"), [(20, False), (180, False), (200, True)])
def test_a_moved_picture_of_the_reference_is_recovered(mandible, moved, pose, degrees, mirror):
    scene = moved(mandible, degrees, mirror=mirror)
    found = run([mandible], scene, pose=pose, mirror=mirror)
    assert found.failure == ""
    assert found.reasons == ("",) * len(mandible.points)
    assert np.abs(geometry.transform(found.poses[0], mandible.points) - scene.points).max() < 1.5
    assert errors(found, scene).mean() < 1
    assert found.similarity[0] > 0.95
    assert found.confidence.min() > 0.8


def test_a_mirrored_picture_needs_leave_to_turn_over(mandible, moved):
    scene = moved(mandible, 0, mirror=True)
    found = run([mandible], scene)
    assert found.failure or np.nanmean(errors(found, scene)) > 10


@pytest.mark.parametrize("refinement", ["none", "correlation", "descriptor"])
def test_other_specimens_are_landmarked_from_one(mandibles, refinement):
    for scene in mandibles[1:]:
        off = errors(run(mandibles[:1], scene, refinement=refinement), scene) * 256 / WIDTH
        assert off.mean() < 1.2
        assert np.median(off) < 0.8, "one landmark on a smooth edge may slide"


def test_several_references_answer_with_their_median(mandibles):
    single = [run([reference], mandibles[3]) for reference in mandibles[:3]]
    together = run(mandibles[:3], mandibles[3])
    expected = np.median([found.points for found in single], axis=0)
    np.testing.assert_allclose(together.points, expected, atol=1e-9)
    assert together.poses.shape == (3, 3, 3)
    assert together.similarity.shape == (3,)
    assert (together.confidence <= np.median([found.confidence for found in single], axis=0) + 1e-9).all()


def test_the_answer_is_the_same_every_time(mandibles):
    for given in ({"pose": "pht"}, {"mode": "legacy", "refinement": "descriptor"}):
        first, second = (run(mandibles[:1], mandibles[1], **given) for _ in range(2))
        np.testing.assert_array_equal(first.points, second.points)
        np.testing.assert_array_equal(first.poses, second.poses)


def blank() -> np.ndarray:
    return np.full((612, WIDTH, 3), 190, np.uint8)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (612, WIDTH, 3)).astype(np.uint8)


def grid() -> np.ndarray:
    picture = blank()
    picture[::30] = picture[1::30] = picture[:, ::30] = picture[:, 1::30] = 60
    return picture


@pytest.mark.parametrize("make", [blank, noise, grid])
def test_a_picture_without_a_specimen_fails_with_a_reason(mandible, make):
    found = run([mandible], Reference(make(), mandible.points))
    assert found.failure
    assert found.reasons == (found.failure,) * len(mandible.points)
    assert np.isnan(found.points).all()
    assert np.isnan(found.confidence).all()
    assert np.isnan(found.similarity).all()


def test_another_shape_is_refused(mandible):
    y, x = np.mgrid[:612, :WIDTH]
    disc = blank()
    disc[(x - 400) ** 2 + (y - 300) ** 2 < 200**2] = 40
    assert "does not fit" in run([mandible], Reference(disc, mandible.points), gate=0).failure


def test_the_gate_refuses_what_is_unlike(mandibles):
    found = run(mandibles[:1], mandibles[1], gate=1.0)
    assert "similarity" in found.failure
    assert 0.9 < found.similarity[0] < 1
    assert np.isnan(found.points).all()


def test_a_reference_that_cannot_be_used_says_so(mandible):
    settings = Settings()
    useless = prepare(Reference(blank(), mandible.points), settings)
    assert useless.failure
    assert "reference cannot be used" in transfer([useless], mandible.pixels, settings).failure
    both = transfer([useless, prepare(mandible, settings)], mandible.pixels, settings)
    assert both.failure == ""
    assert np.isnan(both.similarity[0])
    assert np.isnan(both.poses[0]).all()


@pytest.mark.parametrize("given", [{}, {"mode": "legacy", "refinement": "descriptor"}])
def test_a_landmark_the_reference_lacks_is_missing_with_a_reason(mandible, given):
    points = mandible.points.copy()
    points[2] = np.nan
    found = run([Reference(mandible.pixels, points)], mandible, **given)
    assert np.isnan(found.points[2]).all()
    assert "no such landmark" in found.reasons[2]
    assert np.isnan(found.points).all(axis=1).sum() == 1


@pytest.mark.parametrize("mode", ["clean", "legacy"])
def test_a_landmark_outside_the_picture_is_kept_as_missing(mandible, mode):
    points = np.concatenate([mandible.points, [[-400.0, 300.0]]])
    given = {"pose": "pht", "refinement": "none"} if mode == "legacy" else {"refinement": "none", "flexible": False}
    found = run([Reference(mandible.pixels, points)], mandible, mode=mode, **given)
    assert len(found.points) == len(points)
    assert np.isnan(found.points[-1]).all()
    assert "outside" in found.reasons[-1]
    assert not np.isnan(found.points[0]).any()


def test_legacy_finds_a_slightly_turned_specimen_but_not_one_upside_down(mandible, moved):
    given = {"mode": "legacy", "refinement": "none"}
    itself = run([mandible], mandible, **given)
    assert errors(itself, mandible).max() < 6
    assert (itself.points == np.rint(itself.points)).all()
    upside_down = moved(mandible, 180)
    assert errors(run([mandible], upside_down, **given), upside_down).mean() > 100
    assert run([mandible], Reference(noise()[:200, :300], mandible.points), **given).failure == "", "nothing is judged"


def test_legacy_still_needs_an_edge(mandible):
    found = run([mandible], Reference(blank(), mandible.points), mode="legacy")
    assert "no edge" in found.failure


def test_large_photographs_are_answered_in_their_own_px(mandible):
    large = np.asarray(Image.fromarray(mandible.pixels).resize((2448, 1836), Image.Resampling.BICUBIC))
    scale = geometry.scaling(3)
    found = run([mandible], Reference(large, geometry.transform(scale, mandible.points)))
    assert np.linalg.norm(found.points - geometry.transform(scale, mandible.points), axis=1).max() < 8
    np.testing.assert_allclose(found.poses[0][:2, :2], 3 * np.eye(2), atol=0.05)


def test_lengths_are_fractions_of_the_width():
    assert Settings(mode="legacy").side("template", 3264) == 400
    assert Settings(mode="legacy").side("search", 1632) == 250
    assert Settings().side("template", 3264) == 200
    assert Settings(template=0.1).side("template", 500) == 50
    assert Settings(mode="legacy").px("touching", 3264) == pytest.approx(5)
    for wrong in ({"mode": "other"}, {"templates": 0.1}, {"gate": 2}):
        with pytest.raises(ValidationError):
            Settings(**wrong)


def test_references_must_agree(mandible):
    settings = Settings()
    with pytest.raises(ValueError, match="references"):
        transfer([], mandible.pixels, settings)
    other = Reference(mandible.pixels, mandible.points[:3])
    with pytest.raises(ValueError, match="same number"):
        transfer([prepare(mandible, settings), prepare(other, settings)], mandible.pixels, settings)
