"""The middleware of every request: reads the body, records the request and injects faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.emulator.clock import Clock
from reconciler.emulator.errors import error_of
from reconciler.emulator.fault import FaultDecision, FaultInjector
from reconciler.emulator.record import RecordedRequest, Recorder, operation_of
from reconciler.emulator.settings import Settings

ABORT = "reconciler.emulator.abort"
"""The ASGI extension by which a request closes its connection."""

HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class RequestMiddleware:
    """ASGI middleware around the routes; requests to ``/admin`` are neither recorded nor affected by faults."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, clock: Clock, faults: FaultInjector, recorder: Recorder
    ) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._faults = faults
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or path == "/admin" or path.startswith("/admin/"):
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            await Response("the body is too large", 413, media_type="text/plain")(scope, receive, send)
            return
        query = scope.get("query_string", b"").decode("latin-1")
        operation = operation_of(scope["method"], path, query)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        record = self._recorder.record(self._clock.now(), operation, scope["method"], path, query, headers, body)
        decision = self._faults.decide(operation) if operation else FaultDecision()
        await self._play(decision, operation or "", record, scope, _replay(body, receive), send)

    async def _play(
        self, fault: FaultDecision, operation: str, record: RecordedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        if fault.delay:
            await asyncio.sleep(fault.delay / 1000)
        if fault.hide:
            scope.setdefault("state", {})["hide"] = fault.hide
        match fault.effect:
            case "pass":
                await self._app(scope, receive, noting)
            case "answer":
                await self._refusal(operation, fault)(scope, receive, noting)
            case "store-then-answer":
                await self._app(scope, receive, _swallow)
                await self._refusal(operation, fault)(scope, receive, noting)
            case "cut":
                await _cut(scope, receive)
            case "store-then-cut":
                await self._app(scope, receive, _swallow)
                await _cut(scope, receive)
            case "html":
                await Response(HTML, 200, media_type="text/html")(scope, receive, noting)
            case "cut-body":
                await self._app(scope, receive, _halve(noting, lambda: _abort_of(scope)))

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None if it is larger than the setting ``max_body``."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= self._settings.max_body:
                chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if size <= self._settings.max_body else None

    def _refusal(self, operation: str, fault: FaultDecision) -> Response:
        if fault.status in (204, 304):
            response = Response(status_code=fault.status)
        else:
            response = error_of(self._settings, operation, fault.status)
        if fault.retry_after is not None:
            at = self._clock.underlying() / 1000 + fault.retry_after
            response.headers["Retry-After"] = (
                formatdate(at, usegmt=True) if fault.retry_as_date else str(fault.retry_after)
            )
        return response


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns the body once, then the connection's messages."""
    given = False

    async def replaying() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replaying


async def _swallow(message: Message) -> None:
    """Discard a message of the response."""


def _abort_of(scope: Scope) -> Callable[[], None]:
    extension = (scope.get("extensions") or {}).get(ABORT)
    if extension is None:
        raise RuntimeError("this server cannot cut connections: serve the app with reconciler.emulator.server")
    abort: Callable[[], None] = extension["abort"]
    return abort


async def _cut(scope: Scope, receive: Receive) -> None:
    _abort_of(scope)()
    while (await receive())["type"] != "http.disconnect":
        pass


def _halve(send: Send, abort: Callable[[], Callable[[], None]]) -> Send:
    """A ``send`` that passes the first half of the body and then closes the connection."""

    async def halving(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        content: bytes = message.get("body", b"")
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        abort()()

    return halving
