"""What a store promises of shards: they are written side by side, under the fence of their stack, and absorbed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.operation import Outcome, Status
from reconciler.ledger.kinds import list_stacks, shards_at
from reconciler.ledger.location import Location
from reconciler.ledger.protocol import Holder, LeaseHeldError, LeaseLostError, Ledger
from reconciler.ledger.shard_rows import shard_name, shard_rows
from reconciler.ledger.shared import SharedLedger
from reconciler.ledger.store import Claim, Shard, Shards
from tests.ledger.conformance.conftest import SHARDED
from tests.ledger.conformance.place import Place, now, wait_until_free
from tests.ledger.samples import LIFETIME, acquire_lease, operations, run

HERE = os.getpid()


@pytest.fixture(params=SHARDED)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(SHARDED[request.param](tmp_path))


@pytest.fixture
def shards(place: Place) -> Iterator[Shards]:
    found = shards_at(Location(place.where, "shop"))
    if found is None:
        pytest.fail("this store has no shards")
    with closing(found):
        yield found


def cut(shards: Shards, holder: Holder, number: int, *keys: str) -> Shard:
    shard = Shard(shard_name("shop", "run-1", number), "shop", holder.fence)
    assert shards.cut(shard, shard_rows(run(), operations(*keys), now()))
    return shard


def opened(shards: Shards, shard: Shard) -> Ledger:
    store = shards.open(shard)
    assert store is not None
    return SharedLedger(store, keeps=False)


def test_shards_are_written_side_by_side_and_become_part_of_the_journal(place: Place, shards: Shards) -> None:
    with place.begun() as (ledger, holder):
        ledger.record_intents(holder, "run-1", operations("a"), now())
        pair = [cut(shards, holder, 1, "b", "c"), cut(shards, holder, 2, "d", "e")]
        for worker, done in zip([opened(shards, shard) for shard in pair], "bd", strict=True):
            with closing(worker):
                held = acquire_lease(worker, pid=HERE, now=now())
                worker.begin_attempts(held, [done], now())
                worker.record_outcomes([Outcome(done, Status.DONE)], now())
                assert list(worker.statuses(["b", "c", "d", "e"])) == [done]
        assert [found.stack for found in list_stacks(str(place.where))] == ["shop"]
        assert shards.absorb(holder.fence) == 10
        assert [entry.operation.key for entry in ledger.open_intents()] == ["a", "c", "e"]
        assert [entry.operation.key for entry in ledger.entries("run-1")] == ["a", "b", "c", "d", "e"]
        assert [shards.open(shard) for shard in pair] == [None, None]
        ledger.record_intents(holder, "run-1", operations("f"), now())


def test_a_shard_has_one_worker_at_a_time(place: Place, shards: Shards) -> None:
    with place.begun() as (_, holder):
        shard = cut(shards, holder, 1, "a")
        with closing(opened(shards, shard)) as first, closing(opened(shards, shard)) as second:
            held = acquire_lease(first, pid=HERE, now=now())
            with pytest.raises(LeaseHeldError):
                acquire_lease(second, "another", HERE, now())
            first.release(held)
            assert acquire_lease(second, pid=HERE, now=now()).fence > held.fence
            with pytest.raises(LeaseLostError):
                first.begin_attempts(held, ["a"], now())


def test_a_shard_may_begin_nothing_once_the_lease_of_its_stack_is_gone(place: Place, shards: Shards) -> None:
    with place.opened() as ledger:
        holder = acquire_lease(ledger, pid=HERE, now=now())
        ledger.begin(holder, run())
        shard = cut(shards, holder, 1, "a", "b")
        with closing(opened(shards, shard)) as worker:
            held = acquire_lease(worker, pid=HERE, now=now())
            worker.begin_attempts(held, ["a"], now())
            ledger.renew(holder, now(), 1)
            wait_until_free(ledger)
            with pytest.raises(LeaseLostError):
                worker.begin_attempts(held, ["b"], now())
            with pytest.raises(LeaseLostError):
                worker.renew(held, now(), LIFETIME)
            ledger.renew(holder, now(), LIFETIME)
            worker.begin_attempts(held, ["a"], now())
            ledger.unlock()
            with pytest.raises(LeaseLostError):
                worker.begin_attempts(held, ["b"], now())
            worker.record_outcomes([Outcome("a", Status.DONE)], now())
            with closing(opened(shards, shard)) as late, pytest.raises(LeaseLostError):
                acquire_lease(late, pid=HERE, now=now())


def test_the_next_holder_of_the_stack_has_what_shards_had_begun(place: Place, shards: Shards) -> None:
    with place.opened() as ledger:
        holder = acquire_lease(ledger, pid=HERE, now=now())
        ledger.begin(holder, run())
        shard = cut(shards, holder, 1, "a", "b", "c")
        with closing(opened(shards, shard)) as worker:
            held = acquire_lease(worker, pid=HERE, now=now())
            worker.begin_attempts(held, ["a", "b"], now())
            worker.record_outcomes([Outcome("a", Status.DONE)], now())
            ledger.unlock()
            with place.opened() as following:
                taken = acquire_lease(following, "ci-18", HERE, now())
                assert taken.fence > holder.fence
                assert set(following.in_flight(now())) == {"b"}
                assert [entry.operation.key for entry in following.open_intents()] == ["b", "c"]
            with pytest.raises(LeaseLostError):
                worker.begin_attempts(held, ["c"], now())
            with pytest.raises(DiagnosticError, match="has no shard"):
                worker.record_outcomes([Outcome("b", Status.DONE)], now())
        assert shards.open(shard) is None
        stale = Shard(shard_name("shop", "run-1", 2), "shop", holder.fence)
        assert not shards.cut(stale, shard_rows(run(), operations("z"), now()))
        assert shards.absorb(holder.fence) is None


def test_a_worker_whose_shard_is_absorbed_before_it_read_it_has_no_work(place: Place, shards: Shards) -> None:
    with place.begun() as (ledger, holder):
        shard = cut(shards, holder, 1, "a")
        with closing(opened(shards, shard)) as worker, closing(opened(shards, shard)) as another:
            acquire_lease(worker, pid=HERE, now=now())
            ledger.unlock()
            with place.opened() as following:
                acquire_lease(following, "ci-18", HERE, now())
            with pytest.raises(LeaseLostError):
                worker.journal()
            with pytest.raises(LeaseLostError):
                another.entries("run-1")


def test_a_worker_does_not_wait_for_a_shard_that_is_absorbed(place: Place, shards: Shards) -> None:
    with place.begun() as (_, holder):
        store = shards.open(cut(shards, holder, 1, "a"))
        assert store is not None
        with closing(store):
            shards.absorb(holder.fence)
            with pytest.raises(LeaseLostError):
                store.take(Claim("claim", "ci", "host", HERE, None, None, None), LIFETIME)


def test_a_shard_is_cut_once_and_absorbed_once_if_responses_are_lost(place: Place, shards: Shards) -> None:
    with place.begun() as (ledger, holder):
        assert cut(shards, holder, 1, "a") == cut(shards, holder, 1, "a")
        assert shards.absorb(holder.fence) == shards.absorb(holder.fence)
        assert [entry.operation.key for entry in ledger.open_intents()] == ["a"]
