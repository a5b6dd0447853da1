"""The training loop: stages, checkpoints, events. Epoch e's random numbers depend on the seed and e alone, so a
killed training that is resumed ends with the same weights as one that was left alone.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pronotum import ranks
from pronotum.errors import UserError
from pronotum.models import weights
from pronotum.models.stage import Stage

CHECKPOINT_SECONDS = 15.0
SAVING_SHARE = 20
"""A checkpoint is not written before this many times the last one's duration has passed."""
VALIDATIONS = 25
"""How often per stage the held-out specimens are looked at."""


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve.

    Attributes:
        stage: name of the network.
        epoch: 1-based.
        epochs: how many the stage has.
        loss: mean over the batches, as trained (augmentation on).
        error: mean error of held-out specimens, px of the photograph; None where it was not measured.
        progress: share of the whole training that is done, by the time stages took so far.
        seconds: since the training (or its resumption) began.
        measures: what else the stage measured, by name.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    error: float | None
    progress: float
    seconds: float
    measures: dict[str, float] = field(default_factory=dict)


class Diverged(UserError):
    """The loss is no longer a number."""


def fit(
    stages: list[Stage],
    *,
    seed: int,
    checkpoint: Path | None = None,
    identity: str = "",
    resume: bool = False,
    at_most: int | None = None,
    on_begin: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> None:
    """Train every stage in turn; afterwards each network holds its best weights.

    Where specimens are held out, the best are those with the least error on them; else the last.

    Args:
        stages: what to train.
        seed: of all random numbers.
        checkpoint: file to keep the state in, about every 15 seconds; removed by nobody.
        identity: of data and settings; a checkpoint is only resumed where it is the same.
        resume: start from the checkpoint if it exists.
        at_most: only so many epochs of every stage, to see how long they take; the networks are of no use then.
        on_begin: called once it is certain that this training may go on from the checkpoint.
        on_epoch: called after every epoch.

    Raises:
        Diverged: the loss became infinite or not a number.
        UserError: the checkpoint belongs to another training, or was changed since it was written.
    """
    plan = _plan(stages, seed, identity)
    state = _Checkpoint.open(checkpoint, plan) if resume and checkpoint else None
    on_begin()
    writes = checkpoint if ranks.first() else None
    begun = time.monotonic()
    for number, stage in enumerate(stages):
        if state is not None and number < state.stage:
            with state.fitting(checkpoint):
                _restore_finished(stage.network, state, number)
            continue
        trainer = _StageTrainer(stage, seed=seed, number=number)
        if state is not None and number == state.stage and state.epoch:
            with state.fitting(checkpoint):
                trainer.load(state)
        last_saved, saving = time.monotonic(), 0.0
        with ranks.spread(stage.network):
            for epoch in range(trainer.epoch, min(stage.epochs, at_most or stage.epochs)):
                loss, error = trainer.run(epoch)
                share = (number + (epoch + 1) / stage.epochs) / len(stages)
                seconds = time.monotonic() - begun
                on_epoch(Epoch(stage.name, epoch + 1, stage.epochs, loss, error, share, seconds, stage.measures()))
                due = time.monotonic() - last_saved > max(CHECKPOINT_SECONDS, SAVING_SHARE * saving)
                if writes and due and epoch + 1 < stage.epochs:
                    saved_at = time.monotonic()
                    _save(writes, stages[:number], trainer, plan)
                    last_saved = time.monotonic()
                    saving = last_saved - saved_at
        trainer.finish()
        if writes:
            _save(writes, stages[: number + 1], None, plan)


class _StageTrainer:
    """The state of one stage: weights, their running average, the best so far, the optimiser."""

    def __init__(self, stage: Stage, *, seed: int, number: int) -> None:
        self.stage, self.seed, self.number = stage, seed, number
        stage.network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        # Without averaging the network itself is the answer: no copy of what may be 92 million weights.
        self.averaged = copy.deepcopy(stage.network).eval() if stage.averaging else stage.network
        self.best: dict[str, Tensor] = {}
        self.best_error = float("inf")
        self.optimiser = stage.optimiser(stage.network)
        self.epoch = 0

    def run(self, epoch: int) -> tuple[float, float | None]:
        """Train one epoch; the mean loss and, now and then, the held-out error."""
        stage = self.stage
        stage.network.train()
        generator = torch.Generator().manual_seed(_epoch_seed(self.seed, self.number, epoch + 1))
        # Of dropout, the one thing that is drawn for a share alone.
        torch.manual_seed(_epoch_seed(self.seed, self.number, epoch + 1) + ranks.number())
        total, step = 0.0, epoch * stage.batches
        for loss in stage.losses(generator):
            for name, value in stage.rates(step / (stage.epochs * stage.batches)).items():
                for group in self.optimiser.param_groups:
                    group[name] = value
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if stage.clip is not None:
                nn.utils.clip_grad_norm_(stage.network.parameters(), stage.clip)
            self.optimiser.step()
            step += 1
            self._average(step)
            total += loss.item()
        mean = ranks.mean(total / stage.batches, next(stage.network.parameters()).device)
        # The last step may spoil the weights of a network whose losses were all numbers.
        weights_are_numbers = all(bool(torch.isfinite(one).all()) for one in stage.network.parameters())
        if not math.isfinite(mean) or not weights_are_numbers:
            raise Diverged(
                f"{stage.name} stage, epoch {epoch + 1}",
                found=f"the loss is {mean}" if not math.isfinite(mean) else "weights are no longer numbers",
                expected="a finite number",
                remedy="train with a lower learning rate (--set rate=..., see config.json)",
            )
        self.epoch = epoch + 1
        return mean, self._validate(epoch)

    def _average(self, step: int) -> None:
        if not self.stage.averaging:
            return
        keep = min(self.stage.averaging, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.stage.network.parameters()), 1 - keep)
            for mine, other in zip(self.averaged.buffers(), self.stage.network.buffers(), strict=True):
                mine.copy_(other)

    def _validate(self, epoch: int) -> float | None:
        every = max(1, self.stage.epochs // VALIDATIONS)
        if self.stage.validate is None or ((epoch + 1) % every and epoch + 1 < self.stage.epochs):
            return None
        self.averaged.eval()
        error = self.stage.validate(self.averaged)
        if not math.isfinite(error):  # none of the held-out specimens has a landmark
            return None
        if error <= self.best_error and self.stage.keep == "best":
            self.best_error = error
            self.best = copy.deepcopy(self.averaged.state_dict())
        return error

    def finish(self) -> None:
        """Leave the weights to keep in the network."""
        self.stage.network.load_state_dict(self.best or self.averaged.state_dict())
        self.stage.network.eval()

    def tensors(self) -> dict[str, Tensor]:
        """All that `load` needs, by name."""
        parts = {
            "network": self.stage.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.stage.averaging else {},
            "best": self.best,
        }
        named = {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            named.update({f"optimiser.{index}.{key}": torch.as_tensor(value) for key, value in entry.items()})
        return named

    def load(self, state: _Checkpoint) -> None:
        """Continue where a checkpoint was written."""
        self.stage.network.load_state_dict(state.part("network"))
        if self.stage.averaging:
            self.averaged.load_state_dict(state.part("averaged"))
        self.best = state.part("best")
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in state.part("optimiser").items():
            index, key = name.split(".", 1)
            entries.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": entries})
        self.epoch, self.best_error = state.epoch, state.best_error


@dataclass(frozen=True)
class _Checkpoint:
    stage: int
    epoch: int
    best_error: float
    tensors: dict[str, Tensor]

    @classmethod
    def open(cls, path: Path, plan: str) -> _Checkpoint | None:
        if not path.exists():
            return None
        try:
            said, tensors = weights.load(path)
            header = json.loads(said["training"])
            kept = header["plan"]
            stage, epoch, best = int(header["stage"]), int(header["epoch"]), float(header["best_error"])
        except (weights.Damaged, OSError, KeyError, TypeError, ValueError) as error:
            raise _unreadable(path, error) from None
        if kept != plan:
            raise UserError(
                path,
                found="the checkpoint of a training with other settings or other data",
                expected="the same preset, seed and specimens as before",
                remedy="repeat the first command, or choose another name for -o to start anew",
            )
        return cls(stage, epoch, best, tensors)

    @contextmanager
    def fitting(self, path: Path | None) -> Iterator[None]:
        """Turn what does not fit the networks into one line."""
        try:
            yield
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise _unreadable(path, str(error).splitlines()[0]) from None

    def part(self, name: str) -> dict[str, Tensor]:
        return {key[len(name) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{name}.")}


def _unreadable(path: Path | None, error: object) -> UserError:
    remedy = "delete it and train again"
    return UserError(path, found=f"this checkpoint cannot be read ({error})", remedy=remedy)


def _restore_finished(network: nn.Module, state: _Checkpoint, number: int) -> None:
    network.load_state_dict(state.part(f"finished{number}"))
    network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def _save(path: Path, finished: list[Stage], trainer: _StageTrainer | None, plan: str) -> None:
    tensors = trainer.tensors() if trainer else {}
    for number, stage in enumerate(finished):
        tensors.update({f"finished{number}.{name}": value for name, value in stage.network.state_dict().items()})
    header = {
        "plan": plan,
        "stage": len(finished),
        "epoch": trainer.epoch if trainer else 0,
        "best_error": trainer.best_error if trainer else float("inf"),
    }
    weights.save(path, tensors, {"training": json.dumps(header)})


def _plan(stages: list[Stage], seed: int, identity: str) -> str:
    return json.dumps([identity, seed, [[stage.name, stage.epochs, stage.batches] for stage in stages]])


def _epoch_seed(seed: int, stage: int, epoch: int) -> int:
    return (seed * 1_000_003 + stage * 100_003 + epoch) % 2**31


def as_event(epoch: Epoch) -> dict[str, object]:
    """An epoch as one line of events.jsonl."""
    return {"event": "epoch", **asdict(epoch)}
