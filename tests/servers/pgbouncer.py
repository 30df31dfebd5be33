"""PgBouncer in transaction mode before the PostgreSQL server of the tests, with two connections for all transactions.

Where there is none, ``.ci/pgbouncer`` installs Debian's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psycopg

from tests.servers import postgres
from tests.servers.ports import free_port

FIND = Path(__file__).parents[2] / ".ci" / "pgbouncer"
START_S = 30.0


@cache
def port() -> int:
    """The port of the one pooler of this process; it ends with the process."""
    found = subprocess.run([FIND], capture_output=True, text=True, timeout=600, check=False)  # noqa: S603 - a command of ours
    assert found.returncode == 0, found.stderr
    directory = Path(tempfile.mkdtemp(prefix="pgb", dir="/tmp"))
    user = postgres.unprivileged_user()
    listening = free_port()
    (directory / "users.txt").write_text('"postgres" ""\n')
    (directory / "pgbouncer.ini").write_text(
        f"""[databases]
* = host=127.0.0.1 port={postgres.server().port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listening}
unix_socket_dir =
auth_type = trust
auth_file = {directory / "users.txt"}
pool_mode = transaction
default_pool_size = 2
server_idle_timeout = 5
logfile = {directory / "log"}
"""
    )
    if user is not None:
        for path in (directory, *directory.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [found.stdout.strip(), "--quiet", directory / "pgbouncer.ini"],
        stderr=subprocess.PIPE,
        cwd=directory,
        **postgres.as_user(user),
    )

    def stop() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)

    atexit.register(stop)
    _wait_until_it_answers(listening, process)
    return listening


def pooled(url: str) -> str:
    """The URL of the same database through the pooler."""
    return url.replace(f":{postgres.server().port}/", f":{port()}/")


def _wait_until_it_answers(listening: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while True:
        assert process.poll() is None, process.communicate()[1].decode()
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{listening}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return
