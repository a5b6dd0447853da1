"""Figure 17: distance per landmark of every method on one image of each part.

python reproduce/figure_17_one_image.py OUT -o FOLDER
python reproduce/figure_17_one_image.py --published SHARED/beetle-founding-256 -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.part import SCRATCH
from pronotum.report.paper_figures import image_distances


def main(given: Inputs) -> None:
    """One figure per part."""
    for name, part in given.parts.items():
        specimen = given.options["specimen"] or part.representatives(SCRATCH)["median"]
        given.figure(f"image-{name}-{specimen}", image_distances(part, specimen))


if __name__ == "__main__":
    run(main, __doc__, specimen="which one; default: the one with the median error")
