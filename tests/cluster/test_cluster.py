"""Folds on a real Dask cluster of processes: the same results to the last bit, also where a worker is killed."""

import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest
import torch

from pronotum import crossvalidation, demo
from pronotum.workflows import TrainOptions

pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")
SETTINGS = {"coarse_steps": 6, "fine_steps": 6, "coarse_epochs": 1, "fine_epochs": 1}
SMALL = {"model.coarse_widths": "[8,8,8,8]", "model.coarse_depth": 8, "model.fine_widths": "[8,8]"}
OPTIONS = TrainOptions(device="cpu", overrides={**SETTINGS, **SMALL})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return demo.draw_beetles(tmp_path_factory.mktemp("beetles"), "pronotum", n=9, seed=0, size=(192, 144))


@pytest.fixture(scope="module")
def serial(data, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return crossvalidation.crossvalidate(data, tmp_path_factory.mktemp("serial") / "run", OPTIONS, n_folds=3)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.filterwarnings("ignore")
def test_workers_give_the_same_to_the_last_bit_though_one_is_killed(data, serial, tmp_path):
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
            found = crossvalidation.crossvalidate(data, tmp_path / "run", OPTIONS, n_folds=3, engine=engine)
    finally:
        done.set()
        killer.join()
    assert killed
    np.testing.assert_array_equal(found.predicted, serial.predicted)
    np.testing.assert_array_equal(found.certainty.confidence, serial.certainty.confidence)
    np.testing.assert_array_equal(found.folds, serial.folds)
