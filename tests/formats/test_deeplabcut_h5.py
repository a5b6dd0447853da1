import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import deeplabcut, deeplabcut_h5, hdf5
from pronotum.landmarks import Landmarks

h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")

NAN = float("nan")
ONE_EACH = (
    Landmarks([[10.5, 20.25], [NAN, NAN], [0, 0]], "a.jpg", names=("apex", "base", "left 1")),
    Landmarks([[834.56789, 0.1], [3, 4], [5, 6]], "ä.jpg", names=("apex", "base", "left 1")),
    Landmarks([[NAN, NAN], [NAN, NAN], [NAN, NAN]], "c.jpg", names=("apex", "base", "left 1")),
)
SEVERAL = (
    Landmarks([[1, 2], [NAN, NAN]], "a.jpg", "m1", names=("apex", "base")),
    Landmarks([[3, 4], [9, 9]], "a.jpg", "m2", names=("apex", "base")),
    Landmarks([[5, 6], [7, 8]], "b.jpg", "m1", names=("apex", "base")),
)


@pytest.fixture
def tables() -> Any:
    return pytest.importorskip("tables", reason="pandas reads HDF5 files with PyTables")


def same(one: Landmarks, other: Landmarks) -> bool:
    equal = np.array_equal(one.points, other.points, equal_nan=True)
    return equal and (one.image, one.id, one.names) == (other.image, other.id, other.names)


@pytest.mark.parametrize("specimens", [ONE_EACH, SEVERAL], ids=["one each", "several"])
def test_pandas_reads_what_it_would_read_in_the_csv(
    specimens: tuple[Landmarks, ...], tmp_path: Path, tables: Any
) -> None:
    """DeepLabCut makes its HDF5 file from the CSV by `read_csv` and `to_hdf`; both ways the frame is the same."""
    path = tmp_path / "beetles" / "CollectedData_me.h5"
    deeplabcut_h5.save(path, specimens)
    deeplabcut.save(path.with_suffix(".csv"), specimens)
    header = [0, 1, 2, 3] if specimens is SEVERAL else [0, 1, 2]
    expected = pd.read_csv(path.with_suffix(".csv"), header=header, index_col=[0, 1, 2])
    frame = pd.read_hdf(path)
    pd.testing.assert_frame_equal(frame, expected)
    pd.testing.assert_frame_equal(pd.read_hdf(path, "df_with_missing"), expected)
    assert frame.columns.get_level_values(0).unique().tolist() == ["me"]
    assert frame.index[0] == ("labeled-data", "beetles", "a.jpg")


@pytest.mark.parametrize("specimens", [ONE_EACH, SEVERAL], ids=["one each", "several"])
def test_what_is_written_reads_back(specimens: tuple[Landmarks, ...], tmp_path: Path) -> None:
    path = tmp_path / "beetles" / "CollectedData_me.h5"
    formats.save(path, specimens, name="deeplabcut-h5")
    again = formats.load(path)
    assert [same(*pair) for pair in zip(again, specimens, strict=True)] == [True] * 3
    first = path.read_bytes()
    deeplabcut_h5.save(path, specimens)
    assert path.read_bytes() == first, "the same specimens make the same file"


@pytest.mark.parametrize("specimens", [ONE_EACH, SEVERAL], ids=["one each", "several"])
@pytest.mark.parametrize("complevel", [None, 5])
def test_what_deeplabcut_writes_is_read(
    specimens: tuple[Landmarks, ...], complevel: int | None, tmp_path: Path, tables: Any
) -> None:
    path = tmp_path / "beetles" / "CollectedData_me.h5"
    deeplabcut.save(path.with_suffix(".csv"), specimens)
    header = [0, 1, 2, 3] if specimens is SEVERAL else [0, 1, 2]
    frame = pd.read_csv(path.with_suffix(".csv"), header=header, index_col=[0, 1, 2])
    frame.to_hdf(path, key="df_with_missing", mode="w", complevel=complevel)
    again = deeplabcut_h5.load(path)
    assert [same(*pair) for pair in zip(again, specimens, strict=True)] == [True] * 3


def test_whole_numbers_and_older_names_of_photographs_are_read(tmp_path: Path, tables: Any) -> None:
    """A CSV with whole numbers becomes two blocks; before DeepLabCut 2.2 the path was one name."""
    columns = pd.MultiIndex.from_product(
        [["me"], ["apex", "base"], ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    frame = pd.DataFrame([[1, 2, 3.5, NAN], [5, 6, 7, 8]], ["labeled-data/v/1.png", "labeled-data/v/2.png"], columns)
    frame.iloc[0, 3] = 4.5
    frame = frame.astype(dict.fromkeys(columns[:2], "int64"))
    path = tmp_path / "x.h5"
    frame.to_hdf(path, key="predictions", mode="w")
    one, two = deeplabcut_h5.load(path)
    assert (one.image, one.names) == ("labeled-data/v/1.png", ("apex", "base"))
    assert (one.points.tolist(), two.points.tolist()) == ([[1, 2], [3.5, 4.5]], [[5, 6], [7, 8]])


def test_frames_of_a_video_have_numbers(tmp_path: Path, tables: Any) -> None:
    columns = pd.MultiIndex.from_product([["me"], ["apex"], ["x", "y", "likelihood"]])
    path = tmp_path / "x.h5"
    pd.DataFrame([[1.0, 2, 0.5]], [7], columns).to_hdf(path, key="df_with_missing", mode="w")
    (one,) = deeplabcut_h5.load(path)
    assert (one.image, one.points.tolist()) == ("7", [[1, 2]])


class Runs:
    """A pickle that makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (str(self.folder), 0o777, True)


def test_nothing_is_unpickled(tmp_path: Path, tables: Any) -> None:
    path, trace = tmp_path / "beetles" / "x.h5", tmp_path / "trace"
    deeplabcut_h5.save(path, ONE_EACH)
    with tables.open_file(str(path), "a") as file:
        frame = file.root.df_with_missing
        for node in (file.root, frame, frame.axis1_level1, frame.block0_values):
            node._v_attrs.name = Runs(trace)
            node._v_attrs.value_type = Runs(trace)
    assert [same(*pair) for pair in zip(deeplabcut_h5.load(path), ONE_EACH, strict=True)] == [True] * 3
    assert deeplabcut_h5.recognises(path)
    assert not trace.exists()
    assert len(pd.read_hdf(path)) == 3
    assert trace.is_dir(), "pandas would have run it"


def test_names_that_are_pickles_are_refused(tmp_path: Path, tables: Any) -> None:
    path, trace = tmp_path / "x.h5", tmp_path / "trace"
    deeplabcut_h5.save(path, ONE_EACH)
    with tables.open_file(str(path), "a") as file:
        file.remove_node("/df_with_missing/axis0_level1")
        file.create_vlarray("/df_with_missing", "axis0_level1", tables.ObjectAtom()).append(Runs(trace))
    with pytest.raises(
        UserError, match=r"x\.h5: df_with_missing/axis0_level1: pickled Python objects, which are never"
    ):
        deeplabcut_h5.load(path)
    assert not trace.exists()
    with tables.open_file(str(path)) as file:
        assert file.root.df_with_missing.axis0_level1[0] is None
    assert trace.is_dir(), "pandas would have run it"


def test_predictions_on_videos_are_refused(tmp_path: Path, tables: Any) -> None:
    columns = pd.MultiIndex.from_product([["me"], ["apex"], ["x", "y", "likelihood"]])
    path = tmp_path / "x.h5"
    frame = pd.DataFrame([[1.0, 2, 0.5]], [7], columns)
    frame.to_hdf(path, key="df_with_missing", mode="w", format="table")
    with pytest.raises(
        UserError, match=r"x\.h5: a data frame in table layout, whose names .* name the CSV file beside"
    ):
        deeplabcut_h5.load(path)


def edit(path: Path, name: str, values: Any = None, **attributes: Any) -> None:
    """Replace an array (None: remove it), or change attributes."""
    with h5py.File(path, "a") as file:
        for key, value in attributes.items():
            file[name].attrs[key] = value
        if not attributes:
            kept = dict(file[name].attrs)
            del file[name]
            if values is not None:
                file[name] = values
                file[name].attrs.update(kept)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("df_with_missing", {"pandas_type": "series"}, "x.h5: 0 data frames; expected one, df_with_missing"),
        ("df_with_missing", {"nblocks": 0}, "0 numbers for 3 photographs and 6 different columns; expected one"),
        ("df_with_missing", {"nblocks": 10**9}, "df_with_missing: 1000000000 blocks of numbers"),
        ("df_with_missing", {"axis0_nlevels": 9}, "df_with_missing/axis0: 9 levels of names; expected 1 to 4"),
        ("df_with_missing", {"axis0_nlevels": 2}, "18 numbers for 3 photographs and 3 different columns"),
        ("df_with_missing", {"axis1_variety": "regular"}, "df_with_missing/axis1: nothing there; expected an array"),
        ("df_with_missing/axis0_level1", None, "df_with_missing/axis0_level1: nothing there"),
        ("df_with_missing/axis0_level1", [b"apex", b"b", b"\xff"], "axis0_level1: a name that is not UTF-8"),
        (
            "df_with_missing/axis0_level1",
            [1.5, 2, 3],
            "axis0_level1: values of type float64; expected names or numbers",
        ),
        ("df_with_missing/axis0_level1", [[b"a"]], "axis0_level1: names in 2 dimensions"),
        (
            "df_with_missing/axis0_label1",
            [0, 0, 1, 1, 2, 9],
            "axis0_label1: numbers that stand for no name; expected 0",
        ),
        ("df_with_missing/axis0_label1", [0, 0, 1, 1, 2, -1], "axis0_label1: numbers that stand for no name"),
        ("df_with_missing/axis0_label1", [0, 0, 1, 1], "axis0: levels of names that differ in length"),
        ("df_with_missing/axis0_label1", [0, 0, 1, 1, 1, 1], "18 numbers for 3 photographs and 4 different columns"),
        ("df_with_missing/axis0_label0", [0] * 4, "axis0: levels of names that differ in length"),
        ("df_with_missing/axis1_label2", [0, 0, 0], "row 2: photograph a.jpg again, as in"),
        ("df_with_missing/block0_values", np.zeros((2, 9)), "block0_values: numbers of shape (2, 9); expected (3, 6)"),
        ("df_with_missing/block0_values", np.zeros((3, 5)), "15 numbers for 3 photographs and 6 different columns"),
        ("df_with_missing/block0_values", np.full((3, 6), np.inf), "df_with_missing: row 1: an infinite coordinate"),
        (
            "df_with_missing/block0_values",
            np.where(np.eye(3, 6), NAN, 1.0),
            "row 1: landmark 'apex' is missing in one coordinate only",
        ),
        ("df_with_missing/block0_items_label1", [0, 0, 1, 1, 1, 1], "block0_values: numbers of shape (3, 6)"),
    ],
)
def test_a_broken_file_says_where(name: str, change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    deeplabcut_h5.save(path, ONE_EACH)
    if isinstance(change, dict):
        edit(path, name, **change)
    else:
        edit(path, name, change)
    with pytest.raises(UserError) as caught:
        deeplabcut_h5.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_two_scorers_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    deeplabcut_h5.save(path, ONE_EACH)
    for axis in ("axis0", "block0_items"):
        edit(path, f"df_with_missing/{axis}_level0", [b"me", b"you"])
        edit(path, f"df_with_missing/{axis}_label0", [0, 0, 0, 0, 1, 1])
    with pytest.raises(UserError, match=r"df_with_missing: 2 scorers; expected columns named by .*, and one scorer"):
        deeplabcut_h5.load(path)


def test_what_cannot_be_held_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_text("before")
    with pytest.raises(UserError, match=r"a\.jpg: an infinite coordinate"):
        deeplabcut_h5.save(path, [Landmarks([[np.inf, 1]], "a.jpg")])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_more_photographs_than_a_byte_counts(tmp_path: Path, tables: Any) -> None:
    path = tmp_path / "v" / "x.h5"
    given_ = [Landmarks([[number, 1]], f"{number:05}.jpg") for number in range(300)]
    deeplabcut_h5.save(path, given_)
    assert [one.points[0, 0] for one in deeplabcut_h5.load(path)] == list(range(300))
    assert [name for _, _, name in pd.read_hdf(path).index] == [one.image for one in given_]


def test_only_files_of_this_kind_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    deeplabcut_h5.save(path, ONE_EACH)
    assert deeplabcut_h5.recognises(path)
    with h5py.File(path, "w") as file:
        file["tracks"] = [1]
    assert not deeplabcut_h5.recognises(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> hdf5.Contents:
    path = tmp_path_factory.mktemp("golden") / "x.h5"
    deeplabcut_h5.save(path, SEVERAL)
    return hdf5.read(path, ".*")


CHANGES = (
    lambda array: array[:-1],
    lambda array: array[::-1],
    lambda array: array[None],
    lambda array: array.astype("S3"),
    lambda array: np.resize(array, 3),
    lambda array: np.zeros(array.shape),
    lambda array: np.zeros(array.shape, np.int8),
    lambda array: np.full(array.shape, np.inf),
    lambda array: np.full(array.shape, b"\xff"),
    lambda array: np.zeros(0),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_contents_make_the_reader_fail_otherwise(
    data: st.DataObject, whole: hdf5.Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = dict(whole.arrays)
    attributes = {name: dict(told) for name, told in whole.attributes.items()}
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(arrays)))
        arrays[name] = data.draw(st.sampled_from(CHANGES))(arrays[name])
        if data.draw(st.booleans()):
            key = data.draw(st.sampled_from(sorted(attributes["df_with_missing"])))
            attributes["df_with_missing"][key] = data.draw(
                st.sampled_from(["multi", "frame", 0, 1, 2, 3, 4, 2.5, True])
            )
    contents = dataclasses.replace(whole, arrays=arrays, attributes=attributes)
    monkeypatch.setattr(deeplabcut_h5, "read", lambda *_: contents)
    try:
        found = deeplabcut_h5.load(whole.path)
    except UserError:
        return
    assert found
    assert not any(np.isinf(one.points).any() for one in found)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_file_makes_the_reader_fail_otherwise(
    data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some such files crash or hang the HDF5 library, which is why a process of its own reads them."""
    monkeypatch.setattr(hdf5, "PATIENCE", 5.0)
    path = tmp_path / "x.h5"
    deeplabcut_h5.save(path, SEVERAL)
    content = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 1, 1, 8, 10**6]))
        content = content[:start] + data.draw(st.binary(max_size=2)) + content[end:]
    path.write_bytes(content)
    try:
        found = deeplabcut_h5.load(path)
    except UserError:
        return
    assert found
    assert not any(np.isinf(one.points).any() for one in found)
