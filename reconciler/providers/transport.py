"""Transport: HTTP connections on which a whole exchange has a deadline, not only the pause between two bytes."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

# What the library would say of odd headers or a full pool is told by our own errors, or is of no use to a reader.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

_current = threading.local()


@contextmanager
def exchange_deadline(seconds: float) -> Iterator[None]:
    """Bound what this thread reads from now on; within another deadline the earlier one counts."""
    outer: float | None = getattr(_current, "deadline", None)
    own = time.monotonic() + seconds
    _current.deadline = own if outer is None else min(own, outer)
    try:
        yield
    finally:
        _current.deadline = outer


class _DeadlineReader(io.RawIOBase):
    """What a socket yields, until the deadline of the thread that reads it."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # the type of a buffer has no name before Python 3.12
        deadline: float | None = getattr(_current, "deadline", None)
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        read: int | None = self._raw.readinto(buffer)
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
    """The adapter of ``requests`` with these connections, direct ones and those through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # those of requests
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> PoolManager:  # those of requests
        manager: PoolManager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
