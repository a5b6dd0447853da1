"""What one reference says about one photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pronotum.landmarks import FloatArray


@dataclass(frozen=True, eq=False)
class Answer:
    """Landmarks of one reference on one photograph.

    Attributes:
        points: (K, 2) px; NaN where not placed.
        reasons: (K,) why not; "" where placed.
        confidence: (K,) on [0, 1]; NaN where not placed.
        pose: (3, 3) from the reference to the photograph; NaN where none was found.
        failure: why no landmark could be placed; "" where some were.
    """

    points: FloatArray
    reasons: tuple[str, ...]
    confidence: FloatArray
    pose: FloatArray
    failure: str

    @classmethod
    def none(cls, n_landmarks: int, failure: str) -> Answer:
        """No landmark placed, all for one reason."""
        nothing = np.full(n_landmarks, np.nan)
        return cls(
            np.full((n_landmarks, 2), np.nan), (failure,) * n_landmarks, nothing, np.full((3, 3), np.nan), failure
        )
