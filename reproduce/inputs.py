"""What every script here begins and ends with: its arguments, the parts it works on, where its results go."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pronotum import geometry, protocol
from pronotum.data import Dataset
from pronotum.errors import UserError, did_you_mean
from pronotum.evaluation import published, rounds, table_files
from pronotum.evaluation.paper import Losses
from pronotum.evaluation.part import Part
from pronotum.parts import open_parts
from pronotum.report import paper_figures, photo_figures

SAME_PLACE = 1.0
"""px of the 256x192 frame by which landmarks of one specimen may differ: the published ones are whole numbers."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What was asked for.

    Attributes:
        parts: manual and predicted landmarks by part.
        plans: the rounds of each part.
        losses: (part, method) -> losses by round; raises UserError where there are none.
        albums: photographs of each part; those without are left out.
        out: folder for results.
        options: further options of the script, by name; None where not given.
    """

    parts: dict[str, Part]
    plans: dict[str, rounds.Plan]
    losses: Callable[[str, str], dict[int, Losses]]
    albums: dict[str, photo_figures.Album]
    out: Path
    options: dict[str, str | None]

    def beside_mean_position(self, part: Part) -> Part:
        """The part with the mean position as one more method, where every round was run."""
        plan = self.plans[part.name]
        complete = all(fold.size for fold in plan.folds(part.specimens, part.name))
        return part.with_mean_position(plan) if complete else part

    def pictured(self) -> dict[str, Part]:
        """The parts that have photographs, with the specimens that have one.

        Raises:
            UserError: there are no photographs.
        """
        if not self.albums:
            remedy = "add --photographs, or give the -o of pronotum reproduce"
            raise UserError("published coordinates", found="no photographs in there", remedy=remedy)
        return {name: self.albums[name].pictured(part) for name, part in self.parts.items() if name in self.albums}

    def view(self, part: Part, method: str) -> photo_figures.View:
        """The specimen of --specimen, or the one with the median error, on its photograph."""
        specimen = self.options["specimen"] or part.representatives(method)["median"]
        part.position(specimen)
        return photo_figures.View(part, specimen, self.albums[part.name][specimen])

    def table(self, name: str, table: pd.DataFrame, title: str, remarks: Sequence[str] = ()) -> None:
        """Print a table and write it as CSV and HTML."""
        print(f"\n{title}\n{table.to_string(index=False, na_rep='')}")
        for remark in remarks:
            print(remark)
        for suffix in ("csv", "html"):
            table_files.write(table, self.out / f"{name}.{suffix}", title=title, remarks=remarks)

    def figure(self, name: str, drawing: Figure) -> None:
        """Write a figure as PNG and say where it is."""
        path = self.out / f"{name}.png"
        paper_figures.save(drawing, path)
        print(path)


def run(make: Callable[[Inputs], None], doc: str, **options: str) -> None:
    """Parse the arguments, make what was asked for; a mistake becomes one line and exit code 2.

    Args:
        make: the script's own work.
        doc: its docstring.
        options: further options, help by name.
    """
    asked = parse(doc, options)
    try:
        make(open_inputs(asked, {name: getattr(asked, name) for name in options}))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def parse(doc: str, options: dict[str, str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("folder", nargs="?", type=Path, help="the -o of a finished pronotum reproduce")
    source.add_argument("--published", type=Path, help="folder of the authors' published coordinates instead")
    parser.add_argument("--photographs", type=Path, help="with --published: folder with a folder per part")
    parser.add_argument("--parts", help="only these, e.g. pronotum,head")
    parser.add_argument("-o", "--out", type=Path, default=Path("reproduced"), help="folder for results [reproduced]")
    for name, text in options.items():
        parser.add_argument(f"--{name}", help=text)
    return parser.parse_args()


def open_inputs(asked: argparse.Namespace, options: dict[str, str | None]) -> Inputs:
    """Open the folder that was named.

    Raises:
        UserError: it is not what it should be, or there is no such part.
    """
    if asked.published:
        found = _published(asked.published, asked.photographs, asked.out, options)
    else:
        found = _reproduced(asked.folder, asked.out, options)
    for name in asked.parts.split(",") if asked.parts else ():
        if name not in found.parts:
            raise UserError("--parts", found=f"there is no part '{name}'", remedy=did_you_mean(name, found.parts))
    for name in [name for name in found.parts if asked.parts and name not in asked.parts.split(",")]:
        found.parts.pop(name)
        found.albums.pop(name, None)
    return found


def _reproduced(folder: Path, out: Path, options: dict[str, str | None]) -> Inputs:
    made = protocol.reopen(folder)
    done, wanted = made.n_finished, made.n_trainings
    if done < wanted:
        found = f"{done} of {wanted} trainings done"
        raise UserError(folder, found=found, remedy="repeat the command of pronotum reproduce")
    albums = {name: photo_figures.Album.of(data, made.names[name]) for name, data in made.parts.items()}

    def losses(part: str, method: str) -> dict[int, Losses]:
        found = made.losses(part, method)
        if not found:
            raise UserError(folder, found=f"no losses of {part}, {method}", remedy="only ebnet1 to 3 write them")
        return found

    parts = {name: made.part(name) for name in made.parts}
    return Inputs(parts, dict.fromkeys(parts, made.plan), losses, albums, out, options)


def _published(folder: Path, photographs: Path | None, out: Path, options: dict[str, str | None]) -> Inputs:
    parts = published.load(folder)
    data = open_parts(photographs, [name for name in parts if (photographs / name).is_dir()]) if photographs else {}

    def losses(part: str, method: str) -> dict[int, Losses]:
        raise UserError(folder, found="no losses in there", remedy="give the -o of pronotum reproduce")

    albums = {name: _album(parts[name], photographed) for name, photographed in data.items()}
    return Inputs(parts, published.plans(parts), losses, albums, out, options)


def _album(part: Part, data: Dataset) -> photo_figures.Album:
    """The photographs of published specimens, which their names number, each compared with its own landmarks.

    Raises:
        UserError: a photograph without a number, or of another specimen than its number says.
    """
    numbers = [re.findall(r"\d+", path.stem)[-1:] for path in data.photographs]
    if not all(numbers):
        raise UserError(data.photographs[numbers.index([])], found="no number in its name", expected="the specimen's")
    specimens = [rounds.key(number) for (number,) in numbers]
    for path, size, points, specimen in zip(data.photographs, data.sizes, data.points, specimens, strict=True):
        framed = geometry.transform(geometry.letterbox(size, geometry.PAPER_FRAME), points)
        apart = np.abs(framed - part.manual[part.position(specimen)]).max()
        if not apart <= SAME_PLACE:
            found = f"its landmarks lie {apart:.1f} px from those published for specimen {specimen}"
            raise UserError(path, found=found, remedy="number photographs by specimen")
    return photo_figures.Album.of(data, specimens)
