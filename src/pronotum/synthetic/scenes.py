"""The pictures: a part, its neighbours, legs, ground and camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pronotum.landmarks import FloatArray
from pronotum.synthetic.look import BLACK, HORN, Look, colour
from pronotum.synthetic.painting import Canvas, Chitin, Groove, ellipse, stroke
from pronotum.synthetic.shapes import Part, bow, mirrored


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything needed to paint one part.

    Attributes:
        canvas: what is painted on.
        place: from points of the part's mean shape to px of the canvas; exact on landmarks.
        part: what is drawn.
        look: colours and light.
        rng: chance for legs, setae and debris.
    """

    canvas: Canvas
    place: Callable[[FloatArray], FloatArray]
    part: Part
    look: Look
    rng: np.random.Generator

    @property
    def unit(self) -> float:
        """Px of the canvas per px of the part's frame."""
        return self.canvas.unit

    def curve(self, name: str) -> FloatArray:
        """A curve of the part in px of the canvas."""
        return self.place(self.part.curves[name])

    def sides(self, name: str) -> list[FloatArray]:
        """A curve of the right side and its mirror image on the left."""
        return [self.curve(name), self.place(mirrored(self.part.curves[name]))]

    def closed(self, name: str) -> FloatArray:
        """The polygon between a curve of the right side and its mirror image."""
        right, left = self.sides(name)
        return np.concatenate([right, left[::-1]])

    def lines(self, curves: Sequence[FloatArray], width: float) -> list[FloatArray]:
        """Strokes, `width` px of the part's frame wide, along curves in px of the canvas."""
        return [stroke(curve, width * self.unit) for curve in curves]

    def chain(self, start: tuple[float, float], steps: ArrayLike, jitter: float = 0.06) -> FloatArray:
        """Joints of a limb: (N + 1, 2) px of the canvas.

        Args:
            start: where it leaves the body, px of the part's frame.
            steps: (N, 2) from joint to joint, px of the part's frame.
            jitter: standard deviation of the turn of every step, radians, added up along the limb.
        """
        turns = np.cumsum(self.rng.normal(0, jitter, len(np.atleast_2d(steps))))
        cos, sin = np.cos(turns), np.sin(turns)
        x, y = np.asarray(steps, dtype=np.float64).T * self.unit
        moves = np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
        first = self.place(np.array([start], dtype=np.float64))
        return np.concatenate([first, first + np.cumsum(moves, axis=0)])

    def limb(self, joints: FloatArray, widths: Sequence[tuple[float, float, float]], surface: Chitin) -> None:
        """Paint segments of (start, middle, end) width between joints."""
        polygons = []
        for start, end, profile in zip(joints[:-1], joints[1:], widths, strict=True):
            along = np.linspace(0, 1, 13)
            width = np.interp(along, (0, 0.45, 1), profile) * (1 - np.abs(2 * along - 1) ** 8 * 0.6)
            polygons.append(stroke(start + along[:, None] * (end - start), width * self.unit))
        for polygon in polygons[::-1]:
            self.canvas.chitin([polygon], surface)

    def setae(self, roots: FloatArray, *, towards: ArrayLike, length: float, width: float = 5.0) -> None:
        """Paint thin brown hairs from roots (N, 2), px of the canvas, in a direction, with some disorder."""
        hairs = []
        for root in roots:
            direction = np.asarray(towards) + self.rng.normal(0, 0.25, 2)
            tip = root + direction * length * self.unit * self.rng.uniform(0.7, 1.2)
            line = bow(root, tip, self.rng.normal(0, 0.1))
            hairs.append(stroke(line, np.linspace(width, width / 3, len(line)) * self.unit))
        self.canvas.fill(hairs, (0.24, 0.15, 0.09), opacity=0.7)


def paint(scene: Scene, grid_paper: bool) -> None:
    """Paint the whole picture of a part, without the camera's faults."""
    _ground(scene, grid_paper)
    _PAINTERS[scene.part.name](scene)


def _ground(scene: Scene, grid_paper: bool) -> None:
    canvas, rng = scene.canvas, scene.rng
    paper = np.array(scene.look.paper, dtype=np.float32)
    other = np.clip(paper + rng.normal(0, 0.03) + rng.normal(0, 0.015, 3), 0, 1).astype(np.float32)
    mixture = np.clip(0.5 + 0.3 * canvas.noise(1600), 0, 1)[..., None]
    canvas.pixels[:] = paper + mixture * (other - paper)
    fibres = 0.012 * canvas.noise(140) + 0.008 * canvas.noise(23) + 0.006 * canvas.noise(11)
    canvas.pixels += fibres[..., None]
    if grid_paper:
        _grid_paper(scene)


def _grid_paper(scene: Scene) -> None:
    """Paper with a brown grid of squares along the left edge of the picture."""
    canvas, rng = scene.canvas, scene.rng
    cell, edge = rng.uniform(190, 250), rng.uniform(640, 900)
    angle = rng.normal(0, 0.02)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    origin = np.array([edge, 1224.0])

    def on_paper(points: ArrayLike) -> FloatArray:
        turned = origin + np.asarray(points, dtype=np.float64) @ axes
        return np.asarray((turned + 0.5) * scene.unit - 0.5, dtype=np.float64)

    canvas.fill(
        [on_paper([(-1200, -1500), (0, -1500), (0, 1500), (-1200, 1500)])],
        (0.76, 0.81, 0.86), softness=3 * scene.unit,
    )  # fmt: skip
    bars: list[ArrayLike] = []
    for x in np.arange(0, -1200, -cell):
        bars.append([(x - 46, -1500), (x, -1500), (x, 1500), (x - 46, 1500)])
    for top in np.arange(-1500 + rng.uniform(0, cell), 1500, cell):
        bars.append([(-1200, top), (0, top), (0, top + 42), (-1200, top + 42)])
    patch = canvas.patch([on_paper(bar) for bar in bars], 20)
    if patch is not None:
        soft = patch.blurred(5 * scene.unit)
        bleed = np.clip(0.86 + 0.16 * canvas.noise(11)[soft.rows, soft.columns], 0.3, 1)
        canvas.blend(replace(soft, cover=soft.cover * bleed), (0.48, 0.42, 0.33), 0.85)


def _leg(scene: Scene, start: tuple[float, float], steps: ArrayLike, tarsus: tuple[float, float]) -> None:
    """Femur, tibia with spines and a tarsus of five segments."""
    u, look = scene.unit, scene.look
    steps = np.asarray(steps, dtype=np.float64)
    joints = scene.chain(start, np.concatenate([steps, np.tile(np.asarray(tarsus) / 5, (5, 1))]), 0.12)
    widths = [(100, 145, 70), (52, 64, 80), *[(24, 32, 36)] * 5]
    scene.canvas.cast_shadow([stroke(joints + 12 * u, 60 * u)], reach=30 * u, strength=0.25)
    tibia = joints[2] - joints[1]
    along = tibia / np.hypot(*tibia)
    side = along[::-1] * (-1, 1)
    roots = joints[1] + np.linspace(0.25, 0.98, 9)[:, None] * tibia
    for sign in (-1, 1):
        spines = roots + sign * 26 * u * side
        scene.setae(spines, towards=0.6 * sign * side + 0.7 * along, length=48, width=8)
    scene.limb(joints, widths[: len(joints) - 1], look.black(26 * u, 0.45))


def _antenna(scene: Scene, start: tuple[float, float], steps: ArrayLike, red: int) -> None:
    """Club-shaped segments, the first `red` of them reddish."""
    joints = scene.chain(start, steps, 0.08)
    black = scene.look.black(20 * scene.unit, 0.4)
    reddish = replace(black, dark=(0.33, 0.10, 0.07), sheen=(0.75, 0.40, 0.32))
    for number in range(len(joints) - 2, -1, -1):
        profile = (44.0, 66.0, 56.0) if number == 0 else (24.0, 42.0, 54.0)
        scene.limb(joints[number : number + 2], [profile], reddish if number < red else black)


def _pronotum(scene: Scene) -> None:
    canvas, look, u = scene.canvas, scene.look, scene.unit
    outline = scene.curve("outline")
    elytra, head = scene.closed("elytron"), scene.closed("head side")
    canvas.cast_shadow([outline + 25 * u, elytra, head], reach=70 * u, strength=0.35)
    for side in (-1, 1):
        reach = scene.rng.uniform(0.8, 1.15)
        _leg(
            scene, (side * 960, scene.rng.uniform(-200, 150)),
            [(side * 330 * reach, -170), (side * -60 - side * 120 * reach, -690)], (side * -90, -420),
        )  # fmt: skip
        _antenna(scene, (side * 1150, -1250), [(side * 40, 230)] * 4, 0)
    canvas.fill(scene.lines([elytra], 10), BLACK)
    canvas.chitin([elytra], look.chitin(150 * u, shade=0.9), _short_striae(scene), rough=0.02)
    waist = scene.place(np.array([(-700, 600), (700, 600), (520, 800), (180, 850), (-180, 850), (-520, 800)]))
    canvas.fill([waist], (0.03, 0.035, 0.045), opacity=0.9, softness=14 * u)
    for eye in scene.sides("eye"):
        _eye(scene, eye)
    canvas.chitin([head], look.chitin(240 * u))
    collar = scene.place(bow((-470, -752), (470, -752), 0.025, n=60))
    canvas.fill(scene.lines([collar], 34), BLACK, opacity=0.75, softness=7 * u)
    _pronotal_disc(scene, outline)


def _pronotal_disc(scene: Scene, outline: FloatArray) -> None:
    canvas, look, u = scene.canvas, scene.look, scene.unit
    bead = [_inset(side, outline, 30 * u) for side in scene.sides("side")]
    grooves = [
        Groove(scene.lines([scene.curve("midline")], 12), 3.5 * u, 3.0),
        Groove(scene.lines(scene.sides("fovea"), 80), 34 * u, 0.9),
        Groove(scene.lines(scene.sides("outer fovea"), 60), 24 * u, 0.8),
        Groove(scene.lines(bead, 14), 5 * u, 2.2),
    ]
    canvas.chitin([outline], look.chitin(270 * u, gloss=1.15), grooves, rough=0.05)
    canvas.fill(scene.lines([scene.curve("midline")], 7), BLACK, opacity=0.55, softness=2 * u)
    canvas.fill(scene.lines(scene.sides("fovea"), 90), BLACK, opacity=0.4, softness=26 * u)
    canvas.fill(scene.lines(bead, 9), BLACK, opacity=0.45, softness=2 * u)
    _rim(scene, outline)
    setae = scene.place(np.array([(930, -410), (-930, -410), (915, 655), (-915, 655)]))
    canvas.fill([ellipse(p, (12 * u, 12 * u)) for p in setae], BLACK, opacity=0.6)
    scene.setae(setae[0::2], towards=(0.9, 0.1), length=230)
    scene.setae(setae[1::2], towards=(-0.9, 0.1), length=230)


def _rim(scene: Scene, outline: FloatArray) -> None:
    """A narrow dark seam along an outline, inside it."""
    scene.canvas.edge(outline, 14 * scene.unit, BLACK, 0.6)


def _inset(curve: FloatArray, outline: FloatArray, distance: float) -> FloatArray:
    """The part of a curve on an outline moved inside by px."""
    tangent = np.gradient(curve, axis=0)
    normal = tangent[:, ::-1] * (-1.0, 1.0) / np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    inwards = np.sign(np.sum(normal * (outline.mean(axis=0) - curve)))
    return np.asarray(curve + inwards * distance * normal, dtype=np.float64)


def _short_striae(scene: Scene) -> list[Groove]:
    """Beginnings of the striae of the elytra seen behind the pronotum."""
    right = [bow((140 * n - 25, 830), (140 * n + 30, 1300), 0.03, n=30) for n in range(1, 8)]
    lines = [scene.place(line) for line in (*right, *map(mirrored, right))]
    return [Groove(scene.lines(lines, 16), 7 * scene.unit, 0.8)]


def _eye(scene: Scene, outline: FloatArray) -> None:
    u = scene.unit
    surface = Chitin((0.15, 0.13, 0.13), (0.62, 0.56, 0.50), (0.5, 0.42, 0.36), 75 * u, 0.02, 0.75)
    scene.canvas.chitin([outline], surface)


def _head(scene: Scene) -> None:
    canvas, look, u = scene.canvas, scene.look, scene.unit
    outline, labrum, eyes = scene.curve("outline"), scene.curve("labrum"), scene.sides("eye")
    mandibles, cheeks = scene.sides("mandible"), scene.sides("cheek")
    pronotum = scene.closed("pronotum")
    canvas.cast_shadow([outline, *eyes, *cheeks, labrum], reach=60 * u, strength=0.4)
    for side in (-1, 1):
        palp = [(side * 150, -210), (side * 60, -170), (-side * 150, -90)]
        scene.limb(scene.chain((side * 400, -600), palp), [(40, 56, 50), (36, 52, 60), (34, 54, 30)],
                   look.black(20 * u))  # fmt: skip
        away = scene.rng.normal(0, 0.06)
        steps = [(side * (210 + 300 * away), -215 + 300 * away)] + [(side * 125, -165 + 300 * away)] * 6
        _antenna(scene, (side * 545, -160), steps, 1)
    if scene.rng.random() < 0.7:
        _leg(scene, (-1500, 1250), [(120, -120), (250, -560)], (130, -330))
    for mandible in mandibles[::-1]:
        canvas.chitin([mandible], look.black(46 * u, 0.7))
    for cheek in cheeks:
        canvas.chitin([cheek], look.black(60 * u, 0.5))
    brown = replace(look.chitin(60 * u, shade=0.9), sheen=(0.36, 0.28, 0.24), rim=(0.5, 0.4, 0.3))
    canvas.chitin([labrum], brown)
    _rim_light(scene, labrum)
    for eye in eyes:
        _eye(scene, eye)
    _head_capsule(scene, outline)
    canvas.chitin([pronotum], look.chitin(140 * u), rough=0.05)
    collar = scene.place(bow((-640, 1008), (640, 1008), 0.005, n=60))
    canvas.fill(scene.lines([collar], 26), BLACK, opacity=0.7, softness=4 * u)
    front = np.array([(-150, -775), (-70, -762), (0, -758), (70, -762), (150, -775)])
    scene.setae(scene.place(front), towards=(0, -1.0), length=120, width=7)


def _head_capsule(scene: Scene, outline: FloatArray) -> None:
    canvas, look, u = scene.canvas, scene.look, scene.unit
    suture = scene.curve("clypeal suture")
    furrows, ridges = scene.sides("frontal furrow"), scene.sides("eye ridge")
    punctures = scene.place(scene.part.mean[:4])
    rings = [ellipse(p, (34 * u, 34 * u)) for p in punctures]
    grooves = [
        Groove(scene.lines([suture], 12), 4 * u, 2.4),
        Groove(scene.lines(furrows, 60), 22 * u, 0.8),
        Groove(scene.lines(ridges, 22), 9 * u, 0.9),
        Groove(rings, 7 * u, 1.5),
    ]
    canvas.chitin([outline], look.chitin(170 * u, gloss=1.1), grooves, rough=0.04)
    canvas.fill(scene.lines([suture], 8), BLACK, opacity=0.6, softness=2 * u)
    canvas.fill(scene.lines(furrows, 40), BLACK, opacity=0.35, softness=14 * u)
    _rim_light(scene, outline)
    canvas.fill(rings, look.rim, opacity=0.45, softness=3 * u)
    canvas.fill([ellipse(p, (21 * u, 21 * u)) for p in punctures], (0.02, 0.02, 0.025), softness=2 * u)
    scene.setae(punctures[0::2], towards=(0.8, -0.5), length=190, width=4)
    scene.setae(punctures[1::2], towards=(-0.8, -0.5), length=190, width=4)


def _rim_light(scene: Scene, outline: FloatArray) -> None:
    """A bright bevel along an outline, inside it, where one dark sclerite lies on another."""
    scene.canvas.edge(outline, 13 * scene.unit, colour(0.7 * np.array(scene.look.rim) + 0.1), 0.55)


def _elytra(scene: Scene) -> None:
    canvas, look, u, rng = scene.canvas, scene.look, scene.unit, scene.rng
    elytra = scene.sides("outline")
    abdomen, waist, pronotum = scene.closed("abdomen"), scene.closed("waist"), scene.closed("pronotum")
    canvas.cast_shadow([*elytra, abdomen, pronotum], reach=90 * u, strength=0.4)
    for side in (-1, 1):
        lift = rng.uniform(-60, 60)
        _leg(scene, (side * 520, -560 + lift), [(side * 240, -60), (side * 60, 520)], (side * 30, 430))
        _leg(scene, (side * 530, 60 + lift), [(side * 270, 40), (-side * 60, 560)], (side * 110, 430))
    canvas.chitin([abdomen], look.black(70 * u, 0.4))
    tergites = [scene.place(bow((-330, y), (330, y), 0.1, n=40)) for y in (960, 1010)]
    canvas.fill(scene.lines(tergites, 9), (0.22, 0.22, 0.25), opacity=0.5, softness=2 * u)
    canvas.chitin([waist], look.black(60 * u, 0.4))
    canvas.chitin([pronotum], look.chitin(130 * u), rough=0.04)
    _rim(scene, pronotum)
    middle = scene.place(np.array([(-60, -760), (60, -760), (60, 900), (-60, 900)]))
    canvas.fill([middle], (0.02, 0.02, 0.025))
    for side, outline in zip((1, -1), elytra, strict=True):
        _elytron(scene, outline, side)
    suture = scene.place(bow((0, -690), (0, 900), 0, n=60))
    canvas.fill(scene.lines([suture], 16), BLACK, opacity=0.6, softness=3 * u)
    canvas.chitin([scene.curve("scutellum")], look.black(30 * u, 0.7))
    _rim_light(scene, scene.curve("scutellum"))


def _elytron(scene: Scene, outline: FloatArray, side: int) -> None:
    """One wing case with nine striae, their punctures, and a raised margin; both make one vault."""
    canvas, look, u = scene.canvas, scene.look, scene.unit
    margin = scene.part.curves["margin"]
    whole = scene.place(np.concatenate([margin, mirrored(margin)[::-1]]))
    y = np.linspace(-770, 985, 90)
    order = np.argsort(margin[:, 1], kind="stable")
    breadth = np.interp(y, margin[order, 1], margin[order, 0])
    striae = []
    for number in range(1, 10):
        share = (number - 0.25) / 9.4
        end = 985 - 130 * share
        x = breadth * share + 6
        keep = (y < end) & (y > -745 - 20 * share)
        striae.append(scene.place(np.stack([side * x, y], axis=1)[keep]))
    bead = _inset(scene.place(scene.part.curves["side"] * (side, 1)), outline, 20 * u)
    punctures = [ellipse(p, (9 * u, 12 * u), n=10) for line in striae for p in line[::2]]
    grooves = [
        Groove(scene.lines(striae, 14), 7 * u, 0.75),
        Groove(scene.lines([bead], 12), 5 * u, 2.0),
    ]
    canvas.chitin([outline], look.chitin(200 * u), grooves, dome=[whole])
    canvas.fill(scene.lines(striae, 9), BLACK, opacity=0.5, softness=2 * u)
    canvas.fill(punctures, BLACK, opacity=0.45, softness=1.5 * u)
    canvas.fill(scene.lines([bead], 10), look.rim, opacity=0.25, softness=3 * u)
    canvas.edge(outline, 24 * u, BLACK, 0.5)
    canvas.edge(outline, 9 * u, look.rim, 0.4)


def _mandible(scene: Scene) -> None:
    canvas, look, u, rng = scene.canvas, scene.look, scene.unit, scene.rng
    outline, ridge, stain = scene.curve("outline"), scene.curve("ridge"), scene.curve("stain")
    _debris(scene)
    canvas.cast_shadow([outline + 20 * u], reach=80 * u, strength=0.3)
    membrane = scene.curve("membrane")
    tissue = Chitin((0.62, 0.50, 0.37), (0.45, 0.4, 0.32), (0.3, 0.2, 0.1), 60 * u, 0.03, 0.5)
    canvas.chitin([membrane], tissue, rough=0.04)
    crease = [scene.curve("crease")]
    strip = scene.place(scene.part.curves["striation"])
    step = np.array([(52.0, 26.0), (-52.0, 26.0)][scene.part.name == "mandible_left"]) * u
    striations = [strip + i * step * 0.8 for i in range(-2, 3)]
    surface = replace(look.black(170 * u, 0.55), dark=(0.06, 0.055, 0.06), wrinkles=0.4 * look.wrinkles)
    grooves = [
        Groove(scene.lines([ridge], 26), 9 * u, -2.4),
        Groove(scene.lines(crease, 60), 22 * u, -0.8),
        Groove(scene.lines(striations, 10), 6 * u, 0.9),
    ]
    canvas.chitin([outline], surface, grooves, rough=0.012)
    patch = canvas.patch([stain], 200 * u)
    if patch is not None:
        canvas.blend(patch.blurred(60 * u), HORN, rng.uniform(0.2, 0.5))
    glint = np.clip(0.55 + 0.35 * rng.standard_normal(), 0.25, 0.8)
    canvas.fill(scene.lines([ridge], 12), (0.66, 0.62, 0.52), opacity=glint * 0.7, softness=3 * u)
    _rim(scene, outline)


def _debris(scene: Scene) -> None:
    """Fibres, crumbs and cloudy glue on the mount."""
    canvas, u, rng = scene.canvas, scene.unit, scene.rng
    for _ in range(rng.integers(4, 10)):
        start, turn = rng.uniform((-1600, -1200), (1600, 1200)), rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(150, 600)
        line = scene.place(bow(start, start + along, rng.normal(0, 0.2), n=30))
        canvas.fill(scene.lines([line], rng.uniform(5, 14)), (0.93, 0.95, 0.97), opacity=0.35, softness=4 * u)
    for _ in range(rng.integers(3, 9)):
        place = scene.place(rng.uniform((-1600, -1200), (1600, 1200))[None])[0]
        crumb = ellipse(place, rng.uniform(8, 34, 2) * u, rng.uniform(0, 3))
        canvas.fill([crumb], (0.18, 0.16, 0.15), opacity=rng.uniform(0.4, 0.9), softness=3 * u)


_PAINTERS: Mapping[str, Callable[[Scene], None]] = {
    "pronotum": _pronotum,
    "head": _head,
    "elytra": _elytra,
    "mandible_left": _mandible,
    "mandible_right": _mandible,
}
