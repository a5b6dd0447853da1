"""What comes into a project from outside: names made safe, files looked at before they stay.

Landmark files of any format are taken. A TPS file stays as it is; of others the landmarks go into the TPS file of the
project, which gets its own names for the photographs. What was not taken is said.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pronotum import conversion, formats, images
from pronotum.data import Problem, check_names
from pronotum.desk.folder import PRIVATE, inside
from pronotum.desk.store import Store
from pronotum.errors import UserError, counted
from pronotum.formats import tps
from pronotum.landmarks import Landmarks, LandmarkSet, Scheme

MAX_PIXELS = 250_000_000
"""Of an uploaded photograph, by its header: what would need more memory to decode is refused unread."""
MAX_LANDMARK_BYTES = 256 * 1024**2
"""Of an uploaded landmark file; they are read as a whole."""
PREDICTIONS = "predictions"
"""What files of predictions are called, which nobody has looked at: they are not taken in unasked."""
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class Arrived:
    """What became of a file.

    Attributes:
        name: what it is called.
        kind: "photograph" or "landmarks".
        remarks: what was left out, and why.
        taken: specimens that got landmarks.
        read_as: format of a landmark file.
    """

    name: str
    kind: str
    remarks: tuple[str, ...] = ()
    taken: int = 0
    read_as: str = ""


def suffix_of(name: str) -> str:
    """The longest suffix of photographs and landmark files that a name ends in, in lower case; "" = none."""
    known = (*images.PHOTOGRAPH_SUFFIXES, *formats.suffixes())
    return max((suffix for suffix in known if name.lower().endswith(suffix)), key=len, default="")


def safe_name(name: str) -> str:
    """The last part of a name that somebody sent, with nothing in it that any file system takes for more.

    Raises:
        UserError: nothing is left of it, or it ends like no photograph and no landmark file.
    """
    last = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    plain = re.sub(r"[^\w .()+@,=-]", "_", last).strip(" .")
    end = len(plain) - len(suffix_of(plain))
    stem, suffix = plain[:end], plain[end:]
    if not suffix or not stem.strip(" ._"):
        raise UserError(
            name[:80] or "upload",
            found="a file of another kind",
            expected=f"one ending in {', '.join(dict.fromkeys((*images.PHOTOGRAPH_SUFFIXES, *formats.suffixes())))}",
            remedy="export photographs as JPEG, PNG or TIFF, and landmarks as TPS or CSV",
        )
    stem = stem.strip(" .")[:100]
    return f"{stem}_{suffix}" if stem.lower() in _RESERVED else f"{stem}{suffix}"


def receive(store: Store, temporary: Path, form: str = "") -> Arrived:
    """Take a file that was uploaded into the project, or say why not.

    Args:
        store: the project.
        temporary: its content, under its `safe_name`, in `PRIVATE`; moved or left for the caller to remove.
        form: format of landmark files; "" = as name and content tell. Files that do not end as its files do are read
            as they tell themselves.

    Raises:
        UserError: no photograph and no landmark file, damaged, too large, or another one of this name is there.
    """
    name = temporary.name
    if suffix_of(name) not in images.PHOTOGRAPH_SUFFIXES:
        try:
            return _receive_landmarks(store, temporary, form)
        except UserError as error:
            raise as_sent(error, temporary) from None
    width, height = images.size(temporary)
    if width * height > MAX_PIXELS:
        raise UserError(
            name,
            found=f"{width} x {height} px",
            expected=f"at most {MAX_PIXELS // 10**6} megapixels",
            remedy="save it smaller, or put it into the folder yourself",
        )
    images.read_scaled(temporary, min(1.0, 256 / max(width, height)))  # damaged ones are told now, not in the desk
    _place(store.folder / name, temporary, store.folder)
    return Arrived(name, "photograph")


def as_sent(error: UserError, temporary: Path) -> UserError:
    """A mistake in a file, with the name that its owner knows it by."""
    where, found = (part.replace(str(temporary), temporary.name) for part in (error.where, error.found))
    return UserError(where, found=found, expected=error.expected, remedy=error.remedy)


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


def _receive_landmarks(store: Store, path: Path, form: str) -> Arrived:
    size = path.stat().st_size
    if size > MAX_LANDMARK_BYTES:
        expected = f"at most {MAX_LANDMARK_BYTES // 1024**2} MB"
        raise UserError(path, found=f"{size // 1024**2} MB", expected=expected, remedy="export landmarks alone")
    asked = formats.named(form) if form else None
    kind = asked if asked and asked.suffix(path) else _told(path, "choose its format and send it again")
    return _take(store, kind, kind.read(path, store.dimensions), path)


def _told(path: Path, remedy: str) -> formats.Format:
    """The format that name and content tell."""
    try:
        return formats.of(path)
    except UserError as error:
        raise UserError(
            path, found=f"{error.found}, and the content does not tell which", remedy=f"if it holds landmarks, {remedy}"
        ) from None


def find_landmarks(store: Store, form: str | None = None) -> Arrived | None:
    """Take in the landmark file beside the photographs that is no TPS file, where the project has no landmarks yet.

    As in all commands, files whose suffix other programs use too count only where there is no other, and by their
    content; several are taken where each holds one specimen.

    Args:
        store: the project.
        form: format of the file, where its name and content do not tell.

    Returns:
        What became of it; None where there is none, or the project has landmarks.

    Raises:
        UserError: a file that cannot be read, or several to choose from.
    """
    if store.begun:
        return None
    beside = sorted(
        path
        for path in store.folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.name.split(".")[0].lower() != PREDICTIONS
    )
    beside = [path for path in beside if inside(store.folder, path)]
    kinds = [replace(formats.named(form), recognises=None)] if form else list(formats.table().values())
    kinds = [kind for kind in kinds if kind.name != "tps"]
    sure = [path for path in beside if any(kind.recognises is None and kind.fits(path) for kind in kinds)]
    files = sure or [path for path in beside if any(kind.fits(path) for kind in kinds)]
    if not files:
        return None
    write_tps = f"pronotum convert {files[0].name} {store.file.name}"
    kind = kinds[0] if form else _told(files[0], "name its format: --format")
    read = [formats.load(path, store.dimensions, name=form) for path in files]
    if len(files) > 1 and any(len(records) > 1 for records in read):
        listed = ", ".join(path.name for path in files[:5])
        raise UserError(
            store.folder,
            found=f"{len(files)} landmark files ({listed})",
            expected="one",
            remedy=f"write the one with your landmarks as TPS ({write_tps})",
        )
    records = [one for some in read for one in some]
    name = files[0].name if len(files) == 1 else f"{counted(len(files), 'file')} of format {kind.name}"
    if all(isinstance(store.match(one), Problem) for one in records):
        remark = f"none of its photographs ({records[0].image or records[0].id} ...) is in the folder"
        return Arrived(name, "landmarks", (f"{remark}; put them there, and look into the folder again",), 0, kind.name)
    return _take(store, kind, records, store.folder / name)


def _take(store: Store, kind: formats.Format, records: Sequence[Landmarks], path: Path) -> Arrived:
    """The project's landmark file where it has no landmarks; else the records go to the specimens without.

    Args:
        store: the project.
        kind: format of the file.
        records: that it holds, y down.
        path: the file.

    Raises:
        UserError: landmarks of other numbers or names than the scheme has, or not one photograph that is here.
    """
    n = max((one.n_landmarks for one in records), default=0)
    if not store.begun and store.declared and n > store.n_landmarks:
        raise UserError(path, found=counted(n, "landmark"), expected=f"{store.n_landmarks} as in the scheme")
    if store.declared:
        for one in records:
            check_names(one, store.scheme, path)
        records = [replace(one, names=()) for one in records]
    if not store.begun:
        begun = _begin(store, kind, records, path)
        if begun is not None:
            return begun
    done = store.bring_in(records)
    kept = [f"{what}: the project keeps its own" for what in conversion.gone(done.sent, done.here)]
    return Arrived(path.name, "landmarks", (*map(str, done.left), *kept), len(done.taken), kind.name)


def _begin(store: Store, kind: formats.Format, records: Sequence[Landmarks], path: Path) -> Arrived | None:
    """Make records the first landmarks of a project; None where somebody else was faster."""
    scheme, left, lost = None, list[str](), list[str]()
    with tempfile.TemporaryDirectory(dir=store.folder / PRIVATE) as folder:
        part = Path(folder) / store.file.name
        if kind.name == "tps":
            shutil.copyfile(path, part)
        else:
            found, left = _of_photographs(store, records)
            if not found:
                raise UserError(
                    path,
                    found=f"{counted(len(left), 'specimen')}, and not one photograph of them here ({left[0]})",
                    remedy="drop the photographs first, and then this file again",
                )
            scheme = _scheme(found)
            nameless = [replace(one, names=(), source=None) for one in found]
            tps.save(part, nameless, store.dimensions)
            lost = list(conversion.lost(nameless if scheme else found, tps.load(part, store.dimensions), tps.FORMAT))
        if not store.begin(part, scheme):
            return None
    left = left or [str(problem) for problem in store.problems]
    named = ["the names of the landmarks are the scheme now"] if scheme else []
    return Arrived(path.name, "landmarks", (*left, *lost, *named), len(store.accepted), kind.name)


def _of_photographs(store: Store, records: Sequence[Landmarks]) -> tuple[list[Landmarks], list[str]]:
    """Records whose photographs are here, which they call as the project does; and why the others are not."""
    found, left = list[Landmarks](), list[str]()
    for record in records:
        key = store.match(record)
        if isinstance(key, Problem):
            left.append(str(key))
        else:
            found.append(replace(record, image=store.get(key).image))
    return found, left


def _scheme(records: Sequence[Landmarks]) -> Scheme | None:
    """The scheme that the names of landmarks make; None where there are none, or a scheme cannot have them.

    Raises:
        UserError: specimens name them differently.
    """
    named = [one for one in records if one.names not in ((), Scheme.numbered(one.n_landmarks).names)]
    if len({one.names for one in named}) > 1:
        LandmarkSet.of(named)
    names = named[0].names if named else ()
    fit = all(name.strip() == name and name.isprintable() and 0 < len(name) <= 80 for name in names)
    most = max(one.n_landmarks for one in records)
    return Scheme(names) if fit and 0 < most == len(set(names)) == len(names) else None
