"""A webhook receiver: it stores every POST and answers with the configured status."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST, answered with ``status``."""

    path: str
    status: int
    headers: dict[str, str]
    payload: dict[str, Any]


class WebhookReceiver:
    """Deliveries in the order in which they came; a path answers 200 unless told otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self._lock = threading.Lock()
        self._deliveries: list[Delivery] = []
        self._statuses: defaultdict[str, deque[int]] = defaultdict(deque)

    def respond_with(self, path: str, *statuses: int) -> None:
        """Answer the next deliveries to a path with these statuses, then with 200 again."""
        with self._lock:
            self._statuses[path].extend(statuses)

    def deliveries(self, **group_labels: str) -> list[Delivery]:
        """Those that came so far, of groups that have all these labels."""
        with self._lock:
            return [each for each in self._deliveries if group_labels.items() <= each.payload["groupLabels"].items()]

    def deliveries_to(self, path: str) -> list[Delivery]:
        """Those that came so far to a path."""
        with self._lock:
            return [each for each in self._deliveries if each.path == path]

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self._lock:
            status = self._statuses[path].popleft() if self._statuses[path] else 200
            self._deliveries.append(Delivery(path, status, headers, json.loads(body)))
            return status


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """A receiver on a free port of loopback for as long as the block lasts."""
    receiver = WebhookReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.receive(self.path, dict(self.headers.items()), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests look at the deliveries."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
