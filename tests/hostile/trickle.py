"""A proxy before the emulator whose responses to pushes trickle byte by byte and never end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from urllib.parse import urlsplit

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


class Trickle:
    """Where the proxy answers, how many pushes it met, and an event that is set once a response trickles."""

    def __init__(self) -> None:
        self.url = ""
        self.pushes = 0
        self.begun = threading.Event()


@contextmanager
def trickling(emulator: str, *, slow: int, stores: bool, whole: int = len(HEAD)) -> Iterator[Trickle]:
    """Trickle the responses to the first ``slow`` pushes, from their byte number ``whole`` on.

    ``stores`` says whether those pushes reach the emulator.
    """
    seen = Trickle()
    over = threading.Event()
    lock = threading.Lock()
    address = urlsplit(emulator).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            trickles = False
            if self.command == "PUT":
                with lock:
                    seen.pushes += 1
                    trickles = seen.pushes <= slow
            if stores or not trickles:
                upstream = HTTPConnection(address)
                upstream.request(self.command, self.path, body, dict(self.headers))
                response = upstream.getresponse()
                content = response.read()
                upstream.close()
            if trickles:
                self._trickle()
                return
            self.send_response_only(response.status)
            for name in ("Content-Type", "Content-Length"):
                if name in response.headers:
                    self.send_header(name, response.headers[name])
            self.end_headers()
            self.wfile.write(content)

        def _trickle(self) -> None:
            self.close_connection = True
            self.wfile.write(HEAD[:whole])
            seen.begun.set()
            for byte in chain(HEAD[whole:], repeat(0x20)):
                if over.wait(0.01):
                    return
                self.wfile.write(bytes([byte]))

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names http.server calls

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # the client hangs up, as it should
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
