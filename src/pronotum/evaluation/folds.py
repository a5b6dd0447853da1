"""Which specimens train and which test; what belongs together stays together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted


def grouped_folds(groups: Sequence[Hashable], n_folds: int, seed: int) -> list[NDArray[np.intp]]:
    """Split specimens into folds of about equal size without dividing a group.

    Args:
        groups: (N,) the group of each specimen.
        n_folds: number of folds.
        seed: of the order in which groups of equal size are dealt out.

    Returns:
        positions of the test specimens of each fold, ascending; every position occurs once.

    Raises:
        UserError: fewer groups than folds.
    """
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    if not 2 <= n_folds <= len(members):
        raise UserError(
            "folds",
            found=f"{counted(n_folds, 'fold')} of {counted(len(members), 'separate specimen')}",
            expected=f"2 to {len(members)} folds",
            remedy="ask for fewer folds",
        )
    order = np.random.default_rng(seed).permutation(len(members))
    blocks = [list(members.values())[i] for i in order]
    blocks.sort(key=len, reverse=True)
    folds: list[list[int]] = [[] for _ in range(n_folds)]
    for block in blocks:
        min(folds, key=len).extend(block)
    return [np.array(sorted(fold), dtype=np.intp) for fold in folds]


def hold_out(groups: Sequence[Hashable], share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Set whole groups aside, about this share of the specimens.

    Returns:
        positions to keep and positions set aside, both ascending; none is set aside when the share rounds to zero.
    """
    wanted = round(share * len(groups))
    order = np.random.default_rng(seed).permutation(len(groups))
    aside: set[int] = set()
    for position in order:
        if len(aside) >= wanted:
            break
        aside.update(i for i, group in enumerate(groups) if group == groups[position])
    if len(aside) >= len(groups):
        aside = set()
    kept = [i for i in range(len(groups)) if i not in aside]
    return np.array(kept, dtype=np.intp), np.array(sorted(aside), dtype=np.intp)
