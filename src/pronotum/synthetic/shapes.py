"""The five parts: landmarks, outlines and the low-rank model by which they vary.

Frame of a part: px of a 3264x2448 picture from its centre, x to the right, y down, the animal's head up and
its left side on the left. Curves run through landmarks and auxiliary points; the modes move the whole plane,
so whatever is drawn moves with the landmarks, and an outline through a landmark goes on running through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from pronotum.landmarks import FloatArray, Scheme

FRAME = (3264, 2448)
"""Width and height in px of the picture in which parts are described."""

Node = int | tuple[float, float]
Field = Callable[[FloatArray, FloatArray], tuple[FloatArray | float, FloatArray | float]]


@dataclass(frozen=True)
class Mode:
    """One direction in which a part varies: a displacement of every point of its frame.

    Attributes:
        name: what the mode looks like.
        sd: standard deviation of its coefficient; a coefficient of 1 moves by `field`.
        field: displacement (dx, dy) at (x, y), all in units of 1000 px of the frame.
    """

    name: str
    sd: float
    field: Field

    def displacement(self, points: FloatArray) -> FloatArray:
        """(N, 2) displacement in px of (N, 2) points when the coefficient is 1."""
        x, y = np.moveaxis(points, -1, 0) / 1000
        return 1000 * np.stack(np.broadcast_arrays(*self.field(x, y)), axis=-1)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a beetle: shape(b) = mean + sum_j b_j mode_j(mean), b_j normal with standard deviation sd_j.

    Attributes:
        name: key in `PARTS`.
        scheme: names of the K landmarks and their mirror pairs.
        mean: (K, 2) landmarks of the mean shape, px of the part's frame.
        modes: the J modes; they are linearly independent of each other and of position, turn and size.
        curves: named (N, 2) polylines of the mean shape, dense, exactly through the landmarks they name.
    """

    name: str
    scheme: Scheme
    mean: FloatArray
    modes: tuple[Mode, ...]
    curves: Mapping[str, FloatArray]

    @property
    def basis(self) -> FloatArray:
        """(J, K, 2) displacements of the landmarks in px per unit of each coefficient."""
        return np.stack([mode.displacement(self.mean) for mode in self.modes])

    def displace(self, points: FloatArray, coefficients: FloatArray) -> FloatArray:
        """Move (N, 2) points of the mean shape to a shape with (J,) coefficients."""
        moved = np.array(points, dtype=np.float64)
        for coefficient, mode in zip(coefficients, self.modes, strict=True):
            moved += coefficient * mode.displacement(points)
        return moved


def spline(points: ArrayLike, step: float = 12.0) -> FloatArray:
    """Smooth curve through points, sampled about every `step` px, the points themselves among the samples.

    Args:
        points: (N, 2), N >= 2.
        step: px between samples.

    Returns:
        (M, 2) polyline from the first to the last point.
    """
    nodes = np.asarray(points, dtype=np.float64)
    gaps = np.hypot(*np.diff(nodes, axis=0).T)
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(gaps))])
    spans = [
        np.linspace(start, end, max(2, round(gap / step)), endpoint=False)
        for start, end, gap in zip(knots[:-1], knots[1:], gaps, strict=True)
    ]
    at = np.concatenate([*spans, knots[-1:]])
    if len(nodes) == 2:
        return np.stack([np.interp(at, knots, column) for column in nodes.T], axis=1)
    return np.asarray(CubicSpline(knots, nodes)(at), dtype=np.float64)


def bow(start: ArrayLike, end: ArrayLike, sag: float, n: int = 9) -> FloatArray:
    """(n, 2) points of a bent line from start to end; sag is its height per length, positive to the right."""
    along = np.linspace(0, 1, n)[:, None]
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    chord = last - first
    bent = first + along * chord + 4 * sag * along * (1 - along) * chord[::-1] * (-1.0, 1.0)
    return np.asarray(bent, dtype=np.float64)


def trace(mean: FloatArray, *stretches: Sequence[Node]) -> FloatArray:
    """Curve made of smooth stretches with corners between them.

    Args:
        mean: (K, 2) landmarks.
        stretches: each a sequence of landmark numbers (from 1) and auxiliary points (x, y).
    """
    nodes = [[mean[node - 1] if isinstance(node, int) else node for node in stretch] for stretch in stretches]
    return np.concatenate([spline(stretch) for stretch in nodes])


def mirrored(curve: ArrayLike) -> FloatArray:
    """The same curve on the other side of the animal."""
    return np.asarray(curve, dtype=np.float64) * (-1.0, 1.0)


def _front(y: FloatArray) -> FloatArray:
    return np.maximum(0.0, -y)


def _rear(y: FloatArray) -> FloatArray:
    return np.maximum(0.0, y)


def _elongation(sd: float) -> Mode:
    return Mode("elongation", sd, lambda x, y: (-x / 2, y / 2))


def _taper(sd: float) -> Mode:
    return Mode("taper: wider behind than in front", sd, lambda x, y: (x * y, 0.0))


def _arch(sd: float) -> Mode:
    return Mode("arch: sides behind the middle", sd, lambda x, _: (0.0, x**2))


def _skew(sd: float) -> Mode:
    return Mode("asymmetry: sheared to one side", sd, lambda x, y: (y / 2, x / 2))


def _pronotum() -> Part:
    names = (
        "middle of front margin", "right seat of head", "right front angle", "right hind angle",
        "middle of base", "left hind angle", "left front angle", "left seat of head",
    )  # fmt: skip
    mean = np.array(
        [(0, -716), (452, -742), (640, -792), (948, 700), (0, 742), (-948, 700), (-640, -792), (-452, -742)],
        dtype=np.float64,
    )
    side: tuple[Node, ...] = ((860, -640), (1000, -360), (1052, -20), (1030, 290), (972, 530), 4)
    outline = trace(
        mean,
        [7, (-550, -760), 8, (-230, -720), 1, (230, -720), 2, (550, -760), 3],
        [3, *side],
        [4, (700, 726), (380, 736), 5, (-380, 736), (-700, 726), 6],
        [6, (-972, 530), (-1030, 290), (-1052, -20), (-1000, -360), (-860, -640), 7],
    )
    modes = (
        _elongation(0.05),
        _taper(0.06),
        _arch(0.03),
        Mode("angles: drawn out in front and behind", 0.04, lambda x, y: (0.0, x**2 * y)),
        _skew(0.025),
    )
    curves = {
        "outline": outline,
        "side": trace(mean, [3, *side]),
        "midline": spline([(0, -680), (6, -200), (-4, 250), (0, 710)]),
        "fovea": spline([(470, 310), (455, 470), (480, 640)]),
        "outer fovea": spline([(740, 470), (745, 640)]),
        "head side": spline(
            [(400, -640), (452, -742), (480, -830), (530, -960), (500, -1240), (420, -1500), (380, -1900)]
        ),
        "eye": spline([(500, -930), (640, -960), (730, -1110), (680, -1300), (480, -1360)]),
        "elytron": spline([(60, 765), (560, 778), (980, 800), (1110, 890), (1180, 1200), (1190, 1500), (1190, 1900)]),
    }
    return Part("pronotum", Scheme(names, ((7, 1), (6, 2), (5, 3))), mean, modes, curves)


def _head() -> Part:
    features = (
        "hind supraorbital puncture", "front supraorbital puncture", "corner of frons", "corner of clypeus",
        "corner of labrum",
    )  # fmt: skip
    names = tuple(f"{side} {feature}" for feature in features for side in ("right", "left"))
    right = np.array([(560, 490), (492, 120), (452, -250), (282, -540), (222, -800)], dtype=np.float64)
    mean = np.stack([right, mirrored(right)], axis=1).reshape(10, 2)
    flank = trace(mean, [7, (325, -400), 5], [5, (498, -130), (540, 30), (590, 260), (618, 470), (640, 600)])
    neck = spline([(640, 600), (668, 690), (664, 850), (640, 1010), (640, 1100)])
    right_side = np.concatenate([flank, neck])
    clypeus = trace(mean, [8, (0, -518), 7])
    modes = (
        _elongation(0.045),
        _taper(0.06),
        Mode("face: front and vertex wider than the frons", 0.05, lambda x, y: (x * y**2, 0.0)),
        Mode("muzzle: front drawn out", 0.05, lambda _, y: (0.0, -(_front(y) ** 2))),
        _skew(0.025),
    )
    curves = {
        "outline": np.concatenate([clypeus, right_side, mirrored(right_side)[::-1]]),
        "labrum": trace(mean, [8, (0, -518), 7], [7, (262, -640), (245, -740), 9], [9, (0, -752), 10],
                        [10, (-245, -740), (-262, -640), 8]),
        "clypeal suture": spline([(-372, -296), (-200, -262), (0, -268), (200, -262), (372, -296)]),
        "frontal furrow": spline([(225, -250), (262, -120), (250, 40), (275, 150)]),
        "eye ridge": spline([(470, -150), (510, 30), (556, 250), (585, 450)]),
        "eye": spline([(560, -30), (690, 10), (830, 160), (868, 330), (800, 520), (640, 630), (600, 590)]),
        "cheek": spline([(600, 90), (640, 0), (622, -170), (560, -330), (480, -500), (380, -560),
                         (250, -480)]),
        "mandible": np.concatenate([
            spline([(320, -430), (500, -450), (520, -640), (400, -850), (190, -990), (-40, -1050)]),
            spline([(-40, -1050), (120, -950), (240, -830), (280, -700), (270, -500)]),
        ]),
        "pronotum": spline([(0, 1010), (420, 1002), (700, 1010), (860, 960), (1120, 1100), (1400, 1500),
                            (1500, 1900)]),
    }  # fmt: skip
    return Part("head", Scheme(names, tuple((i + 1, i) for i in range(0, 10, 2))), mean, modes, curves)


def _scutellum(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    near = np.exp(-(x**2 + (y + 0.8) ** 2) / (2 * 0.16**2))
    return near * x, near * (y + 0.8)


def _elytra() -> Part:
    names = (
        "tip of scutellum", "right front corner of scutellum", "left front corner of scutellum",
        "right base of scutellum", "right shoulder", "right preapical sinus", "right apex", "left apex",
        "left preapical sinus", "left shoulder", "left base of scutellum",
    )  # fmt: skip
    mean = np.array(
        [(0, -716), (96, -868), (-96, -868), (112, -800), (446, -822), (268, 850),
         (46, 1004), (-46, 1004), (-268, 850), (-446, -822), (-112, -800)],
        dtype=np.float64,
    )  # fmt: skip
    side = trace(mean, [5, (520, -690), (562, -440), (588, -60), (572, 320), (470, 640), (354, 772), 6])
    margin = np.concatenate([side, trace(mean, [6, (224, 876), (140, 960), 7])])
    suture = trace(mean, [7, (12, 940), (2, 780), (0, 300), (0, -300), 1])
    base = trace(mean, [1, 4], [4, (230, -806), (340, -815), 5])
    modes = (
        _elongation(0.05),
        _taper(0.07),
        Mode("scutellum: larger", 0.14, _scutellum),
        _arch(0.06),
        Mode("gape: the tips apart", 0.014, lambda x, y: (np.tanh(x / 0.012) * _rear(y) ** 2, 0.0)),
        _skew(0.02),
    )
    curves = {
        "outline": np.concatenate([margin, suture, base]),
        "margin": margin,
        "side": side,
        "scutellum": trace(mean, [3, (0, -874), 2], [2, 4], [4, 1], [1, 11], [11, 3]),
        "abdomen": spline([(420, 500), (400, 800), (300, 980), (215, 1080), (0, 1124)]),
        "waist": spline([(330, -1000), (260, -930), (300, -840), (430, -770), (300, -600)]),
        "pronotum": spline([(0, -952), (420, -960), (500, -975), (520, -1060), (600, -1400), (640, -1900)]),
    }
    pairs = ((2, 1), (10, 3), (9, 4), (8, 5), (7, 6))
    return Part("elytra", Scheme(names, pairs), mean, modes, curves)


def _mandible_modes(molar: tuple[float, float], inward: float) -> tuple[Mode, ...]:
    """Modes of a mandible; `molar` is the middle of its basal teeth in units of 1000 px."""
    x_molar, y_molar = molar

    def bump(x: FloatArray, y: FloatArray) -> tuple[FloatArray, float]:
        return inward * np.exp(-((x - x_molar) ** 2 + (y - y_molar) ** 2) / (2 * 0.22**2)), 0.0

    return (
        _elongation(0.06),
        Mode("bend: tip and base towards the middle", 0.05, lambda _, y: (inward * y**2, 0.0)),
        Mode("hook: tip turned in", 0.07, lambda _, y: (inward * _front(y) ** 3, 0.0)),
        Mode("molar: basal teeth prominent", 0.04, bump),
        _skew(0.04),
    )


def _mandible_right() -> Part:
    names = (
        "tip", "end of incisor edge", "terebral tooth", "notch behind terebral tooth", "second tooth",
        "front of molar", "first molar notch", "first molar tooth", "second molar notch",
        "second molar tooth", "third molar tooth", "end of molar", "base of ridge", "outer base",
        "condyle", "notch above condyle", "outer angle", "end of ridge",
    )  # fmt: skip
    mean = np.array(
        [(-330, -930), (-250, -235), (-335, -208), (-293, -128), (-352, -82), (-468, 262), (-452, 306),
         (-512, 338), (-494, 394), (-552, 424), (-566, 492), (-498, 560), (172, 846), (440, 884),
         (522, 702), (452, 622), (510, 470), (392, -240)],
        dtype=np.float64,
    )  # fmt: skip
    outline = trace(
        mean,
        [1, (-262, -800), (-222, -600), (-222, -400), 2], [2, 3], [3, 4], [4, (-318, -104), 5],
        [5, (-362, 20), (-402, 140), 6], [6, 7], [7, 8], [8, 9], [9, 10], [10, (-562, 457), 11],
        [11, (-540, 532), 12], [12, (-470, 660), (-380, 740), (-180, 800), (0, 860)],
        [(0, 860), (70, 880), (130, 840), 13], [13, (250, 828), (350, 846), 14],
        [14, (500, 838), 15], [15, 16], [16, (480, 560), 17],
        [17, (494, 280), (458, 20), 18, (282, -480), (122, -700), (-90, -870), (-230, -925), 1],
    )  # fmt: skip
    curves = {
        "outline": outline,
        "ridge": trace(mean, [13, (222, 640), (252, 380), (242, 150), (300, -60), 18]),
        "crease": spline([(60, 800), (90, 640), (60, 480)]),
        "membrane": spline([(-520, 600), (-590, 690), (-480, 770), (-400, 900), (-290, 930), (-240, 1090),
                            (-190, 1210), (-90, 1190), (-80, 1000), (-20, 930), (60, 880), (40, 760),
                            (-200, 640), (-520, 600)]),
        "stain": spline([(-300, 420), (-160, 240), (10, 420), (-60, 740), (-250, 720), (-380, 600),
                         (-300, 420)]),
        "striation": spline([(-90, -270), (-30, -210), (10, -110)]),
    }  # fmt: skip
    return Part("mandible_right", Scheme(names), mean, _mandible_modes((-0.52, 0.42), -1), curves)


def _mandible_left() -> Part:
    names = (
        "tip", "end of incisor edge", "terebral tooth", "notch behind terebral tooth", "first molar tooth",
        "first molar notch", "second molar tooth", "second molar notch", "third molar tooth", "end of molar",
        "base of ridge", "outer base", "condyle", "notch above condyle", "outer angle", "end of ridge",
    )  # fmt: skip
    mean = np.array(
        [(215, -930), (392, 120), (464, 152), (430, 284), (506, 372), (462, 420), (524, 456),
         (492, 514), (552, 560), (490, 660), (-62, 880), (-420, 936), (-518, 760), (-446, 668),
         (-492, 540), (-388, -240)],
        dtype=np.float64,
    )  # fmt: skip
    outline = trace(
        mean,
        [1, (172, -850), (146, -700), (160, -500), (222, -260), (310, -40), 2], [2, 3],
        [3, (450, 220), 4], [4, (462, 320), 5], [5, 6], [6, 7], [7, 8], [8, 9],
        [9, (528, 606), 10], [10, (400, 760), (260, 840), (120, 900)],
        [(120, 900), (50, 915), (0, 880), 11], [11, (-150, 862), (-300, 894), 12],
        [12, (-482, 886), 13], [13, 14], [14, (-470, 620), 15],
        [15, (-478, 340), (-446, 40), 16, (-318, -470), (-190, -720), (-10, -890), (120, -940), 1],
    )  # fmt: skip
    curves = {
        "outline": outline,
        "ridge": trace(mean, [11, (-110, 640), (-190, 340), (-262, 80), (-330, -100), 16]),
        "crease": spline([(60, 820), (60, 680), (110, 540)]),
        "membrane": spline([(510, 690), (610, 720), (560, 860), (430, 900), (390, 1040), (370, 1190),
                            (240, 1200), (220, 1010), (140, 960), (80, 930), (120, 800), (330, 700),
                            (510, 690)]),
        "stain": spline([(300, 480), (420, 540), (400, 680), (250, 780), (150, 700), (200, 560), (300, 480)]),
        "striation": spline([(130, -120), (190, -40), (220, 60)]),
    }  # fmt: skip
    return Part("mandible_left", Scheme(names), mean, _mandible_modes((0.51, 0.47), 1), curves)


PARTS: Mapping[str, Part] = {
    part.name: part for part in (_pronotum(), _head(), _elytra(), _mandible_left(), _mandible_right())
}
"""The parts that can be drawn, by name."""
