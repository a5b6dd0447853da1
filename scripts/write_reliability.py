"""Write docs/reliability.md from what the fault-injection suite has noted of itself.

python scripts/write_reliability.py RECORD docs/reliability.md
"""

from __future__ import annotations

import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pronotum.provenance import versions

POINTS = {
    "test_kill": (
        "Killed at any moment",
        """Training, cross-validation, reports, prediction and the savings of the desk are killed (SIGKILL): half of the
times right before an operation on files, or in the middle of the line that is written there, evenly over all of them;
half at random times. Afterwards the same command finishes, the result is that of one left alone (weights to the same
bits, on a CPU), nothing that was finished is done again, no half-written file is left, and a reader that looked all the
while has never met one.""",
    ),
    "test_disk": (
        "Disks",
        """Full, read-only, broken, without permission, with a quota, slow: one line that names place and remedy,
exit code 2, earlier results whole, and the same command finishes once the disk is well.""",
    ),
    "test_images": (
        "Photographs",
        """Each is read rightly, or named and left out, within 10 s of computing and 2 GiB of memory, in a process
of its own, so that a crash would be seen. Real photographs are among them where they are at hand.""",
    ),
    "fuzz": (
        "Landmark files, fuzzed",
        """Every reader, guided by what code a file reaches (atheris) where nothing else is said; what was found is a
seed in `tests/fuzz/seeds`.""",
    ),
    "test_landmark_files": ("Landmark files", "Damaged files of every format: read, or told in one line."),
    "test_models": (
        "Models",
        "Damaged and hostile model files, shared models and checkpoints: refused in one line, and never unpickled.",
    ),
    "test_desk": ("The desk", "Attacks over real sockets, load, and random requests beside a model of the desk."),
    "test_numbers": (
        "Numbers",
        """Degenerate data and settings: a right result, or one line that says what is wrong. The same seed on the same
machine gives the same bits.""",
    ),
    "test_supply_chain": (
        "Supply chain",
        """What a release is made of. `scripts/release_check` builds it twice to the same bytes, lists what is in it
and runs the fast tests with the newest and the lowest versions (`constraints/`).""",
    ),
}
LIMITS = """## What this does not show

- A bit that has changed inside the compressed pixels of a JPEG or TIFF cannot be told from another picture: these
  formats have no checksums. PNG has, and they are compared.
- A kill is not a power cut: what the desk has confirmed is on the disk itself (fsync); a training or prediction may
  lose its last seconds, and then repeats them.
- The same bits are promised for one machine, one set of versions and the CPU. `predictions.json` and `config.json`
  record the versions; `pronotum verify` compares.
- torch has one tested version, 2.13.0: older ones could not be had without CUDA where this was made, so that its lower
  bound in `pyproject.toml` is untested.
"""


def read(path: Path) -> list[dict[str, Any]]:
    """One dictionary per test, as it ended last."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return list({(one["file"], one["test"]): one for one in lines}.values())


def page(tests: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of the page."""
    known = versions()
    yield "# Reliability"
    yield ""
    yield "What was tried to break pronotum, and what came of it."
    yield "Made by `scripts/write_reliability.py` from the suite's own record"
    yield f"({datetime.now(UTC):%Y-%m-%d}, Python {known['python']}, torch {known['torch']}, {platform.system()});"
    yield "`scripts/test` runs a bounded part of the same suite (`tests/faults/`)."
    yield ""
    passed = sum(one["outcome"] == "passed" for one in tests)
    left_out = [one for one in tests if one["outcome"] == "skipped"]
    failed = [one for one in tests if one["outcome"] == "failed"]
    if not all(one["full"] for one in tests):
        yield "**This is of the tests named here only, and of a bounded part of those marked *bounded***:"
        yield "all of it takes hours (`scripts/soak`)."
        yield ""
    yield f"{passed} tests passed, {len(failed)} failed, {len(left_out)} were skipped."
    for file, (title, text) in POINTS.items():
        own = [one for one in tests if one["file"] == file]
        if own:
            yield from section(title, text, own)
    if failed or left_out:
        yield from ("", "## Failed or skipped", "")
        yield from (f"- `{one['test']}` ({one['outcome']}) {one.get('why', '')}".rstrip() for one in failed + left_out)
    yield ""
    yield LIMITS.rstrip()


def section(title: str, text: str, own: list[dict[str, Any]]) -> Iterator[str]:
    """One point of the suite: how many cases of what, and what they have shown."""
    yield from ("", f"## {title}", "", text, "", "| cases | of what | outcome |", "|---|---|---|")
    counts, outcomes = defaultdict[str, int](int), defaultdict[str, set[str]](set)
    bounded = set[str]()
    for one in own:
        if "cases" in one:
            counts[one["what"]] += one["cases"]
            outcomes[one["what"]].add(one["outcome"])
            bounded |= set() if one["full"] else {one["what"]}
    for what, n in counts.items():
        marked = f"{what}, *bounded*" if what in bounded else what
        yield f"| {n} | {marked} | {'all as they should be' if outcomes[what] == {'passed'} else 'FAILED'} |"
    findings = dict.fromkeys(one["finding"] for one in own if "finding" in one)
    if findings:
        yield from ("", "Found, and mended since (each has a test that keeps it mended):", "")
        for finding in findings:
            good = all(one["outcome"] == "passed" for one in own if one.get("finding") == finding)
            yield f"- {finding}" + ("" if good else " **NOT MENDED**")


if __name__ == "__main__":
    Path(sys.argv[2]).write_text("\n".join(page(read(Path(sys.argv[1])))) + "\n", encoding="utf-8")
