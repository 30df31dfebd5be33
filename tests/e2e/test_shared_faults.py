"""A shared ledger that fails in the middle of an apply: nothing is sent that is not journalled, and the next run
settles what is open.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from reconciler.emulator.settings import Settings
from reconciler.ledger.location import Location, read_at
from tests.cli.process import reconciler
from tests.emulator.handle import Emulator
from tests.servers import postgres, s3
from tests.servers.proxy import Proxy
from tests.servers.s3_proxy import UnreliableStore

COUNT = 30
PARALLELISM = 2
LEASE = 3_000
ROOM = 2**24
"""Bytes that a file of the full database may have: as much as a segment of its write-ahead log."""
_HASTY = """
import runpy
from reconciler.apply import lease
from reconciler.ledger import postgres_link
from reconciler.ledger.objects import bucket, link
lease.LIFETIME = {lease}
postgres_link.ANSWER = postgres_link.RESUME = bucket.ANSWER = link.RESUME = {patience}
postgres_link.CONNECT = bucket.CONNECT = 2_000
runpy.run_module("reconciler", run_name="__main__", alter_sys=True)
"""
STACK = f"""\
stack: shop
providers:
  aom:
    endpoint: "URL"
    project_id: p1
    batch_size: 1
    parallelism: {PARALLELISM}
    visible_within: 500ms
    request_timeout: 5s
    auth: {{token: t}}
resources:
  aom_alarm:
    item:
      for_each: "${{range({COUNT})}}"
      resource_provider: ecs
      resource_type: vm
      resource_id: "r${{each.key}}"
      event_severity: Info
      timeout: 30m
"""

pytestmark = pytest.mark.parametrize("emulator", [Settings(on_repeat="duplicate")], indirect=True)


class Server(NamedTuple):
    """A running server of ledgers, and the URL of an empty ledger there."""

    server: postgres.Server | s3.Server
    url: str


@pytest.fixture(params=["postgres", "seaweedfs"])
def ledgers(request: pytest.FixtureRequest) -> Server:
    if request.param == "postgres":
        return Server(postgres.server(), postgres.server().schema())
    return Server(s3.seaweedfs(), s3.seaweedfs().prefix())


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Path:
    (tmp_path / "stack.yaml").write_text(STACK.replace("URL", emulator.url))
    emulator.fault("push:delay=60ms")
    return tmp_path


@contextmanager
def applying(
    stack: Path, emulator: Emulator, url: str, patience: int = 1_000, lease: int = LEASE, sent: int = 4
) -> Iterator[subprocess.Popen[str]]:
    """An apply that has sent some of its alarms, and has more to send."""
    command = [
        sys.executable,
        "-c",
        _HASTY.format(patience=patience, lease=lease),
        "apply",
        str(stack),
        "--auto-approve",
    ]
    with subprocess.Popen(  # noqa: S603 - a command of ours
        [*command, "--ledger", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while len(emulator.requests("push")) < sent:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def sent_keys(emulator: Emulator) -> set[str]:
    return {item["annotations"]["reconciler_key"] for body in emulator.bodies("push") for item in body["events"]}


def begun_keys(url: str) -> set[str]:
    """What the ledger knows to have been sent, maybe."""
    with closing(read_at(Location(url, "shop"))) as ledger:
        runs = [entry for run in ledger.runs() for entry in ledger.entries(run.id)]
    return {entry.operation.key for entry in runs if entry.begun_at is not None}


def assert_the_next_run_settles(emulator: Emulator, stack: Path, url: str) -> None:
    assert sent_keys(emulator) <= begun_keys(url)
    emulator.clear_faults()
    machine = stack / "next"
    machine.mkdir()
    (machine / "stack.yaml").write_text((stack / "stack.yaml").read_text())
    done = reconciler("apply", machine, "--auto-approve", "--ledger", url)
    assert done.returncode == 0, done.stderr
    addresses = [alarm["metadata"]["reconciler_address"] for alarm in emulator.active_alarms()]
    assert len(addresses) == len(set(addresses)) == COUNT
    with closing(read_at(Location(url, "shop"))) as ledger:
        assert ledger.open_intents() == []


def test_a_server_that_is_killed_and_starts_again_is_no_reason_to_stop(
    emulator: Emulator, stack: Path, ledgers: Server
) -> None:
    server, url = ledgers
    with applying(stack, emulator, url, patience=30_000, lease=60_000) as process:
        server.kill()
        server.start()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"Apply complete: {COUNT} created." in out
    assert_the_next_run_settles(emulator, stack, url)


@pytest.mark.parametrize("how", ["cut", "hang"])
def test_without_a_network_to_the_ledger_nothing_more_is_sent(
    emulator: Emulator, stack: Path, ledgers: Server, how: str
) -> None:
    server, url = ledgers
    with Proxy(server.port) as proxy:
        through = url.replace(f":{server.port}", f":{proxy.port}")
        with applying(stack, emulator, through) as process:
            getattr(proxy, how)()
            out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "Traceback" not in err
    assert re.search(r"the ledger (postgresql|s3)://\S+ cannot be reached", " ".join((out + err).split()))
    assert len(sent_keys(emulator)) < COUNT
    assert_the_next_run_settles(emulator, stack, url)


def test_a_database_that_cannot_grow_its_files_ends_the_run_with_its_summary(emulator: Emulator, stack: Path) -> None:
    """The limit on the size of files meets the server's process as a full disk does: it cannot extend the table."""
    url = postgres.server().schema()
    address, _, schema = url.partition("?schema=")
    with psycopg.connect(address, autocommit=True) as admin:
        with applying(stack, emulator, url, patience=30_000, lease=60_000) as process:
            process.send_signal(signal.SIGSTOP)
            fill = (
                "INSERT INTO {0}.ledger_stack (stack) VALUES ('big'); INSERT INTO {0}.ledger_journal SELECT 'big', n,"
            )
            fill += " 0, 'end', 'r', 0, repeat('x', 1930), NULL, '' FROM generate_series(1, {1}) n"
            admin.execute(fill.format(schema, ROOM // 2000).encode())
            served = "SELECT pid FROM pg_stat_activity WHERE pid != pg_backend_pid() AND query LIKE %s"
            backends = [str(pid) for (pid,) in admin.execute(served, (f"%{schema}%",))]
            assert backends
            for backend in backends:
                subprocess.run(  # noqa: S603 - a command of ours
                    ["/usr/bin/prlimit", "--pid", backend, f"--fsize={ROOM}:{ROOM}"],
                    check=True,
                    **postgres.as_user(postgres.unprivileged_user()),
                )
            process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 4, err
        assert "could not extend file" in " ".join((out + err).split())
        assert len(sent_keys(emulator)) < COUNT
    assert_the_next_run_settles(emulator, stack, url)


def test_a_bucket_that_is_full_ends_the_run_with_its_summary(emulator: Emulator, stack: Path) -> None:
    server = s3.seaweedfs()
    with UnreliableStore(server.port) as store:
        url = server.prefix(store.port)
        with applying(stack, emulator, url) as process:
            store.is_full = True
            out, err = process.communicate(timeout=60)
        assert process.returncode == 4, err
        assert "the store is full" in " ".join((out + err).split())
        assert len(sent_keys(emulator)) < COUNT
        store.is_full = False
        assert_the_next_run_settles(emulator, stack, url)


@pytest.mark.parametrize("move", ["lapse", "unlock"])
def test_a_run_that_slept_while_another_worked_sends_nothing_more(
    emulator: Emulator, stack: Path, ledgers: Server, move: str
) -> None:
    url = ledgers.url
    emulator.fault("push:delay=3s")
    with applying(stack, emulator, url, patience=30_000, sent=PARALLELISM) as first:
        first.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
        assert len(emulator.requests("push")) == PARALLELISM, "as many as run at once are on their way, and no other"
        with closing(read_at(Location(url, "shop"))) as ledger:
            if move == "unlock":
                assert reconciler("ledger", "unlock", url, "--stack", "shop", "--yes").returncode == 0
            while ledger.holder(0) is not None:
                time.sleep(0.05)
        emulator.clear_faults()
        # A store tells its time in whole seconds: for the other process the lease may run a moment longer.
        second = reconciler("apply", stack, "--auto-approve", "--lock-timeout", "60s", "--ledger", url)
        assert second.returncode == 0, second.stderr
        pushed = len(emulator.requests("push"))
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    assert first.returncode != 0, err
    assert "Traceback" not in err
    assert len(emulator.requests("push")) == pushed
    assert_the_next_run_settles(emulator, stack, url)
