"""Every reader, whatever the bytes: specimens or a UserError of one line, soon, in little memory.

The bounded form of ``scripts/fuzz``, which goes on for as long as it is told.
"""

import importlib.util
import random
import resource
import sys
from pathlib import Path

import pytest

from pronotum import formats

_SPEC = importlib.util.spec_from_file_location("fuzz_harness", Path(__file__).with_name("harness.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
harness = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(harness)

MUTATIONS, MUTATIONS_HDF5 = 250, 6
MEMORY_MB = 500


def rss_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def need(name: str) -> None:
    if name in harness.HDF5:
        pytest.importorskip("h5py", reason="needs h5py")


@pytest.mark.parametrize("name", formats.names())
def test_there_are_whole_files_and_those_that_once_broke_it(name: str) -> None:
    need(name)
    accepted = {path.name: harness.check(formats.named(name), path) for path in harness.seeds(name)}
    assert any(accepted.values())
    assert all(ok for seed, ok in accepted.items() if not seed.startswith("found-")), accepted


@pytest.mark.parametrize("name", formats.names())
def test_no_bytes_break_a_reader(name: str, tmp_path: Path) -> None:
    need(name)
    generator, before = random.Random(name), rss_mb()
    for number in range(MUTATIONS_HDF5 if name in harness.HDF5 else MUTATIONS):
        path = tmp_path / f"{number}{formats.named(name).suffixes[0]}"
        path.write_bytes(harness.mutated(name, generator))
        with harness.limited(name):
            harness.check(formats.named(name), path)
        path.unlink()  # what is left in the folder of a failed test is what failed
    assert rss_mb() - before < MEMORY_MB
