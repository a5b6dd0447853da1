"""What fine-tuning gains in rounds whose test specimens were in the pre-training, and in the others (not in the paper).

python reproduce/leak.py OUT -o FOLDER
python reproduce/leak.py --published SHARED/beetle-founding-256 -o FOLDER
"""

import pandas as pd

from inputs import Inputs, run
from pronotum.evaluation.paper import leak_table, round_table
from pronotum.report.paper_figures import round_errors


def main(given: Inputs) -> None:
    """One table of both kinds of rounds; a table and a figure of the single rounds of each part."""
    parts, plans = given.parts, given.plans
    remarks = [remark for part in parts.values() for remark in part.remarks()]
    leaks = pd.concat([leak_table(part, plans[name]) for name, part in parts.items()])
    given.table("leak", leaks, "Gain by fine-tuning where test specimens had been seen and where not", remarks)
    for name, part in parts.items():
        table = round_table(part, plans[name])
        given.table(f"rounds-{name}", table, f"{part.title}: rounds, mean distance, {part.unit}", part.remarks())
        given.figure(f"rounds-{name}", round_errors(part, plans[name]))


if __name__ == "__main__":
    run(main, __doc__)
