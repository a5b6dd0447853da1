"""CSV files as spreadsheets in different countries save them."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronotum import formats
from pronotum.errors import UserError
from pronotum.formats import csv_rows
from pronotum.landmarks import Landmarks

# The same two specimens in all formats of tables: 12.5, 20.25, missing; 834.125, 0.5, 3, 4.
TABLES = {
    "csv": "image,id,origin,X1,Y1,X2,Y2\na.jpg,7,top-left,12.5,20.25,,\nb.jpg,8,top-left,834.125,0.5,3,4\n",
    "tidy-csv": "image,id,landmark,x,y\na.jpg,7,1,12.5,20.25\na.jpg,7,2,,\nb.jpg,8,1,834.125,0.5\nb.jpg,8,2,3,4\n",
    "ebnet-csv": "x1,y1,x2,y2,Image\n12.5,20.25,,,a_7.jpg\n834.125,0.5,3,4,b_8.jpg\n",
    "deeplabcut": "scorer,me,me,me,me\nbodyparts,1,1,2,2\ncoords,x,y,x,y\na.jpg,12.5,20.25,,\nb.jpg,834.125,0.5,3,4\n",
    "imagej": " ,Label,X,Y\n1,a.jpg,12.5,20.25\n2,a.jpg,NaN,NaN\n3,b.jpg,834.125,0.5\n4,b.jpg,3,4\n",
}
POINTS = [[[12.5, 20.25], [np.nan, np.nan]], [[834.125, 0.5], [3, 4]]]


def european(text: str, separator: str = ";") -> str:
    """As Excel saves it where numbers have commas."""
    return re.sub(r"(?<=[0-9])\.(?=[0-9])", ",", text.replace(",", separator))


WAYS = {
    "as it is": lambda text: text.encode(),
    "semicolons, decimal commas, UTF-8 with its mark, CRLF": lambda text: (
        european(text).replace("\n", "\r\n").encode("utf-8-sig")
    ),
    "semicolons, decimal points": lambda text: text.replace(",", ";").encode(),
    "tabs, decimal commas, UTF-16": lambda text: european(text, "\t").encode("utf-16"),
    "semicolons, Windows": lambda text: european(text).encode("cp1252"),
    "tabs, big-endian UTF-16": lambda text: b"\xfe\xff" + text.replace(",", "\t").encode("utf-16-be"),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("way", WAYS)
def test_every_spreadsheet_s_way(name: str, way: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(WAYS[way](TABLES[name]))
    assert formats.of(path).name == name
    specimens = formats.load(path)
    np.testing.assert_array_equal([one.points for one in specimens], POINTS)
    assert [one.image[0] for one in specimens] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image;origin;X1;Y1\na.jpg;top-left;1,5;2.5\n",
            r":2: '2\.5' in column Y1; expected a number with a decimal comma, as others",
        ),
        (
            "image;origin;X1;Y1\na.jpg;top-left;1.234,5;2,5\n",
            r":2: '1\.234,5' in column X1; expected a number with a decimal comma",
        ),
        (
            "image;origin;X1;Y1\na.jpg;top-left;10. Mai;2\n",
            r":2: '10\. Mai' in column X1; expected a number with a decimal point",
        ),
        ("image,origin,X1,Y1\na.jpg,top-left,1,5,2,5\n", ":2: 6 cells; expected 4 as in the header"),
        (
            "image;origin;X1;Y1\na.jpg;top-left;1,5\n",
            ":2: 3 cells, separated by semicolons; expected 4 as in the header",
        ),
        (
            'image,origin,X1,Y1\na.jpg,top-left,"1,5",2\n',
            ":2: '1,5' in column X1; expected a number with a decimal point",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        formats.load(path, name="csv")


def test_a_semicolon_in_a_name_separates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    one = Landmarks([[1.5, 2], [3, 4]], "a;b.jpg", "1,5", names=("left; tip", "right, tip"))
    formats.save(path, [one], name="tidy-csv")
    (again,) = formats.load(path)
    assert (again.image, again.id, again.names) == (one.image, one.id, one.names)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | st.text(';,\t\n"\0 1.-x\r', max_size=60).map(str.encode), mark=st.booleans())
def test_no_bytes_crash_the_reader(content: bytes, mark: bool, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe" * mark + content)
    assert len(csv_rows.peek(path)) <= 2
    try:
        rows = csv_rows.read(path)
    except UserError:
        return
    assert all(len(cells) == len(rows.header) for _, cells in rows.rows)
