"""How the paper's networks are trained: which rows learn, in which order, at which rates.

A *row* is one version (`pronotum.channels`) of one specimen's picture: a pair (position of the specimen, version).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pronotum import ranks
from pronotum.augment import Augmentation, about, move, sample_linear, uniform, warp
from pronotum.channels import OFFSET, VERSIONS, grey, recolour, sample_offsets
from pronotum.models.architecture import Architecture
from pronotum.models.ebnet import EBNet, EBNetConfig, normalise
from pronotum.models.nesterov import LasagneNesterov
from pronotum.models.stage import Stage
from pronotum.pictures import Examples

FROZEN: dict[str, tuple[str, ...]] = {
    "none": (),
    "conv": ("convolutions.",),
    "all-but-last-two": ("convolutions.", "fc1."),
}
"""Beginnings of the names of weights that do not learn."""
Split = Literal["grouped", "rows-60/40", "rows-nolearn"]
WATCH_BATCH = 32
"""Pictures per step where nothing is learnt: the activations of one are 13 MB."""


class EBNetTraining(BaseModel):
    """Settings of a training; none of them reaches prediction.

    Attributes:
        epochs: how often every row is shown.
        rate_start: learning rate of the first epoch.
        rate_stop: learning rate to which a linear schedule falls.
        momentum_start: momentum of the first epoch.
        momentum_stop: momentum to which a linear schedule rises.
        schedule: ``linear`` over the epochs, or ``constant`` at the start values.
        batch: rows per step; the last of an epoch may be smaller.
        reshuffle: a new order of rows in every epoch; else one order for all, as in the paper.
        channels: learn from all seven channel versions; else from the grey picture only.
        channel_offset: levels added to a channel, or the largest when drawn.
        random_offset: draw the constant from {1, ..., channel_offset} each time it is used.
        geometric: turn, scale and shift pictures at random; the paper does not.
        augmentation: how far; only its rotation, scale and shift are used.
        keep: weights of the epoch that was best on the held-out specimens, or of the last one, as in the paper.
        freeze: layers that keep the weights they start from: none, the convolutions, or all but the last two dense
            layers (spec A.7). For fine-tuning.
        split: which rows are watched for the learning curve. ``grouped``: the held-out specimens. ``rows-60/40``: 40 %
            of the rows, as the paper says. ``rows-nolearn``: a third, as its program did. The latter two leak: nearly
            every watched row has siblings of the same specimen among those learnt from (spec 0.3).
        split_seed: of the one shuffling of the rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=200, ge=1)
    rate_start: float = Field(default=0.03, gt=0)
    rate_stop: float = Field(default=1e-5, ge=0)
    momentum_start: float = Field(default=0.9, ge=0, lt=1)
    momentum_stop: float = Field(default=0.995, ge=0, lt=1)
    schedule: Literal["linear", "constant"] = "linear"
    batch: int = Field(default=128, ge=1)
    reshuffle: bool = True
    channels: bool = True
    channel_offset: int = Field(default=OFFSET, ge=1, le=255)
    random_offset: bool = False
    geometric: bool = False
    augmentation: Augmentation = Augmentation()
    keep: Literal["best", "last"] = "best"
    freeze: Literal["none", "conv", "all-but-last-two"] = "none"
    split: Split = "grouped"
    split_seed: int = Field(default=42, ge=0, lt=2**32)

    def rates(self, epoch: int) -> dict[str, float]:
        """Rate and momentum of an epoch (1-based).

        They lag by one epoch, as in the paper's program: epochs 1 and 2 both have the start values, and the stop
        values are never reached.

        Source: Le et al., end of section 5; spec A.5: epoch e uses linspace(start, stop, epochs)[max(e - 2, 0)].
        """
        share = max(epoch - 2, 0) / max(self.epochs - 1, 1) if self.schedule == "linear" else 0.0
        return {
            "lr": self.rate_start + (self.rate_stop - self.rate_start) * share,
            "momentum": self.momentum_start + (self.momentum_stop - self.momentum_start) * share,
        }


PAPER = EBNetTraining(epochs=5000, momentum_stop=0.9999, reshuffle=False, keep="last", split="rows-nolearn")

PRESETS = {
    "paper": PAPER,
    "paper-finetune": PAPER.model_copy(
        update={"epochs": 10_000, "schedule": "constant", "rate_start": 0.01, "momentum_start": 0.9}
    ),
    "compressed": EBNetTraining(),
}
"""``paper``: section 5 as it was run (spec A.5). ``paper-finetune``: section 7 (spec A.7, Q6). ``compressed``: the same
ramps in 200 epochs. The schedule keeps rate / (1 - momentum) at 0.3 while the number of steps averaged over,
1 / (1 - momentum), grows; with S steps in all it can grow to about sqrt(10 S) before fewer are left. The 3,000 steps
of 260 specimens allow 173, hence a momentum that stops at 0.995 (spec A.5)."""


def split_rows(train: Tensor, held_out: Tensor, settings: EBNetTraining) -> tuple[Tensor, Tensor]:
    """Which rows are learnt from, and which are watched.

    Args:
        train: positions of the specimens to learn from.
        held_out: positions of specimens set aside; watched in their original grey when the split is grouped.

    Returns:
        (R, 2) rows to learn from, in the order of an epoch that is not reshuffled, and (V, 2) rows to watch.

    Source: spec A.5 (one shuffling of all rows), A.9 Q2; ``rows-nolearn`` is the first fold of the KFold that the
    library made of ``eval_size=0.4`` under Python 2, where round(1 / 0.4) is 3.
    """
    versions = torch.arange(len(VERSIONS) if settings.channels else 1)
    order = np.arange(len(train) * len(versions))
    np.random.RandomState(settings.split_seed).shuffle(order)  # as sklearn.utils.shuffle does
    rows = torch.cartesian_prod(train, versions)[torch.from_numpy(order)]
    if settings.split == "grouped":
        return rows, torch.stack([held_out, torch.zeros_like(held_out)], 1)
    n_watched = round(0.4 * len(rows)) if settings.split == "rows-60/40" else math.ceil(len(rows) / 3)
    return rows[n_watched:], rows[:n_watched]


@dataclass(frozen=True)
class Losses:
    """How far answers are off.

    Attributes:
        mse: mean square over all coordinates, scaled as the network answers; what the paper prints as "RMSE". A px of
            y weighs (W / H)^2 times as much as one of x.
        rmse: root mean square over all coordinates, px of the frame; sqrt(2) times this is that of the distances.

    Source: spec 0.5, A.9 Q1.
    """

    mse: float
    rmse: float


@dataclass(frozen=True)
class EpochLosses:
    """The losses of one epoch.

    Attributes:
        learnt: of the rows learnt from, during the epoch, with dropout and augmentation.
        watched: of the rows watched, after the epoch, without; None where there are none.
    """

    learnt: Losses
    watched: Losses | None


def coordinate_loss(outputs: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of scaled coordinates (B, 2L), over those that are not NaN in `wanted`; else 0.

    Source: spec 0.5, A.5.
    """
    missing = wanted.isnan()
    difference = outputs - torch.where(missing, outputs.detach(), wanted)
    return difference.square().sum() / ranks.mean_count(~missing)


def losses_of(outputs: Tensor, wanted: Tensor, frame: tuple[int, int]) -> Losses:
    """Both losses of scaled coordinates (N, 2L); NaN in `wanted` = missing."""
    difference = (outputs - wanted).cpu().double().reshape(len(outputs), -1, 2)
    px = difference * difference.new_tensor(frame) / 2
    return Losses(float(difference.square().nanmean()), math.sqrt(float(px.square().nanmean())))


@dataclass(frozen=True, eq=False)
class EBNetTrainer:
    """The one stage over one set of examples.

    Attributes:
        model: trained in place.
        examples: pictures and landmarks; only the frames are looked at.
        train: positions of the examples to learn from.
        held_out: positions of the examples to watch; may be empty.
        heard: the losses of every epoch so far.
    """

    model: EBNet
    examples: Examples
    settings: EBNetTraining
    train: Tensor
    held_out: Tensor
    device: torch.device
    heard: list[EpochLosses] = field(default_factory=list)

    def stages(self) -> list[Stage]:
        """The stage ``ebnet``."""
        settings = self.settings
        frozen = FROZEN[settings.freeze]
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(frozen))
        learn, watch = split_rows(self.train.cpu(), self.held_out.cpu(), settings)
        batches = math.ceil(len(learn) / settings.batch)
        return [
            Stage(
                name="ebnet",
                network=self.model,
                epochs=settings.epochs,
                batches=batches,
                losses=lambda generator: self._losses(learn, watch, generator),
                validate=self._photograph_error if len(self.held_out) else None,
                optimiser=lambda network: LasagneNesterov(
                    [parameter for parameter in network.parameters() if parameter.requires_grad],
                    settings.rate_start,
                    settings.momentum_start,
                ),
                # A share is a number of steps over all steps, so that rounding finds the step exactly.
                rates=lambda share: settings.rates(round(share * settings.epochs * batches) // batches + 1),
                averaging=0.0,
                clip=None,
                keep=settings.keep,
                measures=self._measures,
            )
        ]

    def _measures(self) -> dict[str, float]:
        """The losses of the last epoch, as the paper has them and in px."""
        latest = self.heard[-1]
        named = {"train_mse": latest.learnt.mse, "train_px": latest.learnt.rmse}
        if latest.watched is not None:
            named |= {"valid_mse": latest.watched.mse, "valid_px": latest.watched.rmse}
        return named

    @cached_property
    def _frames(self) -> Tensor:
        """(N, 3, h, w) uint8, all of them on the device."""
        return self.examples.frames.to(self.device)

    @cached_property
    def _points(self) -> Tensor:
        """(N, L, 2) px of the frame, on the device."""
        return self._to_frame(self.examples.points).to(self.device)

    @property
    def _magnification(self) -> Tensor:
        details, frames = self.examples.details.shape, self.examples.frames.shape
        return torch.tensor([details[3] / frames[3], details[2] / frames[2]])

    def _to_frame(self, points: Tensor) -> Tensor:
        factor = self._magnification.to(points)
        return (points + 0.5) / factor - 0.5

    def _to_detail(self, points: Tensor) -> Tensor:
        factor = self._magnification.to(points)
        return (points + 0.5) * factor - 0.5

    def _losses(self, learn: Tensor, watch: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        order = torch.randperm(len(learn), generator=generator) if self.settings.reshuffle else slice(None)
        answers, targets = [], []
        for rows in torch.split(learn[order], self.settings.batch):
            pictures, points = self._batch(rows, generator)
            wanted = normalise(points, self.model.config.frame)
            pictures, wanted = ranks.share(pictures, wanted)
            outputs = ranks.through(self.model)(pictures.contiguous(memory_format=torch.channels_last))
            answers.append(outputs.detach())
            targets.append(wanted)
            yield coordinate_loss(outputs, wanted)
        # The loop comes back here after the last step of the epoch.
        shown = ranks.gathered(torch.cat(answers)), ranks.gathered(torch.cat(targets))
        learnt = losses_of(*shown, self.model.config.frame)
        self.heard.append(EpochLosses(learnt, self.losses_of_rows(watch) if len(watch) else None))

    def _batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (B, 1, h, w) on [0, 1] of rows (B, 2) and their points (B, L, 2) in px of the frame."""
        settings, n, (width, height) = self.settings, len(rows), self.model.config.frame
        offsets = (
            sample_offsets(n, settings.channel_offset, generator)
            if settings.random_offset
            else torch.full((n,), settings.channel_offset)
        )
        pictures, points = self._rows(rows, offsets)
        if settings.geometric:
            extent = torch.tensor([width, height], dtype=torch.float32)
            centre = ((extent - 1) / 2).expand(n, 2)
            linear = sample_linear(n, settings.augmentation, generator)
            shift = uniform((n, 2), generator) * settings.augmentation.shift * extent
            matrices = about(linear, centre, centre + shift).to(self.device)
            pictures, points = warp(pictures, matrices, (width, height)), move(matrices, points)
        return pictures, points

    def _rows(self, rows: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        specimens = rows[:, 0].to(self.device)
        frames = self._frames[specimens]
        pictures = recolour(frames, rows[:, 1], offsets) if self.settings.channels else grey(frames)
        return pictures, self._points[specimens]

    @torch.no_grad()
    def losses_of_rows(self, rows: Tensor) -> Losses:
        """Losses of rows (R, 2) as they are: no dropout, no pose, the fixed channel offset."""
        frame, answers, targets = self.model.config.frame, [], []
        with _at_rest(self.model):
            for part in torch.split(rows, WATCH_BATCH):
                offsets = torch.full((len(part),), self.settings.channel_offset)
                pictures, points = self._rows(part, offsets)
                answers.append(self.model(pictures))
                targets.append(normalise(points, frame))
        return losses_of(torch.cat(answers), torch.cat(targets), frame)

    @torch.no_grad()
    def _photograph_error(self, network: nn.Module) -> float:
        """Mean distance of the held-out specimens' landmarks, px of the photograph."""
        errors = []
        with _at_rest(network):
            for index in torch.split(self.held_out.cpu(), WATCH_BATCH):
                points = cast(EBNet, network).locate(self._frames[index.to(self.device)]).cpu()
                there = index.to(self.examples.points.device)
                distance = (self._to_detail(points) - self.examples.points[there].cpu()).norm(dim=-1)
                errors.append(distance * self.examples.px[there].cpu()[:, None])
        return float(torch.cat(errors).nanmean())


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Without dropout, and back to how it was."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


ARCHITECTURES = tuple(
    Architecture(
        name=f"ebnet{number}",
        configure=lambda n_landmarks, sizes, number=number: EBNetConfig.variant(number, n_landmarks),
        read_config=EBNetConfig.model_validate,
        build=EBNet,
        trainer=EBNetTrainer,
        presets=PRESETS,
        default="compressed",
        # The first dense layer ties a network to its frame; the output layer is always a fresh one (spec A.7, Q7).
        adapt=lambda new, earlier: earlier.model_copy(update={"n_landmarks": new.n_landmarks}),
        fresh=("fc3.",),
    )
    for number in (1, 2, 3)
)
