"""Figure 15: mean distance per landmark of every method, a panel per part.

python reproduce/figure_15_mean_distances.py OUT -o FOLDER
python reproduce/figure_15_mean_distances.py --published SHARED/beetle-founding-256 -o FOLDER
"""

from inputs import Inputs, run
from pronotum.report.paper_figures import mean_distances


def main(given: Inputs) -> None:
    """One figure."""
    given.figure("mean-distances", mean_distances(list(given.parts.values())))


if __name__ == "__main__":
    run(main, __doc__)
