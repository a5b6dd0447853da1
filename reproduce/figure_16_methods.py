"""Figure 16: manual, image-processing and deep-learning landmarks on a photograph of each part.

python reproduce/figure_16_methods.py OUT -o FOLDER
python reproduce/figure_16_methods.py --published SHARED/beetle-founding-256 --photographs PHOTOS -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.part import SCRATCH
from pronotum.report.photo_figures import methods


def main(given: Inputs) -> None:
    """One figure."""
    views = [given.view(part, SCRATCH) for part in given.pictured().values()]
    given.figure("methods", methods(views))


if __name__ == "__main__":
    run(main, __doc__, specimen="which one; default: the one with the median error")
