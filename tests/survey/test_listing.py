"""What a survey is of: folders, lists and addresses, each photograph once, frozen at the start."""

import json
import os
import tracemalloc

import pytest

from pronotum.errors import UserError
from pronotum.survey import listing


def listed(folder, *sources, column=None):
    found = listing.write([str(source) for source in sources], folder, column=column)
    lines = (folder / listing.PHOTOGRAPHS).read_text().splitlines()
    assert len(lines) == found.photographs
    return found, [json.loads(line) for line in lines]


def test_a_folder_tree_in_natural_order_without_hidden_files(beetles, tmp_path):
    found, names = listed(tmp_path, beetles)
    assert found == listing.Listed(13, 0, 0)
    assert names == [f"{beetles}/drawer {(n - 1) // 5 + 1}/beetle{n}.jpg" for n in range(1, 14)]


def test_what_is_named_twice_is_taken_once(beetles, tmp_path):
    found, names = listed(tmp_path, beetles / "drawer 2", beetles)
    assert found == listing.Listed(13, 5, 0)
    assert names[0] == f"{beetles}/drawer 2/beetle6.jpg"
    assert len(set(names)) == 13


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "x.jpg\nhttps://a.org/1?size=big\n/abs/y.jpg\n", ["x.jpg", "https://a.org/1?size=big", "/abs/y.jpg"]),
        ("a.csv", '\ufeffid,Path\n1,x.jpg\n2,"y, z.jpg"\n', ["x.jpg", "y, z.jpg"]),
        ("a.csv", "id;url\n1;s.jpg\n", ["s.jpg"]),
        ("multimedia.txt", 'gbifID\tformat\tidentifier\n1\timage/jpeg\thttps://a.org/"1"\n', ['https://a.org/"1"']),
        ("a.csv", "photograph\nx.jpg\n", ["x.jpg"]),
    ],
)
def test_lists_of_many_kinds(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    _, names = listed(tmp_path / "out", tmp_path / name)
    absolute = [one if one.startswith(("/", "https:")) else f"{tmp_path}/{one}" for one in expected]
    assert names == absolute


def test_a_column_is_named_and_lines_without_photograph_are_counted(tmp_path):
    (tmp_path / "a.csv").write_text("id,scan\n1,x.jpg\n2,\n3\n4,y.jpg\n")
    found, names = listed(tmp_path / "out", tmp_path / "a.csv", column="Scan")
    assert found == listing.Listed(2, 0, 2)
    assert names == [f"{tmp_path}/x.jpg", f"{tmp_path}/y.jpg"]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("id,scan\n1,x.jpg\n", None, r"columns id, scan; expected one of photograph.*name it with --column"),
        ("id,scan\n1,x.jpg\n", "scam", "no column 'scam'; did you mean 'scan'"),
        ("id,scan\n", "scan", "no photographs"),
        ("url\nnowhere://a/b.jpg\n", None, "nowhere"),
    ],
)
def test_a_list_that_is_not_understood_is_refused_and_nothing_is_left(tmp_path, text, column, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        listing.write([str(tmp_path / "a.csv")], tmp_path / "out", column=column)
    assert not list((tmp_path / "out").iterdir())


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        listing.write([str(tmp_path / "none")], tmp_path)


def test_names_may_hold_anything_and_shards_read_them_back(tmp_path):
    odd = ["b\nc.jpg", "d\udcff.jpg", "é.jpg"]
    for name in odd:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "in" / "a.jpg").write_bytes(b"")
    listed(tmp_path, tmp_path / "in")
    starts = listing.starts(tmp_path, 3)
    read = [one for start in starts for one in listing.read(tmp_path, start, 3)]
    assert len(starts) == 2
    assert {os.path.basename(one) for one in read} == {*odd, "a.jpg"}


def test_the_listing_is_frozen(beetles, tmp_path):
    before = listed(tmp_path, beetles)
    assert listed(tmp_path, beetles / "drawer 1") == before


def test_memory_does_not_grow_with_the_length_of_a_list(tmp_path):
    peaks = []
    for n in (2_000, 20_000):
        (tmp_path / f"{n}.txt").write_text("".join(f"/museum/drawer/{number:09d}.jpg\n" for number in range(n)))
        tracemalloc.start()
        listing.write([str(tmp_path / f"{n}.txt")], tmp_path / str(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
