"""Examining a damaged ledger, and saving what is left of it."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.doctor import examine, salvage
from reconciler.ledger.sqlite import open_ledger, read_ledger
from tests.cli.run_cli import reconciler
from tests.ledger.samples import NOW, begun, event, operations
from tests.ledger.test_damage import FLIPS, ask_everything

LATER = NOW + 10 * 60_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / ".reconciler" / "shop.db"
    with begun(path) as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a", "b"), NOW)
        ledger.begin_attempts(holder, ["a", "b"], NOW)
        ledger.record_outcomes([Outcome("a", Status.DONE), Outcome("b", Status.DONE)], NOW)
        ledger.record_intents(holder, "run-1", [event("e", "v1")], NOW)
        ledger.begin_attempts(holder, ["e"], NOW)
        ledger.release(holder)
    return path


def alter(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_a_sound_ledger_is_told_as_sound(path: Path) -> None:
    done = reconciler("ledger", "doctor", path)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{path} is sound: 1 run and 5 rows of the journal.\n"


def test_an_altered_payload_is_told_by_its_row_and_the_rest_is_saved(path: Path) -> None:
    alter(path, b'{"event":"a"}', b'{"event":"x"}')
    done = reconciler("ledger", "doctor", path.parent.parent)
    assert done.code == 1
    assert "row 1 of the journal: an operation is altered or damaged" in done.out
    to = path.with_name("saved.db")
    saved = reconciler("ledger", "salvage", to, path)
    assert saved.code == 0
    assert "1 run and 4 rows of the journal" in saved.out
    assert "row 1 of the journal" in saved.out
    with closing(read_ledger(to)) as ledger:
        assert [entry.operation.key for entry in ledger.entries("run-1")] == ["e"]
        assert list(ledger.in_flight(LATER)) == ["e"]
    assert reconciler("ledger", "doctor", to).code == 0


def test_a_status_that_the_journal_does_not_give_is_found_and_mended(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE operations SET status = 'done', ended_at = 1 WHERE key = 'e'")
        raw.commit()
    done = reconciler("ledger", "doctor", path)
    assert done.code == 1
    assert "the table of operations is not what the journal adds up to" in done.out
    salvage(path, path.with_name("saved.db"), LATER)
    with closing(read_ledger(path.with_name("saved.db"))) as ledger:
        assert ledger.statuses(["a", "e"]) == {"a": Status.DONE}


def test_a_run_that_was_altered_is_named_and_what_it_sent_is_kept(path: Path) -> None:
    alter(path, b"plan-of-run-1", b"plan-of-run-7")
    done = reconciler("ledger", "list", path)
    assert done.code == 1
    assert "run run-1 is altered or damaged" in done.err
    assert "run 1: run run-1 is altered or damaged" in reconciler("ledger", "doctor", path).out
    to = path.with_name("saved.db")
    assert list(salvage(path, to, LATER).unsound_runs) == [1]
    with closing(read_ledger(to)) as ledger:
        assert [entry.operation.key for entry in ledger.entries("lost-1")] == ["a", "b", "e"]


def test_an_operation_that_stands_at_the_wrong_row_is_not_believed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE operations SET position = 0 WHERE key = 'b'")
        raw.commit()
    done = reconciler("ledger", "show", "run-1", path)
    assert done.code == 1
    assert "the table of operations has 'b' at the wrong row" in done.err


def test_where_the_row_that_tells_of_sending_is_lost_the_operation_counts_as_sent(path: Path) -> None:
    alter(path, b'{"key":["e"],"boot"', b'{"key":["f"],"boot"')
    to = path.with_name("saved.db")
    assert list(salvage(path, to, LATER).unsound_rows) == [5]
    with closing(read_ledger(to)) as ledger:
        assert "e" in ledger.in_flight(LATER)


def test_nothing_is_overwritten(path: Path) -> None:
    to = path.with_name("saved.db")
    to.write_text("mine")
    done = reconciler("ledger", "salvage", to, path)
    assert done.code == 1
    assert "nothing is overwritten" in done.err
    assert to.read_text() == "mine"


def test_a_ledger_in_use_is_not_salvaged(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        ledger.acquire("ci-17", "elsewhere", 1, NOW, 10 * 60_000)
    with pytest.raises(DiagnosticError, match="ci-17 on elsewhere"):
        salvage(path, path.with_name("saved.db"), NOW)
    assert not path.with_name("saved.db").exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=FLIPS)
def test_whatever_bytes_are_altered_what_is_saved_is_a_sound_ledger(path: Path, flips: list[tuple[float, int]]) -> None:
    content = bytearray(path.read_bytes())
    for place, change in flips:
        content[int(place * len(content))] ^= change
    with tempfile.TemporaryDirectory() as directory:
        damaged, to = Path(directory) / "damaged.db", Path(directory) / "saved.db"
        damaged.write_bytes(content)
        with suppress(DiagnosticError):
            examine(damaged)
        with suppress(DiagnosticError):
            salvage(damaged, to, LATER)
        if to.exists():
            assert examine(to).is_sound
            with closing(read_ledger(to)) as ledger:
                ask_everything(ledger)
