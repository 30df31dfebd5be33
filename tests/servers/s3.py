"""S3-alikes of the tests' own: SeaweedFS, and moto. Each process of the tests shares one of each."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path
from urllib.request import Request, urlopen

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.servers.ports import free_port

ACCESS_KEY = "tests"
SECRET_KEY = "not-to-be-shown"  # noqa: S105 - of servers that end with the tests
READER = "reader"
"""A user of SeaweedFS who may only read."""

REGION = "us-east-1"
BUCKET = "ledgers"
_PROGRAMS = Path(sys.executable).parent
_PATIENCE_S = 60

# Whoever opens a ledger finds the credentials where those of AWS are: commands inherit them.
os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


class Server:
    """A server with one bucket, run by ``command``; ``makes_bucket`` if it does not appear with its first object."""

    def __init__(self, command: list[str], port: int, directory: Path, *, makes_bucket: bool) -> None:
        self.port = port
        self._command = command
        self._directory = directory
        self._makes_bucket = makes_bucket
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None

    def prefix(self, port: int | None = None) -> str:
        """The URL of an empty place in the bucket, maybe through a proxy at another port."""
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return f"s3://{BUCKET}/test_{os.getpid()}_{next(self._numbers)}?endpoint={endpoint}&region={REGION}"

    def start(self) -> None:
        """Start the server, and wait until the bucket is there."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                self._command, cwd=self._directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        bucket = S3Store(
            BUCKET,
            config={"endpoint": f"http://127.0.0.1:{self.port}", "region": REGION},
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        until = time.monotonic() + _PATIENCE_S
        while True:
            assert self._process.poll() is None, self._log()
            try:
                if self._makes_bucket:
                    with urlopen(Request(f"http://127.0.0.1:{self.port}/{BUCKET}", method="PUT")):
                        pass
                obstore.put(bucket, "started", b"")
            except (BaseError, OSError) as error:
                assert time.monotonic() < until, f"{error} {self._log()}"
                time.sleep(0.05)
            else:
                return

    def _log(self) -> str:
        return (self._directory / "log").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """End the server at once, as a crash does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@cache
def seaweedfs() -> Server:
    """The one SeaweedFS of this process; it ends with the process."""
    directory = Path(tempfile.mkdtemp(prefix="seaweedfs"))
    users = {ACCESS_KEY: ["Admin", "Read", "Write", "List"], READER: ["Read", "List"]}
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": SECRET_KEY}], "actions": actions}
        for name, actions in users.items()
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": identities}))
    port = free_port()
    parts = ("master", "volume", "filer")
    grpc = {part: free_port() for part in (*parts, "s3")}
    command = [
        str(_PROGRAMS / "weed"),
        "server",
        *(f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{part}.port={free_port()}" for part in parts),
        *(f"-{part}.port.grpc={grpc[part]}" for part in grpc),
        *(
            "-master.telemetry=false",
            "-master.electionTimeout=1s",
            "-master.resumeState=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ),
        *(f"-{part}.localSocket={directory / part}.sock" for part in ("filer", "s3")),
        *("-s3", f"-s3.port={port}", f"-s3.config={directory / 's3.json'}"),
    ]
    sockets = [Path(f"/tmp/seaweedfs-{part}-grpc-{each}.sock") for part, each in grpc.items()]  # noqa: S108 - its own
    return _started(Server(command, port, directory, makes_bucket=False), directory, sockets)


@cache
def moto() -> Server:
    """The one moto of this process, which keeps everything in memory; it ends with the process."""
    directory = Path(tempfile.mkdtemp(prefix="moto"))
    port = free_port()
    command = [str(_PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    return _started(Server(command, port, directory, makes_bucket=True), directory)


def _started(server: Server, directory: Path, leftovers: Sequence[Path] = ()) -> Server:
    def stop() -> None:
        server.kill()
        for each in leftovers:
            each.unlink(missing_ok=True)
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)  # also if it does not start
    server.start()
    return server
