"""Does a survey of many photographs survive being killed, in constant memory, and do two workers do twice as much?

python benchmarks/survey.py -o OUT --photographs 20000 --kills 5

Draws beetles, varies them to so many small photographs, trains a tiny model, and surveys them with two workers, killing
the command (-9) at random moments. Then the throughput of one and of two workers in turn. Goes on where it was.

Other programs on the machine slow both: beside seconds of the clock stand those in which a core was free, which is the
clock's less the time that the busiest thread of a worker stood ready without being given a core (Linux, schedstat).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image, ImageEnhance

from pronotum import demo, survey, workflows
from pronotum.cluster import Cluster

DRAWS = ("survey-memory.png",)
SIZE = (192, 144)
DRAWN = 200
TINY = {"model.frame": "[64,48]", "model.hidden": "64", "epochs": "10"}
SAMPLE_SECONDS = 0.5


def prepare(out: Path, n: int, seed: int) -> tuple[Path, Path]:
    """A model, and n photographs that all differ, a thousand in a folder."""
    run, photographs = out / "run", out / "photographs"
    if not (run / "model.safetensors").exists():
        data = demo.draw_beetles(out / "learnt", "pronotum", n=40, seed=seed, size=SIZE)
        workflows.train(data, run, workflows.TrainOptions(device="cpu", held_out=0.0, overrides=TINY, model="ebnet1"))
    if not photographs.exists():
        drawn = demo.draw_beetles(out / "drawn", "pronotum", n=DRAWN, seed=seed + 1, size=SIZE).photographs
        pictures = [Image.open(path).convert("RGB") for path in drawn]
        rng = np.random.default_rng(seed)
        for number in range(n):
            folder = out / "being drawn" / f"drawer {number // 1000:03d}"
            folder.mkdir(parents=True, exist_ok=True)
            x, y = (int(one) for one in rng.integers(0, 9, 2))
            part = pictures[number % DRAWN].crop((x, y, SIZE[0] - 8 + x, SIZE[1] - 8 + y))
            ImageEnhance.Brightness(part).enhance(float(rng.uniform(0.8, 1.2))).save(folder / f"{number:06d}.jpg")
        (out / "being drawn").rename(photographs)
    return run, photographs


def done_photographs(out: Path) -> int:
    """How many photographs are in finished shards."""
    return sum(json.loads(path.read_text())["photographs"] for path in out.glob("shards/*/done.json"))


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all it has started."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(processes: list[psutil.Process]) -> float:
    """Their memory together, MB."""
    total = 0
    for one in processes:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def attempt(command: list[str], out: Path, stop_at: int | None, begun: float) -> Iterator[tuple[float, int, float]]:
    """Run the command until it ends, or kill it once so many photographs are done: seconds, photographs, MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    known = psutil.Process(process.pid)
    while process.poll() is None:
        members, n = family(known), done_photographs(out)
        yield time.perf_counter() - begun, n, memory(members)
        if stop_at is not None and n >= stop_at:
            time.sleep(random.uniform(0, 2))
            process.kill()
            process.wait()
            left = psutil.wait_procs(members[1:], timeout=60)[1]
            if left:
                raise SystemExit(f"{len(left)} workers outlive the command")
            return
        time.sleep(SAMPLE_SECONDS)
    if process.returncode or stop_at is not None:
        raise SystemExit(f"the command ended with {process.returncode}, to be killed at {stop_at}")


def survive(run: Path, photographs: Path, out: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """A survey that is killed and begun again; what came of it."""
    random.seed(asked.seed)
    moments = sorted(random.sample(range(asked.shard, asked.photographs - 3 * asked.shard), asked.kills))
    arguments = [
        str(run),
        str(photographs),
        "-o",
        str(out),
        "--shard",
        str(asked.shard),
        "--workers",
        str(asked.workers),
    ]
    command = [sys.executable, "-c", f"from pronotum.cli import main; main({['survey', *arguments]!r})"]
    finished = dict[Path, int]()
    samples: list[list[tuple[float, int, float]]] = []
    begun = time.perf_counter()
    for moment in (*moments, None):
        samples.append(list(attempt(command, out, moment, begun)))
        again = [path for path, when in finished.items() if path.stat().st_mtime_ns != when]
        if again:
            raise SystemExit(f"done again: {again}")
        finished = {path: path.stat().st_mtime_ns for path in out.glob("shards/*/done.json")}
    tables = [pq.read_table(path, columns=["photograph"]) for path in sorted((out / "specimens").iterdir())]
    count = Counter(name for table in tables for name in table["photograph"].to_pylist())
    expected = {str(path) for path in photographs.rglob("*.jpg")}
    draw(samples, asked.picture)
    (asked.out / "samples.json").write_text(json.dumps(samples))
    return {
        "photographs": len(expected),
        "killed_at": moments,
        "each_exactly_once": count.keys() == expected and set(count.values()) == {1},
        "shards_done_again": 0,
        "half_written_files_left": len(list(out.rglob(".*"))),
        "seconds": round(time.perf_counter() - begun, 1),
        **flatness(samples),
    }


def flatness(samples: list[list[tuple[float, int, float]]]) -> dict[str, Any]:
    """Peak of each attempt, and how memory grows with photographs once all workers are at work."""
    moved = list[tuple[float, float]]()
    for one in samples:
        settled = [(n, mb) for _, n, mb in one if one[0][1] < n < samples[-1][-1][1]]  # not while workers leave
        middle = np.mean(settled, axis=0) if settled else np.zeros(2)
        moved += [(n - middle[0], mb - middle[1]) for n, mb in settled]
    x, y = np.array(moved).T
    return {
        "peak_MB": [round(max(mb for _, _, mb in one)) for one in samples],
        "MB_per_1000_photographs": round(float(1000 * (x @ y) / (x @ x)), 3),
    }


def draw(samples: list[list[tuple[float, int, float]]], path: Path) -> None:
    """Memory of all processes together against the clock, and photographs done."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 4.2), sharex=True, height_ratios=(2, 1))
    for number, one in enumerate(samples):
        seconds, n, mb = np.array(one).T
        upper.plot(seconds / 60, mb, color="#1f5f8b", linewidth=1)
        lower.plot(seconds / 60, n, color="#444444", linewidth=1.5)
        if number < len(samples) - 1:
            for axes in (upper, lower):
                axes.axvline(seconds[-1] / 60, color="#c0392b", linewidth=0.8, linestyle="--")
    upper.set(ylim=(0, None), ylabel="memory of all\nprocesses, MB")
    lower.set(ylim=(0, None), ylabel="photographs\ndone", xlabel="minutes (dashed: kill -9)")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def waited(process: psutil.Process) -> tuple[float, float]:
    """Seconds on a core, and ready without one, of a process's busiest thread."""
    found = [path.read_text().split() for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat")]
    cpu, ready = max((int(a), int(b)) for a, b, _ in found)
    return cpu / 1e9, ready / 1e9


def throughput(run: Path, photographs: Path, out: Path, workers: int, shard: int) -> dict[str, float]:
    """Survey a folder with so many workers that have begun before: photographs a second."""
    with Cluster(workers=workers) as engine:
        first = sorted(photographs.rglob("*.jpg"))[:workers]
        alone = survey.Options(shard=1, device="cpu")
        survey.survey(run, [str(path) for path in first], out / "warm", alone, engine=engine)
        processes = [
            one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())
        ]
        before, begun = {one: waited(one) for one in processes}, time.perf_counter()
        options = survey.Options(shard=shard, device="cpu")
        n = survey.survey(run, [str(photographs)], out / "timed", options, engine=engine).counts.photographs
        seconds = time.perf_counter() - begun
        spent = [np.subtract(waited(one), before[one]) for one in processes]
    shutil.rmtree(out)
    cpu = sum(float(one[0]) for one in spent)
    free = seconds - float(np.mean([one[1] for one in sorted(spent, key=lambda one: -one[0])[:workers]]))
    return {"workers": workers, "per_second": n / seconds, "per_free_second": n / free, "cpu_ms": 1000 * cpu / n}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--photographs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard", type=int, default=500)
    parser.add_argument("--timed", type=int, default=2, help="thousands of photographs whose throughput is measured")
    parser.add_argument("--repeat", type=int, default=3, help="how often one and two workers take turns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures") / DRAWS[0])
    asked = parser.parse_args()
    run, photographs = prepare(asked.out, asked.photographs, asked.seed)
    result: dict[str, Any] = {}
    if asked.kills:
        result["killed"] = survive(run, photographs, asked.out / "survey", asked)
        print(json.dumps(result["killed"], indent=1), flush=True)
    few = asked.out / "few"
    for folder in sorted(photographs.iterdir())[: asked.timed]:
        if not (few / folder.name).exists():
            shutil.copytree(folder, few / folder.name)
    runs = list[dict[str, float]]()
    for _ in range(asked.repeat):
        for workers in (1, 2):
            runs.append(throughput(run, few, asked.out / "throughput", workers, asked.shard // 2))
            print(json.dumps(runs[-1]), flush=True)
    kinds = ("per_second", "per_free_second", "cpu_ms")
    median = {
        workers: {kind: float(np.median([one[kind] for one in runs if one["workers"] == workers])) for kind in kinds}
        for workers in (1, 2)
    }
    result["throughput"] = median
    result["ratio"] = {kind: median[2][kind] / median[1][kind] for kind in kinds}
    print(json.dumps(result, indent=1))
    (asked.out / "result.json").write_text(json.dumps({**result, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
