"""Museum-scale prediction: any number of photographs, in shards that are done side by side and never twice.

The folder of a survey has ``survey.json`` (what is surveyed, and how), the listing (`listing`), ``specimens/`` and
``landmarks/`` with a Parquet and a TPS file per shard, ``problems.csv`` and ``summary.json``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pronotum import provenance
from pronotum.errors import UserError, counted
from pronotum.files import replacing, sweep, write_text
from pronotum.formats.predictions import missing_style
from pronotum.landmarking import known
from pronotum.runs import claim
from pronotum.survey import listing, table
from pronotum.survey.shard import Counts, Settings, Shard
from pronotum.tasks import Engine, OnShare, here
from pronotum.tasks import run as run_tasks
from pronotum.workflows import model_file, open_model

DESCRIPTION, SUMMARY, PROBLEMS = "survey.json", "summary.json", "problems.csv"
SHARD = 1000
"""Photographs in a shard: a minute or some of work, and a file of a few hundred kB."""


@dataclass(frozen=True)
class Surveyed:
    """What came of a survey.

    Attributes:
        listed: photographs found.
        counts: what came of them.
        judged: whether the model knows what to review at all.
        problems: CSV of the photographs of which nothing came, itself a list that can be surveyed.
    """

    listed: listing.Listed
    counts: Counts
    judged: bool
    problems: Path


@dataclass(frozen=True)
class Options:
    """What may be asked of a survey; see `shard.Settings`.

    Attributes:
        column: of lists that are tables; None = one of `listing.COLUMNS`.
        shard: photographs in a shard.
    """

    column: str | None = None
    shard: int = SHARD
    device: str = "auto"
    strict: bool = False
    scale: float | None = None
    missing: str = "tpsdig"


def survey(
    run: Path,
    sources: Sequence[str],
    out: Path,
    options: Options,
    *,
    engine: Engine = here,
    on_share: OnShare = lambda share, text: None,
) -> Surveyed:
    """Landmark photographs, or go on where an earlier attempt was. Memory does not grow with their number.

    Args:
        run: folder of the model, or its file.
        sources: folders, photographs and lists, as paths or URLs.
        out: folder for the results.
        options: how; must stay the same when it goes on, but for the device.
        engine: where shards are done.
        on_share: called with the share that is done, and what is being done.

    Raises:
        UserError: no model or source there, a package is missing, or another survey in the folder.
    """
    table.require()
    missing_style(options.missing)
    file = model_file(run)
    judged = known(open_model(run, options.device)[0]).domain is not None
    digest = provenance.sha256(file)
    same = {name: value for name, value in asdict(options).items() if name != "device"}
    claim(out / DESCRIPTION, {"model": digest, "sources": list(sources), **same}, "a survey")
    sweep(out)
    listed = listing.write(
        sources,
        out,
        column=options.column,
        on_photographs=lambda n: on_share(0.0, f"listing: {counted(n, 'photograph')}"),
    )
    settings = Settings(file, digest, options.device, options.strict, options.scale, options.missing)
    size, n = options.shard, listed.photographs
    shards = [
        Shard(out, at, start, 1 + at * size, min(size, n - at * size), settings)
        for at, start in enumerate(listing.starts(out, size))
    ]
    run_tasks([one.task() for one in shards], engine=engine, on_share=on_share)
    counts = Counts()
    with replacing(out / PROBLEMS) as temporary, temporary.open("w", encoding="utf-8", newline="") as problems:
        rows = csv.writer(problems)
        rows.writerow(["photograph", "reason"])
        for one in shards:
            done = Counts.read(one.done)
            counts.add(done)
            rows.writerows(table.bad(one.specimens) if done.bad else ())
    if counts.photographs != listed.photographs:
        found = f"{counted(counts.photographs, 'photograph')}, {listed.photographs} listed"
        raise UserError(out, found=found, remedy="somebody has changed files in it: begin anew in another folder")
    summary = {"listed": asdict(listed), **asdict(counts), "judged": judged}
    write_text(out / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return Surveyed(listed, counts, judged, out / PROBLEMS)
