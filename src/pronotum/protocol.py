"""The paper's protocol on anybody's parts: rounds from scratch, combined pre-training, fine-tuning, tables, figures.

Every training is a run folder of its own, so that an interrupted protocol goes on where it was. Pre-training never
sees a specimen that the round tests, unless the paper's contaminated way is asked for by name; then every table and
figure says so.

Source: Le et al., sections 6 and 7; spec A.6, A.7, B.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from pronotum import formats, geometry, tasks, workflows
from pronotum.crossvalidation import PREDICTIONS, train_or_resume
from pronotum.data import Dataset
from pronotum.errors import UserError, did_you_mean
from pronotum.evaluation import paper, prepared, rounds
from pronotum.evaluation.part import CLASSICAL, FINE_TUNED, SCRATCH, Part
from pronotum.files import write_text
from pronotum.landmarks import FloatArray
from pronotum.models import architecture
from pronotum.parts import combine, identities, open_parts
from pronotum.runs import Run, require_same
from pronotum.settings import OF_MODEL, resolve
from pronotum.tasks import Engine, OnShare, Task, Told

DESCRIPTION = "protocol.json"
OF_CLASSICAL = f"{CLASSICAL}."


@dataclass(frozen=True)
class Protocol:
    """What to run.

    Attributes:
        n_rounds: rounds of the cross-validation, drawn at random.
        round_size: contiguous rounds of this size instead, as in the paper (33).
        run: only the first so many rounds.
        seed: of the rounds and of every training.
        options: of every training; its preset, and the overrides that all share.
        settings: further overrides for "scratch", "pretrain" and "fine_tuned": ``{"scratch": {"epochs": 5000}}``;
            those for "classical" are all it gets: ``{"classical": {"model.mode": "legacy"}}``.
        presets: another preset than that of the options for these steps: ``{"fine_tuned": "paper-finetune"}``.
        pretrain: parts that are learnt together before fine-tuning; empty = no fine-tuning.
        dropped: landmarks (1-based) of each part that are left out of the pre-training; the rest must agree in number.
            The paper leaves out elytra 1, 6, 9 and head 5, 6.
        own_heads: pre-train one trunk with outputs of its own for every part, all landmarks kept, instead of letting
            the parts share outputs without homology as the paper did.
        pretrain_round: pre-train once, without the specimens that this round tests, and use it in all rounds, as the
            paper did (7); None pre-trains for every round without the specimens it tests.
        classical: also predict every round by image processing, from the same training specimens.
    """

    n_rounds: int = 9
    round_size: int | None = None
    run: int | None = None
    seed: int = 0
    options: workflows.TrainOptions = field(default_factory=lambda: workflows.TrainOptions(model="ebnet3"))
    settings: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    presets: Mapping[str, str] = field(default_factory=dict)
    pretrain: tuple[str, ...] = ()
    dropped: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    own_heads: bool = False
    pretrain_round: int | None = None
    classical: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """What predicts every test specimen, in the order of figures."""
        asked = {SCRATCH: True, FINE_TUNED: bool(self.pretrain), CLASSICAL: self.classical}
        return tuple(method for method, wanted in asked.items() if wanted)


AS_JSON = TypeAdapter(Protocol)


def split_settings(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Overrides of every training apart from those of the image processing, which begin with ``classical.``.

    Returns:
        the former as they are, the latter as `Protocol.settings` wants them.
    """
    others, own = {}, {}
    for name, value in overrides.items():
        if name.startswith(OF_CLASSICAL):
            own[OF_MODEL + name.removeprefix(OF_CLASSICAL)] = value
        else:
            others[name] = value
    return others, {CLASSICAL: own} if own else {}


def make_plan(names: Mapping[str, Sequence[str]], protocol: Protocol) -> rounds.Plan:
    """One plan of rounds for all parts, over the specimens that any of them has."""
    specimens = rounds.specimens_of(names)
    if protocol.round_size:
        return rounds.contiguous(specimens, protocol.round_size)
    return rounds.shuffled(specimens, protocol.n_rounds, seed=protocol.seed)


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A protocol under way.

    Attributes:
        source: folder with a folder per part.
        folder: of the runs, tables and figures; ``protocol.json`` in it says how to go on.
        protocol: what to run.
        only: names of the parts to use; empty = all there are.
        on_step: called with what begins now.
        on_share: called during a training with the share of all trainings that is done, and what is being done.
        engine: where to do it.
        form: name of the format of the landmark files, where they do not tell.
    """

    source: Path
    folder: Path
    protocol: Protocol
    only: tuple[str, ...] = ()
    on_step: Callable[[str], None] = lambda text: None
    on_share: OnShare = lambda share, text: None
    engine: Engine = tasks.here
    form: str | None = None

    @cached_property
    def parts(self) -> dict[str, Dataset]:
        """The specimens of each part, by its name."""
        return open_parts(self.source, self.only, self.form)

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Identities of the specimens of each part."""
        return {part: identities(data) for part, data in self.parts.items()}

    @cached_property
    def plan(self) -> rounds.Plan:
        """The rounds all parts share: those of files prepared for the paper's own programs, or drawn."""
        return prepared.plan_of(self.source, self.names) or make_plan(self.names, self.protocol)

    @property
    def numbers(self) -> range:
        """Rounds that are run, from 1."""
        last = self.plan.n_rounds
        return range(1, min(self.protocol.run or last, last) + 1)

    def rows(self, part: str, specimens: Sequence[str]) -> list[int]:
        """Rows of a part that belong to these specimens."""
        wanted = {rounds.key(one) for one in specimens}
        return [row for row, one in enumerate(self.names[part]) if rounds.key(one) in wanted]

    def check(self) -> None:
        """Find what cannot work before anything is trained.

        Raises:
            UserError: parts that do not match, more rounds than specimens, unknown parts or landmarks, a
                pre-training round that is not there, or settings that image processing does not have.
        """
        protocol, plan = self.protocol, self.plan
        for part in (*protocol.pretrain, *protocol.dropped):
            if part not in self.parts:
                raise UserError("--pretrain", found=f"no part '{part}'", remedy=did_you_mean(part, self.parts))
        if protocol.pretrain:
            chosen = {part: self.parts[part] for part in protocol.pretrain}
            combine(chosen, protocol.dropped, own_heads=protocol.own_heads)
        if protocol.classical:
            overrides = self._options(CLASSICAL, None).overrides
            resolve(architecture.named(CLASSICAL), next(iter(self.parts.values())), overrides, None)
        if protocol.pretrain_round and not 1 <= protocol.pretrain_round <= plan.n_rounds:
            found = f"round {protocol.pretrain_round} of {plan.n_rounds}"
            raise UserError("--pretrain-fold", found=found, expected=f"1 to {plan.n_rounds}")

    def execute(self) -> dict[str, Part]:
        """Run what has not been run yet.

        Returns:
            manual and predicted landmarks by part: what `paper_results.write` makes tables and figures from.

        Raises:
            UserError: as `check`; or the folder holds another protocol or one of other data.
        """
        self.check()
        self._write_down()
        fresh, resting = list[Task](), list[Task]()
        for number in self.numbers:
            fresh += [task for part in self.parts for task in self._round(part, number, SCRATCH, None)]
            if self.protocol.pretrain:
                pretraining = self._pretraining(number)
                fresh += [pretraining] if pretraining.folder not in {task.folder for task in fresh} else []
                start = pretraining.folder
                resting += [task for part in self.parts for task in self._round(part, number, FINE_TUNED, start)]
            if self.protocol.classical:
                fresh += [task for part in self.parts for task in self._round(part, number, CLASSICAL, None)]
        tasks.run(fresh, resting, engine=self._engine, on_share=self.on_share)
        self.on_share(1.0, "done")
        return {part: self.part(part) for part in self.parts}

    def _write_down(self) -> None:
        """Say in the folder what runs there, so that nothing else is mixed into it and `reopen` finds it again."""
        described = {
            "source": str(self.source.resolve()),
            "only": list(self.only),
            "form": self.form,
            "data": {part: data.digest() for part, data in self.parts.items()},
            "protocol": AS_JSON.dump_python(self.protocol, mode="json"),
        }
        path = self.folder / DESCRIPTION
        if path.exists():
            earlier, now = _essence(_read_description(path)), _essence(described)
            if not earlier["protocol"]["classical"]:
                earlier, now = _without_classical(earlier), _without_classical(now)
            expected = "the same command as before, with --classical, more --run or another device at most"
            require_same(self.folder, earlier, now, "a protocol", expected)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(described, indent=2) + "\n")

    @property
    def n_trainings(self) -> int:
        """How many trainings the whole protocol needs, those included that only keep a few specimens."""
        tested = sum(bool(self.rows(part, self.plan.tests[n - 1])) for n in self.numbers for part in self.parts)
        pretrained = 1 if self.protocol.pretrain_round else len(self.numbers)
        return len(self.protocol.methods) * tested + (pretrained if self.protocol.pretrain else 0)

    @property
    def n_finished(self) -> int:
        """How many of them are done."""
        patterns = [f"rounds/*/*/{method}/predictions.tps" for method in self.protocol.methods]
        rounds_done = sum(len(list(self.folder.glob(pattern))) for pattern in patterns)
        return rounds_done + len(list(self.folder.glob("pretrained/*/model.safetensors")))

    def _engine(self, left: Sequence[Task], told: Told) -> None:
        """The engine, and somebody to say what begins."""
        begun = set[Path]()

        def said(task: Task, share: float, text: str) -> None:
            if task.folder not in begun:
                begun.add(task.folder)
                self.on_step(task.name)
            told(task, share, text)

        self.engine(left, said)

    def _options(self, step: str, start: Path | None) -> workflows.TrainOptions:
        """What is asked of the training of a step."""
        options, own = self.protocol.options, self.protocol.settings.get(step, {})
        if step == CLASSICAL:
            return workflows.TrainOptions(
                seed=self.protocol.seed, device=options.device, overrides=dict(own), model=CLASSICAL
            )
        preset = self.protocol.presets.get(step, options.preset)
        chosen = replace(
            options, seed=self.protocol.seed, preset=preset, overrides={**options.overrides, **own}, start=start
        )
        return chosen if start is None else replace(chosen, model=None)

    def _round(self, part: str, number: int, method: str, start: Path | None) -> list[Task]:
        """The task of predicting one part in one round by one method; none where the round tests nothing of it."""
        data, plan = self.parts[part], self.plan
        test = self.rows(part, plan.tests[number - 1])
        place = self.folder / "rounds" / f"{number:02d}" / part / method
        name = f"round {number}, {part}, {method.replace('_', ' ')}"
        learnt, options = data.subset(self.rows(part, plan.training(number))), self._options(method, start)
        called = [self.names[part][row] for row in test]
        arguments = (learnt, data.subset(test), called, place, options)
        return [Task(name, predict_round, arguments, place, place / PREDICTIONS)] if test else []

    def _pretraining(self, number: int) -> Task:
        """The task of training the combined model for a round."""
        plan, fixed = self.plan, self.protocol.pretrain_round
        source = fixed or number
        run = Run(self.folder / "pretrained" / f"{source:02d}")
        if not fixed:
            rounds.require_clean(self._pretraining_specimens(source), plan, number)
        chosen = {
            part: self.parts[part].subset(self.rows(part, plan.training(source))) for part in self.protocol.pretrain
        }
        combined = combine(chosen, self.protocol.dropped, own_heads=self.protocol.own_heads)
        arguments = (combined, run.folder, self._options("pretrain", None))
        name = f"combined pre-training for round {source}"
        return Task(name, train_or_resume, arguments, run.folder, run.model)

    def _pretraining_specimens(self, number: int) -> set[str]:
        training = self.plan.training(number)
        return {self.names[part][row] for part in self.protocol.pretrain for row in self.rows(part, training)}

    def contaminated(self, part: str) -> frozenset[str]:
        """Test specimens of a part that the pre-training of their round had seen."""
        fixed, seen = self.protocol.pretrain_round, set[str]()
        if fixed and self.protocol.pretrain:
            known = self._pretraining_specimens(fixed)
            for number in self.numbers:
                own = [self.names[part][row] for row in self.rows(part, self.plan.tests[number - 1])]
                seen |= rounds.contaminated(known, own)
        return frozenset(seen)

    def part(self, part: str) -> Part:
        """Manual and predicted landmarks of a part in the paper's 256x192 frame, the tested specimens only."""
        data, names = self.parts[part], self.names[part]
        tested = sorted(row for number in self.numbers for row in self.rows(part, self.plan.tests[number - 1]))
        used = data.subset(tested)
        frames = [geometry.letterbox(size, geometry.PAPER_FRAME) for size in used.sizes]
        heights = {names[row]: size[1] for row, size in zip(tested, used.sizes, strict=True)}
        predicted: dict[str, FloatArray] = {}
        for method in self.protocol.methods:
            found = {}
            for number in self.numbers:
                file = self.folder / "rounds" / f"{number:02d}" / part / method / "predictions.tps"
                for specimen in formats.load(file) if file.exists() else ():
                    found[specimen.id] = geometry.flip_y(geometry.flip_y(specimen.points, None), heights[specimen.id])
            predicted[method] = np.stack(
                [geometry.transform(frame, found[names[row]]) for frame, row in zip(frames, tested, strict=True)]
            )
        manual = np.stack([geometry.transform(frame, p) for frame, p in zip(frames, used.points, strict=True)])
        specimens = tuple(names[row] for row in tested)
        seen = {FINE_TUNED: self.contaminated(part)} if self.protocol.pretrain else {}
        return Part(part, specimens, data.scheme.names, manual, predicted, "px of 256x192", seen)

    def network(self, part: str) -> Any:
        """Config of the network that was trained for a part from scratch."""
        run = Run(self.folder / "rounds" / f"{self.numbers[0]:02d}" / part / SCRATCH / "run")
        described = json.loads(run.config.read_text(encoding="utf-8"))
        return architecture.named(described["architecture"]).read_config(described["model"])

    def losses(self, part: str, method: str) -> dict[int, paper.Losses]:
        """Losses per epoch of each round of a part, where the network says them."""
        found = {}
        for number in self.numbers:
            run = Run(self.folder / "rounds" / f"{number:02d}" / part / method / "run")
            epochs = [epoch["measures"] for epoch in run.epochs() if "train_mse" in epoch["measures"]]
            if epochs:
                train = np.array([epoch["train_mse"] for epoch in epochs])
                valid = np.array([epoch.get("valid_mse", np.nan) for epoch in epochs])
                found[number] = paper.Losses(train, valid)
        return found


def predict_round(
    learnt: Dataset,
    asked: Dataset,
    names: Sequence[str],
    place: Path,
    options: workflows.TrainOptions,
    on_share: OnShare,
) -> None:
    """Predict specimens with a model that learns from others; a task.

    Args:
        learnt: specimens to learn from.
        asked: specimens to predict.
        names: (n,) identities of these, written as IDs.
        place: folder of the predictions and, below, of the run.
        options: of the training.
        on_share: called after every epoch.

    Raises:
        UserError: a photograph cannot be read.
    """
    run = Run(place / "run")
    if not run.model.exists():
        train_or_resume(learnt, run.folder, options, on_share)
    evaluation = workflows.evaluate(run.folder, asked, device=options.device)
    if len(evaluation.data) < len(asked):
        raise UserError(place, found=str(evaluation.problems[0]), remedy="mend the photograph and repeat the command")
    answers = [
        replace(specimen, points=points, id=name, curves=(), source=None)
        for specimen, points, name in zip(evaluation.data.landmarks, evaluation.predicted, names, strict=True)
    ]
    sizes = {specimen.image: size for specimen, size in zip(asked.landmarks, asked.sizes, strict=True)}
    formats.save(place / PREDICTIONS, answers, sizes)
    run.model.unlink(missing_ok=True)  # hundreds of megabytes, and what it had to say is said


def reopen(folder: Path) -> Reproduction:
    """A reproduction that was begun, or is finished, in a folder.

    Raises:
        UserError: there is none, or its data are no longer there.
    """
    path = folder / DESCRIPTION
    if not path.exists():
        raise UserError(folder, found=f"no {DESCRIPTION}", expected="the -o of pronotum reproduce")
    found = _read_description(path)
    chosen, only = AS_JSON.validate_python(found["protocol"]), tuple(found["only"])
    return Reproduction(Path(found["source"]), folder, chosen, only, form=found.get("form"))


def _read_description(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        AS_JSON.validate_python(found["protocol"])
        _essence(found)
    except (ValueError, KeyError, TypeError, AttributeError):
        remedy = "delete the folder and run it again"
        raise UserError(path, found="not a protocol of this version", remedy=remedy) from None
    return dict(found)


def _essence(description: dict[str, Any]) -> dict[str, Any]:
    """What must not change between two attempts: neither the device nor the number of rounds to run is among it.

    A description of a version that did not know a field yet has the field's default.
    """
    whole = AS_JSON.dump_python(AS_JSON.validate_python(description["protocol"]), mode="json")
    protocol = {name: value for name, value in whole.items() if name != "run"}
    options = {name: value for name, value in protocol["options"].items() if name != "device"}
    return {"data": description["data"], "protocol": {**protocol, "options": options}}


def _without_classical(essence: dict[str, Any]) -> dict[str, Any]:
    """The same before image processing was asked for, which changes nothing of what is there already."""
    protocol = essence["protocol"]
    settings = {step: own for step, own in protocol["settings"].items() if step != CLASSICAL}
    return {**essence, "protocol": {**protocol, "classical": False, "settings": settings}}
