"""Formats of which a file holds one specimen: what their files are called, and that all read back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import one_each
from pronotum.landmarks import Landmarks, Scheme

KINDS = [kind.name for kind in formats.table().values() if kind.file_name]
COORDINATES = st.floats(-1e5, 1e5) | st.integers(-9999, 9999).map(float)
LANDMARK = st.tuples(COORDINATES, COORDINATES) | st.just((np.nan, np.nan))
NAMES = st.text(st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="<>"), min_size=1, max_size=8)


@st.composite
def specimens(draw: st.DrawFn) -> list[Landmarks]:
    made = []
    for number in range(draw(st.integers(1, 4))):
        points = draw(st.lists(LANDMARK, min_size=1, max_size=6))
        names = draw(
            st.none()
            | st.lists(
                NAMES.filter(lambda name: name == name.strip()), min_size=len(points), max_size=len(points), unique=True
            )
        )
        curves = draw(st.lists(st.lists(LANDMARK, max_size=4), max_size=2))
        scale = draw(st.none() | st.floats(1e-6, 1e3))
        made.append(
            Landmarks(points, f"wing {number}.jpg", "", scale, tuple(names or ()), tuple(map(np.array, curves)))
        )
    return made


def test_there_are_three() -> None:
    assert sorted(KINDS) == ["fcsv", "pts", "stereomorph"]


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=specimens())
def test_every_specimen_reads_back(name: str, given: list[Landmarks], tmp_path_factory: pytest.TempPathFactory) -> None:
    kind, folder = formats.named(name), tmp_path_factory.mktemp("out")
    formats.save(folder, given, name=name)
    places = one_each.places(kind, folder, given)
    assert sorted(places) == sorted(folder.iterdir())
    for place, one in zip(places, given, strict=True):
        (other,) = formats.load(place, name=name)
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=kind.precision)
        assert other.image == (one.image if name != "pts" else one.image.removesuffix(".jpg"))
        numbers = Scheme.numbered(one.n_landmarks).names
        if "names" in kind.keeps:
            assert (other.names or numbers) == (one.names or numbers)
        if "scale" in kind.keeps:
            assert other.scale == one.scale
            for curve, other_curve in zip(one.curves, other.curves, strict=True):
                np.testing.assert_allclose(other_curve, curve.reshape(-1, 2), rtol=0, atol=kind.precision)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["x/a.jpg", "y/A.png"], "x/a.jpg and y/A.png, which would both be A.pts; expected a file for each specimen"),
        (["a.jpg", ".b.jpg"], "a file called '.b'"),
        (["a.jpg", "b?.jpg"], r"a file called 'b\?'"),
        (["a.jpg", ""], "unnamed specimen'?: a file called ''"),
    ],
)
def test_names_that_clash_or_that_no_file_can_have_are_refused(images: list[str], message: str, tmp_path: Path) -> None:
    given = [Landmarks([[1, 2]], image) for image in images]
    with pytest.raises(UserError, match=message):
        formats.save(tmp_path / "out", given, name="pts")
    assert not list(tmp_path.iterdir())


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    given = [Landmarks([[1, 2]], "a.jpg"), Landmarks([[1, np.inf]], "b.jpg")]
    with pytest.raises(UserError, match=r"b\.jpg: an infinite coordinate"):
        formats.save(tmp_path / "out", given, name="fcsv")
    assert not list(tmp_path.iterdir())
