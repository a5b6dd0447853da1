"""Nesterov's momentum in the form of the Lasagne library, with which the paper's networks were trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor


class LasagneNesterov(torch.optim.Optimizer):
    """Gradient descent with Nesterov's momentum: v <- m v - r g, then p <- p + m v - r g.

    The velocity v carries the rates r of the steps that made it. `torch.optim.SGD(nesterov=True)` keeps gradients
    instead and multiplies all of them by the rate of now: the same as long as the rate is constant, not when it falls.

    Args:
        parameters: what to train.
        lr: rate r.
        momentum: m. Both may be changed in the parameter groups between steps.

    Source: Le et al., section 5; Sutskever et al. (2013) as written in ``lasagne.updates``; spec A.5.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rate, momentum = float(group["lr"]), float(group["momentum"])
            moved: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            gradients = [p.grad for p in moved if p.grad is not None]
            velocities = [self._velocity(p) for p in moved]
            torch._foreach_mul_(velocities, momentum)
            torch._foreach_add_(velocities, gradients, alpha=-rate)
            torch._foreach_add_(moved, velocities, alpha=momentum)
            torch._foreach_add_(moved, gradients, alpha=-rate)
        return loss

    def _velocity(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        velocity: Tensor = state["velocity"]
        return velocity
