"""Procrustes ANOVA of repeated measurements: how much of the variation in shape is between individuals."""

from __future__ import annotations

from dataclasses import dataclass

from pronotum.errors import UserError, counted
from pronotum.landmarks import FloatArray


@dataclass(frozen=True)
class Source:
    """One row of the table.

    Attributes:
        name: individual, method or residual.
        df: degrees of freedom, counted once, not per coordinate.
        ss: sum of squares over all coordinates.
        share: of the total sum of squares.
    """

    name: str
    df: int
    ss: float
    share: float

    @property
    def ms(self) -> float:
        """Mean square."""
        return self.ss / self.df


@dataclass(frozen=True)
class Anova:
    """The table of a crossed design without replicates: every individual measured once by every method.

    Attributes:
        individual: between the individuals' means.
        method: between the methods' means: the systematic difference of one from the other.
        residual: what is left: the individuals' disagreement between methods, and chance.
        n_methods: measurements per individual.
    """

    individual: Source
    method: Source
    residual: Source
    n_methods: int

    @property
    def repeatability(self) -> float:
        """Share of individuals in the variance of one measurement (intraclass correlation); 1 = perfect.

        Source:
            R = (MSi - MSe) / (MSi + (k - 1) MSe), Fruciano (2016), Measurement error in geometric morphometrics.
        """
        between, within = self.individual.ms, self.residual.ms
        return (between - within) / (between + (self.n_methods - 1) * within)

    @property
    def f_individual(self) -> float:
        """Goodall's F of the individuals over the residual; infinite where nothing is left over."""
        return _ratio(self.individual.ms, self.residual.ms)

    @property
    def f_method(self) -> float:
        """Goodall's F of the methods over the residual; infinite where nothing is left over."""
        return _ratio(self.method.ms, self.residual.ms)


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("inf")


def procrustes_anova(shapes: FloatArray) -> Anova:
    """Divide the variation of shapes into individuals, methods and the rest.

    Args:
        shapes: (N, M, K, 2): N individuals by M methods, superimposed together (`procrustes.generalized_procrustes` of
            all N * M configurations at once). geomorph's ``gpagen`` also projects them (`procrustes.project`), which
            changed sums of squares by 0.05 % at most where tests compare both.

    Raises:
        UserError: fewer than two individuals or methods.

    Source:
        Goodall (1991); Klingenberg & McIntyre (1998); geomorph's ``procD.lm(coords ~ individual + method)``.
    """
    n, n_methods = shapes.shape[:2]
    if n < 2 or n_methods < 2:
        found = f"{counted(n, 'individual')} by {counted(n_methods, 'method')}"
        raise UserError("Procrustes ANOVA", found=found, expected="at least 2 by 2")
    flat = shapes.reshape(n, n_methods, -1)
    grand = flat.mean((0, 1))
    total = float(((flat - grand) ** 2).sum())
    individual = n_methods * float(((flat.mean(1) - grand) ** 2).sum())
    method = n * float(((flat.mean(0) - grand) ** 2).sum())
    rest = max(total - individual - method, 0.0)
    names = ("individual", "method", "residual")
    freedom = (n - 1, n_methods - 1, (n - 1) * (n_methods - 1))
    rows = [
        Source(name, df, ss, ss / total if total else float("nan"))
        for name, df, ss in zip(names, freedom, (individual, method, rest), strict=True)
    ]
    return Anova(rows[0], rows[1], rows[2], n_methods)
