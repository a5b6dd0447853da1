"""What a survey of ten million photographs needs: a cost model from measured seconds, and a simulation of it.

python benchmarks/scale_model.py RUN PHOTOGRAPHS -o OUT

Measures what a photograph costs on one core (seconds of CPU, so that other programs matter little), says how many
hours ten million cost on so many cores and what limits them, simulates the same with stragglers and deaths of workers,
and checks the simulation against surveys on this machine: of files, and from a web server that is slow.
"""

from __future__ import annotations

import argparse
import heapq
import json
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

from pronotum import fitting, inference, landmarking, survey, workflows
from pronotum.cluster import Cluster
from pronotum.survey import fetching, table
from survey import waited

NUMBER = 10_000_000
SHARD = 1000
GIGABIT = 125e6
HTTP, LOCAL = "fetch (HTTP, both ends)", "fetch (local file)"


@dataclass(frozen=True)
class Costs:
    """Of a photograph, on one core.

    Attributes:
        cpu: (n,) seconds.
        size: bytes of its file.
        shard: seconds that a shard costs beside: a model opened, files begun.
    """

    cpu: np.ndarray[Any, np.dtype[np.float64]]
    size: float
    shard: float


@dataclass(frozen=True)
class Site:
    """Where a survey is made.

    Attributes:
        workers: cores.
        bandwidth: bytes a second from the store to all workers together.
        requests: files a second that the store gives.
        latency: seconds until it begins to give one; `fetching.AT_ONCE` are asked for at once.
        scheduler: seconds of the one scheduler per shard.
        days: after which a worker dies, on average.
        restart: seconds until there is another one.
        straggling: standard deviation of the logarithm of the workers' speeds.
    """

    workers: int
    bandwidth: float = 10 * GIGABIT
    requests: float = 5500.0
    latency: float = 0.1
    scheduler: float = 0.002
    days: float = inf
    restart: float = 60.0
    straggling: float = 0.0


def limits(n: int, costs: Costs, site: Site) -> dict[str, float]:
    """Hours that each part needs by itself; the longest is what limits."""
    each = max(float(costs.cpu.mean()), site.latency / fetching.AT_ONCE) + costs.shard / SHARD
    return {
        "cores": n * each / site.workers / 3600,
        "bandwidth": n * costs.size / site.bandwidth / 3600,
        "requests": n / site.requests / 3600,
        "scheduler": n / SHARD * site.scheduler / 3600,
    }


def simulate(n: int, costs: Costs, site: Site, *, shard: int = SHARD, seed: int = 0) -> dict[str, float]:
    """A survey, event by event: seconds, share of the cores' time in use, and share of work done in vain.

    Shards under way share the network: where they want more of it than there is, all go on slower by the same factor.
    """
    rng = np.random.default_rng(seed)
    speed = np.exp(rng.normal(0, site.straggling, site.workers))
    todo = deque(min(shard, n - at) for at in range(0, n, shard))
    left, now, work, scheduler_free = len(todo), 0.0, 0.0, 0.0
    running: dict[int, tuple[float, float, int]] = {}  # worker -> work done when it ends, seconds it costs, photographs
    ends: list[tuple[float, int]] = []
    events = [(0.0, worker, "free") for worker in range(site.workers)]
    if np.isfinite(site.days):
        lives = rng.exponential(site.days * 86400, site.workers)
        events += [(float(life), worker, "dies") for worker, life in enumerate(lives)]
    heapq.heapify(events)
    busy = vain = wanted_bytes = wanted_files = 0.0
    while left:
        while ends and running.get(ends[0][1], (None,))[0] != ends[0][0]:
            heapq.heappop(ends)  # of one that died
        pace = min(1.0, site.bandwidth / max(wanted_bytes, 1e-9), site.requests / max(wanted_files, 1e-9))
        ended = now + (ends[0][0] - work) / pace if ends else inf
        happens = events[0][0] if events else inf
        step = min(ended, happens) - now
        work, now, busy = work + pace * step, now + step, busy + pace * step * len(running)
        if ended <= happens:
            worker = heapq.heappop(ends)[1]
            left -= 1
        else:
            _, worker, kind = heapq.heappop(events)
            if kind == "free" and todo:
                size = todo.popleft()
                each = rng.normal(costs.cpu.mean(), costs.cpu.std() / np.sqrt(size))
                seconds = (size * max(each, site.latency / fetching.AT_ONCE) + costs.shard) / speed[worker]
                running[worker] = (work + seconds, seconds, size)
                heapq.heappush(ends, (work + seconds, worker))
                wanted_bytes, wanted_files = wanted_bytes + size * costs.size / seconds, wanted_files + size / seconds
            if kind == "dies":
                heapq.heappush(events, (now + rng.exponential(site.days * 86400), worker, "dies"))
            if kind == "free" or worker not in running:
                continue
            end, seconds, size = running[worker]
            vain += seconds - (end - work)
            todo.append(size)
        _, seconds, size = running.pop(worker)
        wanted_bytes, wanted_files = wanted_bytes - size * costs.size / seconds, wanted_files - size / seconds
        scheduler_free = max(now, scheduler_free) + site.scheduler
        back = scheduler_free + (0.0 if ended <= happens else site.restart)
        heapq.heappush(events, (back, worker, "free"))
    return {"seconds": now, "in_use": busy / now / site.workers, "in_vain": vain / max(busy, 1e-9)}


def measure(run: Path, photographs: list[Path], out: Path) -> tuple[Costs, dict[str, float]]:
    """Milliseconds of CPU per photograph and step, on one thread."""
    torch.set_num_threads(1)
    begun = time.process_time()
    model, device = workflows.open_model(run, "cpu")
    opening = time.process_time() - begun
    n = len(photographs)
    took: dict[str, float] = {}

    def timed(name: str, begun: float) -> None:
        took[name] = 1000 * (time.process_time() - begun) / n

    with served(photographs[0].parent, inf) as address:
        for one in fetching.stream([f"{address}/{photographs[0].name}"]):  # what is needed once is not counted
            one.release()
        begun = time.process_time()
        for one in fetching.stream([f"{address}/{path.name}" for path in photographs]):
            one.release()
        timed(HTTP, begun)
    begun = time.process_time()
    for one in fetching.stream([str(path) for path in photographs]):
        one.release()
    timed(LOCAL, begun)
    begun = time.process_time()
    for path in photographs:
        fitting.fit(path, model.network.config.picture)
    timed("decode", begun)
    each, answers = [], []
    list(inference.predict_all(model.network, photographs[:4], device=device))
    for start in range(0, n, 4):
        begun, group = time.process_time(), photographs[start : start + 4]
        answers += list(inference.predict_all(model.network, group, device=device))
        each += [(time.process_time() - begun) / len(group)] * len(group)
    took["network"] = 1000 * float(np.mean(each)) - took["decode"]
    judged = landmarking.known(model)
    found = [(one[0], judged.row(one[0], "a.jpg", "1", None)) for one in answers if isinstance(one, tuple)]
    common = {"photograph": "https://museum.org/drawers/a.jpg", "sha256": "0" * 64, "model": "0" * 64}
    begun = time.process_time()
    with table.Writer(out / "written.parquet", {}) as writer:
        for _ in range(10):
            for _, (row, urgency) in found:
                writer.add(table.of_specimen(row, common, urgency))
    timed("write", begun)
    took["write"] /= 10
    size = float(np.mean([path.stat().st_size for path in photographs]))
    cpu = np.array(each) + (took[HTTP] + took["write"]) / 1000
    return Costs(cpu, size, opening), {name: round(value, 2) for name, value in took.items()}


@contextmanager
def served(folder: Path, bandwidth: float) -> Iterator[str]:
    """A web server in this process that gives so many bytes a second to all together."""
    lock, sent = threading.Lock(), [0.0, time.perf_counter()]

    class Slow(SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            while part := source.read(65536):
                with lock:
                    sent[1] = max(sent[1], time.perf_counter()) + len(part) / bandwidth
                    until = sent[1]
                time.sleep(max(0.0, until - time.perf_counter()))
                outputfile.write(part)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def check(run: Path, sources: list[str], out: Path, shard: int, workers: int) -> dict[str, float]:
    """Seconds of a survey on this machine, by the clock and with a core free (see survey.py)."""
    (out / "list.txt").write_text("".join(f"{source}\n" for source in sources))
    (out / "one.txt").write_text("".join(f"{source}\n" for source in sources[:workers]))
    with Cluster(workers=workers) as engine:
        options = survey.Options(shard=1, device="cpu")
        survey.survey(run, [str(out / "one.txt")], out / "warm", options, engine=engine)
        children = psutil.Process().children(recursive=True)
        processes = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        before, begun = {one: waited(one) for one in processes}, time.perf_counter()
        survey.survey(run, [str(out / "list.txt")], out / "done", replace(options, shard=shard), engine=engine)
        seconds = time.perf_counter() - begun
        spent = [np.subtract(waited(one), before[one]) for one in processes]
    for name in ("warm", "done"):
        shutil.rmtree(out / name)
    ready = float(np.mean([one[1] for one in sorted(spent, key=lambda one: -one[0])[:workers]]))
    return {"seconds": round(seconds, 1), "free_seconds": round(seconds - ready, 1)}


def main() -> None:
    """Measure, simulate, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--side", type=int, help="shrink the photographs to this longer side first")
    parser.add_argument("--first", type=int, default=16, help="photographs to measure with")
    parser.add_argument("--times", type=int, default=3, help="how often each is in the surveys of the check")
    parser.add_argument("--check", action=argparse.BooleanOptionalAction, default=True, help="beside real surveys")
    parser.add_argument("--slow", type=float, default=0.5, help="MB a second of the slow web server")
    asked = parser.parse_args()
    copies = asked.out / "photographs"
    copies.mkdir(parents=True, exist_ok=True)
    for path in landmarking.find_photographs([asked.photographs])[: asked.first]:
        for time_ in range(asked.times):
            target = copies / f"{time_}-{path.name}"
            if asked.side:
                with Image.open(path) as image:
                    image.thumbnail((asked.side, asked.side))
                    image.convert("RGB").save(target.with_suffix(".jpg"), quality=85)
            else:
                shutil.copy(path, target)
    photographs = sorted(copies.iterdir())
    costs, steps = measure(asked.run, [path for path in photographs if path.name.startswith("0-")], asked.out)
    print(json.dumps({"ms_of_cpu": steps, "cpu_ms": 1000 * float(costs.cpu.mean()), "bytes": round(costs.size)}))
    n, shard = len(photographs), max(1, len(photographs) // 6)
    result: dict[str, Any] = {"ms_of_cpu": steps, "bytes": costs.size, "shard_seconds": costs.shard, "checks": []}
    for workers, slow in ((1, False), (2, False), (2, True)) if asked.check else ():
        bandwidth = asked.slow * 1e6 if slow else inf
        with served(copies, bandwidth) as address:
            sources = (
                [f"{address}/{path.name}" for path in photographs] if slow else [str(path) for path in photographs]
            )
            measured = check(asked.run, sources, asked.out, shard, workers)
        site = Site(workers, bandwidth=min(bandwidth, 1e12), latency=0.0, scheduler=0.2)
        theirs = costs if slow else replace(costs, cpu=costs.cpu - (steps[HTTP] - steps[LOCAL]) / 1000)
        predicted = simulate(n, theirs, site, shard=shard)["seconds"]
        result["checks"].append({"workers": workers, "slow": slow, "predicted": round(predicted, 1), **measured})
        print(json.dumps(result["checks"][-1]), flush=True)
    result["plans"] = []
    for workers in (2, 16, 64, 256, 1024):
        for gigabits in (1, 10):
            site = Site(workers, gigabits * GIGABIT)
            hours = limits(NUMBER, costs, site)
            worst = max(hours, key=lambda name: hours[name])
            hard = simulate(NUMBER, costs, replace(site, days=7.0, straggling=0.2))
            plan = {"cores": workers, "Gbit/s": gigabits, "hours": hours[worst], "limit": worst}
            plan |= {"simulated": hard["seconds"] / 3600, "in_use": hard["in_use"], "in_vain": hard["in_vain"]}
            result["plans"].append(plan)
            print(json.dumps({key: round(one, 4) if isinstance(one, float) else one for key, one in plan.items()}))
    (asked.out / "scale.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
