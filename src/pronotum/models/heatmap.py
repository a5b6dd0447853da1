"""The default model: heatmaps over the whole picture, then over small windows at the photograph's resolution."""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pronotum.augment import windows
from pronotum.models.unet import UNet, decode
from pronotum.morphometrics.shape_prior import ShapePrior, reconcile
from pronotum.pictures import shrink

FRAME_AREA = 256 * 192
FRAME_STEP = 64
MAX_MAGNIFICATION = 4.0
MIN_MAGNIFICATION = 2.0
WINDOW_IN_FRAME = 24
"""Side of a window in px of the frame: several times a coarse error."""
WINDOW_STEP = 16


class HeatmapConfig(BaseModel):
    """All that is needed to rebuild the networks and to use them; nothing that concerns training only.

    Attributes:
        n_landmarks: K.
        frame: (width, height) px of the picture the coarse network sees, multiples of 64.
        detail: (width, height) px of the picture the windows are cut from.
        window: side of a window, px of the detail picture.
        passes: how often a window is cut again around its own answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_landmarks: int
    frame: tuple[int, int]
    detail: tuple[int, int]
    window: int = 96
    passes: int = 2
    coarse_widths: tuple[int, ...] = (32, 48, 64, 96, 128)
    coarse_stride: int = 4
    coarse_depth: int = 64
    fine_widths: tuple[int, ...] = (24, 32, 48, 64)
    fine_stride: int = 2
    fine_depth: int = 32

    @classmethod
    def for_photographs(cls, n_landmarks: int, sizes: list[tuple[int, int]]) -> HeatmapConfig:
        """Choose frame and detail from the photographs' sizes (width, height).

        The frame is the one of about 256x192 px in area that shows the median photograph largest. The detail
        picture is up to four times as fine, but not much finer than the photographs themselves.
        """
        width, height = np.median(np.array(sizes), axis=0)
        sides = range(FRAME_STEP, FRAME_AREA // FRAME_STEP + 1, FRAME_STEP)
        frames = [(w, h) for w in sides for h in sides if w * h <= FRAME_AREA]
        frame = max(frames, key=lambda f: (round(min(f[0] / width, f[1] / height), 6), -f[0] * f[1]))
        native = max(width / frame[0], height / frame[1])
        magnification = min(MAX_MAGNIFICATION, max(MIN_MAGNIFICATION, native))
        detail = (math.ceil(frame[0] * magnification), math.ceil(frame[1] * magnification))
        window = WINDOW_STEP * round(WINDOW_IN_FRAME * magnification / WINDOW_STEP)
        return cls(n_landmarks=n_landmarks, frame=frame, detail=detail, window=window)


class HeatmapModel(nn.Module):
    """Two U-Nets: `coarse` answers over the frame for all landmarks, `fine` in a window for the one it is cut for.

    Between them the shape prior chooses among the modes of the coarse maps.
    """

    prior_mean: Tensor
    prior_covariance: Tensor

    def __init__(self, config: HeatmapConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = UNet(
            config.n_landmarks,
            widths=config.coarse_widths,
            stride=config.coarse_stride,
            depth=config.coarse_depth,
        )
        self.fine = UNet(
            config.n_landmarks, widths=config.fine_widths, stride=config.fine_stride, depth=config.fine_depth
        )
        self.register_buffer("prior_mean", torch.zeros(config.n_landmarks, 2))
        self.register_buffer("prior_covariance", torch.eye(2 * config.n_landmarks))

    @property
    def prior(self) -> ShapePrior:
        """The shapes that are possible, in px of the frame."""
        return ShapePrior(self.prior_mean.cpu().double().numpy(), self.prior_covariance.cpu().double().numpy())

    def learn_shapes(self, points: Tensor) -> None:
        """Fit the shape prior to training configurations (N, K, 2) in detail px; NaN = missing."""
        prior = ShapePrior.fit(self.to_frame(points.cpu().double()).numpy(), noise=0.5)
        self.prior_mean.copy_(torch.from_numpy(prior.mean))
        self.prior_covariance.copy_(torch.from_numpy(prior.covariance))

    def to_detail(self, points: Tensor) -> Tensor:
        """Points (..., 2) from frame px to detail px."""
        factor = self._magnification(points)
        return points * factor + (factor - 1) / 2

    def to_frame(self, points: Tensor) -> Tensor:
        """Points (..., 2) from detail px to frame px."""
        factor = self._magnification(points)
        return (points - (factor - 1) / 2) / factor

    def _magnification(self, like: Tensor) -> Tensor:
        (width, height), (outer, upper) = self.config.frame, self.config.detail
        return like.new_tensor([outer / width, upper / height])

    @torch.no_grad()
    def locate_coarse(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks from the whole picture.

        Args:
            frames: (B, 3, h, w) uint8.

        Returns:
            (B, K, 2) frame px, and (B, K) confidence: the share of probability near the answer.
        """
        log_maps = self.coarse(frames.float() / 255)
        prior, stride = self.prior, self.coarse.stride
        guides = [reconcile(maps, prior, stride) for maps in log_maps.cpu().double().numpy()]
        guide = torch.from_numpy(np.stack(guides)).to(log_maps)
        return decode(log_maps, stride, guide=guide)

    @torch.no_grad()
    def refine(self, details: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks from windows around first guesses.

        Args:
            details: (B, 3, H, W) uint8.
            points: (B, K, 2) detail px.

        Returns:
            (B, K, 2) detail px, and (B, K) confidence.
        """
        n, n_landmarks = points.shape[:2]
        index = torch.arange(n, device=points.device).repeat_interleave(n_landmarks)
        channel = torch.arange(n_landmarks, device=points.device).repeat(n)
        rows = torch.arange(len(index), device=points.device)
        answer, confidence = points.reshape(-1, 2), torch.zeros(len(index), device=points.device)
        for _ in range(self.config.passes):
            cut, corner = windows(details, index, answer, self.config.window)
            local, mass = decode(self.fine(cut.float() / 255)[rows, channel][:, None], self.fine.stride)
            answer, confidence = local[:, 0] + corner, mass[:, 0]
        return answer.view(n, n_landmarks, 2), confidence.view(n, n_landmarks)

    def answer(self, details: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks of (B, 3, H, W) uint8 detail pictures: (B, K, 2) detail px, and their confidence (B, K)."""
        return self.locate(shrink(details, self.config.frame), details)

    def locate(self, frames: Tensor, details: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks of a batch of pictures, (B, K, 2) detail px, and their confidence (B, K)."""
        points, coarse = self.locate_coarse(frames)
        points, fine = self.refine(details, self.to_detail(points))
        return points, coarse * fine
