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
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.ports import free_port

FIND = Path(__file__).parents[2] / ".ci" / "postgres"
_USERS = ("postgres", "nobody")


class Server:
    """A running server; ``database`` makes an empty database and gives its URL."""

    def __init__(self, programs: Path, directory: Path, *, durable: bool = False) -> None:
        self._fsync = "on" if durable else "off"
        self.port = free_port()
        self._programs = programs
        self._directory = directory
        self._user = unprivileged_user()
        self._numbers = count()
        if self._user is not None:
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb",
            *("--pgdata", directory / "data", "--username", "postgres", "--auth", "trust"),
            *("--no-sync", "--encoding", "UTF8"),
        )

    def database(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def schema(self) -> str:
        """The URL of an empty schema, which whoever writes to it first makes: much faster than a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres?schema=test_{next(self._numbers)}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self._directory} -c fsync={self._fsync} -c max_connections=60"
        self._control("--log", self._directory / "log", "--options", options, "start")

    def kill(self) -> None:
        """End every process of the server at once, as a crash does."""
        self._control("--mode", "immediate", "stop")

    def _control(self, *arguments: str | Path) -> None:
        self._run("pg_ctl", "--pgdata", self._directory / "data", "--wait", *arguments)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(  # noqa: S603 - a command of ours
            [self._programs / program, *arguments],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=self._directory,
            **as_user(self._user),
        )


@cache
def server(*, durable: bool = False) -> Server:
    """The one server of this process; it ends with the process. What it writes is on the disk if it is ``durable``."""
    found = subprocess.run([FIND], capture_output=True, text=True, timeout=600, check=False)  # noqa: S603 - a command of ours
    assert found.returncode == 0, found.stderr
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a short path: it holds a socket
    made = Server(Path(found.stdout.strip()), directory, durable=durable)
    made.start()

    def stop() -> None:
        made.kill()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)
    return made


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom a server that refuses root runs as; None if we are not root."""
    return pwd.getpwnam(next(name for name in _USERS if _exists(name))) if os.geteuid() == 0 else None


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """What makes subprocess run a program as a user."""
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
