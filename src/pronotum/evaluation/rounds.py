"""Rounds of cross-validation by specimen: one plan for all parts, and the guard against tested specimens in training.

A specimen is known by its identity, never by its row: parts lack different specimens, so rows of two files do not
agree. Identities are compared without case and padding zeros (`key`), which can only make the guard stricter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted, few
from pronotum.evaluation.folds import grouped_folds

PAPER_SIZES = {"pronotum": 33, "elytra": 33, "head": 33, "mandible_right": 30, "mandible_left": 26}
"""Test specimens per round in the paper (published result files of its authors; its text says 33 for every part)."""


def key(identity: str) -> str:
    """The form in which identities are compared: ``P_001`` and ``p_1`` are one specimen."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", identity.strip().casefold())


def keys(identities: Sequence[str], where: object = "specimens") -> list[str]:
    """The keys of rows.

    Raises:
        UserError: a row has no identity.
    """
    found = [key(identity) for identity in identities]
    nameless = [number for number, one in enumerate(found, start=1) if not one]
    if nameless:
        raise UserError(
            where,
            found=f"{counted(len(nameless), 'row')} without identity, the first is row {nameless[0]}",
            expected="the specimen's identity in every row",
            remedy="write ID= (TPS) or the specimen column, so that no specimen is trained on and tested at once",
        )
    return found


@dataclass(frozen=True)
class Plan:
    """Which specimens each round tests; all the others are its training specimens.

    Attributes:
        tests: identities of the test specimens of each round; each specimen is tested in exactly one.

    Raises:
        ValueError: fewer than two rounds, an empty one, or a specimen in two rounds.
    """

    tests: tuple[tuple[str, ...], ...]
    _rounds: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        where = {key(one): number for number, test in enumerate(self.tests, start=1) for one in test}
        if len(self.tests) < 2 or not all(self.tests) or len(where) != sum(map(len, self.tests)):
            raise ValueError("a plan needs two rounds or more, none empty, and each specimen in one of them")
        object.__setattr__(self, "_rounds", where)

    @property
    def n_rounds(self) -> int:
        """Number of rounds."""
        return len(self.tests)

    @property
    def specimens(self) -> tuple[str, ...]:
        """All specimens, in the order of the rounds."""
        return tuple(one for test in self.tests for one in test)

    def training(self, number: int) -> tuple[str, ...]:
        """Specimens that round `number` (from 1) may learn from: all that it does not test."""
        return tuple(one for other, test in enumerate(self.tests, start=1) if other != number for one in test)

    def rounds_of(self, specimens: Sequence[str], where: object = "specimens") -> NDArray[np.intp]:
        """The round (from 1) that tests each row.

        Args:
            specimens: (N,) identities of the rows of a part, in any order; a specimen may have several rows.
            where: what messages call these rows.

        Raises:
            UserError: a row without identity, or of a specimen that the plan does not know.
        """
        found = keys(specimens, where)
        unknown = [name for name, one in zip(specimens, found, strict=True) if one not in self._rounds]
        if unknown:
            raise UserError(
                where,
                found=f"{len(unknown)} of {len(found)} specimens are not in the plan of rounds: {few(unknown)}",
                expected="the specimens the plan was made for",
                remedy="make the plan from all parts, or correct the identities",
            )
        return np.array([self._rounds[one] for one in found], dtype=np.intp)

    def folds(self, specimens: Sequence[str], where: object = "specimens") -> list[NDArray[np.intp]]:
        """Rows that each round tests, ascending; empty for a round of which the part lacks every specimen.

        Raises:
            UserError: as `rounds_of`.
        """
        rounds = self.rounds_of(specimens, where)
        return [np.flatnonzero(rounds == number) for number in range(1, self.n_rounds + 1)]


def specimens_of(parts: Mapping[str, Sequence[str]], *, complete: bool = False) -> tuple[str, ...]:
    """The specimens of several parts as one list, each once, numbers in their natural order.

    Args:
        parts: identities of the rows of each part, by the part's name.
        complete: whether every part must have every specimen.

    Raises:
        UserError: a row without identity; a part that shares no specimen with the others; with `complete`, a part
            that lacks specimens.
    """
    by_part = {part: dict(zip(keys(rows, part), rows, strict=True)) for part, rows in parts.items()}
    for part, own in by_part.items():
        others = {one for name, other in by_part.items() if name != part for one in other}
        if others and others.isdisjoint(own):
            raise UserError(
                part,
                found=f"no specimen in common with {', '.join(name for name in parts if name != part)}",
                expected="one identity for a specimen in all parts",
                remedy=f"give its rows the same ID= in every file; here: {few(list(own.values()))}",
            )
    everything: dict[str, str] = {}
    for own in by_part.values():
        everything = own | everything
    for part, own in by_part.items():
        lacking = [name for one, name in everything.items() if one not in own]
        if complete and lacking:
            raise UserError(
                part,
                found=f"lacks {len(lacking)} of {counted(len(everything), 'specimen')}: {few(lacking)}",
                expected="the same specimens in all parts",
                remedy="add them, or leave them out of the other parts",
            )
    return tuple(sorted(everything.values(), key=_natural))


def contiguous(specimens: Sequence[str], size: int) -> Plan:
    """Rounds of neighbours in the order given, `size` specimens each, the last with what is left.

    Acquisition batches stay together, so that rounds differ; see `shuffled` for the usual choice.

    Args:
        specimens: identities in order; repeated rows of a specimen count once.
        size: test specimens per round.

    Raises:
        UserError: a row without identity, or a size that does not leave two rounds.

    Source:
        Le, Beurton-Aimar, Zemmari & Parisey, section 6; spec A.6: 8 x 33 + 29, 9 x 30 + 20, 11 x 26.
    """
    unique = _unique(specimens)
    if not 1 <= size < len(unique):
        raise UserError(
            "rounds",
            found=f"{counted(size, 'test specimen')} per round of {counted(len(unique), 'specimen')}",
            expected=f"1 to {len(unique) - 1}" if len(unique) > 1 else "two specimens or more",
            remedy="choose another size, or add specimens",
        )
    return Plan(tuple(unique[start : start + size] for start in range(0, len(unique), size)))


def shuffled(
    specimens: Sequence[str], n_rounds: int, *, seed: int = 0, groups: Mapping[str, str] | None = None
) -> Plan:
    """Rounds of about equal size, drawn at random; the default of cross-validation.

    Args:
        specimens: identities; repeated rows of a specimen count once.
        n_rounds: number of rounds.
        seed: of the draw.
        groups: what else must stay together (brood, photographer ...), by identity; default each specimen by itself.

    Raises:
        UserError: a row without identity, fewer specimens or groups than rounds, or a specimen without group.
    """
    unique = _unique(specimens)
    if not 2 <= n_rounds <= len(unique):
        raise UserError(
            "rounds",
            found=f"{counted(n_rounds, 'round')} of {counted(len(unique), 'specimen')}",
            expected=f"2 to {len(unique)} rounds" if len(unique) > 1 else "two specimens or more",
            remedy="ask for fewer rounds, or add specimens",
        )
    group_of = {key(name): group for name, group in groups.items()} if groups else {key(one): one for one in unique}
    alone = [one for one in unique if key(one) not in group_of]
    if alone:
        raise UserError(
            "groups",
            found=f"{counted(len(alone), 'specimen')} without a group: {few(alone)}",
            expected="a group for each specimen",
            remedy="add them, with their own identity as group if they belong to none",
        )
    folds = grouped_folds([group_of[key(one)] for one in unique], n_rounds, seed)
    return Plan(tuple(tuple(unique[i] for i in fold) for fold in folds))


def contaminated(pretraining: Iterable[str], tested: Iterable[str]) -> set[str]:
    """Test specimens that a model had seen, on whatever part, before it was tested on them.

    Args:
        pretraining: identities of every specimen, of any part, that any earlier training used.
        tested: identities of the test specimens.

    Returns:
        those of `tested` among `pretraining`, as `tested` writes them; the empty set proves disjointness.

    Raises:
        UserError: an identity is empty, so that nothing can be proved.

    Source:
        Spec A.7, F.5 and finding 2: the paper pre-trained on the test specimens of eight of its nine rounds.
    """
    seen, names = set(keys(list(pretraining), "pre-training specimens")), list(tested)
    return {name for name, one in zip(names, keys(names, "test specimens"), strict=True) if one in seen}


def require_clean(pretraining: Collection[str], plan: Plan, number: int) -> None:
    """Refuse to pre-train for a round with specimens that it tests.

    Raises:
        UserError: pre-training and test specimens of round `number` (from 1) have some in common.
    """
    leaked = sorted(contaminated(pretraining, plan.tests[number - 1]), key=_natural)
    if leaked:
        raise UserError(
            f"round {number}",
            found=f"{len(leaked)} of its {len(plan.tests[number - 1])} test specimens are in the pre-training: "
            + few(leaked),
            expected="pre-training without any part of the specimens tested",
            remedy="pre-train anew for this round, or ask for the paper's contaminated mode by name",
        )


def _unique(specimens: Sequence[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for one, name in zip(keys(specimens), specimens, strict=True):
        first.setdefault(one, name)
    return tuple(first.values())


def _natural(name: str) -> list[tuple[int, str]]:
    runs = re.findall(r"\d+|\D+", key(name))
    return [(len(run), run) if run[0].isdigit() else (0, run) for run in runs]
