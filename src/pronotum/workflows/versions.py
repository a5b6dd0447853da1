"""What results depend on beside data and settings."""

from __future__ import annotations

import platform

import numpy as np
import torch

from pronotum import __version__, formats
from pronotum.models import architecture


def versions() -> dict[str, str]:
    """Versions of what decides about results."""
    python = {"python": platform.python_version(), "numpy": np.__version__}
    return {"pronotum": __version__, **python, "torch": torch.__version__}


def info() -> dict[str, object]:
    """Versions and devices, for a bug report."""
    return {
        **versions(),
        "platform": platform.platform(),
        "devices": {
            "cpu": f"{torch.get_num_threads()} threads",
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "mps": torch.backends.mps.is_available(),
        },
        "formats": sorted(formats.table()),
        "models": {name: sorted(kind.presets) for name, kind in architecture.table().items()},
    }
