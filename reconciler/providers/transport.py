"""Transport: HTTP connections that limit a whole exchange: its duration, and its bytes before decompression."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from reconciler.core.duration import in_seconds
from reconciler.core.system_clock import monotonic

# The library's messages about malformed headers or a full pool duplicate our own errors, or do not help a reader.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

_current = threading.local()


class ReceivedTooMuchError(OSError):
    """An exchange received more bytes than allowed; ``limit`` is the maximum."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes received")
        self.limit = limit


class _Exchange:
    """The limits of one exchange, and what it has received."""

    __slots__ = ("deadline", "limit", "received")

    def __init__(self, deadline: int, limit: int) -> None:
        self.deadline = deadline
        self.limit = limit
        self.received = 0


@contextmanager
def exchange(timeout: int, max_bytes: int) -> Iterator[None]:
    """Limit this thread's reads from now on to ``timeout`` ms; in a nested exchange the earlier deadline counts.

    Reads raise TimeoutError after the deadline, and ReceivedTooMuchError after ``max_bytes``.
    """
    outer: _Exchange | None = getattr(_current, "exchange", None)
    own = monotonic() + timeout
    _current.exchange = _Exchange(own if outer is None else min(own, outer.deadline), max_bytes)
    try:
        yield
    finally:
        _current.exchange = outer


class _DeadlineReader(io.RawIOBase):
    """Reads a socket within the limits of the current thread's exchange."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # the buffer type has no public name before Python 3.12
        bounds: _Exchange | None = getattr(_current, "exchange", None)
        if bounds is not None:
            left = bounds.deadline - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(in_seconds(left))
        read: int | None = self._raw.readinto(buffer)
        if bounds is not None:
            bounds.received += read or 0
            if bounds.received > bounds.limit:
                raise ReceivedTooMuchError(bounds.limit)
        return read

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """A response whose status line, headers and body are read under the deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:  # those of http.client
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """The ``requests`` adapter for these connections, direct or through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # those of requests
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> PoolManager:  # those of requests
        manager: PoolManager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
