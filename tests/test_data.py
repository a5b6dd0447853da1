import numpy as np
import pytest
from PIL import Image

from pronotum.data import Catalogue, landmark_files, open_data
from pronotum.errors import UserError


def photograph(path, size=(40, 30), orientation=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", size, "white").save(path, exif=exif)
    return path


def record(image, points=((1, 2), (3, 4)), **keys):
    lines = [f"LM={len(points)}", *(f"{x} {y}" for x, y in points)]
    lines += [f"IMAGE={image}"] if image is not None else []
    return "\n".join([*lines, *(f"{key}={value}" for key, value in keys.items())]) + "\n"


def test_a_folder_with_one_landmark_file_and_photographs_below(tmp_path):
    photograph(tmp_path / "photos" / "a.jpg")
    (tmp_path / "wings.tps").write_text(record("a.jpg", ID=1, SCALE=0.5))
    data = open_data(tmp_path)
    assert len(data) == 1
    assert data.photographs[0].name == "a.jpg"
    assert data.points[0].tolist() == [[1, 28], [3, 26]]  # y = 30 - y
    assert data.landmarks.specimens[0].scale == 0.5


def test_y_is_flipped_at_the_height_after_exif_orientation(tmp_path):
    photograph(tmp_path / "a.jpg", size=(40, 30), orientation=6)
    (tmp_path / "a.tps").write_text(record("a.jpg"))
    data = open_data(tmp_path)
    assert data.sizes == ((30, 40),)
    assert data.points[0].tolist() == [[1, 38], [3, 36]]


@pytest.mark.parametrize(
    "written",
    [
        "Prono_001.JPG",
        "prono_001.jpg",
        "Prono_001",
        "Prono_001.tif",
        r"C:\Users\ana\My Pictures\Prono_001.jpg",
        "/home/ana/Prono_001.jpeg",
    ],
)
def test_names_match_whatever_the_case_extension_or_folder(tmp_path, written):
    path = photograph(tmp_path / "deep" / "Prono_001.jpg")
    assert Catalogue([path]).match(written) == path


def test_an_id_names_the_photograph_where_image_is_empty(tmp_path):
    path = photograph(tmp_path / "w7.jpg")
    assert Catalogue([path]).match("", "w7") == path


def test_several_candidates_are_told_apart_by_their_folder_or_reported(tmp_path):
    left, right = photograph(tmp_path / "left" / "1.jpg"), photograph(tmp_path / "right" / "1.jpg")
    catalogue = Catalogue([left, right])
    assert catalogue.match(r"D:\wings\right\1.jpg") == right
    assert "could be 2 photographs" in catalogue.match("1.jpg")


def test_unmatched_ambiguous_and_unreadable_photographs_are_reported_together(tmp_path):
    photograph(tmp_path / "good.jpg")
    photograph(tmp_path / "x" / "twice.jpg")
    photograph(tmp_path / "y" / "twice.jpg")
    (tmp_path / "broken.jpg").write_text("no image")
    names = ["good.jpg", "twice.jpg", "broken.jpg", "nowhere.jpg"]
    (tmp_path / "a.tps").write_text("".join(record(name, ID=i) for i, name in enumerate(names)))
    data = open_data(tmp_path)
    assert len(data) == 1
    said = [str(problem) for problem in data.problems]
    assert len(said) == 3
    assert "could be 2 photographs" in said[0]
    assert said[1].startswith(str(tmp_path / "broken.jpg"))
    assert "'nowhere.jpg' not found" in said[2]


def test_maelab_folders_hold_one_specimen_per_file(tmp_path):
    for number in range(3):
        photograph(tmp_path / f"p_{number}.png")
        (tmp_path / f"p_{number}.TPS").write_text(record(f"p_{number}"))
    assert len(open_data(tmp_path)) == 3


def test_maelab_names_without_extension_or_with_a_blank_are_found(tmp_path):
    for name, written in {"Prono_001.JPG": "Prono_001", "Md 054.JPG": "Md 054.JPG"}.items():
        photograph(tmp_path / "pictures" / name)
        (tmp_path / f"{name[:-4]}.TPS").write_text(f"LM=1\n12.5 20\t7.25\nIMAGE={written}", newline="")
    data = open_data(tmp_path)
    assert sorted(path.name for path in data.photographs) == ["Md 054.JPG", "Prono_001.JPG"]
    assert data.points.tolist() == [[[12.5, 10]], [[12.5, 10]]]


PREDICTIONS = "image,id,landmark,x,y,confidence\na.png,0,1,1.000,2.000,0.9\n"
EBNET = "x1,y1,x2,y2,Image\n1,2,3,4,/data3/a.png\n5,6,7,8,b.png\n"


def test_tables_beside_a_tps_file_change_nothing(tmp_path):
    photograph(tmp_path / "a.png")
    photograph(tmp_path / "b.png")
    (tmp_path / "wings.tps").write_text(record("a.png", ID=0) + record("b.png", ID=1))
    for name, text in {"predictions.csv": PREDICTIONS, "notes.csv": "a,b\n1,2\n", "train.csv": EBNET}.items():
        (tmp_path / name).write_text(text)
    assert landmark_files(tmp_path) == [tmp_path / "wings.tps"]
    assert len(open_data(tmp_path)) == 2


def test_a_tps_file_below_goes_before_a_table_beside(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "wings.tps").write_text(record("a.png"))
    (tmp_path / "train.csv").write_text(EBNET)
    assert landmark_files(tmp_path) == [tmp_path / "below" / "wings.tps"]


def test_a_table_of_landmarks_is_told_from_others_by_its_content(tmp_path):
    photograph(tmp_path / "a.png")
    photograph(tmp_path / "pictures" / "b.png")
    (tmp_path / "predictions.csv").write_text(PREDICTIONS)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(
        UserError, match=r"no landmark file that is understood \(there are predictions\.csv\); name the file"
    ):
        open_data(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "below.CSV").write_text(EBNET)
    assert landmark_files(tmp_path) == [tmp_path / "tables" / "below.CSV"]
    (tmp_path / "train.csv").write_text(EBNET)
    (tmp_path / ".hidden.csv").write_text(EBNET)
    data = open_data(tmp_path)
    assert data.source == (tmp_path / "train.csv",)
    assert data.points.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    (tmp_path / "test.csv").write_text(EBNET)
    with pytest.raises(UserError, match=r"2 landmark files \(test.csv, train.csv\); expected one; name the one"):
        open_data(tmp_path)


def test_several_landmark_files_are_not_guessed_between(tmp_path):
    photograph(tmp_path / "a.png")
    for name in ("one.tps", "two.tps"):
        (tmp_path / name).write_text(record("a.png", ID=0) + record("a.png", ID=1))
    with pytest.raises(UserError, match=r"2 landmark files \(one.tps, two.tps\); expected one; name the one you mean"):
        open_data(tmp_path)
    assert len(open_data(tmp_path / "one.tps")) == 2


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        open_data(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"neither landmarks nor photographs; expected one ending in \.csv"):
        open_data(tmp_path)
    (tmp_path / "a.tps").write_text(record("a.jpg"))
    with pytest.raises(UserError, match=r"no specimen has both.*'a.jpg' not found.*--photographs"):
        open_data(tmp_path)


def test_the_same_photograph_under_two_names_is_one_group(tmp_path):
    for name in ("a.png", "b.png"):
        photograph(tmp_path / name)
    photograph(tmp_path / "c.png", size=(41, 30))
    (tmp_path / "a.tps").write_text("".join(record(name) for name in ("a.png", "b.png", "c.png")))
    first, second, third = open_data(tmp_path).groups
    assert first == second != third


def test_the_digest_changes_with_a_coordinate(tmp_path):
    photograph(tmp_path / "a.png")
    file = tmp_path / "a.tps"
    file.write_text(record("a.png"))
    before = open_data(tmp_path).digest()
    assert open_data(tmp_path).digest() == before
    file.write_text(record("a.png", points=((1, 2), (3, 4.5))))
    assert open_data(tmp_path).digest() != before


def test_snail_shells_50_and_55_are_one_group(shared_data):
    data = open_data(shared_data / "snail-shell")
    by_name = dict(zip([path.name for path in data.photographs], data.groups, strict=True))
    assert by_name["50.jpg"] == by_name["55.jpg"]
    assert len(set(by_name.values())) == len(data) - 1


@pytest.mark.parametrize(
    ("name", "n", "n_landmarks", "size"),
    [
        ("beetle-elytra", 13, 11, (3264, 2448)),
        ("beetle-mandible-right", 17, 18, (3264, 2448)),
        ("drosophila-wing-mlmorph", 58, 12, (632, 480)),
        ("beetle-figures-256/pronotum", 22, 8, (256, 192)),
    ],
)
def test_real_collections_open_whole_with_landmarks_on_the_photograph(shared_data, name, n, n_landmarks, size):
    data = open_data(shared_data / name)
    assert (len(data), data.scheme.n_landmarks, data.problems) == (n, n_landmarks, ())
    assert set(data.sizes) == {size}
    assert (data.points > 0).all()
    assert (data.points < np.array(size)).all()
