"""A PostgreSQL server of the tests' own, run as an unprivileged user, with a database for each who asks.

Where there is none, ``.ci/postgres`` installs Debian's. A machine that can have neither fails the tests that need it.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

from tests.servers.ports import free_port

FIND = Path(__file__).parents[2] / ".ci" / "postgres"
_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``database`` makes an empty database and gives its URL."""

    port: int
    numbers: count[int]

    def database(self) -> str:
        name = f"receiver_{os.getpid()}_{next(self.numbers)}"
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@cache
def server() -> Server:
    """The one server of this process; it ends with the process."""
    found = subprocess.run([FIND], capture_output=True, text=True, timeout=600, check=False)
    assert found.returncode == 0, found.stderr
    programs = Path(found.stdout.strip())
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a short path: it holds a socket
    user = pwd.getpwnam(next(name for name in _USERS if _exists(name))) if os.geteuid() == 0 else None
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)

    def run(*command: str | Path) -> None:
        subprocess.run(
            [*map(str, command)],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=directory,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )

    data, log, port = directory / "data", directory / "log", free_port()
    run(
        programs / "initdb",
        "--pgdata",
        data,
        "--username",
        "postgres",
        "--auth",
        "trust",
        "--no-sync",
        "--encoding",
        "UTF8",
    )
    options = f"-p {port} -h 127.0.0.1 -k {directory} -c fsync=off"
    run(programs / "pg_ctl", "--pgdata", data, "--log", log, "--wait", "--options", options, "start")

    def stop() -> None:
        run(programs / "pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)
    return Server(port, count())


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
