"""Fuzz readers: ``python -m tests.fuzz FORMAT --seconds 60``, or ``all`` for one format after another.

With atheris (``pip install atheris``, Python 3.11 on Linux) guided by what code each file reaches, else by mutations
alone. What breaks a promise is written to --out; copy it to tests/fuzz/seeds/FORMAT/found-... and mend the reader.
Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz import harness

from pronotum import formats

RSS_LIMIT_MB = 2048


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
        path.write_bytes(content)
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
            path.write_bytes(content)
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


def each(names: list[str], seconds: int, out: Path, more: list[str]) -> int:
    """Fuzz formats one after another, each in a process of its own, and say how often they were asked."""
    worst = 0
    for name in names:
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--out", str(out), *more]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        executed = re.search(r"number_of_executed_units: *(\d+)", said)
        minutes = (time.monotonic() - began) / 60
        result = "nothing found" if done.returncode == 0 else f"FOUND, see {out}"
        print(f"{name:14s} {executed[1] if executed else '?':>9s} files {minutes:5.1f} min  {result}", flush=True)
        if done.returncode:
            print(said[-3000:], flush=True)
        worst = max(worst, min(done.returncode, 1) if done.returncode > 0 else bool(done.returncode))
    return worst


def main() -> None:
    """Parse and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=["all", *formats.names()])
    parser.add_argument("--seconds", type=int, default=60, help="for each format")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"), help="folder for what is found")
    parser.add_argument("--unguided", action="store_true", help="without atheris")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    more = ["--unguided"] * asked.unguided
    if asked.format == "all":
        sys.exit(each(list(formats.names()), asked.seconds, asked.out, more))
    with_atheris = not asked.unguided and importlib.util.find_spec("atheris") is not None
    (guided if with_atheris else unguided)(asked.format, asked.seconds, asked.out.resolve())


if __name__ == "__main__":
    main()
