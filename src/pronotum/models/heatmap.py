"""The default model: heatmaps over the whole picture, then over small windows, up to the photograph's resolution."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from pronotum.augment import about, move, patch_side, warp, windows
from pronotum.models.architecture import Answer
from pronotum.models.classical import ClassicalConfig, ClassicalModel
from pronotum.models.unet import (
    Committee,
    Depth,
    Stride,
    UNet,
    Widths,
    cell_centres,
    decode,
    deviation,
    members,
    require_multiples,
    together,
)
from pronotum.morphometrics.shape_prior import ShapePrior, reconcile
from pronotum.pictures import shrink

FRAME_AREA = 256 * 192
FRAME_AREAS = (FRAME_AREA, FRAME_AREA // 2, 2 * FRAME_AREA)
FRAME_STEP = 64
MAX_MAGNIFICATION = 4.0
MIN_MAGNIFICATION = 2.0
WINDOW_IN_FRAME = 24
"""Side of a window in px of the frame: several times a coarse error."""
WINDOW_STEP = 32
FINEST_FROM = 1.5
"""How much finer than the detail picture photographs must be for windows of their own resolution to be worth while."""
ENOUGH = 6.0
"""Magnification beyond which photographs are halved, once or more: a JPEG is decoded so in half the time or less."""
FINEST_WINDOW_IN_DETAIL = 40
"""Side of such a window in px of the detail picture: again several times the error of the answer before it."""
MAX_FINEST_WINDOW = 128
DOUBT = 0.8
"""Confidence in its least certain landmark below which the coarse network looks at a picture again."""
OTHER_POSES = ((10.0, 1.0), (-10.0, 1.0), (0.0, 1.12), (0.0, 0.89))
"""How the picture is turned (degrees) and enlarged for that."""
STEADYING = 0.5
"""Standard deviation that a landmark is taken to err by, as a share of how much wider its map is than a sure one."""
HINT_SPREAD = 5.0
"""How far off the image-processing method is taken to be, px of the frame (standard deviation)."""
HINT_FLOOR = 1e-3
"""What it leaves of a map far from its answer: the network is overruled only where it is itself in doubt."""


class HeatmapConfig(BaseModel):
    """All that is needed to rebuild the networks and to use them; nothing that concerns training only.

    Attributes:
        n_landmarks: K.
        frame: (width, height) px of the picture the coarse network sees, multiples of 64.
        detail: (width, height) px of the picture the windows are cut from.
        window: side of a window, px of the detail picture.
        finest: (width, height) px of the photographs themselves where they are finer than the detail picture; else
            None.
        finest_window: side of a window of these, px.
        fine_sigma: how wide the maps of the fine network are that it was taught, px of the detail picture (standard
            deviation).
        finest_sigma: the same of the finest network, px of the finest picture.
        members: how many networks of each kind answer together.
        references: specimens that the image-processing method compares each picture with, to tell the coarse network
            where to look; 0 = it is not asked. Needs OpenCV.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_landmarks: PositiveInt
    frame: tuple[int, int]
    detail: tuple[PositiveInt, PositiveInt]
    window: int = 96
    finest: tuple[PositiveInt, PositiveInt] | None = None
    finest_window: int = 96
    fine_sigma: PositiveFloat = 2.5
    finest_sigma: PositiveFloat = 3.0
    members: int = Field(default=1, ge=1, le=100)
    references: int = Field(default=0, ge=0)
    coarse_widths: Widths = (32, 48, 64, 96, 128)
    coarse_stride: Stride = 4
    coarse_depth: Depth = 64
    fine_widths: Widths = (32, 48, 64, 96)
    fine_stride: Stride = 4
    fine_depth: Depth = 48

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_models(cls, values: Any) -> Any:
        """Without `passes`: how often a window was cut, now once."""
        return {name: values[name] for name in values if name != "passes"} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        require_multiples("frame", self.frame, self.coarse_widths, self.coarse_stride)
        for name in ("window", "finest_window"):
            require_multiples(name, (getattr(self, name),) * 2, self.fine_widths, self.fine_stride)
        return self

    @classmethod
    def for_photographs(cls, n_landmarks: int, sizes: list[tuple[int, int]], area: int = FRAME_AREA) -> HeatmapConfig:
        """Choose the pictures' sizes from those of the photographs (width, height).

        The frame is the one of this area (px) at most that shows the median photograph largest. The detail
        picture is up to four times as fine, but not much finer than the photographs themselves. Where these are
        finer still, the last windows are cut at the resolution of the median photograph.
        """
        width, height = np.median(np.array(sizes), axis=0)
        frame = frame_of(sizes, area, FRAME_STEP)
        native = max(width / frame[0], height / frame[1])
        magnification = min(MAX_MAGNIFICATION, max(MIN_MAGNIFICATION, native))
        chosen = cls(
            n_landmarks=n_landmarks,
            frame=frame,
            detail=_enlarged(frame, magnification),
            window=WINDOW_STEP * round(WINDOW_IN_FRAME * magnification / WINDOW_STEP),
        )
        while native / 2 >= ENOUGH:
            native /= 2
        beyond = native / magnification
        if beyond < FINEST_FROM:
            return chosen
        side = min(MAX_FINEST_WINDOW, WINDOW_STEP * round(FINEST_WINDOW_IN_DETAIL * beyond / WINDOW_STEP))
        return chosen.model_copy(update={"finest": _enlarged(frame, native), "finest_window": side})

    @property
    def picture(self) -> tuple[int, int]:
        """(width, height) px of the pictures that are asked for."""
        return self.finest or self.detail

    @property
    def patch(self) -> int:
        """Side in px of what is kept of the finest picture around each landmark for training; 0 = nothing."""
        return patch_side(self.finest_window) if self.finest else 0

    @property
    def guide(self) -> ClassicalConfig:
        """Of the image-processing method that is asked where to look."""
        read = {"n_landmarks": self.n_landmarks, "picture": self.detail, "references": self.references}
        return ClassicalConfig.read(read)


def frame_of(sizes: list[tuple[int, int]], area: int, step: int) -> tuple[int, int]:
    """(width, height), multiples of a step, at most of this area, that show the median photograph largest."""
    width, height = np.median(np.array(sizes), axis=0)
    sides = range(step, area // step + 1, step)
    frames = [(w, h) for w in sides for h in sides if w * h <= area]
    return max(frames, key=lambda f: (round(min(f[0] / width, f[1] / height), 6), -f[0] * f[1]))


def _enlarged(size: tuple[int, int], factor: float) -> tuple[int, int]:
    # Rounded first, so that 192 * (2448 / 192) is not one pixel more than 2448.
    return math.ceil(round(size[0] * factor, 6)), math.ceil(round(size[1] * factor, 6))


class Located(NamedTuple):
    """Landmarks a network has placed.

    Attributes:
        points: (..., 2) px.
        confidence: (...) share of the probability near the answer.
        spread: (...) px, standard deviation of the probability about the answer, along one axis.
    """

    points: Tensor
    confidence: Tensor
    spread: Tensor


def rescale(points: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Points (..., 2) from px of one picture to px of the same picture at another size (width, height)."""
    factor = points.new_tensor([target[0] / source[0], target[1] / source[1]])
    return (points + 0.5) * factor - 0.5


def with_hints(log_maps: Tensor, hints: Tensor, stride: int) -> Tensor:
    """Maps multiplied by what another method says: a Gaussian around its answer, on a floor.

    Args:
        log_maps: (B, K, h, w) log-probabilities.
        hints: (B, K, 2) px of the picture; NaN = it says nothing, the map stays as it is.
        stride: px of the picture per cell.

    Returns:
        (B, K, h, w) log-probabilities.
    """
    height, width = log_maps.shape[-2:]
    x = cell_centres(width, stride, log_maps.device) - hints[..., 0, None]
    y = cell_centres(height, stride, log_maps.device) - hints[..., 1, None]
    squares = x.square()[..., None, :] + y.square()[..., :, None]
    hinted = log_maps + torch.log(torch.exp(-squares / (2 * HINT_SPREAD**2)) + HINT_FLOOR)
    hinted = hinted - torch.logsumexp(hinted.flatten(-2), -1)[..., None, None]
    return torch.where(torch.isnan(hinted), log_maps, hinted)


def turn(degrees: float, factor: float) -> Tensor:
    """(2, 2) matrix that turns and enlarges."""
    cos, sin = (factor * f(math.radians(degrees)) for f in (math.cos, math.sin))
    return torch.tensor([[cos, -sin], [sin, cos]])


def on_cells(log_maps: Tensor, matrices: Tensor, stride: int) -> Tensor:
    """Maps of moved pictures, laid back over the pictures as they were.

    Args:
        log_maps: (B, K, h, w) log-probabilities over the moved pictures.
        matrices: (B, 2, 3) from px of the pictures to px of the moved ones.
        stride: px per cell.

    Returns:
        (B, K, h, w) log-probabilities, not normalised again.
    """
    height, width = log_maps.shape[-2:]
    x, y = (cell_centres(n, stride, log_maps.device) for n in (width, height))
    cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(1, -1, 2).expand(len(log_maps), -1, 2)
    extent = log_maps.new_tensor([width * stride, height * stride])
    grid = ((2 * move(matrices, cells) + 1) / extent - 1).view(len(log_maps), height, width, 2)
    return F.grid_sample(log_maps, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def refine(
    network: UNet | Committee, pictures: Tensor, index: Tensor, channel: Tensor, points: Tensor, *, window: int
) -> Located:
    """Landmarks from windows around first guesses.

    A second window, around an answer far off the centre of the first, follows mistakes more often than it mends any.

    Args:
        network: answers in a window.
        pictures: (N, 3, H, W) uint8.
        index: (n,) which picture each guess is in.
        channel: (n,) which landmark it is.
        points: (n, 2) px of the picture.
        window: side, px.

    Returns:
        (n, 2) px of the picture, (n,) confidence and (n,) spread.
    """
    cut, corner = windows(pictures, index, points, window)
    maps = network.of_one((cut / 255).contiguous(memory_format=torch.channels_last), channel)
    local, mass = decode(maps, network.stride)
    spread = deviation(maps, local, network.stride)
    return Located(local[:, 0] + corner, mass[:, 0], spread[:, 0])


class HeatmapModel(nn.Module):
    """U-Nets: `coarse` answers over the frame for all landmarks, `fine` in a window for the one it is cut for.

    Each may be several that answer together (`Committee`).

    A picture that leaves the coarse network in doubt is shown to it again in other poses. Between the two networks the
    shape prior chooses among the modes of the coarse maps. Where the photographs are finer than the detail picture,
    `finest` looks at windows of theirs; else it is None. `guide`, where there is one, compares the picture with a few
    specimens by image processing and tells the coarse network where to look.
    """

    prior_mean: Tensor
    prior_covariance: Tensor

    def __init__(self, config: HeatmapConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = self._networks(config.coarse_widths, config.coarse_stride, config.coarse_depth)
        self.fine = self._refiner()
        self.finest = self._refiner() if config.finest else None
        self.guide = ClassicalModel(config.guide) if config.references else None
        self.register_buffer("prior_mean", torch.zeros(config.n_landmarks, 2))
        self.register_buffer("prior_covariance", torch.eye(2 * config.n_landmarks))

    def _refiner(self) -> UNet | Committee:
        config = self.config
        return self._networks(config.fine_widths, config.fine_stride, config.fine_depth)

    def _networks(self, widths: tuple[int, ...], stride: int, depth: int) -> UNet | Committee:
        n_landmarks, n = self.config.n_landmarks, self.config.members
        return together([UNet(n_landmarks, widths=widths, stride=stride, depth=depth) for _ in range(n)])

    @property
    def prior(self) -> ShapePrior:
        """The shapes that are possible, in px of the frame."""
        return ShapePrior(self.prior_mean.cpu().double().numpy(), self.prior_covariance.cpu().double().numpy())

    def learn_shapes(self, points: Tensor, more: Tensor | None = None) -> None:
        """Fit the shape prior to training configurations (N, K, 2) in detail px, and to more (M, K, 2) in any unit.

        NaN = missing.
        """
        others = None if more is None else more.cpu().double().numpy()
        prior = ShapePrior.fit(self.to_frame(points.cpu().double()).numpy(), noise=0.5, more=others)
        self.prior_mean.copy_(torch.from_numpy(prior.mean))
        self.prior_covariance.copy_(torch.from_numpy(prior.covariance))

    def keep_references(self, details: Tensor, points: Tensor) -> None:
        """Hand specimens (R, 3, H, W) with landmarks (R, K, 2) detail px to the image-processing method."""
        assert self.guide is not None
        self.guide.keep(details, points)
        self.config = self.config.model_copy(update={"references": len(points)})

    def to_detail(self, points: Tensor) -> Tensor:
        """Points (..., 2) from frame px to detail px."""
        return rescale(points, self.config.frame, self.config.detail)

    def to_frame(self, points: Tensor) -> Tensor:
        """Points (..., 2) from detail px to frame px."""
        return rescale(points, self.config.detail, self.config.frame)

    def hints(self, details: Tensor) -> Tensor | None:
        """Where image processing places the landmarks of (B, 3, H, W) uint8 details: (B, K, 2) frame px, NaN = nowhere.

        None where it is not asked.
        """
        if self.guide is None:
            return None
        return self.to_frame(self.guide.answer(details).points).to(details.device, torch.float32)

    @torch.no_grad()
    def locate_coarse(self, frames: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Landmarks from the whole picture.

        Args:
            frames: (B, 3, h, w) uint8.
            hints: see `hints`.

        Returns:
            (B, K, 2) frame px, and (B, K) confidence: the share of probability near the answer.
        """
        log_maps = self.coarse(frames.float() / 255)
        points, confidence = self._choose(log_maps, hints)
        doubtful = confidence.amin(1) < DOUBT
        if doubtful.any():
            seen = self._look_again(frames[doubtful], log_maps[doubtful])
            points[doubtful], confidence[doubtful] = self._choose(seen, None if hints is None else hints[doubtful])
        return points, confidence

    def _choose(self, log_maps: Tensor, hints: Tensor | None) -> tuple[Tensor, Tensor]:
        """Landmarks (B, K, 2) frame px, and confidence, from maps (B, K, h, w).

        Positions are read from the maps multiplied by what the other landmarks say: closer on the whole, if drawn a
        little towards the usual shapes, from which the fine network sets out. Confidence is that of the maps alone.
        """
        stride, prior = self.coarse.stride, self.prior
        if hints is not None:
            log_maps = with_hints(log_maps, hints, stride)
        scores = np.stack([reconcile(maps, prior, stride) for maps in log_maps.cpu().double().numpy()])
        guide = torch.from_numpy(scores).to(log_maps)
        points, _ = decode(guide, stride)
        return points, decode(log_maps, stride, guide=guide)[1]

    def _look_again(self, frames: Tensor, log_maps: Tensor) -> Tensor:
        """Maps (B, K, h, w) agreed upon by looks at the frames in other poses: the mean of log-probabilities."""
        n, (width, height) = len(frames), self.config.frame
        centre = torch.tensor([[width / 2 - 0.5, height / 2 - 0.5]], device=frames.device)
        total = log_maps
        for degrees, factor in OTHER_POSES:
            pose = about(turn(degrees, factor).to(frames.device)[None], centre, centre).expand(n, 2, 3)
            seen = self.coarse(warp(frames, pose, (width, height)) / 255)
            total = total + on_cells(seen, pose, self.coarse.stride)
        return torch.log_softmax((total / (1 + len(OTHER_POSES))).flatten(2), -1).view_as(total)

    def answer(self, pictures: Tensor) -> Answer:
        """Landmarks of (B, 3, H, W) uint8 pictures."""
        config = self.config
        details = shrink(pictures, config.detail) if config.finest else pictures
        frames = shrink(details, config.frame)
        found = self.locate(frames, details, self.hints(details))
        if config.finest is not None:
            start = rescale(found.points, config.detail, config.finest)
            last = self.locate_finest(pictures, _each(start)[0], start)
            last = self._steadied(last, config.finest, config.finest_sigma)
            found = last._replace(confidence=found.confidence * last.confidence)
        return Answer(found.points, found.confidence, spread=found.spread, frames=frames)

    def _steadied(self, found: Located, size: tuple[int, int], sigma: float) -> Located:
        """Landmarks of a batch, those in doubt drawn to where the others expect them.

        Args:
            found: in px of a picture.
            size: (width, height) of that.
            sigma: spread of a landmark that is in no doubt.
        """
        frame, prior = self.config.frame, self.prior
        points = rescale(found.points.cpu().double(), size, frame).numpy()
        doubt = STEADYING * frame[0] / size[0] * (found.spread.cpu().double() - sigma).clamp(min=0).numpy()
        steadied = np.stack([prior.steadied(*one) for one in zip(points, doubt, strict=True)])
        return found._replace(points=rescale(torch.from_numpy(steadied), frame, size).to(found.points))

    def locate(self, frames: Tensor, details: Tensor, hints: Tensor | None = None) -> Located:
        """Landmarks of a batch of pictures: (B, K, 2) detail px, (B, K) confidence and spread."""
        points, coarse = self.locate_coarse(frames, hints)
        points = self.to_detail(points)
        index, channel = _each(points)
        found = refine(self.fine, details, index, channel, points.reshape(-1, 2), window=self.config.window)
        each = coarse.shape
        found = Located(found.points.view_as(points), coarse * found.confidence.view(each), found.spread.view(each))
        return self._steadied(found, self.config.detail, self.config.fine_sigma)

    def locate_finest(self, pictures: Tensor, index: Tensor, points: Tensor) -> Located:
        """Landmarks at the photographs' resolution.

        Args:
            pictures: (N, 3, H, W) uint8: the finest pictures, or patches of them.
            index: (B * K,) which of them each guess is in.
            points: (B, K, 2) guesses, px of the picture they are in.

        Returns:
            (B, K, 2) px of the picture, (B, K) confidence and spread.
        """
        assert self.finest is not None
        channel, each = _each(points)[1], points.shape[:2]
        found = refine(self.finest, pictures, index, channel, points.reshape(-1, 2), window=self.config.finest_window)
        return Located(found.points.view_as(points), found.confidence.view(each), found.spread.view(each))


def matched(model: HeatmapModel, earlier: HeatmapModel) -> HeatmapModel:
    """An earlier model with as many networks of each kind as another: its own ones in turn."""
    found = copy.deepcopy(earlier)
    for part in ("coarse", "fine", "finest"):
        if (network := getattr(found, part)) is not None:
            own = members(network)
            setattr(found, part, together([own[number % len(own)] for number in range(model.config.members)]))
    return found


def _each(points: Tensor) -> tuple[Tensor, Tensor]:
    """Picture and landmark (B * K,) of each of (B, K, 2) points."""
    n, n_landmarks = points.shape[:2]
    index = torch.arange(n, device=points.device).repeat_interleave(n_landmarks)
    return index, torch.arange(n_landmarks, device=points.device).repeat(n)
