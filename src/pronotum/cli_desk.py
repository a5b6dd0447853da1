"""The command of the review desk."""

from __future__ import annotations

import getpass
import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronotum.cli_parts import LandmarkFormat
from pronotum.errors import UserError, counted

if TYPE_CHECKING:
    from pronotum.desk.security import Gate
    from pronotum.desk.server import Desk

PORT = 8421


def desk(
    project: Annotated[Path, typer.Argument(help="Folder of your photographs, with a landmark file or without.")],
    port: Annotated[
        int | None, typer.Option(help=f"Default {PORT}, or another that is free.", min=1, max=65535)
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Others than 127.0.0.1 let other computers in: they need the link."),
    ] = "127.0.0.1",
    who: Annotated[
        str | None, typer.Option(help="Your name in the journal; default the name you logged in with.")
    ] = None,
    form: LandmarkFormat = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Look at photographs, place and correct landmarks, train and predict, in the browser.

    Everything is saved at once: landmarks in the TPS file of the folder, who changed what and when in
    .desk/journal.jsonl. Landmarks in another format are taken into landmarks.tps first.

    Example: pronotum desk wings/
    """
    opened, gate, listening = prepare(project, port=port, host=host, who=who, form=form)
    for one in opened.taken_in:
        typer.echo(
            f"{one.name} ({one.read_as}): landmarks of {counted(one.taken, 'specimen')} taken into {opened.store.file}"
        )
        for remark in one.remarks:
            typer.echo(f"  {remark}")
    specimens = counted(len(opened.store), "specimen")
    typer.echo(f"{specimens}, {len(opened.store.accepted)} accepted; landmarks in {opened.store.file}")
    typer.echo(f"open {gate.url}")
    typer.echo("end with Ctrl-C; nothing needs to be saved")
    if browser:
        webbrowser.open(gate.url)
    serve(opened, gate, listening)


def prepare(
    folder: Path,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    who: str | None = None,
    form: str | None = None,
) -> tuple[Desk, Gate, socket.socket]:
    """Open a project and a port.

    Raises:
        UserError: the extra is not installed, no such folder, broken landmarks in it, or the port is taken.
    """
    try:
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401

        from pronotum.desk.security import Gate
        from pronotum.desk.server import Desk
    except ImportError as error:
        raise UserError("pronotum desk", found=f"needs {error.name}", remedy="pip install 'pronotum[web]'") from None
    from pronotum import project as projects
    from pronotum.desk.store import Store

    store = Store(folder, who or getpass.getuser())
    try:
        opened = Desk(store, projects.find(folder), form)
        listening = _listen(host, port)
    except UserError:
        store.close()
        raise
    return opened, Gate(port=listening.getsockname()[1], host=host), listening


def serve(opened: Desk, gate: Gate, listening: socket.socket) -> None:
    """Answer until somebody ends it."""
    from pronotum.desk.server import application
    from pronotum.desk.serving import server

    server(application(opened, gate)).run(sockets=[listening])


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket on the port asked for, else on the usual one, else on any."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in [port] if port else [PORT, 0]:
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, wanted))
            listening.listen(128)  # who opens the link before the server is ready waits for it
        except OSError as error:
            listening.close()
            if wanted == 0 or port:
                found = f"cannot be listened on ({error.strerror})"
                raise UserError(f"{host}:{wanted}", found=found, remedy="choose another --port or --host") from None
        else:
            return listening
    raise AssertionError("port 0 either works or fails")
