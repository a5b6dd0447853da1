"""Answers of a prediction under way, on disk as they come: one that was killed goes on where it was.

``.predicting.jsonl`` in the folder of the results: a line that says what is predicted with, then a line per photograph.
It is gone when the results are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pronotum import inference, provenance
from pronotum.files import write_text
from pronotum.images import UnreadablePhotograph
from pronotum.inference import Prediction
from pronotum.models.architecture import Landmarker

NAME = ".predicting.jsonl"
ARRAYS = ("points", "confidence", "spread", "described")
Answers = tuple[Prediction, ...] | UnreadablePhotograph


class Unfinished:
    """Answers that are kept until all are there.

    Args:
        folder: of the results.
        identity: what the answers depend on beside the photographs, as plain values.
        photographs: files, in order.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], photographs: Sequence[Path]) -> None:
        self.path, self.photographs = folder / NAME, photographs
        self._identity = json.loads(json.dumps({**identity, "photographs": len(photographs)}))
        self._earlier = self._read()
        self.n_earlier = 0

    def _read(self) -> list[tuple[str, Answers]]:
        """Digests and answers of an earlier attempt; none where it was of something else."""
        found: list[tuple[str, Answers]] = []
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
            if json.loads(lines[0]) != self._identity:
                return []
            for line, path in zip(lines[1:-1], self.photographs, strict=False):  # after the last line end: cut off
                plain = json.loads(line)
                found.append((plain["sha256"], _from_plain(path, plain["answers"])))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            pass
        return found

    def predict(self, model: Landmarker, device: torch.device) -> Iterator[tuple[Answers, str]]:
        """Answers and SHA-256 of all photographs, in order: earlier ones first, then those of the model.

        Networks look at several photographs together, and what they answer depends on that in its last bits. So only
        whole groups of earlier answers count, up to the first photograph that has changed since.
        """
        digests, seen = provenance.all_sha256(self.photographs), list[str]()
        for (earlier, _), digest in zip(self._earlier, digests, strict=False):
            seen.append(digest)
            if digest != earlier:
                break
        same = sum(digest == earlier for digest, (earlier, _) in zip(seen, self._earlier, strict=False))
        whole = same == len(self.photographs)
        self.n_earlier = same if whole else same - same % inference.batch_size(model)
        kept = self._earlier[: self.n_earlier]
        lines = [json.dumps(self._identity), *(_line(answers, digest) for digest, answers in kept)]
        write_text(self.path, "\n".join(lines) + "\n")
        yield from ((answers, digest) for digest, answers in kept)
        left = inference.predict_all(model, self.photographs[self.n_earlier :], device=device)
        yield from zip(left, chain(seen[self.n_earlier :], digests), strict=True)

    def keep(self, answers: Answers, digest: str) -> None:
        """Note the answers of a photograph once all else about it is on disk."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(answers, digest) + "\n")

    def done(self) -> None:
        """Forget them: the results are there."""
        self.path.unlink(missing_ok=True)


def _line(answers: Answers, digest: str) -> str:
    if isinstance(answers, UnreadablePhotograph):
        said: Any = {"where": answers.where, "found": str(answers).removeprefix(f"{answers.where}: ")}
    else:
        said = [_as_plain(one) for one in answers]
    return json.dumps({"sha256": digest, "answers": said})


def _as_plain(one: Prediction) -> dict[str, Any]:
    arrays = {name: getattr(one, name).tolist() for name in ARRAYS}
    upright = None if one.upright is None else [one.upright[0].tolist(), one.upright[1]]
    return {**arrays, "size": one.size, "remark": one.remark, "upright": upright, "order": one.order}


def _from_plain(path: Path, plain: Any) -> Answers:
    if isinstance(plain, dict):
        return UnreadablePhotograph(plain["where"], found=plain["found"])
    return tuple(_prediction(path, one) for one in plain)


def _prediction(path: Path, plain: Mapping[str, Any]) -> Prediction:
    points, confidence, spread, described = (np.array(plain[name], dtype=np.float64) for name in ARRAYS)
    upright = plain["upright"] and (np.array(plain["upright"][0], dtype=np.float64), _size(plain["upright"][1]))
    size, remark, order = _size(plain["size"]), plain["remark"], tuple(plain["order"])
    return Prediction(path, size, points, confidence, spread, described, remark, upright, order)


def _size(plain: Sequence[int]) -> tuple[int, int]:
    return plain[0], plain[1]
