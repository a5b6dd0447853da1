"""Models to send to a colleague: one file with all that must be known to use and to judge it, and what it says.

The file is the model file of a run (`models.storage`) whose card also says for what the model is meant, what may be
done with it, how far off it was on specimens it had not seen, and from what photographs it has learnt.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from pronotum import crossvalidation, landmarking, provenance
from pronotum.data import open_data
from pronotum.errors import UserError, counted
from pronotum.evaluation.calibration import LEVELS, Calibration, Certainty
from pronotum.evaluation.domain import FLAGS
from pronotum.models import storage
from pronotum.models.classical import ClassicalModel
from pronotum.models.storage import StoredModel
from pronotum.runs import Run
from pronotum.workflows import open_model

SUFFIX = ".pronotum"
PART = "sharing"
"""Where the card holds what this module adds to it."""
REPORT = "report.json"


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Summary(_Plain):
    """Of errors; None where there are none. See `evaluation.distances.summary`."""

    n: int
    mean: float | None
    median: float | None
    p90: float | None
    p95: float | None
    max: float | None


class Row(_Plain):
    """Errors of a landmark, or of all of them, by unit; None where the unit is not known."""

    landmark: str
    px_256x192: Summary
    percent_centroid_size: Summary
    px: Summary | None = None
    mm: Summary | None = None


class Errors(_Plain):
    """How far off a model was, beside the mean shape placed perfectly.

    Attributes:
        origin: on which specimens, in words.
        landmarks: a row per landmark, and a last one called "all".
        mean_shape_baseline: the same rows for the mean shape.
    """

    origin: str
    landmarks: tuple[Row, ...]
    mean_shape_baseline: tuple[Row, ...]

    def are_of(self, names: Sequence[str]) -> bool:
        """Whether there is a row for each of these landmarks, and one for all."""
        wanted = [*names, "all"]
        return all([row.landmark for row in rows] == wanted for rows in (self.landmarks, self.mean_shape_baseline))


class PhotographSizes(_Plain):
    """Sizes of photographs, (width, height) px.

    Attributes:
        n: how many photographs.
        commonest: of most of them.
        smallest: by area.
        largest: by area.
    """

    n: int
    commonest: tuple[int, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]]) -> PhotographSizes:
        """Of photographs, at least one."""
        ordered = sorted(sizes, key=lambda size: size[0] * size[1])
        return cls(
            n=len(sizes), commonest=Counter(ordered).most_common(1)[0][0], smallest=ordered[0], largest=ordered[-1]
        )


class Sharing(_Plain):
    """What the card of a shared model says beside what every model's card says.

    Attributes:
        author: whom to ask and to cite; "" = not said.
        licence: what may be done with it; "" = not said.
        domain: for what specimens and photographs it is meant, in words; "" = not said.
        photographs: sizes of those it has learnt from; None = not known.
        errors: on specimens it had not seen; None = nobody has measured.
        exported: when, UTC; "" = it was not.
        versions: with which it was exported.
    """

    author: str = ""
    licence: str = ""
    domain: str = ""
    photographs: PhotographSizes | None = None
    errors: Errors | None = None
    exported: str = ""
    versions: dict[str, str] = {}


@dataclass(frozen=True)
class Statement:
    """What a person says of a model when sharing it; None leaves what was said earlier."""

    author: str | None = None
    licence: str | None = None
    domain: str | None = None


def prepare(run: Path, statement: Statement, errors: Path | None = None) -> StoredModel:
    """A model as it is shared: its card says all, and names no folder of this machine.

    Args:
        run: folder of the model, or its file.
        statement: what is said of it.
        errors: ``report.json`` of a report, or what ``pronotum evaluate --json`` printed; None = what the run folder
            has from its cross-validation, or else what an earlier export said.

    Raises:
        UserError: no model there, or errors of another one.
    """
    model = open_model(run, "cpu")[0]
    earlier = sharing_of(model, run)
    said = {name: value for name, value in vars(statement).items() if value is not None}
    found = read_errors(errors, model) if errors else _crossvalidated(run, model) or earlier.errors
    sharing = earlier.model_copy(
        update={
            **said,
            "photographs": _photographs(model) or earlier.photographs,
            "errors": found,
            "exported": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {name: value for name, value in provenance.versions().items() if name != "platform"},
        }
    )
    card = {**_anywhere(model.card), PART: sharing.model_dump(mode="json", exclude_none=True)}
    return replace(model, card=_finite(card))


def save(model: StoredModel, out: Path) -> None:
    """Write a prepared model as one file.

    Raises:
        UserError: the name does not end as those of shared models do.
    """
    if out.suffix != SUFFIX:
        raise UserError(out, found=f"a name that ends in '{out.suffix}'", expected=f"one that ends in {SUFFIX}")
    storage.save(out, model)


def remarks(model: StoredModel) -> list[str]:
    """What a person should know before sending a prepared model."""
    said, sharing = [], sharing_of(model, "model")
    if sharing.errors is None:
        said.append("no error table: cross-validate the model, or give --errors")
    said += [f"no {name} was given: --{name}" for name in ("licence", "domain", "author") if not getattr(sharing, name)]
    held = _photographs_held(model)
    if held:
        said.append(
            f"the file holds {counted(held, 'photograph')} that the model compares others with, reduced in size"
        )
    return said


def sharing_of(model: StoredModel, where: object) -> Sharing:
    """What was said of a model when it was shared; nothing where it was not.

    Raises:
        UserError: the card holds something else there.
    """
    try:
        found = Sharing.model_validate(model.card.get(PART) or {})
    except ValidationError as error:
        raise _damaged(where, _first(error)) from None
    if found.errors and not found.errors.are_of(model.scheme.names):
        raise _damaged(where, "errors of other landmarks")
    return found


def read_errors(path: Path, model: StoredModel) -> Errors:
    """Errors from a report, or from an evaluation.

    Raises:
        UserError: no such file, something else in it, or other landmarks than the model's.
    """
    expected = "report.json of a report, or what pronotum evaluate --json printed"
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        found = _as_errors(plain)
    except OSError as error:
        raise UserError(path, found=f"cannot be opened ({error.strerror})", expected=expected) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        said = _first(error) if isinstance(error, ValidationError) else repr(error)
        raise UserError(path, found=f"no table of errors ({said})", expected=expected) from None
    if not found.are_of(model.scheme.names):
        names = ", ".join(row.landmark for row in found.landmarks[:-1])
        raise UserError(path, found=f"errors of the landmarks {names}", expected=", ".join(model.scheme.names))
    return found


def _as_errors(plain: Mapping[str, Any]) -> Errors:
    """Errors from plain values of `evaluate` or of a report; raises KeyError, TypeError or ValueError."""
    if "mean_shape_baseline" in plain:
        seen = len(plain["seen_in_training"])
        origin = f"{counted(plain['specimens'], 'specimen')} of another data set"
        origin += f", of which the model has LEARNT FROM {seen}" if seen else ""
        return Errors.model_validate({**plain, "origin": origin})
    rows = [*plain["landmarks"], {"landmark": "all", **plain["overall"]}]
    tables = {
        target: [{"landmark": row["landmark"], **row[source]} for row in rows]
        for target, source in (("landmarks", "errors"), ("mean_shape_baseline", "mean_shape"))
    }
    return Errors.model_validate(
        {**tables, "origin": f"{counted(plain['n_specimens'], 'specimen')}, compared as files"}
    )


def _crossvalidated(run: Path, model: StoredModel) -> Errors | None:
    """Errors of the cross-validation that the run folder is of; None where it is of none, or not finished."""
    described, report = run / crossvalidation.DESCRIPTION, run / REPORT
    if run.is_file() or not (described.exists() and report.exists()):
        return None
    plain = json.loads(described.read_text(encoding="utf-8"))
    if plain.get("data") != _data(model.card).get("sha256"):
        raise UserError(
            report,
            found="a cross-validation of other data than the model's",
            remedy="run pronotum crossvalidate again, or name the right errors with --errors",
        )
    found = read_errors(report, model)
    n = json.loads(report.read_text(encoding="utf-8"))["n_specimens"]
    unseen = f"{counted(n, 'specimen')}, each predicted by a model that had not seen it"
    origin = f"{plain['folds']}-fold cross-validation of {unseen}"
    return found.model_copy(update={"origin": origin})


def _photographs(model: StoredModel) -> PhotographSizes | None:
    """Sizes of the photographs that a model has learnt from: of its card, or of the data if they are still there."""
    noted = model.card.get("photograph_sizes")
    if noted:
        return PhotographSizes.of([(int(width), int(height)) for width, height in noted])
    data = _data(model.card)
    try:
        found = open_data(Path(data["files"][0]))
        if found.digest() == data["sha256"]:
            return PhotographSizes.of(found.sizes)
    except (UserError, OSError, KeyError, IndexError, TypeError):
        pass
    return None


def _data(card: Mapping[str, Any]) -> dict[str, Any]:
    found = card.get("data")
    return found if isinstance(found, dict) else {}


def _anywhere(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card without folders of this machine, those of the models it was started from included."""
    moved = dict(card)
    if "files" in _data(card):
        moved["data"] = {**card["data"], "files": [PureWindowsPath(path).name for path in card["data"]["files"]]}
    if isinstance(card.get("started_from"), dict):
        moved["started_from"] = _anywhere(card["started_from"])
    return moved


def _finite(value: Any) -> Any:
    """Plain values as every program can read them from JSON: what is no number becomes None."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _damaged(where: object, how: str) -> UserError:
    return UserError(where, found=f"a damaged card ({how})", remedy="ask for the file again")


def _first(error: ValidationError) -> str:
    one = error.errors()[0]
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"


def describe(path: Path) -> dict[str, Any]:
    """What a person asks of a model they were sent, as plain values; see docs/json.md. None = not known.

    Args:
        path: a file, or a run folder.

    Raises:
        UserError: no model there, or a damaged one.
    """
    model = open_model(path, "cpu")[0]
    sharing = sharing_of(model, path)
    if sharing.errors is None and not path.is_file():
        sharing = sharing.model_copy(update={"errors": _crossvalidated(path, model)})
    try:
        known, problems = landmarking.known(model), list[str]()
    except UserError as error:  # of another version perhaps: all else can still be said
        known, problems = landmarking.Known(None, None, None), [str(error)]
    file = path if path.is_file() else Run(path).model
    try:
        found = {
            "file": file.name,
            "sha256": provenance.sha256(file),
            **facts(model),
            **sharing.model_dump(mode="json"),
            "radii": _radii(model, known.calibration),
            "flags": [FLAGS[name] for name in sorted(known.domain.limits)] if known.domain else None,
            "problems": problems,
        }
        plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
        return plain
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, str(error)) from None


def facts(model: StoredModel) -> dict[str, Any]:
    """What a card says of how a model was made; raises KeyError, TypeError or ValueError where it is damaged."""
    card, config = model.card, model.network.config
    data, started = _data(card), card.get("started_from")
    shape = card.get("mean_shape")
    mean = None if shape is None else np.array(shape, dtype=np.float64).reshape(model.scheme.n_landmarks, 2)
    return {
        "architecture": model.architecture,
        "preset": card.get("preset"),
        "parameters": sum(value.numel() for value in model.network.parameters()),
        "picture": list(config.picture),
        "scheme": model.scheme.as_plain(),
        "specimens": _number(int, data.get("specimens")),
        "n_train": _number(int, card.get("n_train")),
        "n_held_out": _number(int, card.get("n_held_out")),
        "held_out_error_px": _number(float, card.get("held_out_error_px")),
        "holds_photographs": _photographs_held(model),
        "data": {"files": [str(name) for name in data.get("files", ())], "sha256": data.get("sha256")},
        "started_from": None if started is None else {"sha256": _data(started).get("sha256")},
        "warnings": [str(warning) for warning in card.get("warnings", ())],
        "trained_with": {name: str(card[name]) for name in ("pronotum", "python", "torch", "numpy") if name in card},
        "mean_shape": None if mean is None else [[None if np.isnan(v) else v for v in p] for p in mean.tolist()],
    }


def _number(kind: type[int] | type[float], value: Any) -> float | None:
    """A number of a card, None where it has none."""
    return None if value is None or value != value else kind(value)


def _photographs_held(model: StoredModel) -> int:
    """How many photographs are among the weights: the image-processing method compares others with them."""
    return sum(part.config.references for part in model.network.modules() if isinstance(part, ClassicalModel))


def _radii(model: StoredModel, calibration: Calibration | None) -> dict[str, Any] | None:
    """Usual radii of landmarks, % of centroid size: for each probability (K,), None = too few errors to tell."""
    if calibration is None:
        return None
    radii = calibration.radii(np.array([100.0]), Certainty.unknown(1, model.scheme.n_landmarks))[0]
    if radii.shape != (model.scheme.n_landmarks, len(LEVELS)):
        raise ValueError("radii of other landmarks")
    columns = {f"{level:g}": radii[:, i] for i, level in enumerate(LEVELS)}
    return {
        "n_errors": calibration.n,
        **{level: [value if np.isfinite(value) else None for value in column] for level, column in columns.items()},
    }
