"""Figures 6, 7, 8 and 9: the three networks and the elementary block, drawn and as tables of layers.

python reproduce/figure_06_07_08_09_networks.py -o FOLDER
python reproduce/figure_06_07_08_09_networks.py --landmarks 18 -o FOLDER
"""

import argparse
from pathlib import Path

from pronotum.evaluation import table_files
from pronotum.models.ebnet import EBNetConfig, layer_table
from pronotum.report import network_figures, paper_figures


def main() -> None:
    """Three diagrams, three tables, and the block."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landmarks", type=int, default=8)
    parser.add_argument("-o", "--out", type=Path, default=Path("reproduced"))
    asked = parser.parse_args()
    paper_figures.save(network_figures.elementary_block(), asked.out / "elementary-block.png")
    for number in (1, 2, 3):
        layers = layer_table(EBNetConfig.variant(number, asked.landmarks))
        title, table = f"Model {number}, {asked.landmarks} landmarks", network_figures.layer_frame(layers)
        print(f"\n{title}\n{table.to_string(index=False, na_rep='')}")
        paper_figures.save(network_figures.architecture(layers, title), asked.out / f"model-{number}.png")
        for suffix in ("csv", "html"):
            table_files.write(table, asked.out / f"model-{number}.{suffix}", title=title, digits=1)


if __name__ == "__main__":
    main()
