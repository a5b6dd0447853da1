"""The picture of docs/architecture.md: the layers of pyproject.toml, and who imports whom, from the source itself.

python scripts/draw_architecture.py
"""

from __future__ import annotations

import tomllib
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
COLOURS = ("#b5473c", "#7a5195", "#c96f00", "#2a7f62", "#33658a")
"""From the command line down to values."""


def layers() -> list[list[str]]:
    """The layers that import-linter checks, from the command line down, without the name of the package."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
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


def needed(found: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """The imports that do not follow from others: without those of a module by way of a third one."""
    below: dict[str, set[str]] = {}
    for importer, imported in found:
        below.setdefault(importer, set()).add(imported)

    def reach(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        further = [reach(one, seen | {name}) for one in below.get(name, set()) - seen]
        return below.get(name, set()).union(*further)

    reached = {name: reach(name) for name in below}
    return {
        (importer, imported): number
        for (importer, imported), number in found.items()
        if not any(imported in reached.get(other, set()) for other in below[importer] - {imported})
    }


def main(path: Path) -> None:
    """Draw the layers, and lines from each module to those it imports."""
    rows, found = layers(), needed(imports())
    places = {}
    for row, names in enumerate(rows):
        for at, name in enumerate(names):
            places[name] = ((at + 1) / (len(names) + 1) * 10 + 0.35 * (-1) ** row, (len(rows) - row) * 0.62)
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(rows)))
    for importer, imported in sorted(found):
        if importer in places and imported in places:
            (x0, y0), (x1, y1) = places[importer], places[imported]
            axes.plot([x0, x1], [y0, y1], color=_colour(rows, importer), alpha=0.55, lw=0.9, zorder=1)
    for name, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _colour(rows, name), "lw": 1.2}
        axes.text(x, y, name, ha="center", va="center", fontsize=8, bbox=box, zorder=2)
    axes.set(xlim=(0, 10), ylim=(0.2, len(rows) * 0.62 + 0.4))
    axes.set_axis_off()
    figure.tight_layout(pad=0.2)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")


def _colour(rows: list[list[str]], name: str) -> str:
    """By height."""
    row = next(number for number, names in enumerate(rows) if name in names)
    return COLOURS[row * len(COLOURS) // len(rows)]


if __name__ == "__main__":
    main(ROOT / "docs" / "pictures" / "architecture.svg")
