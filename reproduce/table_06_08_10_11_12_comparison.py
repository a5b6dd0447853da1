"""Tables 6, 8, 10, 11 and 12: from scratch beside fine-tuned, per landmark; and the improvements of section 7.

python reproduce/table_06_08_10_11_12_comparison.py OUT -o FOLDER
python reproduce/table_06_08_10_11_12_comparison.py --published SHARED/beetle-founding-256 -o FOLDER
"""

from inputs import Inputs, run
from pronotum.evaluation.paper import comparison_table, improvement_table


def main(given: Inputs) -> None:
    """One table per part, and one of the improvements."""
    for name, part in given.parts.items():
        title = f"{part.title}: scratch and fine-tuned, {part.unit}"
        given.table(f"comparison-{name}", comparison_table(part), title, part.remarks())
    parts = list(given.parts.values())
    remarks = [remark for part in parts for remark in part.remarks()]
    given.table("improvement", improvement_table(parts), "Improvement by fine-tuning", remarks)


if __name__ == "__main__":
    run(main, __doc__)
