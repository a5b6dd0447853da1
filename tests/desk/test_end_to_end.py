"""The desk as a person uses it: a real server, a real Chromium, and what is then in the files."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from pronotum import formats
from pronotum.desk.states import Edit
from pronotum.desk.store import Store
from pronotum.formats import tps
from pronotum.landmarks import Landmarks
from pronotum.synthetic import draw

from . import browsing
from .conftest import SIZE, photograph

TINY = """
[desk.settings]
coarse_steps = 2
fine_steps = 2
finest_steps = 2
coarse_epochs = 1
fine_epochs = 1
finest_epochs = 1
batch = 2
"""
TURNED = (240, 320)


@pytest.fixture(scope="module")
def browser():
    browsing.need_a_browser()
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser):
    """New windows; whatever their scripts complain of fails the test."""
    complaints, contexts = [], []

    def new(url, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: "Content Security" in said.text and complaints.append(said.text))
        page.goto(url)
        page.wait_for_selector("h1")
        return page

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


def until(page, condition, arg=None, seconds=15):
    """Wait for a function of the page; the page's own policy forbids Playwright's way of doing so."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition, arg):
        assert time.monotonic() < end, condition
        time.sleep(0.03)


def zoomed(page, zoom):
    until(page, "zoom => Math.abs(document.querySelector('.viewer').dataset.zoom / zoom - 1) < 0.03", zoom)


def left(page, image):
    until(page, "image => !location.hash.includes(image)", image)


def go(page, desk, where):
    page.goto(f"{desk.home}#/{where}")
    page.wait_for_selector(".viewer[data-zoom]" if where.startswith("specimen/") else "h1")


def on_screen(page, point):
    """Where a point of the photograph is on the screen, by the view the page shows."""
    box = page.locator(".viewer").bounding_box()
    view = page.locator(".viewer").evaluate("element => ({...element.dataset})")
    zoom, left, top = (float(view[name]) for name in ("zoom", "left", "top"))
    return box["x"] + (point[0] + 0.5) * zoom + left, box["y"] + (point[1] + 0.5) * zoom + top


def on_photograph(page, place):
    box = page.locator(".viewer").bounding_box()
    view = page.locator(".viewer").evaluate("element => ({...element.dataset})")
    zoom, left, top = (float(view[name]) for name in ("zoom", "left", "top"))
    return (place[0] - box["x"] - left) / zoom - 0.5, (place[1] - box["y"] - top) / zoom - 0.5


def click_at(page, point):
    """Click a whole px of the screen; gives the point of the photograph that this is."""
    place = tuple(round(value) for value in on_screen(page, point))
    page.mouse.click(*place)
    return on_photograph(page, place)


def mark(page, k):
    """Where the page shows landmark k, px of the photograph; waits for it."""
    found = page.locator(f'.mark[data-landmark="{k}"]')
    found.wait_for()
    return float(found.get_attribute("data-x")), float(found.get_attribute("data-y"))


def drag(page, k, dx, dy):
    x, y = on_screen(page, mark(page, k))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 3, steps=4)
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def saved(page):
    until(page, "() => document.getElementById('status').textContent.startsWith('Saved')")


def records(project):
    """What any other program reads in the file: y up, as it stands there."""
    return {record.image: record for record in tps.read(project / "landmarks.tps").records}


@pytest.fixture
def beetles(tmp_path):
    """Five photographs without landmarks; two lie on their side until EXIF is obeyed."""
    folder = tmp_path / "beetles"
    folder.mkdir()
    for number in range(1, 6):
        turned = number in (3, 5)
        photograph(folder / f"b{number}.jpg", number, size=TURNED if turned else SIZE, orientation=6 if turned else 1)
    (folder / "pronotum.toml").write_text(TINY)
    return folder


def test_from_nothing_to_corrected_predictions(beetles, open_page):
    with browsing.served(beetles) as desk:
        page = open_page(desk.url)
        assert "token" not in page.url
        define_scheme(page)
        clicked = annotate(page, desk)
        for image, points in clicked.items():
            height = 320 if image == "b3.jpg" else 240
            expected = [[x, height - y] for x, y in points]
            np.testing.assert_allclose(records(beetles)[image].points, expected, atol=1e-4)
        train(page, desk)
        correct(page, desk, beetles)
        retrain(page, desk, beetles)


def define_scheme(page):
    page.get_by_role("link", name="Define the scheme").click()
    page.get_by_label("How many landmarks?").fill("3")
    page.get_by_role("button", name="Begin").click()
    for k, name in enumerate(("left corner", "right corner", "tip"), 1):
        page.get_by_label(f"Name of landmark {k}").fill(name)
    page.get_by_label("Mirror image of landmark 1").select_option("right corner")
    page.get_by_label("Mirror image of landmark 3").select_option("midline")
    page.get_by_role("button", name="Save the scheme").click()
    page.get_by_role("link", name="Place landmarks").wait_for()


def annotate(page, desk):
    clicked = {}
    for image in ("b1.jpg", "b2.jpg", "b3.jpg"):
        go(page, desk, f"specimen/{image}")
        clicked[image] = []
        for k, target in enumerate([(60.3, 70), (160, 90.6), (120, 150)], 1):
            page.get_by_text(f"{4 - k} to go").wait_for()
            clicked[image].append(click_at(page, target))
            mark(page, k)
        page.keyboard.press("Enter")
        left(page, image)
    return clicked


def train(page, desk):
    go(page, desk, "training")
    page.get_by_role("button", name="Train and predict").click()
    page.get_by_text("Learning from 3 specimens").wait_for()
    page.get_by_text("2 photographs predicted").wait_for(timeout=180_000)


def correct(page, desk, beetles):
    """Drag a predicted landmark of a photograph that EXIF turns by a known number of px."""
    go(page, desk, "specimen/b5.jpg")
    page.keyboard.press("1")
    zoomed(page, 1)
    assert "b5.jpg" not in records(beetles)
    x, y = mark(page, 2)
    dx, dy = (37 if x < 150 else -37), (21 if y < 200 else -21)
    drag(page, 2, dx, dy)
    saved(page)
    points = records(beetles)["b5.jpg"].points
    assert points[1].tolist() == [round(x + dx, 5), round(320 - (y + dy), 5)]
    assert np.isnan(points[[0, 2]]).all()  # what nobody has looked at is not in the file
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Undone").wait_for()
    assert "b5.jpg" not in records(beetles)
    page.keyboard.press("Control+Shift+Z")
    page.get_by_text("Done again").wait_for()
    assert records(beetles)["b5.jpg"].points[1].tolist() == points[1].tolist()
    page.get_by_role("button", name="tip").click()
    page.keyboard.press("m")
    saved(page)
    page.get_by_role("button", name="tip missing").wait_for()
    page.keyboard.press("Enter")
    left(page, "b5.jpg")
    points = records(beetles)["b5.jpg"].points
    assert np.isnan(points[2]).all()
    assert not np.isnan(points[:2]).any()


def retrain(page, desk, beetles):
    """Stop the second training, go on with it, and see new predictions and the curve."""
    go(page, desk, "training")
    page.get_by_text("1 of them new since the last training").wait_for()
    page.get_by_role("button", name="Train and predict").click()
    page.get_by_role("button", name="Stop").click()
    page.locator("dialog").get_by_role("button", name="Stop").click()
    page.get_by_text("The last training was stopped").wait_for(timeout=30_000)
    page.get_by_role("button", name="Go on with it").click()
    page.get_by_text("1 photograph predicted").wait_for(timeout=180_000)
    page.get_by_text("moved by, % of centroid size").wait_for()
    folder = beetles / ".desk" / "trainings" / "0002"
    assert json.loads((folder / "training.json").read_text())["n_specimens"] == 4
    assert tps.read(folder / "predictions" / "predictions.tps").records[0].image == "b4.jpg"
    assert (folder / "run" / "events.jsonl").exists()
    go(page, desk, "specimen/b4.jpg")
    mark(page, 1)
    entries = [json.loads(line) for line in (beetles / ".desk" / "journal.jsonl").read_text().splitlines()]
    accepted = [one for one in entries if one.get("what") == "accept" and one["specimen"] == "b5.jpg"]
    assert accepted[0]["more"]["training"] == "0001"


def test_keys_alone(digitised, open_page):
    with browsing.served(digitised) as desk:
        page = open_page(desk.url)
        go(page, desk, "specimen/b1.jpg")
        mark(page, 1)
        before = records(digitised)["b1.jpg"].points[0]
        for keys in ("ArrowRight", "Shift+ArrowDown", "Alt+ArrowLeft"):
            page.keyboard.press(keys)
            page.wait_for_timeout(50)
        saved(page)
        after = records(digitised)["b1.jpg"].points[0]
        np.testing.assert_allclose(after - before, [0.9, -10], atol=2e-5)
        for image in ("b2.jpg", "b3.jpg"):
            page.keyboard.press("PageDown")
            page.get_by_role("heading", name=image).wait_for()
        page.get_by_text("8 to go").wait_for()
        page.keyboard.press("Space")
        saved(page)
        np.testing.assert_allclose(records(digitised)["b3.jpg"].points[0], [119.5, 160.5], atol=30)
        page.keyboard.press("?")
        page.get_by_role("heading", name="Keys").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        focused = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert focused == "solid"


def test_names_do_not_cover_each_other_and_what_is_to_do_is_in_view(beetles, open_page):
    names = [f"a landmark with a long name {k}" for k in range(1, 13)]
    (beetles / "scheme.toml").write_text(f"names = {json.dumps(names)}\n")
    with contextlib.closing(Store(beetles, "me")) as store:
        for k in range(11):
            x, y = {9: (200, 120), 10: (215, 122)}.get(k, (30 + 25 * k, 20 + 200 * (k % 2)))
            store.edit("b1.jpg", k, Edit(what="place", landmark=k, x=x, y=y))
    with browsing.served(beetles) as desk:
        page = open_page(desk.url)
        go(page, desk, "specimen/b1.jpg")
        mark(page, 11)
        # one look at both: marks are drawn anew when the view changes
        a, b = page.evaluate(
            """() => [10, 11].map((k) => document.querySelector(`.mark[data-landmark="${k}"] text`))
            .map((name) => name.getBoundingClientRect().toJSON())"""
        )
        assert (
            min(min(a[end], b[end]) - max(a[start], b[start]) for start, end in (("left", "right"), ("top", "bottom")))
            <= 2
        )
        chosen = page.locator('.landmark[aria-pressed="true"]')
        assert names[11] in chosen.inner_text()
        row, shown = chosen.bounding_box(), page.locator("ol.landmarks").bounding_box()
        assert shown["y"] - 1 <= row["y"]
        assert row["y"] + row["height"] <= shown["y"] + shown["height"] + 1


def test_two_windows_on_one_specimen(digitised, open_page):
    with browsing.served(digitised) as desk:
        mine, theirs = open_page(desk.url), open_page(desk.url)
        for page in (mine, theirs):
            go(page, desk, "specimen/b1.jpg")
            page.keyboard.press("1")
            mark(page, 1)
        start = records(digitised)["b1.jpg"].points[0]
        drag(theirs, 1, 20, 10)
        saved(theirs)
        drag(mine, 1, -30, 0)
        mine.get_by_role("heading", name="This specimen was changed in another window").wait_for()
        np.testing.assert_allclose(records(digitised)["b1.jpg"].points[0], start + [20, -10], atol=2e-5)
        mine.get_by_role("button", name="Keep theirs").click()
        mine.get_by_text("Theirs was kept").wait_for()
        np.testing.assert_allclose(records(digitised)["b1.jpg"].points[0], start + [20, -10], atol=2e-5)
        drag(mine, 1, 5, 0)
        saved(mine)
        drag(theirs, 1, 0, 7)
        theirs.get_by_role("button", name="Put mine on top").click()
        saved(theirs)
        np.testing.assert_allclose(records(digitised)["b1.jpg"].points[0], start + [20, -17], atol=2e-5)


def test_a_ruler_gives_the_scale(beetles, open_page):
    (beetles / "scheme.toml").write_text("names = 2\n")
    with browsing.served(beetles) as desk:
        page = open_page(desk.url)
        go(page, desk, "specimen/b1.jpg")
        click_at(page, (50, 50))
        saved(page)
        page.get_by_role("button", name="Set scale").click()
        a, b = click_at(page, (30, 200)), click_at(page, (230, 200))
        page.get_by_label("Length").fill("2")
        page.get_by_label("Unit").select_option("cm")
        page.get_by_label("Length").press("Enter")
        page.get_by_text("mm per px").wait_for()
        saved(page)
        assert records(beetles)["b1.jpg"].scale == pytest.approx(20 / np.hypot(a[0] - b[0], a[1] - b[1]), rel=1e-6)


def test_a_finger_is_enough(beetles, open_page):
    (beetles / "scheme.toml").write_text("names = 2\n")
    with browsing.served(beetles) as desk:
        page = open_page(desk.url, viewport={"width": 820, "height": 1180}, has_touch=True)
        go(page, desk, "specimen/b3.jpg")
        place = [round(value) for value in on_screen(page, (100, 100))]
        page.touchscreen.tap(*place)
        saved(page)
        x, y = on_photograph(page, place)
        np.testing.assert_allclose(records(beetles)["b3.jpg"].points[0], [x, 320 - y], atol=1e-4)
        zoom = float(page.locator(".viewer").get_attribute("data-zoom"))
        touch = page.context.new_cdp_session(page)
        for spread, kind in ((40, "touchStart"), (60, "touchMove"), (80, "touchMove")):
            points = [{"x": 400 - spread, "y": 400, "id": 0}, {"x": 400 + spread, "y": 400, "id": 1}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        zoomed(page, 2 * zoom)
        assert len(records(beetles)) == 1  # two fingers place nothing
        small = page.evaluate(
            """() => [...document.querySelectorAll('button, a.button, summary')].filter((one) => one.offsetParent)
            .map((one) => one.getBoundingClientRect()).filter((box) => box.width < 44 || box.height < 44).length"""
        )
        assert small == 0


@pytest.mark.parametrize(("size", "orientation"), [((1301, 977), 1), ((977, 1301), 6)])
def test_the_centre_of_a_pixel_is_where_it_is_drawn(tmp_path, open_page, size, orientation):
    """A red px of an odd-sized photograph, at levels of tiles and turned by EXIF."""
    x, y = 700, 613
    pixels = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    pixels[y, x] = 255, 0, 0
    exif, picture = Image.Exif(), Image.fromarray(pixels)
    if orientation == 6:
        picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
    picture.save(tmp_path / "p.png", exif=exif)
    (tmp_path / "scheme.toml").write_text("names = 1\n")
    tps.save(tmp_path / "landmarks.tps", [Landmarks([[x, y]], image="p.png")], {"p.png": size})
    with browsing.served(tmp_path) as desk:
        page = open_page(desk.url)
        go(page, desk, "specimen/p.png")
        page.keyboard.press("z")
        for _ in range(6):
            page.keyboard.press("+")
        zoomed(page, 40)
        red = """([x, y]) => {
            const canvas = document.querySelector('.viewer canvas');
            const [r, g] = canvas.getContext('2d').getImageData(x, y, 1, 1).data;
            return r - g;
        }"""
        box = page.locator(".viewer").bounding_box()
        cx, cy = (value - start for value, start in zip(on_screen(page, (x, y)), (box["x"], box["y"]), strict=True))
        until(page, f"at => ({red})(at) > 60", [round(cx), round(cy)])
        for dx, dy in itertools.product((-16, 0, 16), repeat=2):
            assert page.evaluate(red, [round(cx) + dx, round(cy) + dy]) > 60  # JPEG keeps colour not quite
        for dx, dy in ((28, 0), (-28, 0), (0, 28), (0, -28)):
            assert page.evaluate(red, [round(cx) + dx, round(cy) + dy]) < 60


def test_files_come_in_are_looked_at_and_go_out(tmp_path, open_page):
    project, elsewhere = tmp_path / "project", tmp_path / "camera"
    project.mkdir()
    elsewhere.mkdir()
    specimens = []
    for number in range(1, 9):
        points = np.array(photograph(elsewhere / f"b{number}.jpg", number))
        if number == 5:
            points[[2, 6]] = points[[6, 2]]
        specimens.append(Landmarks(points, image=f"b{number}.jpg", id=str(number)))
    tps.save(elsewhere / "mine.tps", specimens, lambda name: SIZE)
    with browsing.served(project) as desk:
        page = open_page(desk.url)
        page.get_by_role("link", name="Add photographs").click()
        page.wait_for_selector("#choose-files", state="attached")
        page.set_input_files("#choose-files", sorted(elsewhere.iterdir()))
        page.get_by_text("landmarks of 8 specimens taken").wait_for(timeout=60_000)
        assert (project / "landmarks.tps").read_bytes() == (elsewhere / "mine.tps").read_bytes()
        page.get_by_role("button", name="Look for errors").click()
        found = page.get_by_role("row", name="b5.jpg").filter(has_text="swapped").first
        found.wait_for(timeout=120_000)
        page.reload()
        page.get_by_role("link", name="Landmarks, TPS").wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="Landmarks, TPS").click()
        assert download.value.path().read_bytes() == (elsewhere / "mine.tps").read_bytes()
        with page.expect_download() as download:
            page.get_by_role("link", name="Landmarks, CSV").click()
        assert download.value.path().read_text().splitlines()[1].startswith("b1.jpg,1,1,")
        found.get_by_role("link", name="Go to it").click()
        page.get_by_role("heading", name="b5.jpg").wait_for()


def test_landmarks_of_other_programs_come_in_and_go_out(tmp_path, open_page):
    project, elsewhere = tmp_path / "project", tmp_path / "camera"
    project.mkdir()
    elsewhere.mkdir()
    points = {f"b{n}.jpg": np.array(photograph(elsewhere / f"b{n}.jpg", n)) for n in (1, 2)}
    names = tuple("abcdefgh")
    given = [Landmarks(one, image=image, id=image[1], names=names) for image, one in points.items()]
    formats.save(elsewhere / "mine.json", given, lambda name: SIZE, name="coco")
    (elsewhere / "unclear.csv").write_text("what,is,this\n1,2,3\n")
    with browsing.served(project) as desk:
        page = open_page(desk.url)
        go(page, desk, "files")
        page.wait_for_selector("#choose-files", state="attached")
        page.set_input_files("#choose-files", sorted(elsewhere.iterdir()))
        page.get_by_text("landmarks of 2 specimens taken (coco)").wait_for(timeout=60_000)
        page.get_by_text("the names of the landmarks are the scheme now").wait_for()
        page.get_by_text("choose its format and send it again").wait_for()
        for image, one in points.items():
            np.testing.assert_allclose(records(project)[image].points, one * [1, -1] + [0, SIZE[1]], atol=1e-4)
        page.reload()
        page.get_by_label("Landmarks in another format").select_option("stereomorph")
        page.get_by_text("A zip with a file for each specimen. Cannot hold: IDs.").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        page.get_by_text("IDs of 2 specimens (1, for example): stereomorph cannot hold them").wait_for()
        assert download.value.suggested_filename == "landmarks-stereomorph.zip"
        with zipfile.ZipFile(download.value.path()) as packed:
            packed.extractall(tmp_path / "out")
        (again,) = formats.load(tmp_path / "out" / "b2.txt")
        np.testing.assert_allclose(again.points, points["b2.jpg"], atol=1e-4)
        assert again.names == names


def test_many_files_of_one_specimen_come_in_at_once_and_each_is_answered(tmp_path, open_page):
    project, elsewhere = tmp_path / "project", tmp_path / "camera"
    project.mkdir()
    elsewhere.mkdir()
    points = {f"b{n}.jpg": np.array(photograph(project / f"b{n}.jpg", n)) for n in (1, 2, 3)}
    away = points["b1.jpg"]
    for image, one in {**points, "away.jpg": away}.items():
        formats.save(elsewhere / f"{image[:-4]}.pts", [Landmarks(one, image=image)], lambda name: SIZE, name="pts")
    dropped = elsewhere / "b3.pts"
    with browsing.served(project) as desk:
        page = open_page(desk.url)
        go(page, desk, "files")
        page.wait_for_selector("#choose-files", state="attached")
        said = page.locator(".arrivals li")
        page.set_input_files("#choose-files", [one for one in sorted(elsewhere.iterdir()) if one != dropped])
        until(page, "() => document.querySelectorAll('.arrivals > li > .good, .arrivals > li > .bad').length == 3")
        for name, what in (
            ("away.pts", "not one photograph of them here"),
            ("b1.pts", "landmarks of 1 specimen taken (pts)"),
            ("b2.pts", "landmarks of 1 specimen taken (pts)"),
        ):
            said.filter(has_text=name).filter(has_text=what).wait_for()
        several = page.evaluate_handle(
            """texts => {
                const sent = new DataTransfer();
                for (const [name, text] of texts) sent.items.add(new File([text], name));
                return sent;
            }""",
            [[name, (elsewhere / name).read_text()] for name in ("b1.pts", "b3.pts")],
        )
        page.dispatch_event(".drop", "drop", {"dataTransfer": several})
        said.filter(has_text="b3.pts").filter(has_text="landmarks of 1 specimen taken (pts)").wait_for()
        said.filter(has_text="b1.pts").filter(has_text="landmarks of 0 specimens taken (pts)").wait_for()
        for image, one in points.items():
            np.testing.assert_allclose(records(project)[image].points, one * [1, -1] + [0, SIZE[1]], atol=1e-4)


def test_the_window_keeps_a_change_while_the_desk_is_away(digitised, open_page):
    desk = browsing.serve(digitised)
    with contextlib.closing(desk.process.stdout):
        page = open_page(desk.url)
        go(page, desk, "specimen/b1.jpg")
        page.keyboard.press("1")
        start = records(digitised)["b1.jpg"].points[0]
        mark(page, 1)
        desk.kill()
        drag(page, 1, 12, 0)
        page.get_by_text("The desk does not answer").wait_for()
    with browsing.served(digitised, "--port", desk.home.rstrip("/").rpartition(":")[2]) as again:
        page.context.new_page().goto(again.url)
        page.get_by_role("button", name="Try again").click()
        saved(page)
        np.testing.assert_allclose(records(digitised)["b1.jpg"].points[0], start + [12, 0], atol=2e-5)


@pytest.mark.parametrize("round_number", range(4))
def test_killed_while_saving_nothing_is_lost(digitised, round_number):
    """Changes as fast as they go until the process is killed: every one that was confirmed is there afterwards."""
    desk = browsing.serve(digitised)
    host = desk.home.removeprefix("http://").rstrip("/")
    token, port = desk.url.partition("token=")[2], host.rpartition(":")[2]
    headers = {
        "cookie": f"pronotum-desk-{port}={token}",
        "origin": f"http://{host}",
        "content-type": "application/json",
    }
    confirmed, sent = [], []

    def change():
        connection = http.client.HTTPConnection(host)
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), contextlib.closing(connection):
            for revision in itertools.count():
                edit = {"what": "place", "landmark": revision % 8, "x": 10 + revision / 8, "y": 20}
                sent.append(edit)
                body = json.dumps({"key": "b1.jpg", "revision": revision, "edit": edit})
                connection.request("POST", "/api/edit", body, headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                confirmed.append(edit)

    worker = threading.Thread(target=change)
    with contextlib.closing(desk.process.stdout):
        worker.start()
        while len(confirmed) < 10:
            assert worker.is_alive()
            time.sleep(0.01)
        time.sleep(random.Random(round_number).uniform(0, 0.1))
        desk.kill()
        worker.join()
    tps.read(digitised / "landmarks.tps")  # whole, before anybody has mended anything
    with contextlib.closing(Store(digitised, "me")) as store:
        history = store.get("b1.jpg").history
    assert len(confirmed) <= history.revision <= len(sent)
    points = tps.load(digitised / "landmarks.tps", lambda name: SIZE)[0].points
    for edit in sent[max(0, history.revision - 8) : history.revision]:
        np.testing.assert_allclose(points[edit["landmark"]], [edit["x"], edit["y"]], atol=2e-5)


def test_a_training_outlives_a_desk_that_was_killed(beetles, open_page):
    points = [draw("pronotum", n, size=SIZE).points for n in (1, 2, 4)]
    specimens = [Landmarks(p, image=f"b{n}.jpg") for n, p in zip((1, 2, 4), points, strict=True)]
    tps.save(beetles / "landmarks.tps", specimens, lambda name: SIZE)
    desk = browsing.serve(beetles)
    with contextlib.closing(desk.process.stdout):
        page = open_page(desk.url)
        go(page, desk, "training")
        page.get_by_role("button", name="Train and predict").click()
        page.get_by_text("Learning from 3 specimens").wait_for()
        desk.kill()
    with browsing.served(beetles) as again:
        page = open_page(again.url)
        go(page, again, "training")
        page.get_by_text("2 photographs predicted").wait_for(timeout=180_000)


def test_a_training_with_radii_and_report(tmp_path, open_page):
    """Cross-validated from the page: circles about what it predicts, and the report can be fetched."""
    folder = tmp_path / "beetles"
    folder.mkdir()
    for number in range(1, 9):
        photograph(folder / f"b{number}.jpg", number, size=SIZE)
    specimens = [Landmarks(draw("pronotum", n, size=SIZE).points, image=f"b{n}.jpg") for n in range(1, 8)]
    tps.save(folder / "landmarks.tps", specimens, lambda name: SIZE)
    (folder / "pronotum.toml").write_text("[desk]\nfolds = 2\n" + TINY)
    with browsing.served(folder) as desk:
        page = open_page(desk.url)
        go(page, desk, "training")
        page.get_by_text("With radii and report").click()
        page.get_by_role("button", name="Train and predict").click()
        page.get_by_text("1 photograph predicted").wait_for(timeout=180_000)
        go(page, desk, "specimen/b8.jpg")
        until(page, "() => document.querySelectorAll('circle.radius').length === 8")
        go(page, desk, "files")
        with page.expect_download() as fetched:
            page.get_by_role("link", name="Report").click()
        assert "repeatability" in fetched.value.path().read_text(encoding="utf-8")
