"""The guard: which requests the emulator takes at all, before anything is recorded or played."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import answer
from reconciler.serving import LOOPBACK_HOSTS, foreign_header


class GuardMiddleware:
    """Refuses requests of web pages, and admin calls without the token or with a body that is not declared JSON."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._token = settings.token
        self._hosts = LOOPBACK_HOSTS | {host.lower().strip("[]") for host in settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        match foreign_header(headers, self._hosts):
            case "host":
                return answer({"error": "this emulator is not reached under that name: see --hostname"}, 421)
            case "origin":
                return answer({"error": "requests of other web sites are refused"}, 403)
        path: str = scope["path"]
        if path != "/admin" and not path.startswith("/admin/"):
            return None
        if self._token is not None and not self._has_token(headers):
            return answer({"error": "admin calls need the emulator's token, in X-Auth-Token"}, 401)
        written = headers.get("content-type")
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if (written is not None or has_body) and (written or "").partition(";")[
            0
        ].strip().lower() != "application/json":
            return answer({"error": "admin calls have the content type application/json"}, 415)
        return None

    def _has_token(self, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        presented = headers.get("x-auth-token") or (bearer.strip() if kind.lower() == "bearer" else "")
        return hmac.compare_digest(presented.encode(), (self._token or "").encode())
