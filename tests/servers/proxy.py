"""A TCP proxy before a server, which delays, hangs or cuts connections, and counts round trips."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from tests.servers.ports import free_port

_CHUNK = 1 << 20


@contextmanager
def distant(port: int, milliseconds: float) -> Iterator[int]:
    """A port from which a round trip to a server takes so much longer; the proxy is a process of its own."""
    command = [sys.executable, "-m", "tests.servers.proxy", str(port), str(milliseconds / 2000)]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Proxy:
    """Passes on what goes to ``port``; ``delay`` (seconds) is what each direction of a round trip takes."""

    def __init__(self, port: int, *, delay: float = 0.0) -> None:
        self.port = free_port()
        self.delay = delay
        self.round_trips = 0
        self._to = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self._flows.set()
        self.cut()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        with self._lock:
            self._is_cut = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Pass nothing on, and say nothing."""
        self._flows.clear()

    def restore(self) -> None:
        """Be a wire again."""
        self._is_cut = False
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                client.close()
                continue
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            asked = threading.Event()
            threading.Thread(target=self._pass, args=(client, server, asked, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, asked, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, asked: threading.Event, is_request: bool) -> None:
        """A round trip is what is asked until it is answered, in however many pieces."""
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if is_request and not asked.is_set():
                    asked.set()
                    with self._lock:
                        self.round_trips += 1
                elif not is_request:
                    asked.clear()
                if self.delay:
                    time.sleep(self.delay)
                self._flows.wait()
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, target}
        source.close()


if __name__ == "__main__":
    with Proxy(int(sys.argv[1]), delay=float(sys.argv[2])) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()
