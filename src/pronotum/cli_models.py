"""The commands to send a model to a colleague, and to look at one that was sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum.cli_parts import AsJson, RunFolder, finish, print_json, progress
from pronotum.errors import UserError, counted

if TYPE_CHECKING:
    from pronotum.models.storage import StoredModel
    from pronotum.onnx_export import Checked

model = typer.Typer(help="Look at a model.", no_args_is_help=True)


def export(
    run: RunFolder,
    out: Annotated[Path | None, typer.Argument(help="The file to send, ends in .pronotum.", show_default=False)] = None,
    licence: Annotated[str | None, typer.Option(help="What others may do with it, e.g. CC-BY-4.0.")] = None,
    domain: Annotated[
        str | None, typer.Option(help="For what it is meant, e.g. 'dorsal photographs of ground beetles, 20x'.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Whom to ask and to cite.")] = None,
    errors: Annotated[
        Path | None,
        typer.Option(help="report.json, or output of evaluate --json; default the run's cross-validation."),
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option(help="Also, or instead, a file for programs without Python: ends in .onnx.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Photographs on which the ONNX file must answer as the model does.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model as one file to send to a colleague, with all that must be known to use and to judge it.

    Every command that takes a run folder takes the file. It holds no coordinates of specimens, no photographs (but for
    models that compare others with some: it is said), and names no folder of your machine.

    Example: pronotum export wings-run wings.pronotum --licence CC-BY-4.0 --domain "left wings of Drosophila, 2x"
    """
    from pronotum import sharing

    if out is None and onnx is None:
        raise UserError("pronotum export", found="no file to write", expected="a name, as model.pronotum, or --onnx")
    prepared = sharing.prepare(run, sharing.Statement(author, licence, domain), errors)
    if out is not None:
        sharing.save(prepared, out)
    checked = None if onnx is None else _export_onnx(prepared, onnx, check, quiet=as_json)
    if as_json:
        print_json(_summary(out, onnx, checked))
    else:
        if out is not None:
            typer.echo(f"model: {out}, {out.stat().st_size / 1e6:.1f} MB; look at it with: pronotum model show {out}")
        if checked is not None:
            typer.echo(_agreement(checked, onnx))
        for remark in sharing.remarks(prepared):
            typer.echo(f"note: {remark}")
    finish([str(one) for one in checked.unreadable] if checked else [])


def _export_onnx(prepared: StoredModel, path: Path, check: Path | None, *, quiet: bool) -> Checked:
    from pronotum import landmarking, onnx_export

    if path.suffix != ".onnx":
        raise UserError(
            f"--onnx {path}", found=f"a name that ends in '{path.suffix}'", expected="one that ends in .onnx"
        )
    photographs = landmarking.find_photographs([check]) if check else []
    about = {
        "architecture": prepared.architecture,
        "landmarks": prepared.scheme.names,
        "scheme": prepared.scheme.as_plain(),
        "card": prepared.card,
    }
    with progress("comparing", quiet=quiet) as (_, on_count):
        return onnx_export.write(prepared.network, path, about, photographs, on_count)


def _summary(out: Path | None, onnx: Path | None, checked: Checked | None) -> dict[str, object]:
    compared = checked and {
        "pictures": checked.pictures,
        "landmarks": checked.landmarks,
        "largest_difference_px": checked.largest,
        "on_edge": checked.on_edge,
    }
    problems = [str(one) for one in checked.unreadable] if checked else []
    return {"out": out and str(out), "onnx": onnx and str(onnx), "check": compared, "problems": problems}


def _agreement(checked: Checked, path: Path | None) -> str:
    edge = f"; {checked.on_edge} more lie on the edge between two windows and differ by more" if checked.on_edge else ""
    return (
        f"graph: {path}; onnxruntime places {counted(checked.landmarks, 'landmark')} on "
        f"{counted(checked.pictures, 'picture')} at most "
        f"{checked.largest:.2g} px from where PyTorch does{edge}"
    )


@model.command()
def show(
    file: Annotated[Path, typer.Argument(help="Model file, or run folder.")],
    html: Annotated[Path | None, typer.Option(help="Also write an HTML page here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a model is: for what, by whom, from what, under which licence, and how far off.

    Example: pronotum model show wings.pronotum --html card.html
    """
    from pronotum import sharing
    from pronotum.report import model_page

    found = sharing.describe(file)
    if html is not None:
        model_page.write(found, html)
    if as_json:
        print_json(found)
    else:
        for line in model_page.text(found):
            typer.echo(line)
        if html is not None:
            typer.echo(f"card: {html}")


@model.callback()
def _group() -> None:
    """Look at a model."""
