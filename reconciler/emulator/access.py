"""Access: who is let in, by a token or a signature."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request

from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.settings import Settings
from reconciler.emulator.signature import BAIDU, HUAWEI, SignedRequest, verify_baidu, verify_huawei

SCHEMA = "CREATE TABLE IF NOT EXISTS iam_token (token TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;"


class Access:
    """The tokens IAM issued, and the rules for those it did not."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        database.create(SCHEMA)

    def issue(self) -> tuple[str, int]:
        """A new token and the epoch milliseconds it expires at."""
        token, expires_at = secrets.token_urlsafe(48), self._clock.now() + self._settings.token_lifetime
        with self._database.write() as connection:
            connection.execute("INSERT INTO iam_token VALUES (?, ?)", (token, expires_at))
        return token, expires_at

    def huawei(self, request: Request, body: bytes) -> bool:
        """Whether ``X-Auth-Token`` or ``Authorization`` opens AOM, CES and IAM.

        An issued token does until it expires; any other does unless one certain token is demanded; a signature does
        if it is right, or if there are no keys to tell and no token is demanded.
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
        """Whether ``Authorization`` opens BCM: the right signature, or any where there are no keys to tell."""
        if self._settings.keys:
            return verify_baidu(_signed(request, body), self._settings.keys, self._signature_time())
        return request.headers.get("authorization", "").startswith(BAIDU + "/")

    def reset(self) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM iam_token")

    def _signature_time(self) -> int | None:
        """The clock of the machine: a client signs with its own, however this one is shifted."""
        return self._clock.underlying() if self._settings.check_signature_time else None


def _signed(request: Request, body: bytes) -> SignedRequest:
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return SignedRequest(
        request.method, raw_path.decode("latin-1"), request.url.query, dict(request.headers.items()), body
    )
