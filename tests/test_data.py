import numpy as np
import pytest
from PIL import Image

from pronotum.data import Catalogue, open_data
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
    with pytest.raises(UserError, match="no landmark file; expected one ending in"):
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
