"""Generalized Procrustes superimposition against R's shapes::procGPA; see reference/procgpa.R."""

import numpy as np
import pytest

from pronotum.morphometrics.procrustes import generalized_procrustes


def as_complex(points):
    z = points[..., 0] + 1j * points[..., 1]
    return z / np.linalg.norm(z)


def of_r(values):
    return as_complex(values.reshape(2, 6).T)


@pytest.mark.parametrize("which", ["mean", "both_mean"])
def test_the_mean_shape_is_that_of_procgpa(reference, reference_sets, which):
    points = reference_sets[0] if which == "mean" else np.concatenate(reference_sets)
    ours, theirs = as_complex(generalized_procrustes(points).mean), of_r(reference[which])
    turn = np.vdot(theirs, ours)
    assert abs(turn) == pytest.approx(1, abs=1e-12)
    assert theirs * turn == pytest.approx(ours, abs=1e-6)


def test_distances_to_the_mean_and_sizes_are_those_of_procgpa(reference, reference_sets):
    found = generalized_procrustes(reference_sets[0])
    mean = as_complex(found.mean)
    cosines = [abs(np.vdot(mean, as_complex(shape))) for shape in found.shapes]
    assert np.arccos(cosines) == pytest.approx(reference["rho"], rel=1e-5)
    assert found.sizes == pytest.approx(reference["manual_sizes"])
    assert generalized_procrustes(reference_sets[1]).sizes == pytest.approx(reference["predicted_sizes"])
