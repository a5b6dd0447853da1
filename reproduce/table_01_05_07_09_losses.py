"""Tables 1, 5, 7 and 9: losses after the last epoch of every round, from scratch and fine-tuned.

python reproduce/table_01_05_07_09_losses.py OUT -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.paper import loss_table


def main(given: Inputs) -> None:
    """One table per part and method."""
    for name, part in given.parts.items():
        for method in part.methods:
            title = f"{part.title}, {part.label(method)}: losses after the last epoch"
            given.table(f"losses-{name}-{method}", loss_table(given.losses(name, method)), title, part.remarks())


if __name__ == "__main__":
    run(main, __doc__)
