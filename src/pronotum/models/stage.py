"""What a training loop needs to know of one network: the same few functions for every architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """One network to train.

    Attributes:
        name: what people read in the progress bar and the learning curve ("coarse", "fine").
        network: trained in place.
        epochs: how often every specimen is shown.
        batches: number of batches per epoch.
        losses: the losses of an epoch's batches, each ready for ``backward()``; all its randomness comes from the
            generator handed in.
        validate: mean error in px of the photograph of the network handed in; None when nothing was held out.
        optimiser: makes the optimiser.
        rates: what to set in the optimiser's parameter groups at a share (0 to 1) of the training done.
        averaging: how much of the averaged weights is kept per step (0 = nothing is averaged).
        clip: largest norm of a step's gradient; None = as it is.
        keep: the weights that were best on the held-out specimens, where there are any, or the last.
        measures: what else to note after an epoch, by name.
    """

    name: str
    network: nn.Module
    epochs: int
    batches: int
    losses: Callable[[torch.Generator], Iterator[Tensor]]
    validate: Callable[[nn.Module], float] | None
    optimiser: Callable[[nn.Module], torch.optim.Optimizer]
    rates: Callable[[float], dict[str, float]]
    averaging: float = 0.0
    clip: float | None = 5.0
    keep: Literal["best", "last"] = "best"
    measures: Callable[[], dict[str, float]] = dict
