"""The application: the page, its events, and the two requests that need the token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.live.feed import Feed
from reconciler.live.live_run import LiveRun
from reconciler.receive.access import HEADERS, RefusedError, check_bearer, json_response
from reconciler.serving import LOOPBACK_HOSTS, foreign_header
from reconciler.views.html.live import live_policy

MAX_BODY = 4096


class PauseAnswer(BaseModel):
    """What a visitor answers to the pause of a step."""

    model_config = ConfigDict(extra="forbid", strict=True)

    step: str
    answer: str


def create_app(live_run: LiveRun, *, token: str, hosts: Iterable[str]) -> ASGIApp:
    """The page of a run. It can be read without the token; an answer and an abort need it."""
    feed = Feed(live_run)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        drawing = asyncio.create_task(feed.run())
        yield
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing

    async def page(_: Request) -> Response:
        html = feed.page()
        if html is None:
            return PlainTextResponse("The drill has no record yet: wait.\n", 503, headers={**HEADERS, "Refresh": "1"})
        return HTMLResponse(
            html, headers={**HEADERS, "Content-Security-Policy": live_policy(), "Referrer-Policy": "no-referrer"}
        )

    async def events(_: Request) -> Response:
        return StreamingResponse(feed.messages(), media_type="text/event-stream", headers=HEADERS)

    async def pause(request: Request) -> Response:
        check_bearer(request.headers, token)
        try:
            given = PauseAnswer.model_validate_json(await _body(request))
        except ValidationError:
            raise RefusedError(400, "body", "expected a step and an answer") from None
        if given.answer not in ("yes", "no"):
            raise RefusedError(400, "body", "the answer is yes or no")
        if not live_run.record_answer(given.step, confirmed=given.answer == "yes"):
            raise RefusedError(409, "late", "that pause does not wait for an answer")
        return json_response({"status": "answered"})

    async def abort(request: Request) -> Response:
        check_bearer(request.headers, token)
        live_run.abort()
        return json_response({"status": "aborting"})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 - narrows a type
        return error.response

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/events", events, methods=["GET"]),
        Route("/answer", pause, methods=["POST"]),
        Route("/abort", abort, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={RefusedError: refused})
    return _Guard(app, LOOPBACK_HOSTS | {host.lower().strip("[]") for host in hosts})


class _Guard:
    """Refuses requests for host names that are not ours, and cross-site requests.

    Following a link from another web site to the page is allowed.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope), is_page=scope["path"] == "/" and scope["method"] == "GET")
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers, *, is_page: bool) -> Response | None:
        match foreign_header(headers, self._hosts):
            case "host":
                return json_response({"error": "this page is not served under that name: see --hostname"}, 421)
            case "origin" if not is_page:
                return json_response({"error": "requests of other web sites are refused"}, 403)
        return None


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise RefusedError(413, "size", "the body is too large")
    return body
