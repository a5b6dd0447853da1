from functools import cache

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pronotum.errors import UserError
from pronotum.geometry import scaling, transform
from pronotum.synthetic import FRAME, PARTS, Specimen, draw, true_points, write_collection
from pronotum.synthetic.painting import coverage, ellipse

PAPER_COUNTS = {"pronotum": 8, "head": 10, "elytra": 11, "mandible_left": 16, "mandible_right": 18}
SMALL = (512, 384)

draw_once = cache(draw)


@pytest.fixture(params=PARTS)
def part(request):
    return PARTS[request.param]


def test_parts_have_the_papers_landmarks():
    assert {name: part.scheme.n_landmarks for name, part in PARTS.items()} == PAPER_COUNTS
    assert all(part.mean.shape == (PAPER_COUNTS[name], 2) for name, part in PARTS.items())


def test_mirror_pairs_are_mirror_images_of_the_mean(part):
    for left, right in part.scheme.pairs:
        np.testing.assert_allclose(part.mean[left], part.mean[right] * (-1, 1))
        assert part.mean[left, 0] < 0 < part.mean[right, 0]
    alone = set(range(part.scheme.n_landmarks)) - {index for pair in part.scheme.pairs for index in pair}
    if part.scheme.pairs:
        assert all(part.mean[index, 0] == 0 for index in alone)


def test_outlines_run_exactly_through_the_landmarks(part):
    curves = np.concatenate([curve * side for curve in part.curves.values() for side in ((1, 1), (-1, 1))])
    gaps = np.hypot(*(part.mean[:, None] - curves).transpose(2, 0, 1)).min(axis=1)
    drawn_as_pits = part.name == "head"
    assert gaps[4 * drawn_as_pits :].max() < 1e-9


def test_same_seed_same_bits(part):
    first, second = draw_once(part.name, 5, size=SMALL), draw(part.name, 5, size=SMALL)
    assert first.image.dtype == np.uint8
    assert first.image.shape == (384, 512, 3)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.points, second.points)


def test_different_seeds_differ(part):
    first, second = draw_once(part.name, 5, size=SMALL), draw_once(part.name, 6, size=SMALL)
    assert np.abs(first.image.astype(int) - second.image).mean() > 5
    assert np.abs(first.points - second.points).max() > 1


def test_landmarks_scale_with_the_picture_and_nothing_else(part):
    small, large = draw_once(part.name, 5, size=SMALL), draw_once(part.name, 5, size=(1024, 768))
    np.testing.assert_allclose(transform(scaling(2), small.points), large.points, atol=1e-9)
    np.testing.assert_allclose(true_points(part.name, 5), transform(scaling(FRAME[0] / 1024), large.points), atol=1e-9)
    np.testing.assert_array_equal(small.coefficients, large.coefficients)


def test_the_beetle_is_the_same_at_every_size(part):
    small, large = draw_once(part.name, 5, size=SMALL), draw_once(part.name, 5, size=(1024, 768))
    reduced = np.asarray(Image.fromarray(large.image).resize(SMALL, Image.Resampling.BOX))
    assert np.corrcoef(reduced.ravel(), small.image.ravel())[0, 1] > 0.99


def test_other_aspect_ratios_show_the_whole_part(part):
    specimen = draw(part.name, 1, size=(300, 301))
    assert specimen.image.shape == (301, 300, 3)
    assert inside(specimen.points, (300, 301)).all()


def test_all_landmarks_lie_inside_the_picture(part):
    for seed in range(300):
        assert inside(true_points(part.name, seed), FRAME, margin=30).all()


def test_shapes_are_the_documented_low_rank_model(part):
    for seed in range(5):
        specimen = draw(part.name, seed, size=(64, 48))
        np.testing.assert_array_equal(specimen.points, true_points(part.name, seed, size=(64, 48)))
        in_frame = transform(np.linalg.inv(specimen.pose), specimen.points)
        model = part.mean + np.tensordot(specimen.coefficients, part.basis, axes=1)
        np.testing.assert_allclose(in_frame, model, atol=1e-8)


def test_principal_components_recover_the_rank(part):
    shapes = np.stack([true_points(part.name, [11, i]) for i in range(400)])
    aligned = procrustes(shapes)
    variance = np.linalg.svd(aligned - aligned.mean(axis=0), compute_uv=False) ** 2
    rank = len(part.modes)
    share = variance / variance.sum()
    assert share[:rank].sum() > 0.999
    assert share[rank - 1] > 30 * share[rank]


def test_coefficients_have_the_documented_spread(part):
    drawn = np.stack([fitted_coefficients(part, true_points(part.name, [2, i])) for i in range(400)])
    sd = np.array([mode.sd for mode in part.modes])
    assert (np.abs(drawn) <= 2.5 * sd + 1e-9).all()
    np.testing.assert_allclose(drawn.std(axis=0) / sd, 1, atol=0.15)
    np.testing.assert_allclose(drawn.mean(axis=0) / sd, 0, atol=0.2)


def test_coverage_is_exact():
    centre, radii = (50.3, 40.7), (20.2, 11.1)
    cover = coverage([ellipse(centre, radii, 0.3, n=720)], (0, 0), (90, 100))
    rows, columns = np.mgrid[:90, :100]
    assert cover.sum() == pytest.approx(np.pi * radii[0] * radii[1], rel=1e-5)
    assert (cover * columns).sum() / cover.sum() == pytest.approx(centre[0], abs=1e-3)
    assert (cover * rows).sum() / cover.sum() == pytest.approx(centre[1], abs=1e-3)


def test_coverage_of_a_window_is_the_window_of_the_coverage():
    shape = ellipse((30.2, 25.9), (28.0, 31.0), 0.7)
    whole = coverage([shape], (-20, -20), (100, 100))
    np.testing.assert_allclose(coverage([shape], (10, 5), (30, 40)), whole[25:55, 30:70], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "landmarks"), [("mandible_left", (5, 7)), ("mandible_right", (3, 8)), ("mandible_right", (5,))]
)
def test_teeth_are_where_the_truth_says(name, landmarks):
    for seed in range(3):
        specimen = draw_once(name, seed, size=(1632, 1224))
        for number in landmarks:
            truth = specimen.points[number - 1]
            assert np.hypot(*(corner(specimen.image, truth) - truth)) < 0.7


def test_punctures_are_where_the_truth_says():
    for seed in range(4):
        specimen = draw_once("head", seed, size=(1024, 768))
        for truth in specimen.points[:4]:
            assert np.hypot(*(pit(specimen.image, truth) - truth)) < 0.7


def test_a_given_configuration_is_drawn():
    wanted = true_points("head", 77, size=(1024, 768)) + np.random.default_rng(0).normal(0, 4, (10, 2))
    specimen = draw("head", 3, size=(1024, 768), points=wanted)
    np.testing.assert_array_equal(specimen.points, wanted)
    assert not specimen.coefficients.any()
    for truth in wanted[:4]:
        assert np.hypot(*(pit(specimen.image, truth) - truth)) < 0.7


def test_missing_landmarks_of_a_given_configuration_stay_missing():
    wanted = np.array(true_points("elytra", 4, size=SMALL))
    wanted[6] = np.nan
    np.testing.assert_array_equal(draw("elytra", 4, size=SMALL, points=wanted).points, wanted)


def test_a_configuration_of_another_part_is_refused():
    with pytest.raises(UserError, match=r"10 landmarks.*expected 8"):
        draw("pronotum", 0, points=np.zeros((10, 2)))
    with pytest.raises(UserError, match="2 of them present"):
        draw("pronotum", 0, points=[(1, 2), (3, 4), *[(np.nan, np.nan)] * 6])


def test_an_unknown_part_is_refused():
    with pytest.raises(UserError, match="did you mean 'elytra'"):
        draw("elytre", 0)


def test_grid_paper_can_be_had_or_not():
    grid, plain = (draw("elytra", 3, size=SMALL, grid_paper=grid).image.astype(int) for grid in (True, False))
    difference = np.abs(grid - plain).mean(axis=(0, 2))
    assert difference[:60].mean() > 5
    assert difference[-150:].mean() < 3


def test_a_collection_is_written(tmp_path):
    written = write_collection(tmp_path, "pronotum", n=2, seed=9, size=SMALL)
    assert [name for name, _ in written] == ["pronotum_001.jpg", "pronotum_002.jpg"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [name for name, _ in written]
    specimen: Specimen = draw("pronotum", [9, 1], size=SMALL)
    np.testing.assert_array_equal(written[1][1], specimen.points)
    with Image.open(tmp_path / "images" / "pronotum_002.jpg") as image:
        assert image.size == SMALL
        assert np.abs(np.asarray(image).astype(int) - specimen.image).mean() < 4


def inside(points, size, margin=0.0):
    return (points >= margin) & (points <= np.array(size) - 1 - margin)


def procrustes(shapes):
    """Generalized Procrustes superimposition, tangent coordinates, by complex arithmetic."""
    z = shapes @ np.array([1, 1j])
    z -= z.mean(axis=1, keepdims=True)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    mean = z[0]
    for _ in range(5):
        turn = z.conj() @ mean
        z *= (turn / np.abs(turn))[:, None]
        mean = z.mean(axis=0) / np.linalg.norm(z.mean(axis=0))
    z /= (z @ mean.conj()).real[:, None]
    return np.concatenate([z.real, z.imag], axis=1)


def fitted_coefficients(part, points):
    """The b that makes u z + v = mean + b @ basis exact, u and v complex: pose and shape at once."""
    z, mean, basis = (values @ np.array([1, 1j]) for values in (points, part.mean, part.basis))
    columns = np.stack([z, 1j * z, np.ones_like(z), np.full_like(z, 1j), *-basis], axis=1)
    solution, *_ = np.linalg.lstsq(np.concatenate([columns.real, columns.imag]), np.concatenate([mean.real, mean.imag]))
    return solution[4:]


def window_gradients(image, near, radius):
    """Offsets from a pixel and grey gradients at the pixels of a round window: origin, (N, 2), (N, 2)."""
    origin = np.round(near).astype(int)
    reach = radius + 4
    rows, columns = (slice(c - reach, c + reach + 1) for c in origin[::-1])
    grey = image[rows, columns].mean(axis=2)
    gradient = np.stack([gaussian_filter(grey, 1, order=order) for order in ((0, 1), (1, 0))], axis=-1)
    offset = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2), axis=-1)
    chosen = np.hypot(*np.moveaxis(offset + origin - near, -1, 0)) <= radius
    return origin, offset[chosen], gradient[chosen]


def meeting_point(origin, offset, normal):
    """Least-squares point common to the lines through offsets with these normals (Förstner's operator)."""
    right = (normal * np.sum(normal * offset, axis=1, keepdims=True)).sum(axis=0)
    return np.linalg.solve(normal.T @ normal, right) + origin


def corner(image, near):
    """Where the edges around a corner meet, px."""
    return meeting_point(*window_gradients(image, near, 11))


def pit(image, near):
    """Centre of a round pit: where the gradients of its wall meet, px."""
    origin, offset, gradient = window_gradients(image, near, 8)
    return meeting_point(origin, offset, gradient[:, ::-1] * (-1, 1))
