"""Specimens in any pose: a network finds them, the default model landmarks each in its own upright picture."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from torch import Tensor, nn

from pronotum import ranks
from pronotum.augment import relight
from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.models.architecture import Answer, Architecture
from pronotum.models.finder import Finder, FinderConfig, finder_loss, targets
from pronotum.models.heatmap import FRAME_AREA, FRAME_AREAS, FRAME_STEP, HeatmapConfig, HeatmapModel, frame_of, matched
from pronotum.models.heatmap_training import PRESETS, SIZES, HeatmapTrainer, HeatmapTraining, one_cycle
from pronotum.models.scenes import compose
from pronotum.models.stage import Stage
from pronotum.pictures import Examples

FINDER_AREA = 384 * 320


class FreeConfig(BaseModel):
    """All that is needed to rebuild the networks.

    Attributes:
        upright: of the model that landmarks upright pictures.
        finder: of the network that finds specimens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    upright: HeatmapConfig
    finder: FinderConfig

    @classmethod
    def for_specimens(
        cls,
        n_landmarks: int,
        photographs: list[tuple[int, int]],
        boxes: list[tuple[int, int]],
        area: int = FRAME_AREA,
    ) -> FreeConfig:
        """Choose the sizes of pictures from those of the photographs and of the specimens' boxes on them, px."""
        upright = HeatmapConfig.for_photographs(n_landmarks, boxes, area)
        frame = frame_of(photographs, FINDER_AREA, FRAME_STEP)
        return cls(upright=upright, finder=FinderConfig(frame=frame))

    @property
    def n_landmarks(self) -> int:
        """K."""
        return self.upright.n_landmarks

    @property
    def picture(self) -> tuple[int, int]:
        """(width, height) px of upright pictures."""
        return self.upright.picture

    @property
    def detail(self) -> tuple[int, int]:
        """See `HeatmapConfig`."""
        return self.upright.detail

    @property
    def frame(self) -> tuple[int, int]:
        """See `HeatmapConfig`."""
        return self.upright.frame

    @property
    def patch(self) -> int:
        """See `HeatmapConfig`."""
        return self.upright.patch


class FreeModel(nn.Module):
    """`finder` finds specimens, `upright` landmarks them in pictures that are cut accordingly (`searching`)."""

    shape: Tensor
    partners: Tensor

    def __init__(self, config: FreeConfig) -> None:
        super().__init__()
        self.config = config
        self.finder = Finder(config.finder)
        self.upright = HeatmapModel(config.upright)
        self.register_buffer("shape", torch.zeros(config.n_landmarks, 2, dtype=torch.float64))
        self.register_buffer("partners", torch.arange(config.n_landmarks))

    def answer(self, pictures: Tensor) -> Answer:
        """Landmarks of upright pictures (B, 3, H, W) uint8."""
        return self.upright.answer(pictures)

    @property
    def mean_shape(self) -> FloatArray:
        """(K, 2) centred, centroid size 1, upright."""
        shape: FloatArray = self.shape.cpu().numpy()
        return shape

    @property
    def swapped(self) -> list[int]:
        """(K,) of each landmark the one that takes its place on a mirrored specimen."""
        order: list[int] = self.partners.tolist()
        return order


class FreeTraining(HeatmapTraining):
    """Settings of a training; those of the default model, and of the finder.

    Attributes:
        finder_steps: batches.
        finder_batch: scenes per batch.
        finder_rate: peak learning rate.
    """

    finder_steps: PositiveInt = 600
    finder_batch: PositiveInt = 6
    finder_rate: PositiveFloat = 2e-3


FREE_PRESETS = {
    name: FreeTraining(**preset.model_dump(), finder_steps=steps)
    for (name, preset), steps in zip(PRESETS.items(), (350, 600, 1500), strict=True)
}
SCENES_PER_EPOCH = 10
"""Batches of the finder that count as an epoch."""


@dataclass(frozen=True, eq=False)
class FreeTrainer:
    """The finder's stage over scenes, then the default model's over upright pictures; attributes as of that one's."""

    model: FreeModel
    examples: Examples
    settings: FreeTraining
    train: Tensor
    held_out: Tensor
    device: torch.device

    def stages(self) -> list[Stage]:
        """Finder, coarse, fine, perhaps finest."""
        assert self.examples.wholes is not None
        if self.settings.finder_batch < ranks.count():
            found = f"{ranks.count()} processes for batches of {counted(self.settings.finder_batch, 'scene')}"
            raise UserError("torchrun", found=found, remedy=f"--set finder_batch={ranks.count()}")
        self.model.shape.copy_(torch.from_numpy(self.examples.wholes.shape))
        self.model.partners.copy_(torch.tensor(self.examples.wholes.partners))
        upright = HeatmapTrainer(
            self.model.upright, self.examples, self.settings, self.train, self.held_out, self.device
        )
        settings = self.settings
        finding = Stage(
            name="finder",
            network=self.model.finder,
            epochs=math.ceil(settings.finder_steps / SCENES_PER_EPOCH),
            batches=SCENES_PER_EPOCH,
            losses=self._losses,
            validate=None,
            optimiser=lambda network: torch.optim.AdamW(network.parameters(), settings.finder_rate, weight_decay=1e-2),
            rates=lambda share: {"lr": one_cycle(settings.finder_rate, share)},
            averaging=settings.averaging,
        )
        stages = [finding, *upright.stages()]
        self.model.config = self.model.config.model_copy(update={"upright": self.model.upright.config})
        return stages

    def _losses(self, generator: torch.Generator) -> Iterator[Tensor]:
        config, wholes = self.model.config.finder, self.examples.wholes
        assert wholes is not None
        known = wholes.of_specimens(self.train.tolist())
        for _ in range(SCENES_PER_EPOCH):
            scenes = [compose(known, generator, mirrored=config.sides > 1) for _ in range(self.settings.finder_batch)]
            wanted = [torch.stack(one) for one in zip(*(targets(config, found) for _, found in scenes), strict=True)]
            pictures = torch.stack([picture for picture, _ in scenes]).to(self.device)
            pictures = relight(pictures, self.settings.augmentation, generator)
            pictures, heat, size, direction, counts = ranks.share(pictures, *(one.to(self.device) for one in wanted))
            maps = ranks.through(self.model.finder)(pictures.contiguous(memory_format=torch.channels_last))
            yield finder_loss(maps, heat, size, direction, counts)


def as_many(model: FreeModel, earlier: FreeModel) -> FreeModel:
    """An earlier model with as many networks of each kind as another."""
    found = copy.deepcopy(earlier)
    found.upright = matched(model.upright, earlier.upright)
    return found


ARCHITECTURES = (
    Architecture(
        name="free",
        configure=lambda n_landmarks, sizes: FreeConfig.for_specimens(n_landmarks, sizes, sizes),
        configure_posed=FreeConfig.for_specimens,
        read_config=FreeConfig.model_validate,
        build=FreeModel,
        trainer=FreeTrainer,
        presets=FREE_PRESETS,
        sizes={name: {f"upright.{part}": v for part, v in changed.items()} for name, changed in SIZES.items()},
        default="standard",
        matched=as_many,
        fresh=("upright.prior_", "shape", "partners"),
        learns_shapes=True,
        areas=FRAME_AREAS,
    ),
)
