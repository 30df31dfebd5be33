"""Intake: reads the bodies of notifications within the limits of size and rate, and stores the alerts in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from reconciler.core.system_clock import precise_seconds
from reconciler.receive.access import RefusedError, busy_refusal, json_response
from reconciler.receive.metrics import Metrics
from reconciler.receive.payload import Payload, PayloadError, read_payload
from reconciler.receive.settings import Settings
from reconciler.receive.store import Delivery, DeliverySource, StoreError
from reconciler.receive.writer import BusyError, GroupWriter


class TokenBucket:
    """A rate limit of ``rate`` tokens per second, of which up to ``capacity`` accumulate; it starts full.

    Not thread-safe. ``seconds`` is a monotonic clock.
    """

    def __init__(self, rate: float, capacity: float, seconds: Callable[[], float] = precise_seconds) -> None:
        self._rate = rate
        self._capacity = capacity
        self._seconds = seconds
        self._level = capacity
        self._filled_at = seconds()

    def take_token(self) -> bool:
        """Take one token; False if there is none."""
        now = self._seconds()
        self._level = min(self._capacity, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


LARGE = 64 * 1024
"""Bodies of more bytes than this are parsed in a thread, so that they do not block other requests."""
_MAX_SENDER = 200
_T = TypeVar("_T")


class Intake:
    """Limits, reads and stores the notifications of all paths."""

    def __init__(self, settings: Settings, writer: GroupWriter, metrics: Metrics) -> None:
        self._settings = settings
        self._writer = writer
        self._metrics = metrics
        # One for each path, so that a flood at one path does not block the senders of the others.
        self._buckets = {source: TokenBucket(settings.max_rate, 2 * settings.max_rate) for source in DeliverySource}
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, source: DeliverySource) -> AsyncIterator[bytes]:
        """The body of a request; its bytes count as held until the block ends.

        Raises RefusedError: 413 if it is too large, 408 if it is too slow, 400 if it is incomplete, 503 if too many
        requests or bytes arrive at once.
        """
        if not self._buckets[source].take_token():
            raise busy_refusal("rate", "too many requests")
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._settings.max_body:
            raise _too_large()
        chunks: list[bytes] = []
        try:
            await self._read(request, chunks)
            yield b"".join(chunks)
        finally:
            self._held -= sum(map(len, chunks))

    async def _read(self, request: Request, chunks: list[bytes]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                async for chunk in request.stream():
                    chunks.append(chunk)
                    size += len(chunk)
                    self._held += len(chunk)
                    if size > self._settings.max_body:
                        raise _too_large()
                    if self._held > self._settings.max_pending_bytes:
                        raise busy_refusal("memory", "too many bytes are being received at once")
        except TimeoutError:
            raise RefusedError(408, "slow", "the body took too long") from None
        except ClientDisconnect:
            raise RefusedError(400, "cut", "the body is not complete") from None

    async def store(self, delivery: Delivery) -> Response:
        """Store a delivery durably, then return the response. Raises RefusedError (503) if it cannot be stored."""
        try:
            fresh = await self._writer.add(delivery)
        except BusyError:
            raise busy_refusal("pending", "too many deliveries are waiting to be stored") from None
        except StoreError:
            raise busy_refusal("store", "the delivery cannot be stored now") from None
        self._metrics.delivered(delivery, fresh)
        return json_response({"status": "stored" if fresh else "repeated"})

    async def payload(self, text: bytes) -> Payload:
        """The alerts in a body. Raises RefusedError (400) if the body is nested too deeply."""
        return await self.parsed(lambda: read_payload(text, self._settings.max_depth), len(text))

    async def parsed(self, parse: Callable[[], _T], size: int) -> _T:
        """The result of ``parse``; RefusedError (400) if the body is nested too deeply."""
        try:
            return await asyncio.to_thread(parse) if size > LARGE else parse()
        except PayloadError:
            raise RefusedError(400, "depth", "the body is nested too deeply") from None

    def delivery(
        self,
        request: Request,
        source: DeliverySource,
        payload: Payload,
        body: bytes,
        *,
        name: str | None,
        message_id: str | None = None,
        sent_at: int | None = None,
    ) -> Delivery:
        """The delivery of a request; ``sent_at`` is in epoch ms.

        A repeated ``message_id`` is the same delivery; without one, so are equal bodies to one path.
        """
        identity = f"{source.value}\n{name}\n".encode() + (body if message_id is None else message_id.encode())
        return Delivery(
            source=source,
            identity=sha256(identity).hexdigest(),
            received_at=self._settings.clock(),
            body=body if self._settings.body_retention else None,
            size=len(body),
            alerts=payload.alerts,
            receiver=payload.receiver or name,
            status=payload.status,
            message_id=message_id,
            group_key=payload.group_key,
            truncated=payload.truncated,
            sent_at=sent_at,
            sender=(request.headers.get("user-agent") or "")[:_MAX_SENDER] or None,
            peer=request.client.host if request.client else None,
        )


def _too_large() -> RefusedError:
    return RefusedError(413, "size", "the body is too large")
