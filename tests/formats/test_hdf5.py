"""HDF5 files are read by a process of their own, and nothing in them is ever run."""

import sys
from pathlib import Path

import numpy as np
import pytest

from pronotum.errors import UserError
from pronotum.formats import hdf5

h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(6.0).reshape(2, 3)
        file["group/texts"] = np.array([b"a", b"\xc3\xa4 b"])
        file["group/longer/texts"] = ["a", "ä b"]
        file["table"] = np.array([(1, 2.5, True)], [("row", "u4"), ("x", "f8"), ("visible", "?")])
        file["group"].attrs["text"] = "ä"
        file["group"].attrs["bytes"] = np.bytes_(b"N.")
        file["group"].attrs["number"] = np.int64(3)
        file["group"].attrs["array"] = np.arange(3.0)
        file["group"].attrs["empty"] = h5py.Empty("S1")
    return path


def test_what_is_wanted_is_read(path: Path) -> None:
    found = hdf5.read(path, "group|group/texts|table|numbers")
    assert set(found.arrays) == {"group/texts", "table", "numbers"}
    assert found.arrays["numbers"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.arrays["group/texts"].tolist() == [b"a", "ä b".encode()]
    assert found.arrays["table"].dtype.names == ("row", "x", "visible")
    assert found.arrays["table"].tolist() == [(1, 2.5, True)]
    assert found.attributes["group"] == {"text": "ä", "bytes": "N.", "number": 3}
    assert found.attribute("group", "text") == "ä"
    assert found.attribute("group", "none") is None
    assert found.attribute("nowhere", "text") is None


def test_texts_of_any_length_are_bytes(path: Path) -> None:
    assert hdf5.read(path, ".*").arrays["group/longer/texts"].tolist() == [b"a", "ä b".encode()]


def test_lists_of_lists_are_python_objects_and_stay_unread(path: Path) -> None:
    with h5py.File(path, "a") as file:
        pickles = file.create_dataset("pickles", (1,), h5py.vlen_dtype(np.uint8))
        pickles[0] = np.frombuffer(b"\x80\x04N.", np.uint8)
    found = hdf5.read(path, "pickles|numbers")
    assert found.objects == {"pickles"}
    assert set(found.arrays) == {"numbers"}


def test_no_link_leads_out_of_the_file_or_round_in_a_circle(path: Path) -> None:
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["secret"] = [1]
    with h5py.File(path, "a") as file:
        file["outside"] = h5py.ExternalLink("other.h5", "secret")
        file["soft"] = h5py.SoftLink("/numbers")
        file["group/circle"] = file["group"]
        assert file["outside"][0] == 1
    found = hdf5.read(path, r"[^/]+|group/circle/circle/texts")
    assert "outside" not in found.arrays
    assert "soft" not in found.arrays
    assert set(found.arrays) == {"numbers", "table", "group/circle/circle/texts"}


def test_data_of_another_file_are_refused(path: Path) -> None:
    raw = path.with_name("raw")
    raw.write_bytes(b"12345678")
    with h5py.File(path, "a") as file:
        file.create_dataset("external", (8,), "u1", external=[(str(raw), 0, 8)])
        layout = h5py.VirtualLayout((6,), "f8")
        layout[:] = h5py.VirtualSource(str(path), "numbers", (2, 3))[0:2, 0:3]
        file.create_virtual_dataset("virtual", layout)
    for name in ("external", "virtual"):
        with pytest.raises(UserError, match=rf"a\.h5: broken \({name} lies in another file\)"):
            hdf5.read(path, name)


def test_a_small_file_cannot_ask_for_all_memory(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("bomb", (10**12,), "f8", chunks=(10**6,), compression="gzip")
    assert path.stat().st_size < 20_000
    with pytest.raises(UserError, match=r"broken \(bomb has 8000000000000 bytes"):
        hdf5.read(path, "bomb")


def test_a_reader_that_dies_or_never_ends_is_a_broken_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    monkeypatch.setattr(hdf5, "CHILD", child)
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(UserError, match=r"a\.h5: broken \(reading it ended with -?\d+\); copy it again"):
        hdf5.read(path, ".*")
    child.write_text("print('nonsense')")
    with pytest.raises(UserError, match=r"a\.h5: broken \(reading it gave nothing\)"):
        hdf5.read(path, ".*")
    child.write_text("while True: pass")
    monkeypatch.setattr(hdf5, "PATIENCE", 0.5)
    with pytest.raises(UserError, match=r"a\.h5: broken \(reading it takes more than 0\.5 s\)"):
        hdf5.read(path, ".*")


def test_a_file_that_is_cut_off_is_broken(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"a\.h5: broken \(.+\); copy it again from where it was made"):
        hdf5.read(path, ".*")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(UserError, match=r"a\.h5: cannot be opened \(No such file or directory\); check its name"):
        hdf5.read(path, ".*")
    path.write_text("LM=3")
    with pytest.raises(UserError, match=r"a\.h5: no HDF5 file; name another, or the format that it is"):
        hdf5.read(path, ".*")


def test_without_h5py_the_remedy_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(hdf5.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"a\.h5: h5py, which HDF5 files need, is missing; pip install h5py"):
        hdf5.read(path, ".*")


def test_words_are_found_without_opening_it(path: Path, tmp_path: Path) -> None:
    assert hdf5.mentions(path, b"longer")
    assert not hdf5.mentions(path, b"shorter")
    assert not hdf5.mentions(tmp_path, b"longer")
    text = tmp_path / "a.txt"
    text.write_text("longer")
    assert not hdf5.mentions(text, b"longer")
    assert not hdf5.mentions(tmp_path / "none", b"longer")
