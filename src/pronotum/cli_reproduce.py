"""The command that carries out the paper's protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pronotum.cli_parts import ClusterAddress, Device, LandmarkFormat, Workers, engine, finish, overrides, progress
from pronotum.errors import UserError


def reproduce(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with a folder per part: a landmark file with photographs, or the train_vNN.csv and "
            "test_vNN.csv of the paper's own programs, whose rounds are then used."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for runs, tables, figures; goes on where it was.")],
    form: LandmarkFormat = None,
    parts: Annotated[str | None, typer.Option(help="Only these parts, e.g. pronotum,head.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the cross-validation, drawn at random.", min=2)] = 9,
    round_size: Annotated[int | None, typer.Option(help="Contiguous rounds of this size; the paper has 33.")] = None,
    run: Annotated[int | None, typer.Option(help="Only the first so many rounds.", min=1)] = None,
    epochs: Annotated[int | None, typer.Option(help="Of the training from scratch.")] = None,
    pretrain: Annotated[str | None, typer.Option(help="Parts to pre-train on together before fine-tuning.")] = None,
    pretrain_epochs: Annotated[int | None, typer.Option(help="Of the combined pre-training.")] = None,
    finetune_epochs: Annotated[int | None, typer.Option(help="Of the fine-tuning.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Landmarks left out of the pre-training, e.g. elytra=1,6,9.")
    ] = None,
    own_heads: Annotated[
        bool, typer.Option("--own-heads", help="Pre-train one trunk with outputs of its own for each part.")
    ] = False,
    pretrain_fold: Annotated[
        int | None, typer.Option(help="Pre-train once, for this round, as the paper did (7): CONTAMINATES the others.")
    ] = None,
    classical: Annotated[
        bool,
        typer.Option("--classical", help="Also predict every round by image processing, from the same specimens."),
    ] = False,
    model: Annotated[str, typer.Option(help="ebnet1, ebnet2, ebnet3 or heatmap.")] = "ebnet3",
    preset: Annotated[str | None, typer.Option(help="Of every training; paper = the published schedules.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Device = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting of every training; one of the image processing: classical.mode=legacy."
        ),
    ] = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
) -> None:
    """Run the protocol of Le et al. on your parts: rounds, combined pre-training, fine-tuning, tables and figures.

    Example: pronotum reproduce beetles/ -o paper --rounds 3 --epochs 50 --pretrain pronotum,head
    """
    from pronotum import paper_results, protocol, workflows

    steps = {"scratch": epochs, "pretrain": pretrain_epochs, "fine_tuned": finetune_epochs}
    changes, of_classical = protocol.split_settings(overrides(settings or []))
    if of_classical and not classical:
        raise UserError("--set classical.", found="no image processing asked for", remedy="add --classical")
    chosen = protocol.Protocol(
        n_rounds=rounds,
        round_size=round_size,
        run=run,
        seed=seed,
        # The published schedules learn from all training specimens; the paper held none of them out.
        options=workflows.TrainOptions(preset, seed, device, 0.0 if preset == "paper" else None, changes, model),
        settings=of_classical | {step: {"epochs": number} for step, number in steps.items() if number is not None},
        presets={"fine_tuned": "paper-finetune"} if preset == "paper" else {},
        pretrain=tuple(pretrain.split(",")) if pretrain else (),
        dropped=read_drops(drop or []),
        own_heads=own_heads,
        pretrain_round=pretrain_fold,
        classical=classical,
    )
    only = tuple(parts.split(",")) if parts else ()
    with engine(workers, cluster) as where, progress("training", quiet=False) as (on_share, _):
        subject = protocol.Reproduction(folder, out, chosen, only, typer.echo, on_share, where, form)
        for name, data in subject.parts.items():
            for warning in workflows.look(data).warnings:
                typer.echo(f"WARNING: {name}: {warning}", err=True)
        made = subject.execute()
    paper_results.write(subject, made)
    for part in made.values():
        for remark in part.remarks():
            typer.echo(remark)
    typer.echo(f"tables and figures in {out}")
    finish([problem for found in subject.parts.values() for problem in found.problems])


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
