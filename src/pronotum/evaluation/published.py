"""The coordinates that the paper's authors published: manual landmarks and both trainings of all five parts.

They give the paper's tables back without a photograph and without training. They are not part of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pronotum import formats
from pronotum.errors import UserError
from pronotum.evaluation.part import FINE_TUNED, SCRATCH, Part
from pronotum.evaluation.rounds import PAPER_SIZES, Plan, contaminated, contiguous
from pronotum.geometry import PAPER_FRAME

MANUAL = "manual"
PRETRAINED_ON = ("pronotum", "elytra", "head")
"""Parts of the authors' combined pre-training (section 7)."""
PRETRAINING_ROUND = 7
"""The round whose training specimens it learnt from; the only one that is clean for these parts (spec finding 2)."""


def load(folder: Path) -> dict[str, Part]:
    """The five parts, by name, with the specimens marked that the fine-tuned networks had seen before their test.

    Args:
        folder: with ``<part>__manual.tps``, ``__scratch.tps`` and ``__fine_tuned.tps`` in px of the 256x192 frame;
            specimens in order of acquisition, ID = specimen.

    Raises:
        UserError: the folder or a file is not there, or files do not match each other.

    Source:
        Result archive of the authors; spec A.6, A.7 and B.4.
    """
    needed = [f"{name}__{kind}.tps" for name in PAPER_SIZES for kind in (MANUAL, SCRATCH, FINE_TUNED)]
    if not folder.is_dir():
        expected = f"a folder with {needed[0]} and the like"
        raise UserError(folder, found="no such folder", expected=expected, remedy="check the spelling")
    lacking = [file for file in needed if not (folder / file).is_file()]
    if lacking:
        raise UserError(
            folder,
            found=f"{len(lacking)} of {len(needed)} files are missing: {', '.join(lacking[:3])}",
            expected="<part>__<manual|scratch|fine_tuned>.tps for each part",
            remedy="name the folder of the authors' published coordinates",
        )
    return {name: _part(folder, name) for name in PAPER_SIZES}


def plans(parts: Mapping[str, Part]) -> dict[str, Plan]:
    """The authors' rounds of each part, by its name: neighbours in order of acquisition.

    Each part has its own plan because the mandibles have rounds of other sizes.

    Source:
        Spec A.6.
    """
    return {name: contiguous(part.specimens, PAPER_SIZES[name]) for name, part in parts.items()}


def _part(folder: Path, name: str) -> Part:
    rows = {
        kind: formats.load(folder / f"{name}__{kind}.tps", lambda _: PAPER_FRAME)
        for kind in (MANUAL, SCRATCH, FINE_TUNED)
    }
    manual = rows.pop(MANUAL)
    specimens = [specimen.id for specimen in manual]
    seen = {}
    if name in PRETRAINED_ON:
        pretraining = contiguous(specimens, PAPER_SIZES[name]).training(PRETRAINING_ROUND)
        seen = {FINE_TUNED: frozenset(contaminated(pretraining, specimens))}
    return Part.join(name, manual, rows, unit="px of 256x192", contaminated=seen)
