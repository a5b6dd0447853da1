"""What pronotum is made of: bounds of versions, licences, and what is in a release."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
UNTESTED = {"torch"}
"""Whose lowest version is not installed by `scripts/release_check`."""
OF_TESTS = {"httpx", "ktch"}
"""What `constraints/lowest.txt` names beside dependencies."""


def requirements(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *(one for name in extras for one in project["optional-dependencies"][name])]
    return [Requirement(one) for one in listed]


EXTRAS = ("tiff", "web", "classical", "cluster", "onnx", "hdf5", "tune", "survey")


def lowest(requirement: Requirement) -> Version:
    (bound,) = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
    return bound


def pinned(file: str) -> dict[str, Version]:
    lines = (ROOT / "constraints" / file).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): Version(version) for name, version in pairs}


def test_every_dependency_has_a_lower_bound_that_is_installed_and_tested(note):
    listed = requirements(*EXTRAS)
    for one in listed:
        bound = lowest(one)
        if one.name in UNTESTED:
            continue
        tested = pinned("lowest.txt")[one.name]
        assert tested in one.specifier, one
        # the first release that the bound allows: 2024.2 is 2024.2.12
        assert str(tested).startswith(str(bound)), (one, tested)
    assert set(pinned("lowest.txt")) == {one.name for one in listed} - UNTESTED | OF_TESTS
    note(len(listed), "dependencies with a lower bound")


def test_every_dependency_has_a_newest_version_that_was_tested(note):
    tested, listed = pinned("newest.txt"), requirements(*EXTRAS)
    for one in listed:
        assert tested[one.name] in one.specifier, one
    note(len(listed), "dependencies with a newest version that was tested")


@pytest.mark.finding("onnxruntime 1.18 was allowed, which cannot be imported beside numpy 2.")
def test_onnxruntime_goes_with_numpy_2():
    (bound,) = [lowest(one) for one in requirements("onnx") if one.name == "onnxruntime"]
    assert bound >= Version("1.19")


def test_no_dependency_binds_those_who_use_pronotum(note):
    """No GPL and the like among what is installed with it."""
    n, waiting, seen = 0, [(one.name, one.extras) for one in requirements(*EXTRAS)], set()
    while waiting:
        name, extras = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        about = found.metadata
        named = about.get("License-Expression") or about.get("License") or ""
        classified = [one for one in about.get_all("Classifier") or [] if one.startswith("License")]
        # Some put the whole text there, with the licences of what they bundle.
        licences = "; ".join([*classified, *([named] if "\n" not in named else [])])
        if "LGPL" not in licences and "Lesser" not in licences:
            assert not COPYLEFT.search(licences) or " OR " in licences, (name, licences)
        for line in found.requires or []:
            requirement = Requirement(line)
            chosen = [{"extra": extra} for extra in (extras or ("",))]
            if requirement.marker is None or any(requirement.marker.evaluate(one) for one in chosen):
                waiting.append((requirement.name, requirement.extras))
        n += 1
    note(n, "licences of installed packages read")


def test_the_version_is_said_in_one_place():
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
