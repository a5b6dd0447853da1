"""The paper's three networks: elementary blocks (convolution, pooling, dropout), then three dense layers.

Their answer is all coordinates at once, scaled by half the frame: x' = (x - W/2) / (W/2), y' = (y - H/2) / (H/2).
The paper applies this to labels that are whole numbers, floor(position / 12.75): the index of the pixel a landmark
lies in. In our convention that number is the centre of this very pixel, so the formula takes our coordinates as they
are. The centres of the first and of the (absent) pixel number W become -1 and 1; the picture's edges, at -0.5 and
W - 0.5, become -1 - 1/W and 1 - 1/W.

Source: Le et al., sections 4 and 5, figures 6 to 9; spec A.3, A.4. Model 3 is the last network of the Lasagne tutorial
on facial keypoints, moved from 96x96 to 256x192.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pronotum.channels import grey
from pronotum.errors import UserError, counted
from pronotum.geometry import PAPER_FRAME
from pronotum.models.architecture import Answer


class Block(BaseModel):
    """One elementary block: convolution (stride 1, no padding), ReLU, 2x2 max-pooling, dropout.

    Attributes:
        channels: filters of the convolution.
        kernel: side of a filter, px.
        dropout: share of the block's outputs that is dropped in training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(gt=0)
    kernel: int = Field(gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class EBNetConfig(BaseModel):
    """All that is needed to rebuild a network; nothing that concerns training only but the dropouts.

    Attributes:
        n_landmarks: L.
        frame: (width, height) px of the picture the network sees.
        blocks: elementary blocks, first to last.
        hidden: outputs of each of the two hidden dense layers.
        hidden_dropout: share dropped between them in training.

    Raises:
        UserError: the frame is too small for the blocks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_landmarks: int = Field(gt=0)
    frame: tuple[int, int] = PAPER_FRAME
    blocks: tuple[Block, ...] = (
        Block(channels=32, kernel=3, dropout=0.1),
        Block(channels=64, kernel=2, dropout=0.2),
        Block(channels=128, kernel=2, dropout=0.3),
    )
    hidden: int = Field(default=1000, gt=0)
    hidden_dropout: float = Field(default=0.5, ge=0, lt=1)

    @classmethod
    def variant(cls, number: int, n_landmarks: int, frame: tuple[int, int] = PAPER_FRAME) -> EBNetConfig:
        """Model 1 (500 hidden units), 2 (1000) or 3 (1000, with dropout).

        Raises:
            UserError: another number.

        Source: Le et al., section 5, figures 7 to 9; spec A.4.
        """
        third = cls(n_landmarks=n_landmarks, frame=frame)
        if number == 3:
            return third
        if number not in (1, 2):
            raise UserError(f"model {number}", found="the paper has no such model", remedy="choose 1, 2 or 3")
        plain = tuple(Block(channels=block.channels, kernel=block.kernel) for block in third.blocks)
        hidden = 500 if number == 1 else 1000
        return cls(n_landmarks=n_landmarks, frame=frame, blocks=plain, hidden=hidden, hidden_dropout=0.0)

    @property
    def detail(self) -> tuple[int, int]:
        """(width, height) px of the picture that is asked for: the frame itself, nothing is looked at closer."""
        return self.frame

    @property
    def picture(self) -> tuple[int, int]:
        """The same."""
        return self.frame

    @property
    def patch(self) -> int:
        """Nothing is kept around the landmarks."""
        return 0

    @property
    def least_side(self) -> int:
        """Width and height, px, below which nothing is left of a picture after the blocks."""
        side = 1
        for block in reversed(self.blocks):
            side = 2 * side + block.kernel - 1
        return side

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if min(self.frame) < self.least_side:
            raise UserError(
                f"frame {self.frame[0]}x{self.frame[1]}",
                found=f"too small for a network of {counted(len(self.blocks), 'block')}",
                expected=f"at least {self.least_side}x{self.least_side} px",
                remedy="use a larger frame or fewer blocks",
            )
        return self


@dataclass(frozen=True)
class Layer:
    """One layer as a table or a figure shows it.

    Attributes:
        name: ``input``, ``conv1``, ``pool1``, ..., ``fc1``, ``fc2``, ``fc3``.
        shape: of its output: (channels, height, width), or (units,).
        parameters: weights and biases.
        macs: multiplications (each with an addition) for one picture.
        dropout: share of its output that is dropped in training.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0
    dropout: float = 0.0


def layer_table(config: EBNetConfig) -> list[Layer]:
    """The layers of a network, first to last, computed without building it.

    Source: Le et al., section 5; spec A.4.
    """
    (width, height), channels = config.frame, 1
    layers = [Layer("input", (channels, height, width))]
    for number, block in enumerate(config.blocks, 1):
        height, width = height - block.kernel + 1, width - block.kernel + 1
        weights = channels * block.channels * block.kernel**2
        shape = (block.channels, height, width)
        layers.append(Layer(f"conv{number}", shape, weights + block.channels, weights * height * width))
        channels, height, width = block.channels, height // 2, width // 2
        layers.append(Layer(f"pool{number}", (channels, height, width), dropout=block.dropout))
    inputs, dropout = channels * height * width, config.hidden_dropout
    for name, units, dropped in (
        ("fc1", config.hidden, dropout),
        ("fc2", config.hidden, 0.0),
        ("fc3", 2 * config.n_landmarks, 0.0),
    ):
        layers.append(Layer(name, (units,), units * (inputs + 1), units * inputs, dropped))
        inputs = units
    return layers


def normalise(points: Tensor, frame: tuple[int, int]) -> Tensor:
    """Points (..., L, 2) in px of the frame as network outputs (..., 2L): x1, y1, x2, y2, ...; NaN stays NaN.

    The frame is (width, height); which points become -1 and 1 is said at the top of this module.

    Source: Le et al., end of section 4; spec A.3.
    """
    half = points.new_tensor(frame) / 2
    return ((points - half) / half).flatten(-2)


def denormalise(outputs: Tensor, frame: tuple[int, int]) -> Tensor:
    """Network outputs (..., 2L) as points (..., L, 2) in px of the frame; the inverse of `normalise`."""
    half = outputs.new_tensor(frame) / 2
    return outputs.reshape(*outputs.shape[:-1], -1, 2) * half + half


class EBNet(nn.Module):
    """A network of the paper's family, with the weights Lasagne would start from.

    Source: Le et al., section 5; spec A.4.
    """

    def __init__(self, config: EBNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = [1, *(block.channels for block in config.blocks)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, block.channels, block.kernel)
            for inputs, block in zip(channels[:-1], config.blocks, strict=True)
        )
        (c, h, w) = layer_table(config)[-4].shape
        self.fc1 = nn.Linear(c * h * w, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.hidden)
        self.fc3 = nn.Linear(config.hidden, 2 * config.n_landmarks)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                start_as_lasagne(layer)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scaled coordinates of the landmarks.

        Args:
            pictures: (B, 1, H, W) grey on [0, 1].

        Returns:
            (B, 2L): x1, y1, x2, y2, ... as `normalise` makes them.
        """
        features = pictures
        for convolution, block in zip(self.convolutions, self.config.blocks, strict=True):
            features = F.max_pool2d(F.relu(convolution(features)), 2)
            features = F.dropout(features, block.dropout, self.training)
        hidden = F.relu(self.fc1(features.flatten(1)))
        hidden = F.relu(self.fc2(F.dropout(hidden, self.config.hidden_dropout, self.training)))
        outputs: Tensor = self.fc3(hidden)
        return outputs

    def answer(self, pictures: Tensor) -> Answer:
        """Landmarks of (B, 3, H, W) uint8 pictures; it knows no confidence."""
        points = self.locate(pictures)
        return Answer(points, torch.full(points.shape[:2], torch.nan, device=points.device))

    @torch.no_grad()
    def locate(self, frames: Tensor) -> Tensor:
        """Landmarks of colour pictures.

        Args:
            frames: (B, 3, H, W) uint8, RGB, of the size of the frame.

        Returns:
            (B, L, 2) px of the frame.
        """
        return denormalise(self(grey(frames)), self.config.frame)


def start_as_lasagne(layer: nn.Conv2d | nn.Linear) -> None:
    """Draw weights evenly from +-sqrt(6 / (fan in + fan out)) and set biases to zero.

    Source: Glorot & Bengio (2010), the default of Lasagne's layers; spec A.4.
    """
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
