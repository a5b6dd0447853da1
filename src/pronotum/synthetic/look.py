"""Colours, surfaces and light of one beetle in one session at the microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pronotum.synthetic.painting import Chitin, Colour, Light

BLACK: Colour = (0.055, 0.06, 0.08)
HORN: Colour = (0.30, 0.12, 0.06)

_SPECIES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.07, 0.08, 0.11), (0.42, 0.46, 0.56), (0.34, 0.36, 0.44)),  # black
    ((0.08, 0.15, 0.13), (0.20, 0.44, 0.34), (0.62, 0.66, 0.20)),  # green
    ((0.11, 0.08, 0.11), (0.44, 0.26, 0.26), (0.86, 0.55, 0.30)),  # copper
    ((0.12, 0.11, 0.08), (0.42, 0.38, 0.22), (0.66, 0.58, 0.26)),  # bronze
    ((0.17, 0.08, 0.05), (0.48, 0.28, 0.17), (0.62, 0.38, 0.20)),  # brown
    ((0.07, 0.09, 0.17), (0.26, 0.36, 0.60), (0.36, 0.28, 0.58)),  # blue
)
"""Dark colour, sheen on the disc and sheen near the rim."""

_PAPERS: tuple[Colour, ...] = ((0.66, 0.77, 0.91), (0.74, 0.75, 0.81), (0.72, 0.76, 0.80), (0.71, 0.73, 0.79))


@dataclass(frozen=True)
class Look:
    """What one beetle and one session at the microscope look like.

    Attributes:
        dark: colour of the chitin away from the lamps.
        sheen: metallic colour of the disc.
        rim: metallic colour near the edges.
        paper: colour of the ground.
        lights: lamps.
        wrinkles: strength of the microsculpture.
        focus: standard deviation of the defocus, px of the part's frame.
        haze: veiling glare, 0 to 1.
        vignette: loss of light in the corners, 0 to 1.
        noise: standard deviation of the sensor noise, levels of 255.
    """

    dark: Colour
    sheen: Colour
    rim: Colour
    paper: Colour
    lights: tuple[Light, ...]
    wrinkles: float
    focus: float
    haze: float
    vignette: float
    noise: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> Look:
        """Draw a look by chance."""
        first, second = rng.choice(len(_SPECIES), 2, p=[0.2, 0.24, 0.22, 0.18, 0.08, 0.08])
        share, tint = rng.uniform(0.6, 1.0), rng.normal(1, 0.05, 3)
        colours = share * np.array(_SPECIES[first]) + (1 - share) * np.array(_SPECIES[second])
        dark, sheen, rim = (colour(c) for c in colours * tint)
        ground = np.array(_PAPERS[rng.integers(len(_PAPERS))])
        paper = colour(ground + rng.normal(0, 0.04) + rng.normal(0, 0.008, 3))
        tilt = rng.normal(0, 0.08, 2)
        balance = rng.uniform(0.35, 0.65)
        lights = (
            Light((-0.5 + tilt[0], -0.08 + tilt[1]), rng.uniform(0.13, 0.21), 1.8 * balance),
            Light((0.5 + tilt[0], -0.08 + tilt[1]), rng.uniform(0.13, 0.21), 1.8 * (1 - balance)),
            Light((rng.normal(0, 0.2), -0.45), 0.22, rng.uniform(0.2, 0.5)),
            Light((0.0, 0.0), 0.9, rng.uniform(0.06, 0.14)),
        )
        return cls(
            dark, sheen, rim, paper, lights,
            wrinkles=rng.uniform(0.012, 0.035), focus=rng.uniform(2.2, 4.2), haze=rng.uniform(0.05, 0.14),
            vignette=rng.uniform(0.1, 0.28), noise=rng.uniform(1.5, 3.5),
        )  # fmt: skip

    def chitin(self, roundness: float, *, gloss: float = 1.0, shade: float = 1.0) -> Chitin:
        """The beetle's surface on a body whose edges fall off over `roundness` px."""
        dark = colour(np.array(self.dark) * shade)
        return Chitin(dark, self.sheen, self.rim, roundness, self.wrinkles, gloss)

    def black(self, roundness: float, gloss: float = 0.5) -> Chitin:
        """Black chitin with the faintest metal: legs, mandibles, abdomen."""
        sheen = colour(0.75 * np.array((0.42, 0.42, 0.46)) + 0.25 * np.array(self.sheen))
        return Chitin(BLACK, sheen, sheen, roundness, self.wrinkles, gloss)


def colour(values: ArrayLike) -> Colour:
    """Three values pulled into 0 to 1."""
    red, green, blue = np.clip(values, 0, 1).tolist()
    return red, green, blue
