"""The desk on a socket: uvicorn, which by itself would wait for ever for the rest of a request's head."""

from __future__ import annotations

import asyncio

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pronotum.desk import security


class Impatient(H11Protocol):
    """Hangs up on who has not sent the whole head of a request in time, however slowly the pieces come."""

    waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has called."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn says Transport, as it always is
        self.watch(True)

    def data_received(self, data: bytes) -> None:
        """The next piece of a request; uvicorn reads it."""
        super().data_received(data)
        self.watch(self.conn.their_state is h11.IDLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        super().connection_lost(exc)
        self.watch(False)

    def watch(self, in_head: bool) -> None:
        """Begin to wait for the end of a head, or have it; a piece of it does not prolong the wait."""
        if in_head and self.waiting is None:
            self.waiting = self.loop.call_later(security.PATIENCE_SECONDS, self.transport.abort)
        elif not in_head and self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None


def server(application: ASGIApp) -> uvicorn.Server:
    """What answers on a socket; its errors and warnings go to stderr."""
    config = uvicorn.Config(application, http=Impatient, ws="none", log_level="warning", server_header=False)
    return uvicorn.Server(config)
