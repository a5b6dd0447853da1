"""TPS: golden strings for every quirk, properties over random files, all public files at hand."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from pronotum.errors import UserError
from pronotum.formats import tps
from pronotum.formats.encoding import Encoding, decode, shared, split_lines
from pronotum.landmarks import Landmarks

NAN = float("nan")


def records(text: str | bytes) -> tuple[tps.TpsRecord, ...]:
    content = text.encode() if isinstance(text, str) else text
    file = tps.parse_file(content)
    assert file.content == content, "reading lost something"
    return file.records


def record(text: str | bytes) -> tps.TpsRecord:
    (only,) = records(text)
    return only


# --- quirks of files in the wild ---

QUIRKS = {
    "tpsDig2": b"LM=2\r\n12.50000 30.00000\r\n1.00000 2.00000\r\nIMAGE=a b.jpg\r\nID=7\r\nSCALE=0.050000\r\n",
    "LF": b"LM=2\n12.5 30\n1 2\nIMAGE=a b.jpg\nID=7\nSCALE=0.05\n",
    "CR": b"LM=2\r12.5 30\r1 2\rIMAGE=a b.jpg\rID=7\rSCALE=0.05\r",
    "no final line end": b"LM=2\n12.5 30\n1 2\nIMAGE=a b.jpg\nSCALE=0.05\nID=7",
    "lower case": b"lm=2\n12.5 30\n1 2\nimage=a b.jpg\nid=7\nscale=0.05\n",
    "blanks round =": b"LM = 2\n12.5 30\n1 2\nIMAGE = a b.jpg\nID =7\nSCALE= 0.05\n",
    "trailing blanks": b"LM=2 \n12.5 30  \n1 2\t\nIMAGE=a b.jpg \nID=7 \nSCALE=0.05\t\n",
    "tabs and double blanks": b"LM=2\n\t12.5\t30\n  1   2\nIMAGE=a b.jpg\nID=7\nSCALE=0.05\n",
    "scientific": b"LM=2\n1.25e+01 30\n1E0 2e-0\nIMAGE=a b.jpg\nID=7\nSCALE=5e-2\n",
    "old points": b"LM=2\n12.5 30.\n1. 2.\nIMAGE=a b.jpg\nID=7\nSCALE=.05\n",
    "third column": b"LM=2\n12.5 30\t1837.66\n1 2\t0\nIMAGE=a b.jpg\nID=7\nSCALE=0.05\n",
    "any order": b"LM=2\n12.5 30\n1 2\nSCALE=0.05\nID=7\nIMAGE=a b.jpg\n",
    "unknown keys": b"LM=2\n12.5 30\n1 2\nRADII=1\nIMAGE=a b.jpg\nMY.KEY-2=x=y\nID=7\nSCALE=0.05\n",
    "BOM": b"\xef\xbb\xbfLM=2\n12.5 30\n1 2\nIMAGE=a b.jpg\nID=7\nSCALE=0.05\n",
    "remarks": b"\n# R.\nCOMMENT=x\nLM=2\n#\n12.5 30\n\n1 2\nIMAGE=a b.jpg\nID=7\nSCALE=0.05\n\n#end\n\n",
    "MS-DOS end of file": b"LM=2\r\n12.5 30\r\n1 2\r\nIMAGE=a b.jpg\r\nID=7\r\nSCALE=0.05\r\n\x1a",
    "doubled CR": b"LM=2\r\r\n12.5 30\r\r\n1 2\r\r\nIMAGE=a b.jpg\r\r\nID=7\r\r\nSCALE=0.05\r\r\n",
    "same key twice": b"LM=2\n12.5 30\n1 2\nIMAGE=a b.jpg\nID=7\nIMAGE=a b.jpg\nSCALE=0.05\n",
}


@pytest.mark.parametrize("content", QUIRKS.values(), ids=QUIRKS.keys())
def test_a_quirk_reads_as_what_it_means(content: bytes) -> None:
    one = record(content)
    assert one.points.tolist() == [[12.5, 30.0], [1.0, 2.0]]
    assert (one.image, one.id, one.scale) == ("a b.jpg", "7", 0.05)
    assert (one.curves, one.outlines, one.dimensions) == ((), (), 2)


@pytest.mark.parametrize("text", ["-1 -1", "-1.00000 -1.00000", "-1.\t-1e0", "NA NA", "na na", "NaN NaN", "nan NA"])
def test_missing_landmarks(text: str) -> None:
    assert np.isnan(record(f"LM=1\n{text}\nID=1\n").points).all()


@pytest.mark.parametrize("text", ["-1 5", "5 -1", "-1 -1.00001", "-2 -2", "0 0", "-0.5 -300", "1 1"])
def test_other_negative_and_zero_coordinates_are_data(text: str) -> None:
    assert record(f"LM=1\n{text}\nID=1\n").points.tolist() == [[float(word) for word in text.split()]]


def test_an_empty_scale_is_none() -> None:
    assert record("LM=1\n1 2\nSCALE=\n").scale is None
    assert record("LM=1\n1 2\nSCALE= \r\nID=1").scale is None


def test_no_landmarks_as_tpsutil_builds_it() -> None:
    one, two = records("LM=0\nIMAGE=a.jpg\nID=0\nLM=0\nIMAGE=b.jpg\nID=1\n")
    assert one.points.shape == two.points.shape == (0, 2)
    assert (one.image, two.image) == ("a.jpg", "b.jpg")


def test_windows_paths_and_equal_signs_in_values() -> None:
    one = record("LM=1\n1 2\nIMAGE=C:\\Users\\Ü = x\\a b.JPG\nID=INDIVIDUAL=3\n")
    assert (one.image, one.id) == ("C:\\Users\\Ü = x\\a b.JPG", "INDIVIDUAL=3")


def test_curves_and_outlines() -> None:
    one = record(
        "LM=1\n1 2\nCURVES=2\nPOINTS=2\n3 4\n5 6\nPOINTS=1\n7 8\nOUTLINES=1\nPOINTS=1\n9 9\n"
        "OUTLINES=1\nPOINTS=2\n10 11\n-1 -1\nIMAGE=a.jpg\n"
    )
    assert one.points.tolist() == [[1, 2]]
    assert [curve.tolist() for curve in one.curves] == [[[3, 4], [5, 6]], [[7, 8]]]
    np.testing.assert_array_equal(one.outlines[0], [[10, 11], [NAN, NAN]])
    assert len(one.outlines) == 1
    assert one.image == "a.jpg"


def test_comments_of_several_lines_and_variables() -> None:
    one = record("LM=1\n1 2\nCOMMENT=left, then\n 12 13 turned\nCOMMENT=right\nVARIABLES=Area=25.750, sex=f\nID=1\n")
    assert one.comment == "left, then\n12 13 turned\nright"
    assert one.variables == {"Area": "25.750", "sex": "f"}
    assert one.id == "1"


def test_three_dimensions_are_kept_and_x_y_used() -> None:
    one = record("LM3=3\n1 2 3\n-1 -1 -1\n-1 -1 5\nID=1\n")
    assert one.dimensions == 3
    np.testing.assert_array_equal(one.points, [[1, 2], [NAN, NAN], [-1, -1]])


@pytest.mark.parametrize(
    ("content", "codec", "name"),
    [
        ("LM=0\nIMAGE=Käfer.jpg\n".encode(), "utf-8", "Käfer.jpg"),
        ("LM=0\nIMAGE=Käfer.jpg\n".encode("cp1252"), "cp1252", "Käfer.jpg"),
        (b"LM=0\nIMAGE=\x81\x8d\x8f\x90\x9d\x85\xff.jpg\n", "cp1252", "\x81\x8d\x8f\x90\x9d…ÿ.jpg"),
        (b"\xef\xbb\xbfLM=0\nIMAGE=\xe4.jpg\n", "cp1252", "ä.jpg"),
        ("LM=0\nIMAGE=a\u2028b\x85\x0b.jpg\n".encode(), "utf-8", "a\u2028b\x85\x0b.jpg"),
    ],
)
def test_encodings(content: bytes, codec: str, name: str) -> None:
    file = tps.parse_file(content)
    assert file.content == content
    assert file.encoding == Encoding(codec, content.startswith(b"\xef"))
    assert file.records[0].image == name


# --- broken files ---

NO_LM = (
    "expected a TPS file, in which LM=<number of landmarks> starts each specimen; "
    "move LM= and its coordinates to the start of the specimen, or name another file"
)
BROKEN = [
    (
        b"LM=3\n1 2\n3 4\nIMAGE=a.jpg\n",
        "f.tps:1: LM=3 but only 2 coordinate lines before IMAGE= in line 4; "
        "correct the number, or add the coordinates (-1 -1 for a landmark that cannot be seen)",
    ),
    (
        b"LM=0\nID=0\n\nLM=2\n1 2\n",
        "f.tps:4: LM=2 but only 1 coordinate line before it ends; "
        "correct the number, or add the coordinates (-1 -1 for a landmark that cannot be seen)",
    ),
    (
        b"LM=1\r\n1 2\r\n3 4\r\nIMAGE=a.jpg\r\n",
        "f.tps:3: one more coordinate line ('3 4') than LM=1 announces; correct LM=, or delete the line",
    ),
    (
        b"LM=1\n1 2\nIMAGE=a.jpg\n3 4\n",
        "f.tps:4: coordinates ('3 4') that no LM= or POINTS= announces; "
        "add the missing LM=<number of landmarks> line, or correct POINTS=, or delete the line",
    ),
    (
        b"LM=2\n1 2\n3 x4\nID=1\n",
        "f.tps:3: 'x4'; expected a number; correct it, or write -1 -1 for a missing landmark",
    ),
    (
        b"LM=1\n1_0 2\n",
        "f.tps:2: '1_0'; expected a number; correct it, or write -1 -1 for a missing landmark",
    ),
    (
        b"LM=1\ninf 2\n",
        "f.tps:2: 'inf'; expected a number; correct it, or write -1 -1 for a missing landmark",
    ),
    (
        b"LM=1\n12,5 30,1\n",
        "f.tps:2: '12,5'; expected numbers with a decimal point, separated by a blank; replace the comma",
    ),
    (
        b"LM=1\n12.5,30.1\n",
        "f.tps:2: '12.5,30.1'; expected numbers with a decimal point, separated by a blank; replace the comma",
    ),
    (
        b"LM=1\n12.5\nID=1\n",
        "f.tps:2: 1 coordinate ('12.5'); expected 2 per landmark; "
        "add what is missing, or mark the landmark as missing (-1 -1)",
    ),
    (
        b"LM3=1\n1 2\nID=1\n",
        "f.tps:2: 2 coordinates ('1 2'); expected 3 per landmark; "
        "add what is missing, or mark the landmark as missing (-1 -1)",
    ),
    (
        b"LM=1\nNA 5\n",
        "f.tps:2: 'NA 5', a landmark missing in one coordinate only; expected NA for all of them, or for none",
    ),
    (b"LM=-3\n", "f.tps:1: LM=-3; expected a whole number, 0 or more; correct LM="),
    (b"LM=2.5\n1 2\n", "f.tps:1: LM=2.5; expected a whole number, 0 or more; correct LM="),
    (b"LM=\n1 2\n", "f.tps:1: LM=; expected a whole number, 0 or more; correct LM="),
    (
        b"\nIMAGE=a.jpg\nLM=1\n1 2\n",
        "f.tps:2: 'IMAGE=a.jpg' before the first LM=; " + NO_LM,
    ),
    (
        b"my landmarks\nLM=1\n1 2\n",
        "f.tps:1: 'my landmarks' before the first LM=; " + NO_LM,
    ),
    (
        b"Dear colleague,\n",
        "f.tps:1: 'Dear colleague,' and no LM= line; " + NO_LM,
    ),
    (
        b"LM=1\n1 2\nID=1\nfrom the museum\n",
        "f.tps:4: 'from the museum'; expected KEY=value; delete the line, or write COMMENT= before it",
    ),
    (b"", "f.tps: nothing in it; expected specimens, each starting with LM="),
    (b" \r\n\n# \n", "f.tps: nothing in it; expected specimens, each starting with LM="),
    (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "f.tps: binary data; expected a TPS text file; save it as UTF-8 text, or name another",
    ),
    (
        "\ufeffLM=1\n1 2\n".encode("utf-16-le"),
        "f.tps: UTF-16 text; expected a TPS text file; save it as UTF-8 text, or name another",
    ),
    (
        b"LM=0\nSCALE=0,05\n",
        "f.tps:2: SCALE=0,05; expected a positive number, length units per pixel; write 0.05",
    ),
    *(
        (
            f"LM=0\nSCALE={value}\n".encode(),
            f"f.tps:2: SCALE={value}; expected a positive number, length units per pixel; "
            "correct it, or delete the line",
        )
        for value in ("0", "-2", "1e999", "nan", "5 mm")
    ),
    (
        b"LM=0\nCURVES=2\nPOINTS=1\n1 2\nID=1\n",
        "f.tps:2: CURVES=2 but 1 POINTS= before ID= in line 5; expected one POINTS=, with its coordinates, "
        "for each; correct CURVES= or add what is missing",
    ),
    (
        b"LM=0\nCURVES=1\nPOINTS=2\n1 2\nID=1\n",
        "f.tps:3: POINTS=2 but only 1 coordinate line before ID= in line 5; "
        "correct the number, or add the coordinates (-1 -1 for a landmark that cannot be seen)",
    ),
    (
        b"LM=0\nPOINTS=1\n1 2\n",
        "f.tps:2: POINTS=1 which no CURVES= or OUTLINES= announces; correct the number in CURVES= or OUTLINES=",
    ),
    (
        b"LM=0\nIMAGE=a.jpg\nID=0\nIMAGE=b.jpg\n",
        "f.tps:4: a second IMAGE= (b.jpg) that differs from the first (a.jpg); "
        "expected one IMAGE= per specimen, each specimen starting with LM=; "
        "add the missing LM= line, or delete the wrong one",
    ),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_a_broken_file_says_where_and_what_to_do(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("f.tps")
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        tps.load(path)
    assert str(caught.value) == message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.tps: cannot be opened \(No such file or directory\); check its name"):
        tps.load(tmp_path / "none.tps")


def test_a_table_of_distances_is_kept_but_gives_no_landmarks(tmp_path: Path) -> None:
    content = b"IMAGE = Md 174.JPG\n2019 2173\t2097 337\t1837.66\n"
    path = tmp_path / "DiffEM.tps"
    path.write_bytes(content)
    assert tps.read(path).records == ()
    assert tps.read(path).content == content
    with pytest.raises(UserError, match=r"DiffEM\.tps:1: keys and numbers but no LM= line; expected LM=<number of"):
        tps.load(path)


# --- properties over random files ---

numbers = st.one_of(
    st.integers(-5, 5000).map(str),
    st.floats(-1e5, 1e5, allow_nan=False).map(lambda value: f"{value:.5f}"),
    st.floats(-1e5, 1e5, allow_nan=False).map(repr),
)
names = st.text(st.characters(codec="cp1252", exclude_categories=("Cc", "Zs", "Zl", "Zp")), max_size=12)


@dataclass(frozen=True)
class Sample:
    """A record as text, and what was meant, made together and not by the code under test."""

    text: str
    points: list[list[float]]
    image: str
    id: str
    scale: float | None


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    gap = st.sampled_from([" ", "\t", "  "])
    tail = st.sampled_from(["", "", " ", "\t12.5", "\t"])
    case = draw(st.sampled_from([str.upper, str.lower, str.title]))
    equal = draw(st.sampled_from(["=", " = ", "= "]))
    points: list[list[float]] = []
    lines: list[str] = []

    def coordinate_line() -> str:
        words = draw(
            st.sampled_from([("-1", "-1"), ("NA", "NA")])
            if draw(st.integers(0, 5)) == 0
            else st.tuples(numbers, numbers)
        )
        absent = words[0] == "NA" or all(float(word) == -1 for word in words)
        points.append([NAN, NAN] if absent else [float(word) for word in words])
        return words[0] + draw(gap) + words[1] + draw(tail)

    rows = [coordinate_line() for _ in range(draw(st.integers(0, 6)))]
    landmarks = list(points)
    image, identity = draw(names), draw(names)
    scale = draw(st.none() | st.floats(1e-6, 1e6))
    keys = {"IMAGE": image, "ID": identity, "VARIABLES": "a=1", "RADII": "2", "COMMENT": draw(names)}
    keys |= {} if scale is None else {"SCALE": repr(scale)}
    blocks = [[case(key) + equal + value + draw(st.sampled_from(["", " "]))] for key, value in keys.items()]
    n_curves = draw(st.integers(0, 2))
    if n_curves:
        curves = [[f"POINTS={n}", *(coordinate_line() for _ in range(n))] for n in range(n_curves)]
        blocks.append([f"CURVES={n_curves}", *(line for curve in curves for line in curve)])
    lines = [case("LM") + equal + str(len(rows)), *rows]
    for block in draw(st.permutations(blocks)):
        lines += block + [""] * draw(st.sampled_from([0, 0, 0, 1]))
    return Sample("".join(line + end for line in lines), landmarks, image, identity, scale)


files_of_samples = st.lists(samples(), min_size=1, max_size=3)
heads = st.sampled_from(["", "", "\n", "# by R.\r\n", "COMMENT=x\n\n"])


@given(files_of_samples, heads, st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]), st.booleans())
def test_random_files_survive_and_mean_what_was_meant(
    chosen: list[Sample], head: str, codec: str, final_end: bool
) -> None:
    text = head + "".join(sample.text for sample in chosen)
    text = text if final_end else text.rstrip("\r\n")
    content = text.encode(codec)
    file = tps.parse_file(content)
    assert file.content == content
    assert "".join(file.head) == head
    assert len(file.records) == len(chosen)
    exact = codec != "cp1252" or not _is_utf8(content)  # bytes that are valid UTF-8 are read as UTF-8
    for found, meant in zip(file.records, chosen, strict=True):
        np.testing.assert_array_equal(found.points, np.reshape(meant.points, (-1, 2)))
        assert found.scale == meant.scale
        if exact:
            assert (found.image, found.id) == (meant.image, meant.id)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not content.isascii()


@given(st.binary(max_size=200))
def test_any_bytes_decode_and_encode_to_themselves(content: bytes) -> None:
    text, encoding = decode(content)
    assert encoding.encode(text) == content
    assert "".join(split_lines(text)) == text


@given(files_of_samples, st.data())
def test_damaged_files_are_refused_by_a_user_error_or_survive(chosen: list[Sample], data: st.DataObject) -> None:
    content = bytearray("".join(sample.text for sample in chosen).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=3))
    try:
        found = tps.parse_file(bytes(content)).content
    except UserError as error:
        found, message = bytes(content), str(error)
        event("refused")
    else:
        message = ""
    assert found == content
    assert "\n" not in message
    assert "\r" not in message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tps")


@given(files_of_samples, st.integers(1, 20_000) | st.none())
def test_flipping_there_and_back_is_exact(folder: Path, chosen: list[Sample], height: int | None) -> None:
    """Load with any height, save, and every byte is there, although H - (H - y) need not be y in float64."""
    path, again = folder / "a.tps", folder / "b.tps"
    content = "".join(sample.text for sample in chosen).encode()
    path.write_bytes(content)
    specimens = tps.load(path, lambda name: (9999, height))
    tps.save(again, specimens, None)
    assert again.read_bytes() == content
    for found, meant in zip(specimens, chosen, strict=True):
        down = (
            [[x, (height if found.image or found.id else 0) - y] for x, y in meant.points]
            if height
            else [[x, -y] for x, y in meant.points]
        )
        np.testing.assert_array_equal(found.points, np.reshape(down, (-1, 2)))


@given(files_of_samples, st.integers(1, 20_000), st.data())
def test_a_moved_landmark_changes_its_line_only(
    folder: Path, chosen: list[Sample], height: int, data: st.DataObject
) -> None:
    path, again = folder / "c.tps", folder / "d.tps"
    path.write_bytes("".join(sample.text for sample in chosen).encode())
    specimens = list(tps.load(path, lambda name: (9999, height)))
    n = data.draw(st.integers(0, len(specimens) - 1))
    assume(specimens[n].n_landmarks)
    k = data.draw(st.integers(0, specimens[n].n_landmarks - 1))
    moved = specimens[n].points.copy()
    target = data.draw(st.sampled_from([[NAN, NAN], [17.123456, height + 1.0], [3000.25, -7.5]]))
    assume(not np.array_equal(moved[k], target, equal_nan=True))
    moved[k] = target
    specimens[n] = specimens[n].with_points(moved)
    tps.save(again, specimens)
    old, new = path.read_bytes(), again.read_bytes()
    lines = [re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)", content) for content in (old, new)]
    changed = [i for i, pair in enumerate(zip(*lines, strict=True)) if pair[0] != pair[1]]
    header = [i for i, line in enumerate(lines[0]) if re.match(rb"lm\b", line, re.IGNORECASE)][n]
    assert changed == [header + 1 + k]
    before, after = lines[0][changed[0]], lines[1][changed[0]]
    further = re.match(rb"\s*\S+\s+\S+(.*)$", before, re.DOTALL)
    assert further
    assert after.endswith(further[1])
    found = tps.load(again, lambda name: (9999, height))
    for one, other in zip(specimens, found, strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-5)


coordinates = st.floats(-3e4, 3e4) | st.integers(-3, 3).map(float) | st.sampled_from([-1.000004, -0.999996, -1e-9])
point_lists = st.lists(st.just((NAN, NAN)) | st.tuples(coordinates, coordinates), max_size=8)
clean_names = names.filter(lambda name: name == name.strip())


@example([(-1.0, 1001.0), (NAN, NAN), (-1.000004, 1000.999996)], "a.jpg", "", None, 1000, "tpsdig")
@given(
    point_lists,
    clean_names.map(lambda name: "x" + name),
    clean_names,
    st.none() | st.floats(1e-9, 1e9),
    st.integers(1, 10_000),
    st.sampled_from(["keep", "tpsdig", "geomorph"]),
)
def test_new_specimens_read_back_within_five_decimals(
    folder: Path,
    points: list[tuple[float, float]],
    image: str,
    identity: str,
    scale: float | None,
    height: int,
    missing: tps.Missing,
) -> None:
    path = folder / "e.tps"
    specimen = Landmarks(np.reshape(points, (-1, 2)), image, identity, scale)
    tps.save(path, [specimen, specimen], {image: (9999, height)}, missing=missing)
    for again in tps.load(path, {image: (9999, height)}):
        np.testing.assert_allclose(again.points, specimen.points, rtol=0, atol=1.0001e-5)
        assert (again.image, again.id, again.scale) == (image, identity, scale)


# --- writing ---


def test_a_new_specimen_is_written_as_tpsdig_or_geomorph_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new.tps"
    specimen = Landmarks([[12.5, 70.0], [NAN, NAN], [-1.0, 101.0]], "a.jpg", "7", 1e-5)
    tps.save(path, [specimen], {"a.jpg": (200, 100)})
    assert path.read_bytes() == (
        b"LM=3\n12.50000 30.00000\n-1.00000 -1.00000\n-0.999999 -1.00000\nIMAGE=a.jpg\nID=7\nSCALE=0.00001\n"
    )
    tps.save(path, [replace(specimen, scale=None, id="")], {"a.jpg": (200, 100)}, missing="geomorph")
    assert path.read_bytes() == b"LM=3\n12.50000 30.00000\nNA NA\n-0.999999 -1.00000\nIMAGE=a.jpg\n"


ORIGINAL = (
    b"# head\r\nLM=3\r\n 10 20\t5.5 \r\n\r\n-1 -1\r\n30.5 40.5\r\nCURVES=1\r\nPOINTS=1\r\n1 2\r\n"
    b"ID = 7 \r\nMYKEY=x\r\nIMAGE=a.jpg\r\nSCALE=0.5\r\n\r\n"
)


def edited(tmp_path: Path, missing: tps.Missing = "keep", **changes: object) -> list[tuple[bytes, bytes]]:
    """The lines of ORIGINAL that differ after a change, old and new; a removed or added one is empty."""
    path, again = tmp_path / "o.tps", tmp_path / "n.tps"
    path.write_bytes(ORIGINAL)
    (specimen,) = tps.load(path, {"a.jpg": (200, 100)})
    tps.save(again, [replace(specimen, **changes)], missing=missing)  # type: ignore[arg-type]
    return list(_differing(ORIGINAL.split(b"\r\n"), again.read_bytes().split(b"\r\n")))


def _differing(old: list[bytes], new: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield b"|".join(old[a:b]), b"|".join(new[c:d])


def test_edits_touch_only_their_lines(tmp_path: Path) -> None:
    points = [[10.0, 80.0], [NAN, NAN], [30.5, 59.5]]
    assert edited(tmp_path) == []
    assert edited(tmp_path, points=points) == []
    assert edited(tmp_path, points=[[11.0, 80.0], *points[1:]]) == [(b" 10 20\t5.5 ", b" 11.00000 20.00000\t5.5 ")]
    assert edited(tmp_path, points=[points[0], [1.0, 2.0], points[2]]) == [(b"-1 -1", b"1.00000 98.00000")]
    assert edited(tmp_path, points=[[NAN, NAN], *points[1:]]) == [(b" 10 20\t5.5 ", b" -1.00000 -1.00000\t5.5 ")]
    assert edited(tmp_path, missing="geomorph") == [(b"-1 -1", b"NA NA")]
    assert edited(tmp_path, missing="tpsdig") == []
    assert edited(tmp_path, image="b.jpg") == [(b"IMAGE=a.jpg", b"IMAGE=b.jpg")]
    assert edited(tmp_path, id="8") == [(b"ID = 7 ", b"ID = 8 ")]
    assert edited(tmp_path, scale=0.25) == [(b"SCALE=0.5", b"SCALE=0.25")]
    assert edited(tmp_path, scale=None) == [(b"SCALE=0.5", b"")]


def test_edits_may_add_and_remove_landmarks(tmp_path: Path) -> None:
    points = [[10.0, 80.0], [NAN, NAN], [30.5, 59.5]]
    assert edited(tmp_path, points=[*points, [1.0, 2.0]]) == [(b"LM=3", b"LM=4"), (b"", b"1.00000 98.00000")]
    assert edited(tmp_path, points=points[:2]) == [(b"LM=3", b"LM=2"), (b"30.5 40.5", b"")]
    assert edited(tmp_path, points=[]) == [(b"LM=3| 10 20\t5.5 ", b"LM=0"), (b"-1 -1|30.5 40.5", b"")]


def test_a_tpsutil_build_file_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "build.tps"
    path.write_bytes(b"LM=0\r\nIMAGE=a.jpg\r\nLM=0")
    one, two = tps.load(path, {"a.jpg": (200, 100)})
    points = [[1.0, 2.0], [NAN, NAN]]
    tps.save(path, [one.with_points(points), replace(two.with_points([[3.0, -4.0]]), id="x")])
    assert path.read_bytes() == (
        b"LM=2\r\n1.00000 98.00000\r\n-1.00000 -1.00000\r\nIMAGE=a.jpg\r\nLM=1\n3.00000 4.00000\nID=x\n"
    )


def test_three_dimensions_keep_z_when_a_landmark_moves(tmp_path: Path) -> None:
    path = tmp_path / "3d.tps"
    path.write_bytes(b"LM3=2\n1 2 3\n-1 -1 -1\nID=1\n")
    (one,) = tps.load(path)
    tps.save(path, [one.with_points([[5.0, -6.0], [NAN, NAN]])])
    assert path.read_bytes() == b"LM3=2\n5.00000 6.00000 3\n-1 -1 -1\nID=1\n"
    tps.save(path, [one.with_points([[NAN, NAN], [NAN, NAN]])], missing="geomorph")
    assert path.read_bytes() == b"LM3=2\nNA NA NA\nNA NA NA\nID=1\n"
    for points in ([[1.0, -2.0], [1.0, 1.0]], [[1.0, -2.0], [NAN, NAN], [1.0, 1.0]]):
        with pytest.raises(UserError, match="z coordinate is not known"):
            tps.save(path, [one.with_points(points)])


def test_files_are_merged(tmp_path: Path) -> None:
    """Records keep their bytes; a line end is added between, text before the first only where it is first."""
    one, two, both = tmp_path / "1.tps", tmp_path / "2.tps", tmp_path / "both.tps"
    one.write_bytes(b"# one\r\nLM=1\r\n1 2\r\nID=1")
    two.write_bytes(b"# two\nLM=1\n3 4\nID=2\n")
    specimens = (*tps.load(one), *tps.load(two), Landmarks([[5.0, -6.0]], id="3"))
    tps.save(both, specimens)
    assert both.read_bytes() == (b"# one\r\nLM=1\r\n1 2\r\nID=1\r\nLM=1\n3 4\nID=2\nLM=1\n5.00000 6.00000\nID=3\n")
    tps.save(both, specimens[1::-1])
    assert both.read_bytes() == b"# two\nLM=1\n3 4\nID=2\nLM=1\r\n1 2\r\nID=1"


def test_a_head_belongs_to_the_first_specimen_only(tmp_path: Path) -> None:
    path = tmp_path / "a.tps"
    path.write_bytes(b"# head\nLM=0\nID=1\nLM=0\nID=2\n")
    tps.save(path, tps.load(path)[::-1])
    assert path.read_bytes() == b"LM=0\nID=2\nLM=0\nID=1\n"


def test_a_key_that_is_there_twice_changes_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.tps"
    path.write_bytes(b"LM=0\nIMAGE=a.jpg\nID=1\nimage=a.jpg\n")
    (one,) = tps.load(path)
    tps.save(path, [replace(one, image="b.jpg")])
    assert path.read_bytes() == b"LM=0\nIMAGE=b.jpg\nID=1\nimage=b.jpg\n"


def test_mixed_encodings_become_utf8_and_one_encoding_stays(tmp_path: Path) -> None:
    cp1252, utf8, both = tmp_path / "1.tps", tmp_path / "2.tps", tmp_path / "both.tps"
    cp1252.write_bytes("LM=0\nIMAGE=ä\x81.jpg\n".encode("latin-1"))
    utf8.write_bytes("\ufeffLM=0\nIMAGE=č.jpg\n".encode())
    old, new = tps.load(cp1252), tps.load(utf8)
    tps.save(both, (*old, *new))
    assert both.read_bytes() == "LM=0\nIMAGE=ä\x81.jpg\nLM=0\nIMAGE=č.jpg\n".encode()
    tps.save(both, (*old, *old))
    assert both.read_bytes() == cp1252.read_bytes() * 2
    tps.save(both, new)
    assert both.read_bytes() == utf8.read_bytes()
    tps.save(both, (*old, Landmarks([], "č.jpg")))
    assert both.read_bytes() == "LM=0\nIMAGE=ä\x81.jpg\nLM=0\nIMAGE=č.jpg\n".encode()
    assert shared([], "č") == Encoding("utf-8", False)


def test_no_specimens_make_an_empty_file(tmp_path: Path) -> None:
    tps.save(tmp_path / "none.tps", [])
    assert (tmp_path / "none.tps").read_bytes() == b""


@pytest.mark.parametrize(
    ("specimen", "message"),
    [
        (
            Landmarks([[1.0, 2.0]], "a.jpg"),
            "a.jpg: landmarks counted from the top edge of a photograph whose height",
        ),
        (Landmarks([[np.inf, -2.0]], "a.jpg"), "a.jpg: an infinite coordinate"),
        (Landmarks([[1.0, -2.0]], "a\nb"), "a line break in its name"),
        (Landmarks([[1.0, -2.0]], "a\udce4.jpg"), "no valid text"),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_old_file_stays(
    specimen: Landmarks, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.tps"
    path.write_bytes(b"LM=0\n")
    with pytest.raises(UserError, match=message):
        tps.save(path, [specimen])
    assert path.read_bytes() == b"LM=0\n"
    assert list(tmp_path.iterdir()) == [path]


def test_ktch_opens_what_we_write_with_the_same_pixels(tmp_path: Path) -> None:
    ktch_io = pytest.importorskip("ktch.io")
    path = tmp_path / "ours.tps"
    points = np.random.default_rng(0).uniform(0, 3000, (2, 18, 2))
    specimens = [Landmarks(one, f"Käfer {n}.jpg", str(n), 0.0125) for n, one in enumerate(points)]
    tps.save(path, specimens, lambda name: (2448, 3264))
    read = ktch_io.read_tps(path)
    assert [one.to_numpy().shape for one in read] == [(18, 2)] * 2
    for one, meant in zip(read, points, strict=True):
        np.testing.assert_allclose(
            one.to_numpy(), np.column_stack([meant[:, 0], 3264 - meant[:, 1]]), rtol=0, atol=1e-5
        )


# --- public files ---


def public_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".tps")


def slow_count(content: bytes) -> Counter[str]:
    """Specimens, landmarks and coordinate lines, counted on bytes without the reader."""
    count: Counter[str] = Counter()
    for line in re.split(rb"\r\n|\r|\n", content):
        key = re.match(rb"\s*(LM|POINTS|IMAGE|ID|SCALE)\s*=\s*(.*?)\s*$", line, re.IGNORECASE)
        if key:
            count[key[1].decode().upper()] += 1
            if key[1].upper() in (b"LM", b"POINTS"):
                count["announced " + key[1].decode().upper()] += int(key[2])
        elif line.strip() and b"=" not in line:
            x, y = line.split()[:2]
            count["lines"] += 1
            count["missing"] += float(x) == float(y) == -1
    return count


def test_the_zoo_is_complete(shared_data: Path) -> None:
    assert len(public_files(shared_data / "tps-zoo")) == 60
    assert len(public_files(shared_data)) >= 113


def test_every_public_file_survives_and_counts_agree(shared_data: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tps"
    tables = 0
    for path in public_files(shared_data):
        content, file = path.read_bytes(), tps.read(path)
        assert file.content == content, path
        count = slow_count(content)
        found = file.records
        assert len(found) == count["LM"], path
        assert sum(len(one.points) for one in found) == count["announced LM"], path
        assert sum(len(curve) for one in found for curve in one.curves) == count["announced POINTS"], path
        assert sum(int(np.isnan(one.points[:, 0]).sum()) for one in found) == count["missing"], path
        if not found:
            tables += 1
            with pytest.raises(UserError, match="no LM= line"):
                tps.load(path)
            continue
        assert count["lines"] == count["announced LM"] + count["announced POINTS"], path
        assert sum("ID" in one.places for one in found) == count["ID"], path
        assert sum("IMAGE" in one.places for one in found) == count["IMAGE"], path
        assert sum(one.scale is not None for one in found) == count["SCALE"], path
        tps.save(again, tps.load(path, lambda name: (3264, 2448)))
        assert again.read_bytes() == content, path
    assert tables == 5, "the comparison tables of MAELab (DiffEM) hold two points per line and no LM="


def test_every_coordinate_of_the_public_files(shared_data: Path) -> None:
    """Against a reader of three lines that knows nothing of curves, so on files without them."""
    compared = 0
    for path in public_files(shared_data / "tps-zoo"):
        content = path.read_bytes()
        file = tps.parse_file(content)
        if b"CURVES" in content or not file.records:
            continue
        rows = [line.split()[:2] for line in content.splitlines() if line.strip() and b"=" not in line]
        expected = np.array(rows, dtype=float)
        expected[(expected == -1).all(axis=1)] = NAN
        np.testing.assert_array_equal(np.concatenate([one.points for one in file.records]), expected)
        compared += len(expected)
    assert compared > 20_000


def test_what_two_public_files_say(shared_data: Path) -> None:
    zoo = shared_data / "tps-zoo"
    (ktch,) = tps.read(next(zoo.glob("noshita*"))).records
    assert (ktch.comment, ktch.variables, ktch.scale) == ("Sample curve outline", {"Area": "25.750"}, 0.025)
    assert [len(curve) for curve in ktch.curves] == [50]
    first = tps.read(next(zoo.glob("Matteo*"))).records[0]
    assert first.image == (r"C:\Users\Federico\Desktop\orthetrum_specimen\specimen_albistylum\drp030ortalbmDr720.jpg")
