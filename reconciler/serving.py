"""Serving: an ASGI application in the foreground, or from a background thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp

TICK_S = 0.1
GRACE_S = 1.0
"""Seconds that running requests have to end at a shutdown, unless the configuration says otherwise."""


LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def host_of(authority: str) -> str:
    """The host of ``HOST:PORT``, in lower case, an IPv6 address without its brackets."""
    authority = authority.strip().lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0] if authority.count(":") <= 1 else authority


def foreign_header(headers: Headers, hosts: Collection[str]) -> Literal["host", "origin"] | None:
    """The header that shows that a request is not meant for a server of these host names, or is cross-site.

    A web page in a browser on this machine can reach a server here by a host name of its own, or cross-site.
    """
    named = headers.getlist("host")
    if len(named) != 1 or host_of(named[0]) not in hosts:
        return "host"
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin") or (origin is not None and host_of(origin.partition("://")[2]) not in hosts):
        return "origin"
    return None


class Server(uvicorn.Server):
    """uvicorn without its delays: reports when it listens, and ends as soon as it is asked to and no request is
    running.
    """

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Stop the server; thread-safe."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # its loop is closed: it has ended meanwhile
                self._loop.call_soon_threadsafe(self._wake.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._on_listening()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close connections, and wait for running requests, for a limited time."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + (self.config.timeout_graceful_shutdown or GRACE_S)
        while self.server_state.connections or self.server_state.tasks:
            if self.force_exit or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.001)
        for task in list(self.server_state.tasks):
            task.cancel()
        await self.lifespan.shutdown()


def configure(
    app: ASGIApp,
    *,
    http: Literal["httptools"] | type[asyncio.Protocol] = "httptools",
    log_level: Literal["critical", "error"] = "critical",
    proxy_headers: bool = False,
    max_connections: int | None = None,
    grace: int | None = None,
    certificate: Path | str | None = None,
    key: Path | str | None = None,
) -> uvicorn.Config:
    """A server of an application: no WebSockets, no request log, no Server header.

    ``grace`` are the seconds that running requests have to end at a shutdown.
    """
    return uvicorn.Config(
        app,
        http=http,
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level=log_level,
        server_header=False,
        proxy_headers=proxy_headers,
        limit_concurrency=max_connections,
        timeout_graceful_shutdown=grace,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def run_until_interrupted(config: uvicorn.Config, listener: socket.socket, on_listening: Callable[[], None]) -> None:
    """Serve in this thread until interrupted."""
    with suppress(KeyboardInterrupt):
        Server(config, on_listening).run(sockets=[listener])


@contextmanager
def running_in_thread(config: uvicorn.Config, listener: socket.socket, name: str) -> Iterator[None]:
    """Serve from a thread while the block runs. Raises RuntimeError if the application does not start."""
    ready = threading.Event()
    server = Server(config, ready.set)
    failure: list[BaseException] = []

    def work() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    ready.wait()
    if failure:
        raise RuntimeError(f"the {name} did not start: {failure[0]}") from failure[0]
    try:
        yield
    finally:
        server.stop()
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError if the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, *, tls: bool) -> str:
    """The base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
