"""The command that turns one landmark file into another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pronotum.cli_parts import AsJson, Photographs, finish, print_json
from pronotum.errors import counted, few


def convert(
    source: Annotated[Path, typer.Argument(help="Landmark file, or a folder of files of one specimen each.")],
    target: Annotated[
        Path, typer.Argument(help="The new file, whose suffix tells the format; a folder for pts, fcsv, stereomorph.")
    ],
    read_as: Annotated[
        str | None, typer.Option("--from", help="Format of the file, where its suffix does not tell.")
    ] = None,
    write_as: Annotated[str | None, typer.Option("--to", help="Format of the new file.")] = None,
    photographs: Photographs = None,
    missing: Annotated[str, typer.Option(help="In a TPS file: tpsdig (-1 -1), geomorph (NA) or keep.")] = "keep",
    side: Annotated[
        str | None,
        typer.Option(
            "--normalise-side",
            help="left or right: mirror specimens of the other side, as the column side of covariates.csv says.",
        ),
    ] = None,
    leave_out_empty: Annotated[
        bool, typer.Option("--leave-out-empty", help="Without the specimens that have no landmarks (LM=0); says which.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the new file where it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a landmark file in another format. What the other format cannot hold is said, and ends with exit code 1.

    Files of pts, fcsv and stereomorph hold one specimen: name a folder and the format, for a file each, called as the
    photograph. `pronotum formats` lists the formats.

    Example: pronotum convert wings.tps wings.csv
    """
    from pronotum import conversion

    done = conversion.convert(
        source,
        target,
        read_as=read_as,
        write_as=write_as,
        photographs=photographs,
        missing=missing,
        side=side,
        leave_out_empty=leave_out_empty,
        force=force,
    )
    if as_json:
        print_json({**asdict(done), "out": str(target)})
    else:
        counts = " or ".join(map(str, done.landmarks))
        specimens, landmarks = counted(done.specimens, "specimen"), f"{counts} landmark{'s' * (counts != '1')}"
        typer.echo(f"{source} ({done.source}): {specimens} of {landmarks}, {done.missing} missing")
        if done.left_out:
            listed = few(done.left_out, conversion.SHOWN)
            typer.echo(f"left out, as asked: {counted(len(done.left_out), 'specimen')} without landmarks ({listed})")
        typer.echo(f"written: {target} ({done.target})")
        if done.from_top:
            typer.echo("y counts from the top edge, as the file says: the heights of the photographs are not known")
        if side:
            typer.echo(f"coordinates are those of photographs mirrored where specimens were not {side}")
    finish(done.lost)


def formats(as_json: AsJson = False) -> None:
    """List the landmark formats: what they are called, how their files end, what they hold.

    Example: pronotum formats
    """
    from pronotum import formats as known
    from pronotum.conversion import PARTS

    table = known.table()
    if as_json:
        rows = [
            {
                "name": one.name,
                "suffixes": list(one.suffixes),
                "reads": True,
                "writes": one.write is not None,
                "keeps": sorted(one.keeps),
                "precision_px": one.precision,
            }
            for one in table.values()
        ]
        print_json({"formats": rows})
        return
    for name in known.names():
        one = table[name]
        can = "read, write" if one.write else "read"
        kept = ", ".join(called for part, called in PARTS.items() if part in one.keeps)
        typer.echo(f"{name:16s} {' '.join(one.suffixes):12s} {can:12s} holds {kept or 'coordinates only'}")
