"""The reliability figure says what was found."""

import numpy as np
import pytest

from pronotum.report import certainty_figures
from pronotum.report.paper_figures import save


def test_what_was_promised_and_held_is_drawn_and_said(tmp_path):
    random = np.random.default_rng(0)
    sizes = random.uniform(200, 400, 500)
    scale = random.uniform(0.5, 2, (500, 6))
    errors = np.abs(random.normal(size=(500, 6))) * scale
    errors[3, 2] = np.nan
    quantiles = np.quantile(np.abs(random.normal(size=100_000)), certainty_figures.LEVELS)
    plate = certainty_figures.plate(errors, scale[..., None] * quantiles, sizes)
    promised, found = plate.drawing.axes[0].lines[1].get_data()
    assert found == pytest.approx(promised, abs=2.5)
    assert f"{found[9]:.1f} % lay within the radius said to hold 50 %" in plate.caption
    above = plate.drawing.axes[1].lines[1].get_ydata()
    radius = plate.drawing.axes[1].lines[1].get_xdata()
    assert above == pytest.approx(radius, rel=0.25)
    assert (np.diff(radius) > 0).all()
    save(plate.drawing, tmp_path / "reliability.png", dpi=80)
    assert (tmp_path / "reliability.png").stat().st_size > 10_000
