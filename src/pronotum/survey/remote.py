"""Where photographs lie that are on no disk of this machine: web servers and object stores, through fsspec."""

from __future__ import annotations

import importlib
import importlib.util
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pronotum.errors import UserError
from pronotum.images import natural_key

WAITS = (1.0, 4.0)
"""Seconds before a file is asked for again that did not come."""
CONNECT_SECONDS, SILENCE_SECONDS, FILE_SECONDS = 15.0, 30.0, 600.0
"""How long a web server may take to answer, to send the next bytes, and for a whole file."""
PASSING = (408, 425, 429)
"""Answers of a web server that ask to come back, among those that else mean that asking again is no use."""


class NotFetched(UserError):
    """A file that a server or store did not give."""


def is_remote(location: str) -> bool:
    """Whether this is a URL, not a path of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", location) is not None


def protocol(location: str) -> str:
    """What a URL begins with: https, s3, gs."""
    return location.partition("://")[0].lower()


def require(location: str) -> None:
    """Make sure that a URL of this kind can be read here.

    Raises:
        UserError: a package is missing, or nobody knows such URLs.
    """
    _opened(location)


def fetch(location: str, target: Path) -> None:
    """Copy a file from where it is, some time later once more if need be.

    Args:
        location: URL.
        target: file to write.

    Raises:
        NotFetched: it is not there, may not be read, or did not come.
    """
    system, inside = _opened(location)
    for wait in (*WAITS, None):
        try:
            system.get_file(inside, str(target))
            return
        except Exception as error:  # noqa: BLE001 - each store raises errors of its own, and none may end a survey
            if wait is None or _final(error):
                raise NotFetched(location, found=f"not fetched: {_said(error)}") from None
            time.sleep(wait)


def walk(location: str) -> Iterator[str]:
    """URLs of all files below a URL but hidden ones, in natural order; folder by folder: memory holds one of them.

    Raises:
        UserError: it cannot be listed.
    """
    system, inside = _opened(location)
    try:
        yield from (system.unstrip_protocol(name) for name in _below(system, inside))
    except Exception as error:  # noqa: BLE001 - as above
        remedy = "check the address, or give a list of the photographs"
        raise UserError(location, found=f"cannot be listed: {_said(error)}", remedy=remedy) from None


def _below(system: Any, folder: str) -> Iterator[str]:
    """Not fsspec's own walk, which passes over folders that cannot be listed."""
    found = {str(one["name"]).rstrip("/"): one["type"] for one in system.ls(folder, detail=True)}
    names = {path: path.rpartition("/")[2] for path in found if path != folder.rstrip("/")}
    shown = [path for path, name in names.items() if name and not name.startswith(".")]
    paths = sorted(shown, key=lambda path: natural_key(names[path]))
    yield from (path for path in paths if found[path] != "directory")
    for path in paths:
        if found[path] == "directory":
            yield from _below(system, path)


def _opened(location: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    if importlib.util.find_spec("fsspec") is None:
        raise UserError(location, found="fsspec is missing", remedy="pip install 'pronotum[survey]'")
    core: Any = importlib.import_module("fsspec.core")
    kind = protocol(location)
    # What has been listed once may have changed, and what is remembered grows with the number of files.
    options: dict[str, Any] = {} if kind == "file" else {"use_listings_cache": False}
    try:
        if kind in ("http", "https"):
            aiohttp: Any = importlib.import_module("aiohttp")
            limits = aiohttp.ClientTimeout(total=FILE_SECONDS, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
            options["client_kwargs"] = {"timeout": limits}
        system, inside = core.url_to_fs(location, **options)
    except ImportError as error:
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(kind)
        remedy = f"pip install {package}" if package else "pip install 'pronotum[survey]'"
        raise UserError(location, found=f"{kind}:// needs a package: {_said(error)}", remedy=remedy) from None
    except ValueError as error:
        raise UserError(location, found=_said(error), expected="http(s)://, s3:// or gs://") from None
    return system, str(inside)


def _final(error: Exception) -> bool:
    """Whether asking again is no use."""
    status = getattr(error, "status", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in PASSING
    return refused or isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)


def _said(error: BaseException) -> str:
    """What an error says, in one line."""
    status, message = getattr(error, "status", None), getattr(error, "message", "")
    if isinstance(status, int):
        return f"the server answers {status} {message}".strip()
    if isinstance(error, FileNotFoundError):
        return "no such file"
    text = " ".join(str(error).split())
    return text or {"FSTimeoutError": "no answer in time", "TimeoutError": "no answer in time"}.get(
        type(error).__name__, type(error).__name__
    )
