"""The desk over HTTP: routes and nothing else. Who may ask is decided in `security`, what is true in `store`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pronotum.desk import exports, intake, views
from pronotum.desk.checkup import Checkup
from pronotum.desk.folder import PRIVATE
from pronotum.desk.retraining import Trainings
from pronotum.desk.security import Gate, Guard, TooLarge, TooSlow
from pronotum.desk.specimens import Conflict
from pronotum.desk.states import Edit
from pronotum.desk.store import Store
from pronotum.desk.tiles import OVERVIEW, THUMBNAIL, Tiles
from pronotum.errors import UserError, of_disk
from pronotum.landmarks import Scheme
from pronotum.project import Project

STATIC = Path(__file__).parent / "static"
_KEEP = {"cache-control": "private, max-age=3600"}


class _Change(BaseModel):
    """Body of ``/api/edit``."""

    model_config = ConfigDict(extra="forbid")

    key: str
    revision: int
    edit: Edit
    random: bool = False


class _Undo(BaseModel):
    """Body of ``/api/undo``."""

    model_config = ConfigDict(extra="forbid")

    key: str
    revision: int
    redo: bool = False


class _Scheme(BaseModel):
    """Body of ``/api/scheme``."""

    model_config = ConfigDict(extra="forbid")

    names: list[str] = Field(min_length=1, max_length=500)
    pairs: list[tuple[int, int]] = []
    midline: list[int] = []
    mirror: bool = False
    reference: str = ""


class _Nothing(BaseModel):
    """Body of what needs none."""


class _Start(BaseModel):
    """Body of ``/api/training/start``."""

    model_config = ConfigDict(extra="forbid")

    how: str = ""


class Desk:
    """A project that is open in the browser."""

    def __init__(self, store: Store, declared: Project, form: str | None = None) -> None:
        self.store, self.declared, self.form = store, declared, form
        self.trainings = Trainings(store, declared.desk)
        self.checkup = Checkup(store)
        self.tiles = Tiles(store.folder / PRIVATE / "tiles")
        self.taken_in: list[intake.Arrived] = []
        self.find_landmarks()

    def find_landmarks(self) -> None:
        """Take in a landmark file of another format that lies in the folder, where there are no landmarks yet."""
        found = intake.find_landmarks(self.store, self.form)
        self.taken_in = [found] if found else self.taken_in

    def close(self) -> None:
        """Stop what runs and let go of the project."""
        self.trainings.close()
        self.store.close()

    # What there is

    def page(self, request: Request) -> Response:
        """The page; all else is fetched by it."""
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-store"})

    def project(self, request: Request) -> Response:
        """What every page needs."""
        return _json(self._project())

    def _project(self) -> dict[str, Any]:
        told = views.project(self.store, self.trainings, self.declared)
        return {**told, "taken_in": [vars(one) for one in self.taken_in]}

    def formats(self, request: Request) -> Response:
        """Formats of landmark files."""
        return _json({"formats": views.formats()})

    def specimens(self, request: Request) -> Response:
        """All specimens, and those to review next."""
        queue = views.queue(self.store, self.trainings, self.declared.desk) if self.store.n_landmarks else []
        return _json({"specimens": views.specimens(self.store, self.trainings), "queue": queue})

    def specimen(self, request: Request) -> Response:
        """All about one specimen."""
        return _json(views.specimen(self.store.get(request.path_params["key"]), self.trainings))

    def tile(self, request: Request) -> Response:
        """A tile of a photograph."""
        place = request.path_params
        pyramid = self.tiles.pyramid(self.store.get(place["key"]).photograph)
        return FileResponse(pyramid.tile(place["level"], place["column"], place["row"]), headers=_KEEP)

    def small(self, request: Request) -> Response:
        """A whole photograph, small."""
        side = THUMBNAIL if request.path_params["what"] == "thumbnail" else OVERVIEW
        photograph = self.store.get(request.path_params["key"]).photograph
        return Response(self.tiles.small(photograph, side), media_type="image/jpeg", headers=_KEEP)

    # Changes

    def edit(self, body: _Change) -> Any:
        """Change a specimen."""
        specimen, edit = self.store.get(body.key), body.edit
        answer, current = self.trainings.of(specimen), self.trainings.answers.training
        if edit.what != "accept":
            return views.specimen(self.store.edit(body.key, body.revision, edit), self.trainings)
        if edit.training != (current if answer else ""):
            raise Conflict(specimen)  # predictions were refreshed: what was on the screen is not what would be accepted
        points = answer.points if answer else None
        more: dict[str, Any] = {"random": body.random}
        if answer is not None:
            plain = views.specimen(specimen, self.trainings)["prediction"]
            more |= {"training": current, "predicted": plain["points"]}
        done = self.store.edit(body.key, body.revision, edit, predicted=points, more=more)
        return views.specimen(done, self.trainings)

    def undo(self, body: _Undo) -> Any:
        """Undo or redo a change of a specimen."""
        done = self.store.undo(body.key, body.revision, "redo" if body.redo else "undo")
        return views.specimen(done, self.trainings)

    def set_scheme(self, body: _Scheme) -> Any:
        """Define landmarks."""
        names = tuple(name.strip() for name in body.names)
        if not all(names) or any(any(ord(c) < 32 for c in name) or len(name) > 80 for name in names):
            raise UserError("scheme", found="a landmark without a name", expected="1 to 80 characters on one line")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UserError("scheme", found=f"the name '{repeated[0]}' twice", expected="names that differ")
        if body.reference:
            self.store.get(body.reference)
        self.store.set_scheme(_scheme(self.store.scheme, names, body))
        return self._project()

    def rescan(self, body: _Nothing) -> Any:
        """Look into the folder again."""
        self.store.reload()
        self.find_landmarks()
        return self._project()

    # Training

    def training(self, request: Request) -> Response:
        """How far training is."""
        return _json(views.training(self.store, self.trainings))

    def start_training(self, body: _Start) -> Any:
        """Begin a training."""
        self.trainings.start(body.how)
        return views.training(self.store, self.trainings)

    def stop_training(self, body: _Nothing) -> Any:
        """Stop it."""
        self.trainings.cancel()
        return views.training(self.store, self.trainings)

    def continue_training(self, body: _Nothing) -> Any:
        """Go on with one that was stopped."""
        self.trainings.go_on()
        return views.training(self.store, self.trainings)

    # Files

    def findings(self, request: Request) -> Response:
        """What check and doctor have found."""
        return _json(vars(self.checkup.result))

    def examine(self, body: _Nothing) -> Any:
        """Let check and doctor look."""
        if not self.store.file.exists():
            raise UserError("landmarks", found="none yet", remedy="place some first, or drop a landmark file here")
        self.checkup.start()
        return vars(self.checkup.result)

    async def upload(self, request: Request) -> Response:
        """Take in photographs and landmark files."""
        arrived, refused = [], []
        async with request.form(max_files=50, max_fields=10) as form:
            read_as = form.get("format")
            for sent in form.getlist("file"):
                if isinstance(sent, UploadFile):
                    try:
                        taken = await run_in_threadpool(self._take, sent, read_as if isinstance(read_as, str) else "")
                        arrived.append(vars(taken))
                    except UserError as error:
                        refused.append(str(error))
        await run_in_threadpool(self.store.reload)
        return JSONResponse({"arrived": arrived, "refused": refused}, 200 if arrived or not refused else 422)

    def _take(self, sent: UploadFile, read_as: str) -> intake.Arrived:
        name = intake.safe_name(sent.filename or "")
        with tempfile.TemporaryDirectory(dir=self.store.folder / PRIVATE) as folder:
            path = Path(folder) / name  # some formats have the photograph's name in that of the file
            with path.open("wb") as file:
                while chunk := sent.file.read(1024**2):
                    file.write(chunk)
            return intake.receive(self.store, path, read_as)

    def export(self, request: Request) -> Response:
        """What a file of the landmarks in another format is called, and what it does not hold."""
        with tempfile.TemporaryDirectory() as folder:
            path, remarks = exports.write(self.store, request.path_params["name"], Path(folder))
            return _json({"file": path.name, "remarks": remarks})

    def download_as(self, request: Request) -> Response:
        """The landmarks as a file of another format."""
        with tempfile.TemporaryDirectory() as folder:
            path, _ = exports.write(self.store, request.path_params["name"], Path(folder))
            headers = {"content-disposition": f"attachment; filename={path.name}", "cache-control": "no-store"}
            return Response(path.read_bytes(), media_type="application/octet-stream", headers=headers)

    def download(self, request: Request) -> Response:
        """Landmarks, predictions, journal or report, as files."""
        what = request.path_params["what"]
        if what == "landmarks.csv":
            name = f"attachment; filename={what}"
            return PlainTextResponse(
                views.table(self.store), media_type="text/csv", headers={"content-disposition": name}
            )
        predictions = self.trainings.predictions()
        paths = {
            "landmarks.tps": self.store.file,
            "journal.jsonl": self.store.journal.path,
            "report.html": self.trainings.report(),
            "predictions.tps": predictions and predictions / "predictions.tps",
            "predictions.csv": predictions and predictions / "predictions.csv",
        }
        path = paths.get(what)
        if path is None or not path.exists():
            raise UserError(what, found="not there yet")
        return FileResponse(path, filename=what, headers={"cache-control": "no-store"})

    def routes(self) -> list[Route | Mount]:
        """Every address and who answers it."""
        key = "{key:path}"
        place = "{level:int}-{column:int}-{row:int}"
        return [
            Route("/", self.page),
            Route("/api/project", self.project),
            Route("/api/specimens", self.specimens),
            Route(f"/api/specimen/{key}", self.specimen),
            Route(f"/api/tile/{place}/{key}", self.tile),
            Route(f"/api/small/{{what}}/{key}", self.small),
            Route("/api/training", self.training),
            Route("/api/findings", self.findings),
            Route("/api/formats", self.formats),
            Route("/api/export/{name}", self.export),
            Route("/api/download/as/{name}", self.download_as),
            Route("/api/download/{what}", self.download),
            Route("/api/upload", self.upload, methods=["POST"]),
            _post("/api/edit", self.edit, _Change),
            _post("/api/undo", self.undo, _Undo),
            _post("/api/scheme", self.set_scheme, _Scheme),
            _post("/api/rescan", self.rescan, _Nothing),
            _post("/api/training/start", self.start_training, _Start),
            _post("/api/training/stop", self.stop_training, _Nothing),
            _post("/api/training/continue", self.continue_training, _Nothing),
            _post("/api/examine", self.examine, _Nothing),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]


def application(desk: Desk, gate: Gate) -> Starlette:
    """The desk as an ASGI application behind its gate."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    handlers: dict[Any, Any] = {
        **{Conflict: _conflict(desk), UserError: _refused, TooLarge: _too_large, TooSlow: _too_slow, OSError: _disk},
        500: _broken,
    }
    app = Starlette(
        routes=desk.routes(),
        middleware=[Middleware(Guard, gate=gate)],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _scheme(known: Scheme, names: tuple[str, ...], asked: _Scheme) -> Scheme:
    """The scheme that was asked for, with the curves of the known one, whose semilandmarks come after the landmarks."""
    shift = len(names) - known.n_fixed
    more = tuple(name for curve in known.curves for name in curve.names)
    pairs = [(a + shift, b + shift) for a, b in known.pairs if min(a, b) >= known.n_fixed]
    midline = [k + shift for k in known.midline if k >= known.n_fixed]
    if any(not 0 <= k < len(names) for k in (*asked.midline, *(k for pair in asked.pairs for k in pair))):
        raise UserError("scheme", found="a pair with a landmark that there is not", expected=f"0 to {len(names) - 1}")
    try:
        return Scheme(
            (*names, *more),
            (*asked.pairs, *pairs),
            (*asked.midline, *midline),
            known.curves,
            asked.mirror,
            asked.reference,
        )
    except ValueError as error:
        raise UserError("scheme", found=str(error)) from None


def _post(path: str, act: Callable[[Any], Any], body: type[BaseModel]) -> Route:
    """A route that reads JSON, acts in a thread of its own, and answers with JSON."""

    async def answer(request: Request) -> Response:
        try:
            asked = body.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "request"
            raise UserError(where, found=first["msg"]) from None
        return _json(await run_in_threadpool(act, asked))

    return Route(path, answer, methods=["POST"])


def _json(value: Any) -> Response:
    return JSONResponse(value, headers={"cache-control": "no-store"})


def _conflict(desk: Desk) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, Conflict)
        return JSONResponse({"error": str(error), "specimen": views.specimen(error.specimen, desk.trainings)}, 409)

    return answer


def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


def _too_large(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "more at once than the desk takes"}, 413)


def _disk(request: Request, error: Exception) -> Response:
    """A full disk, say: nothing was changed, and the person at the desk can do something about it."""
    told = of_disk(error) if isinstance(error, OSError) else None
    if told is None:
        raise error
    return JSONResponse({"error": str(told)}, 507)


def _too_slow(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the rest of the request did not come"}, 408, {"connection": "close"})


def _broken(request: Request, error: Exception) -> Response:
    """A mistake of ours: the terminal has all of it."""
    return JSONResponse({"error": f"The desk made a mistake ({type(error).__name__}); the terminal says more."}, 500)
