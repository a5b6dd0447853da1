"""Folds on a real Dask cluster of processes: the same results to the last bit, also where a worker is killed."""

import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from pronotum import crossvalidation

from .conftest import N_FOLDS, OPTIONS

pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")


@pytest.mark.filterwarnings("ignore")
def test_workers_give_the_same_to_the_last_bit_though_one_is_killed(beetles, serial, tmp_path):
    from pronotum.cluster import Cluster

    killed, done = [], threading.Event()

    def kill() -> None:
        """One worker that has worked for a while."""
        while not done.is_set() and not killed:
            time.sleep(0.2)
            if not list((tmp_path / "run" / "folds").glob("*/config.json")):
                continue
            for child in psutil.Process().children(recursive=True):
                if child.name().startswith("python") and child.cpu_times().user > 2:
                    os.kill(child.pid, signal.SIGKILL)
                    killed.append(child.pid)
                    return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with Cluster(workers=2) as engine:
            found = crossvalidation.crossvalidate(beetles, tmp_path / "run", OPTIONS, n_folds=N_FOLDS, engine=engine)
    finally:
        done.set()
        killer.join()
    expected = serial[1]
    assert killed
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    np.testing.assert_array_equal(found.certainty.confidence, expected.certainty.confidence)
    np.testing.assert_array_equal(found.folds, expected.folds)
