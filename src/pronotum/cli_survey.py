"""The command for more photographs than a laptop likes: a folder tree, a list or a store, in shards."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum.cli_parts import AsJson, ClusterAddress, Device, MmPerPx, RunFolder, Workers, engine, print_json, progress
from pronotum.errors import counted

if TYPE_CHECKING:
    from pronotum.survey import Surveyed


def survey(
    run: RunFolder,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Folders of photographs, or lists of paths or URLs (.csv, .tsv, .txt); also http(s)://, s3://, gs://."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; goes on where it was interrupted.")],
    column: Annotated[
        str | None, typer.Option(help="Column of the lists with the paths or URLs, where its name does not tell.")
    ] = None,
    shard: Annotated[int, typer.Option(help="Photographs in a shard.", min=1)] = 1000,
    device: Device = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Leave out of the TPS files what a person should look at first.")
    ] = False,
    scale: MmPerPx = None,
    missing: Annotated[
        str, typer.Option(help="How TPS files have a landmark not placed: tpsdig (-1 -1) or geomorph (NA NA).")
    ] = "tpsdig",
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
) -> None:
    """Place landmarks on any number of photographs, in shards: specimens/*.parquet, landmarks/*.tps, problems.csv.

    The same command goes on after an interruption; what is finished is never done again, and every photograph is in the
    results once. Photographs that cannot be fetched or opened are listed in problems.csv and end nothing (exit code 1).

    Example: pronotum survey wings-run s3://museum/drawers/ -o survey --workers 8
    """
    from pronotum import survey as surveys

    options = surveys.Options(column, shard, device, strict, scale, missing)
    with engine(workers, cluster) as where, progress("", quiet=as_json) as (on_share, _):
        done = surveys.survey(run, sources, out, options, engine=where, on_share=on_share)
    if as_json:
        print_json({**asdict(done.counts), "listed": asdict(done.listed), "judged": done.judged, "out": str(out)})
    else:
        for line in lines(done):
            typer.echo(line)
    if done.counts.bad or done.listed.empty:
        raise typer.Exit(1)


def lines(done: Surveyed) -> list[str]:
    """What came of it, for people."""
    counts, listed = done.counts, done.listed
    review = f"{counts.to_review} to review" if done.judged else "which to review is not known"
    said = [f"{counts.predicted} of {counted(counts.photographs, 'photograph')} predicted, {review}, {counts.bad} bad"]
    if counts.specimens != counts.predicted:
        said.append(f"{counted(counts.specimens, 'specimen')} on them")
    if counts.bad:
        said.append(f"left out: see {done.problems}, a list that can be surveyed again")
    if listed.repeated:
        said.append(f"{listed.repeated} were listed more than once and predicted once")
    if listed.empty:
        said.append(f"left out: {counted(listed.empty, 'line')} of lists without a photograph")
    return said
