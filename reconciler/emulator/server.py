"""The server: the emulator in the foreground, or from a thread for as long as a block lasts."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reconciler.emulator.app import create_app
from reconciler.emulator.middleware import ABORT
from reconciler.emulator.settings import Settings

TICK = 0.1
GRACE = 1.0
"""Seconds that requests under way have to end at a shutdown."""


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 that lets a request cut its own connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}


class _Server(uvicorn.Server):
    """uvicorn without its waits: it says when it listens, and ends as soon as it is told to and nothing runs."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; from any thread."""
        self.should_exit = True
        if self._loop is not None:
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
                await asyncio.wait_for(self._wake.wait(), TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + GRACE
        while self.server_state.connections or self.server_state.tasks:
            if self.force_exit or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.001)
        for task in list(self.server_state.tasks):
            task.cancel()
        await self.lifespan.shutdown()


def serve(
    settings: Settings, host: str = "127.0.0.1", port: int = 8080, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until interrupted; ``on_ready`` gets the base URL as soon as connections are taken.

    OSError when the address can't be listened on, ValueError when the settings are not right.
    """
    server = _server(settings, lambda: on_ready(_url(settings, listener)) if on_ready else None)
    listener = _listen(host, port)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


@contextmanager
def running(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread while the block runs, and give its base URL; port 0 takes a free one.

    OSError when the address can't be listened on.
    """
    ready = threading.Event()
    server = _server(settings, ready.set)
    listener = _listen(host, port)
    failure: list[BaseException] = []

    def work() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failure.append(error)
        finally:
            ready.set()

    url = _url(settings, listener)
    thread = threading.Thread(target=work, name="emulator", daemon=True)
    thread.start()
    ready.wait()
    if failure:
        raise RuntimeError(f"the emulator did not start: {failure[0]}") from failure[0]
    try:
        yield url
    finally:
        server.stop()
        thread.join()


def _listen(host: str, port: int) -> socket.socket:
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


def _server(settings: Settings, on_listening: Callable[[], None]) -> _Server:
    config = uvicorn.Config(
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
    return _Server(config, on_listening)


def _url(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
