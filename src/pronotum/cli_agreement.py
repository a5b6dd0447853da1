"""The commands that measure agreement: of predictions out of fold, of files, and against the specimens learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum.cli_parts import (
    AsJson,
    ClusterAddress,
    CovariateTable,
    Data,
    Device,
    Group,
    KeptFolder,
    LandmarkFormat,
    Margin,
    Mirror,
    Model,
    Photographs,
    Pose,
    Preset,
    ProjectFile,
    Repeat,
    RepeatFormat,
    SchemeFile,
    Seed,
    Settings,
    Shapes,
    Start,
    Workers,
    engine,
    finish,
    groups_of,
    opened,
    overrides,
    posed,
    print_json,
    progress,
    with_shapes,
)
from pronotum.errors import UserError

if TYPE_CHECKING:
    from pronotum.evaluation.evidence import Sets
    from pronotum.evaluation.verdict import Rules
    from pronotum.report.agreement_plates import Plate


def crossvalidate(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder; goes on where it was interrupted.")],
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    folds: Annotated[int, typer.Option(help="Number of folds.", min=2)] = 5,
    group: Group = None,
    covariates: CovariateTable = None,
    repeat: Repeat = None,
    repeat_form: RepeatFormat = None,
    margin: Margin = None,
    project: ProjectFile = None,
    model: Model = None,
    pose: Pose = "auto",
    mirror: Mirror = False,
    preset: Preset = None,
    start: Start = None,
    seed: Seed = 0,
    device: Device = "auto",
    shapes: Shapes = None,
    settings: Settings = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
) -> None:
    """Predict every specimen by a model that has not seen it, and report whether predictions may replace manual work.

    Leaves a final model of all specimens in the run folder, and the report.

    Example: pronotum crossvalidate wings/ -o wings-run --repeat second-look.tps
    """
    from pronotum import comparison, crossvalidation, scale_check, workflows
    from pronotum import project as projects

    declared = projects.find(data, project)
    found = opened(data, photographs, form, scheme, declared)
    scale_check.require_scales(found, found.points, declared, found.source[0])
    groups = groups_of(data, covariates, group, found)
    found = with_shapes(found, shapes, quiet=as_json)
    asked = workflows.TrainOptions(preset, seed, device, None, overrides(settings or []), model, start)
    options = posed(found, asked, pose, mirror=mirror)
    with engine(workers, cluster) as where, progress("", quiet=as_json) as (on_share, _):
        done = crossvalidation.crossvalidate(
            found, out, options, n_folds=folds, groups=groups, engine=where, on_share=on_share
        )
    chosen = margin or declared.margin
    sets, left_out = comparison.of_crossvalidation(
        done, repeat=repeat, repeat_form=repeat_form, groups=groups, margin=chosen
    )
    together = f"photographs and specimens of one {group}" if group else "photographs"
    origin = f"{folds}-fold cross-validation; {together} stay together; every prediction is out of fold."
    if start:
        origin += f" All models started from {start}, which has learnt from none of these photographs."
    warnings = [f"WARNING: {warning}." for warning in found.warnings]
    shown = (found.photographs, origin, f"Cross-validation of {data.name}", [*warnings, *left_out])
    _report(sets, declared.verdict, out, shown, as_json, comparison.certainty_plates(done))
    finish([*done.problems, *left_out])


def agree(
    manual: Annotated[Path, typer.Argument(help="Landmark file of the manual landmarks.")],
    predicted: Annotated[Path, typer.Argument(help="Landmark file of the predictions, from any program.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the report.")],
    repeat: Repeat = None,
    form: Annotated[
        str | None, typer.Option("--format", help="Format of the manual landmarks, where the file does not tell.")
    ] = None,
    predicted_form: Annotated[
        str | None, typer.Option("--predicted-format", help="Format of the predictions, where the file does not tell.")
    ] = None,
    repeat_form: RepeatFormat = None,
    photographs: Annotated[
        Path | None, typer.Option("--photographs", help="Folder of the photographs, for pictures and for px units.")
    ] = None,
    group: Group = None,
    covariates: CovariateTable = None,
    margin: Margin = None,
    scheme: SchemeFile = None,
    project: ProjectFile = None,
    as_json: AsJson = False,
) -> None:
    """Report whether one set of landmarks may replace another, e.g. the predictions of any program manual ones.

    Example: pronotum agree manual.tps predicted.tps -o report --repeat second-look.tps
    """
    from pronotum import comparison, landmark_sets, scale_check, schemes
    from pronotum import project as projects

    sources = {comparison.MANUAL: manual, comparison.PREDICTED: predicted}
    sources |= {comparison.REPEAT: repeat} if repeat else {}
    declared = projects.find(manual, project)
    partial = (comparison.REPEAT,)
    found = landmark_sets.open_sets(
        sources,
        photographs=photographs,
        partial=partial,
        forms={comparison.MANUAL: form, comparison.PREDICTED: predicted_form, comparison.REPEAT: repeat_form},
        unit=declared.units,
        scheme=schemes.find(manual, scheme or declared.scheme),
    )
    scale_check.require_scales(found, found.points[comparison.MANUAL], declared, manual)
    groups = groups_of(manual, covariates, group, found)
    sets = comparison.of_files(found, groups=groups, margin=margin or declared.margin)
    origin = (
        f"{predicted.name} beside {manual.name}; whether a model had seen these specimens cannot be told from files."
    )
    title = f"Agreement of {predicted.name} with {manual.name}"
    _report(sets, declared.verdict, out, (found.photographs, origin, title, found.remarks), as_json)
    finish(found.remarks)


def learning_curve(
    data: Data,
    out: KeptFolder,
    photographs: Photographs = None,
    form: LandmarkFormat = None,
    scheme: SchemeFile = None,
    sizes: Annotated[
        str | None, typer.Option(help="Specimens to learn from, e.g. 10,20,40; default four sizes.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Each tests one part of the specimens.", min=2)] = 4,
    run: Annotated[int | None, typer.Option(help="Only the first so many folds.", min=1)] = None,
    model: Model = None,
    pose: Pose = "auto",
    mirror: Mirror = False,
    preset: Preset = None,
    start: Start = None,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Settings = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether more digitising pays: error and repeatability against the number of specimens learnt from.

    Example: pronotum learning-curve wings/ -o wings-curve --sizes 10,20,40
    """
    from pronotum import learning_curve as curve
    from pronotum import workflows
    from pronotum.report import growth_page

    found = opened(data, photographs, form, scheme)
    asked = workflows.TrainOptions(preset, seed, device, None, overrides(settings or []), model, start)
    options = posed(found, asked, pose, mirror=mirror)
    wanted = _numbers("--sizes", sizes) if sizes else ()
    with engine(workers, cluster) as where, progress("", quiet=as_json) as (on_share, _):
        trials = curve.run(
            found, out, options, sizes=wanted, n_folds=folds, run_folds=run, engine=where, on_share=on_share
        )
    summary = growth_page.write(trials.data.subset(trials.tested), trials.sizes, trials.predicted, out, seed=seed)
    if as_json:
        print_json(summary)
    else:
        for line in growth_page.lines(summary):
            typer.echo(line)
        typer.echo(f"curve: {out / 'learning_curve.png'}")
    finish(trials.problems)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise UserError(f"{option} {text}", found="not understood", expected="numbers, as 10,20,40") from None


def _report(
    sets: Sets,
    rules: Rules,
    out: Path,
    shown: tuple[Sequence[Path | None], str, str, Sequence[str]],
    as_json: bool,
    more: Sequence[Plate] = (),
) -> None:
    """Judge, write the report and its files, and print the answer."""
    from pronotum.evaluation import evidence as evidences
    from pronotum.evaluation import verdict as verdicts
    from pronotum.report import agreement_files, agreement_page, text

    photographs, origin, title, remarks = shown
    evidence = evidences.gather(sets)
    verdict = verdicts.judge(evidence, rules)
    contents = agreement_page.Contents(title, evidence, verdict, rules, remarks, photographs, origin, more)
    agreement_files.write_files(contents, out)
    if as_json:
        print_json(agreement_files.as_json(evidence, verdict, rules))
    else:
        typer.echo(text.verdict_text(verdict))
        typer.echo(f"report: {out / 'report.html'}")
