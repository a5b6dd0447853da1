"""The commands of the landmark doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pronotum.cli_parts import AsJson, Data, LandmarkFormat, Photographs, finish, print_json, progress
from pronotum.errors import counted

SHOWN = 20


def doctor(
    data: Data,
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    run: Annotated[Path | None, typer.Option(help="Run folder of a crossvalidate of the same data.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the findings.")] = Path("doctor"),
    as_json: AsJson = False,
) -> None:
    """Look for label errors: mirrored, swapped, shifted, flipped, mis-scaled, misplaced, duplicated, wrong picture.

    A whole file, or a part of it, that was read the wrong way (y from the other edge, x and y exchanged) comes first.
    Writes findings.csv, findings.json and findings.png, worst first, each with the command that would mend it. Nothing
    is changed. With --run also landmarks far from their out-of-fold predictions.

    Example: pronotum doctor wings/ --run wings-run
    """
    from pronotum import examination
    from pronotum.doctor import KINDS

    with progress("looking at photographs", quiet=as_json) as (_, on_count):
        found = examination.examine(data, photographs=photographs, form=form, run=run, on_photograph=on_count)
    made = examination.write(found, data, out, form, photographs)
    if as_json:
        findings = [one.as_plain() for one in found.findings]
        problems = [str(problem) for problem in found.problems]
        print_json({"specimens": len(found.patient.names), "findings": findings, "out": str(out), "problems": problems})
    else:
        typer.echo(f"{counted(len(found.findings), 'finding')} in {counted(len(found.patient.names), 'record')}")
        for number, one in enumerate(found.findings[:SHOWN], start=1):
            whose = "" if one.change and one.change.of_file else f"{one.name}: "
            typer.echo(f"{number:3d}. {whose}{KINDS[one.kind]} ({one.evidence})")
        if len(found.findings) > SHOWN:
            typer.echo(f"     and {len(found.findings) - SHOWN} more")
        typer.echo("written: " + ", ".join(str(path) for path in made))
        mendable = [number for number, one in enumerate(found.findings, start=1) if one.change]
        if mendable:
            command = examination.fix_command(data, out, mendable[:1], form, photographs)
            typer.echo(f"look at the picture, then for example: {command}")
    finish(found.problems)


def fix(
    data: Data,
    findings: Annotated[Path, typer.Option(help="findings.json of pronotum doctor.")],
    apply: Annotated[list[int], typer.Option(help="Number of a finding whose change to apply; may be repeated.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new landmark file.")],
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    as_json: AsJson = False,
) -> None:
    """Write a new landmark file with changes that the doctor proposed. The old one stays as it is.

    Without a suffix that tells another format, the new file has that of the old one.

    Example: pronotum fix wings/ --findings doctor/findings.json --apply 1 --apply 3 -o fixed.tps
    """
    from pronotum import examination

    done = examination.fix(data, findings, apply, out, photographs=photographs, form=form)
    if as_json:
        print_json({"out": str(out), "changes": [{"specimen": name, "change": what} for name, what in done]})
    else:
        for name, what in done:
            typer.echo(f"{name}: {what}")
        typer.echo(f"written: {out}")
