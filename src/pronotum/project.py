"""What a study declares before it looks at its results: ``pronotum.toml`` beside its data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pronotum.errors import UserError
from pronotum.evaluation.verdict import Rules
from pronotum.units import Unit

NAME = "pronotum.toml"


class DeskSettings(BaseModel):
    """How the review desk trains and asks.

    Attributes:
        retrain: ``train``, or ``crossvalidate``, which also finds radii and takes about `folds` + 1 times as long.
        preset: of the training; None = the model's own.
        settings: of the training to change, as ``--set`` does.
        folds: of a cross-validation.
        review: specimens that the desk proposes at a time.
        control: each so-many-th of them is drawn at random; 0 = none.
        corrections: accepted specimens after which the desk proposes to train again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retrain: Literal["train", "crossvalidate"] = "train"
    preset: str | None = "fast"
    settings: dict[str, str | int | float] = {}
    folds: int = Field(default=5, ge=2)
    review: int = Field(default=12, ge=1)
    control: int = Field(default=4, ge=0)
    corrections: int = Field(default=10, ge=1)


class Project(BaseModel):
    """The declarations of a study.

    Attributes:
        margin: error of a landmark that the study calls acceptable, % of centroid size; None = none.
        verdict: limits of the verdict's rules.
        desk: how the review desk trains and asks.
        units: of SCALE in the landmark files; results are in mm.
        scheme: the scheme file, from the folder of the project file; None = ``scheme.toml`` beside the data, if any.
        mixed_scales: the scales are right although specimens differ as if units were mixed, or are beyond belief.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: float | None = Field(default=None, gt=0)
    verdict: Rules = Rules()
    desk: DeskSettings = DeskSettings()
    units: Unit = "mm"
    scheme: Path | None = None
    mixed_scales: bool = False


def find(data: Path, asked: Path | None = None) -> Project:
    """The project file that was asked for, else that beside the data, else the defaults.

    Args:
        data: folder or landmark file.
        asked: a file; must be there.

    Raises:
        UserError: no such file, no TOML, or a setting that there is not or that cannot have this value.
    """
    path = asked or (data if data.is_dir() else data.parent) / NAME
    if not path.exists():
        if asked:
            raise UserError(path, found="no such file", remedy="check the spelling")
        return Project()
    try:
        own = Project.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
        return own.model_copy(update={"scheme": path.parent / own.scheme}) if own.scheme else own
    except tomllib.TOMLDecodeError as error:
        raise UserError(path, found=f"not TOML ({error})", expected="lines like margin = 1.5") from None
    except UnicodeDecodeError:
        raise UserError(path, found="not UTF-8 text", remedy="save it as UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        tables: dict[str, type[BaseModel]] = {"verdict": Rules, "desk": DeskSettings}
        known = ["margin", *(f"{table}.{one}" for table, kind in tables.items() for one in kind.model_fields)]
        known += ["units", "scheme", "mixed_scales"]
        found = f"{name} = {first.get('input')!r}: {first['msg']}"
        raise UserError(path, found=found, remedy=f"settings are: {', '.join(known)}") from None
