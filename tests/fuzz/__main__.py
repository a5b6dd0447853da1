"""Fuzz readers: ``python -m tests.fuzz FORMAT... --seconds 60``, or ``all`` formats.

With atheris (``pip install atheris``, Python 3.11 on Linux) guided by what code each file reaches, else by mutations
alone. What breaks a promise is written to --out; copy it to tests/fuzz/seeds/FORMAT/found-... and mend the reader.
Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import harness

from pronotum import formats

RSS_LIMIT_MB = 2048
FULL_S = 600
"""Of fuzzing a format before a release; what is shorter is marked so where it is written down."""


def guided(name: str, seconds: int, out: Path) -> None:
    """Fuzz with atheris; ends this process."""
    import atheris

    module = formats.named(name).read.__module__
    for loaded in [one for one in sys.modules if one.startswith("pronotum.formats")]:
        del sys.modules[loaded]
    with atheris.instrument_imports(include=["pronotum.formats"]):
        kind = importlib.import_module(module).FORMAT
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for seed in harness.seeds(name):
        shutil.copy(seed, corpus)
    path = folder / f"x{kind.suffixes[0]}"

    def one(content: bytes) -> None:
        harness.put(path, content)
        harness.check(kind, path)

    timeout = harness.LIMIT_HDF5_S if name in harness.HDF5 else harness.LIMIT_S
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={timeout}",
        f"-rss_limit_mb={RSS_LIMIT_MB}",
        "-max_len=20000",
        "-print_final_stats=1",
        f"-artifact_prefix={out}/{name}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def unguided(name: str, seconds: int, out: Path) -> None:
    """Fuzz with mutations of the seeds."""
    generator, began, executed, found = random.Random(0), time.monotonic(), 0, 0
    kind = formats.named(name)
    suffix = kind.suffixes[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        while time.monotonic() < began + seconds:
            content = harness.mutated(name, generator)
            harness.put(path, content)
            executed += 1
            try:
                with harness.limited(name):
                    harness.check(kind, path)
            except Exception:  # noqa: BLE001  # it is what is looked for
                found += 1
                place = out / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
                place.write_bytes(content)
                traceback.print_exc()
                print(f"written: {place}")
    print(f"stat::number_of_executed_units: {executed}")
    sys.exit(1 if found else 0)


def guides(asked: argparse.Namespace) -> bool:
    """Whether atheris is used."""
    return not asked.unguided and importlib.util.find_spec("atheris") is not None


def each(names: list[str], asked: argparse.Namespace) -> bool:
    """Fuzz formats, each in a process of its own, and say of how many files; whether nothing was found."""

    def one(name: str) -> bool:
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(asked.seconds), "--out", str(asked.out)]
        command += ["--unguided"] * asked.unguided
        with tempfile.TemporaryDirectory() as folder:  # atheris ends its process and leaves what is there
            there = {**os.environ, "TMPDIR": folder}
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=there)
        said = done.stdout + done.stderr
        executed = re.search(r"number_of_executed_units: *(\d+)", said)
        files, seconds = int(executed[1]) if executed else 0, time.monotonic() - began
        good = done.returncode == 0 and files > 0
        result = "nothing found" if good else f"FOUND, see {asked.out}\n{said[-3000:]}"
        print(f"{name:14s} {files:9d} files {seconds / 60:5.1f} min  {result}", flush=True)
        if asked.record:
            line = {
                "file": "fuzz",
                "test": name,
                "outcome": "passed" if good else "failed",
                "seconds": seconds,
                "full": asked.seconds >= FULL_S,
                "cases": files,
                "what": f"files read as {name} in {asked.seconds / 60:.0f} minutes" + how,
            }
            with asked.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return good

    how = "" if guides(asked) else ", by mutations alone"
    with ThreadPoolExecutor(asked.at_once) as pool:
        return all(list(pool.map(one, names)))


def main() -> None:
    """Parse and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="+", metavar="FORMAT", choices=["all", *formats.names()])
    parser.add_argument("--seconds", type=int, default=60, help="for each format")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"), help="folder for what is found")
    parser.add_argument("--unguided", action="store_true", help="without atheris")
    parser.add_argument("--at-once", type=int, default=1, help="formats side by side, each in a process of its own")
    parser.add_argument("--record", type=Path, help="add a line of JSON for each format to this file")
    asked = parser.parse_args()
    asked.out = asked.out.resolve()
    asked.out.mkdir(parents=True, exist_ok=True)
    names = list(formats.names()) if "all" in asked.formats else asked.formats
    if len(names) > 1 or asked.record:
        sys.exit(0 if each(names, asked) else 1)
    (guided if guides(asked) else unguided)(names[0], asked.seconds, asked.out)


if __name__ == "__main__":
    main()
