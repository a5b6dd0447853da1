"""Tables 3 and 4: mean distance per landmark of the networks trained from scratch, with its spread.

python reproduce/table_03_04_distances.py OUT -o FOLDER
python reproduce/table_03_04_distances.py --published SHARED/beetle-founding-256 -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.paper import distance_table


def main(given: Inputs) -> None:
    """One table per part."""
    for name, part in given.parts.items():
        given.table(f"distances-{name}", distance_table(part), f"{part.title}, scratch: distances, {part.unit}")


if __name__ == "__main__":
    run(main, __doc__)
