"""Reads photographs in a process of its own: a crash, a hang or a flood of memory there is seen here, and survived.

Run as a program. Reads one path per line from standard input and answers each with one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SECONDS = 10
"""Of computing, for one photograph; beyond, the process is ended."""
MEMORY = 3 * 1024**3
"""Bytes of address space, of which the libraries take one third."""
SIDE = 256


def read(path: Path) -> dict[str, Any]:
    """What comes of a photograph."""
    from pronotum import images
    from pronotum.images import UnreadablePhotograph

    try:
        size = images.size(path)
        pixels, _ = images.read_scaled(path, min(1.0, SIDE / max(size)))
    except UnreadablePhotograph as error:
        return {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - a reader that raises anything else has broken
        return {"broke": f"{type(error).__name__}: {error}"}
    wanted = [max(1, round(side * min(1.0, SIDE / max(size)))) for side in size]
    fits = list(pixels.shape) == [wanted[1], wanted[0], 3]
    return {"pixels": hashlib.sha256(pixels.tobytes()).hexdigest(), "size": list(size), "fits": fits}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # SIGPROF ends a process that does not expect it
        said = read(Path(line.rstrip("\n")))
        signal.setitimer(signal.ITIMER_PROF, 0)
        said["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def read_all(paths: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """What comes of each photograph; of one that ends the process ``broke`` has the signal."""
    found: dict[Path, dict[str, Any]] = {}
    process = None
    for path in paths:
        if process is None:
            process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        found[path] = json.loads(line) if line else {"broke": f"ended by {signal.Signals(-process.wait()).name}"}
        if not line:
            process.stdin.close()
            process.stdout.close()
            process = None
    if process is not None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()
    return found


if __name__ == "__main__":
    main()
