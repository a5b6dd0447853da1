"""What a study declares before it looks at its results: ``pronotum.toml`` beside its data."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pronotum.errors import UserError
from pronotum.evaluation.verdict import Rules

NAME = "pronotum.toml"


class Project(BaseModel):
    """The declarations of a study.

    Attributes:
        margin: error of a landmark that the study calls acceptable, % of centroid size; None = none.
        verdict: limits of the verdict's rules.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: float | None = Field(default=None, gt=0)
    verdict: Rules = Rules()


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
        return Project.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(path, found=f"not TOML ({error})", expected="lines like margin = 1.5") from None
    except UnicodeDecodeError:
        raise UserError(path, found="not UTF-8 text", remedy="save it as UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ["margin", "verdict", *(f"verdict.{rule}" for rule in Rules.model_fields)]
        found = f"{name} = {first.get('input')!r}: {first['msg']}"
        raise UserError(path, found=found, remedy=f"settings are: {', '.join(known)}") from None
