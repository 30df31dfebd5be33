"""The file: where it is kept, who may read it, old and new versions of it, and the errors when it cannot be used."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from reconciler.core.address import Address
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import HOUR
from reconciler.core.operation import Outcome, Status
from reconciler.ledger import database
from reconciler.ledger.errors import to_diagnostic
from reconciler.ledger.protocol import InFlight, LedgerView
from reconciler.ledger.schema import VERSION, is_foreign
from reconciler.ledger.sqlite import open_ledger, read_ledger
from tests.ledger.samples import GONE, LIFETIME, NOW, acquire_lease, begun, event, operations

OLD = Path(__file__).with_name("version_1.sql")
NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stack" / ".reconciler" / "shop.db"


def sql(path: Path, script: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as file, file:
        rows = file.execute(script).fetchall() if script.startswith("SELECT") else []
        if not rows:
            file.executescript(script)
        return rows


def told(error: pytest.ExceptionInfo[DiagnosticError]) -> str:
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.hint
    return diagnostic.summary


@contextmanager
def unprivileged() -> Iterator[None]:
    """For a while, the rights of somebody who is not root: to root every file is writable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that anybody can get to, which ``tmp_path`` is not."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def test_a_ledger_is_its_owners_alone_and_stays_out_of_version_control(path: Path) -> None:
    open_ledger(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name(".gitignore").read_text() == "*\n"


def test_a_directory_that_is_not_ours_gets_no_ignore_file(tmp_path: Path) -> None:
    open_ledger(tmp_path / "shop.db").close()
    assert not (tmp_path / ".gitignore").exists()


def test_what_was_written_is_there_when_the_file_is_opened_again(path: Path) -> None:
    with begun(path) as (ledger, holder):
        ledger.record_intents(holder, "run-1", [event("e", "v1")], NOW)
        ledger.record_outcomes([Outcome("e", Status.DONE)], NOW)
    for again in (open_ledger(path), read_ledger(path), open_ledger(path, create=False)):
        assert again.view(NOW, 0).recorded == {(Address("ces_event", "release"), "v1")}
        again.close()


@pytest.mark.parametrize("opening", [open_ledger, read_ledger])
def test_a_file_of_version_1_is_brought_up_to_date_with_all_it_holds(path: Path, opening: type) -> None:
    path.parent.mkdir(parents=True)
    sql(path, OLD.read_text(encoding="utf-8"))
    ledger = opening(path)
    assert [(entry.operation.key, entry.status, entry.id) for entry in ledger.entries("run-1")] == [
        ("a", Status.DONE, None),
        ("b", None, None),
        ("c", Status.DONE, "svc-3"),
    ]
    assert ledger.view(NOW, 0).recorded == {(Address("ces_event", "release"), "v1")}
    assert ledger.holder(NOW).fence == 4
    assert [run.origin for run in ledger.runs()] == [None]
    ledger.close()
    assert sql(path, "SELECT user_version FROM pragma_user_version") == [(VERSION if opening is open_ledger else 1,)]


def test_what_a_version_without_begins_meant_to_send_may_have_been_sent(path: Path) -> None:
    path.parent.mkdir(parents=True)
    sql(path, OLD.read_text(encoding="utf-8"))
    with closing(open_ledger(path)) as ledger:
        assert ledger.in_flight(NOW + HOUR) == {"b": InFlight(0, False)}, "its run may have sent for an hour"
        assert ledger.in_flight(NOW + HOUR + 5) == {"b": InFlight(5, False)}
        ledger.record_outcomes([Outcome("b", Status.FAILED)], NOW + HOUR)
        assert not ledger.in_flight(NOW + HOUR)
        assert [entry.attempts for entry in ledger.entries("run-1")] == [1, 1, 1]


def test_a_migrated_lease_can_be_taken_once_it_lapses(path: Path) -> None:
    path.parent.mkdir(parents=True)
    sql(path, OLD.read_text(encoding="utf-8"))
    ledger = open_ledger(path)
    assert ledger.acquire("next", "runner-2", GONE, NOW + LIFETIME, LIFETIME).fence == 5


@pytest.mark.parametrize("opening", [open_ledger, read_ledger])
def test_a_file_of_a_newer_version_is_refused(path: Path, opening: type) -> None:
    open_ledger(path).close()
    sql(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(DiagnosticError) as error:
        opening(path)
    assert f"its format is {VERSION + 1}, this one reads up to {VERSION}" in told(error)


@pytest.mark.parametrize("opening", [open_ledger, read_ledger])
def test_a_file_that_is_no_database_is_refused(path: Path, opening: type) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("stack: shop\n" * 200)
    with pytest.raises(DiagnosticError) as error:
        opening(path)
    assert "it is not a SQLite database" in told(error)
    assert path.read_text() == "stack: shop\n" * 200


@pytest.mark.parametrize("opening", [open_ledger, read_ledger])
def test_another_programs_database_is_refused_and_left_alone(path: Path, opening: type) -> None:
    path.parent.mkdir(parents=True)
    sql(path, "CREATE TABLE bookmarks (url)")
    before = path.read_bytes()
    with pytest.raises(DiagnosticError) as error:
        opening(path)
    assert "another program's SQLite database" in told(error)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    assert open_ledger(path).runs() == []


def test_a_new_file_that_another_process_is_opening_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(database, "sleep", lambda _: other.execute("COMMIT"))
        open_ledger(path).close()
        assert not other.in_transaction


def test_a_ledger_that_is_created_while_it_is_looked_at_is_no_other_programs(path: Path) -> None:
    path.parent.mkdir(parents=True)
    steps = ["SELECT count(*) FROM sqlite_schema", "PRAGMA user_version", "PRAGMA application_id"]
    for statement in steps:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as looking:
            looking.set_trace_callback(lambda seen, at=statement: open_ledger(path).close() if seen == at else None)
            assert not is_foreign(looking)


def test_a_damaged_file_is_told_when_it_is_read(path: Path) -> None:
    with begun(path) as (ledger, holder):
        for number in range(50):
            ledger.record_intents(holder, "run-1", operations(*(f"{number}-{each}" for each in range(50))), NOW)
    content = bytearray(path.read_bytes())
    content[8192:-4096] = b"\xa5" * (len(content) - 8192 - 4096)
    path.write_bytes(content)
    with pytest.raises(DiagnosticError) as error:
        open_ledger(path).entries("run-1")
    assert "is damaged" in told(error)


def test_an_operation_that_was_altered_in_the_file_is_told(path: Path) -> None:
    with begun(path) as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a"), NOW)
    sql(path, "UPDATE journal SET payloads = replace(payloads, 'event', 'events')")
    with pytest.raises(DiagnosticError) as error:
        read_ledger(path).open_intents()
    assert "an operation is altered or damaged" in told(error)


def test_a_directory_that_cannot_be_written_is_told(directory: Path) -> None:
    directory.chmod(0o555)
    with unprivileged(), pytest.raises(DiagnosticError) as error:
        open_ledger(directory / ".reconciler" / "shop.db")
    assert "permission denied" in told(error)


def test_a_ledger_that_cannot_be_written_is_still_read(directory: Path) -> None:
    path = directory / "shop.db"
    with begun(path) as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a"), NOW)
    path.chmod(0o444)
    directory.chmod(0o555)
    with unprivileged():
        with pytest.raises(DiagnosticError) as error:
            open_ledger(path)
        reader = read_ledger(path)
        assert [entry.operation.key for entry in reader.open_intents()] == ["a"]
        with pytest.raises(DiagnosticError, match="read-only"):
            reader.unlock()
        reader.close()
    assert "permission denied" in told(error)


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".reconciler").touch()
    with pytest.raises(DiagnosticError) as error:
        open_ledger(tmp_path / ".reconciler" / "shop.db")
    assert "a part of its path is a file" in told(error)


def test_a_directory_of_that_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as error:
        open_ledger(tmp_path)
    assert "there is a directory of that name" in told(error)


def test_a_read_only_file_system_is_told_with_what_still_works(path: Path) -> None:
    (diagnostic,) = to_diagnostic(OSError(errno.EROFS, "Read-only file system"), path).diagnostics
    assert "the file system is read-only" in diagnostic.summary
    assert "plan works without a ledger" in (diagnostic.hint or "")


def test_a_full_disk_is_told(path: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as small:
        small.execute("PRAGMA max_page_count = 2")
        small.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as full:
            small.execute("CREATE TABLE u AS SELECT zeroblob(100000)")
    (diagnostic,) = to_diagnostic(full.value, path).diagnostics
    assert "the disk is full" in diagnostic.summary
    assert "free some space, then run the command again" in (diagnostic.hint or "")


def test_a_write_that_the_disk_refuses_is_told_and_what_was_journalled_before_stays(path: Path) -> None:
    script = """
import resource, sys
from tests.ledger.test_file import *
with begun(Path(sys.argv[1])) as (ledger, holder):
    ledger.record_intents(holder, "run-1", operations("first"), NOW)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    try:
        for number in range(1000):
            ledger.record_intents(holder, "run-1", operations(*(f"{number}-{each}" for each in range(100))), NOW)
    except DiagnosticError as error:
        print(number, error)
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)  # noqa: S603 - a command of ours
    number, _, message = done.stdout.partition(" ")
    assert "cannot be read or written" in message or "the disk is full" in message
    entries = open_ledger(path).entries("run-1")
    assert len(entries) == 1 + 100 * int(number)


def test_a_missing_file_reads_as_an_empty_ledger_and_is_not_made(path: Path) -> None:
    for ledger in (read_ledger(path), open_ledger(path, create=False)):
        assert ledger.view(NOW, 60_000) == LedgerView()
        assert (ledger.runs(), ledger.open_intents(), ledger.holder(NOW), ledger.unlock()) == ([], [], None, None)
        with pytest.raises(DiagnosticError, match="read-only"):
            acquire_lease(ledger)
    assert not path.parent.exists()
