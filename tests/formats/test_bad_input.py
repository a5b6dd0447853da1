"""What goes wrong with files of every format: each mistake is one line that names the file and the place in it."""

from pathlib import Path

import pytest

from pronotum import formats
from pronotum.errors import UserError

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"

TWICE = "TWICE"
"""In place of a text to put in: the one that was found, once more."""

BROKEN: dict[str, tuple[str, dict[str, tuple[str, str, str]]]] = {}
"""By format: a whole file, and by mistake a text in it, what stands there instead, and what is said behind the file's
name. A truncated file ends before that text.

Mistakes that are not here a format cannot have: there is no version or no number of landmarks in it, a landmark left
out is a missing one; TPS and the CSV of the paper's programs may repeat a specimen (the doctor tells). Those of HDF5
files and of ROIs, which are no text, are in their own tests."""

BROKEN["tps"] = (
    "written.tps",
    {
        "truncated": ("3.00000 996.00000", "", ":13: LM=3 but only 1 coordinate line before it ends"),
        "count": ("LM=3", "LM=4", ":1: LM=4 but only 3 coordinate lines before CURVES= in line 5"),
        "number": ("0.00000 480", "0.00000 many", ":4: 'many.00000'"),
    },
)
BROKEN["csv"] = (
    "written.csv",
    {
        "truncated": ("996,5,994", "", ":3: 8 cells"),
        "count": ("3,996,5,994", "3,996,5,994,7", ":3: 11 cells"),
        "number": ("459.75", "many", ":2: 'many' in column Y1"),
        "duplicate": (
            "a.jpg,001,0.0125,bottom-left,10.5,459.75,,,0,480\n",
            TWICE,
            ":3: a.jpg (ID=001) again, as in ",
        ),
    },
)
BROKEN["tidy-csv"] = (
    "written.csv",
    {
        "truncated": ("left 1,3,4", "", ":5: 3 cells"),
        "count": ('a.jpg,"b,2",apex,834.56789,-0.1,\n', "", ":4: a.jpg (ID=b,2) without landmark apex"),
        "number": ("20.25", "many", ":2: 'many' in column y"),
        "duplicate": (
            "a.jpg,001,apex,10.5,20.25,0.0125\n",
            TWICE,
            ":3: landmark apex of a.jpg (ID=001) for the second time",
        ),
    },
)
BROKEN["ebnet-csv"] = (
    "written.csv",
    {
        "truncated": (",6,b_2", "", ":3: 5 cells"),
        "count": ("x3,y3", "x3", ":2: 7 cells"),
        "number": ("20.25", "many", ":2: 'many' in column y1"),
    },
)
BROKEN["imglab"] = (
    "written.xml",
    {
        "truncated": ('<part name="02" x="5"', "", ":18: no well-formed XML"),
        "number": ('x="10"', 'x="many"', ":9: 'many' in <part>"),
        "duplicate": ('      <part name="00" x="10" y="20"/>\n', TWICE, ":10: part '00' again"),
    },
)
BROKEN["coco"] = (
    "written.json",
    {
        "truncated": ('"categories"', "", ":12: no JSON"),
        "count": ("20.25, 2, 0,", "20.25, 2,", ": annotations[0].keypoints: 8 values"),
        "number": ("20.25", '"many"', ': annotations[0].keypoints[1]: "many"'),
        "duplicate": (
            '{"id": 1, "file_name": "a_1.jpg", "width": 640, "height": 480},\n',
            TWICE,
            ": images[1]: the id 1 again, as in images[0]",
        ),
    },
)
BROKEN["cvat"] = (
    "written.xml",
    {
        "truncated": ('<points label="left 1" outside="0" occluded="0" points="5.5', "", ":27: no well-formed XML"),
        "count": ("11.000000,20.750000", "11.000000,20.750000;1,2", ":17: <points> with 2 points in a skeleton"),
        "number": ("20.750000", "many", ":17: 'many' in <points>"),
        "duplicate": (
            '      <points label="apex" outside="0" occluded="0" points="11.000000,20.750000"></points>\n',
            TWICE,
            ":18: landmark 'apex' again",
        ),
        "version": ("<version>1.1<", "<version>2.0<", ":2: version 2.0"),
    },
)
BROKEN["label-studio"] = (
    "written.json",
    {
        "truncated": ('{"id": 2', "", ":3: no JSON"),
        "number": ('"x": ', '"x": "many", "old": ', ': [0].annotations[0].result[0].value.x: "many"'),
        "duplicate": (
            '"b_2.jpg", "specimen": "2"',
            '"a_1.jpg", "specimen": "1"',
            ": [1]: a_1.jpg (ID=1) again, as in ",
        ),
    },
)
BROKEN["deeplabcut"] = (
    "written.csv",
    {
        "truncated": ("3.0,4.0", "", ":5: 6 cells"),
        "count": ("left 1,left 1", "left 1", ":2: 8 cells"),
        "number": ("20.25", "many", ":4: 'many' in column apex y"),
        "duplicate": (
            "labeled-data,deeplabcut,a_1.jpg,10.5,20.25,,,0.0,0.0\n",
            TWICE,
            ":5: photograph labeled-data/deeplabcut/a_1.jpg again, as in ",
        ),
    },
)
BROKEN["deeplabcut-h5"] = ("written.h5", {"truncated": ("", "", ": broken")})
BROKEN["sleap"] = ("labels.slp", {"truncated": ("", "", ": broken")})
BROKEN["imagej-roi"] = ("written.zip", {"truncated": ("", "", ": a broken zip")})
BROKEN["morphoj"] = (
    "written.txt",
    {
        "truncated": ("\t5\t994", "", ":3: 5 cells"),
        "count": ("NA\tNA\t", "NA\tNA\tNA\t", ":2: 8 cells"),
        "number": ("459.75", "many", ":2: 'many' in column y1"),
        "duplicate": ("a.jpg\t10.5\t459.75\tNA\tNA\t0\t480\n", TWICE, ":3: a.jpg again, as in "),
    },
)
BROKEN["nts"] = (
    "written.nts",
    {
        "truncated": ("3 996", "", ":2: 10 words after the parameter line"),
        "count": ("1 2L 6", "1 2L 8", ":2: 14 words after the parameter line"),
        "number": ("459.75", "many", ":5: 'many'"),
        "duplicate": ("b.jpg", "a.jpg", ":6: a.jpg again, as in "),
        "version": ("1 2L 6 1", "9 2L 6 1", ":2: '9 2L 6 1 -999 DIM=2'"),
    },
)
BROKEN["imagej"] = (
    "written.csv",
    {
        "truncated": (",5,6", "", ":7: 2 cells"),
        "number": ("20.25", "many", ":2: 'many' in column Y"),
        "duplicate": (
            "6,b_2.jpg:2,5,6",
            "6,b_2.jpg:2,5,6\n7,a_1.jpg:1,5,6\n8,a_1.jpg:1,5,6",
            ":8: a_1.jpg (ID=1) again, as in ",
        ),
    },
)
BROKEN["stereomorph"] = (
    "written.txt",
    {
        "truncated": ("		base	0	100000", "", ":4: <landmarks.pixel> without </landmarks.pixel>"),
        "count": ("nrow=3", "nrow=4", ":4: 3 rows in landmarks.pixel"),
        "number": ("20.25", "many", ":5: 'many'"),
        "duplicate": ("left 1	NA", "apex	NA", ":4: two landmarks of the same name"),
    },
)
BROKEN["slicer"] = (
    "written.mrk.json",
    {
        "truncated": ('{"type": "Fiducial", "name": "b_2.jpg"', "", ":5: no JSON"),
        "count": ("10.5, 20.25, 0.0", "10.5, 20.25", ": markups[0].controlPoints[0].position: 2 numbers"),
        "number": ("20.25", '"many"', ': markups[0].controlPoints[0].position[1]: "many"'),
        "duplicate": (
            '"b_2.jpg", "specimen_id": "2"',
            '"a_1.jpg", "specimen_id": "1"',
            ": markups[1]: a_1.jpg (ID=1) again, as in ",
        ),
        "version": (
            "schema-v1.0.3",
            "schema-v2.0.0",
            ": @schema: oadable/Markups/Resources/Schema/markups-schema-v2.0.0.json",
        ),
    },
)
BROKEN["fcsv"] = (
    "written.fcsv",
    {
        "truncated": (",0,0,0,0,0,1,1,1,0,left 1", "", ":6: 2 cells"),
        "count": (",z,", ",", ": columns id, x, y, ow, ox, oy, oz, vis, sel, lock, label, desc, assoc"),
        "number": ("20.25", "many", ":4: the position 10.5, many, 0"),
        "duplicate": ("left 1", "apex", ": the label 'apex' twice"),
        "version": ("# Markups fiducial file version = 5.2\n", "", ": no such line"),
    },
)
BROKEN["pts"] = (
    "written.pts",
    {
        "truncated": ("1 1\n}", "", ": no } at the end"),
        "count": ("n_points: 3", "n_points: 4", ":2: 3 landmarks, announced as 4"),
        "number": ("21.25", "many", ":4: 'many'"),
        "version": ("version: 1", "version: 7", ":1: 'version: 7'"),
    },
)


def test_every_format_is_here() -> None:
    assert set(BROKEN) == set(formats.names())
    assert all("truncated" in mistakes for _, mistakes in BROKEN.values())


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, (_, mistakes) in BROKEN.items() for mistake in mistakes]
)
def test_a_mistake_is_one_line_with_its_place(name: str, mistake: str, tmp_path: Path) -> None:
    seed, mistakes = BROKEN[name]
    old, new, message = mistakes[mistake]
    content = (SEEDS / name / seed).read_bytes()
    assert not old or old.encode() in content
    if mistake == "truncated":
        content = content[: content.rindex(old.encode()) if old else len(content) // 2]
    else:
        content = content.replace(old.encode(), (old * 2 if new == TWICE else new).encode(), 1)
    path = tmp_path / seed
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        formats.load(path, name=name)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert said.removeprefix(str(path)).startswith(message)
    assert "\n" not in said
