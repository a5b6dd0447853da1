"""Pictures inside a page, so that the file can be sent as it is."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure
from PIL import Image


def png(drawing: Figure, dpi: int = 120) -> str:
    """A figure as data URI."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, dpi=dpi, format="png")
    return _uri("png", buffer.getvalue())


def jpeg(picture: Image.Image, quality: int = 85) -> str:
    """A photograph as data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality)
    return _uri("jpeg", buffer.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()
