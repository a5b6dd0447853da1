"""The command that checks predictions against what is said of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum.cli_parts import AsJson, Photographs, print_json, progress
from pronotum.errors import counted

if TYPE_CHECKING:
    from pronotum.verification import Again, Verified

SHOWN = 10


def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of pronotum predict.")],
    run: Annotated[Path | None, typer.Option(help="Run folder or model file, where it is not where it was.")] = None,
    photographs: Photographs = None,
    n: Annotated[int, typer.Option("--n", help="How many photographs to predict again.", min=0)] = 1,
    every: Annotated[bool, typer.Option("--all", help="Predict all photographs again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that predictions are what their predictions.json says: same model, photographs and files, same landmarks.

    Exit codes: 0 nothing differs, 1 something does, 2 something is not there.

    Example: pronotum verify results --n 10
    """
    from pronotum import verification

    with progress("hashing photographs", quiet=as_json) as (_, on_count):
        found = verification.verify(
            folder, run=run, photographs=photographs, n=None if every else n, on_photograph=on_count
        )
    if as_json:
        print_json(found.summary())
    else:
        for line in lines(found):
            typer.echo(line)
    if not (found.same and found.complete):
        raise typer.Exit(2 if found.same else 1)


def lines(found: Verified) -> Iterator[str]:
    """What was found, for people."""
    n = found.n_photographs
    n_same = n - len(found.changed_photographs) - len(found.missing_photographs)
    yield f"model {found.model}: {'NOT the one that made these predictions' if found.other_model else 'same'}"
    yield f"photographs: {n_same} of {n} same"
    groups = {
        "CHANGED photographs": found.changed_photographs,
        "MISSING photographs": found.missing_photographs,
        "CHANGED files": found.changed_files,
        "MISSING files": found.missing_files,
        "CHANGED landmarks in predictions.tps": found.changed_records,
    }
    yield from (f"{title}: {listed(names)}" for title, names in groups.items() if names)
    yield from (f"note: {name} was {then}, is {now}" for name, (then, now) in found.versions.items())
    far = max((one.moved for one in found.again), default=0)
    most = f", at most {far:.2g} px from the file (same up to {found.tolerance:g})" if found.again else ""
    yield f"predicted again on {found.device}: {len(found.again)} of {counted(n, 'photograph')}{most}"
    yield from (f"DIFFERENT {one.name}: {difference(one)}" for one in found.moved[:SHOWN])
    incomplete = "" if found.complete else ", but not everything is there"
    yield (f"SAME as far as looked at{incomplete}" if found.same else f"DIFFERENT from what was predicted{incomplete}")


def difference(one: Again) -> str:
    """What is different, and how far."""
    what = f"landmark {one.landmark}" if one.landmark else "a specimen"
    return f"{what} by {one.moved:.4g} px" if math.isfinite(one.moved) else f"{what} is there in one of the two only"


def listed(names: Sequence[str]) -> str:
    """Names with commas, cut where there are too many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
