"""Damaged landmark files of every format: read, or told in one line. `scripts/fuzz` does the same for hours."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from pronotum import formats
from pronotum.errors import UserError
from pronotum.landmarks import Landmarks
from pronotum.synthetic import draw

from .conftest import FULL
from .mutations import flipped, header_flipped, longer, overwritten, spliced, truncated

CASES = 300 if FULL else 20
SIZE = (160, 120)


def written(kind: formats.Format, path: Path) -> bytes:
    """A good file of a format; empty where it is only read."""
    specimens = [
        Landmarks(draw("pronotum", number, size=SIZE).points, image=f"b{number}.jpg", id=str(number))
        for number in range(1, 4)
    ]
    if kind.write is None:
        return b""
    try:
        kind.write(path, specimens, lambda image: SIZE)
    except UserError:  # one specimen a file, say
        kind.write(path, specimens[:1], lambda image: SIZE)
    return path.read_bytes()


@pytest.mark.parametrize("name", sorted(formats.table()))
def test_damaged_landmark_files(name, note, tmp_path):
    kind, drawn = formats.table()[name], random.Random(name)
    path = tmp_path / f"bad{kind.suffixes[0]}"
    content = written(kind, path)
    changes = (truncated, flipped, header_flipped, overwritten, spliced, longer)
    for number in range(CASES):
        path.unlink(missing_ok=True)  # one that is overwritten waits for the disk
        path.write_bytes(changes[number % 6](content, drawn) if content else drawn.randbytes(drawn.randrange(400)))
        said = ""
        try:
            kind.read(path, lambda image: SIZE)
        except UserError as error:
            said = str(error)
        assert "\n" not in said
    note(CASES, "damaged landmark files opened")


@pytest.mark.finding("A name of several lines inside a damaged archive made an error of several lines.")
def test_a_name_in_an_archive_cannot_break_the_line(tmp_path):
    path = tmp_path / "several.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a\nb.txt", b"no regions of interest")
    with pytest.raises(UserError) as caught:
        formats.named("imagej-roi").read(path, lambda image: SIZE)
    assert "\n" not in str(caught.value)
    assert "a\\nb.txt" in str(caught.value)


@pytest.mark.finding("A StereoMorph file that ends an element before it has begun one stopped with a Python error.")
def test_an_end_before_any_beginning(tmp_path):
    path = tmp_path / "shapes.txt"
    path.write_text("</>\n<")
    with pytest.raises(UserError, match=r"shapes\.txt:1: '</>'; expected <shapes type=list>"):
        formats.named("stereomorph").read(path, None)
