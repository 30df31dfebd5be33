"""Access: which requests a receiver accepts, before any body is read, and how it rejects the others."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Iterable, Mapping
from hashlib import sha256

from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.serving import LOOPBACK_HOSTS, foreign_header

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(value), status, media_type="application/json", headers={**HEADERS, **(headers or {})})


class RefusedError(Exception):
    """Ends a request; ``reason`` is one of a few words, for the metrics."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.response = json_response({"error": message}, status, headers)


def busy_refusal(reason: str, message: str) -> RefusedError:
    """A response that makes a sender retry: Alertmanager and SMN do so only after 5xx, not after 429."""
    return RefusedError(503, reason, message, {"Retry-After": "1"})


OPEN = frozenset({"/healthz"})
"""Paths with any Host header: probes use addresses that are not known in advance."""


class HostMiddleware:
    """Rejects foreign Host and Origin headers: a web page in a browser on this machine cannot reach the receiver.

    ``hosts`` are the names to serve, without a port; ``refused`` gets the reason of each rejection.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = LOOPBACK_HOSTS | {host.lower().strip("[]") for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                self._check(Headers(scope=scope))
            except RefusedError as error:
                await error.response(scope, receive, send)
                scope["app"].state.metrics.refused(error.reason)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        match foreign_header(headers, self._hosts):
            case "host":
                raise RefusedError(421, "host", "this server is not reached under that name: see --hostname")
            case "origin":
                raise RefusedError(403, "origin", "requests of other web sites are refused")


def same(presented: str, expected: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(sha256(presented.encode()).digest(), sha256(expected.encode()).digest())


def check_bearer(headers: Headers, token: str) -> None:
    """Require ``Authorization: Bearer TOKEN``."""
    kind, _, presented = headers.get("authorization", "").partition(" ")
    if not (same(presented.strip(), token) and kind.lower() == "bearer"):
        raise RefusedError(401, "token", "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})


def check_sender(headers: Headers, token: str | None) -> None:
    """Require the sender's token, as a bearer token or as the password of any user; None requires nothing."""
    if token is None:
        return
    kind, _, presented = headers.get("authorization", "").partition(" ")
    presented = presented.strip()
    if kind.lower() == "basic":
        try:
            presented = b64decode(presented, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            presented = ""
    if not (same(presented, token) and kind.lower() in ("bearer", "basic")):
        raise RefusedError(401, "token", "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})


def hook_of(hooks: Mapping[str, str], presented: str) -> str:
    """The name of the hook with a token; all are compared, so that the time reveals nothing."""
    names = [name for name, token in hooks.items() if same(presented, token)]
    if not names:
        raise RefusedError(404, "token", "not found")
    return names[0]
