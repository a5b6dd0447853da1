"""What the figures say, read back from their artists; how they look was judged by eye."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pronotum.errors import UserError
from pronotum.evaluation.paper import Losses
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.rounds import contiguous
from pronotum.report import paper_figures as figures

SPECIMENS = tuple(str(number) for number in range(1, 25))
PLAN = contiguous(SPECIMENS, 6)


@pytest.fixture
def part() -> Part:
    rng = np.random.default_rng(0)
    manual = rng.uniform(0, 200, (24, 5, 2))
    predicted = {
        SCRATCH: manual + rng.normal(1, 4, manual.shape),
        FINE_TUNED: manual + rng.normal(0, 2, manual.shape),
        CLASSICAL: manual + rng.normal(0, 6, manual.shape),
    }
    predicted[CLASSICAL][:, 4] = np.nan
    predicted[SCRATCH][3] = np.nan
    seen = {FINE_TUNED: frozenset(PLAN.training(2))}
    return Part("mandible_left", SPECIMENS, ("1", "2", "3", "4", "5"), manual, predicted, "px at 256x192", seen)


def legend(drawing: Figure) -> list[str]:
    boxes = [*drawing.legends, *(axis.get_legend() for axis in drawing.axes if axis.get_legend())]
    return [text.get_text() for box in boxes for text in box.get_texts()]


def line(drawing: Figure, label: str, panel: int = 0) -> np.ndarray:
    (found,) = [one for one in drawing.axes[panel].get_lines() if one.get_label() == label]
    return np.asarray(found.get_ydata(), dtype=float)


def test_loss_curves_are_logarithmic_over_the_range_of_the_paper():
    run = Losses(np.geomspace(0.5, 1e-4, 50), np.geomspace(0.5, 1e-3, 50))
    unwatched = Losses(np.geomspace(0.5, 1e-4, 50), np.full(50, np.nan))
    drawing = figures.losses({"a": run, "b": unwatched})
    assert drawing.axes[0].get_yscale() == "log"
    assert drawing.axes[0].get_ylim() == pytest.approx((1e-5, 1.0))
    assert line(drawing, "validation").tolist() == run.valid.tolist()
    assert legend(drawing) == ["training", "validation", "training"]
    lower = figures.losses({"a": Losses(run.train / 1000, run.valid)})
    assert lower.axes[0].get_ylim()[0] == pytest.approx(1e-7)


def test_figure_12_names_the_shares_of_its_bands(part):
    drawing = figures.landmark_distances(part, "2", limit=5)
    errors = part.errors(SCRATCH)[:, 1]
    known = errors[~np.isnan(errors)]
    counts = (known > 5).sum(), (known < known.mean()).sum()
    assert legend(drawing)[0].endswith(f"({counts[0]})")
    assert legend(drawing)[2].endswith(f"({counts[1]})")
    assert line(drawing, f"mean {known.mean():.2f}")[0] == pytest.approx(known.mean())
    assert line(drawing, "limit 5")[0] == 5
    with pytest.raises(UserError, match="no landmark '6'"):
        figures.landmark_distances(part, "6")


def test_figure_15_has_a_panel_per_part_and_only_the_methods_there_are(part):
    other = Part("head", SPECIMENS, part.landmarks, part.manual, {SCRATCH: part.points(SCRATCH)})
    drawing = figures.mean_distances([part, other])
    assert [axis.get_title() for axis in drawing.axes] == ["mandible left", "head"]
    assert legend(drawing) == [
        "scratch (5 of 120 not placed)",
        "fine tuned (CONTAMINATED)",
        "classical (24 of 120 not placed)",
        "scratch (5 of 120 not placed)",
    ]
    assert line(drawing, part.label(SCRATCH)) == pytest.approx(np.nanmean(part.errors(SCRATCH), axis=0))
    assert np.isnan(line(drawing, part.label(CLASSICAL))).tolist() == [False] * 4 + [True]
    for axis in drawing.axes:
        assert axis.get_ylim()[0] == 0
    assert len(figures.mean_distances([part] * 4).axes) == 4


def test_figure_17_shows_one_specimen(part):
    drawing = figures.image_distances(part, "7")
    assert line(drawing, "fine tuned (CONTAMINATED)") == pytest.approx(part.errors(FINE_TUNED)[6])
    assert drawing.axes[0].get_title() == "mandible left, specimen 7"
    with pytest.raises(UserError, match="no specimen '99'"):
        figures.image_distances(part, "99")


def test_residuals_have_y_down_and_their_mean(part):
    drawing = figures.residuals(part, [SCRATCH])
    low, high = drawing.axes[0].get_ylim()
    assert low > 0 > high
    x, y = np.nanmean(part.points(SCRATCH) - part.manual, axis=(0, 1))
    assert legend(drawing) == [f"mean ({x:+.2f}, {y:+.2f})"]


def test_contaminated_rounds_are_hollow(part):
    drawing = figures.round_errors(part, PLAN, [SCRATCH, FINE_TUNED])
    markers = [one for one in drawing.axes[0].get_lines() if one.get_marker() in "os"]
    hollow = {
        (one.get_marker(), round(float(one.get_xdata()[0]))): one.get_markerfacecolor() == "white" for one in markers
    }
    assert hollow == {("o", n): False for n in range(1, 5)} | {("s", n): n != 2 for n in range(1, 5)}
    assert "fine tuned (CONTAMINATED)" in legend(drawing)


def test_the_order_of_acquisition_shows_a_drift_and_the_rounds(part):
    rising = part.manual + np.arange(24.0)[:, None, None]
    drifting = Part("head", SPECIMENS, part.landmarks, part.manual, {SCRATCH: rising})
    drawing = figures.acquisition_order(drifting, plan=PLAN, window=5)
    median = line(drawing, "scratch")
    assert median[2:-2] == pytest.approx(np.sqrt(2) * np.arange(2, 22))
    boundaries = [one.get_xdata()[0] for one in drawing.axes[0].get_lines() if one.get_linestyle() == ":"]
    assert boundaries == [6.5, 12.5, 18.5]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_figure_is_written_whole_and_as_its_suffix_tells(part, tmp_path, suffix):
    path = tmp_path / f"new/figure.{suffix}"
    figures.save(figures.mean_distances([part]), path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    if suffix == "png":
        with Image.open(path) as picture:
            assert picture.size[0] > 400
    else:
        assert "<svg" in path.read_text()
