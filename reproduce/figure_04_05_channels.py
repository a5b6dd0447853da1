"""Figures 4 and 5: one photograph and the seven grey pictures that are learnt from, which are also written as files.

python reproduce/figure_04_05_channels.py OUT -o FOLDER
python reproduce/figure_04_05_channels.py --published SHARED/beetle-founding-256 --photographs PHOTOS -o FOLDER
"""

from dataclasses import replace

from inputs import Inputs, run
from pronotum.report.channel_figures import gallery, write_versions


def main(given: Inputs) -> None:
    """A figure and seven files, in the size the network sees, of the first part that has photographs."""
    name, part = next(iter(given.pictured().items()))
    specimen = given.options["specimen"] or part.specimens[0]
    part.position(specimen)
    pixels = replace(given.albums[name], magnification=1.0)[specimen].pixels
    given.figure("channels", gallery(pixels))
    for path in write_versions(pixels, given.out / "channels", f"{name}_{specimen}"):
        print(path)


if __name__ == "__main__":
    run(main, __doc__, specimen="which one; default: the first")
