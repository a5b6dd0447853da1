import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from pronotum.errors import UserError
from pronotum.morphometrics.components import principal_components
from pronotum.morphometrics.procrustes import generalized_procrustes


def test_components_scores_and_slopes_are_those_of_r(reference, reference_shapes):
    found = principal_components(*reference_shapes)
    # R's prcomp of unprojected shapes; projection moves a shape by about the square of its distance to the mean.
    for name, values in {
        "pc_share": [part.share for part in found.components[:4]],
        "pc_r": [part.r.value for part in found.components[:4]],
        "pc_slope": [part.slope.value for part in found.components[:4]],
    }.items():
        assert np.array(values) == pytest.approx(reference[name], rel=0.01)


def test_variance_along_components_is_that_of_shapes(reference, reference_sets):
    manual = generalized_procrustes(reference_sets[0]).shapes
    found = principal_components(manual, manual, share=1.0)
    shares = 100 * np.array([part.share for part in found.components])
    assert shares[:5] == pytest.approx(reference["percent"][:5], abs=0.35)  # R: residuals, not projected


def test_components_are_those_of_sklearn_on_tangent_shapes(draw, superimposed):
    from pronotum.morphometrics.pairing import complete_pairs, tangent_pairs

    manual, predicted = superimposed(*draw(0, n=40))
    flat, guess = (points.reshape(40, -1) for points in tangent_pairs(complete_pairs(manual, predicted, "")))
    theirs = PCA(6).fit(flat)
    found = principal_components(manual, predicted, most=6)
    assert [part.share for part in found.components] == pytest.approx(theirs.explained_variance_ratio_)
    assert np.abs(found.manual_scores) == pytest.approx(np.abs(theirs.transform(flat)), abs=1e-9)
    assert np.abs(found.predicted_scores) == pytest.approx(np.abs(theirs.transform(guess)), abs=1e-9)
    for c, part in enumerate(found.components):
        line = stats.linregress(found.manual_scores[:, c], found.predicted_scores[:, c])
        assert part.slope.value == pytest.approx(line.slope)
        assert part.r.value == pytest.approx(line.rvalue)
        spread = found.predicted_scores[:, c].std() / found.manual_scores[:, c].std()
        assert part.rma_slope.value == pytest.approx(spread * np.sign(line.slope))
        assert part.slope.low <= part.slope.value <= part.slope.high
    axes = found.axes.reshape(6, -1)
    assert axes @ axes.T == pytest.approx(np.eye(6), abs=1e-9)
    assert found.mean.reshape(-1) == pytest.approx(theirs.mean_)


def test_predictions_drawn_to_the_mean_have_that_slope(draw, superimposed):
    found = principal_components(*superimposed(*draw(1, n=400, spread=0.02, keep=0.6, noise=0.0)), resamples=200)
    for part in found.components:
        assert part.slope.value == pytest.approx(0.6, abs=0.02)
        assert part.r.value == pytest.approx(1, abs=0.002)


def test_noise_lowers_r_and_not_the_slope(draw, superimposed):
    found = principal_components(*superimposed(*draw(2, n=2000, spread=0.03, noise=0.03)), resamples=300)
    for part in found.components[:3]:
        assert part.slope.low < 1 < part.slope.high
        assert part.r.value == pytest.approx(np.sqrt(0.5), abs=0.05)
        assert part.rma_slope.value == pytest.approx(np.sqrt(2), abs=0.08)


def test_as_many_are_kept_as_hold_the_share(draw, superimposed):
    shapes = superimposed(*draw(3, n=40))
    everything = principal_components(*shapes, share=1.0, most=100, resamples=9)
    cumulated = np.cumsum([part.share for part in everything.components])
    kept = len(principal_components(*shapes, share=0.8, resamples=9).components)
    assert cumulated[kept - 2] < 0.8 <= cumulated[kept - 1]
    assert len(principal_components(*shapes, share=1.0, resamples=9).components) == 10
    assert principal_components(*shapes, resamples=9).axes.shape[1:] == (7, 2)


def test_the_mean_shape_everywhere_has_slope_nought_and_no_correlation(draw, superimposed):
    manual, _ = draw(4)
    found = principal_components(*superimposed(manual, np.repeat(manual[:1], 25, 0)), resamples=20)
    assert all(np.isnan(part.r.value) and part.slope.value == 0 for part in found.components)


def test_scores_do_not_depend_on_pose_or_order_of_landmarks(draw, superimposed):
    manual, predicted = draw(5)
    plain = principal_components(*superimposed(manual, predicted), resamples=9)
    order = np.random.default_rng(0).permutation(7)
    mixed = [3 * points[:, order] @ [[0, 1], [-1, 0]] - 5 for points in (manual, predicted)]
    found = principal_components(*superimposed(*mixed), resamples=9)
    assert np.abs(found.manual_scores) == pytest.approx(np.abs(plain.manual_scores), abs=1e-8)
    assert [part.slope.value for part in found.components] == pytest.approx(
        [part.slope.value for part in plain.components], abs=1e-6
    )


def test_incomplete_specimens_are_left_out_and_alike_ones_refused(draw, superimposed):
    manual, predicted = superimposed(*draw(6))
    predicted[2, 0] = np.nan
    found = principal_components(manual, predicted, resamples=9)
    assert found.n == 24
    assert not found.used[2]
    alike = np.repeat(manual[:1], 25, 0)
    with pytest.raises(UserError, match="all manual shapes are alike"):
        principal_components(alike, manual)


def test_sticklebacks_keep_the_first_component_and_lose_others(fish):
    found = principal_components(*fish[:2], resamples=300)
    assert found.components[0].rma_slope.value == pytest.approx(0.98, abs=0.005)  # published
    assert all(part.slope.high < 1 for part in found.components[1:])
    assert len(found.components) == 10
