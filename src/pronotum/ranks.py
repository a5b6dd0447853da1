"""Several processes that train one network together: which one am I, what is my share, what do all of them say.

``torchrun`` starts them and tells each in its environment. All go through the same steps with the same random numbers,
each puts its share of every batch through the network, torch's DistributedDataParallel averages the gradients, and the
first alone writes. A process that is alone has everything, and nothing here changes anything for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pronotum.errors import UserError

PATIENCE = timedelta(hours=1)
"""How long one process waits for another, which may read its photographs from a slower disk."""
_spread: dict[nn.Module, nn.Module] = {}


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def first() -> bool:
    """Whether this is the one that writes and speaks."""
    return number() == 0


def device(chosen: torch.device) -> torch.device:
    """The device of this process: each has a GPU of its own.

    Raises:
        UserError: a device that cannot be shared out, or fewer GPUs than processes.
    """
    if count() == 1 or chosen.type == "cpu":
        return chosen
    own = int(os.environ.get("LOCAL_RANK", "0"))
    if chosen.type != "cuda":
        raise UserError("torchrun", found=f"--device {chosen.type}", expected="cuda or cpu")
    if own >= torch.cuda.device_count():
        found = f"more processes than the {torch.cuda.device_count()} GPUs of this machine"
        raise UserError("torchrun", found=found, remedy="start it with --nproc-per-node gpu")
    torch.cuda.set_device(own)
    return torch.device("cuda", own)


@contextmanager
def together(where: torch.device) -> Iterator[None]:
    """In this block the processes hear each other."""
    if count() == 1:
        yield
        return
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def wait() -> None:
    """Go on when all have come so far."""
    if count() > 1:
        dist.barrier()


@contextmanager
def spread(network: nn.Module) -> Iterator[None]:
    """In this block `through` this network gradients are averaged over the processes."""
    if count() == 1:
        yield
        return
    _spread[network] = DistributedDataParallel(network, broadcast_buffers=False)
    try:
        yield
    finally:
        del _spread[network]


def through(network: nn.Module) -> nn.Module:
    """What to call for a loss: the network, or its spread form."""
    return _spread.get(network, network)


def share(pictures: Tensor, wanted: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
    """This process's rows of a batch.

    Args:
        pictures: (n, ...).
        wanted: (n, ...) what the network should answer. Where there are more processes than rows, those left over have
            the first row with NaN here, which counts nothing.
        *more: (n, ...) whatever else goes with them.
    """
    if count() == 1:
        return pictures, wanted, *more
    if number() >= len(pictures):
        return pictures[:1], torch.full_like(wanted[:1], torch.nan), *(one[:1] for one in more)
    return tuple(one[number() :: count()] for one in (pictures, wanted, *more))


def mean_count(counted: Tensor) -> Tensor:
    """How many of a batch's values count, per process: what a sum over the share is divided by.

    The average over the processes of losses, and of gradients, is then that of the whole batch, however its values are
    shared out.
    """
    if count() == 1:
        return counted.sum().clamp(min=1)
    return average(counted.sum().float()).clamp(min=1 / count())


def average(value: Tensor) -> Tensor:
    """The mean over all processes of real numbers; no gradient goes through it."""
    if count() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / count()


def mean(value: float, where: torch.device) -> float:
    """The same of a number."""
    return value if count() == 1 else average(torch.tensor(value, device=where)).item()


def gathered(own: Tensor) -> Tensor:
    """The rows of all processes, on the CPU; alone as they are."""
    if count() == 1:
        return own
    parts: list[Tensor] = [own] * count()
    dist.all_gather_object(parts, own.cpu())
    return torch.cat(parts)
