"""Does the published gain of fine-tuning need test specimens in the pre-training? The protocol on synthetic beetles.

python reproduce/contamination.py SHARED/beetle-founding-256 -o OUT --specimens 36 --rounds 3

Beetles are drawn around published configurations. Each round trains every part from scratch and
fine-tunes it from a combined pre-training on pronotum, elytra and head: once *clean*, pre-trained for each round
without the specimens it tests, and once *contaminated*, pre-trained for the last round only and used in all that are
run, as the paper did. Trainings from scratch are the same in both. Writes OUT/contamination.csv and .html; goes on
where it was.

The paper's network at full size and length needs a GPU: --set epochs=5000 --set model.frame=[256,192].
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pronotum import formats, paper_results, synthetic, workflows
from pronotum.evaluation import paper, rounds, table_files
from pronotum.evaluation.part import Part
from pronotum.geometry import PAPER_FRAME
from pronotum.landmarks import Landmarks
from pronotum.protocol import Protocol, Reproduction

PRETRAIN = ("pronotum", "elytra", "head")
DROPPED = {"elytra": (1, 6, 9), "head": (5, 6)}
PUBLISHED_RATES = {"schedule": "constant", "rate_start": 0.01, "momentum_start": 0.9}
"""Of the fine-tuning (spec A.7, Q6)."""


def draw(published: Path, folder: Path, n: int, seed: int) -> None:
    """Draw n beetles, spread evenly over those of which every part was published, as a folder per part."""
    known = {
        part: {
            rounds.key(specimen.id): specimen
            for specimen in formats.load(published / f"{part}__manual.tps", lambda name: PAPER_FRAME)
        }
        for part in synthetic.PARTS
    }
    complete = sorted(set.intersection(*map(set, known.values())), key=int)
    chosen = [complete[i] for i in np.linspace(0, len(complete) - 1, n).round().astype(int)]
    for part, specimens in known.items():
        place = folder / part
        if (place / "landmarks.tps").exists():
            continue
        (place / "images").mkdir(parents=True, exist_ok=True)
        drawn = []
        for identity in chosen:
            points, name = specimens[identity].points, f"{part}_{int(identity):03d}.png"
            beetle = synthetic.draw(part, [seed, int(identity)], size=PAPER_FRAME, points=points)
            Image.fromarray(beetle.image).save(place / "images" / name)
            drawn.append(Landmarks(beetle.points, image=name, id=identity))
        formats.save(place / "landmarks.tps", drawn, lambda name: PAPER_FRAME)


def take_over(clean: Path, folder: Path, last: int) -> None:
    """Copy what both protocols have in common: trainings from scratch, and all of the round pre-trained for."""
    patterns = ("rounds/*/*/scratch", f"rounds/{last:02d}/*/fine_tuned", f"pretrained/{last:02d}")
    for done in (path for pattern in patterns for path in clean.glob(pattern)):
        place = folder / done.relative_to(clean)
        if not place.exists():
            shutil.copytree(done, place)


def gains(clean: Part, leaked: Part, plan: rounds.Plan) -> pd.DataFrame:
    """Gains of one part: pre-trained clean, and by the paper's way in its contaminated and in its clean round."""
    rows = [paper.leak_table(clean, plan).assign(pretraining="clean, for each round")]
    rows.append(paper.leak_table(leaked, plan).assign(pretraining="once, as the paper"))
    return pd.concat(rows, ignore_index=True)


def main() -> None:
    """Draw, run both protocols, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--specimens", type=int, default=36)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=int, help="only the first so many rounds")
    parser.add_argument("--parts", default="pronotum,elytra,head,mandible_right,mandible_left")
    parser.add_argument("--model", default="ebnet3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--pretrain-epochs", type=int)
    parser.add_argument("--finetune-epochs", type=int)
    asked = parser.parse_args()
    draw(asked.published, asked.out / "beetles", asked.specimens, asked.seed)
    overrides = dict(item.split("=", 1) for item in asked.set)
    steps = {"pretrain": asked.pretrain_epochs, "fine_tuned": asked.finetune_epochs}
    numbers = {step: {"epochs": epochs} if epochs else {} for step, epochs in steps.items()}
    protocol = Protocol(
        n_rounds=asked.rounds,
        run=asked.run,
        seed=asked.seed,
        options=workflows.TrainOptions(None, asked.seed, asked.device, 0.0, overrides, asked.model),
        settings={"pretrain": numbers["pretrain"], "fine_tuned": {**PUBLISHED_RATES, **numbers["fine_tuned"]}},
        pretrain=PRETRAIN,
        dropped=DROPPED,
    )
    last = asked.run or asked.rounds
    only, made = tuple(asked.parts.split(",")), {}
    for kind, chosen in (("clean", protocol), ("contaminated", replace(protocol, pretrain_round=last))):
        subject = Reproduction(asked.out / "beetles", asked.out / kind, chosen, only, on_step=print)
        if kind == "contaminated":
            take_over(asked.out / "clean", subject.folder, last)
        made[kind] = subject.execute()
        paper_results.write(subject, made[kind])
    found = [gains(made["clean"][part], made["contaminated"][part], subject.plan) for part in only]
    table = pd.concat(found, ignore_index=True)
    remarks = [
        f"{asked.specimens} synthetic specimens, {last} of {asked.rounds} rounds, seed {asked.seed}, {asked.model}"
    ]
    remarks += [remark for part in made["contaminated"].values() for remark in part.remarks()]
    for suffix in ("csv", "html"):
        table_files.write(table, asked.out / f"contamination.{suffix}", title="Gain of fine-tuning", remarks=remarks)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
