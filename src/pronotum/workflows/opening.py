"""Open what a user has: data and models; and what of it cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from pronotum import inference, project
from pronotum.data import Dataset, Problem, open_data
from pronotum.doctor import misread
from pronotum.errors import UserError
from pronotum.models import storage
from pronotum.project import Project
from pronotum.report import overlays
from pronotum.runs import Run


def check(
    path: Path,
    *,
    photographs: Path | None = None,
    scheme: Path | None = None,
    declared: Project | None = None,
    form: str | None = None,
) -> Dataset:
    """Open data and look at it; see `data.Dataset.problems` for what would be left out.

    Args:
        path: landmark file or folder.
        photographs: folder of the photographs, where it is another one.
        scheme: scheme file; None = that of the project, else the one beside the data, if there is one.
        declared: what the study declares; None = in the project file beside the data, if there is one.
        form: name of the format of the landmark file, where its suffix and content do not tell.
    """
    declared = declared or project.find(path)
    found = open_data(path, photographs=photographs, scheme=scheme or declared.scheme, form=form)
    return replace(found, unit=declared.units)


def look(data: Dataset) -> Dataset:
    """The data, with a warning where its photographs say that it, or many of its records, was read wrongly.

    Some of the photographs are opened (`doctor.misread`). A training on the data notes its warnings, reports show them.
    """
    found = misread.examine(data)
    return data if found is None else replace(data, warnings=(*data.warnings, found.sentence))


def draw_sheet(data: Dataset, path: Path, *, limit: int = 24) -> list[Problem]:
    """Draw the landmarks on the photographs, on one picture; the photographs that could not be read are named."""
    return overlays.sheet(data, path, limit=limit)


def open_model(run: Path, device: str = "auto") -> tuple[storage.StoredModel, torch.device]:
    """The model of a run folder, or of a model file."""
    chosen = inference.choose_device(device)
    return storage.load(model_file(run), chosen), chosen


def model_file(run: Path) -> Path:
    """The model file of a run folder; a file is one itself."""
    return run if run.is_file() else Run(run).model


def fingerprints(data: Dataset) -> list[str]:
    """(N,) short hashes of the photographs' content, to recognise a photograph that was learnt from."""
    return [group[:16] for group in data.groups]


def as_problem(error: UserError) -> Problem:
    """What cannot be used, as one of the problems of a task that goes on without it."""
    return Problem(error.where, str(error).removeprefix(f"{error.where}: "))
