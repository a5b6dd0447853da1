"""`pronotum check` says whose landmarks are in another order than most."""

from dataclasses import replace

import numpy as np

from pronotum import demo, formats
from pronotum.data import open_data
from pronotum.report import text

SIZE = (192, 144)


def test_exchanged_and_shifted_landmarks_are_named(tmp_path):
    data = demo.draw_beetles(tmp_path, "pronotum", n=14, seed=1, size=SIZE)
    assert text.other_orders(data) == []
    points = np.array(data.points)
    points[3, [1, 6]] = points[3, [6, 1]]
    points[9] = np.roll(points[9], 1, axis=0)
    specimens = [replace(one, points=own, source=None) for one, own in zip(data.landmarks, points, strict=True)]
    formats.save(tmp_path / "landmarks.tps", specimens, lambda name: SIZE)
    (tmp_path / "scheme.toml").write_text('names = 8\nreference = "images/pronotum_010.jpg"\n')
    changed = open_data(tmp_path)
    shifted = "1 digitised as 2, 2 digitised as 3, 3 digitised as 4, ..."
    assert text.other_orders(changed) == [
        "pronotum_004.jpg (ID=4): 2 digitised as 7, 7 digitised as 2",
        f"pronotum_010.jpg (ID=10) (the reference of the scheme): {shifted}",
    ]
    summary = text.data_summary(changed, ())
    assert summary["other_order"] == text.other_orders(changed)
    shown = text.data_text(summary)
    assert "WARNING: landmark order of pronotum_004.jpg (ID=4): 2 digitised as 7, 7 digitised as 2 - see" in shown
