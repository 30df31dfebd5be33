"""Copies of a ledger: from every store to a file and back, whole, verified, and begun again where they broke off."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.copying import copy_ledger, journal_rows
from reconciler.ledger.kinds import open_store
from reconciler.ledger.location import Location
from reconciler.ledger.protocol import Behaviour, LeaseHeldError, Ledger, RunState
from tests.ledger.conformance.place import STACK, Place, now
from tests.ledger.samples import NOW, acquire_lease, clear, event, operations


def write_every_fate(place: Place) -> None:
    """A run with an operation of every fate."""
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", [*operations("a", "b", "c"), event("e", "v1"), clear("x", "id-1")], NOW)
        ledger.begin_attempts(holder, ["a", "b", "e", "x"], NOW)
        ledger.record_outcomes([Outcome(key, Status.DONE) for key in "ex"], NOW)
        ledger.record_outcomes([Outcome("b", Status.FAILED)], NOW)
        ledger.confirm(["x"], NOW)
        ledger.learn("aom here", Behaviour(merges=True, rejects_whole=False), NOW)
        ledger.end("run-1", RunState.PARTIAL, NOW)
        ledger.release(holder)


def told(ledger: Ledger) -> tuple[object, ...]:
    entries, view = ledger.entries("run-1"), ledger.view(NOW, 60_000)
    flying = set(ledger.in_flight(NOW))
    return (
        ledger.runs(),
        entries,
        ledger.open_intents(),
        flying,
        view.recorded,
        view.cleared,
        ledger.behaviour("aom here"),
    )


def copied(source: Place, target: Place) -> None:
    copy_ledger(Location(source.where, STACK), Location(target.where, STACK), "ada", "host", now())


def test_a_copy_in_a_file_and_its_copy_back_tell_the_same(place: Place, tmp_path: Path) -> None:
    write_every_fate(place)
    file = Place(tmp_path / "file")
    copied(place, file)
    with closing(place.read()) as original, closing(file.read()) as copy:
        assert told(copy) == told(original)
    if isinstance(place.where, str):
        with closing(open_store(Location(place.where, STACK))) as store:
            store.drop()
        copied(file, place)
        with closing(place.read()) as back, closing(file.read()) as copy:
            assert told(back) == told(copy)


def test_a_copy_that_broke_off_goes_on_where_it_ended(place: Place, tmp_path: Path) -> None:
    file = Place(tmp_path / "file")
    write_every_fate(file)
    if isinstance(place.where, str):
        rows = list(journal_rows(Location(file.where, STACK)))
        with closing(open_store(Location(place.where, STACK))) as store:
            assert store.append(rows[:3], 0, None)
        found = copy_ledger(Location(file.where, STACK), Location(place.where, STACK), "ada", "host", now())
        assert (found.there, found.rows) == (3, len(rows))
    else:
        copied(file, place)
    with closing(place.read()) as copy, closing(file.read()) as original:
        assert told(copy) == told(original)


def test_what_is_at_the_target_is_never_overwritten(place: Place, tmp_path: Path) -> None:
    file = Place(tmp_path / "file")
    write_every_fate(file)
    with place.begun("another run") as (ledger, holder):
        ledger.release(holder)
    with pytest.raises(DiagnosticError, match=r"exists|contains other runs"):
        copied(file, place)


def test_a_stack_that_a_run_works_on_is_not_copied(place: Place, tmp_path: Path) -> None:
    with place.opened() as ledger:
        acquire_lease(ledger, pid=os.getpid(), now=now())
        with pytest.raises(LeaseHeldError):
            copied(place, Place(tmp_path / "file"))
