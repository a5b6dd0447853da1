"""Which specimens of a photograph the records of another landmark file are of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from pronotum.desk.specimens import Specimen
from pronotum.desk.states import History, State

NEAR_PX = 1.0
"""Landmarks nearer than this to others are the same: there are formats that keep whole px."""


def matched(sent: Sequence[tuple[str, State]], known: Sequence[Specimen]) -> list[Specimen | None]:
    """The specimen that each of several records of a photograph is of; new ones where there are more records.

    Each specimen is of one record at most: first where landmarks are the same, then where IDs are, then where they lie
    nearest; specimens without landmarks come last, in their order.

    Args:
        sent: ID and state of each record; all have landmarks.
        known: the specimens of the photograph, the one with the photograph's key first.

    Returns:
        one for each record; None = it has the landmarks of an earlier record, and no specimen is left.
    """

    def unlike(pair: tuple[int, int]) -> tuple[bool, bool, float]:
        (name, state), one = sent[pair[0]], known[pair[1]]
        distance = _apart(state, one.state)
        return distance >= NEAR_PX, not name or name != one.id, distance

    found: dict[int, Specimen | None] = {}
    used: set[int] = set()
    for i, j in sorted(product(range(len(sent)), range(len(known))), key=unlike):
        if i not in found and j not in used:
            found[i] = known[j]
            used.add(j)
    keys = {one.key for one in known}
    for i, (_, state) in enumerate(sent):
        if i in found:
            continue
        twice = any(_apart(state, other) < NEAR_PX for _, other in sent[:i])
        found[i] = new = None if twice else another(known[0], free_key(known[0].key, keys), len(state.points))
        keys |= {new.key} if new else set()
    return [found[i] for i in range(len(sent))]


def another(specimen: Specimen, key: str, n_landmarks: int) -> Specimen:
    """Another specimen on a photograph, of which nothing is known yet."""
    return replace(specimen, key=key, history=History(State.empty(n_landmarks)), record=None, id="")


def free_key(key: str, taken: Collection[str]) -> str:
    """The key of a photograph's next specimen.

    Args:
        key: of the photograph.
        taken: keys there are.
    """
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}#{number}"
    return free


def beside(one: State, other: State) -> bool:
    """Whether two specimens lie so that the boxes around their landmarks do not overlap."""
    if not (any(one.placed) and any(other.placed)):
        return False
    (low, high), (from_, to) = ((np.nanmin(state.points, 0), np.nanmax(state.points, 0)) for state in (one, other))
    return bool((low > to).any() or (from_ > high).any())


def _apart(one: State, other: State) -> float:
    """Mean distance of the landmarks that both have, px; infinite where there are none."""
    steps = np.linalg.norm(one.points - other.points, axis=-1)
    steps = steps[np.isfinite(steps)]
    return float(steps.mean()) if steps.size else np.inf
