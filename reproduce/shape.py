"""Pixels beside shape: repeatability, disparity ratio and centroid size of the predictions (not in the paper).

python reproduce/shape.py OUT -o FOLDER
python reproduce/shape.py --published SHARED/beetle-founding-256 -o FOLDER
"""

import pandas as pd

from inputs import Inputs, run
from pronotum.evaluation.shape import shape_table


def main(given: Inputs) -> None:
    """One table of all parts and methods."""
    table = pd.concat([shape_table(part) for part in given.parts.values()], ignore_index=True)
    remarks = [remark for part in given.parts.values() for remark in part.remarks()]
    given.table("shape", table.round(4), "What the predictions do to shape", remarks)


if __name__ == "__main__":
    run(main, __doc__)
