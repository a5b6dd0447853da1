import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pronotum.cli import main

# How fast examples are drawn says something of the machine and nothing of the program.
settings.register_profile("pronotum", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pronotum")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets beside the checkout; a test that needs them is skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the public data sets in {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny():
    """Settings of the smallest networks of the model `heatmap`, and of a training of two steps for each."""
    return {
        **{"coarse_steps": 2, "fine_steps": 2, "coarse_epochs": 1, "fine_epochs": 1},
        **{"model.coarse_widths": "[8,8,8,8]", "model.coarse_depth": 8},
        **{"model.fine_widths": "[8,8]", "model.fine_depth": 8},
    }


@pytest.fixture(scope="session")
def command():
    """The command line: a function of its words that answers with the exit code."""

    def run(*arguments: object) -> int:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code or 0

    return run


@pytest.fixture(scope="session")
def rscript():
    """R: a function of what to run and where, which answers with what it prints. In CI it has to be there."""
    if shutil.which("Rscript") is None:
        why = "R is not installed (Debian: apt-get install r-base-core)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)

    def run(*arguments: object, cwd: Path) -> str:
        command = ["Rscript", *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
