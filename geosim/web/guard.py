"""What a request must pass before any of it is kept: whence, how many, how large."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from geosim.web.limits import WebLimits

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing is loaded from elsewhere, framed, guessed or kept."""

_FORM_BYTES = 100_000
"""Of a form beside its files."""

_UNREAD_BYTES = 100_000_000
"""Of what is refused: read and dropped up to here, so that the sender hears why."""

_UNREAD_SECONDS = 20.0


class Guard:
    """ASGI middleware: headers, hosts and origins, number and size of uploads."""

    def __init__(
        self, app: ASGIApp, *, limits: WebLimits, hosts: frozenset[str]
    ) -> None:
        """Guard an application.

        Args:
            app: what is guarded.
            limits: of bytes, time and number.
            hosts: names by which the server may be called, empty: all. A page
                elsewhere cannot reach it under a name of its own.
        """
        self._app = app
        self._limits = limits
        self._hosts = hosts
        self._inside = 0
        pair = 2 * limits.picture_bytes + _FORM_BYTES
        self._bytes: Mapping[str, int] = {
            "/compare": pair,
            "/change": 2 * limits.raster_bytes + _FORM_BYTES,
            "/preview": limits.raster_bytes + _FORM_BYTES,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in scope["headers"]
        }
        answer = _with_headers(send)
        refused = self._stranger(headers)
        if refused:
            await _refuse(scope, receive, answer, 403, refused)
        elif scope["method"] == "POST":
            await self._post(scope, receive, answer, headers)
        else:
            await self._app(scope, receive, answer)

    def _stranger(self, headers: Mapping[str, str]) -> str | None:
        host = headers.get("host", "")
        called = _parts(f"//{host}")
        if called is None or (
            self._hosts and (called.hostname or "") not in self._hosts
        ):
            return "this server is not called by that name; use its own address"
        origin = headers.get("origin")
        if origin is None:
            return None
        page = _parts(origin)
        if page is None or page.netloc != host:
            return "a page of another site may not use this server"
        return None

    async def _post(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]
    ) -> None:
        if self._inside >= self._limits.requests:
            words = "the server is busy with other requests; try again in a while"
            await _refuse(scope, receive, send, 429, words)
            return
        most = self._bytes.get(scope["path"], _FORM_BYTES)
        told = headers.get("content-length", "0")
        if told.isdecimal() and int(told) > most:
            await _refuse(scope, receive, send, 413, _too_large(most))
            return
        self._inside += 1
        try:
            bounded = _Bounded(receive, most, self._limits.upload_seconds)
            await self._app(scope, bounded, send)
        finally:
            self._inside -= 1


class _Bounded:
    """`receive` with an end: of bytes and of time."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._left = most
        self._seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # all is here: only the sender's leaving is waited for
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                408, f"the upload did not arrive within {self._seconds:.0f} s"
            ) from error
        self._whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            await _drop(self._receive, whole=self._whole)
            raise HTTPException(413, _too_large(self._most))
        return message


def _parts(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none, such as `http://[`."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _too_large(most: int) -> str:
    size = f"{most / 1e6:,.0f} MB" if most >= 1e6 else f"{most / 1e3:,.0f} kB"  # noqa: PLR2004
    return f"the upload is too large: at most {size} are taken here; give smaller files"


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, words: str
) -> None:
    """Answer without keeping anything of the request."""
    if scope["method"] == "POST":
        await _drop(receive, whole=False)
    headers = {"Retry-After": "5"} if status == 429 else None  # noqa: PLR2004
    response = JSONResponse({"detail": words}, status, headers)
    await response(scope, receive, send)


async def _drop(receive: Receive, *, whole: bool) -> None:
    """Read what is still to come and drop it, up to an end."""
    left = _UNREAD_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_UNREAD_SECONDS):
            while not whole and left > 0:
                message = await receive()
                whole = not message.get("more_body", False)
                left -= len(message.get("body", b""))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return sending
