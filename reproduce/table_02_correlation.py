"""Table 2: r2, explained variance and Pearson's r, beside what the mean position scores without looking.

python reproduce/table_02_correlation.py OUT -o FOLDER
python reproduce/table_02_correlation.py --published SHARED/beetle-founding-256 -o FOLDER
"""

import pandas as pd

from inputs import Inputs, run
from pronotum.evaluation.paper import score_table


def main(given: Inputs) -> None:
    """One table, a row per part and method."""
    table = pd.concat([score_table(given.beside_mean_position(part)) for part in given.parts.values()])
    remarks = [remark for part in given.parts.values() for remark in part.remarks()]
    given.table("correlation", table, "Agreement of coordinates", remarks)


if __name__ == "__main__":
    run(main, __doc__)
