"""Webhooks: one HTTP POST, tried again while the receiver fails."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 60.0


async def deliver(url: str, body: bytes, version: str, timeout_s: float) -> bool:
    """Whether the receiver took it within the time given: 5xx and lost connections are retried, 4xx is final."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            pause = FIRST_RETRY_S
            while True:
                status = await _post(url, body, version)
                if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_RETRY_S)
    return False


async def _post(url: str, body: bytes, version: str) -> int | None:
    """The status of the answer, None when there was none."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: Alertmanager/{version}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer = None
    try:
        context = ssl.create_default_context() if is_tls else None
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        writer.write(head.encode() + body)
        await writer.drain()
        line = (await reader.readline()).split()
        return int(line[1]) if len(line) > 1 and line[1].isdigit() else None
    except (OSError, ValueError):
        return None
    finally:
        if writer is not None:
            writer.close()
