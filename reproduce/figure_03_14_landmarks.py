"""Figures 3 and 14: a photograph of each part with its numbered manual landmarks.

python reproduce/figure_03_14_landmarks.py OUT -o FOLDER
python reproduce/figure_03_14_landmarks.py --published SHARED/beetle-founding-256 --photographs PHOTOS -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.part import SCRATCH
from pronotum.report.photo_figures import manual_landmarks


def main(given: Inputs) -> None:
    """One figure."""
    views = [given.view(part, SCRATCH) for part in given.pictured().values()]
    given.figure("landmarks", manual_landmarks(views))


if __name__ == "__main__":
    run(main, __doc__, specimen="which one; default: the one with the median error")
