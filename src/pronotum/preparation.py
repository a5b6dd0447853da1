"""What a model learns from: pictures of photographs as they are, or of each specimen upright."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import geometry, images, pictures, poses
from pronotum.data import Dataset
from pronotum.errors import UserError
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Architecture
from pronotum.pictures import Examples

NO_POSE = "no two landmarks at different places, so that size and direction cannot be told"
POSE_REMEDY = "digitise at least two, or take --pose upright"


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training pictures of a dataset.

    Attributes:
        examples: pictures and landmarks.
        kept: positions in the data of those that could be read.
        failed: why the others could not be used.
        points: (n, K, 2) landmarks of those kept, px of what the model takes a photograph to be: the photograph, or the
            upright picture of the specimen.
        sizes: (n,) width and height of it.
    """

    examples: Examples
    kept: list[int]
    failed: list[UserError]
    points: FloatArray
    sizes: list[tuple[int, int]]


def configure(kind: Architecture, data: Dataset, area: int | None = None) -> Any:
    """The config of a model for these data; with one of `Architecture.areas`, or the usual one."""
    chosen = {} if area is None else {"area": area}
    if kind.configure_posed is None:
        return kind.configure(data.scheme.n_landmarks, list(data.sizes), **chosen)
    posed = poses.posed(data.points, data.scheme.partners)
    lengths = poses.sizes(posed.poses)
    boxes = [poses.Upright(posed.shape).box(float(length)) for length in lengths if np.isfinite(length)]
    if not boxes:
        raise UserError(data.source[0], found=f"{NO_POSE} in every specimen", remedy=POSE_REMEDY)
    rounded = [(max(1, round(width)), max(1, round(height))) for width, height in boxes]
    return kind.configure_posed(data.scheme.n_landmarks, list(data.sizes), rounded, **chosen)


def prepare(kind: Architecture, data: Dataset, config: Any, progress: Callable[[int, int], None]) -> Prepared:
    """Decode training photographs once; `progress` is called with the number done and the total."""
    if kind.configure_posed is None:
        examples, kept, failed = _load(data.photographs, data.points, config, None, progress)
        return Prepared(examples, kept, [*failed], data.points[kept], [data.sizes[at] for at in kept])
    partners = data.scheme.partners
    posed = poses.posed(data.points, partners if config.finder.sides > 1 else None)
    told = np.isfinite(posed.poses).all((1, 2))
    usable = np.flatnonzero(told)
    without = [UserError(data.names[at], found=NO_POSE, remedy=POSE_REMEDY) for at in np.flatnonzero(~told)]
    upright = poses.Upright(posed.shape).from_photograph(posed.poses[usable], config.picture)
    photographs = [data.photographs[at] for at in usable]
    examples, kept, failed = _load(photographs, posed.points[usable], config, list(upright), progress)
    chosen = usable[kept]
    wholes, _ = pictures.whole(
        [photographs[at] for at in kept], posed.poses[chosen], posed.shape, partners, config.finder.frame
    )
    points = geometry.transform(upright[kept], posed.points[chosen])
    sizes = [config.picture] * len(chosen)
    return Prepared(replace(examples, wholes=wholes), chosen.tolist(), [*without, *failed], points, sizes)


def _load(
    photographs: Sequence[Path],
    points: FloatArray,
    config: Any,
    matrices: list[FloatArray] | None,
    progress: Callable[[int, int], None],
) -> tuple[Examples, list[int], list[images.UnreadablePhotograph]]:
    return pictures.load(
        photographs,
        points,
        picture=config.picture,
        detail=config.detail,
        frame=config.frame,
        patch=config.patch,
        matrices=matrices,
        progress=progress,
    )
