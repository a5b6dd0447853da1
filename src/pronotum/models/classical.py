"""The image-processing method as a model: it learns nothing, it keeps a few specimens and compares with them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pronotum.classical.settings import Settings
from pronotum.errors import UserError
from pronotum.geometry import PAPER_FRAME
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Answer, Architecture
from pronotum.models.stage import Stage
from pronotum.morphometrics.superimposition import mean_shape, superimpose
from pronotum.pictures import Examples

if TYPE_CHECKING:
    from pronotum.classical.transfer import Prepared, Transfer

FEW = 5
"""Up to so many specimens, all are references."""
OF_MANY = 3
"""References chosen from more."""


class ClassicalConfig(Settings):
    """All that is needed to place landmarks: the settings of the method, and how many references there are.

    Attributes:
        n_landmarks: K.
        picture: (width, height) px of the references and of the pictures that are asked for: the median photograph.
        references: number of specimens to compare with; of more, the most central are chosen.
    """

    n_landmarks: int = Field(gt=0)
    picture: tuple[int, int]
    references: int = Field(gt=0)

    @classmethod
    def for_photographs(cls, n_landmarks: int, sizes: list[tuple[int, int]]) -> ClassicalConfig:
        """Choose from the sizes (width, height) of the photographs.

        Raises:
            UserError: OpenCV is not installed.
        """
        require_opencv()
        width, height = np.median(np.array(sizes), axis=0)
        picture = round(float(width)), round(float(height))
        references = len(sizes) if len(sizes) <= FEW else OF_MANY
        return cls.model_validate({"n_landmarks": n_landmarks, "picture": picture, "references": references})

    @classmethod
    def read(cls, values: Any) -> ClassicalConfig:
        """From plain values.

        Raises:
            UserError: OpenCV is not installed.
        """
        require_opencv()
        return cls.model_validate(values)

    @property
    def detail(self) -> tuple[int, int]:
        """(width, height) px: references are kept as large as the pictures."""
        return self.picture

    @property
    def frame(self) -> tuple[int, int]:
        """(width, height) px of the small pictures of the networks, which are not looked at."""
        return PAPER_FRAME

    @property
    def patch(self) -> int:
        """Nothing is kept around the landmarks."""
        return 0


class ClassicalTraining(BaseModel):
    """Settings of a training: none. Those of the method itself concern prediction (`ClassicalConfig`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassicalModel(nn.Module):
    """References, and the method that carries their landmarks over to a picture.

    Attributes:
        pixels: (R, 3, H, W) uint8, the references.
        places: (R, K, 2) their landmarks, px of the picture; NaN = missing.
    """

    pixels: Tensor
    places: Tensor

    def __init__(self, config: ClassicalConfig) -> None:
        super().__init__()
        self.config = config
        (width, height), n = config.picture, config.references
        self.register_buffer("pixels", torch.zeros(n, 3, height, width, dtype=torch.uint8))
        self.register_buffer("places", torch.full((n, config.n_landmarks, 2), torch.nan))

    def load_state_dict(self, *args: Any, **options: Any) -> Any:
        """As of any module; what was worked out about other references is forgotten."""
        self.__dict__.pop("prepared", None)
        return super().load_state_dict(*args, **options)

    def keep(self, pixels: Tensor, places: Tensor) -> None:
        """Take these references in place of the ones before.

        Args:
            pixels: (R, 3, H, W) uint8.
            places: (R, K, 2) px; NaN = missing.
        """
        self.pixels, self.places = pixels.to(self.pixels), places.to(self.places)
        self.config = self.config.model_copy(update={"references": len(pixels)})
        self.__dict__.pop("prepared", None)

    @cached_property
    def prepared(self) -> list[Prepared]:
        """The references with all that is worked out about them once."""
        from pronotum.classical.transfer import Reference, prepare

        references = zip(_as_rows(self.pixels), self.places.cpu().double().numpy(), strict=True)
        return [prepare(Reference(pixels, points), self.config) for pixels, points in references]

    def answer(self, pictures: Tensor) -> Answer:
        """Landmarks of (B, 3, H, W) uint8 pictures, and why some could not be placed."""
        from pronotum.classical.transfer import transfer

        found = [transfer(self.prepared, pixels, self.config) for pixels in _as_rows(pictures)]
        points = np.stack([one.points for one in found])
        confidence = np.stack([one.confidence for one in found])
        return Answer(torch.from_numpy(points), torch.from_numpy(confidence), tuple(map(remark, found)))


def remark(found: Transfer) -> str:
    """Why landmarks of a picture have no place; "" where all have one.

    Each reason is said once; where there are several, with the numbers (from 1) of its landmarks.
    """
    if found.failure:
        return found.failure
    missing = np.flatnonzero(np.isnan(found.points).any(-1))
    reasons: dict[str, list[str]] = {}
    for k in missing:
        reasons.setdefault(found.reasons[k], []).append(str(k + 1))
    if len(reasons) < 2:
        return "".join(reasons)
    return "; ".join(f"{reason} ({', '.join(numbers)})" for reason, numbers in reasons.items())


def _as_rows(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures (B, 3, H, W) as (B, H, W, 3), each in one piece of memory."""
    return np.ascontiguousarray(pictures.cpu().permute(0, 2, 3, 1).numpy())


@dataclass(frozen=True, eq=False)
class ClassicalTrainer:
    """Hands the specimens over as references.

    Attributes:
        model: gets them.
        examples: pictures and landmarks.
        train: positions of the examples to keep.
        held_out: positions of the examples to watch; nothing is learnt, so nothing is watched.
    """

    model: ClassicalModel
    examples: Examples
    settings: ClassicalTraining
    train: Tensor
    held_out: Tensor
    device: torch.device

    def stages(self) -> list[Stage]:
        """None: it is ready at once."""
        at = self.train.to(self.examples.points.device)
        self.model.keep(self.examples.details[at], self.examples.points[at])
        return []


def choose_references(config: ClassicalConfig, points: FloatArray) -> NDArray[np.intp]:
    """The most central specimens: least Procrustes distance to the mean shape, those with most landmarks first.

    Args:
        config: says how many.
        points: (N, K, 2) px; NaN = missing.

    Returns:
        positions, ascending; all where there are no more than asked for.
    """
    missing, mean = np.isnan(points).any(-1), mean_shape(points)
    moved = superimpose(points, np.broadcast_to(mean, points.shape))
    away = np.where(missing, 0, np.square(moved - mean).sum(-1))
    distance = np.sqrt(away.sum(1) / np.maximum((~missing).sum(1), 1))
    return np.sort(np.lexsort((distance, missing.sum(1)))[: config.references])


def require_opencv() -> None:
    """Say what is missing before anything is begun.

    Raises:
        UserError: OpenCV is not installed.
    """
    if importlib.util.find_spec("cv2") is None:
        raise UserError("model 'classical'", found="OpenCV is missing", remedy="pip install 'pronotum[classical]'")


ARCHITECTURES = (
    Architecture(
        name="classical",
        configure=ClassicalConfig.for_photographs,
        read_config=ClassicalConfig.read,
        build=ClassicalModel,
        trainer=ClassicalTrainer,
        presets={"standard": ClassicalTraining()},
        default="standard",
        fresh=("pixels", "places"),
        least=1,
        choose=choose_references,
    ),
)
