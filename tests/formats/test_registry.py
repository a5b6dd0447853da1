import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import one_each
from pronotum.landmarks import Landmarks


def test_every_module_with_a_format_is_in_the_table() -> None:
    folder = Path(formats.__file__).parent
    written = {path.stem for path in folder.glob("*.py") if "\nFORMAT = " in path.read_text(encoding="utf-8")}
    found = {one.read.__module__.rpartition(".")[2] for one in formats.table().values()}
    assert "tps" in written
    assert found == written


@pytest.mark.parametrize("name", formats.names())
def test_a_format_keeps_its_promises(name: str, tmp_path: Path) -> None:
    """What is written reads back: names, missing landmarks, coordinates within 0.00001 px."""
    kind = formats.named(name)
    assert kind.name == name == name.lower()
    assert kind.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in kind.suffixes)
    names = ("apex", "base", "left 1") if "names" in kind.keeps else ()
    scale = 0.0125 if "scale" in kind.keeps else None
    curves = (np.array([[1, 2], [3.5, 4], [9, 9]]),) if "curves" in kind.keeps else ()
    specimens = (
        Landmarks([[10.5, 20.25], [np.nan, np.nan], [0.0, 0.0]], "a.jpg", "a", scale, names, curves),
        Landmarks([[834.56789, 0.1], [3.0, 4.0], [5.0, 6.0]], "b.jpg", "b", scale, names, curves),
    )
    sizes = {"a.jpg": (640, 480), "b.jpg": (900, 1000)}
    path = tmp_path / ("landmarks" if kind.file_name else f"landmarks{kind.suffixes[0]}")
    if kind.write is None:
        with pytest.raises(UserError, match="can only be read"):
            formats.save(path, specimens, sizes, name=name)
        return
    formats.save(path, specimens, sizes, name=name)
    again = [one for file in one_each.places(kind, path, specimens) for one in formats.load(file, sizes, name=name)]
    if name == "pts":  # called as the photograph without .jpg
        specimens = tuple(replace(one, image=one.image.removesuffix(".jpg")) for one in specimens)
    for kept in kind.keeps - {"curves", "scale", "label"}:
        assert [getattr(one, kept) for one in again] == [getattr(one, kept) for one in specimens]
    if "label" in kind.keeps:
        assert [one.image for one in again] == ["a.jpg", "b.jpg"]
    for one, other in zip(specimens, again, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=kind.precision)
        assert other.scale == (pytest.approx(scale) if scale else None)
        assert len(other.curves) == len(one.curves)
        for curve, other_curve in zip(one.curves, other.curves, strict=True):
            np.testing.assert_allclose(other_curve, curve, rtol=0, atol=kind.precision)
    assert [path.name for path in tmp_path.iterdir()] == [path.name], "a temporary file is left"


def test_the_suffix_finds_the_format_in_either_case() -> None:
    assert formats.of(Path("x.tps").with_suffix(".TPS")).name == "tps"
    assert ".tps" in formats.suffixes()


def test_an_unknown_name_is_met_with_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"^format: unknown format 'tpss'; did you mean 'tps'\?$"):
        formats.named("tpss")


def test_an_unknown_suffix_names_those_that_are_known() -> None:
    with pytest.raises(
        UserError, match=r"^notes\.docx: unknown kind of landmark file '\.docx'; expected one ending in"
    ):
        formats.of(Path("notes.docx"))
    with pytest.raises(UserError, match=r"^notes: a name without suffix; "):
        formats.load(Path("notes"))


def test_a_suffix_of_several_formats_asks_which(monkeypatch: pytest.MonkeyPatch) -> None:
    tps = formats.named("tps")
    other = formats.Format("other", (".tps",), tps.read, tps.write)
    monkeypatch.setattr(formats, "table", lambda: {"other": other, "tps": tps})
    with pytest.raises(UserError, match=r"several formats end in \.tps; name the one you mean: other, tps"):
        formats.of(Path("a.tps"))
    assert formats.named("other") is other


def test_sizes_are_asked_by_image_else_by_id() -> None:
    asked: list[str] = []

    def size(name: str) -> tuple[int, int] | None:
        asked.append(name)
        return 9, 7

    assert formats.height_of("a.jpg", "1", size) == 7
    assert formats.size_of("", "ddn9.JPG", size) == (9, 7)
    assert formats.size_of("", "", size) is None
    assert asked == ["a.jpg", "ddn9.JPG"]
    assert formats.size_of(r"C:\bees\a.jpg", "", {"a.jpg": (6, 5)}) == (6, 5)
    assert formats.height_of(r"C:\bees\a.jpg", "", {"a.jpg": (6, 5), r"C:\bees\a.jpg": (7, 6)}) == 6
    assert formats.size_of("b.jpg", "", {"a.jpg": (6, 5)}) is None


def test_importing_formats_imports_no_format_and_no_torch() -> None:
    code = "import sys, pronotum.formats as f; print('pronotum.formats.tps' in sys.modules); f.names(); "
    code += "print('pronotum.formats.tps' in sys.modules, 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True", "False"]
