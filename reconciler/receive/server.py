"""The server: runs the receiver in the foreground, or from a background thread."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from reconciler.receive.app import create_app
from reconciler.receive.settings import Settings
from reconciler.serving import configure, listen, run_until_interrupted, running_in_thread, url_of

GRACE_S = 5
"""How long running requests have to end at a shutdown."""
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def serve(settings: Settings, host: str, port: int, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until interrupted; ``on_ready`` gets the base URL once connections are accepted.

    Raises OSError if the address cannot be bound, ValueError if the database cannot be used.
    """
    with listen(host, port) as listener:
        url = _url(settings, listener)
        run_until_interrupted(_config(settings, host), listener, lambda: on_ready(url) if on_ready else None)


@contextmanager
def running_receiver(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread while the block runs; gives the base URL. Port 0 takes a free one.

    Raises OSError if the address cannot be bound, ValueError if the database cannot be used.
    """
    with listen(host, port) as listener, running_in_thread(_config(settings, host), listener, "receiver"):
        yield _url(settings, listener)


def _config(settings: Settings, host: str) -> uvicorn.Config:
    if host not in WILDCARDS:
        settings = dataclasses.replace(settings, hosts=settings.hosts | {host})
    return configure(
        create_app(settings),
        log_level="error",  # a line for each bad request would let anyone fill the disk
        max_connections=settings.max_connections,
        grace=GRACE_S,
        certificate=settings.tls_certificate,
        key=settings.tls_key,
    )


def _url(settings: Settings, listener: socket.socket) -> str:
    return url_of(listener, tls=settings.tls_certificate is not None)
