"""Upgrades of a ledger in PostgreSQL: by several processes at once, and beside older and newer versions."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.kinds import list_stacks
from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.postgres_link import PostgresLink
from reconciler.ledger.postgres_schema import MIGRATIONS, VERSION
from reconciler.ledger.postgres_shards import PostgresShards
from reconciler.ledger.probe import examine_shared
from reconciler.ledger.store import Shard
from tests.ledger.conformance.place import STACK, Place
from tests.ledger.samples import NOW, clear, event, operations
from tests.servers import postgres

TABLES = ("stack", "journal", "snapshot", "document")
OPENER = """
import sys
from tests.ledger.conformance.place import Place
print("ready", flush=True)
input()
with Place(sys.argv[1]).opened() as ledger:
    print([run.id for run in ledger.runs()])
"""


@pytest.fixture(scope="module")
def current() -> str:
    """The URL of a ledger of this version in which a run has ended in part."""
    url = postgres.server().schema()
    with Place(url).begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", [event("e", "v1"), clear("c", "id-1"), *operations("open")], NOW)
        ledger.begin_attempts(holder, ["e", "c", "open"], NOW)
        ledger.record_outcomes([Outcome(key, Status.DONE) for key in "ec"], NOW)
        ledger.release(holder)
    return url


def older(current: str, version: int) -> str:
    """The URL of a schema as that version made it, with the same rows."""
    url = postgres.server().schema()
    with closing(PostgresLink(url)) as there, closing(PostgresLink(current)) as here, there.transaction() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(there.schema)))
        connection.execute(there.statement("CREATE TABLE {version} AS SELECT %s::bigint AS version"), (version,))
        for statement in (text for group in MIGRATIONS[:version] for text in group):
            connection.execute(there.statement(statement))
        for table in TABLES:
            to, source = (sql.SQL(link.qualified(table)) for link in (there, here))  # type: ignore[arg-type]
            found = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(to))
            columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in found.description or ())
            copy = sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}")
            connection.execute(copy.format(to, source, columns=columns))
    return url


def version_of(url: str) -> int:
    with closing(PostgresLink(url)) as link:
        return int(link.rows(link.statement("SELECT version FROM {version}"), ())[0][0])


def told(url: str) -> tuple[object, ...]:
    with closing(read_at(Location(url, STACK))) as ledger:
        view = ledger.view(NOW, 60_000)
        return ledger.runs(), ledger.entries("run-1"), ledger.open_intents(), view.recorded, view.cleared


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_ledger_of_every_older_version_is_read_as_it_is_and_upgraded_when_it_is_written(
    current: str, version: int
) -> None:
    url = older(current, version)
    assert told(url) == told(current)
    assert [found.stack for found in list_stacks(url)] == [STACK]
    assert version_of(url) == version
    with closing(open_at(Location(url, STACK))) as ledger:
        assert ledger.statuses("ec") == {"e": Status.DONE, "c": Status.DONE}
    assert version_of(url) == VERSION
    assert told(url) == told(current)
    with Place(url).begun("run-2") as (ledger, holder):
        ledger.record_intents(holder, "run-2", operations("new"), NOW)
        assert [entry.operation.key for entry in ledger.open_intents()] == ["open", "new"]


def test_processes_that_upgrade_one_ledger_at_once_all_find_it_whole(current: str) -> None:
    url = older(current, 1)
    openers = [
        subprocess.Popen(  # noqa: S603 - a command of ours
            [sys.executable, "-c", OPENER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout is not None and opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate()[0] for opener in openers] == ["['run-1']\n"] * 3
    assert version_of(url) == VERSION


def test_who_may_not_upgrade_a_ledger_is_told_who_does_and_writes_it_afterwards(current: str) -> None:
    url = older(current, VERSION - 1)
    address, _, schema = url.partition("?schema=")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE writer_{schema} LOGIN".encode())
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO writer_{schema}".encode())
        rights = "SELECT, INSERT, UPDATE, DELETE"
        admin.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO writer_{schema}".encode())
    writing = url.replace("postgres@", f"writer_{schema}@")
    with pytest.raises(DiagnosticError, match="may not upgrade the tables") as refused:
        open_at(Location(writing, STACK))
    assert refused.value.diagnostics[0].hint == "let an administrator do it once: reconciler ledger doctor URL"
    assert told(writing) == told(current)
    examine_shared(url, None, NOW)
    with closing(open_at(Location(writing, STACK))) as ledger:
        assert ledger.statuses("ec") == {"e": Status.DONE, "c": Status.DONE}


def test_intents_are_compressed_if_the_server_has_lz4() -> None:
    """Those of a run, and those of a shard, which are copied in binary form."""
    url = postgres.server().schema()
    with Place(url).begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations(*(f"key-{number}" for number in range(500))), NOW)
        shard = Shard(f"{STACK}#run-1.1", STACK, holder.fence)
        rows = [row for row in ledger.journal() if row.step == "intend"]
        with closing(PostgresShards(url, STACK)) as shards:
            assert shards.cut(shard, rows)
            store = shards.open(shard)
            assert store is not None
            with closing(store):
                assert [stored.row for stored in store.read(0).rows] == rows
        with closing(PostgresLink(url)) as link:
            has_lz4 = "SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
            kept = "SELECT pg_column_compression(payloads) FROM {journal} WHERE step = 'intend'"
            if link.rows(link.statement(has_lz4), ()):
                assert link.rows(link.statement(kept), ()) == [("lz4",), ("lz4",)]


@pytest.mark.parametrize("opening", [open_at, read_at])
def test_an_older_version_refuses_a_newer_ledger_and_leaves_it_alone(current: str, opening: object) -> None:
    url = older(current, VERSION)
    with closing(PostgresLink(url)) as link:
        link.count(link.statement("UPDATE {version} SET version = %s"), (VERSION + 1,))
    assert callable(opening)
    with pytest.raises(DiagnosticError, match=f"newer reconciler: its format is {VERSION + 1}") as refused:
        opening(Location(url, STACK))
    assert refused.value.diagnostics[0].hint == "upgrade reconciler"
    assert version_of(url) == VERSION + 1


def test_an_upgrade_by_a_newer_version_that_came_first_is_not_undone(current: str) -> None:
    """A process of this version found an older schema, and waits for the lock that a newer version holds."""
    url = older(current, 1)
    code = "import sys; from tests.ledger.conformance.place import Place; Place(sys.argv[1]).open()"
    with closing(PostgresLink(url)) as newer, newer.transaction() as connection:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        connection.execute(lock, (f"reconciler {newer.schema}",))
        late = subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True)  # noqa: S603 - a command of ours
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while connection.execute(waiting).fetchone() == (0,):
            assert late.poll() is None
        connection.execute(newer.statement("UPDATE {version} SET version = %s"), (VERSION + 1,))
    assert "newer reconciler" in late.communicate()[1]
    assert version_of(url) == VERSION + 1
