"""A search on three workers finds what it finds in this process."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")
tuning = pytest.importorskip("pronotum.tuning", reason="optuna is not installed (pip install 'pronotum[tune]')")

from .conftest import OPTIONS  # noqa: E402

BRIEF = replace(OPTIONS, overrides={**OPTIONS.overrides, "coarse_steps": 2, "fine_steps": 2, "bend": 0})


@pytest.mark.filterwarnings("ignore")
def test_three_workers_find_the_same(beetles, cluster, tmp_path):
    from pronotum.cluster import Cluster

    def found(folder, **where):
        search = tuning.prepare(beetles, folder, BRIEF, n_trials=5, n_folds=2, test=0.2, vary=["rate", "epochs"])
        return tuning.run(search, **where)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = found(tmp_path / "alone")
    finally:
        torch.set_num_threads(threads)
    with Cluster(address=cluster.address) as engine:
        assert found(tmp_path / "shared", engine=engine) == alone
    tables = [(tmp_path / name / "trials.csv").read_bytes() for name in ("alone", "shared")]
    assert tables[0] == tables[1]
