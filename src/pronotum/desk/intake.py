"""What comes into a project from outside: names made safe, files looked at before they stay."""

from __future__ import annotations

import re
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pronotum import images
from pronotum.desk.store import PRIVATE, Store, inside
from pronotum.errors import UserError
from pronotum.formats import tps

MAX_BYTES = 1024**3
"""Of one upload."""
MAX_PIXELS = 250_000_000
"""Of an uploaded photograph, by its header: what would need more memory to decode is refused unread."""
LANDMARK_SUFFIXES = (".tps",)
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class Arrived:
    """What became of an upload.

    Attributes:
        name: what it is called in the project.
        kind: "photograph" or "landmarks".
        remarks: what was left out, and why.
        taken: specimens that got landmarks.
    """

    name: str
    kind: str
    remarks: tuple[str, ...] = ()
    taken: int = 0


def safe_name(name: str) -> str:
    """The last part of a name that somebody sent, with nothing in it that any file system takes for more.

    Raises:
        UserError: nothing is left of it, or it ends like no photograph and no landmark file.
    """
    last = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    plain = re.sub(r"[^\w .()+@,=-]", "_", last).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    allowed = (*images.PHOTOGRAPH_SUFFIXES, *LANDMARK_SUFFIXES)
    if not dot or not stem.strip(" ._") or f".{suffix.lower()}" not in allowed:
        raise UserError(
            name[:80] or "upload",
            found="a file of another kind",
            expected=f"one ending in {', '.join(allowed)}",
            remedy="export photographs as JPEG, PNG or TIFF and landmarks as TPS",
        )
    stem = stem.strip(" .")[:100]
    return f"{stem}_.{suffix}" if stem.lower() in _RESERVED else f"{stem}.{suffix}"


def receive(store: Store, name: str, temporary: Path) -> Arrived:
    """Take a file that was uploaded into the project, or say why not.

    Args:
        store: the project.
        name: as it was sent.
        temporary: its content; moved or left for the caller to remove.

    Raises:
        UserError: no photograph and no landmark file, damaged, too large, or another one of this name is there.
    """
    chosen = safe_name(name)
    if Path(chosen).suffix.lower() in LANDMARK_SUFFIXES:
        return _receive_landmarks(store, chosen, temporary)
    width, height = images.size(temporary)
    if width * height > MAX_PIXELS:
        raise UserError(
            chosen,
            found=f"{width} x {height} px",
            expected=f"at most {MAX_PIXELS // 10**6} megapixels",
            remedy="save it smaller, or put it into the folder yourself",
        )
    images.read_scaled(temporary, min(1.0, 256 / max(width, height)))  # damaged ones are told now, not in the desk
    target = store.folder / chosen
    _place(target, temporary, store.folder)
    return Arrived(chosen, "photograph")


def _place(target: Path, temporary: Path, folder: Path) -> None:
    """Move a file to where it belongs, never over another one."""
    if not inside(folder, target):
        raise UserError(target.name, found="a link that leads out of the project", remedy="remove the link")
    if target.exists():
        if target.read_bytes() == temporary.read_bytes():
            return
        found = "another photograph of this name is in the project"
        raise UserError(target.name, found=found, remedy="rename one of them")
    shutil.copyfile(temporary, part := target.with_name(f".{target.name[:40]}.part"))
    part.replace(target)


def _receive_landmarks(store: Store, name: str, temporary: Path) -> Arrived:
    """The project's landmark file where it has none; else its records go to the specimens without landmarks."""
    try:
        records = tps.load(temporary, lambda image: None)
    except UserError as error:
        raise UserError(
            name, found=str(error).removeprefix(f"{temporary}:").removeprefix(f"{temporary}").strip(": ")
        ) from None
    if not store.file.exists() and all(not one.state.touched for one in store):
        n = max(one.n_landmarks for one in records)
        if store.n_landmarks and n > store.n_landmarks:
            raise UserError(name, found=f"{n} landmarks", expected=f"{store.n_landmarks} as in the scheme")
        shutil.copyfile(temporary, part := store.folder / PRIVATE / "landmarks.part")
        part.replace(store.file)
        store.reload()
        return Arrived(name, "landmarks", tuple(map(str, store.problems)), len(store.accepted))
    records = tps.load(temporary, store.dimensions)
    taken, left = store.bring_in(records)
    return Arrived(name, "landmarks", tuple(map(str, left)), len(taken))
