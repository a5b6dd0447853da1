"""The picture of docs/architecture.md: the layers of pyproject.toml, and who imports whom, from the source itself.

python scripts/draw_architecture.py
"""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import grimp
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "pronotum"  # the same picture every time
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot as plt  # noqa: E402

DRAWS = ("architecture.svg",)
ROOT = Path(__file__).parent.parent
PACKAGE = "pronotum"
COLOURS = {"cli": "#b5473c", "report": "#7a5195", "models": "#ef8a17", "data": "#2a7f62", "values": "#33658a"}


def layers() -> list[list[str]]:
    """The layers that import-linter checks, from the command line down, without the name of the package."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix(f"{PACKAGE}.") for name in layer.split("|")] for layer in found]


def imports() -> dict[tuple[str, str], int]:
    """How many imports there are from a module or package directly below the root to another."""
    graph = grimp.build_graph(PACKAGE)
    found: dict[tuple[str, str], int] = {}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            pair = tuple(".".join(name.split(".")[1:2]) for name in (importer, imported))
            if all(pair) and pair[0] != pair[1]:
                found[pair[0], pair[1]] = found.get((pair[0], pair[1]), 0) + 1
    return found


def main(path: Path) -> None:
    """Draw the layers, each module as wide as it is imported, and lines for imports."""
    rows, found = layers(), imports()
    places = {}
    for row, names in enumerate(rows):
        for at, name in enumerate(names):
            places[name] = ((at + 1) / (len(names) + 1) * 10, float(len(rows) - row) * 0.62)
    figure, axes = plt.subplots(figsize=(10, 0.46 * len(rows)))
    for (importer, imported), number in sorted(found.items()):
        if importer in places and imported in places:
            (x0, y0), (x1, y1) = places[importer], places[imported]
            axes.annotate(
                "",
                (x1, y1),
                (x0, y0),
                arrowprops={"arrowstyle": "-", "color": "#888888", "alpha": 0.35, "lw": min(0.4 + 0.15 * number, 2.5)},
                zorder=1,
            )
    for name, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _colour(rows, name), "lw": 1.2}
        axes.text(x, y, name, ha="center", va="center", fontsize=8, bbox=box, zorder=2)
    for before, after in pairwise([0.0, 10.0]):
        axes.set_xlim(before, after)
    axes.set_ylim(0.2, len(rows) * 0.62 + 0.4)
    axes.set_axis_off()
    figure.tight_layout(pad=0.2)
    figure.savefig(path, metadata={"Date": None})


def _colour(rows: list[list[str]], name: str) -> str:
    """By height."""
    row = next(number for number, names in enumerate(rows) if name in names)
    return list(COLOURS.values())[min(row * len(COLOURS) // len(rows), len(COLOURS) - 1)]


if __name__ == "__main__":
    main(ROOT / "docs" / "pictures" / "architecture.svg")
