"""What a study declares beforehand."""

import pytest

from pronotum import project
from pronotum.errors import UserError


def test_a_file_beside_the_data_is_found(tmp_path):
    assert project.find(tmp_path).verdict.repeatability == 0.9
    (tmp_path / "pronotum.toml").write_text("margin = 1.5\n[verdict]\nrepeatability = 0.8\n")
    found = project.find(tmp_path)
    assert (found.margin, found.verdict.repeatability, found.verdict.slopes) == (1.5, 0.8, 3)
    (tmp_path / "landmarks.tps").write_text("")
    assert project.find(tmp_path / "landmarks.tps") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("margin 1.5", "not TOML"),
        ("margin = -1", r"margin = -1: Input should be greater than 0; settings are: margin, verdict"),
        ("[verdict]\nrepeatabilty = 0.8", r"verdict.repeatabilty = 0.8: Extra inputs are not permitted; settings are"),
    ],
)
def test_mistakes_are_one_line(tmp_path, text, message):
    (tmp_path / "pronotum.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        project.find(tmp_path)


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        project.find(tmp_path, tmp_path / "other.toml")
