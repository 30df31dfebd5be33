"""``parallelism`` bounds the requests of checks like those of every other command."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.cli.run_cli import reconciler


class Counter:
    """How many requests are, and at most were, running at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


@contextmanager
def slow_service(counter: Counter) -> Iterator[str]:
    """An AOM without alarms that takes a moment for each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with counter:
                time.sleep(0.02)
            body = json.dumps({"events": [], "page_info": {"next_marker": ""}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_checks_make_no_more_requests_at_once_than_parallelism_allows(tmp_path: Path) -> None:
    counter = Counter()
    queries = "".join(f"    q{number}: {{event_name: e{number}, lookback: 1h}}\n" for number in range(10))
    checks = "".join(f"  c{number}: {{data: aom_alarms.q{number}, expect: {{count: 0}}}}\n" for number in range(10))
    with slow_service(counter) as url:
        settings = f'{{endpoint: "{url}", project_id: p, auth: {{token: token}}, parallelism: 1}}'
        text = f"stack: cc\nproviders:\n  aom: {settings}\ndata:\n  aom_alarms:\n{queries}checks:\n{checks}"
        (tmp_path / "stack.yaml").write_text(text)
        done = reconciler("check", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert counter.most == 1
