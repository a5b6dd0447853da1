"""Every command and every block of code in the documentation does what its page says, or says why it is not run."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT, Block, Terminal, blocks, check_only

MADE: dict[str, Path] = {}
WITH_BLOCKS = [page for page in PAGES if blocks(page)]


def test_blocks_are_found_with_their_reasons(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tutorials" / "run-on-a-cluster.md"
    found = blocks(page)
    assert [block.language for block in found] == ["bash"] * 3
    assert [block.why_not for block in found][-1] == "needs SLURM"
    assert "dask scheduler" in list(found[1].commands())


def test_an_option_that_is_gone_is_seen() -> None:
    gone = Block(ROOT / "README.md", 1, "bash", "pronotum train wings/ -o run --faster\n", "no reason")
    with pytest.raises(AssertionError, match="has no --faster"):
        check_only(gone)


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page: Path, table: Path, short: None, tmp_path: Path) -> None:
    found = blocks(page)
    for block in found:
        check_only(block)
    if not all(block.why_not for block in found):
        terminal = Terminal(tmp_path / "reader", MADE)
        shutil.copytree(table, terminal.folder)
        for block in found:
            if not block.why_not:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # as a reader would not see them turned into errors
                    terminal.run(block)
