"""A server that answers 204 to every request, after a delay: the time to a service that is far away.

``python -m tests.benchmarks.no_content_server MILLISECONDS`` prints its address and serves until it is interrupted. It
reads only what it must, so that it costs less than the clients it is there to measure.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = b"content-length:"


class _Protocol(asyncio.Protocol):
    """One connection; its client sends a request when the last one is answered."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = bytearray()
        self._wanted: int | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._wanted is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._wanted = end + 4 + int(length or b"0")
        if len(self._received) >= self._wanted:
            self._received.clear()
            self._wanted = None
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        assert self._transport is not None
        self._transport.write(_ANSWER)


async def _serve(delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Protocol(delay), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(float(sys.argv[1]) / 1000))
