"""Do groups differ in the same way in both sets?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray
from pronotum.morphometrics import vectors
from pronotum.morphometrics.linear_model import LinearModel, linear_model
from pronotum.morphometrics.pairing import complete_pairs
from pronotum.morphometrics.resampling import PERMUTATIONS, RESAMPLES, Estimate, estimate, resampled_means


@dataclass(frozen=True, eq=False)
class GroupPair:
    """The difference between two groups in both sets.

    Attributes:
        first: name of one group.
        second: name of the other.
        manual_distance: Procrustes distance between the manual means of the groups.
        predicted_distance: between their predicted means.
        angle: degrees between the two differences. It cannot be negative: its interval lies above 0.
        length_ratio: predicted over manual distance.
        manual_vector: (K, 2) second minus first manual mean, in units of centroid size.
        predicted_vector: (K, 2) second minus first predicted mean.
    """

    first: str
    second: str
    manual_distance: float
    predicted_distance: float
    angle: Estimate
    length_ratio: Estimate
    manual_vector: FloatArray
    predicted_vector: FloatArray


@dataclass(frozen=True)
class LeftOut:
    """A group that was not tested.

    Attributes:
        group: its name; empty for specimens without a group.
        n: its complete specimens.
        reason: why, in words.
    """

    group: str
    n: int
    reason: str


@dataclass(frozen=True)
class GroupDifferences:
    """Procrustes ANOVA of shape on groups, in both sets.

    Attributes:
        n: specimens used.
        counts: specimens used by group, names in alphabetical order.
        manual: the model of the manual shapes.
        predicted: the model of the predictions.
        pairs: every two groups.
        left_out: groups that were not tested.
    """

    n: int
    counts: dict[str, int]
    manual: LinearModel
    predicted: LinearModel
    pairs: tuple[GroupPair, ...]
    left_out: tuple[LeftOut, ...]


def group_differences(
    manual: FloatArray,
    predicted: FloatArray,
    groups: Sequence[str | None],
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
) -> GroupDifferences:
    """Test the difference between groups on both sets, and compare its direction and length.

    Args:
        manual: (N, K, 2) shapes, superimposed together with `predicted`; a specimen with a landmark missing in either
            set (NaN) is left out.
        predicted: (N, K, 2) of the same specimens in the same order.
        groups: (N,) population, sex, species ...; empty or None = unknown, and left out. So is a group of one specimen.
        seed: of permutations and bootstrap, which draws specimens within groups, both sets of each together.
        permutations: of the test of each set.
        resamples: of the bootstrap.

    Raises:
        UserError: see `pairing.complete_pairs`; another number of groups than of specimens; fewer than two groups with
            at least two specimens.

    Source:
        `linear_model`; the same test on both sets: Percival et al. (2019), Journal of Anatomy 234.
    """
    if len(groups) != len(manual):
        found = f"{counted(len(groups), 'group')} for {counted(len(manual), 'specimen')}"
        raise UserError("group differences", found=found, expected="one group per specimen")
    given = ["" if group is None else str(group) for group in groups]
    complete = complete_pairs(manual, predicted, "group differences")
    labels = np.array([name for name, used in zip(given, complete.used, strict=True) if used])
    counts, left_out = _divide(given, labels)
    kept = np.isin(labels, list(counts))
    labels = labels[kept]
    sets = [complete.manual[kept], complete.predicted[kept]]
    design = (labels[:, None] == np.array(list(counts))[1:]).astype(np.float64)
    models = [linear_model(shapes, design, seed=seed, permutations=permutations) for shapes in sets]
    return GroupDifferences(
        n=len(labels),
        counts=counts,
        manual=models[0],
        predicted=models[1],
        pairs=_pairs(sets, labels, tuple(counts), seed, resamples),
        left_out=left_out,
    )


def _divide(given: list[str], complete: NDArray[np.str_]) -> tuple[dict[str, int], tuple[LeftOut, ...]]:
    found = Counter(complete.tolist())
    counts: dict[str, int] = {}
    left_out = []
    for name in sorted(set(given)):
        n = found[name]
        if not name:
            left_out.append(LeftOut(name, n, "no group given"))
        elif n < 2:
            specimens = "a single complete specimen" if n else "no complete specimen"
            left_out.append(LeftOut(name, n, f"{specimens}: no variation within the group to compare with"))
        else:
            counts[name] = n
    if len(counts) < 2:
        text = f"{len(counts)} with at least two complete specimens"
        raise UserError("group differences", found=text, expected="at least 2 such groups")
    return counts, tuple(left_out)


def _pairs(
    sets: list[FloatArray], labels: NDArray[np.str_], names: tuple[str, ...], seed: int, resamples: int
) -> tuple[GroupPair, ...]:
    shape, d = sets[0].shape[1:], sets[0][0].size
    both = np.concatenate([shapes.reshape(len(labels), -1) for shapes in sets], axis=1)
    means = {name: both[labels == name].mean(0) for name in names}
    drawn = {
        name: resampled_means(both[labels == name], seed=seed + number, resamples=resamples)
        for number, name in enumerate(names)
    }
    pairs = []
    for first, second in combinations(names, 2):
        change, changes = means[second] - means[first], drawn[second] - drawn[first]
        manual, predicted = change[:d], change[d:]
        pairs.append(
            GroupPair(
                first,
                second,
                float(vectors.length(manual)),
                float(vectors.length(predicted)),
                estimate(float(vectors.angle(manual, predicted)), vectors.angle(changes[:, :d], changes[:, d:])),
                estimate(
                    float(vectors.length_ratio(predicted, manual)),
                    vectors.length_ratio(changes[:, d:], changes[:, :d]),
                ),
                manual.reshape(shape),
                predicted.reshape(shape),
            )
        )
    return tuple(pairs)
