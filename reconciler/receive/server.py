"""The server: the receiver in the foreground, or from a thread for as long as a block lasts."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from reconciler.receive.app import create_app
from reconciler.receive.settings import Settings

GRACE_S = 5
"""How long requests that are being answered have at a shutdown."""
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()


def serve(settings: Settings, host: str, port: int, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until interrupted; ``on_ready`` gets the base URL as soon as connections are taken.

    OSError if the address cannot be listened on, ValueError if the database cannot be used.
    """
    with _listener(host, port) as listener:
        url = _url(settings, listener)
        server = _server(settings, host, lambda: on_ready(url) if on_ready else None)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextmanager
def running_receiver(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread while the block runs, and give the base URL; port 0 takes a free one.

    OSError if the address cannot be listened on, ValueError if the database cannot be used.
    """
    ready = threading.Event()
    with _listener(host, port) as listener:
        server = _server(settings, host, ready.set)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                server.run(sockets=[listener])
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                failure.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=work, name="receiver", daemon=True)
        thread.start()
        ready.wait()
        if failure or not server.started:
            raise RuntimeError("the receiver did not start") from (failure[0] if failure else None)
        try:
            yield _url(settings, listener)
        finally:
            server.should_exit = True
            thread.join()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    return listener


def _server(settings: Settings, host: str, on_listening: Callable[[], None]) -> _Server:
    if host not in WILDCARDS:
        settings = dataclasses.replace(settings, hosts=settings.hosts | {host})
    config = uvicorn.Config(
        create_app(settings),
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    return _Server(config, on_listening)


def _url(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
