"""Who may talk to the desk: the browser that was given the token, from the desk's own page, and nobody else."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLAIN_BYTES = 256 * 1024
"""Of the body of a request that is no upload."""
PATIENCE_SECONDS = 60.0
"""How long the head of a request, or the next piece of its body, may take; beyond, its sender is gone."""
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>pronotum desk</title><h1>{title}</h1><p>{text}</p>"
).format
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Gate:
    """What is let through.

    Attributes:
        port: the desk listens on.
        token: secret in the URL that is printed; kept in a cookie afterwards.
        host: address the desk was told to listen on; 127.0.0.1 unless somebody asked for another.
        uploads: path whose bodies may be large.
        max_bytes: of such a body.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    host: str = "127.0.0.1"
    uploads: str = "/api/upload"
    max_bytes: int = 1024**3

    @property
    def cookie(self) -> str:
        """Its name: cookies do not know of ports, two desks must not share one."""
        return f"pronotum-desk-{self.port}"

    @property
    def url(self) -> str:
        """What to open in the browser."""
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        shown = f"[{shown}]" if ":" in shown else shown
        return f"http://{shown}:{self.port}/?token={self.token}"

    def knows_host(self, header: str) -> bool:
        """Whether a Host header is ours. A page of another site that has its name point to this computer is not."""
        match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::(\d+))?", header)
        if not match or int(match[2] or 80) != self.port:
            return False
        name = match[1].strip("[]").lower()
        if name in ("127.0.0.1", "localhost", "::1", self.host.lower()):
            return True
        if self.host not in ("0.0.0.0", "::"):
            return False
        try:  # listening on every address: an address cannot be rebound, a name can
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a request was sent by the desk's own page."""
        return origin == f"http://{host}"

    def knows_token(self, token: str) -> bool:
        """Whether this is the secret, compared in constant time."""
        return secrets.compare_digest(token.encode(), self.token.encode())


class Guard:
    """ASGI middleware that lets through what `Gate` allows and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _answer(send, *refusal)
            return
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        if scope["path"] == "/" and asked and self.gate.knows_token(asked[0]):
            cookie = f"{self.gate.cookie}={self.gate.token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 303, "", {"location": "/", "set-cookie": cookie, "cache-control": "no-store"})
            return
        if not self.gate.knows_token(_cookie(headers.get("cookie", ""), self.gate.cookie)):
            await _answer(send, 403, "open the link that pronotum desk has printed; it holds the key to this page")
            return
        limit = self.gate.max_bytes if scope["path"] == self.gate.uploads else PLAIN_BYTES
        body = _Bounded(receive, limit)
        if int(headers.get("content-length") or 0) > limit:
            await _answer(send, 413, f"more than {limit // 1024} kB at once; the desk does not take that")
            return
        sender = _Sender(send)
        try:
            await self.app(scope, body, sender)
        except TooLarge:
            if not sender.begun:
                await _answer(send, 413, f"more than {limit // 1024} kB at once; the desk does not take that")
        except TooSlow:
            if not sender.begun:
                await _answer(send, 408, "the rest of the request did not come", {"connection": "close"})

    def _refusal(self, scope: MutableMapping[str, Any], headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self.gate.knows_host(host):
            return 421, "this desk answers under its own address only"
        if not scope["path"].isprintable():
            return 400, "no such address"
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return 400, "no such length"
        changes = scope["method"] not in ("GET", "HEAD")
        origin = headers.get("origin")
        if (changes or origin is not None) and not self.gate.knows_origin(origin or "", host):
            return 403, "sent by another page; the desk answers its own page only"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            navigates = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/" and not changes
            return None if navigates else (403, "asked for by another page; the desk answers its own page only")
        return None


class TooLarge(Exception):
    """A body that is longer than it may be."""


class TooSlow(Exception):
    """A body that does not arrive."""


class _Bounded:
    """The body of a request, counted: its length may be announced wrongly or not at all. It may not take for ever.

    After its end the same call waits for the client to leave, as long as that takes.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive, self.left, self.whole = receive, limit, False

    async def __call__(self) -> Message:
        try:
            message = await asyncio.wait_for(self.receive(), None if self.whole else PATIENCE_SECONDS)
        except TimeoutError:
            raise TooSlow from None
        self.whole = self.whole or not message.get("more_body", False)
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise TooLarge
        return message


class _Sender:
    """Puts the headers on an answer, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            given = {name.lower() for name, _ in message.get("headers", [])}
            extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in given]
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await self.send(message)


async def _answer(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    """A short answer of our own; a page for people and a line for the desk's page are the same text."""
    body = json.dumps({"error": text}).encode() if status != 403 else _PAGE(title="pronotum desk", text=text).encode()
    kind = "application/json" if status != 403 else "text/html; charset=utf-8"
    sender = _Sender(send)
    pairs = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
    listed = [(name.encode(), value.encode()) for name, value in pairs.items()]
    await sender({"type": "http.response.start", "status": status, "headers": listed})
    await sender({"type": "http.response.body", "body": body})


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
