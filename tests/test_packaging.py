"""What stands around the program names the same version, the same packages and the same licence."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import jinja2
import pytest
import yaml

from pronotum import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IN_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""What conda-forge calls a package, where it is not the name it has elsewhere."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(lines: list[str]) -> dict[str, str]:
    """Least versions by name."""
    found = (re.fullmatch(r"([\w-]+)\s*>=\s*([\w.]+)", line) for line in lines)
    return {one[1]: one[2] for one in found if one}


@pytest.fixture
def recipe() -> dict[str, object]:
    return yaml.safe_load(jinja2.Template(text("conda/meta.yaml")).render(PYTHON="python"))


def test_conda_asks_for_what_pip_asks_for(recipe: dict) -> None:
    run = requirements(recipe["requirements"]["run"])
    assert run.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert run == {IN_CONDA.get(name, name): least for name, least in requirements(PROJECT["dependencies"]).items()}
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["build"]["entry_points"] == [f"{name} = {where}" for name, where in PROJECT["scripts"].items()]


def test_everything_names_this_version(recipe: dict) -> None:
    assert recipe["package"]["version"] == __version__
    assert yaml.safe_load(text("CITATION.cff"))["version"] == __version__
    headings = re.findall(r"^## (\S+)", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == __version__


def test_the_citation_has_what_the_format_demands() -> None:
    """Source: schema 1.2.0 of the Citation File Format."""
    found = yaml.safe_load(text("CITATION.cff"))
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= found.keys()
    for author in found["authors"]:
        assert "name" in author or {"family-names", "given-names"} <= author.keys()
    for reference in found["references"]:
        assert {"type", "title", "authors"} <= reference.keys()


def test_all_dependencies_may_be_used_under_this_licence() -> None:
    """BSD 3-clause: anything permissive, or the LGPL and MPL of libraries that are only used."""
    assert text("LICENSE").startswith("BSD 3-Clause License")
    permissive = re.compile(r"BSD|MIT|Apache|HPND|PSF|Python Software|ISC|Matplotlib|MPL|Zlib|CC0", re.IGNORECASE)
    for name in requirements(PROJECT["dependencies"]):
        about = metadata.metadata(name)
        said = " ".join([about.get("License-Expression") or "", *(about.get_all("Classifier") or [])])
        licence = f"{said} {about.get('License') or ''}"
        assert permissive.search(licence), f"{name}: {licence[:200]}"
        assert not re.search(r"\b(?:A?GPL)(?:v?\d|-\d)", re.sub("LGPL", "", said)), f"{name}: {said[:200]}"


def test_the_dockerfile_copies_what_is_there_and_runs_what_exists() -> None:
    lines = [line for line in text("Dockerfile").replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}
    assert {line.split()[0] for line in lines} <= known
    assert lines[0].startswith("FROM python:3.")
    for line in lines:
        word, *rest = line.split()
        if word == "COPY":
            assert all((ROOT / name).exists() for name in rest[:-1]), line
    torch = re.search(r"torch==([\d.]+)", text("Dockerfile"))
    assert torch
    assert f"TORCH_VERSION:-{torch[1]}" in text("scripts/environment")
    assert f"torch=={torch[1]}" in text("docs/get-started.md")


def test_issue_templates_are_what_github_reads() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        head = yaml.safe_load(path.read_text(encoding="utf-8").split("---")[1])
        assert {"name", "about"} <= head.keys(), path
