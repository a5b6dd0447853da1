"""From files and cross-validations to what is compared."""

import numpy as np
import pytest

from pronotum import comparison, demo, formats
from pronotum.crossvalidation import CrossValidation
from pronotum.errors import UserError
from pronotum.evaluation.calibration import Certainty
from pronotum.evaluation.distances import mean_shape_distances
from pronotum.landmark_sets import open_sets
from pronotum.landmarks import Landmarks
from pronotum.morphometrics.superimposition import mean_shape


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=12, seed=0, size=(256, 192))


def test_the_mean_of_the_others_is_that_of_a_slow_loop(data):
    slow = np.stack(
        [
            mean_shape_distances(mean_shape(np.delete(data.points, i, axis=0)), data.points[i : i + 1])[0]
            for i in range(len(data))
        ]
    )
    fast = comparison.mean_of_others_distances(data.points)
    own = mean_shape_distances(mean_shape(data.points), data.points)
    assert fast == pytest.approx(slow, abs=0.02)
    assert np.abs(own - slow).max() > 0.05  # a specimen's own share in the mean does matter


def found(data, predicted):
    shapes = np.broadcast_to(mean_shape(data.points), data.points.shape)
    unknown = Certainty.unknown(*predicted.shape[:2])
    return CrossValidation(
        data, predicted, shapes, np.ones(len(data), dtype=np.intp), (), unknown, np.empty((len(data), 0))
    )


def test_a_repeat_of_some_specimens_is_joined_by_photograph(data, tmp_path):
    again = [Landmarks(one.points + 1, image=one.image.upper()) for one in data.landmarks]
    formats.save(tmp_path / "again.tps", [again[4], again[2]], lambda name: (256, 192))
    sets, left_out = comparison.of_crossvalidation(found(data, data.points + 2), repeat=tmp_path / "again.tps")
    assert left_out == ()
    assert sets.repeat[[2, 4]] == pytest.approx(data.points[[2, 4]] + 1, abs=1e-4)
    assert np.isnan(np.delete(sets.repeat, [2, 4], axis=0)).all()
    assert sets.repeated.tolist() == [i in (2, 4) for i in range(12)]
    assert sets.scales.paper == pytest.approx(1)


def test_a_repeat_that_does_not_fit_is_refused(data, tmp_path):
    file = tmp_path / "again.tps"
    first = data.landmarks.specimens[0]
    formats.save(file, [Landmarks(first.points, image="stranger.jpg")], lambda name: (256, 192))
    with pytest.raises(UserError, match=r"again.tps: none of the 12 specimens"):
        comparison.of_crossvalidation(found(data, data.points), repeat=file)
    formats.save(file, [Landmarks(first.points[:5], image=first.image)], lambda name: (256, 192))
    with pytest.raises(UserError, match=r"has 5 landmarks; expected 8 as in the data"):
        comparison.of_crossvalidation(found(data, data.points), repeat=file)
    formats.save(
        file, [first.with_points(first.points), Landmarks(first.points, image="new.jpg")], lambda name: (256, 192)
    )
    left_out = comparison.of_crossvalidation(found(data, data.points), repeat=file)[1]
    assert left_out == ("1 specimen of again.tps not in the data: new.jpg",)


def test_files_without_photographs_have_no_paper_frame(data, tmp_path):
    for name, shift in (("manual", 0), ("predicted", 1)):
        rows = [Landmarks(one.points + shift, image=one.image) for one in data.landmarks]
        formats.save(tmp_path / f"{name}.tps", rows, lambda name: (256, 192))
    sources = {name: tmp_path / f"{name}.tps" for name in ("manual", "predicted")}
    sets = comparison.of_files(open_sets(sources), margin=1.0)
    assert np.isnan(sets.scales.paper).all()
    assert sets.predicted - sets.manual == pytest.approx(np.ones((12, 8, 2)), abs=1e-4)
    pictured = comparison.of_files(open_sets(sources, photographs=data.photographs[0].parent))
    assert pictured.scales.paper == pytest.approx(1)
    assert pictured.manual == pytest.approx(data.points, abs=1e-4)
