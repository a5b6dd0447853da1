"""How the default model is trained: what a batch is, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from pronotum import bending, ranks
from pronotum.augment import (
    WINDOW_MARGIN,
    Augmentation,
    about,
    jitter,
    mirror,
    move,
    paste,
    relabel,
    relight,
    sample_linear,
    sample_mirrored,
    uniform,
    warp,
    windows,
)
from pronotum.models.architecture import Architecture
from pronotum.models.classical import choose_references
from pronotum.models.heatmap import FRAME_AREAS, HeatmapConfig, HeatmapModel, matched, rescale
from pronotum.models.stage import Stage
from pronotum.models.unet import UNet, decode, heatmap_loss, members, together
from pronotum.pictures import Examples

CROPS_PER_BATCH = 48


class HeatmapTraining(BaseModel):
    """Settings of a training; none of them reaches prediction.

    Attributes:
        coarse_steps: least number of batches for the coarse network, however few the specimens.
        fine_steps: the same for the fine network.
        finest_steps: the same for the finest network, where there is one.
        coarse_epochs: least number of times each specimen is shown to the coarse network.
        fine_epochs: the same for the fine network.
        finest_epochs: the same for the finest network.
        batch: pictures per batch of the coarse network.
        rate: peak learning rate.
        decay: weight decay.
        averaging: share of the running average of weights that is kept per step.
        sigma: standard deviation of a coarse target, px of the frame.
        fine_sigma: the same, px of the detail picture.
        finest_sigma: the same, px of the finest picture.
        jitter: how far training windows lie off their landmark, px of the frame (standard deviation).
        finest_jitter: the same for the finest network.
        augmentation: changes of pose and light.
        bend: how far whole pictures are bent so that their landmarks take another shape, in standard deviations of the
            training shapes.
        paste: chance of each of up to three pieces of other pictures that cover a part of a whole one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    coarse_steps: NonNegativeInt = 600
    fine_steps: NonNegativeInt = 500
    finest_steps: NonNegativeInt = 400
    coarse_epochs: PositiveInt = 20
    fine_epochs: PositiveInt = 12
    finest_epochs: PositiveInt = 10
    batch: PositiveInt = 8
    rate: PositiveFloat = 1e-3
    decay: NonNegativeFloat = 1e-2
    averaging: float = Field(default=0.99, ge=0, lt=1)
    sigma: PositiveFloat = 3.0
    fine_sigma: PositiveFloat = 2.5
    finest_sigma: PositiveFloat = 3.0
    jitter: NonNegativeFloat = 2.0
    finest_jitter: NonNegativeFloat = 0.75
    augmentation: Augmentation = Augmentation()
    bend: NonNegativeFloat = 1.0
    paste: float = Field(default=0.6, ge=0, le=1)


PRESETS = {
    "fast": HeatmapTraining(
        coarse_steps=250, fine_steps=200, finest_steps=150, coarse_epochs=12, fine_epochs=5, finest_epochs=4
    ),
    "standard": HeatmapTraining(),
    "best": HeatmapTraining(),
}
SIZES = {"best": {"members": 3}}
"""What a preset changes in the model: `best` asks three networks where the others ask one."""


def one_cycle(peak: float, share: float, warm_up: float = 0.15) -> float:
    """Learning rate at a share of the training: a cosine from peak/25 up to the peak, then down to nothing.

    Source: Smith & Topin (2018), super-convergence.
    """
    if share < warm_up:
        return peak * (0.04 + 0.96 * (1 - math.cos(math.pi * share / warm_up)) / 2)
    return peak * max((1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up))) / 2, 1e-4)


@dataclass(frozen=True, eq=False)
class HeatmapTrainer:
    """The stages over one set of examples.

    Attributes:
        model: trained in place.
        examples: pictures and landmarks.
        train: positions of the examples to learn from.
        held_out: positions of the examples to watch; may be empty.
    """

    model: HeatmapModel
    examples: Examples
    settings: HeatmapTraining
    train: Tensor
    held_out: Tensor
    device: torch.device

    def stages(self) -> list[Stage]:
        """Coarse, then fine, then finest where there is such a network; of each, every member on its own."""
        points = self.examples.points[self._at(self.train)]
        more = self.examples.shapes
        self.model.learn_shapes(self._with_mirrored(points), None if more is None else self._with_mirrored(more))
        taught = {name: getattr(self.settings, name) for name in ("fine_sigma", "finest_sigma")}
        self.model.config = self.model.config.model_copy(update=taught)
        if self.model.guide is not None:
            chosen = self.train[torch.from_numpy(choose_references(self.model.guide.config, points.cpu().numpy()))]
            self.model.keep_references(self.examples.details[self._at(chosen)], self.examples.points[self._at(chosen)])
        settings, n = self.settings, len(self.train)
        fine_pictures = max(1, CROPS_PER_BATCH // min(self.model.config.n_landmarks, CROPS_PER_BATCH // 4))
        plan = [
            ("coarse", settings.batch, settings.coarse_steps, settings.coarse_epochs),
            ("fine", fine_pictures, settings.fine_steps, settings.fine_epochs),
        ]
        if self.model.finest is not None:
            plan.append(("finest", fine_pictures, settings.finest_steps, settings.finest_epochs))
        watch = len(self.held_out) > 0
        losses = {"coarse": self._coarse_losses, "fine": self._fine_losses, "finest": self._finest_losses}
        return [
            Stage(
                name=part if self.model.config.members == 1 else f"{part} {number}",
                network=network,
                epochs=max(math.ceil(steps / math.ceil(n / size)), epochs),
                batches=math.ceil(n / size),
                losses=partial(losses[part], network, size),
                validate=partial(self._error, part, number) if watch else None,
                optimiser=self._optimiser,
                rates=lambda share: {"lr": one_cycle(settings.rate, share)},
                averaging=settings.averaging,
            )
            for part, size, steps, epochs in plan
            for number, network in enumerate(members(getattr(self.model, part)), 1)
        ]

    def _with_mirrored(self, points: Tensor) -> Tensor:
        """Configurations (n, K, 2) and, where pictures are mirrored, their mirror images, with labels swapped."""
        partners = self.examples.partners
        if not partners or self.settings.augmentation.mirror == 0:
            return points
        return torch.cat([points, (points * points.new_tensor([-1.0, 1.0]))[:, list(partners)]])

    def _optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), self.settings.rate, weight_decay=self.settings.decay)

    def _batches(self, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        order = self.train[torch.randperm(len(self.train), generator=generator)]
        return iter(torch.split(order, size))

    def _coarse_losses(self, network: UNet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        frame = self.model.config.frame
        extent, augmentation = torch.tensor(frame, dtype=torch.float32), self.settings.augmentation
        for index in self._batches(size, generator):
            n = len(index)
            mirrored = sample_mirrored(n, augmentation, self.examples.partners, generator)
            linear = mirror(sample_linear(n, augmentation, generator), mirrored)
            centre = (extent / 2 - 0.5).expand(n, 2)
            shift = uniform((n, 2), generator) * augmentation.shift * extent
            matrices = about(linear, centre, centre + shift)
            points = move(matrices, self.model.to_frame(self.examples.points[self._at(index)].cpu()))
            points = relabel(points, mirrored, self.examples.partners)
            points, displacements = self._bend(points, generator)
            frames = self.examples.frames[self._at(index)].to(self.device)
            pictures = warp(frames, matrices.to(self.device), frame, displacements) / 255
            pictures = paste(relight(pictures, augmentation, generator), self.settings.paste, generator)
            pictures, targets = ranks.share(pictures, points.to(self.device))
            log_maps = ranks.through(network)(pictures.contiguous(memory_format=torch.channels_last))
            yield heatmap_loss(log_maps, targets, stride=network.stride, sigma=self.settings.sigma)

    def _bend(self, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Landmarks (n, K, 2) frame px where they go as the pictures are bent, and the displacements of these."""
        amount, frame = self.settings.bend, self.model.config.frame
        if amount == 0 or points.shape[1] < bending.LEAST:
            return points, None
        mean, root = self._shapes
        before, after = bending.bends(points, mean, root, amount, generator)
        displacements = bending.spline(before, after, frame)
        return bending.follow(points, displacements, frame), displacements.to(self.device)

    @cached_property
    def _shapes(self) -> tuple[Tensor, Tensor]:
        """Mean shape (K, 2) and Cholesky factor (2K, 2K) of the covariance of the training shapes, frame px."""
        prior = self.model.prior
        return torch.from_numpy(prior.mean).float(), torch.linalg.cholesky(torch.from_numpy(prior.covariance)).float()

    def _fine_losses(self, network: UNet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        config, settings, examples = self.model.config, self.settings, self.examples
        for picture, channel in self._landmarks(size, generator):
            yield self._window_loss(
                network,
                examples.details,
                self._at(picture),
                channel,
                examples.points[self._at(picture), self._at(channel)],
                window=config.window,
                sigma=settings.fine_sigma,
                spread=settings.jitter * config.detail[0] / config.frame[0],
                generator=generator,
            )

    def _finest_losses(self, network: UNet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        config, settings, patches = self.model.config, self.settings, self.examples.patches
        assert patches is not None
        for picture, channel in self._landmarks(size, generator):
            yield self._window_loss(
                network,
                patches.pixels.flatten(0, 1),
                self._at(picture * config.n_landmarks + channel),
                channel,
                patches.points[self._at(picture), self._at(channel)],
                window=config.finest_window,
                sigma=settings.finest_sigma,
                spread=settings.finest_jitter * config.picture[0] / config.frame[0],
                generator=generator,
            )

    def _landmarks(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of (n,) specimens and (n,) which landmark: as many of each specimen as there is room for.

        A missing landmark only comes where a specimen has no others left; it does not count then.
        """
        n_landmarks = self.model.config.n_landmarks
        per_picture = min(n_landmarks, max(1, CROPS_PER_BATCH // size))
        for index in self._batches(size, generator):
            missing = self.examples.points[self._at(index)].isnan().any(-1).cpu()
            order = (torch.rand(len(index), n_landmarks, generator=generator) + missing).argsort(1)
            yield index.repeat_interleave(per_picture), order[:, :per_picture].reshape(-1)

    def _window_loss(
        self,
        network: UNet,
        pictures: Tensor,
        index: Tensor,
        channel: Tensor,
        points: Tensor,
        *,
        window: int,
        sigma: float,
        spread: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Loss of one network in windows near landmarks (n, 2), px of the pictures (N, 3, H, W) of this index (n,)."""
        n = len(index)
        centres = torch.nan_to_num(points) + jitter(n, window, spread, generator).to(points.device)
        cut, corner = windows(pictures, index, centres, round(window * WINDOW_MARGIN))
        mirrored = sample_mirrored(n, self.settings.augmentation, self.examples.partners, generator)
        linear = mirror(sample_linear(n, self.settings.augmentation, generator), mirrored)
        if mirrored.any():
            channel = torch.where(mirrored, torch.tensor(self.examples.partners)[channel], channel)
        outer = torch.full((n, 2), (cut.shape[-1] - 1) / 2)
        inner = torch.full((n, 2), (window - 1) / 2) + uniform((n, 2), generator) / 2
        matrices = about(linear, outer, inner).to(self.device)
        crops = relight(
            warp(cut.to(self.device), matrices, (window, window)) / 255, self.settings.augmentation, generator
        )
        targets = move(matrices, (points - corner).to(self.device)[:, None])
        crops, targets, channel = ranks.share(crops, targets, channel.to(self.device))
        log_maps = ranks.through(network)(crops.contiguous(memory_format=torch.channels_last))
        own = log_maps[torch.arange(len(crops), device=self.device), channel][:, None]
        return heatmap_loss(own, targets, stride=network.stride, sigma=sigma)

    def _at(self, index: Tensor) -> Tensor:
        return index.to(self.examples.points.device)

    @torch.no_grad()
    def _error(self, part: str, number: int, network: UNet) -> float:
        """Error of the model with this network as a member of its part (from 1), without what is not trained yet."""
        trained = getattr(self.model, part)
        setattr(self.model, part, together([*members(trained)[: number - 1], network]))
        try:
            return self._coarse_error() if part == "coarse" else self._whole_error(part)
        finally:
            setattr(self.model, part, trained)

    def _coarse_error(self) -> float:
        errors, network = [], self.model.coarse
        for index in torch.split(self.held_out, 16):
            frames = self.examples.frames[self._at(index)].to(self.device)
            points = decode(network(frames.float() / 255), network.stride)[0]
            errors.append(self._photograph_errors(index, self.model.to_detail(points)))
        return float(torch.cat(errors).nanmean())

    def _whole_error(self, part: str) -> float:
        errors = []
        for index, hints in zip(torch.split(self.held_out, 8), self._held_out_hints, strict=True):
            details = self.examples.details[self._at(index)].to(self.device)
            frames = self.examples.frames[self._at(index)].to(self.device)
            points = self.model.locate(frames, details, hints)[0]
            if part == "finest":
                points = self._from_patches(index, points)
            errors.append(self._photograph_errors(index, points))
        return float(torch.cat(errors).nanmean())

    @cached_property
    def _held_out_hints(self) -> list[Tensor | None]:
        """Where image processing says to look, by batches of the held-out examples: worked out once."""
        batches = torch.split(self.held_out, 8)
        return [self.model.hints(self.examples.details[self._at(index)]) for index in batches]

    def _from_patches(self, index: Tensor, points: Tensor) -> Tensor:
        """Answers (B, K, 2) detail px after the last look.

        Only patches are at hand: a guess so wrong that its window leaves the patch sees the patch's border repeated
        instead of what is there. It could not have found the landmark either way.
        """
        config, patches = self.model.config, self.examples.patches
        assert patches is not None
        corners = patches.corners[self._at(index)].to(points)
        guesses = rescale(points, config.detail, config.picture) - corners
        pixels = patches.pixels[self._at(index)].to(self.device).flatten(0, 1)
        answers = self.model.locate_finest(pixels, torch.arange(len(pixels), device=self.device), guesses).points
        return rescale(answers + corners, config.picture, config.detail)

    def _photograph_errors(self, index: Tensor, points: Tensor) -> Tensor:
        distance: Tensor = (points.cpu() - self.examples.points[self._at(index)].cpu()).norm(dim=-1)
        return distance * self.examples.px[self._at(index)].cpu()[:, None]


ARCHITECTURES = (
    Architecture(
        name="heatmap",
        configure=HeatmapConfig.for_photographs,
        read_config=HeatmapConfig.model_validate,
        build=HeatmapModel,
        trainer=HeatmapTrainer,
        presets=PRESETS,
        sizes=SIZES,
        default="standard",
        matched=matched,
        learns_shapes=True,
        fresh=("prior_", "guide."),
        areas=FRAME_AREAS,
    ),
)
