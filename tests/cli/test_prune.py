"""``reconciler ledger prune``, and what the other commands say of a stack that a shared ledger does not have."""

from __future__ import annotations

import json
import os
from pathlib import Path
from socket import gethostname

import pytest

from reconciler.core.duration import DAY, HOUR
from reconciler.drill.record import Record
from reconciler.drill.store import RunStore
from reconciler.ledger.documents import SharedDocuments
from reconciler.ledger.kinds import list_stacks
from reconciler.ledger.location import Location
from tests.cli.run_cli import reconciler
from tests.drill.records import record, sent
from tests.ledger.conformance.conftest import STORES
from tests.ledger.conformance.place import STACK, Place, now
from tests.ledger.conformance.test_pruning import applied
from tests.ledger.samples import clear, event

OLD = now() - 200 * DAY


def drill(number: int, at: int, **changes: object) -> Record:
    whole = {"began_at": at, "started_at": at, "cleared_at": at, "ended_at": at, "emissions": ()}
    return record(run=f"2026-outage-{number}", steps=(), checks=(), log=(), **(whole | changes))


@pytest.fixture(params=["sqlite", "pgbouncer"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A ledger with old and new runs and drills, and one drill that never ended."""
    found = Place(STORES[request.param](tmp_path))
    with found.opened() as ledger:
        applied(ledger, "old", [clear("a", "id-1"), clear("b", "id-2")], OLD)
        applied(ledger, "facts", [event("e", "v1"), clear("kept", "id-3")], OLD)
        applied(ledger, "new", [clear("c", "id-4")], now() - DAY)
    store = RunStore(SharedDocuments(Location(found.where, STACK)) if isinstance(found.where, str) else found.where)
    store.save(drill(1, OLD))
    store.save(drill(2, now() - DAY))
    store.save(drill(3, OLD, ended_at=None, emissions=(sent("slow", keys=("kept",), clear_keys=()),)))
    store.save(drill(4, OLD, stack="another"))
    return found


def runs(where: str) -> list[str]:
    found = json.loads(reconciler("ledger", "list", where, "--stack", STACK, "--format", "json").out)["runs"]
    return [one["id"] for one in found if one["command"] != "prune"]


def test_prune_removes_what_it_says_once_it_is_approved(place: Place) -> None:
    where = place.where if isinstance(place.where, str) else str(place.where.parent)
    command = ("ledger", "prune", where, "--stack", STACK)
    told = "1 run, 2 operations and 1 drill record of the stack shop, older than 90d."
    for shown in (reconciler(*command, "--dry-run").out, reconciler(*command, answers="no\n").err):
        assert f"Would remove {told}" in shown
        assert "Would keep 2 runs and 3 operations, which are younger or still needed." in shown
    refused = reconciler(*command)
    assert (refused.code, "--auto-approve" in refused.err) == (1, True)
    assert runs(where) == ["new", "facts", "old"]
    done = reconciler(*command, answers="yes\n")
    assert (done.code, f"Removed {told}" in done.out) == (0, True), done
    assert runs(where) == ["new", "facts"]
    again = json.loads(reconciler(*command, "--auto-approve", "--format", "json").out)
    assert (again["removed"], again["done"]) == ({"runs": 0, "operations": 0, "drills": []}, True)
    store = RunStore(SharedDocuments(Location(place.where, STACK)) if isinstance(place.where, str) else place.where)
    assert store.runs() == ["2026-outage-4", "2026-outage-3", "2026-outage-2"]
    assert "prune" in reconciler("ledger", "list", where, "--stack", STACK).out


def test_prune_is_refused_while_a_run_works_on_the_stack(place: Place) -> None:
    where = place.where if isinstance(place.where, str) else str(place.where.parent)
    with place.opened() as ledger:
        ledger.acquire("ci-17", gethostname(), os.getpid(), now(), HOUR)
        refused = reconciler("ledger", "prune", where, "--stack", STACK, "--auto-approve")
    assert (refused.code, "ci-17" in refused.err) == (5, True)
    assert runs(where) == ["new", "facts", "old"]


def test_a_stack_that_is_not_there_is_named_and_not_made(place: Place) -> None:
    for command in (("unlock", "--yes"), ("prune",), ("list",), ("show", "old"), ("doctor",)):
        if isinstance(place.where, str):
            refused = reconciler("ledger", *command, place.where, "--stack", "shpo")
            told = "has no stack shpo" in refused.err and "--stack: shop" in refused.err
            assert [found.stack for found in list_stacks(place.where)] == [STACK]
        else:
            refused = reconciler("ledger", *command, str(place.where.parent), "--stack", "shpo")
            told = "no ledger of the stack shpo" in refused.err
        assert (refused.code, told) == (1, True), refused


def test_a_limit_below_a_day_is_refused() -> None:
    for text, why in (("1h", "the minimum is 1d"), ("90", "is not a duration")):
        refused = reconciler("ledger", "prune", "--older-than", text)
        assert (refused.code, why in refused.err) == (1, True)
