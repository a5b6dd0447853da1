"""The paper's protocol on anybody's parts: rounds from scratch, combined pre-training, fine-tuning, tables, figures.

Every training is a run folder of its own, so that an interrupted protocol goes on where it was. Pre-training never
sees a specimen that the round tests, unless the paper's contaminated way is asked for by name; then every table and
figure says so.

Source: Le et al., sections 6 and 7; spec A.6, A.7, B.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pronotum import formats, geometry, workflows
from pronotum.data import Dataset, open_data
from pronotum.errors import UserError, did_you_mean
from pronotum.evaluation import paper, rounds, table_files
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.landmarks import FloatArray, LandmarkSet, Scheme
from pronotum.report import paper_figures
from pronotum.runs import Run


@dataclass(frozen=True)
class Protocol:
    """What to run.

    Attributes:
        n_rounds: rounds of the cross-validation, drawn at random.
        round_size: contiguous rounds of this size instead, as in the paper (33).
        run: only the first so many rounds.
        seed: of the rounds and of every training.
        options: of every training; its preset, and the overrides that all share.
        settings: further overrides for "scratch", "pretrain" and "fine_tuned": ``{"scratch": {"epochs": 5000}}``.
        presets: another preset than that of the options for these steps: ``{"fine_tuned": "paper-finetune"}``.
        pretrain: parts that are learnt together before fine-tuning; empty = no fine-tuning.
        dropped: landmarks (1-based) of each part that are left out of the pre-training; the rest must agree in number.
            The paper leaves out elytra 1, 6, 9 and head 5, 6.
        pretrain_round: pre-train once, without the specimens that this round tests, and use it in all rounds, as the
            paper did (7); None pre-trains for every round without the specimens it tests.
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
    pretrain_round: int | None = None


def identities(data: Dataset, pattern: str = r"\d+") -> tuple[str, ...]:
    """(N,) identity of each specimen: its ID, or what the pattern finds last in the photograph's name.

    Raises:
        UserError: a specimen with neither.
    """
    found = []
    for specimen, path in zip(data.landmarks, data.photographs, strict=True):
        in_name = re.findall(pattern, path.stem)
        if not specimen.id and not in_name:
            remedy = "write ID= in the landmark file, or number the photographs"
            raise UserError(data.source[0], found=f"no identity in {specimen.name}", remedy=remedy)
        found.append(specimen.id or in_name[-1])
    return tuple(found)


def open_parts(folder: Path, only: Sequence[str] | None = None) -> dict[str, Dataset]:
    """The parts in a folder: one folder each, by name.

    Raises:
        UserError: no such folder or part, or whatever is wrong with one.
    """
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise UserError(folder, found="no folders", expected="a folder per part", remedy="check the spelling")
    for name in only or ():
        if name not in found:
            raise UserError(folder, found=f"there is no part '{name}'", remedy=did_you_mean(name, found))
    return {name: open_data(folder / name) for name in only or found}


def read_drops(drops: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``["elytra=1,6,9"]`` as ``{"elytra": (1, 6, 9)}``.

    Raises:
        UserError: another form.
    """
    read = {}
    for drop in drops:
        part, _, numbers = drop.partition("=")
        if not re.fullmatch(r"\d+(,\d+)*", numbers):
            raise UserError(f"--drop {drop}", found="not understood", expected="part=numbers, as elytra=1,6,9")
        read[part] = tuple(int(number) for number in numbers.split(","))
    return read


def make_plan(names: Mapping[str, Sequence[str]], protocol: Protocol) -> rounds.Plan:
    """One plan of rounds for all parts, over the specimens that any of them has."""
    specimens = rounds.specimens_of(names)
    if protocol.round_size:
        return rounds.contiguous(specimens, protocol.round_size)
    return rounds.shuffled(specimens, protocol.n_rounds, seed=protocol.seed)


def combine(parts: Mapping[str, Dataset], dropped: Mapping[str, tuple[int, ...]]) -> Dataset:
    """Several parts as one collection, some landmarks left out so that all have the same number.

    The remaining landmarks stand in the same slots in order, without homology, as in the paper.

    Raises:
        UserError: a landmark that does not exist, or numbers that do not agree.
    """
    kept = {}
    for part, data in parts.items():
        wrong = [number for number in dropped.get(part, ()) if not 1 <= number <= data.scheme.n_landmarks]
        if wrong:
            expected = f"1 to {data.scheme.n_landmarks}"
            raise UserError(f"part {part}", found=f"there is no landmark {wrong[0]} to leave out", expected=expected)
        kept[part] = [k for k in range(data.scheme.n_landmarks) if k + 1 not in dropped.get(part, ())]
    counts = {part: len(index) for part, index in kept.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{part} {count}" for part, count in counts.items())
        remedy = "leave landmarks out of the larger ones (--drop part=1,6,9)"
        raise UserError("pre-training", found=f"parts with {said} landmarks", expected="the same number", remedy=remedy)
    specimens = [
        replace(specimen, points=specimen.points[kept[part]], source=None)
        for part, data in parts.items()
        for specimen in data.landmarks
    ]
    return Dataset(
        LandmarkSet.of(specimens, Scheme.numbered(next(iter(counts.values())))),
        tuple(path for data in parts.values() for path in data.photographs),
        tuple(size for data in parts.values() for size in data.sizes),
        (),
        tuple(source for data in parts.values() for source in data.source),
    )


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A protocol under way: its data, its plan and its folder."""

    parts: Mapping[str, Dataset]
    folder: Path
    protocol: Protocol
    on_step: Callable[[str], None] = lambda text: None

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Identities of the specimens of each part."""
        return {part: identities(data) for part, data in self.parts.items()}

    @property
    def plan(self) -> rounds.Plan:
        """The rounds all parts share."""
        return make_plan(self.names, self.protocol)

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
            UserError: parts that do not match, more rounds than specimens, unknown parts or landmarks, or a
                pre-training round that is not there.
        """
        protocol, plan = self.protocol, self.plan
        for part in (*protocol.pretrain, *protocol.dropped):
            if part not in self.parts:
                raise UserError("--pretrain", found=f"no part '{part}'", remedy=did_you_mean(part, self.parts))
        if protocol.pretrain:
            combine({part: self.parts[part] for part in protocol.pretrain}, protocol.dropped)
        if protocol.pretrain_round and not 1 <= protocol.pretrain_round <= plan.n_rounds:
            found = f"round {protocol.pretrain_round} of {plan.n_rounds}"
            raise UserError("--pretrain-fold", found=found, expected=f"1 to {plan.n_rounds}")

    def execute(self) -> dict[str, Part]:
        """Run what has not been run yet, then write every table and figure; the parts they are made from."""
        self.check()
        for number in self.numbers:
            for part in self.parts:
                self._round(part, number, SCRATCH, None)
            if self.protocol.pretrain:
                start = self._pretrained(number)
                for part in self.parts:
                    self._round(part, number, FINE_TUNED, start)
        made = {part: self.part(part) for part in self.parts}
        self.write(made)
        return made

    def _train(self, data: Dataset, run: Run, step: str, start: Path | None) -> None:
        if run.model.exists():
            return
        options = self.protocol.options
        overrides = {**options.overrides, **self.protocol.settings.get(step, {})}
        preset = self.protocol.presets.get(step, options.preset)
        chosen = replace(options, seed=self.protocol.seed, preset=preset, overrides=overrides, start=start)
        if start is not None:
            chosen = replace(chosen, model=None)
        workflows.train(data, run.folder, chosen, resume=run.config.exists())

    def _round(self, part: str, number: int, method: str, start: Path | None) -> None:
        """Train and predict one part in one round by one method, unless that is done."""
        data, plan = self.parts[part], self.plan
        test = self.rows(part, plan.tests[number - 1])
        place = self.folder / "rounds" / f"{number:02d}" / part / method
        if not test or (place / "predictions.tps").exists():
            return
        self.on_step(f"round {number}, {part}, {method.replace('_', ' ')}")
        run = Run(place / "run")
        self._train(data.subset(self.rows(part, plan.training(number))), run, method, start)
        asked = data.subset(test)
        evaluation = workflows.evaluate(run.folder, asked, device=self.protocol.options.device)
        if len(evaluation.data) < len(asked):
            raise UserError(
                place, found=str(evaluation.problems[0]), remedy="mend the photograph and repeat the command"
            )
        names = self.names[part]
        answers = [
            replace(specimen, points=points, id=names[row], source=None)
            for specimen, points, row in zip(evaluation.data.landmarks, evaluation.predicted, test, strict=True)
        ]
        formats.save(place / "predictions.tps", answers, self._heights(asked))
        run.model.unlink()  # hundreds of megabytes, and what it had to say is said

    def _pretrained(self, number: int) -> Path:
        """The combined model for a round."""
        plan, fixed = self.plan, self.protocol.pretrain_round
        source = fixed or number
        run = Run(self.folder / "pretrained" / f"{source:02d}")
        if not fixed:
            rounds.require_clean(self._pretraining_specimens(source), plan, number)
        if not run.model.exists():
            self.on_step(f"combined pre-training for round {source}")
            chosen = {
                part: self.parts[part].subset(self.rows(part, plan.training(source))) for part in self.protocol.pretrain
            }
            self._train(combine(chosen, self.protocol.dropped), run, "pretrain", None)
        return run.folder

    def _pretraining_specimens(self, number: int) -> set[str]:
        training = self.plan.training(number)
        return {self.names[part][row] for part in self.protocol.pretrain for row in self.rows(part, training)}

    def _heights(self, data: Dataset) -> dict[str, int]:
        return {specimen.image: size[1] for specimen, size in zip(data.landmarks, data.sizes, strict=True)}

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
        methods = [SCRATCH, *([FINE_TUNED] if self.protocol.pretrain else [])]
        predicted: dict[str, FloatArray] = {}
        for method in methods:
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

    def losses(self, part: str, method: str) -> dict[int, paper.Losses]:
        """Losses per epoch of each round of a part, where the network says them."""
        found = {}
        for number in self.numbers:
            run = Run(self.folder / "rounds" / f"{number:02d}" / part / method / "run")
            epochs = [epoch["measures"] for epoch in run.read_events("epoch") if "train_mse" in epoch["measures"]]
            if epochs:
                train = np.array([epoch["train_mse"] for epoch in epochs])
                valid = np.array([epoch.get("valid_mse", np.nan) for epoch in epochs])
                found[number] = paper.Losses(train, valid)
        return found

    def write(self, parts: Mapping[str, Part]) -> None:
        """Write ``tables/*.csv`` and ``.html``, and ``figures/*.png``."""
        for name, part in parts.items():
            compared = part.with_mean_position(self.plan) if len(self.numbers) == self.plan.n_rounds else part
            tables = {f"distances-{method}": paper.distance_table(part, method) for method in part.methods}
            tables |= {f"bands-{method}": paper.band_table(part, method) for method in part.methods}
            tables |= {"scores": paper.score_table(compared), "detection": paper.detection_table(compared)}
            tables["rounds"] = paper.round_table(compared, self.plan)
            if FINE_TUNED in part.methods:
                tables["scratch-vs-fine-tuned"] = paper.comparison_table(part)
            for method in part.methods:
                losses = self.losses(name, method)
                if losses:
                    tables[f"losses-{method}"] = paper.loss_table(losses)
                    curves = {f"round {number}": loss for number, loss in losses.items()}
                    self._figure(f"{name}-losses-{method}", paper_figures.losses(curves))
            for kind, table in tables.items():
                for suffix in ("csv", "html"):
                    path = self.folder / "tables" / f"{name}-{kind}.{suffix}"
                    table_files.write(table, path, title=f"{part.title}: {kind}", remarks=part.remarks())
            self._figure(f"{name}-landmark-1", paper_figures.landmark_distances(part, part.landmarks[0]))
            self._figure(f"{name}-residuals", paper_figures.residuals(part))
            self._figure(f"{name}-rounds", paper_figures.round_errors(part, self.plan))
            self._figure(f"{name}-order", paper_figures.acquisition_order(part))
        if self.protocol.pretrain:
            remarks = [remark for part in parts.values() for remark in part.remarks()]
            table = paper.improvement_table(list(parts.values()))
            for suffix in ("csv", "html"):
                path = self.folder / "tables" / f"improvement.{suffix}"
                table_files.write(table, path, title="Improvement by fine-tuning", remarks=remarks)
        self._figure("mean-distances", paper_figures.mean_distances(list(parts.values())))

    def _figure(self, name: str, drawing: Any) -> None:
        paper_figures.save(drawing, self.folder / "figures" / f"{name}.png")
