"""Errors that show in the configuration: mirrored, y flipped, swapped, shifted, reversed, one landmark off.

Every configuration is compared with all the others, of which the strangest are left aside: mean squared Mahalanobis
distance per coordinate after superimposition (its *misfit*). Of a strange one, every change that would explain it is
tried; it is proposed where it makes the configuration an ordinary one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from pronotum.doctor.finding import Change, Finding
from pronotum.doctor.readings import READINGS
from pronotum.geometry import transform
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape, superimpose

KINDS = ("mirrored", "y flipped", "swapped", "order", "landmark", "configuration")
"""Of the findings made here."""
ORDERS = ("swapped", "order")
REFLECTED = ("mirrored", "y flipped")
"""Of those, the ones that say that the order of landmarks is another one."""
LEAST_SPECIMENS = 5
LEAST_LANDMARKS = 4
"""With three, every order of them is a triangle like the others."""
ASIDE = 0.2
"""Share of the strangest configurations that the others are not judged by."""
DEVIATIONS = 4.0
"""Robust standard deviations of log misfit beyond the median at which a configuration is strange."""
EXPLAINED = 0.5
"""A change explains a strange configuration where it leaves at most this share of its misfit."""
SURPRISING = 6.0
"""How many times as far as usual a landmark must lie from where the others say."""
NOTABLE = 0.03
"""And how far at least, as a share of centroid size."""
SHRINKAGE = 10.0
"""Specimens' worth of belief that a landmark varies like all others."""
TURN = 0.25
"""Radians by which specimens are turned against each other on a usual photograph, at least."""
STRANGEST = 50.0
"""Squared deviations of pose beyond which all are equally strange; an explanation that leads there has to fit exp(2)
times as well as one that leads to the usual pose."""
MAX_SWAPS = 2000
"""Pairs of landmarks tried at most, the nearest first."""


@dataclass(frozen=True, eq=False)
class Usual:
    """What configurations are like, judged by those that are not strange.

    Attributes:
        mean: (K, 2) mean shape at centroid size 1.
        inverse: (2K, 2K) inverse covariance of superimposed configurations.
    """

    mean: FloatArray
    inverse: FloatArray

    @classmethod
    def of(cls, points: FloatArray) -> Usual:
        """Learn from configurations (N, K, 2); NaN = missing, taken to be as in the mean shape."""
        sizes = centroid_size(points)[:, None, None]
        shapes = points / np.where(sizes > 0, sizes, np.nan)  # without size there is no shape
        mean = np.nan_to_num(mean_shape(shapes))
        mean = mean / max(float(np.linalg.norm(mean)), 1e-12)
        moved = superimpose(shapes, np.broadcast_to(mean, shapes.shape))
        rest = np.where(np.isnan(moved), 0, moved - mean).reshape(len(points), -1)
        covariance = ledoit_wolf(rest, assume_centered=True)[0]
        noise = max(1e-3 * float(np.trace(covariance)) / len(covariance), 1e-12)
        return cls(mean, np.linalg.inv(covariance + noise * np.eye(len(covariance))))

    def surprise(self, points: FloatArray) -> FloatArray:
        """(..., K) distance of each landmark of configurations (..., K, 2) from where all others say it should be.

        As a share of centroid size. Gaussian conditional mean from the inverse covariance P: the residual of landmark k
        given the others is inv(P_kk) (P r)_k.
        """
        rest = superimpose(points, np.broadcast_to(self.mean, points.shape)) - self.mean
        k = len(self.mean)
        weighted = (np.nan_to_num(rest).reshape(*points.shape[:-2], -1) @ self.inverse).reshape(*points.shape)
        blocks = np.linalg.inv(self.inverse.reshape(k, 2, k, 2)[np.arange(k), :, np.arange(k)])
        away: FloatArray = np.linalg.norm(np.einsum("kij,...kj->...ki", blocks, weighted), axis=-1)
        return away

    def misfit(self, points: FloatArray) -> FloatArray:
        """(...) mean squared Mahalanobis distance per coordinate of configurations (..., K, 2)."""
        rest = superimpose(points, np.broadcast_to(self.mean, points.shape)) - self.mean
        rest = np.nan_to_num(rest).reshape(*points.shape[:-2], -1)
        there = np.maximum((~np.isnan(points)).sum((-1, -2)), 1)
        misfit: FloatArray = np.einsum("...i,ij,...j->...", rest, self.inverse, rest) / there
        return misfit


def usual_of_most(points: FloatArray) -> tuple[Usual, NDArray[np.intp]]:
    """What configurations (N, K, 2) are like, the strangest left aside, and the positions of those that count."""
    n = len(points)
    everything = Usual.of(points)
    for _ in range(2):
        ordinary = everything.misfit(points).argsort()[: max(n - max(1, round(ASIDE * n)), 3)]
        everything = Usual.of(points[ordinary])
    return everything, ordinary


def usual_without(points: FloatArray) -> tuple[list[Usual], FloatArray]:
    """For each configuration (N, K, 2) what the others are like, the strangest left aside; and (N,) its misfit."""
    everything, ordinary = usual_of_most(points)
    others = [Usual.of(points[ordinary[ordinary != i]]) if i in ordinary else everything for i in range(len(points))]
    return others, np.array([usual.misfit(own) for usual, own in zip(others, points, strict=True)])


def limit_of(misfits: FloatArray) -> float:
    """The misfit beyond which a configuration is strange: median and median absolute deviation of the logarithm."""
    logs = np.log(misfits + 1e-12)
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    return float(np.exp(middle + DEVIATIONS * max(spread, 0.15)))


def orders(mean: FloatArray) -> list[tuple[str, tuple[int, ...]]]:
    """Orders of landmarks that people make by mistake: two exchanged, begun elsewhere, the other way round."""
    k = len(mean)
    straight = tuple(range(k))
    pairs = sorted(combinations(range(k), 2), key=lambda pair: float(np.linalg.norm(mean[pair[0]] - mean[pair[1]])))
    found = []
    for a, b in pairs[:MAX_SWAPS]:
        order = list(straight)
        order[a], order[b] = b, a
        found.append(("swapped", tuple(order)))
    found += [("order", straight[s:] + straight[:s]) for s in range(1, k)]
    found += [("order", (straight[s:] + straight[:s])[::-1]) for s in range(k)]
    return found


def strange_configurations(
    points: FloatArray, sizes: Sequence[tuple[int, int] | None], names: Sequence[str]
) -> list[Finding]:
    """What is wrong with configurations.

    Args:
        points: (N, K, 2) px, y down; NaN = missing.
        sizes: (N,) width and height of the photographs; None = unknown.
        names: (N,) of the specimens.
    """
    if len(points) < LEAST_SPECIMENS or points.shape[1] < LEAST_LANDMARKS:
        return []
    usual, misfits = usual_without(points)
    limit = limit_of(misfits)
    tried = orders(usual[0].mean)
    alone = {one.specimen: one for one in single_landmarks(points, usual, names)}
    findings = []
    for i in sorted({*map(int, np.flatnonzero(misfits > limit)), *alone}):
        found = _explain(i, points, sizes, names[i], usual[i], misfits, limit, tried)
        findings.append(alone.get(i, found) if found.kind in ("landmark", "configuration") else found)
    return findings


def other_orders(points: FloatArray, sizes: Sequence[tuple[int, int] | None], names: Sequence[str]) -> list[Finding]:
    """Configurations whose landmarks are in another order than those of most; arguments as `strange_configurations`."""
    return [one for one in at_a_glance(points, sizes, names) if one.kind in ORDERS]


def at_a_glance(points: FloatArray, sizes: Sequence[tuple[int, int] | None], names: Sequence[str]) -> list[Finding]:
    """A quick `strange_configurations`: each is compared with most of the others, not with all but itself."""
    if len(points) < LEAST_SPECIMENS or points.shape[1] < LEAST_LANDMARKS:
        return []
    usual, _ = usual_of_most(points)
    misfits = usual.misfit(points)
    limit, tried = limit_of(misfits), orders(usual.mean)
    strange = map(int, np.flatnonzero(misfits > limit))
    return [_explain(i, points, sizes, names[i], usual, misfits, limit, tried) for i in strange]


def single_landmarks(points: FloatArray, usual: Sequence[Usual], names: Sequence[str]) -> list[Finding]:
    """Landmarks that lie far from where the others of their specimen say, by what is usual of that landmark."""
    surprise = np.stack([one.surprise(own) for one, own in zip(usual, points, strict=True)])
    surprise = np.where(np.isnan(points).any(-1), np.nan, surprise)
    typical = np.nanmedian(surprise, 0)
    typical = (len(points) * np.nan_to_num(typical) + SHRINKAGE * np.nanmedian(surprise)) / (len(points) + SHRINKAGE)
    times = np.nan_to_num(np.where(surprise > NOTABLE, surprise / np.maximum(typical, 1e-9), 0))
    findings = []
    for i in map(int, np.flatnonzero(times.max(1) > SURPRISING)):
        k = int(times[i].argmax())
        evidence = (
            f"landmark {k + 1} lies {100 * surprise[i, k]:.1f} % of centroid size from where the others say, "
            f"usually {100 * typical[k]:.1f} %"
        )
        severity = float(2 * np.log(times[i, k]))
        change = Change("missing", landmarks=(k,))
        findings.append(Finding("landmark", i, names[i], severity, evidence, (k,), change))
    return findings


@dataclass(frozen=True, eq=False)
class Explanation:
    """One way to make a strange configuration an ordinary one.

    Attributes:
        kind: of error.
        mended: (K, 2) px, the configuration after the change.
        change: the change.
        words: how to say it.
        landmarks: 0-based, those it is about.
        handicap: by how much it has to fit better than others to be believed.
    """

    kind: str
    mended: FloatArray
    change: Change
    words: str
    landmarks: tuple[int, ...] = ()
    handicap: float = 1.0


def _explanations(
    own: FloatArray, size: tuple[int, int] | None, usual: Usual, tried: list[tuple[str, tuple[int, ...]]]
) -> list[Explanation]:
    """All flips, and the best of each kind of change that there are many of."""
    found = [
        Explanation("mirrored", own_flip(own, size, 0), Change("flip x"), "if it is mirrored"),
        Explanation("y flipped", own_flip(own, size, 1), Change("flip y"), "if it is turned upside down"),
    ]
    misfits = usual.misfit(np.stack([own[list(order)] for _, order in tried]))
    for kind in ("swapped", "order"):
        at = min((k for k, (name, _) in enumerate(tried) if name == kind), key=lambda k: float(misfits[k]))
        order = tried[at][1]
        words, which = "in the order " + " ".join(str(k + 1) for k in order), tuple[int, ...]()
        if kind == "swapped":
            which = tuple(k for k, other in enumerate(order) if k != other)
            words = "with landmarks {} and {} exchanged".format(*(k + 1 for k in which))
        found.append(Explanation(kind, own[list(order)], Change("permute", order=order), words, which))
    without = np.repeat(own[None], len(own), axis=0)
    without[np.arange(len(own)), np.arange(len(own))] = np.nan
    off = int(usual.misfit(without).argmin())
    # Without its worst landmark every configuration fits better, so that has to explain twice as much.
    gone = Change("missing", landmarks=(off,))
    found.append(Explanation("landmark", without[off], gone, f"without landmark {off + 1}", (off,), 2.0))
    return found


def _explain(
    i: int,
    points: FloatArray,
    sizes: Sequence[tuple[int, int] | None],
    name: str,
    usual: Usual,
    misfits: FloatArray,
    limit: float,
    tried: list[tuple[str, tuple[int, ...]]],
) -> Finding:
    own, misfit = points[i], float(misfits[i])
    severity = float(np.log(misfit / np.median(misfits)))
    said = f"misfit {misfit:.1f}, usually {np.median(misfits):.1f} and hardly ever above {limit:.1f}"
    poses = Poses.of(np.delete(points, i, axis=0), [size for k, size in enumerate(sizes) if k != i])
    found = _explanations(own, sizes[i], usual, tried)
    left = [float(usual.misfit(one.mended)) for one in found]
    # A symmetric part fits both mirrored and the other way round: the usual pose on the photograph decides.
    scores = [
        np.log(rest * one.handicap + 1e-9) + min(poses.strangeness(one.mended, sizes[i]), STRANGEST) / STRANGEST * 2
        for one, rest in zip(found, left, strict=True)
    ]
    best = int(np.argmin(scores))
    if left[best] > EXPLAINED * misfit or left[best] > 2 * limit:
        return Finding("configuration", i, name, severity, f"{said}; no exchange of landmarks explains it")
    severity += float(np.log(misfit / max(left[best], 1e-9)))
    chosen = found[best]
    evidence = f"{said}; {left[best]:.1f} {chosen.words}"
    return Finding(chosen.kind, i, name, severity, evidence, chosen.landmarks, chosen.change)


@dataclass(frozen=True, eq=False)
class Poses:
    """How specimens lie on their photographs.

    Attributes:
        mean: (K, 2) their mean shape.
        turn: the usual turn against it, on the unit circle.
        turns: radians by which specimens differ from it.
        centre: (2,) usual place as a share of width and height; NaN where no size is known.
        places: (2,) by how much specimens differ from it.
    """

    mean: FloatArray
    turn: complex
    turns: float
    centre: FloatArray
    places: FloatArray

    @classmethod
    def of(cls, points: FloatArray, sizes: Sequence[tuple[int, int] | None]) -> Poses:
        """Of specimens (N, K, 2) px."""
        mean = mean_shape(points)
        turns = np.array([_turn(mean, own) for own in points])
        usual = complex(np.median(turns.real), np.median(turns.imag))
        usual = usual / abs(usual) if abs(usual) > 0 else 1 + 0j
        differ = float(np.median(np.abs(np.angle(turns * np.conj(usual)))))
        known = [np.nanmean(own, 0) / np.array(size) for own, size in zip(points, sizes, strict=True) if size]
        places = np.array(known) if known else np.full((1, 2), np.nan)
        return cls(mean, usual, max(TURN, 1.5 * differ), np.median(places, 0), places.std(0) + 0.02)

    def strangeness(self, points: FloatArray, size: tuple[int, int] | None) -> float:
        """Squared deviations of turn and place of a configuration (K, 2) from the usual ones."""
        angle = float(np.angle(_turn(self.mean, points) * np.conj(self.turn)))
        away = 0.0
        if size is not None:
            away = float(
                np.nan_to_num(((np.nanmean(points, 0) / np.array(size) - self.centre) / self.places) ** 2).sum()
            )
        return (angle / self.turns) ** 2 + away


def own_flip(points: FloatArray, size: tuple[int, int] | None, axis: int) -> FloatArray:
    """Points (K, 2) px mirrored within their photograph, or about their own middle where its size is unknown."""
    return transform(flip_matrix(points, size, axis), points)


def flip_matrix(points: FloatArray, size: tuple[int, int] | None, axis: int) -> FloatArray:
    """3x3 of `own_flip`, for what else the record has."""
    if size is not None:
        return READINGS[("flip x", "flip y")[axis]].matrix(*size)
    matrix = np.eye(3)
    matrix[axis, axis], matrix[axis, 2] = -1, np.nanmin(points[:, axis]) + np.nanmax(points[:, axis])
    return matrix


def _turn(mean: FloatArray, points: FloatArray) -> complex:
    """Turn from the mean shape to a configuration, as a number on the unit circle."""
    pose = fit_similarity(mean, points)
    value = complex(pose[0, 0], pose[1, 0])
    return value / abs(value) if abs(value) > 0 else 1 + 0j
