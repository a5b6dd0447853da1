"""The notebooks run from top to bottom, and R reads what one of them writes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from pronotum import formats
from pronotum.morphometrics.superimposition import centroid_size

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def execute(path: Path, folder: Path) -> str:
    """What a notebook prints when all its cells are run in a folder."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "saved with outputs: clear them"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    found = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    return "".join(one.get("text", "") for one in found)


def test_the_notebooks_are_those_that_the_documentation_names() -> None:
    text = (EXAMPLES.parent / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 4
    assert all(f"examples/{path.name}" in text for path in NOTEBOOKS)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Notebooks run in a process of their own: it must find this pronotum, and keep its files out of the project."""
    import pronotum

    source = str(Path(pronotum.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_tour(tmp_path: Path) -> None:
    said = execute(EXAMPLES / "api-tour.ipynb", tmp_path)
    assert "12 specimens, 8 landmarks" in said
    assert "'predictions.tps'" in said


def test_agreement_tells_scatter_from_shrinkage(tmp_path: Path) -> None:
    scatter, shrunk = execute(EXAMPLES / "agreement.ipynb", tmp_path).split("SHRUNK")
    assert "SCATTER" in scatter
    assert shrunk.startswith(" - not ready")
    assert "NO  Do predicted shapes vary as much as manual ones?" in shrunk
    assert "yes Do predicted shapes vary as much as manual ones?" in scatter


def test_a_model_of_ones_own_is_trained_and_measured(tmp_path: Path) -> None:
    assert "mean shape, perfectly placed" in execute(EXAMPLES / "custom-model.ipynb", tmp_path)


def test_r_reads_what_is_handed_over(rscript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "handover"
    monkeypatch.setenv("HANDOVER", str(folder))
    execute(EXAMPLES / "handover.ipynb", tmp_path)
    specimens = formats.load(folder / "predictions.tps", lambda name: (320, 240))
    assert len(specimens) == 8
    assert "8 specimens of 8 landmarks" in rscript(EXAMPLES / "handover.R", folder, cwd=tmp_path)
    with (folder / "sizes.csv").open() as file:
        sizes = {row["image"]: float(row["centroid_size"]) for row in csv.DictReader(file)}
    expected = centroid_size(np.array([one.points for one in specimens])) * 0.005
    np.testing.assert_allclose([sizes[one.image] for one in specimens], expected, rtol=1e-4)
