"""The peer that this project began with: the paper's model 3, from scratch and fine-tuned, as two CPU cores allow.

The paper's 5,000 epochs at 256x192 take days here: frames have 64x48 px, batches 16 pictures, and every training 100
epochs; channels and rates are the paper's. Fine-tuning is defined for the beetle's parts: one network is pre-trained on
pronotum, elytra and head together, without the specimens that are tested.

Source: Le et al., sections 5 to 7; spec A.5 to A.7.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

from pronotum import workflows
from pronotum.data import Dataset
from pronotum.evaluation import rounds
from pronotum.landmarks import FloatArray
from pronotum.parts import combine, identities, open_parts

SETTINGS = {"model.frame": [64, 48], "batch": 16, "epochs": 100}
RATES = {"schedule": "constant", "rate_start": 0.01, "momentum_start": 0.9}
"""Of the fine-tuning (spec A.7)."""
TOGETHER = ("pronotum", "elytra", "head")
DROPPED = {"elytra": (1, 6, 9), "head": (5, 6)}
"""Landmarks, from 1, that the paper leaves out of the pre-training."""
Outcome = tuple[FloatArray, float, float]
"""(n, K, 2) px of the photographs; seconds of training and of prediction."""


def scratch(train: Dataset, test: Dataset) -> Outcome:
    """Trained on the specimens alone."""
    return _trained(train, test, SETTINGS, None)


def fine_tuned(parts: Path, kept: Path, train: Dataset, test: Dataset) -> Outcome:
    """Pre-trained on three parts of other specimens, then trained on these.

    Args:
        parts: folder with a folder for each of the three.
        kept: folder of the pre-trained models, one for all parts of the same test specimens.
        train: specimens of one part.
        test: other specimens of it.
    """
    tested = {rounds.key(one) for one in identities(test)}
    pretrained = kept / hashlib.sha256(" ".join(sorted(tested)).encode()).hexdigest()[:16]
    begun = time.perf_counter()
    if not (pretrained / "model.safetensors").exists():
        chosen = {}
        for name, data in open_parts(parts, TOGETHER).items():
            others = [row for row, one in enumerate(identities(data)) if rounds.key(one) not in tested]
            chosen[name] = data.subset(others)
        combined = combine(chosen, DROPPED)
        resume = pretrained.exists()
        workflows.train(combined, pretrained, _options(SETTINGS, None), resume=resume)
    pretraining = time.perf_counter() - begun
    points, training, prediction = _trained(train, test, {**SETTINGS, **RATES}, pretrained)
    return points, pretraining + training, prediction


def _options(settings: dict[str, Any], start: Path | None) -> workflows.TrainOptions:
    model = "ebnet3" if start is None else None
    return workflows.TrainOptions(None, 0, "cpu", 0.0, settings, model, start=start)


def _trained(train: Dataset, test: Dataset, settings: dict[str, Any], start: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        workflows.train(train, Path(folder) / "run", _options(settings, start))
        trained = time.perf_counter()
        predicted = workflows.evaluate(Path(folder) / "run", test, device="cpu").predicted
        return predicted, trained - begun, time.perf_counter() - trained
