"""Landmarks without photographs teach what shapes are possible, and nothing of the specimens that are tested."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pronotum import crossvalidation, demo, formats, more_shapes, workflows
from pronotum.errors import UserError

SIZE = (192, 144)


@pytest.fixture
def options(tiny):
    return workflows.TrainOptions(device="cpu", overrides=tiny)


@pytest.fixture
def data(tmp_path):
    return demo.draw_beetles(tmp_path / "data", "pronotum", n=8, seed=0, size=SIZE)


@pytest.fixture
def others(tmp_path):
    """20 more beetles, of which nobody keeps the photographs, under other names."""
    drawn = demo.draw_beetles(tmp_path / "drawn", "pronotum", n=20, seed=7, size=(400, 300))
    return [replace(one, image=f"old_{number}.jpg", source=None) for number, one in enumerate(drawn.landmarks)]


def save(path, specimens):
    formats.save(path, specimens, lambda name: (400, 300))
    return path


def test_shapes_of_other_specimens_are_added_and_kept_by_every_part_of_the_data(tmp_path, data, others):
    known, left_out = more_shapes.add(data, [save(tmp_path / "old.tps", others)])
    assert (len(known.shapes), left_out) == (20, 0)
    assert len(known) == len(data)
    assert known.subset([1, 2]).shapes is known.shapes
    assert known.digest() != data.digest()
    forms = np.stack([one.points for one in others])
    sides = [np.linalg.norm(np.diff(each, axis=1), axis=-1) for each in (known.shapes, forms)]
    np.testing.assert_allclose(*sides, atol=0.01)


def test_a_specimen_with_a_photograph_is_left_out_under_its_name_and_under_another(tmp_path, data, others):
    moved = np.array([[0.8, 0.6], [-0.6, 0.8]])
    named = replace(others[0], image=data.photographs[3].with_suffix(".JPG").name.upper())
    renamed = replace(others[1], points=3 * data.points[5] @ moved.T + [400, 300])
    again = replace(others[2], points=data.points[6] + np.random.default_rng(0).normal(scale=0.1, size=(8, 2)))
    known, left_out = more_shapes.add(data, [save(tmp_path / "old.tps", [*others[3:], named, renamed, again])])
    assert (len(known.shapes), left_out) == (17, 3)


def test_a_record_without_three_landmarks_has_no_shape(tmp_path, data, others):
    lacking = others[0].points.copy()
    lacking[2:] = np.nan
    whole = others[1].points.copy()
    whole[0] = np.nan
    specimens = [replace(others[0], points=lacking), replace(others[1], points=whole), *others[2:]]
    known, left_out = more_shapes.add(data, [save(tmp_path / "old.tps", specimens)])
    assert (len(known.shapes), left_out) == (19, 1)


def test_what_is_no_shape_of_these_specimens_is_refused_in_one_line(tmp_path, data, others):
    flipped = [replace(one, points=one.points * [1, -1] + [0, 299]) for one in others]
    with pytest.raises(UserError, match=r"flipped.tps: shapes that are the mirror images of those with photographs"):
        more_shapes.add(data, [save(tmp_path / "flipped.tps", flipped)])
    fewer = [replace(one, points=one.points[:7]) for one in others]
    with pytest.raises(UserError, match=r"old_0.jpg.*7 landmarks; expected 8"):
        more_shapes.add(data, [save(tmp_path / "fewer.tps", fewer)])
    with pytest.raises(UserError, match=r"no specimen that is not among the photographs"):
        more_shapes.add(data, [tmp_path / "data" / "landmarks.tps"])


def test_a_model_is_taught_the_shapes_and_says_so(tmp_path, data, others, options):
    known, _ = more_shapes.add(data, [save(tmp_path / "old.tps", others)])
    models = {}
    for name, learnt in (("without", data), ("with", known)):
        workflows.train(learnt, tmp_path / name, options)
        models[name] = workflows.open_model(tmp_path / name, "cpu")[0]
    assert [models[name].card["data"]["more_shapes"] for name in ("without", "with")] == [0, 20]
    # The shapes of specimens that neither has seen are likelier where more were learnt from.
    unseen = demo.draw_beetles(tmp_path / "unseen", "pronotum", n=30, seed=9, size=SIZE).points
    likely = {name: np.mean([likelihood(model.network.prior, one) for one in unseen]) for name, model in models.items()}
    assert likely["with"] > likely["without"] + 0.5


def likelihood(prior, points):
    """Logarithm, but for what is the same for all priors of one size."""
    from pronotum.morphometrics.superimposition import superimpose

    residuals = (superimpose(points[None], prior.mean[None])[0] - prior.mean).ravel()
    return -0.5 * (
        residuals @ np.linalg.solve(prior.covariance, residuals) + np.linalg.slogdet(prior.covariance).logabsdet
    )


def test_a_finished_training_goes_on_only_with_the_same_shapes(tmp_path, data, others, options):
    known, _ = more_shapes.add(data, [save(tmp_path / "old.tps", others)])
    workflows.train(known, tmp_path / "run", options)
    with pytest.raises(UserError, match="data"):
        workflows.train(data, tmp_path / "run", options, resume=True)


def test_models_that_learn_from_photographs_only_refuse_them(tmp_path, data, others):
    known, _ = more_shapes.add(data, [save(tmp_path / "old.tps", others)])
    for model in ("ebnet1", "classical"):
        with pytest.raises(UserError, match=f"--shapes: --model {model} learns from photographs only"):
            workflows.train(known, tmp_path / model, workflows.TrainOptions(device="cpu", model=model))


def test_every_fold_of_a_cross_validation_knows_them(tmp_path, data, others, options):
    known, _ = more_shapes.add(data, [save(tmp_path / "old.tps", others)])
    crossvalidation.crossvalidate(known, tmp_path / "run", options, n_folds=2)
    for place in (tmp_path / "run", tmp_path / "run" / "folds" / "01"):
        assert workflows.open_model(place, "cpu")[0].card["data"]["more_shapes"] == 20


def test_the_command_line_says_how_many_there_are(tmp_path, data, others, command, capsys, options):
    old = save(tmp_path / "old.tps", [*others, *data.landmarks])
    overrides = [part for name, value in options.overrides.items() for part in ("--set", f"{name}={value}")]
    asked = ("train", tmp_path / "data", "-o", tmp_path / "run", "--shapes", old, "--device", "cpu", *overrides)
    assert command(*asked) == 0
    assert "20 more shapes; 8 left out, of specimens with photographs" in capsys.readouterr().out
    card = json.loads((tmp_path / "run" / "config.json").read_text())
    assert card["data"]["more_shapes"] == 20
