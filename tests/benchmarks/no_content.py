"""No content: servers that only answer 204, so that the client alone is measured."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import no_content_server
from tests.benchmarks.processes import running
from tests.servers.ports import free_port

_CONFIGURATION = """\
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_buffer_size 2m;
  client_max_body_size 8m;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
}}
"""


class Server(NamedTuple):
    """Where it is, and what it is."""

    url: str
    name: str


@contextmanager
def no_content() -> Iterator[Server]:
    """nginx where it is installed, otherwise a server of our own; in a process of its own while the block lasts."""
    nginx = shutil.which("nginx")
    if nginx is None:
        with distant(0) as server:
            yield server
        return
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        file = Path(directory) / "nginx.conf"
        file.write_text(_CONFIGURATION.format(directory=directory, port=port))
        process = subprocess.Popen([nginx, "-p", directory, "-e", f"{directory}/error.log", "-c", str(file)])  # noqa: S603 - a command of ours
        try:
            _wait(port)
            yield Server(f"http://127.0.0.1:{port}", "nginx")
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def distant(milliseconds: float) -> Iterator[Server]:
    """A server of our own that answers after so many milliseconds; in a process of its own while the block lasts."""
    with running([sys.executable, "-m", no_content_server.__name__, str(milliseconds)]) as url:
        yield Server(url, "a server of our own")


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError("nginx did not start") from None
            time.sleep(0.02)
