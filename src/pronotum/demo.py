"""The whole way on synthetic beetles: draw, train, predict, evaluate, report. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pronotum import landmarking, synthetic, workflows
from pronotum.data import Dataset, open_data
from pronotum.errors import UserError
from pronotum.formats import save
from pronotum.landmarks import Landmarks
from pronotum.training import Epoch

SIZE = (1024, 768)
N_TRAIN, N_TEST = 40, 16


@dataclass(frozen=True, eq=False)
class DemoResult:
    """Where everything is, and how well it went."""

    folder: Path
    report: Path
    training: workflows.TrainResult
    evaluation: workflows.Evaluation


def draw_beetles(folder: Path, part: str, *, n: int, seed: int, size: tuple[int, int] = SIZE) -> Dataset:
    """Draw n specimens of a part and write their exact landmarks to ``landmarks.tps``."""
    drawn = synthetic.write_collection(folder, part, n=n, seed=seed, size=size)
    specimens = [Landmarks(points, image=name, id=str(number)) for number, (name, points) in enumerate(drawn, 1)]
    save(folder / "landmarks.tps", specimens, lambda name: size)
    return open_data(folder)


def run(
    folder: Path,
    *,
    part: str = "pronotum",
    seed: int = 0,
    options: workflows.TrainOptions | None = None,
    on_step: Callable[[str], None] = lambda text: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> DemoResult:
    """Do the demo in a new folder: ``train/`` and ``test/`` photographs, ``run/``, ``predictions/``, ``report.html``.

    Raises:
        UserError: the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(folder, found="not empty", expected="a new folder", remedy="choose another name for -o")
    on_step(f"drawing {N_TRAIN + N_TEST} beetles (part: {part})")
    learning = draw_beetles(folder / "train", part, n=N_TRAIN, seed=seed)
    test = draw_beetles(folder / "test", part, n=N_TEST, seed=seed + 1)
    on_step("training")
    chosen = options or workflows.TrainOptions(preset="fast", seed=seed)
    trained = workflows.train(learning, folder / "run", chosen, on_epoch=on_epoch)
    on_step("predicting photographs the model has never seen")
    landmarking.predict(folder / "run", list(test.photographs), folder / "predictions")
    on_step("comparing with the exact landmarks")
    evaluation = workflows.evaluate(folder / "run", test)
    report = folder / "report.html"
    workflows.write_report(evaluation, folder / "run", report, title=f"pronotum demo: synthetic {part}")
    return DemoResult(folder, report, trained, evaluation)
