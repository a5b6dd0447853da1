"""What can be set of the image-processing method, with the published values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PUBLISHED_WIDTH = 3264
"""Width in px of the photographs for which every length of the published program was chosen."""

Mode = Literal["legacy", "clean"]
Pose = Literal["pcai", "pht", "ght"]
Refinement = Literal["descriptor", "correlation", "none"]
Length = Literal[
    "template", "search", "descriptor_patch", "descriptor_search", "polyline", "shortest_line", "touching",
    "length_tolerance",
]  # fmt: skip

DEFAULTS: dict[Mode, dict[Length, float]] = {
    "legacy": {
        "template": 400,
        "search": 500,
        "descriptor_patch": 9,
        "descriptor_search": 36,
        "polyline": 3,
        "shortest_line": 60,
        "touching": 5,
        "length_tolerance": 2,
    },
    "clean": {
        "template": 200,
        "search": 250,
        "descriptor_patch": 90,
        "descriptor_search": 50,
        "polyline": 3,
        "shortest_line": 60,
        "touching": 100,
        "length_tolerance": 2,
    },
}
"""Lengths in px of a photograph 3264 px wide; legacy: as published."""


class Settings(BaseModel):
    """Settings of the image-processing method.

    All lengths are fractions of the width of the photograph; None stands for the default of the mode (`DEFAULTS`).

    Attributes:
        mode: "legacy" does what the published program does, known defects included; "clean" is the method mended.
        pose: how the reference is laid over the picture: principal axes (pcai), probabilistic Hough transform (pht)
            or generalised Hough transform (ght).
        refinement: how each landmark is moved afterwards: by a descriptor, by correlation of the photographs, or not.
        snap: clean: whether landmarks that lie on the outline of their reference are put on the outline at last.
            Legacy always puts all of them there, but none where the pose is by pht.
        mirror: clean: whether a reference may be turned over.
        flexible: clean: whether each landmark follows the outline around it, so that the reference may bend.
        gate: least Bhattacharyya coefficient of the pairwise geometric histograms for a reference to count.
        template: side of the square around a landmark that is correlated.
        search: side of the square in which it is looked for.
        descriptor_patch: side of the square that the descriptor describes. Legacy looks at the drawn contour, clean at
            the photograph, where more is needed.
        descriptor_search: side of the square in which its like is looked for.
        polyline: farthest a contour may lie from its polyline.
        shortest_line: length that both lines of a pair exceed (pht).
        touching: farthest an end of the first line of a pair may lie from the second (pht).
        length_tolerance: by which distances within two pairs may differ (pht, legacy).
        least_angle: degrees between the lines of a pair (pht).

    Source:
        Spec C.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = "clean"
    pose: Pose = "pcai"
    refinement: Refinement = "correlation"
    snap: bool = False
    mirror: bool = False
    flexible: bool = True
    gate: float = Field(0.9, ge=0, le=1)
    template: float | None = Field(None, gt=0, lt=1)
    search: float | None = Field(None, gt=0, le=1)
    descriptor_patch: float | None = Field(None, gt=0, lt=1)
    descriptor_search: float | None = Field(None, gt=0, le=1)
    polyline: float | None = Field(None, gt=0, lt=1)
    shortest_line: float | None = Field(None, ge=0, lt=1)
    touching: float | None = Field(None, gt=0, lt=1)
    length_tolerance: float | None = Field(None, gt=0, lt=1)
    least_angle: float = Field(15, ge=0, le=90)

    def px(self, name: Length, width: int) -> float:
        """A length in px of a picture of this width."""
        value: float | None = getattr(self, name)
        fraction = DEFAULTS[self.mode][name] / PUBLISHED_WIDTH if value is None else value
        return fraction * width

    def side(self, name: Length, width: int) -> int:
        """The same in whole px, at least 1."""
        return max(1, round(self.px(name, width)))
