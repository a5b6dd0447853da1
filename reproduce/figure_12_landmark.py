"""Figure 12: distance of one landmark on every image, and the shares of images that err little, bearably and badly.

python reproduce/figure_12_landmark.py OUT -o FOLDER
python reproduce/figure_12_landmark.py --published SHARED/beetle-founding-256 --parts pronotum -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.paper import band_table
from pronotum.report.paper_figures import landmark_distances


def main(given: Inputs) -> None:
    """A figure of one landmark and a table of all of them, per part."""
    for name, part in given.parts.items():
        landmark = given.options["landmark"] or part.landmarks[0]
        given.figure(f"landmark-{name}-{landmark}", landmark_distances(part, landmark))
        given.table(f"bands-{name}", band_table(part), f"{part.title}, scratch: below the mean, bearable, above 10 px")


if __name__ == "__main__":
    run(main, __doc__, landmark="which one; default: the first, as in the paper")
