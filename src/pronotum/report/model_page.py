"""The card of a model: what a person asks of one they were sent, in lines and as one self-contained HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from pronotum import __version__
from pronotum.errors import counted
from pronotum.files import write_text
from pronotum.landmarks import FloatArray, Scheme
from pronotum.report import shape_drawing
from pronotum.report.wording import NOTHING, UNITS, number

UNKNOWN = "not said"
NOT_KNOWN = "not known"
SHOWN_UNITS = ("px_256x192", "percent_centroid_size")
LEVEL = "0.9"
"""Of the radii, the one that is shown."""
REPLACED = "�"


def write(found: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    Args:
        found: see `sharing.describe`.
        path: of the page.
    """
    environment = Environment(
        loader=PackageLoader("pronotum.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(number=number, printable=printable)
    scheme = Scheme.from_plain(found["scheme"])
    names = [printable(name) for name in scheme.names]
    shape = _shape(found)
    page = environment.get_template("model.html").render(
        found=found,
        # People copy the commands.
        file=shlex.quote(printable(found["file"])),
        names=names,
        fixed=names[: scheme.n_fixed],
        curves=[printable(curve.name) for curve in scheme.curves],
        numbered=not shape_drawing.short(names[: scheme.n_fixed]),
        facts=list(facts(found)),
        warnings=list(warnings(found)),
        drawing=None if shape is None else shape_drawing.draw(shape, names, scheme.runs),
        rows=table(found),
        units=[(unit, UNITS[unit]) for unit in SHOWN_UNITS],
        version=__version__,
    )
    write_text(path, page)


def facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a model, each with what it is called."""
    scheme = Scheme.from_plain(found["scheme"])
    sliding = len(scheme.names) - scheme.n_fixed
    curves = f", {sliding} of them semilandmarks on curves ({len(scheme.curves)})" if scheme.curves else ""
    yield "places", f"{counted(scheme.n_landmarks, 'landmark')}{curves}"
    yield "meant for", printable(found["domain"]) or UNKNOWN
    yield "licence", printable(found["licence"]) or UNKNOWN
    yield "author", printable(found["author"]) or UNKNOWN
    yield "learnt from", _specimens(found)
    yield "photographs", _photographs(found["photographs"])
    yield "errors", _errors(found["errors"])
    yield "radii", _radii(found["radii"])
    yield "flags", ", ".join(found["flags"]) if found["flags"] else NOT_KNOWN
    width, height = found["picture"]
    preset = f", preset {printable(found['preset'])}" if found["preset"] else ""
    yield (
        "architecture",
        f"{found['architecture']}{preset}; {found['parameters']:,} weights; looks at {width}x{height} px",
    )
    if found["started_from"]:
        yield "started from", f"an earlier model, of the data {printable(found['started_from']['sha256'] or UNKNOWN)}"
    yield "trained with", _versions(found["trained_with"])
    yield "exported", f"{printable(found['exported'])}, {_versions(found['versions'])}" if found["exported"] else "no"
    yield "data", printable(found["data"]["sha256"] or UNKNOWN)
    yield "this file", found["sha256"]


def warnings(found: Mapping[str, Any]) -> Iterator[str]:
    """What a person must know before using a model."""
    if found["errors"] is None:
        yield (
            "Nobody has measured how far off this model is. Evaluate it on specimens of your own before you believe "
            "it: pronotum evaluate FILE DATA."
        )
    elif "LEARNT FROM" in found["errors"]["origin"]:
        yield "Some of the specimens of the error table were learnt from: the errors are too small."
    if found["holds_photographs"]:
        yield (
            f"The file holds {counted(found['holds_photographs'], 'photograph')} it compares others with, reduced in "
            "size: who has the file has them."
        )
    yield from (f"Of the data learnt from: {printable(warning)}." for warning in found["warnings"])
    yield from map(printable, found["problems"])
    if not found["licence"]:
        yield "No licence was given: ask the author what you may do with this model."


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows per landmark and for all: errors by unit, those of the mean shape, and the radius in % of centroid size."""
    if found["errors"] is None:
        return []
    radii = [*found["radii"][LEVEL], None] if found["radii"] else None
    both = zip(found["errors"]["landmarks"], found["errors"]["mean_shape_baseline"], strict=True)
    return [
        {
            "landmark": printable(row["landmark"]),
            "errors": {unit: row[unit] for unit in SHOWN_UNITS},
            "baseline": {unit: baseline[unit] for unit in SHOWN_UNITS},
            "radius": radii[i] if radii else None,
        }
        for i, (row, baseline) in enumerate(both)
    ]


def printable(text: object) -> str:
    """Text as a terminal may show it: a file that was sent may hold control characters."""
    return "".join(letter if letter.isprintable() else REPLACED for letter in str(text))


def _shape(found: Mapping[str, Any]) -> FloatArray | None:
    """(K, 2) the mean shape, NaN = unknown; None where fewer than two landmarks are known."""
    shape = np.array(found["mean_shape"] or [], dtype=np.float64).reshape(-1, 2)
    return shape if np.isfinite(shape).all(-1).sum() >= 2 else None


def _specimens(found: Mapping[str, Any]) -> str:
    if found["specimens"] is None:
        return UNKNOWN
    watched = f", {found['n_held_out']} of them only watched" if found["n_held_out"] else ""
    files = ", ".join(map(printable, found["data"]["files"]))
    return f"{counted(found['specimens'], 'specimen')}{watched}" + (f" ({files})" if files else "")


def _photographs(sizes: Mapping[str, Any] | None) -> str:
    if sizes is None:
        return NOT_KNOWN
    one, least, most = ("x".join(map(str, sizes[name])) for name in ("commonest", "smallest", "largest"))
    return f"most {one} px" + ("" if least == most else f", from {least} to {most} px")


def _errors(errors: Mapping[str, Any] | None) -> str:
    if errors is None:
        return "not measured"
    unit = SHOWN_UNITS[0]
    own, mean_shape = (errors[name][-1][unit] for name in ("landmarks", "mean_shape_baseline"))
    values = ", ".join(f"{name} {number(own[name])}" for name in ("mean", "median", "p95"))
    baseline = f"mean shape placed perfectly: mean {number(mean_shape['mean'])}"
    return f"{values} {UNITS[unit]} ({baseline}); {printable(errors['origin'])}"


def _radii(radii: Mapping[str, Any] | None) -> str:
    known = [value for value in radii[LEVEL] if value is not None] if radii else []
    if not radii or not known:
        return NOT_KNOWN
    usual = f"{number(min(known))} to {number(max(known))}" if len(known) > 1 else number(known[0])
    share = f"{100 * float(LEVEL):.0f} %"
    return (
        f"{share} of true points within {usual} % of centroid size, by landmark ({counted(radii['n_errors'], 'error')})"
    )


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{printable(name)} {printable(value)}" for name, value in versions.items()) or NOTHING


def text(found: Mapping[str, Any]) -> list[str]:
    """The card as lines."""
    lines = [f"{name:>13}  {value}" for name, value in facts(found)]
    rows = table(found)
    width = max([13, *(len(row["landmark"]) for row in rows)])
    for unit in SHOWN_UNITS if rows else ():
        lines += ["", f"error in {UNITS[unit]}"]
        lines.append(f"{'landmark':>{width}} {'n':>6} {'mean':>8} {'median':>8} {'p95':>8}   mean shape, mean")
        lines += [_line(row, unit, width) for row in rows]
    return lines + [f"note: {warning}" for warning in warnings(found)]


def _line(row: Mapping[str, Any], unit: str, width: int) -> str:
    own, baseline = row["errors"][unit], row["baseline"][unit]
    values: Sequence[str] = [f"{number(own[name]):>8}" for name in ("mean", "median", "p95")]
    return f"{row['landmark']:>{width}} {own['n']:>6} {' '.join(values)}   {number(baseline['mean']):>16}"
