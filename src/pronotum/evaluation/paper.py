"""The tables of the paper, and the ones it lacks, as pandas frames made from a `Part`.

Le, Beurton-Aimar, Zemmari & Parisey, "Deep Learning for landmarking on morphometry anatomical images". Distances are
Euclidean and in the unit of the part; a landmark missing in either set is left out; every mean is over all specimens
of all rounds. Rows that belong to no landmark are called ``all``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pronotum.evaluation import bootstrap, correlation
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.rounds import Plan
from pronotum.geometry import PAPER_FRAME
from pronotum.landmarks import FloatArray

LIMIT = 10.0
"""px of the 256x192 frame that the paper takes for an acceptable error (section 6)."""
THRESHOLDS = (2.0, 2.5, 3.0, 4.0, 5.0, LIMIT)
ALL = "all"


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of one training.

    Attributes:
        train: (E,) after each epoch; mean squared error of coordinates scaled to [-1, 1], called RMSE in the paper.
        valid: (E,) the same of the validation rows; NaN where it was not measured.
    """

    train: FloatArray
    valid: FloatArray


@dataclass(frozen=True)
class Bands:
    """How many specimens err little, bearably and badly at one landmark.

    Attributes:
        mean: mean distance.
        limit: the largest bearable distance.
        below: specimens strictly below the mean, and not above the limit.
        bearable: specimens from the mean to the limit, both included.
        above: specimens above the limit.
    """

    mean: float
    limit: float
    below: int
    bearable: int
    above: int

    @property
    def n(self) -> int:
        """Number of specimens."""
        return self.below + self.bearable + self.above

    @property
    def percent(self) -> tuple[float, float, float]:
        """Shares of the three bands, %; NaN without specimens."""
        counts = (self.below, self.bearable, self.above)
        below, bearable, above = (100 * count / self.n if self.n else np.nan for count in counts)
        return below, bearable, above


def bands(distances: FloatArray, limit: float = LIMIT) -> Bands:
    """Sort the distances of one landmark into the three bands of the paper.

    Args:
        distances: (N,), NaN left out.
        limit: in the same unit.

    Source:
        Figure 12 and its text: 56.66, 40.27 and 3.07 % = 166, 118 and 9 pronota at landmark 1.
    """
    known = distances[~np.isnan(distances)]
    mean = float(known.mean()) if known.size else np.nan
    above = known > limit
    below = (known < mean) & ~above
    return Bands(mean, limit, int(below.sum()), int((~below & ~above).sum()), int(above.sum()))


def loss_table(losses: Mapping[int, Losses]) -> pd.DataFrame:
    """Losses after the last epoch, one row per round.

    Args:
        losses: by number of the round.

    Returns:
        ``round, epochs, train_loss, valid_loss, train_px, valid_px``; the last two are the paper's own conversion,
        sqrt(loss) times half the width of its frame, which overstates vertical errors. Report px from coordinates.

    Source:
        Tables 1, 5, 7, 9; spec finding 5.
    """
    half = PAPER_FRAME[0] / 2
    rows = [
        {"round": number, "epochs": len(run.train), "train_loss": float(run.train[-1]), "valid_loss": run.valid[-1]}
        for number, run in losses.items()
    ]
    table = pd.DataFrame(rows, columns=["round", "epochs", "train_loss", "valid_loss"])
    return table.assign(train_px=np.sqrt(table["train_loss"]) * half, valid_px=np.sqrt(table["valid_loss"]) * half)


def distance_table(part: Part, method: str = SCRATCH, *, limit: float = LIMIT) -> pd.DataFrame:
    """Distances per landmark and over all of them.

    Returns:
        ``landmark, n, mean, sd, median, p95, percent_below_mean, percent_over_limit, n_contaminated``. `sd` is the
        sample standard deviation over specimens. `percent_below_mean` is the authors' "well predicted": outliers
        raise it, so never rank methods by it. `n_contaminated` counts specimens the method had been trained on.

    Source:
        Tables 3 and 4; spec B.1.
    """
    errors = part.errors(method)
    columns = [*zip(part.landmarks, errors.T, strict=True), (ALL, errors.ravel())]
    seen = part.n_contaminated(method)
    return pd.DataFrame(
        [{"landmark": name, **_spread(values, limit), "n_contaminated": seen} for name, values in columns]
    )


def comparison_table(
    part: Part,
    before: str = SCRATCH,
    after: str = FINE_TUNED,
    *,
    seed: int = 0,
    resamples: int = bootstrap.RESAMPLES,
) -> pd.DataFrame:
    """Two methods on the same specimens, per landmark and over all of them.

    Args:
        part: with both methods.
        before: method to compare with.
        after: method to judge.
        seed: of the bootstrap.
        resamples: of the bootstrap, over specimens.

    Returns:
        ``landmark, n, <before>, <after>`` (mean distances), ``difference`` (after - before, negative is better) and
        ``improvement_percent`` (ratio of means), each with the ends ``_low, _high`` of its 95 % interval, and
        ``n_contaminated`` as in `distance_table`. Only landmarks that both methods placed count.

    Raises:
        UserError: the part lacks a method.

    Source:
        Tables 6, 8, 10, 11, 12; the grand improvement (row ``all``) is that of the text of section 7, spec Q10.
    """
    first, second = part.errors(before), part.errors(after)
    lost = np.isnan(first) | np.isnan(second)
    first, second = np.where(lost, np.nan, first), np.where(lost, np.nan, second)
    seen = part.n_contaminated(before, after)
    blocks = []
    for names, pool in ((part.landmarks, 2), ((ALL,), 1)):
        one, two = np.expand_dims(first, pool), np.expand_dims(second, pool)
        difference = bootstrap.mean_interval(two - one, seed=seed, resamples=resamples)
        gain = bootstrap.gain_interval(one, two, seed=seed, resamples=resamples)
        means = bootstrap.column_means(one), bootstrap.column_means(two)
        block = {
            "landmark": names,
            "n": (~np.isnan(one)).sum((0, 2)),
            before: means[0],
            after: means[1],
            "difference": means[1] - means[0],
            "difference_low": difference[0],
            "difference_high": difference[1],
            "improvement_percent": bootstrap.gain(one, two),
            "improvement_low": gain[0],
            "improvement_high": gain[1],
            "n_contaminated": seen,
        }
        blocks.append(pd.DataFrame(block))
    return pd.concat(blocks, ignore_index=True)


def improvement_table(
    parts: Sequence[Part], before: str = SCRATCH, after: str = FINE_TUNED, *, seed: int = 0
) -> pd.DataFrame:
    """The grand improvement of each part: the last rows of `comparison_table`, ``part`` in place of ``landmark``."""
    rows = [comparison_table(part, before, after, seed=seed).iloc[[-1]] for part in parts]
    table = pd.concat(rows, ignore_index=True).drop(columns="landmark")
    table.insert(0, "part", [part.name for part in parts])
    return table


def band_table(part: Part, method: str = SCRATCH, *, limit: float = LIMIT) -> pd.DataFrame:
    """The three bands of figure 12 for every landmark.

    Returns:
        ``landmark, n, mean, n_below, n_bearable, n_above, percent_below, percent_bearable, percent_above,
        n_contaminated``, see `Bands`.
    """
    rows = []
    for name, values in zip(part.landmarks, part.errors(method).T, strict=True):
        found = bands(values, limit)
        counts = {"n_below": found.below, "n_bearable": found.bearable, "n_above": found.above}
        shares = dict(zip(("percent_below", "percent_bearable", "percent_above"), found.percent, strict=True))
        seen = {"n_contaminated": part.n_contaminated(method)}
        rows.append({"landmark": name, "n": found.n, "mean": found.mean, **counts, **shares, **seen})
    return pd.DataFrame(rows)


def detection_table(part: Part, thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """Success detection rates: the share of landmarks no farther than a threshold.

    Args:
        part: all of its methods are asked.
        thresholds: in the unit of the part.

    Returns:
        ``method, landmark, n, sdr_<threshold> ..., n_contaminated``; rates in %, per landmark and for ``all``.

    Source:
        Spec B.3 and F.6 (SDR at 10 px: 94.9 % of the points of the pronota).
    """
    rows = []
    for method in part.methods:
        errors = part.errors(method)
        for name, values in [*zip(part.landmarks, errors.T, strict=True), (ALL, errors.ravel())]:
            known = values[~np.isnan(values)]
            rates = {f"sdr_{limit:g}": _percent(known <= limit) for limit in thresholds}
            seen = {"n_contaminated": part.n_contaminated(method)}
            rows.append({"method": method, "landmark": name, "n": known.size, **rates, **seen})
    return pd.DataFrame(rows)


def score_table(part: Part, *, limit: float = LIMIT) -> pd.DataFrame:
    """Scores of every method of a part, to be read beside those of the mean position.

    Returns:
        ``part, method, n_contaminated, n, mean_distance, sdr_<limit>`` and the columns of `correlation.scores`.

    Source:
        Table 2, with what spec Q9 and B.3 add; give it ``part.with_mean_position(plan)``.
    """
    rows = []
    for method in part.methods:
        known = part.errors(method)[~np.isnan(part.errors(method))]
        row = {"part": part.name, "method": method, "n_contaminated": part.n_contaminated(method), "n": known.size}
        scores = correlation.scores(part.manual, part.points(method))
        rows.append(row | {"mean_distance": _mean(known), f"sdr_{limit:g}": _percent(known <= limit)} | scores)
    return pd.DataFrame(rows)


def round_table(part: Part, plan: Plan) -> pd.DataFrame:
    """Mean distance of every method in each round.

    Returns:
        ``part, round, n`` (specimens)``, first, last`` (specimens)``, <method>, <method>_sd, <method>_contaminated
        ...``: mean over all landmarks, sample standard deviation of the specimens' means, and how many of the test
        specimens the method had been trained on. A round of which the part lacks every specimen has no row.

    Raises:
        UserError: the plan does not know a specimen.
    """
    rows = []
    for number, fold in enumerate(plan.folds(part.specimens, part.name), start=1):
        if not fold.size:
            continue
        tested = [part.specimens[i] for i in fold]
        row = {"part": part.name, "round": number, "n": len(fold), "first": tested[0], "last": tested[-1]}
        for method in part.methods:
            errors = part.errors(method)[fold]
            row[method] = _mean(errors[~np.isnan(errors)])
            row[f"{method}_sd"] = float(pd.DataFrame(errors).mean(axis=1).std())
            row[f"{method}_contaminated"] = len(part.seen(method).intersection(tested))
        rows.append(row)
    return pd.DataFrame(rows)


def leak_table(
    part: Part,
    plan: Plan,
    before: str = SCRATCH,
    after: str = FINE_TUNED,
    *,
    seed: int = 0,
    resamples: int = bootstrap.RESAMPLES,
) -> pd.DataFrame:
    """The gain of a method in rounds whose test specimens it had never seen, and in the others.

    Args:
        part: its `contaminated` says what `before` and `after` had seen.
        plan: of the rounds; one with a single contaminated specimen counts as contaminated.
        before: method to compare with.
        after: method to judge.
        seed: of the bootstrap over specimens.
        resamples: of the bootstrap.

    Returns:
        ``part, rounds`` (clean or contaminated)``, numbers, n`` (specimens)``, <before>, <after>,
        improvement_percent, improvement_low, improvement_high``; a kind that no round is of has no row.

    Source:
        Spec finding 2 (pronotum: 44.4 % where the test specimens had been seen, 8.2 % where not).
    """
    gain = ("improvement_percent", "improvement_low", "improvement_high")
    seen = part.seen(before, after)
    folds = {n: fold for n, fold in enumerate(plan.folds(part.specimens, part.name), start=1) if fold.size}
    leaked = {number for number, fold in folds.items() if any(part.specimens[i] in seen for i in fold)}
    rows = []
    for kind, numbers in (("contaminated", sorted(leaked)), ("clean", sorted(set(folds) - leaked))):
        rows_of = np.concatenate([np.empty(0, dtype=np.intp), *(folds[number] for number in numbers)])
        if not rows_of.size:
            continue
        whole = comparison_table(part.select(rows_of), before, after, seed=seed, resamples=resamples).iloc[-1]
        values = {name: whole[name] for name in (before, after, *gain)}
        rows.append(
            {"part": part.name, "rounds": kind, "numbers": " ".join(map(str, numbers)), "n": len(rows_of), **values}
        )
    return pd.DataFrame(rows)


def _spread(values: FloatArray, limit: float) -> dict[str, float]:
    known = values[~np.isnan(values)]
    mean = _mean(known)
    return {
        "n": known.size,
        "mean": mean,
        "sd": float(known.std(ddof=1)) if known.size > 1 else np.nan,
        "median": float(np.median(known)) if known.size else np.nan,
        "p95": float(np.percentile(known, 95)) if known.size else np.nan,
        "percent_below_mean": _percent(known < mean),
        "percent_over_limit": _percent(known > limit),
    }


def _mean(known: FloatArray) -> float:
    return float(known.mean()) if known.size else np.nan


def _percent(true: np.ndarray) -> float:
    return 100 * float(true.mean()) if true.size else np.nan
