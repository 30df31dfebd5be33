"""A proxy before an S3-alike that makes it break its promises."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from tests.servers.ports import free_port

_SKEW_S = 3600


class UnreliableStore:
    """Passes requests on to ``port``, except for what is set.

    ``ignored`` is a header of requests that is dropped; ``is_skewed`` lets answers tell another time; nothing is
    written while it ``is_full``. ``lost`` says of which writes the answer is lost, ``conflicts`` which are answered by
    409 instead of passed on: of the n-th write with a condition, counted from 1.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.ignored: str | None = None
        self.is_skewed = False
        self.is_full = False
        self.lost: Callable[[int], bool] = lambda _: False
        self.conflicts: Callable[[int], bool] = lambda _: False
        self.writes = 0
        self.upstream = port
        store = self

        class Handler(_Handler):
            proxy = store

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: UnreliableStore

    def do_PUT(self) -> None:
        proxy = self.proxy
        is_conditional = "If-None-Match" in self.headers or "If-Match" in self.headers
        if not is_conditional:
            self._pass()
            return
        proxy.writes += 1
        number = proxy.writes
        if proxy.is_full:
            self._refuse(507, "InsufficientStorage")
            return
        if proxy.conflicts(number):
            self._refuse(409, "ConditionalRequestConflict")
            return
        self._pass(answered=not proxy.lost(number))

    def _refuse(self, status: int, code: str) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = f"<Error><Code>{code}</Code><Message>not now</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._pass()

    do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815

    def _pass(self, *, answered: bool = True) -> None:
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {name: value for name, value in self.headers.items() if name.lower() != (proxy.ignored or "").lower()}
        upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream)
        upstream.request(self.command, self.path, body, sent)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if not answered:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in ("connection", "transfer-encoding", "content-length"):
                continue
            told = value
            if name.lower() == "date" and proxy.is_skewed:
                told = formatdate(parsedate_to_datetime(value).timestamp() + _SKEW_S, usegmt=True)
            self.send_header(name, told)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
