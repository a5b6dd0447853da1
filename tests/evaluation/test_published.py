"""Reading the authors' published coordinates, on made-up files of their layout; the real ones: test_paper_oracles."""

import numpy as np
import pytest

from pronotum import formats
from pronotum.errors import UserError
from pronotum.evaluation import published
from pronotum.evaluation.part import FINE_TUNED, SCRATCH
from pronotum.evaluation.rounds import PAPER_SIZES
from pronotum.landmarks import Landmarks

N = {"pronotum": 293, "elytra": 293, "head": 293, "mandible_right": 290, "mandible_left": 286}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    rng = np.random.default_rng(0)
    for name, n in N.items():
        manual = rng.integers(10, 180, (n, 2, 2)).astype(float)
        for kind, shift in (("manual", 0), (SCRATCH, 3), (FINE_TUNED, 1)):
            moved = manual + np.array([shift, 0])
            rows = [Landmarks(points, image=f"{i}.jpg", id=str(i)) for i, points in enumerate(moved, start=1)]
            formats.save(folder / f"{name}__{kind}.tps", rows, lambda _: (256, 192))
    return folder


def test_parts_plans_and_contaminated_specimens(folder):
    parts = published.load(folder)
    plans = published.plans(parts)
    assert list(parts) == list(PAPER_SIZES)
    assert {name: plan.n_rounds for name, plan in plans.items()} == {
        "pronotum": 9,
        "elytra": 9,
        "head": 9,
        "mandible_right": 10,
        "mandible_left": 11,
    }
    for name, part in parts.items():
        assert part.errors(SCRATCH) == pytest.approx(3)
        assert part.errors(FINE_TUNED) == pytest.approx(1)
        clean = set(part.specimens) - part.seen(FINE_TUNED)
        if name in published.PRETRAINED_ON:
            assert clean == {str(number) for number in range(199, 232)} == set(plans[name].tests[6])
        else:
            assert clean == set(part.specimens)
        assert not part.seen(SCRATCH)
        assert part.unit == "px of 256x192"


def test_y_is_down(folder):
    written = (folder / "head__manual.tps").read_text().splitlines()[1].split()
    assert published.load(folder)["head"].manual[0, 0].tolist() == [float(written[0]), 192 - float(written[1])]


def test_what_is_not_there_is_one_line(folder, tmp_path):
    with pytest.raises(UserError, match=r"no such folder; expected a folder with pronotum__manual\.tps"):
        published.load(tmp_path / "nothing")
    with pytest.raises(UserError, match="15 of 15 files are missing"):
        published.load(tmp_path)
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "head__scratch.tps").unlink()
    with pytest.raises(UserError, match=r"1 of 15 files are missing: head__scratch\.tps"):
        published.load(tmp_path)
