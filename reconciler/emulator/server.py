"""The server: the emulator in the foreground, or from a thread for as long as a block lasts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reconciler.emulator.app import create_app
from reconciler.emulator.middleware import ABORT
from reconciler.emulator.settings import Settings
from reconciler.serving import listen, run_until_interrupted, running_in_thread, url_of


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 that lets a request cut its own connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}


def serve(
    settings: Settings, host: str = "127.0.0.1", port: int = 8080, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until interrupted; ``on_ready`` gets the base URL as soon as connections are taken.

    OSError when the address cannot be listened on, ValueError when the settings are not right.
    """
    config = _config(_reached_at(settings, host))
    listener = listen(host, port)
    url = _url(settings, listener)
    run_until_interrupted(config, listener, lambda: on_ready(url) if on_ready else None)


@contextmanager
def running(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread while the block runs, and give its base URL; port 0 takes a free one.

    OSError when the address cannot be listened on.
    """
    config = _config(_reached_at(settings, host))
    listener = listen(host, port)
    with running_in_thread(config, listener, "emulator"):
        yield _url(settings, listener)


def _reached_at(settings: Settings, host: str) -> Settings:
    """Settings by which the address that is listened on is one of the names to serve; a wildcard is none."""
    return settings if host in ("", "0.0.0.0", "::") else replace(settings, hosts=settings.hosts | {host})  # noqa: S104


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        http=_Protocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _url(settings: Settings, listener: socket.socket) -> str:
    return url_of(listener, tls=settings.tls_certificate is not None)
