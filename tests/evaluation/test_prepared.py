import numpy as np
import pytest
from PIL import Image

from pronotum.errors import UserError
from pronotum.evaluation import rounds
from pronotum.evaluation.prepared import is_prepared, open_prepared, plan_of

MARKS = ("", "_r10", "_g10", "_b10", "_r", "_g", "_b")
TESTS = {10: (1, 2), 11: (3, 4), 13: (5,)}
SIZE = (256, 192)


def landmarks(number):
    return [100 + number, 50, 20, 150 - number]


def row(number, mark="", prefix="p_"):
    return ",".join(map(str, landmarks(number))) + f",/data3/2018/256/{prefix}{number:03d}{mark}.png\n"


def table(path, rows):
    path.write_text("x1,y1,x2,y2,Image\n" + "".join(rows))


@pytest.fixture
def prepared(tmp_path):
    """Five specimens in three rounds, seven rows each for training, pictures of all rows below."""
    folder = tmp_path / "pronotum"
    make(folder)
    return folder


def make(folder, tests=TESTS, prefix="p_", marks=MARKS):
    """Write the files of a part; the first mark is that of the original."""
    pictures = folder / "images"
    pictures.mkdir(parents=True)
    specimens = [number for test in tests.values() for number in test]
    for number in specimens:
        for mark in marks:
            Image.new("L", SIZE, number).save(pictures / f"{prefix}{number:03d}{mark}.png")
    for tag, test in tests.items():
        table(folder / f"test_v{tag}.csv", [row(number, marks[0], prefix) for number in test])
        others = [number for number in specimens if number not in test]
        table(folder / f"train_v{tag}.csv", [row(number, mark, prefix) for mark in marks for number in others])


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refused(folder) -> str:
    with pytest.raises(UserError) as error:
        open_prepared(folder)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def test_every_original_once_and_the_rounds_in_order_of_the_tags(prepared):
    assert is_prepared(prepared)
    data, tests = open_prepared(prepared)
    assert tests == (("001", "002"), ("003", "004"), ("005",))
    assert rounds.Plan(tests).n_rounds == 3
    assert [path.name for path in data.photographs] == [f"p_00{number}.png" for number in range(1, 6)]
    assert data.points.reshape(5, 4).tolist() == [landmarks(number) for number in range(1, 6)]
    assert [one.id for one in data.landmarks] == [one for test in tests for one in test]
    assert data.sizes == (SIZE,) * 5
    assert [path.name for path in data.source] == ["test_v10.csv", "test_v11.csv", "test_v13.csv"]
    assert data.problems == ()
    assert len(data.digest()) == 64


def test_tags_are_numbers_and_pictures_may_lie_beside(tmp_path):
    make(tmp_path, {9: (2, 1), 10: (3,), 100: (4,)})
    for path in (tmp_path / "images").iterdir():
        path.rename(tmp_path / path.name)
    assert open_prepared(tmp_path)[1] == (("002", "001"), ("003",), ("004",))


def test_image_first_and_missing_landmarks_are_kept(prepared):
    for path in prepared.glob("*.csv"):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text("".join(",".join([one[4], *one[:4]]) + "\n" for one in lines).replace("101,50", ","))
    data, _ = open_prepared(prepared)
    assert np.isnan(data.points[0, 0]).all()
    assert data.points[1].ravel().tolist() == landmarks(2)


def test_other_folders_are_not_prepared(tmp_path):
    (tmp_path / "predictions.csv").write_text("image\n")
    (tmp_path / "train.csv").write_text("x1\n")
    assert not is_prepared(tmp_path)
    assert not is_prepared(tmp_path / "nowhere")
    assert refused(tmp_path).startswith("FOLDER: no files of rounds; expected train_v10.csv, test_v10.csv and so on")
    assert refused(tmp_path / "nowhere").startswith("FOLDER: no files of rounds")


@pytest.mark.parametrize("mark", ["", "_r", "_b10"])
def test_a_tested_specimen_in_the_training_of_its_round_is_named(prepared, mark):
    path = prepared / "train_v10.csv"
    path.write_text(path.read_text() + row(2, mark))
    said = refused(prepared)
    assert said.startswith(
        f"train_v10.csv:23: specimen 002 (/data3/2018/256/p_002{mark}.png) is tested in this round (test_v10.csv:3); "
    )


def test_a_specimen_is_tested_in_one_round(prepared):
    path = prepared / "test_v13.csv"
    path.write_text(path.read_text() + row(1))
    assert refused(prepared).startswith(
        "test_v13.csv:3: specimen 001 (/data3/2018/256/p_001.png) is tested already (test_v10.csv:2, "
    )


def test_a_specimen_is_tested_once_in_a_round_whatever_its_padding(prepared):
    path = prepared / "test_v10.csv"
    path.write_text(path.read_text() + row(2).replace("p_002", "p_2"))
    assert refused(prepared).startswith("test_v10.csv:4: specimen 2 (/data3/2018/256/p_2.png) is tested already (")


def test_a_specimen_that_is_trained_on_is_tested(prepared):
    change(prepared / "test_v11.csv", row(3), "")
    said = refused(prepared)
    assert said.startswith("train_v10.csv:2: specimen 003 (/data3/2018/256/p_003.png) is in no test file; expected ")


def test_a_round_has_both_files_and_rows(prepared):
    (prepared / "train_v11.csv").rename(prepared / "kept")
    assert refused(prepared).startswith("train_v11.csv: no such file; add it, or remove the other file")
    table(prepared / "train_v11.csv", [])
    assert refused(prepared).startswith("train_v11.csv: a header and no rows")
    (prepared / "kept").rename(prepared / "train_v11.csv")
    (prepared / "test_v10.csv").unlink()
    assert refused(prepared).startswith("test_v10.csv: no such file")


def test_files_have_the_same_landmarks(prepared):
    (prepared / "train_v11.csv").write_text("x1,y1,Image\n1,2,p_001.png\n")
    assert refused(prepared).startswith("train_v11.csv:1: 1 landmark; expected 2 as in test_v10.csv; keep files")


def test_a_broken_line_is_named(prepared):
    change(prepared / "train_v13.csv", "101,", "hundred,")
    assert refused(prepared).startswith("train_v13.csv:2: 'hundred' in column x1; expected a number")


@pytest.mark.parametrize("dummy", ["0,0,0,0", ",,,"])
def test_test_files_must_have_the_manual_landmarks(prepared, dummy):
    change(prepared / "test_v11.csv", ",".join(map(str, landmarks(4))), dummy)
    assert refused(prepared).startswith(
        "test_v11.csv:3: /data3/2018/256/p_004.png has other landmarks than in train_v10.csv:3; "
        "expected its manual landmarks, though the paper's programs ignore them in test files; copy"
    )


def test_pictures_that_are_missing_are_named(prepared):
    (prepared / "images" / "p_002.png").unlink()
    (prepared / "images" / "p_004.png").write_text("no picture")
    (prepared / "images" / "p_005_r.png").unlink()  # a copy is not needed
    said = refused(prepared)
    assert said.startswith("FOLDER: 2 of 5 pictures cannot be used: photograph 'p_002.png' not found; ")
    assert "images/p_004.png" in said
    assert said.endswith("expected the pictures of all test files, beside them or below")


def test_pictures_are_those_of_the_coordinates(prepared):
    for path in (prepared / "images").iterdir():
        Image.new("L", (3264, 2448)).save(path)
    assert refused(prepared).startswith(
        "FOLDER: no landmark outside the top-left quarter of any picture, /data3/2018/256/p_001.png is 3264x2448; exp"
    )
    for path in (prepared / "images").iterdir():
        Image.new("L", (64, 48)).save(path)
    assert "5 specimens with landmarks outside their picture, the first on /data3/2018/256/p_001.png (64x48)" in (
        refused(prepared)
    )


def test_numbered_copies_need_a_pattern_and_are_not_taken_for_specimens(tmp_path):
    make(tmp_path, marks=[f"_{number}" for number in range(7)])
    said = refused(tmp_path)
    assert said.startswith("test_v10.csv:3: specimen 0 (/data3/2018/256/p_002_0.png) is tested already (test_v10.csv:2")
    assert "rename the pictures" in said
    assert open_prepared(tmp_path, r"p_(\d+)")[1] == (("001", "002"), ("003", "004"), ("005",))


# --- several parts ---


def names(source, *parts):
    return {part: [one.id for one in open_prepared(source / part)[0].landmarks] for part in parts}


def test_parts_that_lack_specimens_share_one_plan(tmp_path):
    make(tmp_path / "pronotum")
    make(tmp_path / "head", {10: (2,), 11: (3, 4), 12: (5, 6)}, "t_")
    plan = plan_of(tmp_path, names(tmp_path, "head", "pronotum"))
    assert plan is not None
    assert [sorted(test) for test in plan.tests] == [["001", "002"], ["003", "004"], ["005", "006"]]
    only = plan_of(tmp_path, {**names(tmp_path, "head"), "wing": ["2", "6"]})
    assert only is not None
    assert only.tests == (("002",), ("003", "004"), ("005", "006"))


def test_parts_with_other_rounds_are_refused(tmp_path):
    make(tmp_path / "pronotum")
    make(tmp_path / "mandible", {10: (1, 2, 3), 11: (4, 5)}, "Md_")
    expected = (
        r"mandible: specimen 003 tested in round 1, in another part in round 2; expected .*; run the parts one by"
    )
    with pytest.raises(UserError, match=expected):
        plan_of(tmp_path, names(tmp_path, "pronotum", "mandible"))


def test_no_prepared_part_means_no_plan(tmp_path):
    (tmp_path / "wing").mkdir()
    assert plan_of(tmp_path, {"wing": ["1"]}) is None


def test_a_part_with_specimens_that_no_round_tests_is_refused(tmp_path):
    make(tmp_path / "pronotum")
    with pytest.raises(UserError, match=r"wing: 1 of 2 specimens are not in the plan of rounds: 9"):
        plan_of(tmp_path, {**names(tmp_path, "pronotum"), "wing": ["1", "9"]})


def test_one_round_alone_cannot_be_whole(prepared):
    for tag in (11, 13):
        for kind in ("train", "test"):
            (prepared / f"{kind}_v{tag}.csv").unlink()
    assert "is in no test file; expected every specimen tested in one of the rounds" in refused(prepared)
