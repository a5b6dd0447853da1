"""What a model knows, and whether a photograph and its prediction belong to it.

Six numbers per specimen, each the larger the stranger. Each has a limit that photographs like those of the training
exceed once in some hundred times; what exceeds one is for a person to look at. Nothing here says how large errors are
(`calibration` does); it says where such a statement would be worth nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from pronotum.evaluation.folds import grouped_folds
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import centroid_size, fit_similarity, mean_shape, superimpose

FLAGS = {
    "shape": "impossible configuration",
    "turn": "turned",
    "size": "unusual size",
    "picture": "picture unlike the training set",
    "doubt": "low confidence",
    "hidden": "landmark hidden",
}
"""What is said of a specimen whose score of that name exceeds its limit."""
OUTSIDE, MISSING = "landmark outside the photograph", "landmark not placed"
DEVIATIONS = 3.5
"""Standard deviations beyond the mean at which a limit lies: of the logarithm of a score, or of turn and size."""
LEAST_TURN = 25.0
"""Degrees: networks learn from photographs turned by up to 20."""
LEAST_DOUBT = 0.15
"""-log of confidence: models of different folds differ by as much about photographs that are perfectly ordinary."""
LEAST_SIZE = 0.3
"""Log of the ratio of sizes: networks learn from photographs enlarged by up to a fifth."""
SHRINKAGE = 5.0
"""Specimens' worth of belief that the network is as sure of a landmark as of all others."""
LEAST_HIDDEN = 4.0
HIDDEN_QUANTILE = 0.99
"""Standard deviations by which a hidden landmark is more doubtful than usual: at least so many, and more than are
reached in so large a share of specimens."""
LEAST_LANDMARKS = 3
"""Below, there is no shape."""
LEAST_SPECIMENS = 5
"""Below, nothing is said of what is usual."""
INSIDE_FOLDS = 5
"""Specimens are judged by the covariance of others: in so many parts."""


@dataclass(frozen=True, eq=False)
class Domain:
    """What the training specimens were like.

    Attributes:
        shape: (K, 2) their mean shape, centred, at centroid size 1.
        spread: (2K, 2K) covariance of superimposed shapes.
        turn: mean angle of the specimens against `shape`, degrees.
        size: mean log of centroid size as a share of the photograph's diagonal.
        picture: (D,) mean description of the photographs.
        variety: (D, D) covariance of the descriptions.
        limits: by the names of `FLAGS`; a score that is not named has none.
        doubts: (K, 2) mean and standard deviation of log doubt (-log of confidence) in each landmark; NaN = unknown.
    """

    shape: FloatArray
    spread: FloatArray
    turn: float
    size: float
    picture: FloatArray
    variety: FloatArray
    limits: dict[str, float]
    doubts: FloatArray

    def scores(
        self, points: FloatArray, confidence: FloatArray, sizes: Sequence[tuple[int, int]], described: FloatArray
    ) -> dict[str, FloatArray]:
        """How strange predictions are.

        Args:
            points: (N, K, 2) px of the photographs; NaN = not placed.
            confidence: (N, K); NaN = unknown.
            sizes: (N,) width and height of the photographs, px.
            described: (N, D) descriptions of the photographs (`pictures.describe`).

        Returns:
            (N,) by the names of `FLAGS`; NaN where it cannot be told.
        """
        turn, size = _poses(points, self.shape, sizes)
        with np.errstate(invalid="ignore"):
            known = np.isfinite(confidence).any(1)
            mean = np.where(known, np.nansum(np.log(np.clip(confidence, 1e-6, 1)), 1), np.nan)
        return {
            "shape": _misfits(points, self.shape, self.spread),
            "turn": np.abs((turn - self.turn + 180) % 360 - 180),
            "size": np.abs(size - self.size),
            "picture": _mahalanobis(described - self.picture, self.variety),
            "doubt": -mean / np.maximum(np.isfinite(confidence).sum(1), 1),
            "hidden": np.nanmax(np.nan_to_num(self._hidden(confidence), nan=-1.0), axis=1),
        }

    def _hidden(self, confidence: FloatArray) -> FloatArray:
        """(N, K) standard deviations by which each landmark is more doubtful than is usual of it; NaN = unknown."""
        deviations: FloatArray = (_log_doubt(confidence) - self.doubts[:, 0]) / self.doubts[:, 1]
        return deviations

    def judge(
        self, points: FloatArray, confidence: FloatArray, sizes: Sequence[tuple[int, int]], described: FloatArray
    ) -> tuple[list[tuple[str, ...]], FloatArray]:
        """What is to be said of predictions; arguments as of `scores`.

        Returns:
            (N,) flags, none where there is nothing to say; and (N,) urgency, the largest score as a multiple of its
            limit, by which to look through them. Predictions with a landmark missing or outside come first.
        """
        scores, hidden = self.scores(points, confidence, sizes, described), self._hidden(confidence)
        urgency = np.zeros(len(points))
        found: list[list[str]] = [[] for _ in points]
        for name, limit in self.limits.items():
            ratio = np.nan_to_num(scores[name] / limit, nan=0.0)
            urgency = np.maximum(urgency, ratio)
            for at in np.flatnonzero(ratio > 1):
                found[at].append(FLAGS[name] + (_listed(hidden[at] > limit) if name == "hidden" else ""))
        missing = np.isnan(points).any((1, 2))
        beyond = ((points < -0.5) | (points > np.array(sizes)[:, None] - 0.5)).any((1, 2))
        for at in np.flatnonzero(missing):
            found[at].append(MISSING)
        for at in np.flatnonzero(beyond):
            found[at].append(OUTSIDE)
        return [tuple(one) for one in found], urgency + 1000.0 * (missing | beyond)

    def as_plain(self) -> dict[str, Any]:
        """As values JSON can hold."""
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Domain:
        """Back from `as_plain`; raises KeyError, TypeError or ValueError where it is something else."""
        names = ("shape", "spread", "picture", "variety", "doubts")
        arrays = {name: np.array(plain[name], dtype=np.float64) for name in names}
        limits = {str(name): float(value) for name, value in plain["limits"].items() if name in FLAGS}
        return cls(**arrays, turn=float(plain["turn"]), size=float(plain["size"]), limits=limits)


def learn(
    manual: FloatArray,
    sizes: Sequence[tuple[int, int]],
    described: FloatArray,
    *,
    predicted: FloatArray | None = None,
    confidence: FloatArray | None = None,
) -> Domain | None:
    """What training specimens are like; None with fewer than five.

    Args:
        manual: (N, K, 2) px; NaN = missing.
        sizes: (N,) width and height of the photographs, px.
        described: (N, D) descriptions of the photographs.
        predicted: (N, K, 2) out-of-fold predictions of the same specimens, whose scores set the limits; None = the
            manual landmarks do.
        confidence: (N, K) of the predictions; None = confidence has no limit.
    """
    if len(manual) < LEAST_SPECIMENS:
        return None
    answers = manual if predicted is None else predicted
    trust = np.full(manual.shape[:2], np.nan) if confidence is None else confidence
    whole = _without_limits(manual, sizes, described, trust)
    reference: dict[str, FloatArray] = {name: np.full(len(manual), np.nan) for name in FLAGS}
    for held in grouped_folds(range(len(manual)), min(INSIDE_FOLDS, len(manual)), 0):
        others = np.setdiff1d(np.arange(len(manual)), held)
        near = _without_limits(manual[others], [sizes[i] for i in others], described[others], trust[others])
        scores = near.scores(answers[held], trust[held], [sizes[i] for i in held], described[held])
        for name, values in scores.items():
            reference[name][held] = values
    limits = {name: limit for name, values in reference.items() if (limit := _limit(values)) is not None}
    if "doubt" in limits:
        limits["doubt"] = max(limits["doubt"], LEAST_DOUBT)
    for name, least in (("turn", LEAST_TURN), ("size", LEAST_SIZE)):
        limits[name] = max(DEVIATIONS * float(np.sqrt(_mean(reference[name] ** 2))), least)
    if manual.shape[1] < LEAST_LANDMARKS:
        limits.pop("shape", None)
    if np.isfinite(trust).any():
        limits["hidden"] = max(LEAST_HIDDEN, float(np.nanquantile(reference["hidden"], HIDDEN_QUANTILE)))
    else:
        limits.pop("hidden", None)
    return replace(whole, limits=limits)


def _mean(values: FloatArray) -> float:
    """Mean of the values that are known; 0 where none is, as of the size of a single landmark."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def _listed(which: NDArray[np.bool_]) -> str:
    """Numbers of landmarks, from 1."""
    return " " + ", ".join(str(k + 1) for k in np.flatnonzero(which))


def _log_doubt(confidence: FloatArray) -> FloatArray:
    doubt: FloatArray = np.log(-np.log(np.clip(confidence, 1e-6, 1 - 1e-4)))
    return doubt


def _doubts(confidence: FloatArray) -> FloatArray:
    """(K, 2) mean and standard deviation of log doubt (N, K), drawn towards those of all landmarks."""
    logs = _log_doubt(confidence)
    if not np.isfinite(logs).any():
        return np.full((logs.shape[1], 2), np.nan)
    n = np.isfinite(logs).sum(0)
    overall = float(np.nanmean(logs))
    mean = (np.nansum(logs, 0) + SHRINKAGE * overall) / (n + SHRINKAGE)
    squares = np.nansum((logs - mean) ** 2, 0)
    pooled = float(squares.sum() / n.sum())
    return np.stack([mean, np.sqrt((squares + SHRINKAGE * pooled) / (n + SHRINKAGE)) + 1e-3], -1)


def _without_limits(
    points: FloatArray, sizes: Sequence[tuple[int, int]], described: FloatArray, confidence: FloatArray
) -> Domain:
    mean = mean_shape(points)
    mean = np.where(np.isnan(mean), 0, mean)
    mean = mean - mean.mean(0)
    mean = mean / max(float(np.linalg.norm(mean)), 1e-9)
    moved = superimpose(points, np.broadcast_to(mean, points.shape))
    rest = np.where(np.isnan(moved), 0, moved - mean).reshape(len(points), -1)
    turn, size = _poses(points, mean, sizes)
    angle = np.radians(turn[np.isfinite(turn)])
    centre = float(np.degrees(np.arctan2(np.sin(angle).mean(), np.cos(angle).mean()))) if len(angle) else 0.0
    picture = described.mean(0)
    return Domain(
        mean,
        _covariance(rest),
        centre,
        _mean(size),
        picture,
        _covariance(described - picture),
        {},
        _doubts(confidence),
    )


def _covariance(rest: FloatArray) -> FloatArray:
    """Shrunken covariance of centred rows, never singular."""
    covariance: FloatArray = ledoit_wolf(rest, assume_centered=True)[0] if len(rest) > 1 else np.eye(rest.shape[1])
    scale = np.trace(covariance) / len(covariance)
    result: FloatArray = covariance + (1e-3 * scale + 1e-12) * np.eye(len(covariance))
    return result


def _poses(points: FloatArray, shape: FloatArray, sizes: Sequence[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """(N,) turn in degrees against the shape, and (N,) log of centroid size as a share of the diagonal; NaN = none."""
    diagonal = np.hypot(*np.array(sizes, dtype=np.float64).T)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.log(centroid_size(points) / diagonal)
    turn = np.full(len(points), np.nan)
    there = np.asarray(np.isfinite(points).all(-1))
    for at in np.flatnonzero(there.sum(1) >= 2):
        pose = fit_similarity(shape[there[at]], points[at][there[at]])
        turn[at] = np.degrees(np.arctan2(pose[1, 0], pose[0, 0]))
    return turn, np.where(np.isfinite(size), size, np.nan)


def _misfits(points: FloatArray, shape: FloatArray, covariance: FloatArray) -> FloatArray:
    """(N,) mean squared Mahalanobis distance per coordinate of superimposed configurations from the mean shape."""
    moved = superimpose(points, np.broadcast_to(shape, points.shape))
    rest = (moved - shape).reshape(len(points), -1)
    result = np.full(len(points), np.nan)
    present = np.isfinite(rest)
    for at in range(len(points)):
        there = np.flatnonzero(present[at])
        if len(there) >= 2 * LEAST_LANDMARKS:
            known = rest[at, there]
            result[at] = known @ np.linalg.solve(covariance[np.ix_(there, there)], known) / len(known)
    return result


def _mahalanobis(rest: FloatArray, covariance: FloatArray) -> FloatArray:
    """(N,) mean squared Mahalanobis distance per value of rows (N, D)."""
    squares: FloatArray = (rest * np.linalg.solve(covariance, rest.T).T).mean(1)
    return squares


def _limit(values: FloatArray) -> float | None:
    """The score beyond which specimens like these hardly ever are: of a normal distribution of its logarithm."""
    known = np.log(np.maximum(values[np.isfinite(values)], 1e-9))
    return float(np.exp(known.mean() + DEVIATIONS * known.std())) if len(known) >= 3 else None
