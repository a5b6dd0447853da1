"""Points lie on the right pixels of photographs; how the figures look was judged by eye."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from pronotum import geometry
from pronotum.data import Dataset, open_data
from pronotum.errors import UserError
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, SCRATCH, Part
from pronotum.report import photo_figures as figures
from pronotum.synthetic import write_collection

SPECIMENS = tuple(str(number) for number in range(1, 21))


@pytest.fixture
def part() -> Part:
    rng = np.random.default_rng(0)
    manual = rng.uniform((20, 20), (230, 170), (20, 5, 2))
    predicted = {
        SCRATCH: manual + rng.normal(1, 4, manual.shape),
        FINE_TUNED: manual + rng.normal(0, 2, manual.shape),
        CLASSICAL: manual + rng.normal(0, 6, manual.shape),
    }
    seen = {FINE_TUNED: frozenset(SPECIMENS[:10])}
    return Part("mandible_left", SPECIMENS, ("1", "2", "3", "4", "5"), manual, predicted, "px of 256x192", seen)


def blank(magnification: float = 1.0) -> figures.Photograph:
    shape = (round(192 * magnification), round(256 * magnification), 3)
    return figures.Photograph(np.zeros(shape, dtype=np.uint8), geometry.scaling(magnification))


def without(part: Part, *methods: str) -> Part:
    kept = {name: points for name, points in part.predicted.items() if name not in methods}
    return replace(part, predicted=kept, contaminated={m: s for m, s in part.contaminated.items() if m in kept})


def line(axis, label):
    (found,) = [one for one in axis.get_lines() if one.get_label() == label]
    return found


def points(axis, label) -> np.ndarray:
    return np.stack(line(axis, label).get_data(), axis=-1)


def legend(drawing) -> list[str]:
    return [text.get_text() for box in drawing.legends for text in box.get_texts()]


def rendered(drawing) -> np.ndarray:
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(0)[::-1]


@pytest.mark.parametrize("size", [(1024, 768), (3264, 2448), (900, 1200), (1000, 400)])
@pytest.mark.parametrize("magnification", [1.0, 4.0])
def test_a_photograph_is_read_with_the_exact_place_of_the_frame(tmp_path, size, magnification):
    place = np.array([size[0] * 0.7, size[1] * 0.3]).round()
    side = max(size) // 40
    pixels = np.zeros((size[1], size[0]), dtype=np.uint8)
    x, y = place.astype(int)
    pixels[y - side : y + side + 1, x - side : x + side + 1] = 255
    Image.fromarray(pixels).convert("RGB").save(tmp_path / "photo.png")
    in_frame = geometry.transform(geometry.letterbox(size, geometry.PAPER_FRAME), place[None])
    read = figures.read(tmp_path / "photo.png", magnification=magnification)
    brightness = read.pixels[..., 0].astype(float)
    rows, columns = np.indices(brightness.shape)
    found = np.array([(columns * brightness).sum(), (rows * brightness).sum()]) / brightness.sum()
    assert geometry.transform(read.matrix, in_frame)[0] == pytest.approx(found, abs=0.05)
    assert max(read.pixels.shape[1] / 256, read.pixels.shape[0] / 192) == pytest.approx(magnification, abs=0.01)


@pytest.mark.parametrize("magnification", [1.0, 4.0])
def test_dots_are_drawn_on_the_pixels_they_belong_to(part, magnification):
    part = replace(part.select(np.array([0])), contaminated={})
    photograph = blank(magnification)
    x, y = np.rint(geometry.transform(photograph.matrix, part.manual[0])[2]).astype(int)
    half = round(12 * magnification)
    photograph.pixels[y - half : y + half + 1, x - half : x + half + 1] = (0, 0, 255)
    exact = np.linalg.inv(photograph.matrix) @ [x, y, 1.0]
    manual = np.full_like(part.manual, np.nan)
    manual[0, 2] = exact[:2]
    drawing = figures.manual_landmarks([figures.View(replace(part, manual=manual), "1", photograph)])
    drawing.axes[0].texts[0].set_visible(False)
    drawing.set_dpi(300)  # half a px of the frame is three here; a marker is moved by one at most
    picture = rendered(drawing)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 120) & (picture[..., 2] < 120)
    blue = (picture[..., 2] > 200) & (picture[..., 0] < 60) & (picture[..., 1] < 60)
    assert red.sum() > 20
    bounds = np.argwhere(blue)
    middle = (bounds.min(0) + bounds.max(0))[::-1] / 2
    assert centroid(red) == pytest.approx(middle, abs=1.1)


def test_manual_landmarks_have_numbers_and_a_panel_per_view(part):
    manual = part.manual.copy()
    manual[0, 3] = np.nan
    views = [figures.View(replace(part, manual=manual), one, blank(2)) for one in ("1", "2")]
    drawing = figures.manual_landmarks(views)
    assert [axis.get_title() for axis in drawing.axes] == [f"mandible left, specimen {n}" for n in (1, 2)]
    assert [text.get_text() for text in drawing.axes[0].texts] == ["1", "2", "3", "5"]
    assert points(drawing.axes[1], "manual") == pytest.approx((manual[1] + 0.5) * 2 - 0.5)
    for text, place in zip(drawing.axes[1].texts, points(drawing.axes[1], "manual"), strict=True):
        assert text.xy == pytest.approx(tuple(place))


def test_a_specimen_without_any_landmark_is_drawn_bare(part):
    manual = np.full_like(part.manual, np.nan)
    view = figures.View(replace(part, manual=manual, predicted={SCRATCH: manual}, contaminated={}), "1", blank())
    for drawing in (figures.manual_landmarks([view]), figures.overlays([view]), figures.methods([view])):
        rendered(drawing)
        assert len(drawing.axes[0].images) == 1


def test_overlays_show_crosses_rings_and_how_bad_it_is(part):
    drawing = figures.overlays([figures.View(part, one, blank(4)) for one in ("3", "15")], FINE_TUNED)
    for axis, row in zip(drawing.axes, (2, 14), strict=True):
        cross, ring = line(axis, FINE_TUNED), line(axis, "manual")
        assert (cross.get_marker(), ring.get_marker()) == ("x", "o")
        assert (cross.get_color(), ring.get_markerfacecolor()) == (figures.RED, "none")
        assert points(axis, FINE_TUNED) == pytest.approx((part.points(FINE_TUNED)[row] + 0.5) * 4 - 0.5)
        assert f"mean {part.errors(FINE_TUNED)[row].mean():.2f} px of 256x192" in axis.get_title()
    assert "SEEN in pre-training" in drawing.axes[0].get_title()
    assert "SEEN" not in drawing.axes[1].get_title()
    assert legend(drawing) == ["manual", "fine tuned (CONTAMINATED: mandible left)"]
    with pytest.raises(UserError, match="no predictions of 'median'"):
        figures.overlays([figures.View(part, "1", blank())], "median")


def test_a_gross_failure_is_not_cut_off(part):
    far = part.points(SCRATCH).copy()
    far[0, 1] = (-80, 250)
    view = figures.View(replace(part, predicted={SCRATCH: far}, contaminated={}), "1", blank())
    axis = figures.overlays([view]).axes[0]
    assert axis.get_xlim() == pytest.approx((-80, 255.5))
    assert axis.get_ylim() == pytest.approx((250, -0.5))


def test_titles_are_not_clipped_and_do_not_overlap(part):
    long = replace(part, name="right_mandible_of_the_second_expedition")
    for drawing in (
        figures.overlays([figures.View(long, one, blank(4)) for one in ("1", "2", "3")], FINE_TUNED),
        figures.methods([figures.View(part, one, blank(4)) for one in ("1", "2", "3", "4", "5")]),
        figures.contact_sheet(part, dict.fromkeys(SPECIMENS, blank(4)), FINE_TUNED),
    ):
        height, width = rendered(drawing).shape[:2]
        boxes = [axis.title.get_window_extent() for axis in drawing.axes]
        assert all(box.y1 <= height and box.x0 >= 0 and box.x1 <= width for box in boxes)
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_representatives_are_the_least_the_median_and_the_largest_error(part):
    album = dict.fromkeys(SPECIMENS, blank())
    means = part.errors(SCRATCH).mean(1)
    views = figures.representative_views(part, album)
    assert [view.mean_error(SCRATCH) for view in views] == [means.min(), np.sort(means)[9], means.max()]


def test_the_contact_sheet_has_the_first_sixteen_that_have_a_photograph(part):
    album = {one: blank() for one in SPECIMENS if one != "3"}
    drawing = figures.contact_sheet(part, album)
    titles = [axis.get_title().split(":")[0] for axis in drawing.axes]
    assert titles == ["1", "2", *(str(n) for n in range(4, 18))]
    assert drawing.axes[0].get_gridspec().get_geometry() == (4, 4)
    assert points(drawing.axes[2], SCRATCH) == pytest.approx(part.points(SCRATCH)[3])
    with pytest.raises(UserError, match="no specimen with a photograph"):
        figures.contact_sheet(part, {})


def test_figure_16_has_the_colours_of_the_paper(part):
    other = replace(without(part, CLASSICAL), name="head", contaminated={})
    drawing = figures.methods([figures.View(part, "1", blank()), figures.View(other, "1", blank())])
    colours = {label: line(drawing.axes[0], label).get_color() for label in ("manual", CLASSICAL, FINE_TUNED)}
    assert colours == {"manual": figures.RED, CLASSICAL: figures.YELLOW, FINE_TUNED: figures.GREEN}
    assert [one.get_label() for one in drawing.axes[1].get_lines()] == ["manual", FINE_TUNED]
    assert points(drawing.axes[0], CLASSICAL) == pytest.approx(part.points(CLASSICAL)[0])
    said = "deep learning, fine tuned (CONTAMINATED: mandible left)"
    assert legend(drawing) == ["manual", "image processing", said]
    assert "SEEN" in drawing.axes[0].get_title()
    alone = figures.methods([figures.View(without(part, CLASSICAL, FINE_TUNED), "1", blank())])
    assert legend(alone) == ["manual", "deep learning, scratch"]


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Dataset:
    from pronotum.formats import save
    from pronotum.landmarks import Landmarks

    folder = tmp_path_factory.mktemp("beetles")
    drawn = write_collection(folder, "pronotum", n=2, seed=0, size=(512, 384))
    rows = [Landmarks(marks, image=name, id=f"00{number}") for number, (name, marks) in enumerate(drawn, 1)]
    save(folder / "landmarks.tps", rows, lambda name: (512, 384))
    return open_data(folder)


def test_an_album_knows_specimens_whatever_their_zeros(collection, part):
    album = figures.Album.of(collection, ("001", "002"), magnification=2)
    assert "1" in album
    assert "3" not in album
    assert len(album) == len(list(album)) == 2
    assert album["2"].pixels.shape == (384, 512, 3)
    assert album["1"].matrix == pytest.approx(geometry.scaling(2))
    assert album.pictured(part).specimens == ("1", "2")
    with pytest.raises(UserError, match="no specimen with a photograph"):
        album.pictured(part.select(np.array([5, 6])))
    with pytest.raises(UserError, match="no specimen '99'"):
        figures.View(part, "99", blank())


def test_figures_of_photographs_and_networks_start_without_torch():
    asked = (
        "import sys, pronotum.report.photo_figures, pronotum.report.network_figures; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
