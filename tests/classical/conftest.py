"""A drawn mandible with exactly known landmarks, as it is and moved by known poses."""

import cv2
import numpy as np
import pytest

from pronotum import geometry
from pronotum.classical.transfer import Reference
from pronotum.synthetic import draw

SIZE = (816, 612)
cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def mandibles() -> list[Reference]:
    drawn = [draw("mandible_right", [3, number], size=SIZE) for number in range(4)]
    return [Reference(specimen.image, specimen.points) for specimen in drawn]


@pytest.fixture(scope="session")
def mandible(mandibles) -> Reference:
    return mandibles[0]


@pytest.fixture(scope="session")
def moved():
    """Turn, scale, shift and perhaps turn over a picture with its points."""

    def move(specimen: Reference, degrees: float, *, factor=0.9, shift=(10, -8), mirror=False) -> Reference:
        middle = (SIZE[0] / 2, SIZE[1] / 2)
        matrix = geometry.translation(*shift) @ geometry.similarity(np.radians(degrees), factor, middle)
        if mirror:
            matrix = matrix @ np.array([[-1, 0, SIZE[0] - 1], [0, 1, 0], [0, 0, 1.0]])
        ground = tuple(int(value) for value in np.median(specimen.pixels[:40, :40].reshape(-1, 3), axis=0))
        pixels = cv2.warpAffine(specimen.pixels, matrix[:2], SIZE, flags=cv2.INTER_LINEAR, borderValue=ground)
        return Reference(pixels, geometry.transform(matrix, specimen.points))

    return move
