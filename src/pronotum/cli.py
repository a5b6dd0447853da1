"""The command line: each command parses, calls a workflow and prints. Heavy imports wait until a command runs.

Exit codes: 0 done; 1 done, with something named left out or below a bar that was asked for; 2 a mistake of the user.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum import (
    cli_agreement,
    cli_convert,
    cli_desk,
    cli_doctor,
    cli_models,
    cli_reproduce,
    cli_survey,
    cli_tune,
    cli_verify,
)
from pronotum.cli_parts import (
    AsJson,
    Data,
    Device,
    LandmarkFormat,
    Mirror,
    MmPerPx,
    Model,
    Photographs,
    Pose,
    Preset,
    ProjectFile,
    RunFolder,
    SchemeFile,
    Seed,
    Settings,
    Shapes,
    Start,
    finish,
    interruptible,
    opened,
    overrides,
    posed,
    print_json,
    progress,
    warned,
    with_shapes,
)
from pronotum.errors import UserError, counted, of_disk

if TYPE_CHECKING:
    from pronotum import landmarking, workflows
    from pronotum.training import Epoch

app = typer.Typer(
    help="Anatomical landmarks on photographs of specimens, placed automatically.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(cli_desk.desk)
app.command()(cli_doctor.doctor)
app.command()(cli_doctor.fix)
app.command()(cli_convert.convert)
app.command()(cli_convert.formats)
app.command()(cli_verify.verify)
app.command()(cli_models.export)
app.add_typer(cli_models.model, name="model")
app.command()(cli_reproduce.reproduce)
app.command()(cli_tune.tune)
app.command()(cli_survey.survey)


@app.command()
def check(
    data: Data,
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    sheet: Annotated[Path, typer.Option(help="Picture to draw the landmarks on.")] = Path("check.png"),
    project: ProjectFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what is there and what is wrong, and draw the landmarks on the photographs.

    Up to 30 photographs are looked at for signs that the file, or a part of it, was read the wrong way.

    Example: pronotum check wings/
    """
    from pronotum import project as projects
    from pronotum import scale_check, workflows
    from pronotum.report import text

    declared = projects.find(data, project)
    found = workflows.check(data, photographs=photographs, form=form, scheme=scheme, declared=declared)
    found = workflows.look(found)
    problems = (*found.problems, *workflows.draw_sheet(found, sheet))
    strange = scale_check.scale_problems(found, found.points, declared)
    summary = text.data_summary(found, problems, strange)
    if as_json:
        print_json({**summary, "sheet": str(sheet)})
    else:
        typer.echo("\n".join([text.data_text(summary), *warned(found, data, photographs, form)]))
        typer.echo(
            f"overlay sheet: {sheet} - look whether the points lie on the specimens; if all are upside down, the file "
            "counts y from the other edge (docs/concepts/coordinates.md)"
        )
    finish(problems, missed="the scales cannot all be right; see docs/units.md" if strange else None)


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="New run folder.")],
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    model: Model = None,
    pose: Pose = "auto",
    mirror: Mirror = False,
    start: Start = None,
    preset: Preset = None,
    seed: Seed = 0,
    device: Device = "auto",
    held_out: Annotated[
        float | None,
        typer.Option(
            help="Share of specimens to watch; 0 learns from all. Default: 0.1 from 30 specimens on.",
            min=0,
            max=0.5,
        ),
    ] = None,
    shapes: Shapes = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was interrupted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on photographs with landmarks.

    Example: pronotum train wings/ -o wings-run
    """
    from pronotum import inference, ranks, workflows

    found = opened(data, photographs, form, scheme)
    found = with_shapes(found, shapes, quiet=as_json or not ranks.first())
    asked = workflows.TrainOptions(preset, seed, device, held_out, overrides(settings or []), model, start)
    options = posed(found, asked, pose, mirror=mirror)
    if not as_json and ranks.first():
        together = f" of each of {ranks.count()} processes" if ranks.count() > 1 else ""
        where = f"device{together}: {inference.choose_device(device)}"
        typer.echo(f"{counted(len(found), 'specimen')}, {counted(found.scheme.n_landmarks, 'landmark')}; {where}")
    going_on = interruptible("the training goes on with --resume")
    quiet = as_json or not ranks.first()
    with going_on, progress("reading photographs", quiet=quiet) as (on_share, on_count):
        result = workflows.train(
            found, out, options, resume=resume, on_epoch=_epoch_reporter(on_share), on_load=on_count
        )
    if not ranks.first():
        return  # torchrun would end all of them where one ends with 1
    if as_json:
        print_json(result.summary())
    else:
        error = "" if result.error is None else f", mean error on held-out specimens {result.error:.2f} px"
        typer.echo(f"trained on {counted(result.n_train, 'specimen')} in {result.seconds:.0f} s{error}")
        made = [path.name for path in (result.run.model, result.run.curve) if path.exists()]
        typer.echo(f"run: {out} ({', '.join(made)})")
    finish(result.problems)


@app.command()
def predict(
    run: RunFolder,
    photographs: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")],
    device: Device = "auto",
    overlays: Annotated[bool, typer.Option(help="Draw each photograph with its landmarks.")] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Leave out of predictions.tps what a person should look at first.")
    ] = False,
    scale: MmPerPx = None,
    missing: Annotated[
        str, typer.Option(help="How predictions.tps has a landmark not placed: tpsdig (-1 -1) or geomorph (NA NA).")
    ] = "tpsdig",
    as_json: AsJson = False,
) -> None:
    """Place landmarks on photographs: predictions.tps, predictions.csv, predictions.json, review.csv and overlays.

    A landmark that the model cannot place is -1 -1 in the TPS file and empty in the CSV, whose column remark says why.
    After a crossvalidate the CSV has the radii that hold the true points with 50, 90 and 95 % probability. review.csv
    lists what a person should look at, most urgent first. predictions.json says what made the predictions, for pronotum
    verify.

    Example: pronotum predict wings-run new-wings/ -o results
    """
    from pronotum import landmarking

    found = landmarking.find_photographs(photographs)
    with progress("predicting", quiet=as_json) as (_, on_count):
        done = landmarking.predict(
            run,
            found,
            out,
            device=device,
            draw=overlays,
            strict=strict,
            scale=scale,
            missing=missing,
            on_photograph=on_count,
        )
    if as_json:
        print_json(
            {
                "photographs": len(found),
                "predicted": done.placed,
                "accepted": done.opened - len(done.to_review) if done.judged else None,
                "to_review": [asdict(one) for one in done.to_review],
                "out": str(out),
                "problems": [str(problem) for problem in done.problems],
            }
        )
    else:
        typer.echo(f"{done.placed} of {counted(len(found), 'photograph')} landmarked; results in {out}")
        typer.echo(_judged(done, strict))
    finish(done.problems)


def _judged(done: landmarking.Landmarked, strict: bool) -> str:
    """How many predictions were accepted, and where to look for the others."""
    if not done.judged:
        return "which of them to review is not known: the model was made of fewer than 5 specimens"
    n = len(done.to_review)
    left = ", which predictions.tps leaves out" if strict and n else ""
    return f"{done.opened - n} accepted, {n} to review{left}" + (" (review.csv, most urgent first)" if n else "")


@app.command()
def evaluate(
    run: RunFolder,
    data: Data,
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
    max_error: Annotated[
        float | None,
        typer.Option(help="Exit with 1 if the mean error in px of the 256x192 frame is above this."),
    ] = None,
    project: ProjectFile = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a model against manual landmarks it has not learnt from, beside the mean-shape baseline.

    Example: pronotum evaluate wings-run test-wings/
    """
    from pronotum import project as projects
    from pronotum import scale_check, workflows

    declared = projects.find(data, project)
    found = opened(data, photographs, form, scheme, declared)
    scale_check.require_scales(found, found.points, declared, found.source[0])
    with progress("predicting", quiet=as_json) as (_, on_count):
        evaluation = workflows.evaluate(run, found, device=device, on_photograph=on_count)
    if report is not None:
        workflows.write_report(evaluation, run, report, title=f"Evaluation of {run.name} on {data.name}")
    if as_json:
        print_json(evaluation.summary())
    else:
        _print_evaluation(evaluation)
    finish(evaluation.problems, missed=workflows.missed_bar(evaluation, max_error))


app.command()(cli_agreement.crossvalidate)
app.command()(cli_agreement.agree)
app.command()(cli_agreement.learning_curve)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for everything.")] = Path("demo"),
    part: Annotated[str, typer.Option(help="pronotum, head, elytra, mandible_left or mandible_right.")] = "pronotum",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic beetles, train, predict, evaluate and write a report. Takes a few minutes.

    Example: pronotum demo -o demo
    """
    from pronotum import demo as example

    with progress("training", quiet=as_json) as (on_share, _):
        say: Callable[[str], None] = (lambda text: None) if as_json else typer.echo
        result = example.run(out, part=part, seed=seed, on_step=say, on_epoch=_epoch_reporter(on_share))
    if as_json:
        print_json({**result.evaluation.summary(), "report": str(result.report)})
    else:
        _print_evaluation(result.evaluation)
        typer.echo(f"report: {result.report}")
    finish(result.evaluation.problems)


@app.command()
def info(as_json: AsJson = False) -> None:
    """Print versions and devices, for a bug report."""
    from pronotum import workflows

    facts = workflows.info()
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            typer.echo(f"{name:10} {value}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake, or a disk's, becomes one line and exit code 2."""
    try:
        app(list(arguments) if arguments is not None else None)
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        told = of_disk(error)
        if told is None:
            raise
        typer.echo(f"error: {told}", err=True)
        sys.exit(2)


def _epoch_reporter(on_share: Callable[[float, str], None]) -> Callable[[Epoch], None]:
    latest: dict[str, str] = {}

    def report(epoch: Epoch) -> None:
        if epoch.error is not None:
            latest["error"] = f", held-out error {epoch.error:.1f} px"
        on_share(epoch.progress, f"{epoch.stage}: loss {epoch.loss:.2f}{latest.get('error', '')}")

    return report


def _print_evaluation(evaluation: workflows.Evaluation) -> None:
    from pronotum import workflows
    from pronotum.report import text

    typer.echo(text.evaluation_text(evaluation.table, evaluation.baseline))
    for remark in workflows.remarks(evaluation):
        typer.echo(f"note: {remark}")
