import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronotum.errors import UserError
from pronotum.formats import ebnet_csv
from pronotum.formats.ebnet_txt import read_answers, write_answers
from pronotum.landmarks import Landmarks

NAN = float("nan")
ASKED = [Landmarks(np.zeros((2, 2)), image=f"p_00{number}.jpg", id=f"00{number}") for number in (1, 2)]
PLAIN = "0.0\t0.0\n-1\t1\n0.25\t-0.5\n1.0\t-1.0\n"
EXPECTED = [[[128, 96], [0, 192]], [[160, 48], [256, 0]]]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n", "\r\n"),
        "\n0.0\t0.0\n-1\t1\n\n0.25\t-0.5\n1.0\t-1.0\n",
        "0.0 0.0\n-1 1e0\n\n2.5e-1 -0.5\n1.0 -1.0\n\n",
    ],
    ids=["programs", "no final line end", "CRLF", "blank before each image", "blank after each image"],
)
def test_answers_are_px_of_the_frame_in_the_order_asked(tmp_path, text):
    path = tmp_path / "test_round1.txt"
    path.write_text(text, newline="")
    answers = read_answers(path, ASKED)
    assert [one.points.tolist() for one in answers] == EXPECTED
    assert [(one.image, one.id) for one in answers] == [("p_001.jpg", "001"), ("p_002.jpg", "002")]


def test_the_frame_of_the_nematodes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(PLAIN)
    assert read_answers(path, ASKED, (250, 200))[1].points.tolist() == [[156.25, 50], [250, 0]]


def test_the_programs_answer_complete_rows_only(tmp_path):
    table, path = tmp_path / "test_v10.csv", tmp_path / "a.txt"
    table.write_text("x1,y1,x2,y2,Image\n1,1,1,1,p_1.png\n1,1,,,p_2.png\n1,1,1,1,p_3.png\n")
    path.write_text(PLAIN)
    rows = ebnet_csv.load(table)
    assert [one.id for one in read_answers(path, ebnet_csv.complete(rows))] == ["1", "3"]
    with pytest.raises(UserError, match=r"4 lines; expected 6, 2 for each of 3 images; name the test CSV"):
        read_answers(path, rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN * 2, r"8 lines, the answers of 2 runs one after another; expected 4, 2 for each of 2 images; keep"),
        (PLAIN + "\n" + PLAIN, r"8 lines, the answers of 2 runs one after another"),
        (PLAIN * 3, r"12 lines, the answers of 3 runs"),
        (PLAIN + "0\t0\n", r"5 lines; expected 4, 2 for each of 2 images; name the test CSV"),
        (PLAIN * 2 + "0\t0\n", r"9 lines; expected 4, 2 for each of 2 images; name the test CSV"),
        ("", r"0 lines; expected 4"),
        ("0\t0\n\n0\t0\n0\t0\n0\t0\n", r":2: a blank line after 1 landmark of image 1; expected 2 lines per image"),
        ("0\t0\n0\t0\n0\t0\n\n0\t0\n", r":4: a blank line after 1 landmark of image 2"),
        ("0\t0\n0\n0\t0\n0\t0\n", r":2: '0'; expected two numbers"),
        ("0\t0\n0\t0\t1\n0\t0\n0\t0\n", r":2: '0\t0\t1'; expected two numbers"),
        ("x1,y1,Image\n", r":1: 'x1,y1,Image'; expected two numbers, as the program writes"),
        ("0\tinf\n", r":1: '0\tinf'; expected two numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "test_round1.txt"
    path.write_text(text, newline="")
    with pytest.raises(UserError, match=message) as error:
        read_answers(path, ASKED)
    assert "\n" not in str(error.value)


def test_nothing_asked_and_no_file(tmp_path):
    with pytest.raises(UserError, match="nothing that was asked"):
        read_answers(tmp_path / "a.txt", [])
    with pytest.raises(UserError, match=r"a\.txt: cannot be opened"):
        read_answers(tmp_path / "a.txt", ASKED)


def test_answers_are_written_as_the_programs_do_but_not_appended(tmp_path):
    path = tmp_path / "a.txt"
    answers = [Landmarks([[128, 96], [0, 192]], id="1"), Landmarks([[NAN, NAN], [256, 0]], id="2")]
    for _ in range(2):
        write_answers(path, answers)
    assert path.read_bytes() == b"0\t0\n-1\t1\nnan\tnan\n1\t-1\n"
    write_answers(path, answers, blank_lines=True)
    assert path.read_bytes() == b"\n0\t0\n-1\t1\n\nnan\tnan\n1\t-1\n"
    assert np.isnan(read_answers(path, ASKED)[1].points[0]).all()
    with pytest.raises(UserError, match="ID=3: an infinite coordinate"):
        write_answers(path, [Landmarks([[np.inf, 0]], id="3")])
    assert path.read_bytes().startswith(b"\n0\t0")


POINT = st.tuples(st.floats(-50, 3300), st.floats(-50, 3300)) | st.just((NAN, NAN))


@given(
    points=st.lists(st.lists(POINT, min_size=3, max_size=3), min_size=1, max_size=4),
    frame=st.sampled_from([(256, 192), (250, 200), (3264, 2448)]),
    blank_lines=st.booleans(),
)
def test_what_is_written_reads_back(tmp_path_factory, points, frame, blank_lines):
    path = tmp_path_factory.getbasetemp() / "answers.txt"
    specimens = [Landmarks(own, id=str(number)) for number, own in enumerate(points, 1)]
    write_answers(path, specimens, frame, blank_lines=blank_lines)
    for one, other in zip(specimens, read_answers(path, specimens, frame), strict=True):
        np.testing.assert_allclose(other.points, one.points, rtol=0, atol=1e-5)
        assert other.id == one.id
