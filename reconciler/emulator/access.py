"""Access: which requests are accepted, by their host and origin, then by a token or a vendor's signature."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import json_response
from reconciler.serving import LOOPBACK_HOSTS, foreign_header

HUAWEI = "SDK-HMAC-SHA256"
BAIDU = "bce-auth-v1"
HUAWEI_TOLERANCE = 15 * 60_000
_HUAWEI_HEADER = re.compile(rf"{HUAWEI} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]+)")
_BAIDU_DEFAULT = ("host", "content-length", "content-type", "content-md5")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers; header names are lower case, ``query`` is the raw query string."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def verify_huawei(request: SignedRequest, keys: Mapping[str, str], now: int | None) -> bool:
    """Whether ``Authorization`` has a valid SDK-HMAC-SHA256 signature by one of the keys; with ``now`` None its age is
    not checked.
    """
    match = _HUAWEI_HEADER.fullmatch(request.headers.get("authorization", ""))
    date = request.headers.get("x-sdk-date", "")
    if not match or match[1] not in keys:
        return False
    if now is not None and not _within(date, "%Y%m%dT%H%M%SZ", now, HUAWEI_TOLERANCE, HUAWEI_TOLERANCE):
        return False
    signed = match[2].split(";")
    path = "/".join(_encode(part) for part in unquote(request.path).split("/"))
    query = sorted(parse_qsl(request.query, keep_blank_values=True))
    canonical = "\n".join(
        (
            request.method,
            path if path.endswith("/") else path + "/",
            "&".join(f"{_encode(key)}={_encode(value)}" for key, value in query),
            "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed),
            match[2],
            request.headers.get("x-sdk-content-sha256") or hashlib.sha256(request.body).hexdigest(),
        )
    )
    to_sign = f"{HUAWEI}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.compare_digest(_hmac(keys[match[1]], to_sign), match[3])


def verify_baidu(request: SignedRequest, keys: Mapping[str, str], now: int | None) -> bool:
    """Whether ``Authorization`` has a valid bce-auth-v1 signature by one of the keys; with ``now`` None its age is not
    checked.
    """
    parts = request.headers.get("authorization", "").split("/")
    if len(parts) != 6 or parts[0] != BAIDU or parts[1] not in keys or not parts[3].isdecimal():
        return False
    _, access_key, date, lifetime, signed, signature = parts
    if now is not None and not _within(date, "%Y-%m-%dT%H:%M:%SZ", now, int(lifetime) * 1000, HUAWEI_TOLERANCE):
        return False
    signing_key = _hmac(keys[access_key], f"{BAIDU}/{access_key}/{date}/{lifetime}")
    query = sorted(
        f"{_encode(key)}={_encode(value)}"
        for key, value in parse_qsl(request.query, keep_blank_values=True)
        if key.lower() != "authorization"
    )
    extensions = {name for name in request.headers if name.startswith("x-bce-")}
    named = set(signed.split(";")) if signed else {*_BAIDU_DEFAULT, *extensions}
    # The vendor's own client signs every x-bce- header even when it names others, so both readings are accepted.
    for covered in (named, named | extensions):
        canonical = "\n".join(
            (
                request.method,
                "/".join(_encode(part) for part in unquote(request.path).split("/")),
                "&".join(query),
                "\n".join(_baidu_headers(request.headers, covered)),
            )
        )
        if hmac.compare_digest(_hmac(signing_key, canonical), signature):
            return True
    return False


def _baidu_headers(headers: Mapping[str, str], covered: Iterable[str]) -> list[str]:
    present = ((name, headers.get(name, "").strip()) for name in covered)
    return sorted(f"{_encode(name)}:{_encode(value)}" for name, value in present if value)


def _hmac(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _within(date: str, pattern: str, now: int, age: int, ahead: int) -> bool:
    try:
        signed_at = datetime.strptime(date, pattern).replace(tzinfo=UTC).timestamp() * 1000
    except ValueError:
        return False
    return now - age <= signed_at <= now + ahead


SCHEMA = "CREATE TABLE IF NOT EXISTS iam_token (token TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;"


class Access:
    """The tokens that IAM issued, and the rules for other tokens."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        database.create(SCHEMA)

    def issue(self) -> tuple[str, int]:
        """A new token, and when it expires (epoch ms)."""
        token, expires_at = secrets.token_urlsafe(48), self._clock.now() + self._settings.token_lifetime
        with self._database.write() as connection:
            connection.execute("INSERT INTO iam_token VALUES (?, ?)", (token, expires_at))
        return token, expires_at

    def huawei(self, request: Request, body: bytes) -> bool:
        """Whether ``X-Auth-Token`` or ``Authorization`` gives access to AOM, CES and IAM.

        An issued token does until it expires. Any other token does, unless the settings name the one token to accept. A
        signature does if it is valid, or if the settings name neither keys nor a token.
        """
        settings = self._settings
        token = request.headers.get("x-auth-token", "")
        if token:
            row = self._database.connection.execute(
                "SELECT expires_at FROM iam_token WHERE token = ?", (token,)
            ).fetchone()
            if row is not None:
                return bool(row[0] > self._clock.now())
            return settings.token is None or hmac.compare_digest(token.encode(), settings.token.encode())
        if settings.keys:
            return verify_huawei(_signed(request, body), settings.keys, self._signature_time())
        return settings.token is None and request.headers.get("authorization", "").startswith(HUAWEI + " ")

    def baidu(self, request: Request, body: bytes) -> bool:
        """Whether ``Authorization`` gives access to BCM: a valid signature, or any signature if the settings name no
        keys.
        """
        if self._settings.keys:
            return verify_baidu(_signed(request, body), self._settings.keys, self._signature_time())
        return request.headers.get("authorization", "").startswith(BAIDU + "/")

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM iam_token")

    def _signature_time(self) -> int | None:
        """The machine's clock: a client signs by its own clock, however the emulator's clock is shifted."""
        return self._clock.underlying() if self._settings.check_signature_time else None


def _signed(request: Request, body: bytes) -> SignedRequest:
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return SignedRequest(
        request.method, raw_path.decode("latin-1"), request.url.query, dict(request.headers.items()), body
    )


class GuardMiddleware:
    """Rejects requests of web pages, and admin calls without the token or whose body is not declared as JSON."""

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
                return json_response({"error": "this emulator is not reached under that name: see --hostname"}, 421)
            case "origin":
                return json_response({"error": "requests of other web sites are refused"}, 403)
        path: str = scope["path"]
        if path != "/admin" and not path.startswith("/admin/"):
            return None
        if self._token is not None and not self._has_token(headers):
            return json_response({"error": "admin calls need the emulator's token, in X-Auth-Token"}, 401)
        written = headers.get("content-type")
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if (written is not None or has_body) and (written or "").partition(";")[
            0
        ].strip().lower() != "application/json":
            return json_response({"error": "admin calls have the content type application/json"}, 415)
        return None

    def _has_token(self, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        presented = headers.get("x-auth-token") or (bearer.strip() if kind.lower() == "bearer" else "")
        return hmac.compare_digest(presented.encode(), (self._token or "").encode())
