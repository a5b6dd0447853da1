"""One function per task of a user. The command line prints what these return; a script calls them as they are."""

from pronotum.workflows.learning import (
    DEFAULT_MODEL,
    FREE_MODEL,
    TrainOptions,
    TrainResult,
    choose_pose,
    train,
)
from pronotum.workflows.measuring import (
    Evaluation,
    compare,
    evaluate,
    missed_bar,
    not_placed,
    remarks,
    seen_by,
    write_report,
)
from pronotum.workflows.opening import as_problem, check, draw_sheet, fingerprints, look, model_file, open_model
from pronotum.workflows.versions import info, versions

__all__ = [
    "DEFAULT_MODEL",
    "FREE_MODEL",
    "Evaluation",
    "TrainOptions",
    "TrainResult",
    "as_problem",
    "check",
    "choose_pose",
    "compare",
    "draw_sheet",
    "evaluate",
    "fingerprints",
    "info",
    "look",
    "missed_bar",
    "model_file",
    "not_placed",
    "open_model",
    "remarks",
    "seen_by",
    "train",
    "versions",
    "write_report",
]
