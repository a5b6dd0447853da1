"""The paper's colour augmentation as a gallery and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from pronotum.channels import OFFSET, VERSIONS, all_versions
from pronotum.files import replacing

SHORT = dict(zip(VERSIONS, ("original, as grey", "R + {}", "G + {}", "B + {}", "R", "G", "B"), strict=True))
"""What the gallery calls the versions."""


def gallery(pixels: NDArray[np.uint8], *, offset: int = OFFSET) -> Figure:
    """A photograph and the seven grey pictures the network learns from, with how much lighter each is.

    Args:
        pixels: (H, W, 3) uint8, RGB, in the frame of the network.
        offset: levels added to a channel.

    Source:
        Figures 4 (a constant added to each channel) and 5 (the channels alone).
    """
    versions = all_versions(pixels, offset)
    plain = float(versions[0].mean())
    height, width = pixels.shape[:2]
    drawing = Figure(figsize=(12.8, 2 * (3.0 * height / width + 0.5)), layout="constrained")
    panels = drawing.subplots(2, 4)
    for axis in panels.ravel():
        axis.set_axis_off()
    # The photograph begins the row of its channels, its grey the row of what is added.
    panels[1, 0].imshow(pixels)
    panels[1, 0].set_title("photograph")
    places = [*panels[0], *panels[1, 1:]]
    for axis, name, version in zip(places, VERSIONS, versions, strict=True):
        axis.imshow(version, cmap="gray", vmin=0, vmax=255)
        lighter = "" if name == VERSIONS[0] else f" ({float(version.mean()) - plain:+.1f} levels)"
        axis.set_title(SHORT[name].format(offset) + lighter)
    return drawing


def write_versions(pixels: NDArray[np.uint8], folder: Path, stem: str, *, offset: int = OFFSET) -> list[Path]:
    """Write the seven grey versions of a picture as ``<stem>_<version>.png``, blanks in names as ``_``.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        folder: made where it is absent.
        stem: of the files' names.
        offset: levels added to a channel.

    Returns:
        the files, in the order of `channels.VERSIONS`.

    Source:
        Section 4: seven pictures of each original.
    """
    written = []
    for name, version in zip(VERSIONS, all_versions(pixels, offset), strict=True):
        written.append(folder / f"{stem}_{name.replace(' ', '_')}.png")
        with replacing(written[-1]) as temporary:
            Image.fromarray(version).save(temporary, format="PNG")
    return written
