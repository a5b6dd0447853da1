"""Figure 13: the best, the median and the worst predicted specimen of each part, and a sheet of the first 16.

python reproduce/figure_13_overlays.py OUT -o FOLDER
python reproduce/figure_13_overlays.py --published SHARED/beetle-founding-256 --photographs PHOTOS -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.part import SCRATCH
from pronotum.report.photo_figures import contact_sheet, overlays, representative_views


def main(given: Inputs) -> None:
    """Two figures per part."""
    method = given.options["method"] or SCRATCH
    for name, part in given.pictured().items():
        album = given.albums[name]
        one = given.options["specimen"]
        views = [given.view(part, method)] if one else representative_views(part, album, method)
        given.figure(f"overlays-{name}-{method}", overlays(views, method))
        given.figure(f"sheet-{name}-{method}", contact_sheet(part, album, method))


if __name__ == "__main__":
    run(main, __doc__, specimen="only this one", method=f"scratch or fine_tuned [{SCRATCH}]")
