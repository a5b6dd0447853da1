"""The simulation behind docs/scale.md, where the answer can be worked out by hand."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'pronotum[cluster]')")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("scale_model", BENCHMARKS / "scale_model.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["scale_model"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def site(model, workers, **others):
    return model.Site(workers, **{"bandwidth": 1e12, "requests": 1e12, "latency": 0.0, "scheduler": 0.0, **others})


def test_cores_share_equal_shards(model):
    costs = model.Costs(np.full(10, 0.5), 1e6, 2.0)
    found = model.simulate(1200, costs, site(model, 3), shard=100)
    assert found["seconds"] == pytest.approx(4 * (50 + 2))
    assert found["in_use"] == pytest.approx(1)
    assert model.simulate(1300, costs, site(model, 3), shard=100)["seconds"] == pytest.approx(5 * 52)


def test_a_narrow_network_and_a_slow_store_are_shared(model):
    costs = model.Costs(np.full(10, 0.5), 1e6, 0.0)
    narrow = model.simulate(1200, costs, site(model, 3, bandwidth=2e6), shard=100)
    assert narrow["seconds"] == pytest.approx(1200 / 2)
    slow = model.simulate(1200, costs, site(model, 3, requests=3.0), shard=100)
    assert slow["seconds"] == pytest.approx(1200 / 3)
    assert model.limits(1200, costs, site(model, 3, requests=3.0))["requests"] == pytest.approx(400 / 3600)


def test_a_wait_for_each_file_is_shared_by_those_asked_for_at_once(model):
    costs = model.Costs(np.full(10, 0.01), 1e3, 0.0)
    found = model.simulate(1000, costs, site(model, 1, latency=0.8), shard=100)
    assert found["seconds"] == pytest.approx(1000 * 0.8 / 8)


def test_the_scheduler_hands_out_one_shard_after_the_other(model):
    costs = model.Costs(np.full(10, 0.001), 1e3, 0.0)
    found = model.simulate(10_000, costs, site(model, 1000, scheduler=5.0), shard=1)
    assert found["seconds"] == pytest.approx(9_000 * 5, rel=0.01)


def test_what_dies_is_done_again(model):
    costs = model.Costs(np.full(10, 0.5), 1e6, 0.0)
    mortal = site(model, 10, days=500 / 86400, restart=10.0)
    found = model.simulate(40_000, costs, mortal, shard=100, seed=1)
    # A shard of 50 s ends with probability exp(-50 / 500); on average (exp(50 / 500) - 1) * 500 s are spent on each.
    spent = 400 * 500 * (np.exp(0.1) - 1)
    assert found["in_use"] * found["seconds"] * 10 == pytest.approx(spent, rel=0.03)
    assert found["in_vain"] == pytest.approx(1 - 400 * 50 / spent, abs=0.02)
