"""The default model beside the authors' published predictions, on the same specimens and against the same landmarks.

python reproduce/same_specimens.py elytra SHARED/beetle-elytra PREDICTED.tps SHARED/beetle-founding-256 -o OUT

PREDICTED.tps holds out-of-fold predictions of the photographs of DATA, as benchmarks/crossvalidate.py --save writes
them. Everything is compared in the paper's 256x192 frame. The published coordinates there are whole numbers, the index
of a pixel, which is its centre in our convention; so they need no correction (spec finding 8). A method is
contaminated on specimens that its pre-training had seen with their landmarks.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pronotum import formats, geometry, workflows
from pronotum.data import Dataset
from pronotum.evaluation import published, result_csv, rounds, table_files
from pronotum.evaluation.distances import mean_shape_distances, summary
from pronotum.evaluation.part import Part
from pronotum.formats.naming import identity
from pronotum.landmarks import FloatArray
from pronotum.morphometrics.superimposition import mean_shape

OURS = "default model"


def framed(points: FloatArray, data: Dataset) -> FloatArray:
    """(N, K, 2) px of the photographs in px of the 256x192 frame."""
    frames = [geometry.letterbox(size, geometry.PAPER_FRAME) for size in data.sizes]
    return np.stack([geometry.transform(frame, own) for frame, own in zip(frames, points, strict=True)])


def own_predictions(path: Path, data: Dataset) -> FloatArray:
    """(N, K, 2) predictions in a TPS file of the photographs of a collection, px of the photographs."""
    sizes = {specimen.image: size for specimen, size in zip(data.landmarks, data.sizes, strict=True)}
    found = {specimen.image: specimen.points for specimen in formats.load(path, sizes)}
    return np.stack([found[specimen.image] for specimen in data.landmarks])


def compare(name: str, data: Dataset, predicted: Path, theirs: Part, summary_file: Path | None) -> Part:
    """All methods on the specimens of a collection."""
    specimens = [rounds.key(identity(path.name)) for path in data.photographs]
    rows = np.array([theirs.position(specimen) for specimen in specimens])
    same = theirs.select(rows)
    methods = {OURS: framed(own_predictions(predicted, data), data), **same.predicted}
    if summary_file:
        full = result_csv.read_summary(summary_file, name)
        at = [full.position(specimen) for specimen in specimens]
        factor = geometry.letterbox((3264, 2448), geometry.PAPER_FRAME)
        methods |= {
            method: geometry.transform(factor, full.predicted[method][at])
            for method in full.methods
            if method.endswith("improved")
        }
    return replace(same, manual=framed(data.points, data), predicted=methods)


def main() -> None:
    """Print and write the table of one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("data", type=Path)
    parser.add_argument("predicted", type=Path)
    parser.add_argument("published", type=Path)
    parser.add_argument("--summary", type=Path, help="the authors' CSV at full size, with their refined predictions")
    parser.add_argument("-o", "--out", type=Path, default=Path("reproduced"))
    asked = parser.parse_args()
    data = workflows.check(asked.data)
    theirs = published.load(asked.published)[asked.part]
    part = compare(asked.part, data, asked.predicted, theirs, asked.summary)
    found = [
        {"method": method, **summary(part.errors(method)), "contaminated": part.n_contaminated(method)}
        for method in part.methods
    ]
    shape = mean_shape_distances(mean_shape(part.manual), part.manual)
    found.append({"method": "mean shape placed perfectly", **summary(shape), "contaminated": None})
    table = pd.DataFrame(found)
    remarks = [f"{len(part.specimens)} specimens; px of the 256x192 frame; n counts landmarks", *part.remarks()]
    for suffix in ("csv", "html"):
        path = asked.out / f"same-specimens-{asked.part}.{suffix}"
        table_files.write(table, path, title=f"{part.title}: the same specimens", remarks=remarks)
    print(f"{part.title}, {len(part.specimens)} specimens")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
