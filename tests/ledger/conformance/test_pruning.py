"""Pruning: what is old and not needed goes, what a later plan or apply needs stays, for whoever reads the ledger."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import closing

import pytest

from reconciler.core.address import canary_address
from reconciler.core.duration import DAY, HOUR
from reconciler.core.operation import Operation, Outcome, Status
from reconciler.ledger.doctor import examine
from reconciler.ledger.location import Location
from reconciler.ledger.probe import examine_shared
from reconciler.ledger.protocol import CHECK, LeaseHeldError, LeaseLostError, Ledger, RunState
from reconciler.ledger.pruning import Amount, preview_pruning, prune_ledger
from reconciler.ledger.retention import Limit
from tests.ledger.conformance.place import STACK, Place, now
from tests.ledger.samples import GONE, HOST, NOW, clear, event, operation, operations, run

LATER = NOW + 100 * DAY
LIMIT = Limit(LATER, 90 * DAY)


def applied(
    ledger: Ledger, id: str, sent: list[Operation], at: int, command: str = "apply", state: RunState = RunState.DONE
) -> None:
    """A run that did what it was to do, and was seen to."""
    holder = ledger.acquire("ci", HOST, GONE, at, HOUR)
    ledger.begin(holder, run(id)._replace(command=command, started_at=at))
    ledger.record_intents(holder, id, sent, at)
    ledger.begin_attempts(holder, [one.key for one in sent], at)
    ledger.record_outcomes([Outcome(one.key, Status.DONE) for one in sent], at)
    ledger.confirm([one.key for one in sent], at, {sent[0].key: "1" * 32})
    ledger.end(id, state, at)
    ledger.release(holder)


def lasting(key: str, end: int, begin: int = NOW) -> Operation:
    """A push of an alarm that fires until an instant."""
    return operation(key, begins_at=begin, send_by=end)


def pruned(place: Place, limit: Limit = LIMIT) -> Amount:
    location = Location(place.where, STACK)
    expected = preview_pruning(location, limit)
    with place.opened() as ledger:
        holder = ledger.acquire("ada", HOST, GONE, limit.now, HOUR)
        found = prune_ledger(location, holder, ledger, limit)
        ledger.release(holder)
    assert found.removed == expected.removed
    return found.removed


def known(ledger: Ledger, keys: Collection[str]) -> set[str]:
    return set(ledger.statuses(keys))


def is_sound(place: Place) -> bool:
    if isinstance(place.where, str):
        return examine_shared(place.where, STACK, now()).is_sound
    return examine(place.where / f"{STACK}.db").is_sound


def test_what_is_old_and_over_goes_and_what_is_needed_stays(place: Place) -> None:
    short, long = lasting("short", NOW + HOUR), lasting("long", NOW + 200 * DAY)
    with place.opened() as ledger:
        applied(ledger, "old", [short, event("e", "v1"), clear("gone", "id-1")], NOW)
        applied(ledger, "again", [clear("c", "id-2")], NOW)
        applied(ledger, "over", [lasting("short-2", NOW + 2 * HOUR)._replace(address=short.address)], NOW)
        applied(ledger, "ended", [clear("end", "id-3")._replace(address=short.address)], NOW + DAY)
        applied(ledger, "lasts", [long, clear("beside", "id-4")], NOW)
        applied(ledger, "new", [clear("late", "id-5")], LATER - DAY)
        holder = ledger.acquire("ci", HOST, GONE, NOW, HOUR)
        ledger.begin(holder, run("died"))
        ledger.record_intents(holder, "died", operations("open", "failed", "unknown"), NOW)
        ledger.record_outcomes([Outcome("failed", Status.FAILED), Outcome("unknown", Status.UNKNOWN)], NOW)
        ledger.release(holder)
        view = ledger.view(LATER, HOUR)
    keys = ["short", "e", "gone", "c", "short-2", "end", "long", "beside", "late", "failed", "unknown"]
    kept = {"e", "long", "beside", "late", "failed", "unknown"}  # what failed could be sent again: it has no end
    assert pruned(place) == Amount(3, 5)
    for opened in (place.read, place.open):
        with closing(opened()) as ledger:
            assert known(ledger, keys) == kept
            assert ledger.view(LATER, HOUR) == view
            assert [entry.operation.key for entry in ledger.open_intents()] == ["open", "unknown"]
            assert [one.id for one in ledger.runs() if one.command != "prune"] == ["died", "new", "lasts", "old"]
            assert [entry.operation for entry in ledger.entries("old")] == [event("e", "v1")]
            assert ledger.shown(keys) == {"late": "1" * 32, "long": "1" * 32}
            assert ledger.runs()[0].origin == ledger.runs()[0].origin._replace(user="ada")  # type: ignore[union-attr]
    assert is_sound(place)
    assert pruned(place) == Amount(0, 0)


def test_what_a_canary_left_goes_a_day_after_it_may_have_fired(place: Place) -> None:
    beat = canary_address("beat", "aom_alarm")
    with place.opened() as ledger:
        for number in range(3):
            at = NOW + number * HOUR
            push = lasting(f"push-{number}", at + 600_000, at)._replace(address=beat)
            applied(ledger, f"beat-{number}", [push], at, CHECK)
            applied(ledger, f"back-{number}", [clear(f"clear-{number}", "x")._replace(address=beat)], at, CHECK)
        applied(ledger, "apply", [clear("c", "id-1")], NOW)
    assert pruned(place, Limit(NOW + DAY + HOUR, DAY)) == Amount(2, 2)
    assert pruned(place, Limit(NOW + 3 * DAY, DAY)) == Amount(4, 4)
    with closing(place.read()) as ledger:
        assert [one.id for one in ledger.runs() if one.command != "prune"] == ["apply"]


def test_whoever_knew_the_ledger_before_goes_on_with_what_is_left(place: Place) -> None:
    with place.opened() as ledger:
        applied(ledger, "old", [clear("a", "id-1"), event("e", "v1")], NOW)
    waiting, reading = place.open(), place.read()
    with closing(waiting), closing(reading):
        assert known(waiting, "a") == known(reading, "a") == {"a"}
        assert pruned(place) == Amount(0, 1)
        applied(waiting, "next", [clear("b", "id-2")], LATER)
        for ledger in (waiting, reading):
            assert known(ledger, "aeb") <= {"a", "e", "b"} and known(ledger, "eb") == {"e", "b"}
            assert [entry.operation.key for entry in ledger.entries("old")] == ["e"]
    with closing(place.read()) as ledger:
        assert known(ledger, "aeb") == {"e", "b"}
        assert [entry.operation.key for entry in ledger.entries("next")] == ["b"]
    assert is_sound(place)


def test_a_stack_that_a_run_works_on_is_not_pruned(place: Place) -> None:
    with place.opened() as ledger:
        applied(ledger, "old", [clear("a", "id-1")], NOW)
        working = ledger.acquire("ci", HOST, os.getpid(), now(), HOUR)
        with pytest.raises(LeaseHeldError):
            pruned(place, LIMIT._replace(now=now()))
        ledger.unlock()
        with pytest.raises(LeaseLostError):
            prune_ledger(Location(place.where, STACK), working, ledger, LIMIT)
        assert known(ledger, "a") == {"a"}


def test_keys_of_running_drills_stay(place: Place) -> None:
    with place.opened() as ledger:
        applied(ledger, "old", [clear("a", "id-1"), clear("b", "id-2")], NOW)
    assert pruned(place, LIMIT._replace(needed={"a"})) == Amount(0, 1)
    with closing(place.read()) as ledger:
        assert known(ledger, "ab") == {"a"}
