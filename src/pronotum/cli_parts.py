"""What all commands share: options that mean the same everywhere, progress, how they print and how they end."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pronotum.errors import UserError, counted

if TYPE_CHECKING:
    from pronotum.data import Dataset, Problem
    from pronotum.landmark_sets import LandmarkSets
    from pronotum.project import Project
    from pronotum.tasks import Engine
    from pronotum.workflows import TrainOptions

Data = Annotated[Path, typer.Argument(help="Landmark file, or a folder with one and its photographs beside or below.")]
Photographs = Annotated[
    Path | None, typer.Option("--photographs", help="Folder of the photographs, where it is another one.")
]
LandmarkFormat = Annotated[
    str | None, typer.Option("--format", help="Format of the landmark file, where it does not tell (pronotum formats).")
]
KeptFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder; goes on where it was interrupted.")]
RunFolder = Annotated[Path, typer.Argument(help="Run folder of pronotum train, or a model file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Start = Annotated[
    Path | None, typer.Option("--from", help="Run or model file to start from, also one with other landmarks.")
]
Model = Annotated[
    str | None,
    typer.Option(
        help="heatmap (default); classical, image processing for 1 to 5 specimens of dark things on a bright ground; "
        "or the paper's ebnet1, ebnet2 or ebnet3."
    ),
]
Pose = Annotated[
    str,
    typer.Option(
        help="upright: photographs as they are; free: specimens are found first, in any direction, size and number; "
        "auto asks the landmarks."
    ),
]
Mirror = Annotated[
    bool, typer.Option("--mirror", help="Also find mirrored specimens (left on a model of right ones); implies free.")
]
Preset = Annotated[
    str | None, typer.Option(help="fast, standard or best; for ebnet compressed, paper or paper-finetune.")
]
MmPerPx = Annotated[float | None, typer.Option(help="mm per px of all photographs, where known.", min=1e-9)]
Seed = Annotated[int, typer.Option(help="Of all random numbers.", min=0)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change a setting, e.g. augmentation.rotation=180; one of the model: model.mode=legacy; all of a file: "
        "@best.toml.",
    ),
]
Shapes = Annotated[
    list[Path] | None,
    typer.Option(
        "--shapes",
        help="Landmark file of more specimens, of which there is no photograph: their shapes are learnt from too.",
    ),
]
Group = Annotated[
    str | None, typer.Option(help="Column of the covariates that must not be divided: population, camera, operator.")
]
CovariateTable = Annotated[
    Path | None, typer.Option(help="CSV with a column image or id and others; default covariates.csv beside the data.")
]
Repeat = Annotated[
    Path | None, typer.Option(help="A second manual digitisation of some specimens: the human error to compare with.")
]
RepeatFormat = Annotated[
    str | None, typer.Option("--repeat-format", help="Format of --repeat, where the file does not tell.")
]
Margin = Annotated[
    float | None, typer.Option(help="Error declared acceptable beforehand, % of centroid size.", min=0.0001)
]
ProjectFile = Annotated[Path | None, typer.Option(help="Project file; default pronotum.toml beside the data.")]
SchemeFile = Annotated[
    Path | None,
    typer.Option("--scheme", help="Scheme file: names, mirror pairs, curves; default scheme.toml beside the data."),
]
Workers = Annotated[
    int | None, typer.Option(help="Work with so many processes side by side, each on one thread.", min=1)
]
ClusterAddress = Annotated[
    str | None, typer.Option("--cluster", help="Work on a Dask cluster: tcp://host:8786 (see docs/cluster.md).")
]
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead (see docs/json.md).")]


def with_shapes(data: Dataset, files: Sequence[Path] | None, *, quiet: bool) -> Dataset:
    """The data with what `--shapes` asks for; says how much that is."""
    if not files:
        return data
    from pronotum import more_shapes

    found, left_out = more_shapes.add(data, files)
    if not quiet and found.shapes is not None:
        same = f"; {left_out} left out, of specimens with photographs or with fewer than 3 landmarks" * bool(left_out)
        typer.echo(f"{counted(len(found.shapes), 'more shape')}{same}")
    return found


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[tuple[Callable[[float, str], None], Callable[[int, int], None]]]:
    """Bars with the time left; hands out a function for shares and, for another bar, one for counts."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(stderr=True), disable=quiet) as bar:
        counting = bar.add_task(title, total=1.0, visible=False, start=False)
        sharing = bar.add_task("", total=1.0, visible=False, start=False)

        def show(task: TaskID, share: float, text: str) -> None:
            if not bar.tasks[task].started:
                bar.start_task(task)
            bar.update(task, completed=share, description=text, visible=True)

        def on_share(share: float, text: str) -> None:
            show(sharing, share, text)

        def on_count(done: int, total: int) -> None:
            show(counting, done / total, f"{title} {done}/{total}")

        yield on_share, on_count


@contextmanager
def engine(workers: int | None, address: str | None) -> Iterator[Engine]:
    """Where tasks are done: one after another in this process, or where it was asked for; Ctrl-C stops them."""
    from pronotum import ranks, tasks

    if ranks.count() > 1:
        found, remedy = "several processes for one command", "only pronotum train is shared so; else --workers"
        raise UserError("torchrun", found=found, remedy=remedy)
    if workers and address:
        raise UserError("--workers", found="--cluster too", expected="one of them")
    with interruptible("the same command goes on where it was"):
        if workers or address:
            from pronotum.cluster import Cluster

            with Cluster(workers=workers or 0, address=address or "") as opened:
                yield opened
        else:
            yield tasks.here


@contextmanager
def interruptible(remedy: str) -> Iterator[None]:
    """Where Ctrl-C loses nothing: says how to go on, and exits."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted; what is finished is kept, and {remedy}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def print_json(value: object) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def finish(problems: Sequence[Problem | str], *, missed: str | None = None) -> None:
    """Name what was left out, and exit with 1 if anything was or a bar was missed."""
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    if problems:
        typer.echo(f"{len(problems)} left out", err=True)
    if missed:
        typer.echo(missed, err=True)
    if problems or missed:
        raise typer.Exit(1)


def overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Settings by name, from name=value, or from a TOML file: @file."""
    changes: dict[str, Any] = {}
    for setting in settings:
        if setting.startswith("@"):
            changes |= _of_file(setting)
            continue
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise UserError(f"--set {setting}", found="no '='", expected="name=value")
        changes[name.strip()] = value.strip()
    return changes


def _of_file(setting: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(Path(setting[1:]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        expected = "a TOML file of settings, as best.toml of pronotum tune"
        raise UserError(f"--set {setting}", found=str(error), expected=expected) from None
    return _dotted(found)


def _dotted(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def opened(
    data: Path, photographs: Path | None, form: str | None, scheme: Path | None, declared: Project | None = None
) -> Dataset:
    """The data to learn from or to measure by; what looks wrong with all of it is said on stderr and stays with it."""
    from pronotum import ranks, workflows

    found = workflows.check(data, photographs=photographs, form=form, scheme=scheme, declared=declared)
    if not ranks.first():
        return found
    found = workflows.look(found)
    for line in warned(found, data, photographs, form):
        typer.echo(line, err=True)
    return found


def warned(found: Dataset, data: Path, photographs: Path | None, form: str | None) -> list[str]:
    """What looks wrong with all of the data, each in a line with the commands that show and mend it."""
    from pronotum.examination import fix_command

    folder = f" --photographs {photographs}" if photographs else ""
    known = f" --format {form}" if form else ""
    # The doctor lists it first.
    fix = fix_command(data, Path("doctor"), [1], form, photographs)
    look = f"pronotum doctor {data}{folder}{known} draws both; if it is so, {fix}"
    return [f"WARNING: {warning} - {look}" for warning in found.warnings]


def groups_of(data: Path, table: Path | None, column: str | None, specimens: Dataset | LandmarkSets) -> tuple[str, ...]:
    """The group of each specimen, from the table that was named or the one beside the data."""
    from pronotum import covariates

    if column is None:
        return ()
    beside = (data if data.is_dir() else data.parent) / "covariates.csv"
    return covariates.read(table or beside).of(specimens.specimens, column)


def posed(data: Dataset, asked: TrainOptions, pose: str, *, mirror: bool) -> TrainOptions:
    """Options with the pose settled for these data, once for all folds; says so where it is free."""
    from pronotum import workflows

    options = replace(asked, pose="free" if mirror and pose == "auto" else pose)
    chosen, reasons = workflows.choose_pose(data, options)
    if options.model or options.start:
        return options
    if reasons:
        typer.echo(f"{'; '.join(reasons)}: specimens will be found first (--pose free)", err=True)
    free = chosen == workflows.FREE_MODEL
    if mirror and not free:
        raise UserError("--mirror", found=f"--pose {pose}", expected="--pose free, which finds specimens first")
    sides = {"model.finder.sides": "2"} if mirror else {}
    return replace(options, pose="free" if free else "upright", overrides={**options.overrides, **sides})
