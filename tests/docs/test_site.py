"""The site: complete, without broken links, and readable without the internet."""

from __future__ import annotations

import html
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pronotum.cli import app

from .blocks import ROOT


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
SETTINGS = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)


def in_nav(entry: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from in_nav(part)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as it is published; building is strict, so that a broken link or anchor is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(in_nav(SETTINGS["nav"]))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert there - set(listed) == set(), "not in the nav of mkdocs.yml"
    assert len(set(listed)) == len(listed)


def test_every_page_is_built(site: Path) -> None:
    for page in in_nav(SETTINGS["nav"]):
        built = site / re.sub(r"README\.md$", "index.md", page)
        assert built.with_suffix(".html").is_file(), page


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//"
    )
    imports = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not imports.search(sheet.read_text(encoding="utf-8")), sheet


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by the name one types."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = html.unescape((site / "reference" / "commands.html").read_text(encoding="utf-8"))
    sections = {re.sub("<.*?>", "", part).partition("¶")[0].strip(): part for part in re.split(r"<h2[^>]*>", page)[1:]}
    for name, command in commands(typer.main.get_command(app)):
        assert name in sections, name
        for option in command.params:
            for written in option.opts if option.param_type_name == "option" else ():
                assert written == "--help" or f"<code>{written}</code>" in sections[name], f"{name} {written}"


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, _ in commands(typer.main.get_command(app)):
        assert f"pronotum {name}" in text, name


def test_every_picture_is_used_and_made_by_a_script() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    files = [*(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    scripts = [path for path in files if "\nDRAWS = " in path.read_text(encoding="utf-8")]
    drawn = {name for script in scripts for name in runpy.run_path(str(script), run_name="looked at")["DRAWS"]}
    folder = ROOT / "docs" / "pictures"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert there == drawn
    assert {name for name in there if f"pictures/{name}" not in pages} == set(), "no page shows them"
