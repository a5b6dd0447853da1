"""Procrustes ANOVA against tables that geomorph printed.

Pupfish: Collyer, Sekora & Adams (2015), Heredity 115: 357-365, the data set `pupfish` of geomorph (`Pupfish` of RRPP).
Its tables are typed in from

- the vignette "ANOVA versus MANOVA in RRPP" (2019) of RRPP, geomorph's engine since its version 3.1: Sex * Pop;
- I. Dworkin, "using pairwise() in geomorph and RRPP", 29 April 2020 (DworkinLab/VirtualMorphoMeetup): centroid size,
  distances between the means of groups;
- D. Angelini's course script for his package borealis: shapes superimposed again by `gpagen`, log size + sex + pop.

Individual + method: what procD.lm of geomorph 2.1.5 gives for configurations made here; see reference/geomorph.R.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pronotum.formats import tps
from pronotum.morphometrics.anova import procrustes_anova
from pronotum.morphometrics.groups import group_differences
from pronotum.morphometrics.linear_model import linear_model
from pronotum.morphometrics.procrustes import generalized_procrustes, project

GROUPS = np.repeat(["Marsh.F", "Marsh.M", "Sinkhole.F", "Sinkhole.M"], [16, 13, 12, 13])
SINKHOLE = np.char.startswith(GROUPS, "Sinkhole").astype(float)
MALE = np.char.endswith(GROUPS, "M").astype(float)


@dataclass(frozen=True, eq=False)
class Pupfish:
    """Coordinates (54, 56, 2) and centroid sizes (54,) as geomorph has them."""

    coords: np.ndarray
    sizes: np.ndarray


@pytest.fixture(scope="module")
def pupfish(shared_data):
    path = shared_data / "tps-zoo" / "deanadams+IBE-GMM-Data__853ff7c6__pupfish.tps"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    # The file has the projected coordinates times centroid size. Projected, a shape has 1 along the mean shape.
    scaled = np.stack([record.points for record in tps.read(path).records]).reshape(54, -1)
    coords = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    for _ in range(10):
        mean = coords.mean(0) / np.linalg.norm(coords.mean(0))
        coords = coords / (coords @ mean)[:, None]
    return Pupfish(coords.reshape(54, 56, 2), scaled @ mean)


@pytest.fixture(scope="module")
def superimposed_again(pupfish):
    return project(generalized_procrustes(pupfish.coords))


def table(shapes, *terms):
    """Sums of squares of terms added one by one (type I), of the residual and in total; F of the terms."""
    models = [linear_model(shapes, np.stack(terms[: k + 1], 1), permutations=1) for k in range(len(terms))]
    total = ((shapes - shapes.mean(0)) ** 2).sum()
    explained, rest = total * np.diff([0, *(model.r2 for model in models)]), total * (1 - models[-1].r2)
    assert [model.df for model in models] == list(range(1, len(terms) + 1))
    return [*explained, rest, total], explained / (rest / models[-1].df_residual)


def test_the_fish_are_those_of_the_tables(pupfish):
    assert pupfish.sizes[:6] == pytest.approx([63.7, 66.0, 65.2, 68.6, 68.8, 72.8], abs=0.05)
    sizes = pupfish.sizes.reshape(54, 1, 1)
    ss, f = table(sizes, SINKHOLE, MALE, SINKHOLE * MALE)
    assert ss == pytest.approx([1166, 1857, 121, 2793, 5937], abs=0.5)
    assert f == pytest.approx([20.88, 33.25, 2.17], abs=0.005)
    full = linear_model(sizes, np.stack([SINKHOLE, MALE, SINKHOLE * MALE], 1), permutations=1)
    assert full.coefficients.ravel() == pytest.approx([-7.23, 14.57, -6.02], abs=0.005)


def test_sex_and_population_have_the_printed_table(pupfish):
    ss, f = table(pupfish.coords, MALE, SINKHOLE, MALE * SINKHOLE)
    assert ss[:3] == pytest.approx([0.0157802, 0.0091294, 0.0034532], abs=0.5e-7)
    assert ss[3:] == pytest.approx([0.027970, 0.056333], abs=0.5e-6)
    assert np.divide(ss[:4], ss[4]) == pytest.approx([0.28012, 0.16206, 0.06130, 0.49651], abs=0.5e-5)
    assert f == pytest.approx([28.209, 16.320, 6.173], abs=0.5e-3)


def test_shapes_superimposed_and_projected_here_have_the_printed_regression(pupfish, superimposed_again):
    found = linear_model(superimposed_again, np.log(pupfish.sizes)[:, None], permutations=9999)
    assert (found.n, found.df, found.df_residual) == (54, 1, 52)
    assert found.r2 == pytest.approx(0.24886, abs=0.5e-5)
    assert found.f == pytest.approx(17.228, abs=0.5e-3)
    assert found.p == pytest.approx(1e-4)
    assert found.z == pytest.approx(4.2655, abs=0.15)  # other permutations


def test_shapes_superimposed_and_projected_here_have_the_printed_tables(pupfish, superimposed_again):
    size = np.log(pupfish.sizes)
    ss, f = table(superimposed_again, size, MALE, SINKHOLE)
    assert ss[:3] == pytest.approx([0.0140012, 0.0076068, 0.0076520], abs=0.5e-7)
    assert ss[3:] == pytest.approx([0.027002, 0.056262], abs=0.5e-6)
    assert f == pytest.approx([25.926, 14.086, 14.169], abs=0.5e-3)
    ss, f = table(superimposed_again, size, SINKHOLE, size * SINKHOLE)
    assert ss[2] == pytest.approx(0.0024353, abs=0.5e-7)
    assert ss[3] == pytest.approx(0.029590, abs=0.5e-6)
    assert f[2] == pytest.approx(4.1151, abs=0.5e-4)


def test_groups_have_the_printed_distances(pupfish):
    found = group_differences(pupfish.coords, pupfish.coords, GROUPS.tolist(), permutations=1, resamples=2)
    distances = {(pair.first, pair.second): pair.manual_distance for pair in found.pairs}
    printed = {
        ("Marsh.F", "Marsh.M"): 0.0461,
        ("Marsh.F", "Sinkhole.F"): 0.0330,
        ("Marsh.F", "Sinkhole.M"): 0.0388,
        ("Marsh.M", "Sinkhole.F"): 0.0461,
        ("Marsh.M", "Sinkhole.M"): 0.0280,
        ("Sinkhole.F", "Sinkhole.M"): 0.0257,
    }
    assert distances == pytest.approx(printed, abs=0.5e-4)
    assert found.manual.r2 == pytest.approx(1 - 0.49651, abs=0.5e-5)
    assert (found.manual.df, found.manual.df_residual) == (3, 50)


@pytest.fixture(scope="module")
def procd_lm():
    """Rows of geomorph's tables by name: df, SS, MS, Rsq, F."""
    with (Path(__file__).parent / "reference" / "geomorph.csv").open() as file:
        return {name: tuple(map(float, values)) for name, *values in csv.reader(file)}


@pytest.mark.parametrize("which", ["shapes", "projected"])
def test_individuals_and_methods_have_the_table_of_procd_lm(procd_lm, reference_sets, which):
    aligned = generalized_procrustes(np.concatenate(reference_sets))
    shapes = aligned.shapes if which == "shapes" else project(aligned)
    found = procrustes_anova(np.stack([shapes[:18], shapes[18:]], axis=1))
    rows = {"specimen": found.individual, "method": found.method, "Residuals": found.residual}
    for name, row in rows.items():
        assert (row.df, row.ss, row.ms) == pytest.approx(procd_lm[f"{which} {name}"][:3], rel=3e-6)
    for name, row, f in (("specimen", found.individual, found.f_individual), ("method", found.method, found.f_method)):
        assert (row.share, f) == pytest.approx(procd_lm[f"{which} {name}"][3:], rel=3e-6)
    df, total = procd_lm[f"{which} Total"]
    assert sum(row.df for row in rows.values()) == df
    assert sum(row.ss for row in rows.values()) == pytest.approx(total, rel=3e-6)


def test_groups_have_the_table_of_procd_lm(procd_lm, reference_sets):
    shapes = project(generalized_procrustes(np.concatenate(reference_sets)))[:18]
    found = linear_model(shapes, np.repeat([0.0, 1.0], [8, 10])[:, None], permutations=1)
    df, _, _, share, f = procd_lm["groups group"]
    assert (found.df, found.r2, found.f) == pytest.approx((df, share, f), rel=3e-6)
    assert found.df_residual == procd_lm["groups Residuals"][0]
