"""The last pushes: what a ledger knows of alarms at a service that shows no history."""

from __future__ import annotations

from pathlib import Path

from reconciler.core.address import Address
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.protocol import Holder, Ledger, RunState
from reconciler.session.last_pushes import last_pushes
from tests.ledger.samples import NOW, begun, clear, operation, run

CPU = Address("aom_alarm", "cpu", "a")
HERE = {"aom": "aom here"}


def done(ledger: Ledger, holder: Holder, id: str, *keys: str, now: int = NOW) -> None:
    """Journal operations at one address as done by a run: keys with a C are clears."""
    sent = [(clear(key, "found") if key.startswith("C") else operation(key))._replace(address=CPU) for key in keys]
    ledger.record_intents(holder, id, sent, now)
    ledger.begin_attempts(holder, keys, now)
    ledger.record_outcomes([Outcome(key, Status.DONE) for key in keys], now)


def test_the_newest_push_of_an_address_is_its_last(tmp_path: Path) -> None:
    with begun(tmp_path / "demo.db") as (ledger, holder):
        done(ledger, holder, "run-1", "P1")
        ledger.end("run-1", RunState.DONE, NOW)
        ledger.begin(holder, run("run-2")._replace(started_at=NOW + 1))
        done(ledger, holder, "run-2", "P2", now=NOW + 1)
        assert [push.operation.key for push in last_pushes(ledger, {CPU}, {})] == ["P2"]


def test_an_alarm_that_the_stack_cleared_has_no_last_push(tmp_path: Path) -> None:
    with begun(tmp_path / "demo.db") as (ledger, holder):
        done(ledger, holder, "run-1", "P1")
        ledger.end("run-1", RunState.DONE, NOW)
        ledger.begin(holder, run("run-2")._replace(started_at=NOW + 1))
        done(ledger, holder, "run-2", "C1", now=NOW + 1)
        assert last_pushes(ledger, {CPU}, {}) == []


def test_the_push_of_a_replacement_is_the_last_though_a_clear_belongs_to_the_same_run(tmp_path: Path) -> None:
    with begun(tmp_path / "demo.db") as (ledger, holder):
        done(ledger, holder, "run-1", "C1", "P1")
        assert [push.operation.key for push in last_pushes(ledger, {CPU}, {})] == ["P1"]


def test_a_push_at_another_target_says_nothing_about_this_one(tmp_path: Path) -> None:
    with begun(tmp_path / "demo.db") as (ledger, holder):
        ledger.end("run-1", RunState.DONE, NOW)
        ledger.begin(holder, run("run-2")._replace(targets={"aom": "aom there"}))
        done(ledger, holder, "run-2", "P1")
        assert last_pushes(ledger, {CPU}, HERE) == []
        assert len(last_pushes(ledger, {CPU}, {"aom": "aom there"})) == 1
