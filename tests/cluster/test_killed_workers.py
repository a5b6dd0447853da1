"""A Dask cluster of processes that were started as commands, through kill -9 of its workers and of whoever waits."""

import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from pronotum import crossvalidation
from pronotum.models import storage

from .conftest import N_FOLDS, OPTIONS, until

pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")
KILLS, LEAST = 4, 2


def weights(folder):
    return {
        name: value.numpy() for name, value in storage.load(folder / "model.safetensors").network.state_dict().items()
    }


@pytest.mark.filterwarnings("ignore")
def test_workers_killed_at_random_change_nothing(beetles, serial, cluster, tmp_path):
    from pronotum.cluster import Cluster

    chance, over, killed = random.Random(0), threading.Event(), []

    def kill() -> None:
        """Some that are at work, each after a while; another one comes instead."""
        while not over.wait(chance.uniform(0.05, 0.7)) and len(killed) < KILLS:
            working = cluster.working(tmp_path / "run")
            if working:
                killed.append(chance.choice(working))
                cluster.kill(killed[-1])
                cluster.add_worker()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with Cluster(address=cluster.address) as engine:
            found = crossvalidation.crossvalidate(beetles, tmp_path / "run", OPTIONS, n_folds=N_FOLDS, engine=engine)
    finally:
        over.set()
        killer.join()
    folder, expected = serial
    assert len(killed) >= LEAST
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    np.testing.assert_array_equal(found.certainty.confidence, expected.certainty.confidence)
    np.testing.assert_array_equal(found.folds, expected.folds)
    np.testing.assert_equal(weights(tmp_path / "run"), weights(folder))


def interruptible() -> None:
    """In a child: what a shell runs in the background, and all that it starts, would be deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_who_waits_is_interrupted_then_killed_and_the_same_command_goes_on(beetles, serial, cluster, tmp_path):
    settings = [f"--set={name}={value}" for name, value in OPTIONS.overrides.items()]
    options = [f"--folds={N_FOLDS}", "--device=cpu", "--pose=upright", f"--cluster={cluster.address}", *settings]
    where = [sys.executable, "-m", "pronotum", "crossvalidate", str(beetles.source[0].parent), "-o"]

    def done():
        """When each finished fold was written."""
        return {path: path.stat().st_mtime_ns for path in run.glob("folds/*/predictions.tps")}

    for attempt in range(4):  # small networks may be done before anybody can interrupt them
        run = tmp_path / f"run {attempt}"
        command = [*where, str(run), *options]
        first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible)
        until(lambda run=run: cluster.working(run), "a task")
        first.send_signal(signal.SIGINT)
        said = first.communicate()[1]
        if first.returncode != 0:
            break
    assert first.returncode == 130
    assert "interrupted; what is finished is kept, and the same command goes on where it was" in said
    until(lambda: not cluster.working(run), "the end of the tasks")
    assert len(done()) < N_FOLDS

    second = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(done, "the first fold")
    second.kill()
    second.wait()
    finished = done()
    assert finished

    subprocess.run(command, check=True, capture_output=True)
    assert len(done()) == N_FOLDS
    assert finished.items() <= done().items()
    assert (run / "out_of_fold.tps").read_bytes() == (serial[0] / "out_of_fold.tps").read_bytes()
    np.testing.assert_equal(weights(run), weights(serial[0]))
