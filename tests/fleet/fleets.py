"""Commands on whole fleets, and services that keep them waiting."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

import requests

from tests.cli.run_cli import Done, reconciler

ONE = ("--parallelism", "1")
"""One process that works on all stacks."""


def fleet_json(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[Done, dict[str, Any]]:
    """Run ``reconciler fleet ARGUMENTS --format json``; the document of its report, and what else it told.

    One process works on the stacks unless the arguments say how many do.
    """
    done = reconciler("fleet", *arguments, *(() if "--parallelism" in arguments else ONE), "--format", "json", env=env)
    return done, json.loads(done.out)


def by_name(report: Mapping[str, Any], member: str = "state") -> dict[str, Any]:
    """A member of each stack's result by the name of its directory, and its environment if it has one."""
    return {
        Path(found["path"]).name + (f"@{found['environment']}" if found["environment"] else ""): found[member]
        for found in report["stacks"]
    }


@contextmanager
def silent_service() -> Iterator[str]:
    """The URL of a service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class PausingProxy:
    """Passes requests on to a service; pushes wait until ``open`` is set, and ``arrived`` counts them."""

    def __init__(self, service: str) -> None:
        self.open = Event()
        self.arrived = Semaphore(0)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if "/push/" in self.path:
                    proxy.arrived.release()
                    proxy.open.wait()
                headers = {name: self.headers[name] for name in ("Content-Type", "X-Auth-Token")}
                answer = requests.request(self.command, service + self.path, data=body, headers=headers, timeout=60)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> PausingProxy:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
