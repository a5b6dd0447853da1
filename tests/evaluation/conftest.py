import csv
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def reference():
    """What R printed, by name; see tests/morphometrics/reference/procgpa.R."""
    path = Path(__file__).parents[1] / "morphometrics" / "reference" / "procgpa.csv"
    with path.open() as file:
        found = {name: np.array(values, dtype=float) for name, *values in csv.reader(file)}
    for name in ("manual", "predicted"):
        found[name] = found[name].reshape(18, 2, 6).swapaxes(1, 2)
    return found
