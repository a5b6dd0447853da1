"""The Methods paragraph of a paper, with the numbers in it, and the references it names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pronotum import __version__
from pronotum.evaluation.evidence import Evidence, Human
from pronotum.evaluation.verdict import Verdict
from pronotum.report.agreement_tables import known_units, overall_row
from pronotum.report.wording import UNITS, interval, listed, number, p_value, percent, short

REFERENCES = {
    "Berger 1982": "Berger RL. 1982. Multiparameter hypothesis testing and acceptance sampling. Technometrics 24: "
    "295-300.",
    "Bland & Altman 1999": "Bland JM, Altman DG. 1999. Measuring agreement in method comparison studies. Statistical "
    "Methods in Medical Research 8: 135-160.",
    "Collyer et al. 2015": "Collyer ML, Sekora DJ, Adams DC. 2015. A method for analysis of phenotypic change for "
    "phenotypes described by high-dimensional data. Heredity 115: 357-365.",
    "Drake & Klingenberg 2008": "Drake AG, Klingenberg CP. 2008. The pace of morphological change: historical "
    "transformation of skull shape in St Bernard dogs. Proceedings of the Royal Society B 275: 71-76.",
    "Efron & Tibshirani 1993": "Efron B, Tibshirani RJ. 1993. An Introduction to the Bootstrap. Chapman & Hall.",
    "Fruciano 2016": "Fruciano C. 2016. Measurement error in geometric morphometrics. Development Genes and Evolution "
    "226: 139-158.",
    "Good 2005": "Good P. 2005. Permutation, Parametric and Bootstrap Tests of Hypotheses. 3rd ed. Springer.",
    "Goodall 1991": "Goodall C. 1991. Procrustes methods in the statistical analysis of shape. Journal of the Royal "
    "Statistical Society B 53: 285-339.",
    "Holm 1979": "Holm S. 1979. A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6: 65-70.",
    "Klingenberg & McIntyre 1998": "Klingenberg CP, McIntyre GS. 1998. Geometric morphometrics of developmental "
    "instability: analyzing patterns of fluctuating asymmetry with Procrustes methods. Evolution 52: 1363-1375.",
    "Lin 1989": "Lin LI-K. 1989. A concordance correlation coefficient to evaluate reproducibility. Biometrics 45: "
    "255-268.",
    "Mantel 1967": "Mantel N. 1967. The detection of disease clustering and a generalized regression approach. Cancer "
    "Research 27: 209-220.",
    "Monteiro 1999": "Monteiro LR. 1999. Multivariate regression models and geometric morphometrics: the search for "
    "causal factors in the analysis of shape. Systematic Biology 48: 192-199.",
    "Robinson & Terhune 2017": "Robinson C, Terhune CE. 2017. Error in geometric morphometric data collection: "
    "combining data from multiple sources. American Journal of Physical Anthropology 164: 62-75.",
    "Schuirmann 1987": "Schuirmann DJ. 1987. A comparison of the two one-sided tests procedure and the power approach "
    "for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15: "
    "657-680.",
    "Tukey 1977": "Tukey JW. 1977. Exploratory Data Analysis. Addison-Wesley.",
    "Walker & Nowacki 2011": "Walker E, Nowacki AS. 2011. Understanding equivalence and noninferiority testing. "
    "Journal of General Internal Medicine 26: 192-196.",
    "Zelditch et al. 2012": "Zelditch ML, Swiderski DL, Sheets HD. 2012. Geometric Morphometrics for Biologists: A "
    "Primer. 2nd ed. Academic Press.",
}
"""In full, by the short form in the text."""


@dataclass(frozen=True)
class Methods:
    """Text to paste into a paper.

    Attributes:
        paragraphs: of the text.
        references: in full, those that the text names, in alphabetical order.
    """

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]

    @property
    def plain(self) -> str:
        """All of it as a text file."""
        return "\n\n".join([*self.paragraphs, "References", *self.references]) + "\n"


def describe(evidence: Evidence, verdict: Verdict, origin: str) -> Methods:
    """Write the Methods.

    Args:
        evidence: with the numbers.
        verdict: whose grade is told.
        origin: one sentence on where the predictions come from.
    """
    paragraphs = (
        " ".join([*_compared(evidence, origin), *_tests(evidence)]),
        " ".join([*_shape(evidence), *_size(evidence), *_groups(evidence)]),
        _verdict(evidence, verdict),
    )
    text = " ".join(paragraphs)
    return Methods(paragraphs, tuple(full for short_form, full in REFERENCES.items() if short_form in text))


def _compared(evidence: Evidence, origin: str) -> list[str]:
    sets, whole = evidence.sets, overall_row(evidence)
    missing = int(np.isnan(evidence.errors).sum())
    said = [
        f"Predicted landmarks were compared with manual landmarks on {len(sets.specimens)} specimens with "
        f"{len(sets.landmarks)} landmarks each.",
        sentence(origin),
    ]
    if missing:
        said.append(
            f"{missing} of {evidence.errors.size} landmarks were missing in one set or both and were left out of the "
            f"distances."
        )
    units = [unit for unit in known_units(evidence) if unit != "px_256x192"]
    for name in ("median", "p95"):
        values = ", ".join(f"{short(whole['errors'][unit][name])} {UNITS[unit]}" for unit in units)
        words = {"median": "The median distance between them was", "p95": "the 95th percentile"}[name]
        said.append(f"{words} {values}" + (";" if name == "median" else "."))
    error, baseline = (whole[key]["percent_centroid_size"]["mean"] for key in ("errors", "mean_shape"))
    said.append(
        f"The mean distance was {short(error)} % of centroid size; the mean shape, superimposed on every specimen with "
        f"the best position, size and turn, was {short(baseline)} % off."
    )
    return said


def _tests(evidence: Evidence) -> list[str]:
    said, human, margin = [], evidence.human, evidence.sets.margin
    if human:
        said += _human(human, len(evidence.sets.landmarks))
    if margin is not None:
        passed, within = (sum(row.passed for row in rows) for rows in (evidence.noninferiority, evidence.bias))
        n = len(evidence.sets.landmarks)
        said.append(
            f"An error of {margin:g} % of centroid size was declared acceptable beforehand: the mean error of "
            f"{passed} of {n} landmarks was non-inferior to it (one-sided t tests, Walker & Nowacki 2011), and the "
            f"bias of {within} of {n} was equivalent to zero within it (two one-sided tests, Schuirmann 1987, in "
            f"both coordinates, Berger 1982), after correction for the number of landmarks (Holm 1979)."
        )
    return said


def _human(human: Human, n_landmarks: int) -> list[str]:
    passed = sum(row.passed for row in human.noninferiority)
    return [
        f"{human.n} specimens were digitised a second time. On these the Procrustes repeatability of two manual "
        f"digitisations was {number(human.anova.repeatability, 3)}, and that of the first digitisation and the "
        f"prediction {number(human.model_anova.repeatability, 3)} (Fruciano 2016).",
        f"The mean error of {passed} of {n_landmarks} landmarks was non-inferior to the distance that 95 % of the "
        f"manual repeats of the landmark did not exceed (one-sided t tests, Walker & Nowacki 2011, corrected after "
        f"Holm 1979).",
    ]


def _shape(evidence: Evidence) -> list[str]:
    shape = evidence.shape
    anova, left_out = shape.anova, len(evidence.sets.specimens) - shape.n
    components = shape.components.components[:3]
    slopes, rs = (", ".join(number(getattr(c, key).value, 2) for c in components) for key in ("slope", "r"))
    without = f" ({left_out} with a missing landmark left out)" if left_out else ""
    return [
        f"Manual and predicted configurations of {shape.n} complete specimens{without} were superimposed together by "
        f"generalized Procrustes analysis (Goodall 1991).",
        f"In a Procrustes ANOVA (Goodall 1991; Klingenberg & McIntyre 1998) individuals held "
        f"{percent(anova.individual.share)} of the sum of squares, the method (manual or predicted) "
        f"{percent(anova.method.share, 2)} and the residual {percent(anova.residual.share)}; the repeatability was "
        f"{number(anova.repeatability, 3)} (Fruciano 2016).",
        f"The Procrustes variance (Zelditch et al. 2012) of the predictions was {interval(shape.disparity)} times "
        f"that of the manual landmarks (in brackets here and below: 95 % percentile interval of a bootstrap over "
        f"specimens, Efron & Tibshirani 1993).",
        f"The mean shapes were a Procrustes distance of {number(shape.difference.distance, 4)} apart (permutation of "
        f"the two configurations within specimens, {shape.difference.permutations} permutations, "
        f"{p_value(shape.difference.p)}; Good 2005).",
        f"Least-squares slopes of predicted on manual scores along the first {len(components)} principal components of "
        f"the manual shapes were {slopes}, correlations {rs}.",
        f"Pairwise Procrustes distances of both sets were correlated with r = {number(shape.distances.r, 3)} (Mantel "
        f"1967; {shape.distances.permutations} permutations, {p_value(shape.distances.p)}).",
        f"Of the predictions, {percent(shape.twins.share_first)} were nearer to their own manual configuration than to "
        f"that of any other specimen; the median ratio of the two distances was {number(shape.twins.median_ratio, 2)} "
        f"(compare Robinson & Terhune 2017).",
    ]


def _size(evidence: Evidence) -> list[str]:
    size, found = evidence.shape.size, evidence.shape.allometry
    limits = size.percent
    return [
        f"Centroid sizes had a concordance correlation (Lin 1989) of {interval(size.concordance, 4)}, a bias of "
        f"{number(limits.bias.value)} % and limits of agreement of {number(limits.lower.value)} to "
        f"{number(limits.upper.value)} % (Bland & Altman 1999).",
        f"Log centroid size explained {percent(found.manual.r2)} of the manual ({p_value(found.manual.p)}) and "
        f"{percent(found.predicted.r2)} of the predicted variation in shape ({p_value(found.predicted.p)}; Monteiro "
        f"1999); the angle between the two regression vectors was {interval(found.angle, 1)} degrees (Drake & "
        f"Klingenberg 2008), the ratio of their lengths {interval(found.length_ratio, 2)}.",
    ]


def _groups(evidence: Evidence) -> list[str]:
    groups = evidence.shape.groups
    if groups is None:
        return []
    names = [f"{name} (n = {n})" for name, n in groups.counts.items()]
    return [
        f"Group ({listed(names)}) explained {percent(groups.manual.r2)} of the manual variation in shape "
        f"({p_value(groups.manual.p)}) and {percent(groups.predicted.r2)} of the predicted one "
        f"({p_value(groups.predicted.p)}; residual randomisation, {groups.manual.permutations} permutations, Collyer "
        f"et al. 2015)."
    ]


def _verdict(evidence: Evidence, verdict: Verdict) -> str:
    said = [f"By rules that are printed with the limits in the report, the predictions were graded '{verdict.grade}'."]
    if verdict.grade == "ready after review":
        n, all_of_them = len(verdict.review), len(evidence.sets.specimens)
        said.append(
            f"This holds once a person has corrected {n} of {all_of_them} specimens, which had a landmark further "
            f"off than three interquartile ranges above the upper quartile (Tukey 1977) or no complete prediction."
        )
    if evidence.human is None:
        said.append("No specimens were digitised twice, so that nothing is known of human error on these photographs.")
    return " ".join([*said, f"All statistics were computed with pronotum {__version__}."])


def sentence(text: str) -> str:
    """A text that begins with a capital letter and ends with a full stop; empty stays empty."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
