"""Figures 10 and 11: losses against epochs; 10 from a run with --model ebnet1, 11 from one with --model ebnet3.

python reproduce/figure_10_11_losses.py OUT -o FOLDER
"""

from inputs import Inputs, run
from pronotum.report.paper_figures import losses


def main(given: Inputs) -> None:
    """One figure per part and method, a panel per round."""
    for name, part in given.parts.items():
        for method in part.methods:
            runs = given.losses(name, method)
            titles = {f"{part.title}, {part.label(method)}, round {number}": run for number, run in runs.items()}
            given.figure(f"losses-{name}-{method}", losses(titles))


if __name__ == "__main__":
    run(main, __doc__)
